//! Provides the session layer for any tower or hyper service.
//!
//! Feature `tower`.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{COOKIE, HOST, HeaderValue};
use http::uri::Authority;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::EncodeError;
use crate::handle::{self, SessionHandle};
use crate::live::LiveManager;
use crate::reply;
use crate::source::Source;

/// Adds a session to the requests of a service.
///
/// The layer adds a [`SessionHandle`] to the request's extensions; with axum, it is an extractor.
/// The response gets the cookie, `Vary` and `Cache-Control` that
/// [`SessionManager::commit`](crate::SessionManager::commit) returns. The response's body is passed
/// through unchanged, in a [`SessionBody`]; upgrades work too. If the session cannot be written,
/// the response is a 500 with an empty body, and the reason is logged with `tracing`.
///
/// The cookie's name is not signed: a session of a different layer with the same key ring and salt
/// is valid here too. If a site uses more than one session cookie, create the codecs with
/// [`SessionCodec::named`](crate::SessionCodec::named).
///
/// # Examples
///
/// With axum:
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{Router, routing::get};
/// use signed_session::{
///     CookieOptions, Keyring, SessionCodec, SessionHandle, SessionLayer, SessionManager, ValueError,
/// };
///
/// async fn visits(session: SessionHandle) -> Result<String, ValueError> {
///     let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
///     session.insert("visits", visits)?;
///     Ok(format!("You were here {visits} times."))
/// }
///
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// // The cookie is `Secure`. On http://localhost Safari needs `.secure(false)`.
/// let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("sessionid")?);
/// let app: Router = Router::new().route("/", get(visits)).layer(SessionLayer::new(manager));
/// # Ok::<(), signed_session::ConfigError>(())
/// ```
///
/// With any other service:
///
/// ```
/// use http::{Request, Response, header::SET_COOKIE};
/// use signed_session::{
///     CookieOptions, Keyring, SessionCodec, SessionHandle, SessionLayer, SessionManager,
/// };
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
///         let session: SessionHandle = SessionHandle::from_extensions(request.extensions()).unwrap();
///         session.insert("user_id", 42)?;
///         Ok::<_, signed_session::ValueError>(Response::new("hello".to_owned()))
///     },
/// ));
/// let response = service.oneshot(Request::new(String::new())).await?;
/// assert!(response.headers()[SET_COOKIE].to_str()?.starts_with("sessionid=eyJ1c2VyX2lkIjo0Mn0:"));
/// # Ok(())
/// # }
/// ```
pub struct SessionLayer<M = ()> {
    source: Source,
    marker: PhantomData<fn() -> M>,
}

// For `()` only: the default of a type parameter is not used for inference.
impl SessionLayer {
    /// Creates a layer for requests that have a single session.
    ///
    /// Logs a warning for each weak secret.
    ///
    /// A second session in the same request needs a [`marked`](Self::marked) layer. To replace the
    /// keys and other settings while requests are served, pass a [`LiveManager`] and keep a clone.
    #[must_use]
    pub fn new(manager: impl Into<LiveManager>) -> Self {
        Self::marked(manager)
    }

    /// Creates a layer that chooses the manager by the host of each request.
    ///
    /// Use it, for example, with a manager for each tenant.
    ///
    /// `choose` gets the host of the URI, or else of the `Host` header, in lower case and without a
    /// port. It runs in each request, so it must not block, and it must return clones of the same
    /// [`LiveManager`] whenever it is called with the same host. A request that does not name
    /// exactly one host, or a host for which `choose` returns `None`, gets a 400 response with an
    /// empty body. The managers need codecs with different keys or different
    /// [names](crate::SessionCodec::named): otherwise a session of one tenant is valid for every
    /// other tenant. Logs a warning for each weak secret when a manager is first used.
    ///
    /// The client sets the `Host` header. Do not use the choice of the manager for authorization.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{
    ///     CookieOptions, Keyring, LiveManager, SessionCodec, SessionLayer, SessionManager,
    /// };
    /// use std::collections::HashMap;
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let mut tenants = HashMap::new();
    /// for host in ["pears.example.com", "apples.example.com"] {
    ///     let codec = SessionCodec::named(&ring, host);
    ///     let manager = SessionManager::new(codec, CookieOptions::new("__Host-session")?);
    ///     tenants.insert(host, LiveManager::from(manager));
    /// }
    /// let layer = SessionLayer::by_host(move |host| tenants.get(host).cloned());
    /// # Ok::<(), signed_session::ConfigError>(())
    /// ```
    #[must_use]
    pub fn by_host(choose: impl Fn(&str) -> Option<LiveManager> + Send + Sync + 'static) -> Self {
        Self::marked_by_host(choose)
    }

    /// Creates a marked layer that chooses the manager by the host.
    ///
    /// See [`by_host`](Self::by_host) and [`marked`](Self::marked).
    #[must_use]
    pub fn marked_by_host<M>(
        choose: impl Fn(&str) -> Option<LiveManager> + Send + Sync + 'static,
    ) -> SessionLayer<M> {
        SessionLayer { source: Source::by_host(choose), marker: PhantomData }
    }

