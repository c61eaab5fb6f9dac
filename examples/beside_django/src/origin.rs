//! Makes one origin of two servers: Rust under `/rust/`, Django everywhere else.
//!
//! A web server does this in production. What it must not touch is `Host`: by
//! that Django tells its own forms from those of other sites.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
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

/// The two servers behind the origin, of which Django can be replaced while Rust stays.
pub struct Origin {
    django: RwLock<Server>,
    rust: Router,
    client: Client<HttpConnector, Body>,
}

impl Origin {
    pub fn new(django: Server, rust: Router) -> Arc<Self> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Arc::new(Self { django: RwLock::new(django), rust, client })
    }

    /// Puts another Django in the place of this one, which is stopped.
    pub fn set_django(&self, server: Server) {
        *self.django.write().unwrap_or_else(PoisonError::into_inner) = server;
    }

    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> std::io::Result<()> {
        let app = Router::new().fallback(answer).with_state(self);
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
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
    request: Request,
) -> Response {
    if request.uri().path().starts_with("/rust/") {
        return origin.rust.clone().oneshot(request).await.into_response();
    }
    origin.pass(request, from).await.unwrap_or_else(|error| {
        eprintln!("error: Django does not answer: {error}");
        StatusCode::BAD_GATEWAY.into_response()
    })
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
