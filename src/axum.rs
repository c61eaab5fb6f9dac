//! Provides the session of a request as an extractor for axum.
//!
//! Feature `axum`. Add [`SessionLayer`](crate::SessionLayer) to the router; [`SessionHandle`] is
//! then an extractor.

use std::convert::Infallible;
use std::str::FromStr;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::error::{EncodeError, ValueError};
use crate::handle::{Asker, MissingSession, SessionHandle};
use crate::logged_in::{Address, LoggedIn, NotLoggedIn, find};
use crate::tower::RequestUri;

/// Extracts `None` if no layer with this marker is around the handler.
///
/// Use this in a router that is used both with and without sessions.
impl<S: Sync, M: 'static> OptionalFromRequestParts<S> for SessionHandle<M> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::from_extensions(&parts.extensions).ok())
    }
}

impl<S: Sync, M: 'static> FromRequestParts<S> for SessionHandle<M> {
    type Rejection = MissingSession;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::from_extensions(&parts.extensions)
            .map_err(|_| MissingSession::new::<M>(Asker::AxumHandler))
    }
}

/// Responds with a 500 that says which layer is missing.
///
/// The body also says where to add it, and is logged.
impl IntoResponse for MissingSession {
    fn into_response(self) -> Response {
        (internal_error(&self).status(), format!("{self}\n")).into_response()
    }
}

/// Responds with an empty 500 and logs the reason.
///
/// Handlers can therefore use `?` on a session.
impl IntoResponse for ValueError {
    fn into_response(self) -> Response {
        internal_error(&self)
    }
}

/// Responds with an empty 500 and logs the reason.
///
/// Handlers can therefore use `?` on signed cookies.
impl IntoResponse for EncodeError {
    fn into_response(self) -> Response {
        internal_error(&self)
    }
}

/// Returns an empty 500 and logs the reason.
pub(crate) fn internal_error(reason: &dyn std::error::Error) -> Response {
    tracing::error!(%reason, "a session could not be used");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

impl<S: Sync, T: FromStr + Send, M: 'static> FromRequestParts<S> for LoggedIn<T, M> {
    type Rejection = NotLoggedIn;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotLoggedIn> {
        let session = SessionHandle::from_extensions(&parts.extensions)
            .map_err(|_| NotLoggedIn::no_layer(MissingSession::new::<M>(Asker::AxumHandler)))?;
        // In a nested router `parts.uri` lacks the prefix.
        let uri = parts.extensions.get::<RequestUri>().map_or(&parts.uri, |uri| &uri.0);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let address = Address { method: parts.method.as_str(), path };
        find(session, &address, |name| parts.headers.get(name).map(HeaderValue::as_bytes))
    }
}

/// Extracts `None` for visitors who are not logged in.
impl<S: Sync, T: FromStr + Send, M: 'static> OptionalFromRequestParts<S> for LoggedIn<T, M> {
    type Rejection = NotLoggedIn;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, NotLoggedIn> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(user) => Ok(Some(user)),
            Err(error) if error.is_anonymous() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Responds as in the table at [`LoggedIn`].
impl IntoResponse for NotLoggedIn {
    fn into_response(self) -> Response {
        self.log();
        let (status, header, body) = self.response();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        // An address is ASCII: the login page is checked, and the rest is encoded.
        let header = header.and_then(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
        });
        response.headers_mut().extend(header);
        response
    }
}
