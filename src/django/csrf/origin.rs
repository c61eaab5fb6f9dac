//! Checks where a request comes from, by its `Origin` and `Referer` headers.
//!
//! Corresponds to `CsrfViewMiddleware._origin_verified` and `_check_referer`, with the scheme and
//! the host of `HttpRequest.scheme` and `get_host`.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use crate::django::csrf::error::CsrfError;

/// The source of the site's own origin.
#[derive(Clone)]
pub(crate) enum Site {
    /// A fixed origin, whatever the headers say.
    Fixed {
        is_https: bool,
        /// With the port, unless it is the scheme's default.
        host: String,
    },
    /// The request's headers, as permitted by the settings.
    Headers(Proxy),
}

/// The settings by which Django determines the scheme and the host.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// Whether the scheme is https if no header determines it.
    pub(crate) is_https: bool,
    /// The header's name, and its value for https.
    pub(crate) https_header: Option<(String, String)>,
    pub(crate) uses_forwarded_host: bool,
    pub(crate) uses_forwarded_port: bool,
    pub(crate) allowed_hosts: Vec<String>,
    /// The cookie's domain, which a `Referer` must match instead of the host.
    pub(crate) cookie_domain: Option<String>,
}

/// Other origins whose forms are accepted.
#[derive(Clone, Default)]
pub(crate) struct Trusted(Vec<TrustedOrigin>);

#[derive(Clone)]
struct TrustedOrigin {
    /// The exact origin, unless it has a wildcard.
    exact: Option<String>,
    scheme: String,
    /// The host and port.
    ///
    /// A leading dot means this host and every host below it.
    pattern: String,
}

/// The headers of a request that say where it comes from and where it goes.
#[derive(Default)]
pub(crate) struct Headers {
    pub(crate) origin: Option<String>,
    pub(crate) referer: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) forwarded_host: Option<String>,
    pub(crate) forwarded_port: Option<String>,
    pub(crate) https_header: Option<String>,
}

/// The scheme and the host to which a request was sent.
pub(crate) struct Target<'a> {
    is_https: bool,
    /// `None` if there is no host, or if it is not an allowed host of the site.
    host: Option<Cow<'a, str>>,
    /// The host that a `Referer` must have.
    referer: Option<Cow<'a, str>>,
}

impl Site {
    /// Returns the name and value of the header that marks a request as https.
    pub(crate) fn https_header(&self) -> Option<&(String, String)> {
        match self {
            Self::Fixed { .. } => None,
            Self::Headers(proxy) => proxy.https_header.as_ref(),
        }
    }

    /// Returns the target of a request with these headers.
    pub(crate) fn target<'a>(&'a self, headers: &'a Headers) -> Target<'a> {
        match self {
            Self::Fixed { is_https, host } => {
                let host = Some(Cow::Borrowed(&**host));
                Target { is_https: *is_https, host: host.clone(), referer: host }
            }
            Self::Headers(proxy) => proxy.target(headers),
        }
    }
}

impl Proxy {
    fn target<'a>(&'a self, headers: &'a Headers) -> Target<'a> {
        let is_https = self.is_https(headers);
        let forwarded = headers.forwarded_host.as_ref().filter(|_| self.uses_forwarded_host);
        let named = forwarded.or(headers.host.as_ref()).map(String::as_str);
        let host = named.filter(|host| self.allows(host));
        let referer = match &self.cookie_domain {
            Some(domain) => Some(match self.port(headers, named) {
                Some(port) => Cow::Owned(format!("{domain}:{port}")),
                None => Cow::Borrowed(&**domain),
            }),
            None => host.map(Cow::Borrowed),
        };
        Target { is_https, host: host.map(Cow::Borrowed), referer }
    }

    /// Returns `true` if the request is https, as `HttpRequest.is_secure`.
    fn is_https(&self, headers: &Headers) -> bool {
        let Some((_, https)) = &self.https_header else { return self.is_https };
        let Some(value) = &headers.https_header else { return self.is_https };
        // With several proxies, the one nearest to the browser comes first.
        value.split(',').next().unwrap_or_default().trim() == https
    }

    /// Returns the request's port, unless it is a default port.
    fn port<'a>(&self, headers: &'a Headers, host: Option<&'a str>) -> Option<&'a str> {
        let forwarded = headers.forwarded_port.as_deref().filter(|_| self.uses_forwarded_port);
        let port = forwarded.or_else(|| split_host(host?)?.1)?;
        (!["443", "80"].contains(&port)).then_some(port)
    }

    /// Returns the host, as `HttpRequest.get_host` with `validate_host`.
    fn allows(&self, host: &str) -> bool {
        let Some((domain, _)) = split_host(host) else { return false };
        let domain = domain.to_ascii_lowercase();
        let domain = domain.strip_suffix('.').unwrap_or(&domain);
        let is_allowed = |pattern: &String| pattern == "*" || is_same_domain(domain, pattern);
        !domain.is_empty() && self.allowed_hosts.iter().any(is_allowed)
    }
}

