//! Counts visits and logs visitors in, with Rocket.
//!
//! ```sh
//! export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
//! cargo run --package signed-session-example-rocket 3000
//! ```
//!
//! And from another terminal, as often as you like:
//!
//! ```sh
//! curl -b jar -c jar http://127.0.0.1:3000/
//! curl -b jar -c jar -L -d name=ada http://127.0.0.1:3000/login
//! ```
//!
//! This crate has no feature for Rocket: a guard that loads the session and a
//! fairing that commits it are all it takes, and `RequestSession` is both.
//! Rocket's own cookie jar has no part in it.

use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rocket::config::LogLevel;
use rocket::fairing::AdHoc;
use rocket::form::{Form, FromForm};
use rocket::http::Status;
use rocket::outcome::IntoOutcome;
use rocket::request::{FromRequest, Outcome};
use rocket::response::{Debug, Redirect};
use rocket::{Config, Request, Response, async_trait, get, post, routes, uri};
use signed_session::{CookieOptions, Keyring, Session, SessionCodec, SessionManager, ValueError};

#[derive(FromForm)]
struct Login {
    name: String,
}

#[derive(FromForm)]
struct Note {
    text: String,
}

#[get("/")]
fn index(session: &RequestSession) -> Result<String, Debug<ValueError>> {
    let mut session = session.lock();
    let visits = session.get::<u64>("visits")?.unwrap_or(0) + 1;
    session.insert("visits", visits)?;
    let name = session.get("name")?.unwrap_or("stranger".to_owned());
    Ok(format!("hello, {name}: visit {visits}\n"))
}

/// Leaves the session alone: caches may keep this page for everybody.
#[get("/about")]
fn about() -> &'static str {
    "a counter of visits\n"
}

#[post("/login", data = "<login>")]
fn login(session: &RequestSession, login: Form<Login>) -> Result<Redirect, Debug<ValueError>> {
    let mut session = session.lock();
    // Nothing that was put into the stranger's session is carried into ada's.
    session.begin(|_| false);
    session.insert("name", &login.name)?;
    Ok(Redirect::to(uri!(index)))
}

#[post("/logout")]
fn logout(session: &RequestSession) -> Redirect {
    session.lock().flush();
    Redirect::to(uri!(index))
}

#[get("/note")]
fn read_note(session: &RequestSession) -> Result<String, Debug<ValueError>> {
    Ok(session.lock().get("note")?.unwrap_or_default())
}

/// Answers 500 to a note too long for a cookie, and the session stays as it was.
#[post("/note", data = "<note>")]
fn write_note(session: &RequestSession, note: Form<Note>) -> Result<Redirect, Debug<ValueError>> {
    session.lock().insert("note", &note.text)?;
    Ok(Redirect::to(uri!(read_note)))
}

/// The session of a request, in Rocket's cache of that request.
struct RequestSession(Mutex<Session>);

impl RequestSession {
    /// Returns the request's session, which is loaded on first use; that does not count as access.
    fn of<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        let manager = request.rocket().state::<SessionManager>()?;
        let load = || Self(Mutex::new(manager.load(request.headers().get("cookie"))));
        Some(request.local_cache(load))
    }

    /// Locks the session; what a handler left that panicked is still a session.
    fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates the fairing that gives every response what its session calls for.
    fn fairing(manager: SessionManager) -> AdHoc {
        AdHoc::on_ignite("sessions", |rocket| async {
            rocket.manage(manager).attach(AdHoc::on_response("commit", |request, response| {
                Box::pin(async move { Self::commit(request, response) })
            }))
        })
    }

    fn commit<'r>(request: &'r Request<'_>, response: &mut Response<'r>) {
        let manager = request.rocket().state::<SessionManager>();
        let Some((session, manager)) = Self::of(request).zip(manager) else { return };
        match manager.commit(&session.lock(), response.status().code) {
            Ok(reply) => {
                if let Some(reason) = &reply.omitted {
                    rocket::warn!("the session could not be renewed: {reason}: no cookie is sent");
                }
                let present =
                    ["set-cookie", "vary", "cache-control"].into_iter().flat_map(|name| {
                        response.headers().get(name).map(move |value| (name, value.as_bytes()))
                    });
                for (name, value) in reply.headers(present) {
                    response.adjoin_raw_header(name, value);
                }
            }
            Err(reason) => {
                rocket::error!("the session could not be written: {reason}");
                *response = Response::build().status(Status::InternalServerError).finalize();
            }
        }
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for &'r RequestSession {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        RequestSession::of(request).or_error((Status::InternalServerError, ()))
    }
}

fn session_manager() -> Result<SessionManager, Box<dyn Error>> {
    let codec = SessionCodec::new(&Keyring::from_env()?);
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("sessionid")?.secure(false);
    let manager = SessionManager::new(codec, options);
    for (_, weakness) in manager.weaknesses() {
        eprintln!("warning: a secret {weakness}");
    }
    Ok(manager)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let sessions = RequestSession::fairing(session_manager()?);
    let port = env::args().nth(1).map_or(Ok(0), |port| port.parse::<u16>());
    let port = port.map_err(|_| "the argument is a port")?;
    let address = Ipv4Addr::LOCALHOST.into();
    let config =
        Config { address, port, log_level: LogLevel::Critical, ..Config::release_default() };
    rocket::custom(config)
        .attach(sessions)
        .attach(AdHoc::on_liftoff("address", |rocket| {
            let Config { address, port, .. } = rocket.config();
            println!("listening on http://{address}:{port}");
            Box::pin(async {})
        }))
        .mount("/", routes![index, about, login, logout, read_note, write_note])
        .launch()
        .await?;
    Ok(())
}

#[rocket::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
