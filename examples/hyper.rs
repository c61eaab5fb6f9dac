//! Counts visits and logs visitors in, with hyper and no framework on top.
//!
//! ```sh
//! export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
//! cargo run --features tower --example hyper 3000
//! ```
//!
//! And from another terminal, as often as you like:
//!
//! ```sh
//! curl -b jar -c jar http://127.0.0.1:3000/
//! curl -b jar -c jar -L -d name=ada http://127.0.0.1:3000/login
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use signed_session::{
    CookieOptions, Keyring, SessionCodec, SessionHandle, SessionLayer, SessionManager,
};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

type Page = Response<Full<Bytes>>;

async fn answer(request: Request<Incoming>) -> Result<Page, Box<dyn Error + Send + Sync>> {
    let session: SessionHandle = SessionHandle::from_extensions(request.extensions())?;
    Ok(match (request.method().as_str(), request.uri().path()) {
        ("GET", "/") => {
            let visits = session.get::<u64>("visits")?.unwrap_or(0) + 1;
            session.insert("visits", visits)?;
            let name = session.get("name")?.unwrap_or("stranger".to_owned());
            text(StatusCode::OK, format!("hello, {name}: visit {visits}\n"))
        }
        // Leaves the session alone: caches may keep this page for everybody.
        ("GET", "/about") => text(StatusCode::OK, "a counter of visits\n"),
        ("POST", "/login") => {
            let Some(name) = field(request, "name").await else { return Ok(bad_request()) };
            // Nothing that was put into the stranger's session is carried into ada's.
            session.begin(|_| false);
            session.insert("name", name)?;
            see_other("/")
        }
        ("POST", "/logout") => {
            session.flush();
            see_other("/")
        }
        ("GET", "/note") => {
            text(StatusCode::OK, session.get::<String>("note")?.unwrap_or_default())
        }
        // Answers 500 to a note too long for a cookie, and the session stays as it was.
        ("POST", "/note") => {
            let Some(note) = field(request, "text").await else { return Ok(bad_request()) };
            session.insert("note", note)?;
            see_other("/note")
        }
        _ => text(StatusCode::NOT_FOUND, "there is no such page\n"),
    })
}

/// Reads a field of a form that is not too long.
async fn field(request: Request<Incoming>, name: &str) -> Option<String> {
    let body = Limited::new(request.into_body(), 16 * 1024).collect().await.ok()?.to_bytes();
    let (_, value) = form_urlencoded::parse(&body).find(|(key, _)| key == name)?;
    Some(value.into_owned())
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    page.headers_mut().insert(CONTENT_TYPE, kind);
    page
}

fn see_other(path: &'static str) -> Page {
    let mut page = text(StatusCode::SEE_OTHER, "");
    page.headers_mut().insert(LOCATION, HeaderValue::from_static(path));
    page
}

fn bad_request() -> Page {
    text(StatusCode::BAD_REQUEST, "the form lacks a field\n")
}

/// Answers for hyper, which would close the connection on an error.
async fn always_answer(request: Request<Incoming>) -> Result<Page, Infallible> {
    Ok(answer(request).await.unwrap_or_else(|reason| {
        tracing::error!(%reason, "a request could not be answered");
        text(StatusCode::INTERNAL_SERVER_ERROR, "")
    }))
}

fn session_manager() -> Result<SessionManager, Box<dyn Error>> {
    let codec = SessionCodec::new(&Keyring::from_env()?);
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("sessionid")?.secure(false);
    Ok(SessionManager::new(codec, options))
}

async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let service = SessionLayer::new(session_manager()?).layer(service_fn(always_answer));

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
        // The timer is for the timeout of headers that never come.
        let mut server = http1::Builder::new();
        let connection =
            server.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
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
