//! Provides the CSRF layer for any tower or hyper service.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::HOST;
use http::request::Parts;
use http::{Extensions, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::django::csrf::handle::{self, CsrfHandle, Verdict};
use crate::django::csrf::policy::Csrf;
use crate::handle::{self as session, SessionHandle};
use crate::reply;
use crate::tower::SessionBody;

/// Adds CSRF protection to a service.
///
/// A request with an unsafe method reaches the service only if a page of the site sent it: see
/// [`CsrfRequest::check`]. The token is in the header `X-CSRFToken`, or in the field
/// `csrfmiddlewaretoken` of a form. To find the token, a form of up to [`Csrf::form_limit`] bytes
/// is read, and the service gets the same bytes. A longer form gets a 413 response. No other body
/// is read: multipart forms, JSON and everything else need the header, or a handler that
/// [checks](CsrfHandle::check) inside an [`unchecked`](Self::unchecked) layer. A refused request
/// gets a 403 response with an empty body, and the reason is logged with `tracing`.
///
/// Handlers get the token from a [`CsrfHandle`], which is in the request's extensions; with axum,
/// it is an extractor. Put the layer inside the [`SessionLayer`](crate::SessionLayer), so that a
/// login replaces the secret. Put routes that need no protection, such as a webhook, outside this
/// layer.
///
/// The service gets the request's body as a [`CsrfBody`]. The response's body is passed through
/// unchanged, in a [`SessionBody`].
///
/// [`CsrfRequest::check`]: crate::django::CsrfRequest::check
///
/// # Examples
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{Router, routing::get, routing::post};
/// use signed_session::django::{Csrf, CsrfHandle, CsrfLayer};
/// use signed_session::{CookieOptions, Keyring, SessionCodec, SessionLayer, SessionManager};
///
/// async fn page(csrf: CsrfHandle) -> axum::response::Html<String> {
///     axum::response::Html(format!(
///         r#"<form method="post" action="/buy">
///              <input type="hidden" name="csrfmiddlewaretoken" value="{}">
///              <button>Buy</button>
///            </form>"#,
///         csrf.token()
///     ))
/// }
///
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("sessionid")?);
/// let app: Router = Router::new()
///     .route("/", get(page))
///     .route("/buy", post(|| async { "bought" }))
///     .layer(CsrfLayer::new(Csrf::new("https://example.com")?))
///     // Called by a different service, which signs its requests.
///     .route("/webhook", post(|| async { "noted" }))
///     .layer(SessionLayer::new(manager));
/// # Ok::<(), signed_session::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct CsrfLayer {
    csrf: Csrf,
    is_checked: bool,
    session: fn(&Extensions) -> Option<SessionHandle>,
}

impl CsrfLayer {
    /// Creates a layer for requests with a single session or none.
    ///
    /// If users log in with a marked session, use [`marked`](Self::marked): a login in any other
    /// session than this layer's does not replace the secret.
    #[must_use]
    pub fn new(csrf: Csrf) -> Self {
        Self::marked::<()>(csrf)
    }

    /// Creates a layer for one of several sessions of a request.
    ///
    /// `M` is the marker of [`SessionLayer::marked`].
    ///
    /// [`SessionLayer::marked`]: crate::SessionLayer::marked
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
}

impl<S> Layer<S> for CsrfLayer {
    type Service = CsrfService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CsrfService { inner, layer: self.clone() }
    }
}

impl fmt::Debug for CsrfLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfLayer").finish_non_exhaustive()
    }
}

/// A service with CSRF protection.
///
/// Created by [`CsrfLayer`].
#[derive(Clone)]
pub struct CsrfService<S> {
    inner: S,
    layer: CsrfLayer,
}

