//! Turns any tower or hyper service into one whose requests have a session.
//!
//! Feature `tower`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{COOKIE, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::EncodeError;
use crate::handle::{self, SessionHandle};
use crate::manager::SessionManager;

/// Puts a session around a service.
///
/// The service finds a [`SessionHandle`] in the request's extensions; with axum
/// it is an extractor. The response gets the cookie, `Vary` and
/// `Cache-Control` that [`SessionManager::commit`] calls for; its body, upgrades
/// included, passes untouched. Where the session cannot be written the response
/// is a bare 500, and the reason is logged with `tracing`.
///
/// # Examples
///
/// ```
/// use http::{Request, Response, header::SET_COOKIE};
/// use signed_session::tower::SessionLayer;
/// use signed_session::{CookieOptions, Keyring, SessionCodec, SessionHandle, SessionManager};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// let options = CookieOptions::new("sessionid")?;
/// let manager = SessionManager::new(SessionCodec::new(&ring), options);
///
/// let service = ServiceBuilder::new().layer(SessionLayer::new(manager)).service(service_fn(
///     |request: Request<String>| async move {
///         let session = request.extensions().get::<SessionHandle>().unwrap();
///         session.insert("user_id", 42)?;
///         Ok::<_, signed_session::ValueError>(Response::new("hello".to_owned()))
///     },
/// ));
/// let response = service.oneshot(Request::new(String::new())).await?;
/// assert!(response.headers()[SET_COOKIE].to_str()?.starts_with("sessionid=eyJ1c2VyX2lkIjo0Mn0:"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SessionLayer {
    manager: Arc<SessionManager>,
}

impl SessionLayer {
    /// Makes a layer, and logs a warning for each weak secret.
    #[must_use]
    pub fn new(manager: SessionManager) -> Self {
        handle::warn_of_weak_secrets(&manager);
        Self { manager: Arc::new(manager) }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService { inner, manager: Arc::clone(&self.manager) }
    }
}

/// A service whose requests have a session; [`SessionLayer`] makes it.
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    manager: Arc<SessionManager>,
}

impl<S, B, R> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let cookies = request.headers().get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let handle = SessionHandle::new(&self.manager, cookies);
        request.extensions_mut().insert(handle.clone());
        ResponseFuture { inner: self.inner.call(request), handle }
    }
}

pin_project! {
    /// The response to come of a [`SessionService`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        handle: SessionHandle,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        if commit(this.handle, &mut response).is_err() {
            response = Response::default();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        Poll::Ready(Ok(response))
    }
}

fn commit<R>(handle: &SessionHandle, response: &mut Response<R>) -> Result<(), EncodeError> {
    let present = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    for (name, value) in handle.commit(response.status().as_u16(), present)? {
        let value = HeaderValue::try_from(value).ok().ok_or(EncodeError::CookieValue)?;
        response.headers_mut().append(HeaderName::from_static(name), value);
    }
    Ok(())
}
