//! Turns request headers into a session, and a session and a status into the cookie that is due.
//!
//! As `django.contrib.sessions.middleware.SessionMiddleware`, with no framework
//! around it.

use std::fmt;
use std::time::Duration;

use cookie::Cookie;
use time::OffsetDateTime;

use crate::age::{between, signed};
use crate::candidates::{Candidates, is_worth_keeping};
use crate::codec::SessionCodec;
use crate::cookie::CookieOptions;
use crate::error::EncodeError;
use crate::key::Weakness;
use crate::session::Session;

/// A shorter value stands for no session, as in Django.
const MIN_TOKEN_CHARS: usize = 8;

/// Reads a visitor's session from the request and says what the response must carry.
///
/// Two functions for any framework: [`load`](Self::load) before the handler,
/// [`commit`](Self::commit) after it. The features `tower`, `axum` and `actix`
/// call them for you.
///
/// | the handler | the response |
/// |---|---|
/// | did not touch the session | nothing |
/// | read it | `Vary: Cookie` |
/// | changed it | `Vary: Cookie` and the cookie, unless the status is 500 or above |
/// | flushed it | `Vary: Cookie` and the removal of the cookie, if there was one |
///
/// # Examples
///
/// ```
/// use signed_session::{CookieOptions, Keyring, SessionCodec, SessionManager};
///
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// let options = CookieOptions::new("sessionid")?;
/// let manager = SessionManager::new(SessionCodec::new(&ring), options);
///
/// // A visitor's first request has no cookie.
/// let mut session = manager.load(None::<&str>);
/// session.insert("user_id", 42)?;
/// let reply = manager.commit(&session, 200)?;
/// let cookie = reply.set_cookie.unwrap();
/// assert!(reply.vary_on_cookie);
///
/// // The second has: the `Cookie:` headers, however many there are.
/// let header = format!("theme=dark; {}", cookie.stripped());
/// let session = manager.load([&header]);
/// assert_eq!(session.get::<u64>("user_id")?, Some(42));
/// assert!(manager.commit(&session, 200)?.set_cookie.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SessionManager {
    codec: SessionCodec,
    options: CookieOptions,
    save_every_request: bool,
    expire_at_browser_close: bool,
    refresh_after: Option<Duration>,
    reissue_under_primary: bool,
}

/// What the response must carry.
#[derive(Clone, PartialEq)]
#[must_use = "the response has to carry it, or the session is lost"]
#[non_exhaustive]
pub struct Reply {
    /// The cookie to set, which may be one that deletes; printed, it is a `Set-Cookie:` value.
    pub set_cookie: Option<Cookie<'static>>,
    /// Whether the response depends on the cookie, so that caches must keep visitors apart.
    pub vary_on_cookie: bool,
}

impl SessionManager {
    /// Makes a manager that behaves as Django's middleware with its default settings.
    #[must_use]
    pub fn new(codec: SessionCodec, options: CookieOptions) -> Self {
        Self {
            codec,
            options,
            save_every_request: false,
            expire_at_browser_close: false,
            refresh_after: None,
            reissue_under_primary: false,
        }
    }

    /// Sets whether a session is written again with every response: it is not, unless told.
    ///
    /// Django's `SESSION_SAVE_EVERY_REQUEST`. [`refresh_after`](Self::refresh_after)
    /// serves the same end with fewer cookies.
    #[must_use]
    pub fn save_every_request(mut self, save: bool) -> Self {
        self.save_every_request = save;
        self
    }

    /// Sets whether the cookie goes when the browser is closed: it stays, unless told.
    ///
    /// Django's `SESSION_EXPIRE_AT_BROWSER_CLOSE`. A session's own
    /// [`set_expiry`](Session::set_expiry) comes first. The token itself still
    /// lasts for [`max_age`](SessionCodec::max_age): browsers restore windows.
    #[must_use]
    pub fn expire_at_browser_close(mut self, expire: bool) -> Self {
        self.expire_at_browser_close = expire;
        self
    }

    /// Has a session that was read signed anew once its stamp is older than this.
    ///
    /// Then [`max_age`](SessionCodec::max_age) limits how long a visitor may be
    /// idle, without a cookie in every response. Choose a fraction of it: with two
    /// weeks, a day. [`absolute_max_age`](SessionCodec::absolute_max_age) is kept.
    ///
    /// A slow response that refreshes a session can arrive after another response
    /// has ended it, and then brings it back; so can one of
    /// [`save_every_request`](Self::save_every_request), each time.
    #[must_use]
    pub fn refresh_after(mut self, age: Duration) -> Self {
        self.refresh_after = Some(age);
        self
    }