impl<S, B, R> Service<Request<B>> for CsrfService<S>
where
    S: Service<Request<CsrfBody<B>>, Response = Response<R>> + Clone,
    B: Body,
    B::Data: AsRef<[u8]>,
{
    type Response = Response<SessionBody<R>>;
    type Error = S::Error;
    type Future = CsrfFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let CsrfLayer { csrf, is_checked, session } = &self.layer;
        let present =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        // In HTTP/2 the host is in the URI.
        let authority = request.uri().authority().filter(|_| !request.headers().contains_key(HOST));
        let authority = authority.map(|authority| (HOST.as_str(), authority.as_str().as_bytes()));
        let read = csrf.read(request.method().as_str(), present.chain(authority));
        let extensions = request.extensions();
        let entered = CsrfHandle::enter(read, session(extensions), extensions.get());
        let Ok((handle, commits)) = entered else {
            return CsrfFuture::refused(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let verdict = if *is_checked { handle.judge() } else { Ok(Verdict::Pass) };
        request.extensions_mut().insert(handle.clone());
        let state = match verdict {
            Err(_) => return CsrfFuture::refused(StatusCode::FORBIDDEN),
            Ok(Verdict::Pass) => {
                let inner = self.inner.call(request.map(CsrfBody::passed));
                State::Calling { inner }
            }
            Ok(Verdict::ReadForm { limit }) => {
                // A form whose declared length exceeds the limit is refused without being read.
                if request.body().size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
                    handle::log_too_long(limit);
                    return CsrfFuture::refused(StatusCode::PAYLOAD_TOO_LARGE);
                }
                let clone = self.inner.clone();
                // The service that is ready serves this request.
                let service = mem::replace(&mut self.inner, clone);
                let (parts, body) = request.into_parts();
                let call = Call { parts, service, handle };
                State::Reading { body, form: Form { limit, ..Form::default() }, call: Some(call) }
            }
        };
        CsrfFuture { state, handle: commits }
    }
}

impl<S> fmt::Debug for CsrfService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfService").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future response of a [`CsrfService`].
    pub struct CsrfFuture<S, B>
    where
        S: Service<Request<CsrfBody<B>>>,
        B: Body,
    {
        #[pin]
        state: State<S, B, S::Future>,
        // None if an outer layer commits the secret.
        handle: Option<CsrfHandle>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, F>
    where
        B: Body,
    {
        Reading {
            #[pin]
            body: B,
            form: Form<B::Data>,
            // None once the call was made.
            call: Option<Call<S>>,
        },
        Calling {
            #[pin]
            inner: F,
        },
        Refused {
            status: StatusCode,
        },
    }
}

/// The call to make once the form has been read.
struct Call<S> {
    parts: Parts,
    service: S,
    handle: CsrfHandle,
}

/// The part of a form that has been read.
struct Form<D> {
    limit: usize,
    len: usize,
    frames: VecDeque<Frame<D>>,
}

impl<D> Default for Form<D> {
    fn default() -> Self {
        Self { limit: 0, len: 0, frames: VecDeque::new() }
    }
}

impl<D: AsRef<[u8]>> Form<D> {
    /// Adds a chunk, unless the form is then too long.
    fn add(&mut self, frame: Frame<D>) -> Result<(), StatusCode> {
        self.len = self.len.saturating_add(data_len(&frame));
        if self.len > self.limit {
            handle::log_too_long(self.limit);
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        self.frames.push_back(frame);
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len);
        let data = self.frames.iter().filter_map(Frame::data_ref);
        data.for_each(|data| bytes.extend_from_slice(data.as_ref()));
        bytes
    }
}

fn data_len<D: AsRef<[u8]>>(frame: &Frame<D>) -> usize {
    frame.data_ref().map_or(0, |data| data.as_ref().len())
}

impl<S, B> CsrfFuture<S, B>
where
    S: Service<Request<CsrfBody<B>>>,
    B: Body,
{
    fn refused(status: StatusCode) -> Self {
        Self { state: State::Refused { status }, handle: None }
    }
}

/// Omits the content, which may include the form and the response.
impl<S, B> fmt::Debug for CsrfFuture<S, B>
where
    S: Service<Request<CsrfBody<B>>>,
    B: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfFuture").finish_non_exhaustive()
    }
}

