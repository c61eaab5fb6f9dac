//! Checks a request, and provides its token and its response's cookie.

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
    /// The site's own origin and the origin that was sent, for the log.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) own_origin: Option<String>,
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) sent_origin: Option<String>,
    /// The token in the header, if there is one.
    header: Option<Vec<u8>>,
    body: Body,
    /// The secret in the cookie, or an error if the cookie is malformed.
    ///
    /// Ignored if secrets are in sessions.
    cookie: Result<Option<Secret>, CsrfError>,
    sets_cookie: bool,
    /// The start of the session for which the secret was last replaced.
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
    /// Reads the headers of a request, as pairs of a name and a value.
    ///
    /// Names can be in upper or lower case. With HTTP/2 the host is the authority of the request's
    /// URI: add it as `host` if there is no such header.
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
                    // The last cookie counts, as in Django: both must use the same secret.
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

    /// Returns the token in a urlencoded form, for [`CsrfRequest::check`].
    ///
    /// The token is the last field named `csrfmiddlewaretoken`. Limit the length of a body before
    /// you read it.
    #[must_use]
    pub fn token_of_form(body: &[u8]) -> Option<String> {
        // Any other text is not a token.
        form::token(body).map(|token| String::from_utf8_lossy(&token).into_owned())
    }
}

impl CsrfRequest {
    /// Checks that a page of the site sent the request.
    ///
    /// A request with a safe method is not checked. The checks are, in this order: `Origin`, if it
    /// was sent; otherwise, on https, `Referer`; the visitor's secret; the token. The token in the
    /// header is used if there is one, otherwise `form_token`, which the program has read from the
    /// form. A visitor without a secret is refused, so that no other site can log a visitor in to
    /// an account that is not theirs.
    ///
    /// The token is compared in constant time.
    ///
    /// # Errors
    ///
    /// The first error, in the order of [`CsrfError`]'s variants. Respond with 403.
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

    /// Runs the checks that do not need the token.
    ///
    /// If they fail, the body does not have to be read.
    pub(crate) fn check_before_body(&self, session: &Session) -> Result<(), CsrfError> {
        self.origin?;
        self.secret(session)?.map(drop).ok_or(CsrfError::NoSecret)
    }

    /// Returns `true` if [`check`](Self::check) needs the form's token.
    ///
    /// This is the case for a POST request with the content type
    /// `application/x-www-form-urlencoded` and without a token in the header. As in Django, forms
    /// of other methods are not read.
    #[must_use]
    pub fn needs_form(&self) -> bool {
        !self.is_safe && self.header.is_none() && self.body == Body::Form
    }

    /// Returns a token for a form or a page: 64 letters and digits.
    ///
    /// Put it into a hidden field named `csrfmiddlewaretoken`, or let a script send it in the
    /// header. Each call returns a different token. All tokens are valid until the secret is
    /// replaced. A visitor without a secret gets one. A secret in a cookie is sent with every page
    /// that contains a token, so that its lifetime starts again.
    ///
    /// If the session was started during this request, the secret is new.
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

    /// Replaces the visitor's secret, which invalidates earlier tokens.
    ///
    /// A login that starts a new session does this automatically:
    /// [`AuthUser::login`](crate::django::AuthUser::login) or [`Session::begin`].
    pub fn rotate(&mut self, session: &mut Session) {
        self.keep(Secret::generate(), session);
    }

    /// Returns the headers that the response needs.
    ///
    /// If the session was started during this request, the secret is replaced, unless the status is
    /// 500 or above. A secret in the session is written with the session: commit the session after
    /// this.
    pub fn commit(&mut self, session: &mut Session, status: u16) -> Reply {
        self.commit_at(session, status, OffsetDateTime::now_utc())
    }

    /// Returns the headers for a response that is sent at `now`.
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
            // The secret is short, and consists of letters and digits.
            reply.set_cookie = sure(options.cookie(&secret.to_text(), max_age, now).ok().map(Some));
            reply.vary_on_cookie = true;
        }
        reply
    }

    /// Replaces the secret if the session was begun since the last call.
    fn follow(&mut self, session: &mut Session) {
        let begun = session.begun_here();
        if begun.is_none() || begun == self.begun {
            return;
        }
        self.begun = begun;
        if !self.csrf.uses_session() {
            self.rotate(session);
        } else if session.text(SESSION_KEY).is_some() {
            // The next page that contains a token creates a new secret.
            session.remove(SESSION_KEY);
        }
    }

    /// Returns the visitor's secret, if there is one.
    fn secret(&self, session: &Session) -> Result<Option<Secret>, CsrfError> {
        if !self.csrf.uses_session() {
            return self.cookie.clone();
        }
        // Django treats null as no secret, and fails on any other value that is not a string.
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
            // A secret in any other form, such as a masked one, is replaced.
            if session.get(SESSION_KEY) != Ok(Some(text.clone())) {
                session.set_text(SESSION_KEY, &text);
            }
        } else {
            self.cookie = Ok(Some(secret));
            self.sets_cookie = true;
        }
    }
}

// For the middleware of each framework.
#[cfg(any(feature = "tower", feature = "actix"))]
impl CsrfRequest {
    pub(crate) fn is_safe(&self) -> bool {
        self.is_safe
    }

    pub(crate) fn csrf(&self) -> &Csrf {
        &self.csrf
    }

    /// Returns `true` if the token may be in a multipart form.
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

/// Adds a header, joined with a comma to an earlier one.
///
/// Servers pass several headers of one name to Django in this way.
fn append(place: &mut Option<String>, value: &[u8]) {
    // Latin-1, as in Python: a host or token has as many characters as bytes.
    let value = value.iter().copied().map(char::from);
    match place {
        Some(text) => {
            text.push(',');
            text.extend(value);
        }
        None => *place = Some(value.collect()),
    }
}

/// Omits the secret and the token, which are private data.
impl fmt::Debug for CsrfRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfRequest").finish_non_exhaustive()
    }
}
