//! Provides the CSRF protection of a request as an extractor for axum.

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::django::csrf::error::CsrfError;
use crate::django::csrf::handle::{CsrfHandle, MissingCsrf};
use crate::handle::Asker;

impl<S: Sync> FromRequestParts<S> for CsrfHandle {
    type Rejection = MissingCsrf;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::from_extensions(&parts.extensions).map_err(|_| MissingCsrf::new(Asker::AxumHandler))
    }
}

/// Responds with a 500 that says which layer is missing.
///
/// The body also says where to add it, and is logged.
impl IntoResponse for MissingCsrf {
    fn into_response(self) -> Response {
        tracing::error!(reason = %self, "a CSRF token could not be used");
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{self}\n")).into_response()
    }
}

/// Responds with an empty 403 and logs the reason.
///
/// Handlers can therefore use `?` on a check.
impl IntoResponse for CsrfError {
    fn into_response(self) -> Response {
        tracing::warn!(code = self.code(), reason = %self, "a request was refused");
        StatusCode::FORBIDDEN.into_response()
    }
}