    /// Sets whether a session that a fallback key verified goes out again under the first key.
    ///
    /// It does so only when it is changed, unless told. With this, a retired key
    /// can be dropped as soon as every visitor has come once.
    #[must_use]
    pub fn reissue_under_primary(mut self, reissue: bool) -> Self {
        self.reissue_under_primary = reissue;
        self
    }

    /// Names what makes each of the secrets easy to guess, as [`Keyring::weaknesses`].
    ///
    /// The middlewares of this crate log it once, as a warning.
    ///
    /// [`Keyring::weaknesses`]: crate::Keyring::weaknesses
    #[must_use]
    pub fn weaknesses(&self) -> Vec<(usize, Weakness)> {
        self.codec.weaknesses()
    }

    /// Reads the session from the request's `Cookie:` headers.
    ///
    /// As [`load_at`](Self::load_at).
    pub fn load<'h, H>(&self, cookie_headers: impl IntoIterator<Item = &'h H>) -> Session
    where
        H: AsRef<[u8]> + ?Sized + 'h,
    {
        self.load_at(cookie_headers, OffsetDateTime::now_utc())
    }

    /// Reads the session from the request's `Cookie:` headers, as of `now`.
    ///
    /// This never fails: where no token is good the session is empty, and
    /// [`Session::refusal`] says why.
    ///
    /// Of several cookies of the name the good one is taken. Two good ones that
    /// differ are [`DecodeError::Ambiguous`]: one of them may have been planted.
    /// At most 16 are looked at; more are [`DecodeError::TooManyCookies`].
    ///
    /// [`DecodeError::Ambiguous`]: crate::DecodeError::Ambiguous
    /// [`DecodeError::TooManyCookies`]: crate::DecodeError::TooManyCookies
    pub fn load_at<'h, H>(
        &self,
        cookie_headers: impl IntoIterator<Item = &'h H>,
        now: OffsetDateTime,
    ) -> Session
    where
        H: AsRef<[u8]> + ?Sized + 'h,
    {
        let (has_cookie, tokens) = self.find(cookie_headers);
        match tokens.choose(|token| self.codec.decode_at(token, now)) {
            Ok(Some(session)) => session,
            Ok(None) => Session::without_token(has_cookie),
            Err(reason) => Session::refused(reason),
        }
    }

    /// Says what the response to this session must carry.
    ///
    /// # Errors
    ///
    /// As [`commit_at`](Self::commit_at).
    pub fn commit(&self, session: &Session, status: u16) -> Result<Reply, EncodeError> {
        self.commit_at(session, status, OffsetDateTime::now_utc())
    }

    /// Says what the response to this session must carry if it is sent at `now`.
    ///
    /// Nothing is saved for a status of 500 or above. A token that was refused is
    /// replaced by an empty session as soon as the session is read, as in Django;
    /// but not one that is genuine and that only this program, as it is set up or
    /// as its clock goes, cannot read: it stays unless the session is written.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLarge`] if name and value would have more than 4,096
    /// bytes, or the token more than its limits; [`EncodeError::BadExpiry`] and
    /// [`EncodeError::BadTimestamp`]. The response is then to be an error, for
    /// the session was not saved.
    pub fn commit_at(
        &self,
        session: &Session,
        status: u16,
        now: OffsetDateTime,
    ) -> Result<Reply, EncodeError> {
        if session.has_cookie() && session.is_void() {
            return Ok(Reply { set_cookie: Some(self.options.removal()), vary_on_cookie: true });
        }
        if session.is_void() || status >= 500 || !self.is_due(session, now) {
            return Ok(Reply { set_cookie: None, vary_on_cookie: session.is_accessed() });
        }
        let cookie = self.cookie(session, now)?;
        Ok(Reply { set_cookie: Some(cookie), vary_on_cookie: true })
    }

    /// Does the same for a request whose session nobody asked for, and reads it only if it must.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn commit_untouched(
        &self,
        cookie_headers: &[u8],
        status: u16,
    ) -> Result<Reply, EncodeError> {
        if self.save_every_request {
            return self.commit(&self.load([cookie_headers]), status);
        }
        // Whether it is valid does not matter, only whether it can be a token at all.
        let (has_cookie, tokens) = self.find([cookie_headers]);
        let is_void = has_cookie && tokens.is_empty();
        let set_cookie = is_void.then(|| self.options.removal());
        Ok(Reply { set_cookie, vary_on_cookie: is_void })
    }

    /// Returns whether the cookie came, and its values that may be tokens.
    fn find<'h, H>(
        &self,
        cookie_headers: impl IntoIterator<Item = &'h H>,
    ) -> (bool, Candidates<&'h [u8]>)
    where
        H: AsRef<[u8]> + ?Sized + 'h,
    {
        let mut has_cookie = false;
        let tokens = cookie_headers
            .into_iter()
            .flat_map(|header| self.options.find_bytes(header.as_ref()))
            .inspect(|_| has_cookie = true)
            .filter(|value| is_long_enough(value))
            .collect();
        (has_cookie, tokens)
    }

    /// Tells whether the session is to be written, if it may be.
    fn is_due(&self, session: &Session, now: OffsetDateTime) -> bool {
        let was_read = session.is_accessed();
        let is_due = match session.reason() {
            Some(reason) if is_worth_keeping(reason) => false,
            Some(_) => was_read || self.save_every_request,
            None => self.save_every_request || was_read && self.is_renewal_due(session, now),
        };
        (session.is_modified() || is_due) && !is_written_already(session, now)
    }

    fn is_renewal_due(&self, session: &Session, now: OffsetDateTime) -> bool {
        session.origin().is_some_and(|origin| {
            self.refresh_after.is_some_and(|limit| between(origin.signed_at, now) > signed(limit))
                || self.reissue_under_primary && origin.key_index > 0
        })
    }

    fn cookie(
        &self,
        session: &Session,
        now: OffsetDateTime,
    ) -> Result<Cookie<'static>, EncodeError> {
        let (token, max_age) = self.codec.issue(session, self.expire_at_browser_close, now)?;
        let cookie = self.options.cookie(&token, max_age, now);
        cookie.map_err(|error| error.with_entries(|| session.sizes()))
    }
}

