//! Defines the configuration of a site's CSRF protection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cookie::CookieOptions;
use crate::django::csrf::defaults::{COOKIE_AGE, COOKIE_NAME, HEADER};
use crate::django::csrf::origin::{self, Proxy, Site, Trusted};
use crate::error::ConfigError;

/// The default maximum length of a form that is read, in bytes.
const FORM_LIMIT: usize = 64 * 1024;

/// The protection of a site against cross-site request forgery (CSRF).
///
/// It works like Django's `CsrfViewMiddleware`: a Django site and this program accept each other's
/// forms. A visitor has a secret, in a cookie or in the session. A page contains a token created
/// from the secret, and every request with a method other than GET, HEAD, OPTIONS and TRACE must
/// send a token back. A different site can make the browser send a request with the cookie, but it
/// can read neither the cookie nor the page.
///
/// [`DjangoSettings::csrf`](crate::django::DjangoSettings::csrf) creates the protection from a
/// site's settings, and [`new`](Self::new) creates it without Django.
/// [`CsrfLayer`](crate::django::CsrfLayer) and [`CsrfMiddleware`](crate::django::CsrfMiddleware)
/// apply it to an application; [`read`](Self::read) is for any other framework.
///
/// # The site's own origin
///
/// Browsers send the origin of the page with every form, and it must be the site's own or a trusted
/// one. A service behind a proxy that terminates TLS receives plain HTTP, so `https://example.com`
/// looks like a foreign origin, and every form fails with
/// [`CsrfError::Origin`](crate::django::CsrfError::Origin). With [`new`](Self::new) the origin is
/// set explicitly. With Django's settings it is read from the request's headers, as in Django: the
/// proxy must pass `Host` on and set the header that `SECURE_PROXY_SSL_HEADER` names, and must
/// remove that header from visitors' requests.
///
/// # Examples
///
/// ```
/// use signed_session::Session;
/// use signed_session::django::{Csrf, CsrfError};
///
/// let csrf = Csrf::new("https://example.com")?;
/// // The secret is in a cookie, so no session is needed.
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
    /// The header's name in lower case; `None` if no header is read.
    pub(crate) header: Option<String>,
    pub(crate) form_limit: usize,
}

/// Where the secrets are stored.
#[derive(Clone)]
pub(crate) enum Store {
    /// In the visitor's session.
    Session,
    Cookie {
        options: CookieOptions,
        /// `None` means until the browser is closed.
        max_age: Option<Duration>,
    },
}

impl Csrf {
    /// Creates the protection of a site with this origin.
    ///
    /// An origin is a scheme, a host, and a port unless it is the scheme's default. This origin is
    /// used instead of the one in the request's headers, so it is correct with any proxy. By
    /// default, as in Django, the secret is in a cookie named `csrftoken` that lasts for 52 weeks.
    /// The cookie is `Secure` if the origin is https.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Origin`] if `origin` is not an `http` or `https` origin as browsers send it.
    pub fn new(origin: &str) -> Result<Self, ConfigError> {
        let (is_https, host) = origin::parse(origin).ok_or(ConfigError::Origin)?;
        let site = Site::Fixed { is_https, host: host.to_owned() };
        let options = CookieOptions::new(COOKIE_NAME)?.http_only(false).secure(is_https);
        Ok(Self::with(site, Store::Cookie { options, max_age: Some(COOKIE_AGE) }))
    }

    /// Creates the protection of a site whose origin is read from its requests.
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
    /// `https://*.example.com` means `example.com` and every host below it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Origin`] if `origin` is not an `http` or `https` origin as browsers send it.
    pub fn trusted_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        origin::parse(&origin.replacen("://*.", "://", 1)).ok_or(ConfigError::Origin)?;
        self.trust(origin);
        Ok(self)
    }

    /// Adds an origin in the format of a site's settings.
    pub(crate) fn trust(&mut self, origin: &str) {
        Arc::make_mut(&mut self.policy).trusted.add(origin);
    }

    /// Stores the secrets in this cookie, which lasts for `max_age`.
    ///
    /// With `None` it lasts until the browser is closed.
    ///
    /// Defaults to `csrftoken` for 52 weeks. A page's scripts can read the secret from the cookie,
    /// unless the cookie is `HttpOnly`. With a name that begins with `__Host-`, sibling domains
    /// cannot set the cookie.
    #[must_use]
    pub fn cookie(self, options: CookieOptions, max_age: impl Into<Option<Duration>>) -> Self {
        self.store(Store::Cookie { options, max_age: max_age.into() })
    }

    /// Stores the secrets in the session, as `CSRF_USE_SESSIONS`.
    ///
    /// The session cookie is then the only cookie, and a visitor who is shown a form gets a
    /// session. A login discards the secret together with the previous session.
    #[must_use]
    pub fn in_session(self) -> Self {
        self.store(Store::Session)
    }

    fn store(mut self, store: Store) -> Self {
        Arc::make_mut(&mut self.policy).store = store;
        self
    }

    /// Sets the header in which scripts send the token.
    ///
    /// Defaults to `X-CSRFToken`.
    #[must_use]
    pub fn header(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.policy).header = Some(name.to_ascii_lowercase());
        self
    }

    /// Disables the header: tokens are then read from forms only.
    pub(crate) fn without_header(mut self) -> Self {
        Arc::make_mut(&mut self.policy).header = None;
        self
    }

    /// Sets the maximum length of a form that is read, in bytes.
    ///
    /// Defaults to 65,536. A longer form gets a 413 response, unless the token is in the header.
    #[must_use]
    pub fn form_limit(mut self, limit: usize) -> Self {
        Arc::make_mut(&mut self.policy).form_limit = limit;
        self
    }

    /// Sets whether this program is reached over https. Defaults to `false`.
    ///
    /// Use it with [`DjangoSettings`](crate::django::DjangoSettings) if the program terminates TLS
    /// itself. Behind a proxy, set `SECURE_PROXY_SSL_HEADER` instead. With [`new`](Self::new) this
    /// has no effect, because the origin contains the scheme.
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

    /// Returns `true` if both store their secrets in the same place.
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
