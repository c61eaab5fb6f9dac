//! Sessions for poem, on [`SessionManager::load`] and [`SessionManager::commit`]: to be copied.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use poem::http::StatusCode;
use poem::http::header::{COOKIE, HeaderValue};
use poem::{Endpoint, Request, Response};
use signed_session::{Session, SessionManager};

/// The session of a request; handlers take it as `Data<&RequestSession>`.
#[derive(Clone)]
pub struct RequestSession(Arc<Mutex<Session>>);

impl RequestSession {
    /// Locks the session, even if a handler panicked while it held the lock.
    pub fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loads the session, has the request answered, and commits the session.
///
/// For [`EndpointExt::around`](poem::EndpointExt::around).
pub async fn with_session(
    manager: Arc<SessionManager>,
    endpoint: Arc<impl Endpoint>,
    mut request: Request,
) -> poem::Result<Response> {
    let session = manager.load(request.headers().get_all(COOKIE));
    let session = RequestSession(Arc::new(Mutex::new(session)));
    request.extensions_mut().insert(session.clone());
    // Errors become responses here: a handler that fails may have logged the visitor out before.
    let mut response = endpoint.get_response(request).await;
    let status = response.status().as_u16();
    let reply = manager.commit(&session.lock(), status).map_err(internal_error)?;
    if let Some(reason) = &reply.omitted {
        tracing::warn!(%reason, "the session could not be renewed: no cookie is sent");
    }
    let present = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    for (name, value) in reply.headers(present) {
        let value = HeaderValue::try_from(value).map_err(internal_error)?;
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

/// Returns a bare 500 and logs the reason, which is not for the visitor.
pub fn internal_error(reason: impl Error) -> poem::Error {
    tracing::error!(%reason, "the session could not be used");
    StatusCode::INTERNAL_SERVER_ERROR.into()
}
