//! Counts visits and logs visitors in, with warp.
//!
//! ```sh
//! export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
//! cargo run --package signed-session-example-warp 3000
//! ```
//!
//! And from another terminal, as often as you like:
//!
//! ```sh
//! curl -b jar -c jar http://127.0.0.1:3000/
//! curl -b jar -c jar -L -d name=ada http://127.0.0.1:3000/login
//! ```
//!
//! This crate has no feature for warp and needs none: `warp::service` turns the
//! filters into a tower service, and `SessionLayer` wraps it. With filters alone,
//! each route would have to load and commit its session, because a filter cannot
//! pass one on to the filters that it wraps. `warp::serve` takes only filters, so
//! the loop at the end of `run` replaces it; `warp::addr::remote` is `None` there.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use signed_session::{
    CookieOptions, Keyring, SessionCodec, SessionHandle, SessionLayer, SessionManager, ValueError,
};
use tokio::net::TcpListener;
use tower::Layer;
use warp::http::{StatusCode, Uri};
use warp::{Filter, Rejection, Reply, redirect};

/// The longest form that is read, in bytes. Warp itself has no limit.
const MAX_FORM_LEN: u64 = 16 * 1024;

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize)]
struct Note {
    text: String,
}

async fn index(session: SessionHandle) -> Result<String, StatusCode> {
    let visits = session.get::<u64>("visits").map_err(internal_error)?.unwrap_or(0) + 1;
    session.insert("visits", visits).map_err(internal_error)?;
    let name = session.get("name").map_err(internal_error)?.unwrap_or("stranger".to_owned());
    Ok(format!("hello, {name}: visit {visits}\n"))
}

async fn login(session: SessionHandle, login: Login) -> Result<impl Reply, StatusCode> {
    // Nothing that was put into the stranger's session is carried into ada's.
    session.begin(|_| false);
    session.insert("name", login.name).map_err(internal_error)?;
    Ok(redirect::see_other(Uri::from_static("/")))
}

async fn logout(session: SessionHandle) -> impl Reply {
    session.flush();
    redirect::see_other(Uri::from_static("/"))
}

async fn read_note(session: SessionHandle) -> Result<String, StatusCode> {
    Ok(session.get("note").map_err(internal_error)?.unwrap_or_default())
}

/// Answers 500 to a note too long for a cookie, and the session stays as it was.
async fn write_note(session: SessionHandle, note: Note) -> Result<impl Reply, StatusCode> {
    session.insert("note", note.text).map_err(internal_error)?;
    Ok(redirect::see_other(Uri::from_static("/note")))
}

/// Returns a bare 500 and logs the reason, which is not for the visitor.
fn internal_error(reason: ValueError) -> StatusCode {
    tracing::error!(%reason, "the session could not be used");
    StatusCode::INTERNAL_SERVER_ERROR
}

fn routes() -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    let session = warp::ext::get::<SessionHandle>();
    let limit = warp::body::content_length_limit(MAX_FORM_LEN);

    let index = warp::path::end().and(warp::get()).and(session).then(index);
    // Leaves the session alone: caches may keep this page for everybody.
    let about = warp::path!("about").and(warp::get()).map(|| "a counter of visits\n");
    let to_login = warp::path!("login").and(warp::post()).and(session);
    let login = to_login.and(limit).and(warp::body::form()).then(login);
    let logout = warp::path!("logout").and(warp::post()).and(session).then(logout);
    let read_note = warp::path!("note").and(warp::get()).and(session).then(read_note);
    let to_note = warp::path!("note").and(warp::post()).and(session);
    let write_note = to_note.and(limit).and(warp::body::form()).then(write_note);
    index.or(about).or(login).or(logout).or(read_note).or(write_note)
}

fn session_manager() -> Result<SessionManager, Box<dyn Error>> {
    let codec = SessionCodec::new(&Keyring::from_env()?);
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("sessionid")?.secure(false);
    Ok(SessionManager::new(codec, options))
}

async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let service = SessionLayer::new(session_manager()?).layer(warp::service(routes()));

    let port = env::args().nth(1).map_or(Ok(0), |port| port.parse::<u16>());
    let port = port.map_err(|_| "the argument is a port")?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(reason) => {
                // Such as too many open files: trying again at once would keep a core busy.
                tracing::warn!(%reason, "a connection was not accepted");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            // The timer is for the timeout of headers that never come.
            server.http1().timer(TokioTimer::new());
            let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
            if let Err(reason) = connection.await {
                tracing::debug!(%reason, "a connection failed");
            }
        });
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
