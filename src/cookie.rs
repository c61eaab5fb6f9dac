//! Creates cookies from checked attributes, and finds cookies in headers.
//!
//! Follows RFC 6265 and its successor draft-ietf-httpbis-rfc6265bis.

use cookie::{Cookie, SameSite};
use time::macros::datetime;
use time::{OffsetDateTime, UtcOffset};

use crate::error::{ConfigError, EncodeError, sure};

/// The maximum length of name and value, together, that browsers keep.
pub(crate) const MAX_LEN: usize = 4096;

/// The maximum length of an attribute that browsers keep, in bytes.
const MAX_ATTRIBUTE_LEN: usize = 1024;

/// An expiry in the past, by which browsers remove a cookie.
const FIRST_DATE: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// A year in a cookie has four digits.
const LAST_DATE: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

/// A cookie's name and attributes.
///
/// The name is not signed, as in Django: a visitor can send the value of any cookie under a
/// different name. [`SessionCodec::named`](crate::SessionCodec::named) separates the sessions of a
/// site.
///
/// The defaults are `Secure`, `HttpOnly`, `SameSite=Lax` and `Path=/`: Django's defaults, plus
/// `Secure`. Attributes that browsers require are always set: `SameSite=None`, `Partitioned` and
/// the prefixes `__Secure-`, `__Host-` and `__Http-` imply `Secure`; `__Http-` and `__Host-Http-`
/// imply `HttpOnly`.
///
/// # Examples
///
/// ```
/// use signed_session::CookieOptions;
///
/// let options = CookieOptions::new("sessionid")?.domain("example.com")?;
/// let hour = Some(time::Duration::HOUR);
/// let cookie = options.cookie("e30:1r31eq:sig", hour, time::OffsetDateTime::UNIX_EPOCH)?;
/// assert_eq!(
///     cookie.to_string(),
///     "sessionid=e30:1r31eq:sig; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com; \
///      Max-Age=3600; Expires=Thu, 01 Jan 1970 01:00:00 GMT",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CookieOptions {
    name: String,
    /// Without a path, browsers use the folder of the page that set the cookie.
    path: Option<String>,
    domain: Option<String>,
    secure: bool,
    http_only: bool,
    same_site: Option<SameSite>,
    partitioned: bool,
}

impl CookieOptions {
    /// Creates options for a cookie with this name.
    ///
    /// Django's session cookie is named `sessionid`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::CookieName`] if the name is not a token of RFC 9110 with 1 to 256 characters.
    pub fn new(name: &str) -> Result<Self, ConfigError> {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || name.len() > 256 || !name.bytes().all(is_token) {
            return Err(ConfigError::CookieName);
        }
        Ok(Self {
            name: name.to_owned(),
            path: Some("/".to_owned()),
            domain: None,
            secure: true,
            http_only: true,
            same_site: Some(SameSite::Lax),
            partitioned: false,
        })
    }

    /// Sets the path below which the cookie is sent. Defaults to `/`.
    ///
    /// If you change it later, browsers keep the former cookie as well, and send both: pass the
    /// former options to [`SessionManager::retire`](crate::SessionManager::retire).
    ///
    /// # Errors
    ///
    /// [`ConfigError::CookiePath`] if the path does not begin with `/`, has more than 1,024 bytes,
    /// or contains a `;` or anything other than printable ASCII; [`ConfigError::HostPrefix`] for
    /// `__Host-` and a path other than `/`.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::CookieOptions;
    ///
    /// // Only requests below /app send this cookie.
    /// let options = CookieOptions::new("session")?.path("/app")?;
    /// assert!(CookieOptions::new("session")?.path("app").is_err());
    /// # Ok::<(), signed_session::ConfigError>(())
    /// ```
    pub fn path(mut self, path: &str) -> Result<Self, ConfigError> {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b';';
        let fits = path.len() <= MAX_ATTRIBUTE_LEN && !path.ends_with(' ');
        if !path.starts_with('/') || !fits || !path.bytes().all(is_plain) {
            return Err(ConfigError::CookiePath);
        }
        if self.has_prefix("__Host-") && path != "/" {
            return Err(ConfigError::HostPrefix);
        }
        self.path = Some(path.to_owned());
        Ok(self)
    }

