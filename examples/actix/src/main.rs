//! Counts visits and logs visitors in, with actix-web.
//!
//! ```sh
//! export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
//! cargo run --package signed-session-example-actix 3000
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

use actix_web::web::{Form, Redirect};
use actix_web::{App, HttpServer, get, post};
use serde::Deserialize;
use signed_session::{
    CookieOptions, Keyring, SessionCodec, SessionHandle, SessionManager, SessionMiddleware,
    ValueError,
};

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize)]
struct Note {
    text: String,
}

#[get("/")]
async fn index(session: SessionHandle) -> Result<String, ValueError> {
    let visits = session.get::<u64>("visits")?.unwrap_or(0) + 1;
    session.insert("visits", visits)?;
    let name = session.get("name")?.unwrap_or("stranger".to_owned());
    Ok(format!("hello, {name}: visit {visits}\n"))
}

/// Leaves the session alone: caches may keep this page for everybody.
#[get("/about")]
async fn about() -> &'static str {
    "a counter of visits\n"
}

#[post("/login")]
async fn login(session: SessionHandle, Form(login): Form<Login>) -> Result<Redirect, ValueError> {
    // Nothing that was put into the stranger's session is carried into ada's.
    session.flush();
    session.insert("name", login.name)?;
    Ok(Redirect::to("/").see_other())
}

#[post("/logout")]
async fn logout(session: SessionHandle) -> Redirect {
    session.flush();
    Redirect::to("/").see_other()
}

#[get("/note")]
async fn read_note(session: SessionHandle) -> Result<String, ValueError> {
    Ok(session.get("note")?.unwrap_or_default())
}

/// Answers 500 to a note too long for a cookie, and the session stays as it was.
#[post("/note")]
async fn write_note(
    session: SessionHandle,
    Form(note): Form<Note>,
) -> Result<Redirect, ValueError> {
    session.insert("note", note.text)?;
    Ok(Redirect::to("/note").see_other())
}

fn session_manager() -> Result<SessionManager, Box<dyn Error>> {
    let codec = SessionCodec::new(&Keyring::from_env()?);
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("sessionid")?.secure(false);
    Ok(SessionManager::new(codec, options))
}

async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let sessions = SessionMiddleware::new(session_manager()?);
    let app = move || {
        let pages = (index, about, login, logout, read_note, write_note);
        App::new().wrap(sessions.clone()).service(pages)
    };

    let port = env::args().nth(1).map_or(Ok(0), |port| port.parse::<u16>());
    let port = port.map_err(|_| "the argument is a port")?;
    let server = HttpServer::new(app).bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    Ok(server.run().await?)
}

#[actix_web::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