/// Returns the name and the port of a valid `Host` header.
fn split_host(host: &str) -> Option<(&str, Option<&str>)> {
    let end = match host.strip_prefix('[') {
        Some(rest) => rest.find(']')?.checked_add(2)?,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (domain, rest) = host.split_at_checked(end)?;
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(port),
        None if rest.is_empty() => None,
        None => return None,
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_address = |byte: u8| byte.is_ascii_hexdigit() || b".:".contains(&byte);
    let is_legal = match domain.strip_prefix('[').and_then(|address| address.strip_suffix(']')) {
        // There is a first colon, with only hexadecimal digits before it.
        Some(address) => address.split_once(':').is_some_and(|(first, rest)| {
            first.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !rest.is_empty()
                && rest.bytes().all(is_address)
        }),
        None => !domain.is_empty() && domain.bytes().all(is_name),
    };
    let has_port =
        port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    (is_legal && has_port).then_some((domain, port))
}

impl Trusted {
    /// Adds an origin in the format of `CSRF_TRUSTED_ORIGINS`.
    ///
    /// An origin without a scheme and a host, in particular `null`, matches nothing. Django would
    /// accept it if it is listed.
    pub(crate) fn add(&mut self, origin: &str) {
        let Some((scheme, host)) = split_url(origin).filter(|(_, host)| !host.is_empty()) else {
            return;
        };
        let exact = (!origin.contains('*')).then(|| origin.to_owned());
        let pattern = host.trim_start_matches('*').to_owned();
        self.0.push(TrustedOrigin { exact, scheme, pattern });
    }
}

impl Target<'_> {
    /// Returns the origin of the site's own pages in this request.
    pub(crate) fn origin(&self) -> Option<String> {
        let scheme = if self.is_https { "https" } else { "http" };
        self.host.as_ref().map(|host| format!("{scheme}://{host}"))
    }

    /// Checks `Origin` if it was sent, and otherwise, on https, `Referer`.
    pub(crate) fn check(&self, headers: &Headers, trusted: &Trusted) -> Result<(), CsrfError> {
        match &headers.origin {
            Some(origin) if self.is_good(origin, trusted) => Ok(()),
            Some(_) => Err(CsrfError::Origin),
            None if self.is_https => self.check_referer(headers.referer.as_deref(), trusted),
            None => Ok(()),
        }
    }

    fn is_good(&self, origin: &str, trusted: &Trusted) -> bool {
        if self.origin().is_some_and(|own| own == origin) {
            return true;
        }
        let parts = split_url(origin);
        trusted.0.iter().any(|trusted| match (&trusted.exact, &parts) {
            (Some(exact), _) => exact == origin,
            (None, Some((scheme, host))) => {
                trusted.scheme == *scheme && is_same_domain(host, &trusted.pattern)
            }
            (None, None) => false,
        })
    }

    fn check_referer(&self, referer: Option<&str>, trusted: &Trusted) -> Result<(), CsrfError> {
        let referer = referer.ok_or(CsrfError::NoReferer)?;
        let (scheme, host) = split_url(referer).ok_or(CsrfError::MalformedReferer)?;
        if scheme.is_empty() || host.is_empty() {
            return Err(CsrfError::MalformedReferer);
        }
        if scheme != "https" {
            return Err(CsrfError::InsecureReferer);
        }
        let is_trusted = trusted.0.iter().any(|trusted| is_same_domain(host, &trusted.pattern));
        let is_own = || self.referer.as_ref().is_some_and(|own| is_same_domain(host, own));
        if is_trusted || is_own() { Ok(()) } else { Err(CsrfError::Referer) }
    }
}

/// Returns `true` if a host matches a pattern.
///
/// Corresponds to `django.utils.http.is_same_domain`.
fn is_same_domain(host: &str, pattern: &str) -> bool {
    let pattern = pattern.to_lowercase();
    match pattern.strip_prefix('.') {
        Some(rest) => host.ends_with(&pattern) || host == rest,
        None => !pattern.is_empty() && host == pattern,
    }
}

/// Returns the scheme in lower case, and the host with its port.
///
/// Corresponds to `urllib.parse.urlsplit`. Each is empty if it is missing. Returns `None` for a
/// host that browsers never send.
fn split_url(url: &str) -> Option<(String, &str)> {
    let is_scheme = |scheme: &&str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let (scheme, rest) = match url.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => (String::new(), url),
    };
    let Some(rest) = rest.strip_prefix("//") else { return Some((scheme, "")) };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = host.bytes().all(|byte| byte.is_ascii_graphic());
    (is_plain && has_sound_brackets(host)).then_some((scheme, host))
}

/// Returns `true` if brackets, if there are any, enclose an IPv6 address.
fn has_sound_brackets(host: &str) -> bool {
    if !host.contains(['[', ']']) {
        return true;
    }
    let host = host.rsplit('@').next().unwrap_or_default();
    let address = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    address.is_some_and(|(address, rest)| {
        address.parse::<Ipv6Addr>().is_ok() && (rest.is_empty() || rest.starts_with(':'))
    })
}

/// Reads an origin: `scheme://host` or `scheme://host:port`.
///
/// Returns whether it is https, and the host with its port.
pub(crate) fn parse(origin: &str) -> Option<(bool, &str)> {
    let (is_https, host) = match origin.split_once("://")? {
        ("https", host) => (true, host),
        ("http", host) => (false, host),
        _ => return None,
    };
    let (_, port) = split_host(host)?;
    // Browsers omit the default port, so an origin with it would never match.
    let own = if is_https { "443" } else { "80" };
    let is_lower = !host.bytes().any(|byte| byte.is_ascii_uppercase());
    (port != Some(own) && is_lower).then_some((is_https, host))
}
