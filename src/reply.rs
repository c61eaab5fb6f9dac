//! Holds what a session adds to a response, and formats it as headers.

use std::fmt;

use cookie::Cookie;

use crate::error::EncodeError;
#[cfg(feature = "tower")]
use crate::error::sure;

/// The cookies and cache rules that a session adds to a response.
///
/// A program without one of the middlewares appends the [`headers`](Self::headers), and logs the
/// [`omitted`](Self::omitted) error.
#[derive(Clone, Default, PartialEq)]
#[must_use = "the response has to carry it, or the session is lost"]
#[non_exhaustive]
pub struct Reply {
    /// Removals of cookies that the current one replaces; see
    /// [`SessionManager::retire`](crate::SessionManager::retire). They go before `set_cookie`.
    pub removals: Vec<Cookie<'static>>,
    /// The cookie to set or, with an empty value, to remove; it prints as a `Set-Cookie:` value.
    pub set_cookie: Option<Cookie<'static>>,
    /// Whether the program did not ask for these cookies, such as those of a refresh.
    ///
    /// They must then not follow another cookie of their name, which the program did ask for.
    /// Removals of former cookies never do.
    pub is_unasked: bool,
    /// The reason why a cookie that the program did not ask for could not be written and is
    /// omitted.
    pub omitted: Option<EncodeError>,
    /// Whether the response depends on the cookie, so that caches must keep visitors apart.
    pub vary_on_cookie: bool,
}

impl Reply {
    /// Returns the headers to append to a response, given its present headers.
    ///
    /// - `Set-Cookie`, except that an [unasked](Self::is_unasked) cookie and a removal of a former
    ///   one are left out if the response already sets a cookie of that name;
    /// - `Vary: Cookie`, unless the response has it already;
    /// - with a cookie, `Cache-Control: private`, unless the response has a `Cache-Control`.
    ///
    /// Append them: no header should be overwritten.
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
    /// For programs that use `http`'s types and none of the middlewares, and for the cookie of
    /// [`Messages::commit`](crate::django::Messages::commit).
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

/// Shows whether there are cookies, but not their content: a cookie gives access to the session.
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
