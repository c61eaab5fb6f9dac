//! Checks one request, and provides its pages' token and its response's cookie.

use std::fmt;

use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

use crate::age::Moment;
use crate::django::csrf::defaults::SESSION_KEY;
use crate::django::csrf::error::CsrfError;
use crate::django::csrf::form;
use crate::django::csrf::origin::Headers;
use crate::django::csrf::policy::{Csrf, Policy, Store};
use crate::django::csrf::secret::Secret;
use crate::error::sure;
use crate::reply::Reply;
use crate::session::Session;

/// The safe methods of RFC 9110, section 9.2.1.
const SAFE_METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// The CSRF protection of one request.
///
/// Created by [`Csrf::read`]. [`CsrfLayer`](crate::django::CsrfLayer) and
/// [`CsrfMiddleware`](crate::django::CsrfMiddleware) do all of this for you.
///
/// 1. With an unsafe method, call [`check`](Self::check) before anything else.
/// 2. For every form on a page, get a [`token`](Self::token).
/// 3. Append the headers of [`commit`](Self::commit) to the response.
///
/// Pass the request's session to each of them. If the secret is in a cookie and the program has no
/// sessions, pass `&mut Session::new()`.
pub struct CsrfRequest {
    csrf: Csrf,
    is_safe: bool,
    /// The result of the checks of the headers, which come before the secret.
    origin: Result<(), CsrfError>,
    /// The origin of the site's own pages and the one that was sent, for the log.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) own_origin: Option<String>,
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) sent_origin: Option<String>,
    /// The token in the header, if there is one.
    header: Option<Vec<u8>>,
    body: Body,
    /// The value of the cookie: an error if that is not a secret. It is ignored if secrets are in
    /// sessions.
    cookie: Result<Option<Secret>, CsrfError>,
    sets_cookie: bool,
    /// When the session was begun for which the secret was last replaced.
    begun: Option<Moment>,
}

/// The kind of body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// A form whose fields are read.
    Form,
    Multipart,
    Other,
}

impl Csrf {
    /// Reads the headers of a request, as pairs of a name in any case and a value.
    ///
    /// In HTTP/2 the host is the authority of the request's URI: add it as `host` if there is no
    /// such header.
    pub fn read<'a>(
        &self,
        method: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> CsrfRequest {
        let Policy { site, trusted, store, header, .. } = &*self.policy;
        let is_safe = SAFE_METHODS.contains(&method);
        let mut found = Headers::default();
        let (mut token, mut content_type) = (None, None);
        let mut cookie = None;
        for (name, value) in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("cookie") {
                if let Store::Cookie { options, .. } = store {
                    // The last one counts, as in Django: both sides must agree on the secret.
                    cookie = options.find_bytes(value).last().or(cookie);
                }
                continue;
            }
            if is_safe {
                continue;
            }
            if header.as_deref().is_some_and(is) {
                append(&mut token, value);
            }
            if let Some((known, _)) = site.https_header()
                && is(known)
            {
                append(&mut found.https_header, value);
            }
            for (known, place) in [
                ("origin", &mut found.origin),
                ("referer", &mut found.referer),
                ("host", &mut found.host),
                ("x-forwarded-host", &mut found.forwarded_host),
                ("x-forwarded-port", &mut found.forwarded_port),
                ("content-type", &mut content_type),
            ] {
                if is(known) {
                    append(place, value);
                }
            }
        }
        let target = site.target(&found);
        CsrfRequest {
            csrf: self.clone(),
            is_safe,
            origin: if is_safe { Ok(()) } else { target.check(&found, trusted) },
            #[cfg(any(feature = "tower", feature = "actix"))]
            own_origin: target.origin(),
            #[cfg(any(feature = "tower", feature = "actix"))]
            sent_origin: found.origin.clone(),
            header: token.filter(|token| !token.is_empty()).map(String::into_bytes),
            body: Body::of(method, content_type.as_deref().unwrap_or_default()),
            cookie: cookie.map(|cookie| read_secret(unquote(cookie))).transpose(),
            sets_cookie: false,
            begun: None,
        }
    }

    /// Returns the token in the body of a urlencoded form, for [`CsrfRequest::check`].
    ///
    /// It is the last field named `csrfmiddlewaretoken`. Limit the length of a body before you read
    /// it.
    #[must_use]
    pub fn token_of_form(body: &[u8]) -> Option<String> {
        // Any other text is not a token.
        form::token(body).map(|token| String::from_utf8_lossy(&token).into_owned())
    }
}

