//! Provides the session middleware for actix-web and its extractors.
//!
//! Feature `actix`.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll, ready};

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::{ErrorBadRequest, InternalError};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue};
use actix_web::http::uri::Authority;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use pin_project_lite::pin_project;

use crate::error::{EncodeError, ValueError, sure};
use crate::handle::{self, Asker, MissingSession, SessionHandle};
use crate::live::LiveManager;
use crate::logged_in::{Address, LoggedIn, NotLoggedIn, find};
use crate::reply::Reply;
use crate::source::Source;

/// Adds a session to the requests of an actix-web application or scope.
///
/// Handlers take a [`SessionHandle`]. The response gets the cookie, `Vary` and `Cache-Control` that
/// [`SessionManager::commit`](crate::SessionManager::commit) returns; its body is passed through
/// unchanged. If the session cannot be written, the response is a 500 with an empty body, and the
/// reason is logged with `tracing`. If an inner middleware returns an error instead of a response,
/// the error's response gets the same headers.
///
/// The cookie's name is not signed: a session of a different middleware with the same key ring and
/// salt is valid here too. If a site uses more than one session cookie, create the codecs with
/// [`SessionCodec::named`](crate::SessionCodec::named).
///
/// # Examples
///
/// ```
/// use actix_web::{App, web};
/// use signed_session::{
///     CookieOptions, Keyring, SessionCodec, SessionHandle, SessionManager, SessionMiddleware,
///     ValueError,
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
/// // Create it once, outside of `HttpServer::new`, and clone it for each worker.
/// let middleware = SessionMiddleware::new(manager);
/// let app = App::new().wrap(middleware.clone()).route("/", web::get().to(visits));
/// # Ok::<(), signed_session::ConfigError>(())
/// ```
pub struct SessionMiddleware<M = ()> {
    source: Source,
    marker: PhantomData<fn() -> M>,
}

// For `()` only: the default of a type parameter is not used for inference.
impl SessionMiddleware {
    /// Creates a middleware for requests that have a single session.
    ///
    /// Logs a warning for each weak secret.
    ///
    /// A second session in the same request needs a [`marked`](Self::marked) middleware. To replace
    /// the keys and other settings while requests are served, pass a [`LiveManager`] and keep a
    /// clone.
    #[must_use]
    pub fn new(manager: impl Into<LiveManager>) -> Self {
        Self::marked(manager)
    }

    /// Creates a middleware that chooses the manager by each request's host.
    ///
    /// Use it, for example, with a manager for each tenant.
    ///
    /// `choose` gets the host of the URI, or else of the `Host` header, in lower case and without a
    /// port. It runs in each request, so it must not block, and it must return clones of the same
    /// [`LiveManager`] whenever it is called with the same host. A request that does not name
    /// exactly one host, or a host for which `choose` returns `None`, gets a 400 response. The
    /// managers need codecs with different keys or different [names](crate::SessionCodec::named):
    /// otherwise a session of one tenant is valid for every other tenant. Logs a warning for each
    /// weak secret when a manager is first used.
    ///
    /// The client sets the `Host` header. Do not use the choice of the manager for authorization.
    #[must_use]
    pub fn by_host(choose: impl Fn(&str) -> Option<LiveManager> + Send + Sync + 'static) -> Self {
        Self::marked_by_host(choose)
    }

    /// Creates a marked middleware that chooses the manager by the host.
    ///
    /// See [`by_host`](Self::by_host) and [`marked`](Self::marked).
    #[must_use]
    pub fn marked_by_host<M>(
        choose: impl Fn(&str) -> Option<LiveManager> + Send + Sync + 'static,
    ) -> SessionMiddleware<M> {
        SessionMiddleware { source: Source::by_host(choose), marker: PhantomData }
    }

    /// Creates a middleware for one of several sessions of a request.
    ///
    /// Handlers take a `SessionHandle<M>`. The marker `M` is a type that identifies the session,
    /// and is never instantiated. The sessions of a request need different markers, and their
    /// managers need different cookie names and codecs with different names: see
    /// [`SessionCodec::named`](crate::SessionCodec::named). Logs a warning for each weak secret.
    #[must_use]
    pub fn marked<M>(manager: impl Into<LiveManager>) -> SessionMiddleware<M> {
        SessionMiddleware { source: Source::one(manager), marker: PhantomData }
    }
}

// Implemented by hand, because `derive` would require the same of the marker.
impl<M> Clone for SessionMiddleware<M> {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), marker: PhantomData }
    }
}

impl<M> fmt::Debug for SessionMiddleware<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionMiddleware").finish_non_exhaustive()
    }
}

impl<S, B, M: 'static> Transform<S, ServiceRequest> for SessionMiddleware<M>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type InitError = ();
    type Transform = SessionService<S, M>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SessionService { inner, middleware: self.clone() }))
    }
}

