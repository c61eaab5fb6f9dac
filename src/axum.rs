//! Turns the session of a request into an argument of axum's handlers.
//!
//! Feature `axum`: [`SessionLayer`](crate::tower::SessionLayer) goes around the
//! router, and [`SessionHandle`] is an extractor.
//!
//! # Examples
//!
//! ```
//! use axum::{Router, routing::get};
//! use signed_session::tower::SessionLayer;
//! use signed_session::{
//!     CookieOptions, Keyring, SessionCodec, SessionHandle, SessionManager, ValueError,
//! };
//!
//! async fn visits(session: SessionHandle) -> Result<String, ValueError> {
//!     let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
//!     session.insert("visits", visits)?;
//!     Ok(format!("You were here {visits} times."))
//! }
//!
//! let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
//! let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("sessionid")?);
//! let app: Router = Router::new().route("/", get(visits)).layer(SessionLayer::new(manager));
//! # Ok::<(), signed_session::ConfigError>(())
//! ```

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::error::{EncodeError, ValueError};
use crate::handle::{MissingSession, SessionHandle};

impl<S: Sync> FromRequestParts<S> for SessionHandle {
    type Rejection = MissingSession;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get().cloned().ok_or(MissingSession)
    }
}

/// A bare 500, with the reason in the log.
impl IntoResponse for MissingSession {
    fn into_response(self) -> Response {
        internal_error(&self)
    }
}

/// A bare 500, with the reason in the log: so handlers can use `?` on a session.
impl IntoResponse for ValueError {
    fn into_response(self) -> Response {
        internal_error(&self)
    }
}

/// A bare 500, with the reason in the log: so handlers can use `?` on messages, too.
impl IntoResponse for EncodeError {
    fn into_response(self) -> Response {
        internal_error(&self)
    }
}

fn internal_error(reason: &dyn std::error::Error) -> Response {
    tracing::error!(%reason, "a session could not be used");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
