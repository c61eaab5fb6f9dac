//! Counts visits and logs visitors in, with poem.
//!
//! ```sh
//! export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
//! cargo run --package signed-session-example-poem 3000
//! ```
//!
//! And from another terminal, as often as you like:
//!
//! ```sh
//! curl -b jar -c jar http://127.0.0.1:3000/
//! curl -b jar -c jar -L -d name=ada http://127.0.0.1:3000/login
//! ```
//!
//! This crate has no feature for poem, and poem's adapter for tower's layers
//! does not take `SessionLayer`, because it passes on requests of poem's own
//! type. The function `with_session` in `lib.rs`, around the routes, is all it
//! takes. Poem's own sessions and its cookie jar are not used.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use poem::listener::TcpAcceptor;
use poem::middleware::SizeLimit;
use poem::web::{Data, Form, Redirect};
use poem::{EndpointExt, Route, Server, get, handler, post};
use serde::Deserialize;
use signed_session::{CookieOptions, Keyring, SessionCodec, SessionManager};
use signed_session_example_poem::{RequestSession, internal_error, with_session};
use tokio::net::TcpListener;

/// The longest form that is read, in bytes. Poem itself has no limit.
const MAX_FORM_LEN: usize = 16 * 1024;

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize)]
struct Note {
    text: String,
}

#[handler]
fn index(session: Data<&RequestSession>) -> poem::Result<String> {
    let mut session = session.lock();
    let visits = session.get::<u64>("visits").map_err(internal_error)?.unwrap_or(0) + 1;
    session.insert("visits", visits).map_err(internal_error)?;
    let name = session.get("name").map_err(internal_error)?.unwrap_or("stranger".to_owned());
    Ok(format!("hello, {name}: visit {visits}\n"))
}

/// Leaves the session alone: caches may keep this page for everybody.
#[handler]
fn about() -> &'static str {
    "a counter of visits\n"
}

#[handler]
fn login(session: Data<&RequestSession>, Form(login): Form<Login>) -> poem::Result<Redirect> {
    let mut session = session.lock();
    // Nothing that was put into the stranger's session is carried into ada's.
    session.begin(|_| false);
    session.insert("name", login.name).map_err(internal_error)?;
    Ok(Redirect::see_other("/"))
}

#[handler]
fn logout(session: Data<&RequestSession>) -> Redirect {
    session.lock().flush();
    Redirect::see_other("/")
}

#[handler]
fn read_note(session: Data<&RequestSession>) -> poem::Result<String> {
    Ok(session.lock().get("note").map_err(internal_error)?.unwrap_or_default())
}

/// Answers 500 to a note too long for a cookie, and the session stays as it was.
#[handler]
fn write_note(session: Data<&RequestSession>, Form(note): Form<Note>) -> poem::Result<Redirect> {
    session.lock().insert("note", note.text).map_err(internal_error)?;
    Ok(Redirect::see_other("/note"))
}

fn session_manager() -> Result<SessionManager, Box<dyn Error>> {
    let codec = SessionCodec::new(&Keyring::from_env()?);
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("sessionid")?.secure(false);
    let manager = SessionManager::new(codec, options);
    for (_, weakness) in manager.weaknesses() {
        tracing::warn!("a secret {weakness}");
    }
    Ok(manager)
}

async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let manager = Arc::new(session_manager()?);
    let app = Route::new()
        .at("/", get(index))
        .at("/about", get(about))
        .at("/login", post(login.with(SizeLimit::new(MAX_FORM_LEN))))
        .at("/logout", post(logout))
        .at("/note", get(read_note).post(write_note.with(SizeLimit::new(MAX_FORM_LEN))))
        .around(move |endpoint, request| with_session(Arc::clone(&manager), endpoint, request));

    let port = env::args().nth(1).map_or(Ok(0), |port| port.parse::<u16>());
    let port = port.map_err(|_| "the argument is a port")?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?).run(app).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