impl<S, B, R> Future for CsrfFuture<S, B>
where
    S: Service<Request<CsrfBody<B>>, Response = Response<R>>,
    B: Body,
    B::Data: AsRef<[u8]>,
{
    type Output = Result<Response<SessionBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Reading { mut body, form, call } => {
                    match ready!(read(body.as_mut(), form, context)) {
                        Ok(()) => match call.take() {
                            Some(call) => call.make(mem::take(form)),
                            // The call happens once, because it also changes the state.
                            None => State::Refused { status: StatusCode::INTERNAL_SERVER_ERROR },
                        },
                        Err(status) => State::Refused { status },
                    }
                }
                StateProjection::Calling { inner } => {
                    let mut response = ready!(inner.poll(context))?;
                    if let Some(handle) = this.handle {
                        commit(handle, &mut response);
                    }
                    return Poll::Ready(Ok(response.map(Some).map(SessionBody::new)));
                }
                StateProjection::Refused { status } => {
                    let mut response = Response::new(SessionBody::new(None));
                    *response.status_mut() = *status;
                    return Poll::Ready(Ok(response));
                }
            };
            this.state.set(next);
        }
    }
}

/// Reads a form to its end.
fn read<B: Body>(
    mut body: Pin<&mut B>,
    form: &mut Form<B::Data>,
    context: &mut Context<'_>,
) -> Poll<Result<(), StatusCode>>
where
    B::Data: AsRef<[u8]>,
{
    loop {
        match ready!(body.as_mut().poll_frame(context)) {
            None => return Poll::Ready(Ok(())),
            Some(Ok(frame)) => {
                if let Err(status) = form.add(frame) {
                    return Poll::Ready(Err(status));
                }
            }
            // The body broke off: there is no token, as in Django.
            Some(Err(_)) => return Poll::Ready(Err(StatusCode::FORBIDDEN)),
        }
    }
}

impl<S> Call<S> {
    /// Calls the service, if the token in the form is valid.
    fn make<B>(mut self, form: Form<B::Data>) -> State<S, B, S::Future>
    where
        S: Service<Request<CsrfBody<B>>>,
        B: Body,
        B::Data: AsRef<[u8]>,
    {
        if self.handle.judge_form(&form.bytes()).is_err() {
            return State::Refused { status: StatusCode::FORBIDDEN };
        }
        let request = Request::from_parts(self.parts, CsrfBody::read(form));
        State::Calling { inner: self.service.call(request) }
    }
}

fn commit<R>(handle: &CsrfHandle, response: &mut Response<R>) {
    let reply = handle.commit(response.status().as_u16());
    let present =
        || response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = session::headers(&reply, present);
    reply::append(headers, response.headers_mut());
}

pin_project! {
    /// The body of a request that passed a [`CsrfLayer`].
    ///
    /// This is the original body, or a form that was read.
    pub struct CsrfBody<B>
    where
        B: Body,
    {
        #[pin]
        body: Option<B>,
        read: Form<B::Data>,
    }
}

impl<B: Body> CsrfBody<B> {
    fn passed(body: B) -> Self {
        Self { body: Some(body), read: Form::default() }
    }

    fn read(form: Form<B::Data>) -> Self {
        Self { body: None, read: form }
    }
}

impl<B: Body> Body for CsrfBody<B>
where
    B::Data: AsRef<[u8]>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        if let Some(body) = this.body.as_pin_mut() {
            return body.poll_frame(context);
        }
        let frame = this.read.frames.pop_front();
        this.read.len = this.read.len.saturating_sub(frame.as_ref().map_or(0, data_len));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().map_or(self.read.frames.is_empty(), Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let exact = || SizeHint::with_exact(u64::try_from(self.read.len).unwrap_or(u64::MAX));
        self.body.as_ref().map_or_else(exact, Body::size_hint)
    }
}

/// Omits the form, which is private data.
impl<B: Body> fmt::Debug for CsrfBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfBody").finish_non_exhaustive()
    }
}