    /// Omits the path, as Django with an empty `SESSION_COOKIE_PATH`.
    pub(crate) fn without_path(mut self) -> Result<Self, ConfigError> {
        if self.has_prefix("__Host-") {
            return Err(ConfigError::HostPrefix);
        }
        self.path = None;
        Ok(self)
    }

    /// Sets the domain whose hosts all get the cookie.
    ///
    /// Defaults to only the host that set the cookie. A leading dot, which old browsers required,
    /// has no meaning and is dropped. If you change the domain later, browsers keep the former
    /// cookie as well, and send both: pass the former options to
    /// [`SessionManager::retire`](crate::SessionManager::retire).
    ///
    /// # Errors
    ///
    /// [`ConfigError::CookieDomain`] if the domain is not a host name in ASCII;
    /// [`ConfigError::HostPrefix`] for `__Host-`.
    pub fn domain(mut self, domain: &str) -> Result<Self, ConfigError> {
        let host = domain.strip_prefix('.').unwrap_or(domain);
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if host.len() > 253 || !host.split('.').all(is_label) {
            return Err(ConfigError::CookieDomain);
        }
        if self.has_prefix("__Host-") {
            return Err(ConfigError::HostPrefix);
        }
        self.domain = Some(host.to_owned());
        Ok(self)
    }

    /// Sets the `Secure` attribute. Defaults to `true`.
    ///
    /// The cookie is then sent over https only. Chrome and Firefox make an exception for
    /// `http://localhost`. Safari does not store the cookie there, and clients such as Python's
    /// `requests` and `httpx` do not send it back: use `secure(false)` in development.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Sets the `HttpOnly` attribute. Defaults to `true`.
    ///
    /// It prevents scripts in the page from reading the cookie.
    #[must_use]
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Sets the `SameSite` attribute. Defaults to `Lax`.
    ///
    /// It decides which requests from other sites contain the cookie. `None` omits the attribute,
    /// and leaves the choice to the browser.
    #[must_use]
    pub fn same_site(mut self, same_site: impl Into<Option<SameSite>>) -> Self {
        self.same_site = same_site.into();
        self
    }

