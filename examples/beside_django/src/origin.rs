//! Serves two servers as one origin: Rust under `/rust/`, Django everywhere else.
//!
//! A web server does this in production. What it must not touch is `Host`: by
//! that Django tells its own forms from those of other sites.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CONNECTION, COOKIE, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use axum::http::uri::Scheme;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version};
use axum::response::{IntoResponse as _, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::Failure;
use crate::django::Server;

/// What is said to the next in line alone, as RFC 9110, 7.6.1, has it.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The header that tells both servers which of them has sent the session's cookie to the browser.
pub const SIGNED_BY: HeaderName = HeaderName::from_static("x-signed-by");

/// How many cookies are remembered.
const MAX_SENT: usize = 1000;

/// The two servers behind the origin, of which Django can be replaced while Rust stays.
pub struct Origin {
    django: RwLock<Server>,
    rust: Router,
    client: Client<HttpConnector, Body>,
    /// The cookies that were sent, and by whom.
    sent: Mutex<VecDeque<(String, &'static str)>>,
}

impl Origin {
    pub fn new(django: Server, rust: Router) -> Arc<Self> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (django, sent) = (RwLock::new(django), Mutex::default());
        Arc::new(Self { django, rust, client, sent })
    }

    /// Puts another Django in the place of this one, which is stopped.
    pub fn set_django(&self, server: Server) {
        *self.django.write().unwrap_or_else(PoisonError::into_inner) = server;
    }

    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> std::io::Result<()> {
        let app = Router::new().fallback(answer).with_state(self);
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
    }

    /// Adds the header [`SIGNED_BY`], if the cookie was sent by one of the two.
    fn say_who_signed(&self, headers: &mut HeaderMap) {
        // Removed first: what a visitor claims of this is worth nothing.
        headers.remove(SIGNED_BY);
        let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        let mut pairs = cookies.flat_map(|header| header.split("; "));
        let Some(token) = pairs.find_map(|pair| pair.strip_prefix("sessionid=")) else { return };
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let found = sent.iter().find(|(known, _)| known == token).map(|(_, by)| *by);
        drop(sent);
        if let Some(by) = found {
            headers.insert(SIGNED_BY, HeaderValue::from_static(by));
        }
    }

    /// Remembers the session's cookie of a response.
    fn remember_who_signed(&self, headers: &HeaderMap, by: &'static str) {
        let cookies = headers.get_all(SET_COOKIE).iter().filter_map(|header| header.to_str().ok());
        let tokens =
            cookies.filter_map(|cookie| cookie.strip_prefix("sessionid=")?.split(';').next());
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.extend(tokens.map(|token| (token.to_owned(), by)));
        let surplus = sent.len().saturating_sub(MAX_SENT);
        sent.drain(..surplus);
    }

    /// Passes a request on to Django, and its answer back.
    async fn pass(&self, mut request: Request, from: SocketAddr) -> Result<Response, Failure> {
        let django = self.django.read().unwrap_or_else(PoisonError::into_inner).address();
        let mut uri = request.uri().clone().into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(django.to_string().parse()?);
        *request.uri_mut() = Uri::from_parts(uri)?;

        let headers = request.headers_mut();
        drop_hop_by_hop(headers);
        // Set and not appended: what a visitor claims of this is worth nothing.
        headers.insert("x-forwarded-for", from.ip().to_string().try_into()?);
        headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
        if let Some(host) = headers.get(HOST).cloned() {
            headers.insert("x-forwarded-host", host);
        }

        let mut response = self.client.request(request).await?;
        *response.version_mut() = Version::HTTP_11;
        drop_hop_by_hop(response.headers_mut());
        Ok(response.map(Body::new))
    }
}

async fn answer(
    State(origin): State<Arc<Origin>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    origin.say_who_signed(request.headers_mut());
    let (response, by) = if request.uri().path().starts_with("/rust/") {
        (origin.rust.clone().oneshot(request).await.into_response(), "Rust")
    } else {
        let response = origin.pass(request, from).await.unwrap_or_else(|error| {
            eprintln!("error: Django does not answer: {error}");
            StatusCode::BAD_GATEWAY.into_response()
        });
        (response, "Django")
    };
    origin.remember_who_signed(response.headers(), by);
    response
}

/// Drops what is not to be passed on: the known headers, and those that `Connection` names.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let connection = headers.get_all(CONNECTION).iter().filter_map(|names| names.to_str().ok());
    let named: Vec<HeaderName> = connection
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}
