//! Provides the CSRF middleware for actix-web.

use std::fmt;
use std::future::{Future, Ready, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodyStream, BoxBody, MessageBody as _};
use actix_web::dev::{Extensions, Payload, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError};

use crate::django::csrf::error::CsrfError;
use crate::django::csrf::handle::{self, CsrfHandle, MissingCsrf, Verdict};
use crate::django::csrf::policy::Csrf;
use crate::error::sure;
use crate::handle::{Asker, SessionHandle, headers};
use crate::reply::Reply;

/// Adds CSRF protection to an actix-web application or scope.
///
/// A request with an unsafe method reaches the handlers only if a page of the site sent it: see
/// [`CsrfRequest::check`]. The token is in the header `X-CSRFToken`, or in the field
/// `csrfmiddlewaretoken` of a form. To find the token, a form of up to [`Csrf::form_limit`] bytes
/// is read, and the handlers get the same bytes. A longer form gets a 413 response. No other body
/// is read: multipart forms, JSON and everything else need the header, or a handler that
/// [checks](CsrfHandle::check) inside an [`unchecked`](Self::unchecked) middleware. A refused
/// request gets a 403 response with an empty body, and the reason is logged with `tracing`.
///
/// Handlers take a [`CsrfHandle`] to get the token. So that a login replaces the secret, put this
/// middleware inside the [`SessionMiddleware`](crate::SessionMiddleware): call `wrap` with this one
/// first, because the last one is the outermost. Put routes that need no protection, such as a
/// webhook, into a different scope.
///
/// [`CsrfRequest::check`]: crate::django::CsrfRequest::check
///
/// # Examples
///
/// ```
/// use actix_web::{App, HttpResponse, web};
/// use signed_session::django::{Csrf, CsrfHandle, CsrfMiddleware};
///
/// async fn page(csrf: CsrfHandle) -> HttpResponse {
///     HttpResponse::Ok().content_type("text/html").body(format!(
///         r#"<form method="post" action="/shop/buy">
///              <input type="hidden" name="csrfmiddlewaretoken" value="{}">
///              <button>Buy</button>
///            </form>"#,
///         csrf.token()
///     ))
/// }
///
/// let middleware = CsrfMiddleware::new(Csrf::new("https://example.com")?);
/// let app = App::new().service(
///     web::scope("/shop")
///         .wrap(middleware.clone())
///         .route("/", web::get().to(page))
///         .route("/buy", web::post().to(|| async { "bought" })),
/// );
/// # Ok::<(), signed_session::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct CsrfMiddleware {
    csrf: Csrf,
    is_checked: bool,
    session: fn(&Extensions) -> Option<SessionHandle>,
}

impl CsrfMiddleware {
    /// Creates a middleware for requests with a single session or none.
    ///
    /// If users log in with a marked session, use [`marked`](Self::marked): a login in any other
    /// session than this middleware's does not replace the secret.
    #[must_use]
    pub fn new(csrf: Csrf) -> Self {
        Self::marked::<()>(csrf)
    }

    /// Creates a middleware for one of several sessions of a request.
    ///
    /// `M` is the marker of [`SessionMiddleware::marked`](crate::SessionMiddleware::marked).
    #[must_use]
    pub fn marked<M: 'static>(csrf: Csrf) -> Self {
        let session = |extensions: &Extensions| {
            extensions.get::<SessionHandle<M>>().map(SessionHandle::unmarked)
        };
        Self { csrf, is_checked: true, session }
    }

    /// Passes every request on. Handlers call [`CsrfHandle::check`].
    ///
    /// Use it for multipart forms that have the token in a field.
    #[must_use]
    pub fn unchecked(mut self) -> Self {
        self.is_checked = false;
        self
    }

    /// Returns the handle of a request, and the handle to commit, if any.
    fn enter(
        &self,
        request: &ServiceRequest,
    ) -> Result<(CsrfHandle, Option<CsrfHandle>), StatusCode> {
        let present =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        // In HTTP/2 the host is in the URI.
        let authority = request.uri().authority().filter(|_| !request.headers().contains_key(HOST));
        let authority = authority.map(|authority| (HOST.as_str(), authority.as_str().as_bytes()));
        let read = self.csrf.read(request.method().as_str(), present.chain(authority));
        let extensions = request.extensions();
        CsrfHandle::enter(read, (self.session)(&extensions), extensions.get())
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl fmt::Debug for CsrfMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfMiddleware").finish_non_exhaustive()
    }
}

