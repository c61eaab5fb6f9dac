//! Holds what a site's CSRF protection is configured with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cookie::CookieOptions;
use crate::django::csrf::defaults::{COOKIE_AGE, COOKIE_NAME, HEADER};
use crate::django::csrf::origin::{self, Proxy, Site, Trusted};
use crate::error::ConfigError;

/// The longest form that is read to find the token in it, in bytes.
const FORM_LIMIT: usize = 64 * 1024;

/// Protection against requests that another site makes a visitor's browser send.
///
/// As Django's `CsrfViewMiddleware`: a form of either side is accepted by the other. A visitor has
/// a secret, in a cookie or in the session. A page shows a token made from it, and every request
/// with a method other than GET, HEAD, OPTIONS and TRACE must send one back. Another site can make
/// the browser send the cookie, but it can read neither the cookie nor the page.
///
/// [`DjangoSettings::csrf`](crate::django::DjangoSettings::csrf) creates it from a site's settings,
/// and [`new`](Self::new) without Django. [`CsrfLayer`](crate::django::CsrfLayer) and
/// [`CsrfMiddleware`](crate::django::CsrfMiddleware) put it around an application;
/// [`read`](Self::read) is for any other framework.
///
/// # The site's own origin
///
/// Browsers send the origin of the page with every form, and it must be the site's own. A service
/// behind a proxy that terminates TLS sees http, so that `https://example.com` is a foreign origin
/// to it, and every form fails with [`CsrfError::Origin`](crate::django::CsrfError::Origin). With
/// [`new`](Self::new) the origin is stated. With Django's settings it is read from the request's
/// headers, as in Django: the proxy must pass `Host` on and set the header that
/// `SECURE_PROXY_SSL_HEADER` names, and must drop what visitors send in its place.
///
/// # Examples
///
/// ```
/// use signed_session::Session;
/// use signed_session::django::{Csrf, CsrfError};
///
/// let csrf = Csrf::new("https://example.com")?;
/// // This program keeps the secret in its cookie, so no session is needed.
/// let session = &mut Session::new();
///
/// // A page with a form. The token goes into a hidden field named `csrfmiddlewaretoken`.
/// let mut request = csrf.read("GET", [("host", &b"example.com"[..])]);
/// let token = request.token(session);
/// let cookie = request.commit(session, 200).set_cookie.unwrap().stripped().to_string();
///
/// // The form comes back.
/// let headers = [("origin", &b"https://example.com"[..]), ("cookie", cookie.as_bytes())];
/// let request = csrf.read("POST", headers);
/// assert_eq!(request.check(session, Some(&token)), Ok(()));
/// assert_eq!(request.check(session, None), Err(CsrfError::NoToken));
/// # Ok::<(), signed_session::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Csrf {
    pub(crate) policy: Arc<Policy>,
}

#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) site: Site,
    pub(crate) trusted: Trusted,
    pub(crate) store: Store,
    /// In lower case; nothing if no header is looked at.
    pub(crate) header: Option<String>,
    pub(crate) form_limit: usize,
}

/// Where the secrets are.
#[derive(Clone)]
pub(crate) enum Store {
    /// In the visitor's session.
    Session,
    Cookie {
        options: CookieOptions,
        /// Until the browser is closed, if there is none.
        max_age: Option<Duration>,
    },
}

impl Csrf {
    /// Creates the protection of a site that is reached under this origin.
    ///
    /// An origin is what the browser shows before the path: a scheme, a host, and a port unless it
    /// is the scheme's own. It is taken in place of what the request's headers say, so it is right
    /// behind any proxy. The secret is in a cookie as by Django's defaults, named `csrftoken`, for
    /// a year; it is `Secure` if the origin is https.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Origin`] if it is not an `http` or `https` origin as browsers write it.
    pub fn new(origin: &str) -> Result<Self, ConfigError> {
        let (is_https, host) = origin::parse(origin).ok_or(ConfigError::Origin)?;
        let site = Site::Fixed { is_https, host: host.to_owned() };
        let options = CookieOptions::new(COOKIE_NAME)?.http_only(false).secure(is_https);
        Ok(Self::with(site, Store::Cookie { options, max_age: Some(COOKIE_AGE) }))
    }

