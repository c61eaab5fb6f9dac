//! Turns the session of a request into an argument of axum's handlers.
//!
//! Feature `axum`: [`SessionLayer`](crate::SessionLayer) goes around the router, and
//! [`SessionHandle`] is an extractor.

use std::convert::Infallible;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::error::{EncodeError, ValueError};
use crate::handle::{Asker, MissingSession, SessionHandle};

/// `None` if no layer with this marker is around the handler, as in a router that is used with and
/// without sessions.
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

/// A 500 that says which layer is missing, and where it goes; also in the log.
impl IntoResponse for MissingSession {
    fn into_response(self) -> Response {
        (internal_error(&self).status(), format!("{self}\n")).into_response()
    }
}

/// A bare 500, with the reason in the log: so handlers can use `?` on a session.
impl IntoResponse for ValueError {
    fn into_response(self) -> Response {
        internal_error(&self)
    }
}

/// A bare 500, with the reason in the log: so handlers can use `?` on signed cookies.
impl IntoResponse for EncodeError {
    fn into_response(self) -> Response {
        internal_error(&self)
    }
}

/// Returns a bare 500 and logs the reason.
pub(crate) fn internal_error(reason: &dyn std::error::Error) -> Response {
    tracing::error!(%reason, "a session could not be used");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