impl Reply {
    /// Lists the headers to append to a response, given those that it has.
    ///
    /// `Set-Cookie`; `Vary: Cookie`, unless it says so already; and with a cookie
    /// `Cache-Control: private`, unless it says anything of its own. Nothing is to
    /// be overwritten.
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
        let set_cookie = self.set_cookie.as_ref().map(Cookie::to_string);
        let (mut varies, mut is_private) = (self.vary_on_cookie, self.set_cookie.is_some());
        for (name, value) in present {
            let names_cookie = |item: &[u8]| {
                let item = item.trim_ascii();
                item == b"*" || item.eq_ignore_ascii_case(b"cookie")
            };
            if name.eq_ignore_ascii_case("vary")
                && value.split(|byte| *byte == b',').any(names_cookie)
            {
                varies = false;
            }
            is_private &= !name.eq_ignore_ascii_case("cache-control");
        }
        [
            set_cookie.map(|cookie| ("set-cookie", cookie)),
            varies.then(|| ("vary", "Cookie".to_owned())),
            is_private.then(|| ("cache-control", "private".to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Tells whether a value is long enough for a token, by Django's rule.
fn is_long_enough(value: &[u8]) -> bool {
    // What is not UTF-8 counts as Django's replacement characters do.
    let chars = value.utf8_chunks().flat_map(|chunk| {
        let replacement = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(replacement)
    });
    chars.take(MIN_TOKEN_CHARS).count() == MIN_TOKEN_CHARS
}

/// Tells whether the browser holds this very session, stamped in this very second.
fn is_written_already(session: &Session, now: OffsetDateTime) -> bool {
    session.origin().is_some_and(|origin| {
        origin.key_index == 0
            && origin.signed_at.unix_timestamp() == now.unix_timestamp()
            && session.is_as_it_arrived()
    })
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManager").finish_non_exhaustive()
    }
}

/// Shows whether there is a cookie, and nothing of it: it is the visitor's key to the session.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("sets_cookie", &self.set_cookie.is_some())
            .field("vary_on_cookie", &self.vary_on_cookie)
            .finish_non_exhaustive()
    }
}