    /// Sets the `Partitioned` attribute. Defaults to `false`.
    ///
    /// Browsers then store a separate cookie for each site that embeds this one.
    ///
    /// If you change this later, browsers keep the former cookie as well, and send both: pass the
    /// former options to [`SessionManager::retire`](crate::SessionManager::retire).
    #[must_use]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Returns the cookie's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the cookie's values in a `Cookie:` header, in order.
    ///
    /// There can be several, because cookies of different paths and domains can have the same name.
    /// Names are compared byte for byte after spaces and tabs around them are removed. Nothing is
    /// decoded.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::CookieOptions;
    ///
    /// let options = CookieOptions::new("sessionid")?;
    /// let header = "theme=dark; sessionid=e30:1r31eq:sig; SessionID=other; =sessionid";
    /// assert_eq!(options.find(header).collect::<Vec<_>>(), ["e30:1r31eq:sig"]);
    /// # Ok::<(), signed_session::ConfigError>(())
    /// ```
    pub fn find<'h>(&self, header: &'h str) -> impl Iterator<Item = &'h str> {
        // A value ends at a character boundary, so it is valid UTF-8.
        self.find_bytes(header.as_bytes()).filter_map(|value| str::from_utf8(value).ok())
    }

    /// Returns the cookie's values in a header that may not be UTF-8.
    pub(crate) fn find_bytes<'h>(&self, header: &'h [u8]) -> impl Iterator<Item = &'h [u8]> {
        header.split(|byte| *byte == b';').filter_map(move |pair| {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = pair.split_at_checked(equals)?;
            (trim(name) == self.name.as_bytes()).then(|| trim(sure(value.get(1..))))
        })
    }

    /// Returns the cookie, which lasts for `max_age` from `now`.
    ///
    /// With `None` it lasts until the browser is closed.
    ///
    /// It has both `Max-Age` and `Expires`, as in Django.
    ///
    /// # Errors
    ///
    /// [`EncodeError::CookieValue`] if the value contains a character that is not allowed in
    /// cookies; [`EncodeError::TooLarge`] if name and value exceed 4,096 bytes: browsers silently
    /// drop such a cookie.
    pub fn cookie(
        &self,
        value: &str,
        max_age: Option<time::Duration>,
        now: OffsetDateTime,
    ) -> Result<Cookie<'static>, EncodeError> {
        let is_octet = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        if !value.bytes().all(is_octet) {
            return Err(EncodeError::CookieValue);
        }
        self.quoted_cookie(value, max_age, now)
    }

    /// Returns a cookie whose value may be quoted as by Python.
    pub(crate) fn quoted_cookie(
        &self,
        value: &str,
        max_age: Option<time::Duration>,
        now: OffsetDateTime,
    ) -> Result<Cookie<'static>, EncodeError> {
        let len = self.name.len().saturating_add(value.len());
        if len > MAX_LEN {
            return Err(EncodeError::too_large(len, MAX_LEN));
        }
        let mut cookie = self.bare(value);
        cookie.set_http_only(self.is_http_only());
        if let Some(max_age) = max_age {
            cookie.set_max_age(max_age);
            let expires = now.saturating_add(max_age).clamp(FIRST_DATE, LAST_DATE);
            cookie.set_expires(expires.to_offset(UtcOffset::UTC));
        }
        Ok(cookie)
    }

    /// Returns an empty, expired cookie, with which browsers remove this one.
    ///
    /// It has every attribute that browsers require for the name, because they ignore it otherwise.
    #[must_use]
    pub fn removal(&self) -> Cookie<'static> {
        let mut cookie = self.bare("");
        // Django's removals are never `HttpOnly`; browsers require the attribute for some names.
        cookie.set_http_only(self.name_demands_http_only());
        cookie.set_max_age(time::Duration::ZERO);
        cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
        cookie
    }

    /// Returns a cookie with the attributes that identify it in browsers.
    fn bare(&self, value: &str) -> Cookie<'static> {
        let mut cookie = Cookie::new(self.name.clone(), value.to_owned());
        if let Some(path) = &self.path {
            cookie.set_path(path.clone());
        }
        cookie.set_secure(self.is_secure());
        cookie.set_same_site(self.same_site);
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        if self.partitioned {
            cookie.set_partitioned(true);
        }
        cookie
    }

    fn is_secure(&self) -> bool {
        self.secure
            || self.partitioned
            || self.same_site == Some(SameSite::None)
            || ["__Secure-", "__Host-", "__Http-"].iter().any(|prefix| self.has_prefix(prefix))
    }

    fn is_http_only(&self) -> bool {
        self.http_only || self.name_demands_http_only()
    }

    fn name_demands_http_only(&self) -> bool {
        ["__Http-", "__Host-Http-"].iter().any(|prefix| self.has_prefix(prefix))
    }

    /// Returns `true` if one cookie replaces the other in browsers.
    pub(crate) fn is_same_cookie(&self, other: &Self) -> bool {
        let domain = |options: &Self| options.domain.as_deref().map(str::to_ascii_lowercase);
        self.name == other.name
            && self.path == other.path
            && domain(self) == domain(other)
            && self.partitioned == other.partitioned
    }

    /// Returns `true` if the name has the prefix, ignoring case like browsers.
    fn has_prefix(&self, prefix: &str) -> bool {
        self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }
}

/// Removes spaces and tabs around a name or a value.
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