impl<S, B> Transform<S, ServiceRequest> for CsrfMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type InitError = ();
    type Transform = CsrfService<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(CsrfService { inner: Rc::new(inner), middleware: self.clone() }))
    }
}

/// A service with CSRF protection.
///
/// Created by [`CsrfMiddleware`].
pub struct CsrfService<S> {
    inner: Rc<S>,
    middleware: CsrfMiddleware,
}

impl<S, B> Service<ServiceRequest> for CsrfService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let (inner, is_checked) = (Rc::clone(&self.inner), self.middleware.is_checked);
        let entered = self.middleware.enter(&request);
        Box::pin(async move {
            let (handle, commits) = entered.map_err(refused)?;
            if is_checked {
                judge(&handle, &mut request).await.map_err(refused)?;
            }
            request.extensions_mut().insert(handle);
            let result = inner.call(request).await;
            let Some(handle) = commits else { return result };
            match result {
                Ok(mut response) => {
                    let reply = handle.commit(response.status().as_u16());
                    append(&reply, response.response_mut());
                    Ok(response)
                }
                Err(error) => {
                    let reply = handle.commit(error.as_response_error().status_code().as_u16());
                    // Outer middlewares may need the original error.
                    if reply == Reply::default() {
                        return Err(error);
                    }
                    let mut response = error.error_response();
                    append(&reply, &mut response);
                    Err(InternalError::from_response(error, response).into())
                }
            }
        })
    }
}

impl<S> fmt::Debug for CsrfService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfService").finish_non_exhaustive()
    }
}

/// Checks a request, and reads its form if that may contain the token.
async fn judge(handle: &CsrfHandle, request: &mut ServiceRequest) -> Result<(), StatusCode> {
    let verdict = handle.judge().map_err(|_| StatusCode::FORBIDDEN)?;
    let Verdict::ReadForm { limit } = verdict else { return Ok(()) };
    let form = read(request.take_payload(), limit).await?;
    handle.judge_form(&form).map_err(|_| StatusCode::FORBIDDEN)?;
    request.set_payload(Payload::from(form));
    Ok(())
}

/// Reads a form to its end, unless it is too long.
async fn read(payload: Payload, limit: usize) -> Result<Vec<u8>, StatusCode> {
    let mut body = pin!(BodyStream::new(payload));
    let mut form = Vec::new();
    while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        // The body broke off: there is no token, as in Django.
        let chunk = chunk.map_err(|_| StatusCode::FORBIDDEN)?;
        if chunk.len() > limit.saturating_sub(form.len()) {
            handle::log_too_long(limit);
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        form.extend_from_slice(&chunk);
    }
    Ok(form)
}

/// Returns the empty response to a request that is refused.
fn refused(status: StatusCode) -> actix_web::Error {
    InternalError::from_response("the request was refused", HttpResponse::new(status)).into()
}

fn append<B>(reply: &Reply, response: &mut HttpResponse<B>) {
    let present =
        || response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    for (name, value) in headers(reply, present) {
        // All of them are ASCII without control characters.
        if let Some(value) = sure(HeaderValue::try_from(value).ok().map(Some)) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
}

impl FromRequest for CsrfHandle {
    type Error = MissingCsrf;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let handle = request.extensions().get::<Self>().cloned();
        ready(handle.ok_or_else(|| MissingCsrf::new(Asker::ActixHandler)))
    }
}

/// Responds with a 500 that says which middleware is missing.
///
/// The body also says where to add it, and is logged.
impl ResponseError for MissingCsrf {
    fn error_response(&self) -> HttpResponse<BoxBody> {
        tracing::error!(reason = %self, "a CSRF token could not be used");
        let kind = "text/plain; charset=utf-8";
        HttpResponse::InternalServerError().content_type(kind).body(format!("{self}\n"))
    }
}

/// Responds with an empty 403 and logs the reason.
///
/// Handlers can therefore use `?` on a check.
impl ResponseError for CsrfError {
    fn status_code(&self) -> StatusCode {
        StatusCode::FORBIDDEN
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        tracing::warn!(code = self.code(), reason = %self, "a request was refused");
        HttpResponse::Forbidden().finish()
    }
}