impl CsrfRequest {
    /// Returns an error unless a page of the site sent the request, or its method is safe.
    ///
    /// The checks are, in this order: `Origin`, if it was sent; otherwise, on https, `Referer`; the
    /// visitor's secret; the token. The token is that in the header, if there is one, and otherwise
    /// `form_token`, which the program has read from the form. A visitor without a secret is
    /// refused, so that no other site can log a visitor in to another account.
    ///
    /// The token is compared in constant time.
    ///
    /// # Errors
    ///
    /// The first error, in the order of [`CsrfError`]'s variants. Answer with 403.
    pub fn check(&self, session: &Session, form_token: Option<&str>) -> Result<(), CsrfError> {
        if self.is_safe {
            return Ok(());
        }
        self.check_before_body(session)?;
        let secret = self.secret(session)?.ok_or(CsrfError::NoSecret)?;
        let token = self.header.as_deref().or(form_token.map(str::as_bytes));
        let token = token.filter(|token| !token.is_empty()).ok_or(CsrfError::NoToken)?;
        let token = Secret::parse(token).ok_or(CsrfError::MalformedToken)?;
        if token.ct_eq(&secret).into() { Ok(()) } else { Err(CsrfError::WrongToken) }
    }

    /// Runs the checks before that of the token, so that the body of a failing request is not read.
    pub(crate) fn check_before_body(&self, session: &Session) -> Result<(), CsrfError> {
        self.origin?;
        self.secret(session)?.map(drop).ok_or(CsrfError::NoSecret)
    }

    /// Returns `true` if [`check`](Self::check) needs the token of the form in the body.
    ///
    /// This is so for a POST request, as in Django, whose content type is
    /// `application/x-www-form-urlencoded`, and which has no token in the header.
    #[must_use]
    pub fn needs_form(&self) -> bool {
        !self.is_safe && self.header.is_none() && self.body == Body::Form
    }

    /// Returns a token for one form or page: 64 letters and digits.
    ///
    /// Put it into a hidden field named `csrfmiddlewaretoken`, or let a script send it in the
    /// header. Each call returns another text; all of them are valid for as long as the secret is.
    /// A visitor without a secret gets one. A secret in a cookie is sent with every page that shows
    /// a token, so that its lifetime starts again.
    ///
    /// If the session was begun during this request, the secret is a new one.
    pub fn token(&mut self, session: &mut Session) -> String {
        self.follow(session);
        let secret = match self.secret(session) {
            Ok(Some(secret)) => secret,
            Ok(None) | Err(_) => Secret::generate(),
        };
        let token = secret.mask();
        self.keep(secret, session);
        token
    }

    /// Replaces the visitor's secret, so that earlier tokens are no longer valid.
    ///
    /// A login that begins a session does this automatically:
    /// [`AuthUser::login`](crate::django::AuthUser::login) or [`Session::begin`].
    pub fn rotate(&mut self, session: &mut Session) {
        self.keep(Secret::generate(), session);
    }

    /// Returns the headers that the response needs.
    ///
    /// If the session was begun during this request, the secret is replaced, unless the status is
    /// 500 or above. A secret in the session is written with it: commit the session after this.
    pub fn commit(&mut self, session: &mut Session, status: u16) -> Reply {
        self.commit_at(session, status, OffsetDateTime::now_utc())
    }

