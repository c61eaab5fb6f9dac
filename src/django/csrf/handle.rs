//! Shares the CSRF protection of a request with its handlers.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::django::csrf::error::CsrfError;
use crate::django::csrf::policy::Csrf;
use crate::django::csrf::request::CsrfRequest;
use crate::handle::{Asker, SessionHandle};
use crate::reply::Reply;
use crate::session::Session;

/// The CSRF protection of a request, as the middleware provides it to handlers.
///
/// The methods lock the session, if there is one, so they panic inside [`SessionHandle::with`].
///
/// # Examples
///
/// A handler, the same for axum and actix-web:
///
/// ```
/// use signed_session::django::CsrfHandle;
///
/// async fn page(csrf: CsrfHandle) -> String {
///     format!(
///         r#"<form method="post">
///              <input type="hidden" name="csrfmiddlewaretoken" value="{}">
///              <button>Buy</button>
///            </form>"#,
///         csrf.token()
///     )
/// }
/// ```
#[derive(Clone)]
pub struct CsrfHandle {
    shared: Arc<Shared>,
}

struct Shared {
    session: Option<SessionHandle>,
    state: Mutex<State>,
}

struct State {
    request: CsrfRequest,
    /// Whether an inner layer has different rules and the same secrets.
    is_hidden: bool,
    /// Whether the response has begun.
    is_sent: bool,
}

/// The decision of a middleware on a request.
pub(crate) enum Verdict {
    /// The request is passed on to the handlers.
    Pass,
    /// The form in its body is read first, up to `limit` bytes.
    ReadForm { limit: usize },
}

impl CsrfHandle {
    /// Returns the handle of a request, and the handle to commit, if any.
    ///
    /// `outer` is the handle that the request already has.
    ///
    /// # Errors
    ///
    /// [`MissingSecrets`] if secrets are in sessions and there is no session; the reason is logged.
    pub(crate) fn enter(
        request: CsrfRequest,
        session: Option<SessionHandle>,
        outer: Option<&Self>,
    ) -> Result<(Self, Option<Self>), MissingSecrets> {
        if let Some(outer) = outer {
            let mut state = outer.lock();
            if state.request.csrf().is_clone_of(request.csrf()) {
                // A request has one secret, which the outermost middleware commits.
                return Ok((outer.clone(), None));
            }
            // The outer layer checks by its own rules, but must not send a second secret.
            state.is_hidden |= state.request.csrf().shares_secrets_with(request.csrf());
        }
        if request.csrf().uses_session() && session.is_none() {
            tracing::error!(
                "the CSRF secret is in the session, and no session middleware is around the CSRF \
                 middleware"
            );
            return Err(MissingSecrets);
        }
        let state = Mutex::new(State { request, is_hidden: false, is_sent: false });
        let handle = Self { shared: Arc::new(Shared { session, state }) };
        Ok((handle.clone(), Some(handle)))
    }

    /// Returns the protection of a request, from the request's extensions.
    ///
    /// Use this in services without extractors, such as those of plain hyper.
    ///
    /// # Errors
    ///
    /// [`MissingCsrf`] if there is no [`CsrfLayer`](crate::django::CsrfLayer) around the service.
    #[cfg(feature = "tower")]
    pub fn from_extensions(extensions: &http::Extensions) -> Result<Self, MissingCsrf> {
        extensions.get::<Self>().cloned().ok_or_else(|| MissingCsrf::new(Asker::Service))
    }

    /// Returns a token for a form or a page; see [`CsrfRequest::token`].
    #[must_use]
    pub fn token(&self) -> String {
        let token = self.share(CsrfRequest::token);
        if self.lock().is_sent {
            tracing::warn!(
                "a CSRF token was requested after the response had begun: if the visitor has no \
                 secret yet, the token is not valid"
            );
        }
        token
    }

    /// Replaces the visitor's secret; see [`CsrfRequest::rotate`].
    pub fn rotate(&self) {
        self.share(CsrfRequest::rotate);
    }

    /// Checks that a page of the site sent the request.
    ///
    /// Use this in handlers that read the token themselves, such as from a multipart form, inside a
    /// layer that is [`unchecked`](crate::django::CsrfLayer::unchecked).
    ///
    /// # Errors
    ///
    /// See [`CsrfRequest::check`]. As a response, the error is a 403 with an empty body, and is
    /// logged.
    pub fn check(&self, form_token: Option<&str>) -> Result<(), CsrfError> {
        self.share(|request, session| request.check(session, form_token))
    }