/// A service that adds a session to its requests.
///
/// Created by [`SessionMiddleware`].
pub struct SessionService<S, M> {
    inner: S,
    middleware: SessionMiddleware<M>,
}

impl<S, B, M: 'static> Service<ServiceRequest> for SessionService<S, M>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = SessionFuture<S::Future>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let hosts = || request.headers().get_all(HOST).map(HeaderValue::as_bytes);
        let authority = || request.uri().authority().map(Authority::as_str);
        let Some(manager) = self.middleware.source.manager(authority, hosts) else {
            return SessionFuture { inner: None, handle: None };
        };
        let cookies = request.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
        let outer = request.extensions().get::<SessionHandle<M>>().cloned();
        let (handle, commits) = SessionHandle::enter(&manager, outer.as_ref(), cookies);
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
        // None if the same middleware further out commits the response.
        handle: Option<SessionHandle>,
    }
}

/// Omits the content, which may be the response already.
impl<F> fmt::Debug for SessionFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFuture").finish_non_exhaustive()
    }
}

impl<F, B> Future for SessionFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, actix_web::Error>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(Err(ErrorBadRequest("this host is not served here\n")));
        };
        let result = ready!(inner.poll(context));
        let Some(handle) = this.handle else { return Poll::Ready(result) };
        Poll::Ready(match result {
            Ok(mut response) => commit(handle, response.status())
                .map(|reply| reply.map(|reply| append(&reply, response.response_mut())))
                .map(|_| response),
            Err(error) => Err(match commit(handle, error.as_response_error().status_code()) {
                // Outer middlewares may need the original error, and it returns its response only
                // once.
                Ok(None) => error,
                Ok(Some(reply)) => {
                    let mut response = error.error_response();
                    append(&reply, &mut response);
                    InternalError::from_response(error, response).into()
                }
                Err(reason) => reason,
            }),
        })
    }
}

/// Returns the headers of the response.
///
/// # Errors
///
/// A 500 with an empty body, to send instead.
fn commit(handle: &SessionHandle, status: StatusCode) -> Result<Option<Reply>, actix_web::Error> {
    handle.commit(status.as_u16()).map_err(|reason| {
        InternalError::from_response(reason, HttpResponse::InternalServerError().finish()).into()
    })
}

fn append<B>(reply: &Reply, response: &mut HttpResponse<B>) {
    let present =
        || response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    for (name, value) in handle::headers(reply, present) {
        // All of them are ASCII without control characters.
        if let Some(value) = sure(HeaderValue::try_from(value).ok().map(Some)) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
}

impl<M: 'static> FromRequest for SessionHandle<M> {
    type Error = MissingSession;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            request
                .extensions()
                .get::<Self>()
                .cloned()
                .ok_or_else(|| MissingSession::new::<M>(Asker::ActixHandler)),
        )
    }
}

/// Responds with a 500 that says which middleware is missing.
///
/// The body also says where to add it, and is logged.
impl ResponseError for MissingSession {
    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = internal_error(self).set_body(BoxBody::new(format!("{self}\n")));
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

/// Responds with an empty 500 and logs the reason.
///
/// Handlers can therefore use `?` on a session.
impl ResponseError for ValueError {
    fn error_response(&self) -> HttpResponse<BoxBody> {
        internal_error(self)
    }
}

/// Responds with an empty 500 and logs the reason.
///
/// Handlers can therefore use `?` on signed cookies.
impl ResponseError for EncodeError {
    fn error_response(&self) -> HttpResponse<BoxBody> {
        internal_error(self)
    }
}

/// Returns an empty 500 and logs the reason.
pub(crate) fn internal_error(reason: &dyn std::error::Error) -> HttpResponse<BoxBody> {
    tracing::error!(%reason, "a session could not be used");
    HttpResponse::InternalServerError().finish()
}

impl<T: FromStr + 'static, M: 'static> FromRequest for LoggedIn<T, M> {
    type Error = NotLoggedIn;
    type Future = Ready<Result<Self, NotLoggedIn>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = request.extensions().get::<SessionHandle<M>>().cloned();
        let Some(session) = session else {
            let missing = MissingSession::new::<M>(Asker::ActixHandler);
            return ready(Err(NotLoggedIn::no_layer(missing)));
        };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let address = Address { method: request.method().as_str(), path };
        let headers = request.headers();
        ready(find(session, &address, |name| headers.get(name).map(HeaderValue::as_bytes)))
    }
}

/// Responds as in the table at [`LoggedIn`].
impl ResponseError for NotLoggedIn {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.response().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.log();
        let (_, header, body) = self.response();
        let mut response = HttpResponse::build(self.status_code());
        if let Some(header) = header {
            response.insert_header(header);
        }
        response.body(body)
    }
}