    /// Creates a layer for one of several sessions of a request.
    ///
    /// Handlers take a `SessionHandle<M>`. The marker `M` is a type that identifies the session,
    /// and is never instantiated. The sessions of a request need different markers, and their
    /// managers need different cookie names and codecs with different names: see
    /// [`SessionCodec::named`](crate::SessionCodec::named). Logs a warning for each weak secret.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "axum", doc = "```")]
    #[cfg_attr(not(feature = "axum"), doc = "```ignore")]
    /// use axum::{Router, routing::get};
    /// use signed_session::{
    ///     CookieOptions, Keyring, SessionCodec, SessionHandle, SessionLayer, SessionManager,
    /// };
    ///
    /// struct Admin;
    ///
    /// async fn page(visitor: SessionHandle, admin: SessionHandle<Admin>) -> &'static str {
    ///     if admin.contains_key("admin_id") { "welcome back" } else { "who are you?" }
    /// }
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let (shop, office) = (SessionCodec::named(&ring, "shop"), SessionCodec::named(&ring, "office"));
    /// let visitors = SessionManager::new(shop, CookieOptions::new("shop")?);
    /// let admins = SessionManager::new(office, CookieOptions::new("office")?);
    /// let app: Router = Router::new()
    ///     .route("/", get(page))
    ///     .layer(SessionLayer::new(visitors))
    ///     .layer(SessionLayer::marked::<Admin>(admins));
    /// # Ok::<(), signed_session::ConfigError>(())
    /// ```
    #[must_use]
    pub fn marked<M>(manager: impl Into<LiveManager>) -> SessionLayer<M> {
        SessionLayer { source: Source::one(manager), marker: PhantomData }
    }
}

impl<M, S> Layer<S> for SessionLayer<M> {
    type Service = SessionService<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService { inner, layer: self.clone() }
    }
}

// Implemented by hand, because `derive` would require the same of the marker.
impl<M> Clone for SessionLayer<M> {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), marker: PhantomData }
    }
}

impl<M> fmt::Debug for SessionLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").finish_non_exhaustive()
    }
}

/// The URI of a request before nested routers removed a prefix.
#[cfg(feature = "axum")]
#[derive(Clone)]
pub(crate) struct RequestUri(pub(crate) http::Uri);

/// A service that adds a session to its requests.
///
/// Created by [`SessionLayer`].
pub struct SessionService<S, M = ()> {
    inner: S,
    layer: SessionLayer<M>,
}

impl<S: Clone, M> Clone for SessionService<S, M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, B, R, M: 'static> Service<Request<B>> for SessionService<S, M>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<SessionBody<R>>;
    type Error = S::Error;
    type Future = SessionFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let hosts = || request.headers().get_all(HOST).iter().map(HeaderValue::as_bytes);
        let authority = || request.uri().authority().map(Authority::as_str);
        let Some(manager) = self.layer.source.manager(authority, hosts) else {
            return SessionFuture { inner: None, handle: None };
        };
        let cookies = request.headers().get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let outer = request.extensions().get::<SessionHandle<M>>();
        let (handle, commits) = SessionHandle::enter(&manager, outer, cookies);
        #[cfg(feature = "axum")]
        if handle.manager().login_address().is_some()
            && request.extensions().get::<RequestUri>().is_none()
        {
            let uri = RequestUri(request.uri().clone());
            request.extensions_mut().insert(uri);
        }
        request.extensions_mut().insert(handle);
        SessionFuture { inner: Some(self.inner.call(request)), handle: commits }
    }
}

impl<S, M> fmt::Debug for SessionService<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future response of a [`SessionService`].
    pub struct SessionFuture<F> {
        // None if there is no manager for the request's host.
        #[pin]
        inner: Option<F>,
        // None if the same layer further out commits the response.
        handle: Option<SessionHandle>,
    }
}

/// Omits the content, which may be the response already.
impl<F> fmt::Debug for SessionFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for SessionFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<SessionBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let bare = |status| {
            let mut response = Response::new(SessionBody::new(None));
            *response.status_mut() = status;
            Poll::Ready(Ok(response))
        };
        let Some(inner) = this.inner.as_pin_mut() else { return bare(StatusCode::BAD_REQUEST) };
        let mut response = ready!(inner.poll(context))?;
        if this.handle.as_ref().is_some_and(|handle| commit(handle, &mut response).is_err()) {
            return bare(StatusCode::INTERNAL_SERVER_ERROR);
        }
        Poll::Ready(Ok(response.map(|body| SessionBody::new(Some(body)))))
    }
}

pin_project! {
    /// The response body of [`SessionService`] and [`CsrfService`].
    ///
    /// This is the inner service's body, unchanged. It is empty if the layer itself responded,
    /// because the session could not be written or the request was refused.
    ///
    /// [`CsrfService`]: crate::django::CsrfService
    pub struct SessionBody<B> {
        #[pin]
        inner: Option<B>,
    }
}

impl<B> SessionBody<B> {
    pub(crate) fn new(inner: Option<B>) -> Self {
        Self { inner }
    }

    /// Returns the inner service's body; `None` if the layer itself responded.
    pub fn into_inner(self) -> Option<B> {
        self.inner
    }
}

impl<B: Body> Body for SessionBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().inner.as_pin_mut() {
            Some(body) => body.poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Omits the body, which is private data.
impl<B> fmt::Debug for SessionBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBody").finish_non_exhaustive()
    }
}

fn commit<R>(handle: &SessionHandle, response: &mut Response<R>) -> Result<(), EncodeError> {
    let present =
        || response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let Some(reply) = handle.commit(response.status().as_u16())? else { return Ok(()) };
    let headers = handle::headers(&reply, present);
    reply::append(headers, response.headers_mut());
    Ok(())
}