    /// Creates the protection of a site whose origin its requests tell.
    pub(crate) fn behind(proxy: Proxy, store: Store) -> Self {
        Self::with(Site::Headers(proxy), store)
    }

    fn with(site: Site, store: Store) -> Self {
        let (trusted, header) = (Trusted::default(), Some(HEADER.to_owned()));
        let policy = Policy { site, trusted, store, header, form_limit: FORM_LIMIT };
        Self { policy: Arc::new(policy) }
    }

    /// Adds an origin whose forms are accepted, as `CSRF_TRUSTED_ORIGINS`.
    ///
    /// `https://*.example.com` stands for every host below `example.com`, and for itself.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Origin`] if it is not an `http` or `https` origin as browsers write it.
    pub fn trusted_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        origin::parse(&origin.replacen("://*.", "://", 1)).ok_or(ConfigError::Origin)?;
        self.trust(origin);
        Ok(self)
    }

    /// Adds an origin as a site's settings list it.
    pub(crate) fn trust(&mut self, origin: &str) {
        Arc::make_mut(&mut self.policy).trusted.add(origin);
    }

    /// Keeps the secrets in this cookie, which lasts for `max_age`, or until the browser is closed.
    ///
    /// Defaults to `csrftoken` for a year. A page's scripts read the secret from the cookie, unless
    /// it is `HttpOnly`. A name that begins with `__Host-` keeps out cookies of sibling domains.
    #[must_use]
    pub fn cookie(self, options: CookieOptions, max_age: impl Into<Option<Duration>>) -> Self {
        self.store(Store::Cookie { options, max_age: max_age.into() })
    }

    /// Keeps the secrets in the session, as `CSRF_USE_SESSIONS`.
    ///
    /// There is no cookie beside the session's then, and a visitor who is shown a form gets a
    /// session. A login ends the secret together with the session that was before it.
    #[must_use]
    pub fn in_session(self) -> Self {
        self.store(Store::Session)
    }

    fn store(mut self, store: Store) -> Self {
        Arc::make_mut(&mut self.policy).store = store;
        self
    }

    /// Sets the header in which scripts send the token. Defaults to `X-CSRFToken`.
    #[must_use]
    pub fn header(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.policy).header = Some(name.to_ascii_lowercase());
        self
    }

    /// Has no header looked at.
    pub(crate) fn without_header(mut self) -> Self {
        Arc::make_mut(&mut self.policy).header = None;
        self
    }

    /// Sets how long a form may be whose field is read, in bytes. Defaults to 65,536.
    ///
    /// A longer one is answered with 413, unless the token is in the header.
    #[must_use]
    pub fn form_limit(mut self, limit: usize) -> Self {
        Arc::make_mut(&mut self.policy).form_limit = limit;
        self
    }

    /// Sets whether connections to this program are https. Defaults to `false`.
    ///
    /// For a program that serves TLS itself with [`DjangoSettings`](crate::django::DjangoSettings).
    /// Behind a proxy, set `SECURE_PROXY_SSL_HEADER` instead; with [`new`](Self::new) the origin
    /// says it.
    #[must_use]
    pub fn https(mut self, is_https: bool) -> Self {
        if let Site::Headers(proxy) = &mut Arc::make_mut(&mut self.policy).site {
            proxy.is_https = is_https;
        }
        self
    }

    /// Returns `true` if one is a clone of the other.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.policy, &other.policy)
    }

    /// Returns `true` if both have their secrets in the same place.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn shares_secrets_with(&self, other: &Self) -> bool {
        match (&self.policy.store, &other.policy.store) {
            (Store::Session, Store::Session) => true,
            (Store::Cookie { options, .. }, Store::Cookie { options: others, .. }) => {
                options.is_same_cookie(others)
            }
            _ => false,
        }
    }

    pub(crate) fn uses_session(&self) -> bool {
        matches!(self.policy.store, Store::Session)
    }
}

impl fmt::Debug for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Csrf").finish_non_exhaustive()
    }
}
