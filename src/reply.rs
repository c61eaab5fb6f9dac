//! Stores what a session adds to a response, and formats it as headers.

use std::fmt;

use cookie::Cookie;

use crate::error::EncodeError;
#[cfg(feature = "tower")]
use crate::error::sure;

/// The cookies and cache rules that a session adds to a response.
///
/// A program that uses neither the layer nor the middleware appends the [`headers`](Self::headers),
/// and logs the [`omitted`](Self::omitted) error.
#[derive(Clone, Default, PartialEq)]
#[must_use = "the response has to carry it, or the session is lost"]
#[non_exhaustive]
pub struct Reply {
    /// Removals of former cookies, to be appended before `set_cookie`.
    ///
    /// See [`SessionManager::retire`](crate::SessionManager::retire).
    pub removals: Vec<Cookie<'static>>,
    /// The cookie to set or, with an empty value, to remove.
    ///
    /// Its `Display` is the value of a `Set-Cookie:` header.
    pub set_cookie: Option<Cookie<'static>>,
    /// Whether the program did not ask for these cookies, as in a refresh.
    ///
    /// A response that already sets a cookie of the same name must then not get them, and must
    /// never get a removal of a former cookie.
    pub is_unasked: bool,
    /// The reason why a cookie that the program did not ask for is omitted.
    ///
    /// The cookie could not be written.
    pub omitted: Option<EncodeError>,
    /// Whether the response depends on the cookie.
    ///
    /// Caches must then not serve it to other visitors.
    pub vary_on_cookie: bool,
}

impl Reply {
    /// Returns the headers to append to a response with the headers `present`.
    ///
    /// - `Set-Cookie`, except that an [unasked](Self::is_unasked) cookie and a removal of a former
    ///   cookie are omitted if the response already sets a cookie of that name;
    /// - `Vary: Cookie`, unless the response has it already;
    /// - with a cookie, `Cache-Control: private`, unless the response has a `Cache-Control`.
    ///
    /// Append them, and do not overwrite any header.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{CookieOptions, Keyring, SessionCodec, SessionManager};
    ///
    /// # let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// # let options = CookieOptions::new("sessionid")?;
    /// let manager = SessionManager::new(SessionCodec::new(&ring), options);
    /// let mut session = manager.load(["theme=dark"]);
    /// session.insert("user_id", 42)?;
    ///
    /// let mut response = vec![("Vary".to_owned(), "Accept-Encoding".to_owned())];
    /// let present = response.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    /// let headers = manager.commit(&session, 200)?.headers(present);
    /// response.extend(headers.into_iter().map(|(name, value)| (name.to_owned(), value)));
    /// let names: Vec<_> = response.iter().map(|(name, _)| name.as_str()).collect();
    /// assert_eq!(names, ["Vary", "set-cookie", "vary", "cache-control"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn headers<'a>(
        &self,
        present: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Vec<(&'static str, String)> {
        if self.removals.is_empty() && self.set_cookie.is_none() && !self.vary_on_cookie {
            return Vec::new();
        }
        let mut removals: Vec<&Cookie<'_>> = self.removals.iter().collect();
        let mut set_cookie = self.set_cookie.as_ref();
        let (mut varies, mut says_nothing_of_caches) = (self.vary_on_cookie, true);
        for (name, value) in present {
            if name.eq_ignore_ascii_case("set-cookie") {
                let is_another =
                    |cookie: &&Cookie<'_>| cookie_name(value) != cookie.name().as_bytes();
                removals.retain(is_another);
                set_cookie = set_cookie.filter(|cookie| !self.is_unasked || is_another(cookie));
            } else if name.eq_ignore_ascii_case("vary") {
                varies &= !items(value).any(|item| item == b"*" || is(item, "cookie"));
            } else if name.eq_ignore_ascii_case("cache-control") {
                says_nothing_of_caches = false;
            }
        }
        let is_private = says_nothing_of_caches && (set_cookie.is_some() || !removals.is_empty());
        removals
            .into_iter()
            .chain(set_cookie)
            .map(|cookie| ("set-cookie", cookie.to_string()))
            .chain(varies.then(|| ("vary", "Cookie".to_owned())))
            .chain(is_private.then(|| ("cache-control", "private".to_owned())))
            .collect()
    }
}

#[cfg(feature = "tower")]
impl Reply {
    /// Appends the [`headers`](Self::headers) to those of a response.
    ///
    /// Use this in programs that use the types of the crate `http`, but neither the layer nor the
    /// middleware, and for the cookie of [`Messages::commit`](crate::django::Messages::commit).
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Response, header::SET_COOKIE};
    /// use signed_session::{CookieOptions, Keyring, SessionCodec, SessionManager};
    ///
    /// # let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// # let options = CookieOptions::new("sessionid")?;
    /// let manager = SessionManager::new(SessionCodec::new(&ring), options);
    /// let mut session = manager.load(["theme=dark"]);
    /// session.insert("user_id", 42)?;
    ///
    /// let mut response = Response::new("hello");
    /// manager.commit(&session, response.status().as_u16())?.append_to(response.headers_mut());
    /// assert!(response.headers()[SET_COOKIE].to_str()?.starts_with("sessionid="));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
    pub fn append_to(&self, response: &mut http::HeaderMap) {
        let present = response.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        append(self.headers(present), response);
    }
}

/// Appends the headers of a reply to those of a response.
#[cfg(feature = "tower")]
pub(crate) fn append(headers: Vec<(&'static str, String)>, response: &mut http::HeaderMap) {
    for (name, value) in headers {
        // All of them are ASCII without control characters.
        if let Some(value) = sure(http::HeaderValue::try_from(value).ok().map(Some)) {
            response.append(http::HeaderName::from_static(name), value);
        }
    }
}

/// Returns `true` if a response with these headers may be shared by caches.
#[cfg(any(feature = "tower", feature = "actix"))]
pub(crate) fn is_public<'a>(present: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> bool {
    present.into_iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("cache-control") && items(value).any(|item| is(item, "public"))
    })
}

/// Returns the name of the cookie in a `Set-Cookie` header.
fn cookie_name(header: &[u8]) -> &[u8] {
    header.split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default().trim_ascii()
}

/// Returns the items of a list header.
fn items(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn is(item: &[u8], name: &str) -> bool {
    item.eq_ignore_ascii_case(name.as_bytes())
}

/// Shows whether there are cookies. Omits their content.
///
/// A cookie gives access to the session.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("removals", &self.removals.len())
            .field("sets_cookie", &self.set_cookie.is_some())
            .field("is_unasked", &self.is_unasked)
            .field("omitted", &self.omitted)
            .field("vary_on_cookie", &self.vary_on_cookie)
            .finish()
    }
}