    /// Decides on a request before its body is read.
    pub(crate) fn judge(&self) -> Result<Verdict, CsrfError> {
        if self.lock().request.is_safe() {
            return Ok(Verdict::Pass);
        }
        self.share(|request, session| {
            if request.needs_form() {
                request.check_before_body(session)?;
                return Ok(Verdict::ReadForm { limit: request.csrf().policy.form_limit });
            }
            request.check(session, None).map(|()| Verdict::Pass)
        })
        .inspect_err(|reason| self.log(*reason))
    }

    /// Decides on a request with the form that was read.
    pub(crate) fn judge_form(&self, body: &[u8]) -> Result<(), CsrfError> {
        let token = Csrf::token_of_form(body);
        self.check(token.as_deref()).inspect_err(|reason| self.log(*reason))
    }

    /// Returns the headers of the response, which is sent now.
    pub(crate) fn commit(&self, status: u16) -> Reply {
        let mut state = self.lock();
        state.is_sent = true;
        if state.is_hidden {
            return Reply::default();
        }
        self.with_loaded(|session| state.request.commit(session, status))
    }

    fn share<R>(&self, mut function: impl FnMut(&mut CsrfRequest, &mut Session) -> R) -> R {
        let mut state = self.lock();
        let request = &mut state.request;
        match &self.shared.session {
            Some(session) if request.csrf().uses_session() => {
                session.with(|session| function(request, session))
            }
            _ => self.with_loaded(|session| function(request, session)),
        }
    }

    /// Runs `function` with the session if it was accessed already.
    ///
    /// The session is not decoded for this: a session that was not accessed was not begun either.
    /// Without one, `function` gets an empty session.
    fn with_loaded<R>(&self, mut function: impl FnMut(&mut Session) -> R) -> R {
        let session = self.shared.session.as_ref();
        let result = session.and_then(|session| session.with_loaded(&mut function));
        result.unwrap_or_else(|| function(&mut Session::new()))
    }

    /// Logs why a request was refused, with hints at a wrong configuration.
    pub(crate) fn log(&self, reason: CsrfError) {
        let state = self.lock();
        let CsrfRequest { own_origin, sent_origin, .. } = &state.request;
        let code = reason.code();
        match reason {
            CsrfError::Origin => tracing::warn!(
                code,
                %reason,
                sent = sent_origin.as_deref(),
                own = own_origin.as_deref(),
                "a request was refused: if these differ only in http and https, a proxy terminates \
                 TLS and this program is not configured for it"
            ),
            CsrfError::NoToken if state.request.is_multipart() => tracing::warn!(
                code,
                %reason,
                "a request was refused: a multipart body is not read, so the token must be in the \
                 header, or the handler must check it inside an unchecked layer"
            ),
            _ => tracing::warn!(code, %reason, "a request was refused"),
        }
    }

    /// Locks the state, which is valid after any panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs that a form was not read.
pub(crate) fn log_too_long(limit: usize) {
    tracing::warn!(
        limit,
        "a request was refused: its form is too long to be searched for the CSRF token"
    );
}

/// Omits the secret, which is private data.
impl fmt::Debug for CsrfHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfHandle").finish_non_exhaustive()
    }
}

/// The error if secrets are in sessions and there is no session.
pub(crate) struct MissingSecrets;

/// The error of a handler without a CSRF layer around it.
///
/// The message says which layer is missing, and where to add it. The error's response is a 500 with
/// the message as its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingCsrf {
    asker: Asker,
}

impl MissingCsrf {
    /// Creates the error for the kind of caller.
    pub(crate) fn new(asker: Asker) -> Self {
        Self { asker }
    }
}

impl fmt::Display for MissingCsrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.asker {
            #[cfg(feature = "tower")]
            Asker::Service => {
                "no CSRF layer is around a service that uses a CsrfHandle: add \
                 CsrfLayer::new(csrf) around the service, inside the SessionLayer"
            }
            #[cfg(feature = "axum")]
            Asker::AxumHandler => {
                "no CSRF layer is around a handler that takes a CsrfHandle: add \
                 .layer(CsrfLayer::new(csrf)) to the Router, below its routes and above \
                 .layer(SessionLayer::new(manager)), because a layer wraps only what stands above it"
            }
            #[cfg(feature = "actix")]
            Asker::ActixHandler => {
                "no CSRF middleware is around a handler that takes a CsrfHandle: add \
                 .wrap(CsrfMiddleware::new(csrf)) to the App or to the handler's scope, above \
                 .wrap(SessionMiddleware::new(manager)), because the last one is the outermost"
            }
        })
    }
}

impl Error for MissingCsrf {}