    /// Returns the headers that the response needs if it is sent at `now`.
    ///
    /// See [`commit`](Self::commit).
    pub fn commit_at(&mut self, session: &mut Session, status: u16, now: OffsetDateTime) -> Reply {
        if status < 500 {
            self.follow(session);
        }
        let mut reply = Reply::default();
        let Store::Cookie { options, max_age } = &self.csrf.policy.store else { return reply };
        if let (true, Ok(Some(secret))) = (self.sets_cookie, &self.cookie) {
            let max_age = max_age.map(|age| age.try_into().unwrap_or(time::Duration::MAX));
            // It is short, and consists of letters and digits.
            reply.set_cookie = sure(options.cookie(&secret.to_text(), max_age, now).ok().map(Some));
            reply.vary_on_cookie = true;
        }
        reply
    }

    /// Replaces the secret if the session was begun since this was last checked.
    fn follow(&mut self, session: &mut Session) {
        let begun = session.begun_here();
        if begun.is_none() || begun == self.begun {
            return;
        }
        self.begun = begun;
        if !self.csrf.uses_session() {
            self.rotate(session);
        } else if session.text(SESSION_KEY).is_some() {
            // The next page that shows a token creates another.
            session.remove(SESSION_KEY);
        }
    }

    /// Returns the visitor's secret, if there is one.
    fn secret(&self, session: &Session) -> Result<Option<Secret>, CsrfError> {
        if !self.csrf.uses_session() {
            return self.cookie.clone();
        }
        // Django treats null as none, and fails on any other value that is not text.
        match session.get::<Option<String>>(SESSION_KEY).map(Option::flatten) {
            Ok(None) => Ok(None),
            Ok(Some(text)) => read_secret(text.as_bytes()).map(Some),
            Err(_) => Err(CsrfError::MalformedSecret),
        }
    }

    /// Sets the visitor's secret.
    fn keep(&mut self, secret: Secret, session: &mut Session) {
        if self.csrf.uses_session() {
            let text = secret.to_text();
            // Another form, such as a masked one, is replaced.
            if session.get(SESSION_KEY) != Ok(Some(text.clone())) {
                session.set_text(SESSION_KEY, &text);
            }
        } else {
            self.cookie = Ok(Some(secret));
            self.sets_cookie = true;
        }
    }
}

// Used by the middlewares.
#[cfg(any(feature = "tower", feature = "actix"))]
impl CsrfRequest {
    pub(crate) fn is_safe(&self) -> bool {
        self.is_safe
    }

    pub(crate) fn csrf(&self) -> &Csrf {
        &self.csrf
    }

    /// Returns `true` if the token may be in a field of a body that is not read.
    pub(crate) fn is_multipart(&self) -> bool {
        self.header.is_none() && self.body == Body::Multipart
    }
}

impl Body {
    fn of(method: &str, content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if method != "POST" {
            Self::Other
        } else if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::Form
        } else if kind.eq_ignore_ascii_case("multipart/form-data") {
            Self::Multipart
        } else {
            Self::Other
        }
    }
}

fn read_secret(text: &[u8]) -> Result<Secret, CsrfError> {
    Secret::parse(text).ok_or(CsrfError::MalformedSecret)
}

/// Removes one pair of quotes, as Python's `http.cookies`.
fn unquote(cookie: &[u8]) -> &[u8] {
    match cookie {
        [b'"', inner @ .., b'"'] => inner,
        cookie => cookie,
    }
}

/// Adds a header, with a comma after the one before it, as servers pass several to Django.
fn append(place: &mut Option<String>, value: &[u8]) {
    // Latin-1, as in Python: the length of a host or token in characters is that in bytes.
    let value = value.iter().copied().map(char::from);
    match place {
        Some(text) => {
            text.push(',');
            text.extend(value);
        }
        None => *place = Some(value.collect()),
    }
}

/// Shows nothing: the secret and the token belong to the visitor.
impl fmt::Debug for CsrfRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfRequest").finish_non_exhaustive()
    }
}
