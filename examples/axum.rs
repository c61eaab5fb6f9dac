//! Counts visits and logs visitors in, with axum.
//!
//! ```sh
//! export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
//! cargo run --features axum --example axum 3000
//! ```
//!
//! And from another terminal, as often as you like:
//!
//! ```sh
//! curl -b jar -c jar http://127.0.0.1:3000/
//! curl -b jar -c jar -L -d name=ada http://127.0.0.1:3000/login
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::{env, io};

use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use signed_session::{
    CookieOptions, Keyring, SessionCodec, SessionHandle, SessionLayer, SessionManager, ValueError,
};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize)]
struct Note {
    text: String,
}

async fn index(session: SessionHandle) -> Result<String, ValueError> {
    let visits = session.get::<u64>("visits")?.unwrap_or(0) + 1;
    session.insert("visits", visits)?;
    let name = session.get("name")?.unwrap_or("stranger".to_owned());
    Ok(format!("hello, {name}: visit {visits}\n"))
}

/// Leaves the session alone: caches may keep this page for everybody.
async fn about() -> &'static str {
    "a counter of visits\n"
}

async fn login(session: SessionHandle, Form(login): Form<Login>) -> Result<Redirect, ValueError> {
    // Nothing that was put into the stranger's session is carried into ada's.
    session.begin(|_| false);
    session.insert("name", login.name)?;
    Ok(Redirect::to("/"))
}

async fn logout(session: SessionHandle) -> Redirect {
    session.flush();
    Redirect::to("/")
}

async fn read_note(session: SessionHandle) -> Result<String, ValueError> {
    Ok(session.get("note")?.unwrap_or_default())
}

/// Answers 500 to a note too long for a cookie, and the session stays as it was.
async fn write_note(
    session: SessionHandle,
    Form(note): Form<Note>,
) -> Result<Redirect, ValueError> {
    session.insert("note", note.text)?;
    Ok(Redirect::to("/note"))
}

fn session_manager() -> Result<SessionManager, Box<dyn Error>> {
    let codec = SessionCodec::new(&Keyring::from_env()?);
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("sessionid")?.secure(false);
    Ok(SessionManager::new(codec, options))
}

async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let app = Router::new()
        .route("/", get(index))
        .route("/about", get(about))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/note", get(read_note).post(write_note))
        .layer(SessionLayer::new(session_manager()?));

    let port = env::args().nth(1).map_or(Ok(0), |port| port.parse::<u16>());
    let port = port.map_err(|_| "the argument is a port")?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
