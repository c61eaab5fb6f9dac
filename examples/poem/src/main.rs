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
//! This crate has no feature for poem, and poem's adapters for tower do not
//! take `SessionLayer`: they pass on poem's own requests. The function
//! `with_session` around the routes is all it takes. Poem's own session and
//! cookie jar are not used.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use poem::http::StatusCode;
use poem::http::header::{COOKIE, HeaderValue};
use poem::listener::TcpAcceptor;
use poem::middleware::SizeLimit;
use poem::web::{Data, Form, Redirect};
use poem::{Endpoint, EndpointExt, Request, Response, Route, Server, get, handler, post};
use serde::Deserialize;
use signed_session::{CookieOptions, Keyring, Session, SessionCodec, SessionManager};
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
    session.flush();
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

/// The session of a request, which the middleware and the handlers share.
#[derive(Clone)]
struct RequestSession(Arc<Mutex<Session>>);

impl RequestSession {
    /// Locks the session; what a handler left that panicked is still a session.
    fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loads the session, has the request answered, and commits the session.
async fn with_session(
    manager: Arc<SessionManager>,
    endpoint: Arc<impl Endpoint>,
    mut request: Request,
) -> poem::Result<Response> {
    let session = manager.load(request.headers().get_all(COOKIE));
    let session = RequestSession(Arc::new(Mutex::new(session)));
    request.extensions_mut().insert(session.clone());
    // An error becomes a response here: a handler that fails may have logged the visitor out.
    let mut response = endpoint.get_response(request).await;
    let status = response.status().as_u16();
    let reply = manager.commit(&session.lock(), status).map_err(internal_error)?;
    if let Some(reason) = &reply.omitted {
        tracing::warn!(%reason, "the session could not be refreshed");
    }
    let present = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    for (name, value) in reply.headers(present) {
        let value = HeaderValue::try_from(value).map_err(internal_error)?;
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

/// Returns a bare 500 and logs the reason, which is not for the visitor.
fn internal_error(reason: impl Error) -> poem::Error {
    tracing::error!(%reason, "the session could not be used");
    StatusCode::INTERNAL_SERVER_ERROR.into()
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
