//! Loads a session from request headers, and commits it to response headers.
//!
//! Corresponds to `django.contrib.sessions.middleware.SessionMiddleware`, without a framework.

use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, iter};

use cookie::Cookie;
use time::OffsetDateTime;

use crate::age::{Moment, signed};
use crate::candidates::{Candidates, unwrap_token};
use crate::codec::SessionCodec;
use crate::cookie::CookieOptions;
use crate::ending::Watch;
use crate::error::{ConfigError, DecodeError, EncodeError};
use crate::key::{Keyring, Weakness};
use crate::local_path::local_path;
use crate::reply::Reply;
use crate::revocation::Revocations;
use crate::session::{Retired, Session};

/// A shorter value is not a session, as in Django.
const MIN_TOKEN_CHARS: usize = 8;

/// Reads a visitor's session from a request, and returns a response's headers.
///
/// Two methods serve any framework: [`load`](Self::load) before the handler and
/// [`commit`](Self::commit) after it. The features `tower`, `axum` and `actix` call them for you.
///
/// The response's headers depend on the request's cookie and on what the program did with the
/// session:
///
/// | cookie | program | setting | `Set-Cookie` | `Vary` |
/// |---|---|---|---|---|
/// | any | does nothing | none | | |
/// | any | reads | none | | `Cookie` |
/// | any | writes | none | the session | `Cookie` |
/// | none | flushes | none | | `Cookie` |
/// | valid, refused, expired or too short | flushes | none | a removal | `Cookie` |
/// | valid | reads | `refresh_after`, and the token is older | the session | `Cookie` |
/// | signed with a fallback key | reads | `reissue_under_primary` | the session | `Cookie` |
/// | without a recorded start | reads | `track_start` | the session | `Cookie` |
/// | with a former name | reads | `retire` | the session, and a removal of the former | `Cookie` |
/// | valid, and one with a former name | reads | `retire` | a removal of the former | `Cookie` |
/// | two with equal entries | reads | `retire` with other attributes | the session, and a removal of the former | `Cookie` |
/// | two with different entries | reads | `retire` with other attributes | a removal of the former | `Cookie` |
/// | valid | does nothing | `save_every_request` | the session | `Cookie` |
/// | refused, expired or too short | reads | any but `retire` with other attributes | | `Cookie` |
/// | refused, expired or too short | does nothing | any | | |
///
/// With a status of 500 or above nothing is saved; only a removal that the program asked for is
/// sent. A cookie that the program did not ask for, such as that of `refresh_after`, is never added
/// to a response that already sets a cookie with the same name. If such a cookie cannot be written,
/// it is omitted: it never turns the response into an error. With
/// [`revocations`](Self::revocations), reading a revoked cookie removes it.
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
/// // The second request has one. Pass all of its `Cookie:` headers.
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
    /// Former options with the current name.
    retired_attributes: Vec<CookieOptions>,
    /// Former options with a different name.
    retired_names: Vec<CookieOptions>,
    refuse_if: Vec<Rule>,
    subject: Option<Box<str>>,
    watch: Option<Arc<Watch>>,
    login_page: Option<Box<str>>,
    clock: Option<Clock>,
}

type Rule = Arc<dyn Fn(&Session) -> bool + Send + Sync>;
type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

// The closures would remove these. A panic cannot leave a manager half changed: it has no mutable
// state.
impl UnwindSafe for SessionManager {}
impl RefUnwindSafe for SessionManager {}

/// The values in a request that may be a session.
struct Found<'h> {
    /// Whether the request had a cookie with the current name or a former name.
    has_cookie: bool,
    /// The values with the current name that can be tokens.
    current: Candidates<Cow<'h, [u8]>>,
    /// The values with each former name, in the order of the `retire` calls.
    former: Vec<Candidates<Cow<'h, [u8]>>>,
}

impl SessionManager {
    /// Creates a manager with the defaults of Django's `SessionMiddleware`.
    ///
    /// The cookie's attributes are those of `options`. The cookie's name is not signed: a token of
    /// one manager is valid for every other manager with the same key ring and salt. If there is
    /// more than one session cookie, create each codec with [`SessionCodec::named`].
    #[must_use]
    pub fn new(codec: SessionCodec, options: CookieOptions) -> Self {
        Self {
            codec,
            options,
            save_every_request: false,
            expire_at_browser_close: false,
            refresh_after: None,
            reissue_under_primary: false,
            retired_attributes: Vec::new(),
            retired_names: Vec::new(),
            refuse_if: Vec::new(),
            subject: None,
            watch: None,
            login_page: None,
            clock: None,
        }
    }

    /// Sets the keys and leaves everything else unchanged.
    ///
    /// To rotate them while requests are served, see [`LiveManager`](crate::LiveManager).
    #[must_use]
    pub fn keyring(mut self, ring: &Keyring) -> Self {
        self.codec = self.codec.with_ring(ring);
        self
    }

    /// Sets whether every response writes a valid session. Defaults to `false`.
    ///
    /// Corresponds to Django's `SESSION_SAVE_EVERY_REQUEST`. [`refresh_after`](Self::refresh_after)
    /// serves the same purpose with fewer cookies.
    #[must_use]
    pub fn save_every_request(mut self, save: bool) -> Self {
        self.save_every_request = save;
        self
    }

    /// Sets whether browsers drop the cookie on closing. Defaults to `false`.
    ///
    /// Corresponds to Django's `SESSION_EXPIRE_AT_BROWSER_CLOSE`. An expiry that the session
    /// [sets](Session::set_expiry) takes precedence. The token stays valid for
    /// [`max_age`](SessionCodec::max_age): browsers that restore closed windows send it again.
    #[must_use]
    pub fn expire_at_browser_close(mut self, expire: bool) -> Self {
        self.expire_at_browser_close = expire;
        self
    }

    /// Re-signs a session that was read if its timestamp is older than `age`.
    ///
    /// [`max_age`](SessionCodec::max_age) then limits how long a visitor may be idle, and not every
    /// response has to set a cookie. Choose a fraction of `max_age`, such as one day for two weeks.
    /// [`absolute_max_age`](SessionCodec::absolute_max_age) still applies.
    ///
    /// Without [`Revocations`], a slow response that refreshes a session can arrive after another
    /// response has ended the session, and then restores the session. The same holds for every
    /// other response that sends the session although the program did not change it: see the table
    /// at [`SessionManager`].
    ///
    /// # Examples
    ///
    /// Visitors are logged out after two weeks without a visit, and get a new cookie once a day:
    ///
    /// ```
    /// use signed_session::{CookieOptions, Keyring, SessionCodec, SessionManager};
    /// use std::time::Duration;
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let codec = SessionCodec::new(&ring).max_age(14 * DAY);
    /// let manager =
    ///     SessionManager::new(codec, CookieOptions::new("session")?).refresh_after(DAY);
    /// # Ok::<(), signed_session::ConfigError>(())
    /// ```
    #[must_use]
    pub fn refresh_after(mut self, age: Duration) -> Self {
        self.refresh_after = Some(age);
        self
    }

    /// Sets whether reading a session re-signs it with the primary key.
    ///
    /// Defaults to `false`: a session signed with a fallback key is re-signed only when it is
    /// changed. With `true`, a fallback key is no longer needed once every visitor has returned, or
    /// the longest lifetime of a session has passed.
    #[must_use]
    pub fn reissue_under_primary(mut self, reissue: bool) -> Self {
        self.reissue_under_primary = reissue;
        self
    }

    /// Refuses the sessions for which `rule` returns `true`.
    ///
    /// The rule runs before any handler sees the session and before it is refreshed.
    ///
    /// A refused session is empty, [`Session::refusal`] is [`DecodeError::Refused`], and the cookie
    /// stays until the program writes or flushes. The rule runs in every request that reads its
    /// session, so it must be fast: use what is in memory, and do not block. Its reads do not count
    /// as access. If there are several rules, a session is refused if any of them returns `true`.
    ///
    /// # Examples
    ///
    /// This example keeps a cut-off for each user, and refuses every session that began before it.
    /// The cut-off is compared with [`Session::started_at`], because [`Session::signed_at`] is the
    /// time of the last write, which anyone who has a copy of the cookie can renew.
    ///
    /// Django's `login` keeps the entries of an anonymous session, including its recorded start. A
    /// visitor whose anonymous session began before the cut-off, and who logs in to Django after
    /// the cut-off, is therefore refused here until they log out of Django.
    ///
    /// ```
    /// use signed_session::{CookieOptions, DecodeError, Keyring, SessionCodec, SessionManager};
    /// use std::collections::HashMap;
    /// use std::sync::{Arc, RwLock};
    /// use time::OffsetDateTime;
    ///
    /// // Filled from the database, and whenever a user is signed out.
    /// let signed_out: Arc<RwLock<HashMap<u64, OffsetDateTime>>> = Arc::default();
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let codec = SessionCodec::new(&ring).track_start(true);
    /// let known = Arc::clone(&signed_out);
    /// let manager =
    ///     SessionManager::new(codec, CookieOptions::new("sessionid")?).refuse_if(move |session| {
    ///         let Ok(Some(user_id)) = session.get::<u64>("user_id") else { return false };
    ///         let known = known.read().unwrap();
    ///         let Some(moment) = known.get(&user_id) else { return false };
    ///         session.started_at().is_none_or(|started| started <= *moment)
    ///     });
    ///
    /// let mut session = manager.load(["theme=dark"]);
    /// session.begin(|_| false);
    /// session.insert("user_id", 42)?;
    /// let stolen = manager.commit(&session, 200)?.set_cookie.unwrap().stripped().to_string();
    /// assert_eq!(manager.load([&stolen]).get("user_id")?, Some(42));
    ///
    /// signed_out.write().unwrap().insert(42, OffsetDateTime::now_utc());
    /// assert_eq!(manager.load([&stolen]).refusal(), Some(&DecodeError::Refused));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn refuse_if(mut self, rule: impl Fn(&Session) -> bool + Send + Sync + 'static) -> Self {
        self.refuse_if.push(Arc::new(rule));
        self
    }

    /// Sets the key of the entry that names the user, such as `user_id`.
    ///
    /// `LoggedIn` needs it. [`revocations`](Self::revocations) sets it too; the last call wins.
    #[must_use]
    pub fn subject(mut self, key: &str) -> Self {
        self.subject = Some(key.into());
        self.watch = self.watch.map(|watch| {
            Arc::new(Watch { revocations: watch.revocations.clone(), subject_key: key.into() })
        });
        self
    }

    /// Refuses sessions that were ended, and ends sessions at logout.
    ///
    /// See [`Revocations`]. `subject` is the key of the entry that names the user of a session. The
    /// entry's value is a string of 1 to 255 bytes or an integer; `42` and `"42"` are the same. A
    /// session without the entry, or with `null` in it, is anonymous: it cannot be ended, and
    /// nothing is remembered about it. Subjects should be stable, reveal nothing about a person,
    /// and not be given to a different person within the lifetime of a session.
    ///
    /// A session with a subject has an entry `_session_id`, which identifies the session through
    /// every write. The entry takes 39 bytes of JSON, and up to 52 bytes of the cookie. The program
    /// cannot change it. A session without the entry, such as one from Django, gets it with the
    /// next response to a request that read the session, in addition to the cases in the table at
    /// [`SessionManager`]. A session that has no room for the entry is not written, because its
    /// copies could then not be ended. A cookie that is refused as [`DecodeError::Revoked`] is
    /// removed with the next response to a request that read it.
    ///
    /// Only the manager consults the list: a [`SessionCodec`] alone does not, and signed cookies,
    /// messages and other tokens are not affected.
    #[must_use]
    pub fn revocations(mut self, revocations: Revocations, subject: &str) -> Self {
        self.watch = Some(Arc::new(Watch { revocations, subject_key: subject.into() }));
        self.subject(subject)
    }

    /// Sets the page to which `LoggedIn` redirects anonymous visitors.
    ///
    /// `path` is a path of this site. The address of the request is added to it as `?next=`: see
    /// [`local_path`]. Without a login page the response has the status 401.
    ///
    /// # Errors
    ///
    /// [`ConfigError::LoginPage`] if `path` is not a path of this site in printable ASCII.
    pub fn login_page(mut self, path: &str) -> Result<Self, ConfigError> {
        let is_header = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let path = local_path(path).filter(|_| is_header).ok_or(ConfigError::LoginPage)?;
        self.login_page = Some(path.into());
        Ok(self)
    }

    /// Returns the key of the entry that names the user of a session.
    #[cfg(any(feature = "axum", feature = "actix"))]
    pub(crate) fn subject_key(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Returns the login page.
    #[cfg(any(feature = "axum", feature = "actix"))]
    pub(crate) fn login_address(&self) -> Option<&str> {
        self.login_page.as_deref()
    }

    /// Sets the clock. Defaults to the system's.
    ///
    /// The clock is used wherever no time is passed: by the middlewares, by [`load`](Self::load)
    /// and by [`commit`](Self::commit). With a clock of its own, a test does not have to wait for a
    /// session to expire. A list of ended sessions has a [clock](Revocations::clock) too.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Takes over the list of ended sessions of `other`, if it has one.
    ///
    /// A new list would not know which sessions were ended.
    pub(crate) fn with_revocations_of(mut self, other: &Self) -> Self {
        let Some(kept) = &other.watch else { return self };
        let subject_key = self.subject.unwrap_or_else(|| kept.subject_key.clone());
        self.subject = Some(subject_key.clone());
        self.watch = Some(Arc::new(Watch { revocations: kept.revocations.clone(), subject_key }));
        self
    }

    /// Returns the keys.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn ring(&self) -> &Keyring {
        self.codec.ring()
    }

    /// Returns the current time by the manager's clock.
    pub(crate) fn now(&self) -> Moment {
        self.clock.as_ref().map_or_else(Moment::now, |clock| clock().into())
    }

    /// Adds a former cookie, after its name or its attributes were changed.
    ///
    /// Call this after a change of the name, the domain, the path or `Partitioned`: browsers then
    /// keep the former cookie alongside the current one until it expires. The session in the former
    /// cookie is still read and moves to the current cookie, and the former cookie is removed. Keep
    /// this call until the longest lifetime of a session has passed since the change.
    ///
    /// - **A different name.** The former cookie is read unless the current one is valid or
    ///   ambiguous. The session moves with the next response to a request that read it.
    /// - **Different attributes.** Both cookies have the same name, and nothing distinguishes them.
    ///   If the request has only one of them, the session moves when it is next written. If both
    ///   are valid and their entries are equal, they are one session, which moves when it is read.
    ///   If their entries differ, the session is refused as [`DecodeError::Ambiguous`], because
    ///   either cookie may have been planted. The former cookie is removed, so that the next
    ///   request has one cookie.
    ///
    /// A logout removes the former cookies even if the request did not send them.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{CookieOptions, Keyring, SessionCodec, SessionManager};
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let former = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("sid")?);
    /// let mut session = former.load(["theme=dark"]);
    /// session.insert("user_id", 42)?;
    /// let cookie = former.commit(&session, 200)?.set_cookie.unwrap();
    ///
    /// let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("sessionid")?)
    ///     .retire(CookieOptions::new("sid")?);
    /// let session = manager.load([&cookie.stripped().to_string()]);
    /// assert_eq!(session.get::<u64>("user_id")?, Some(42));
    /// let reply = manager.commit(&session, 200)?;
    /// assert_eq!(reply.set_cookie.unwrap().name(), "sessionid");
    /// assert_eq!(reply.removals[0].name(), "sid");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`DecodeError::Ambiguous`]: crate::DecodeError::Ambiguous
    #[must_use]
    pub fn retire(mut self, former: CookieOptions) -> Self {
        if former.name() != self.options.name() {
            self.retired_names.push(former);
        } else if !former.is_same_cookie(&self.options) {
            self.retired_attributes.push(former);
        }
        self
    }

    /// Returns the weaknesses of the secrets; see [`Keyring::weaknesses`].
    ///
    /// The middlewares of this crate log them once, as a warning.
    ///
    /// [`Keyring::weaknesses`]: crate::Keyring::weaknesses
    #[must_use]
    pub fn weaknesses(&self) -> Vec<(usize, Weakness)> {
        self.codec.weaknesses()
    }

    /// Reads the session from the request's `Cookie:` headers.
    ///
    /// See [`load_at`](Self::load_at).
    pub fn load<'h, H>(&self, cookie_headers: impl IntoIterator<Item = &'h H>) -> Session
    where
        H: AsRef<[u8]> + ?Sized + 'h,
    {
        self.load_session(cookie_headers, self.now())
    }

    /// Reads the session from the request's `Cookie:` headers, as of `now`.
    ///
    /// This never fails: if no token is accepted, the session is empty and [`Session::refusal`]
    /// says why.
    ///
    /// If several cookies have the name, the valid one is used. Two valid cookies that differ are
    /// refused as [`DecodeError::Ambiguous`], because one of them may have been planted. More than
    /// 16 are refused as [`DecodeError::TooManyCookies`].
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
        self.load_session(cookie_headers, now.into())
    }

    fn load_session<'h, H>(
        &self,
        cookie_headers: impl IntoIterator<Item = &'h H>,
        now: Moment,
    ) -> Session
    where
        H: AsRef<[u8]> + ?Sized + 'h,
    {
        let Found { has_cookie, current, former } = self.find(cookie_headers);
        let decode = |token: &str| self.decode(token, now);
        // With former attributes, one session can be in two cookies with the same name.
        let is_shared = !self.retired_attributes.is_empty();
        let is_doubled = Cell::new(false);
        let same = |one: &Session, other: &Session| {
            is_doubled.set(is_shared && one.has_the_entries_of(other));
            is_doubled.get()
        };
        let has_former_name = !former.iter().all(Candidates::is_empty);
        let (mut session, retired) = match current.choose_with(decode, same) {
            // Either of the cookies can be the former one: the session moves to the current one.
            Ok(Some(session)) if is_doubled.get() => (session, Retired::Session),
            Ok(Some(session)) if has_former_name => (session, Retired::Name),
            Ok(Some(session)) => (session, Retired::Nothing),
            Err(reason @ DecodeError::Ambiguous) if is_shared => {
                (Session::refused(reason), Retired::Rival)
            }
            Err(reason @ DecodeError::Ambiguous) => (Session::refused(reason), Retired::Nothing),
            refused => match (refused, first_valid(&former, decode)) {
                (_, Some(Ok(session))) => (session, Retired::Session),
                (Err(reason), _) | (_, Some(Err(reason))) => {
                    (Session::refused(reason), Retired::Nothing)
                }
                (_, None) => (Session::without_token(has_cookie), Retired::Nothing),
            },
        };
        session.set_retired(retired);
        if let Some(watch) = &self.watch {
            // Not earlier: an anonymous cookie that was planted must not win while the list is out
            // of date.
            session = session.into_watched(watch).refuse_if_unheard();
        }
        session.set_clock(now, self.codec.tracks_start());
        session
    }

    /// Decodes one of the cookies, and applies the list and the rules.
    fn decode(&self, token: &str, now: Moment) -> Result<Session, DecodeError> {
        let mut session = self.codec.decode_session(token, now)?;
        if let Some(watch) = &self.watch {
            session.identify(watch, token, now)?;
        }
        if self.refuse_if.iter().any(|rule| rule(&session)) {
            return Err(DecodeError::Refused);
        }
        session.set_untouched();
        Ok(session)
    }

    /// Returns an error if the session, as it is now, could not be written.
    ///
    /// With this, a handler can show the visitor an error, for example if a text is too long for a
    /// cookie. Without it, the response fails. This encodes the session like
    /// [`commit`](Self::commit) and takes as long. Entries that the response adds, such as a
    /// recorded start, are included.
    ///
    /// # Errors
    ///
    /// See [`commit_at`](Self::commit_at).
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{CookieOptions, EncodeError, Keyring, SessionCodec, SessionManager};
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("sessionid")?);
    /// let mut session = manager.load(["theme=dark"]);
    /// let note: String = (0..2000).map(|number| format!("{number:x}")).collect();
    /// session.insert("note", note)?;
    /// if let Err(EncodeError::TooLarge { .. }) = manager.check(&session) {
    ///     session.remove("note");
    /// }
    /// assert!(manager.commit(&session, 200).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(&self, session: &Session) -> Result<(), EncodeError> {
        let now = self.now();
        let Some(watch) = &self.watch else { return self.reply(session, 200, now).map(drop) };
        // A copy, because writing a session records its identity in it.
        let rehearsed = session.copy().into_watched(watch);
        if rehearsed.is_held_back() {
            return Ok(());
        }
        self.reply(&rehearsed, 200, now).map(drop)
    }

    /// Returns the headers that the response needs for this session.
    ///
    /// # Errors
    ///
    /// See [`commit_at`](Self::commit_at).
    pub fn commit(&self, session: &Session, status: u16) -> Result<Reply, EncodeError> {
        self.commit_session(session, status, self.now())
    }

    /// Returns the headers that the response needs if it is sent at `now`.
    ///
    /// The table at [`SessionManager`] lists when a cookie is set.
    ///
    /// # Errors
    ///
    /// These occur only if the program changed the session:
    /// - [`EncodeError::TooLarge`] if the cookie's name and value would exceed 4,096 bytes, or if
    ///   the token or its JSON would exceed the codec's limits;
    /// - [`EncodeError::BadExpiry`], [`EncodeError::BadSubject`] and [`EncodeError::BadTimestamp`].
    ///
    /// The response should then be an error, because the session was not saved. A session that the
    /// program did not change causes no error: see [`Reply::omitted`].
    pub fn commit_at(
        &self,
        session: &Session,
        status: u16,
        now: OffsetDateTime,
    ) -> Result<Reply, EncodeError> {
        self.commit_session(session, status, now.into())
    }

    fn commit_session(
        &self,
        session: &Session,
        status: u16,
        now: Moment,
    ) -> Result<Reply, EncodeError> {
        let Some(watch) = &self.watch else { return self.reply(session, status, now) };
        let watched = session.watched(watch);
        if watched.is_held_back() {
            // No cookie: it would restore the session, or overwrite that of a later login.
            return Ok(Reply { vary_on_cookie: session.is_accessed(), ..Reply::default() });
        }
        let reply = self.reply(&watched, status, now)?;
        if reply.set_cookie.is_some() {
            watched.end_former(now);
        }
        Ok(reply)
    }

    /// Returns the headers for a session that has not been ended meanwhile.
    fn reply(&self, session: &Session, status: u16, now: Moment) -> Result<Reply, EncodeError> {
        let is_asked = session.is_asked();
        let mut reply = Reply { vary_on_cookie: session.is_accessed(), ..Reply::default() };
        let attributes = self.retired_attributes.iter().map(CookieOptions::removal);
        let names = self.retired_names.iter().map(CookieOptions::removal);
        let is_renewal_due = self.is_renewal_due(session, now);
        if session.is_void() {
            if is_asked {
                // This includes cookies that this request did not bring, because of their path.
                reply.removals = attributes.chain(names).collect();
                reply.set_cookie = session.has_cookie().then(|| self.options.removal());
            }
        } else if status >= 500 {
            // A handler that failed may have left the session half changed.
        } else if (session.is_modified() || is_renewal_due || is_adoption_due(session))
            && self.is_news(session, now)
        {
            match self.cookie(session, now) {
                // The session has expired by now, and the browser may have a newer one.
                Ok(cookie) if !is_asked && is_removal(&cookie) => {}
                Ok(cookie) => {
                    // A former cookie with the current name can be present without being noticed.
                    let has_name = session.retired() != Retired::Nothing;
                    reply.removals = attributes.chain(names.filter(|_| has_name)).collect();
                    reply.set_cookie = Some(cookie);
                }
                Err(error) if is_asked => return Err(error),
                Err(error) => reply.omitted = Some(error),
            }
        } else if session.is_accessed() && session.reason() == Some(&DecodeError::Revoked) {
            reply.removals = attributes.chain(names).collect();
            reply.set_cookie = Some(self.options.removal());
        } else if session.is_accessed() {
            match session.retired() {
                Retired::Name => reply.removals = names.collect(),
                // One of the two is removed, so that the next request has one.
                Retired::Rival => reply.removals = attributes.collect(),
                Retired::Nothing | Retired::Session => {}
            }
        }
        let has_cookies = reply.set_cookie.is_some() || !reply.removals.is_empty();
        reply.is_unasked = has_cookies && !is_asked;
        reply.vary_on_cookie |= has_cookies;
        Ok(reply)
    }

    /// Returns the setting [`save_every_request`](Self::save_every_request).
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn saves_every_request(&self) -> bool {
        self.save_every_request
    }

    /// Returns `true` if the list is out of date and this was not reported yet.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn is_silence_news(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.revocations.is_silence_news())
    }

    /// Finds the cookies in a request that may be a session.
    fn find<'h, H>(&self, cookie_headers: impl IntoIterator<Item = &'h H>) -> Found<'h>
    where
        H: AsRef<[u8]> + ?Sized + 'h,
    {
        let max_len = self.codec.token_limit();
        let mut found = Found {
            has_cookie: false,
            current: Candidates::default(),
            former: vec![Candidates::default(); self.retired_names.len()],
        };
        for header in cookie_headers {
            let names = iter::once(&self.options).chain(&self.retired_names);
            let places = iter::once(&mut found.current).chain(&mut found.former);
            for (options, candidates) in names.zip(places) {
                for value in options.find_bytes(header.as_ref()) {
                    found.has_cookie = true;
                    let token = unwrap_token(value, max_len);
                    if is_long_enough(&token) {
                        candidates.add(token);
                    }
                }
            }
        }
        found
    }

    /// Returns `true` if an unchanged session must be written.
    ///
    /// A refused cookie is never replaced here: a late response would overwrite a cookie that
    /// another response has set meanwhile.
    fn is_renewal_due(&self, session: &Session, now: Moment) -> bool {
        let Some(origin) = session.origin() else { return false };
        let is_old = |limit| now.since(origin.signed_at) > signed(limit);
        self.save_every_request
            || session.is_accessed()
                && (session.retired() == Retired::Session
                    || self.codec.is_start_due(session)
                    || self.refresh_after.is_some_and(is_old)
                    || self.reissue_under_primary && origin.key_index > 0)
    }

    /// Returns `false` if the token would be the same as the request's.
    fn is_news(&self, session: &Session, now: Moment) -> bool {
        session.retired() == Retired::Session
            || self.codec.is_start_due(session)
            || is_adoption_due(session)
            || session.origin().is_none_or(|origin| {
                origin.key_index > 0
                    || origin.signed_at.seconds() != now.seconds()
                    || !session.is_as_it_arrived()
            })
    }

    /// Returns the session's cookie, with its identity if it has a subject.
    fn cookie(&self, session: &Session, now: Moment) -> Result<Cookie<'static>, EncodeError> {
        let (session, left) = session.identified(now)?;
        let (token, max_age) = self.codec.issue(&session, self.expire_at_browser_close, now)?;
        let max_age = max_age.map(|max_age| left.map_or(max_age, |left| left.min(max_age)));
        let cookie = self.options.cookie(&token, max_age, now.date());
        cookie.map_err(|error| error.with_entries(|| session.sizes()))
    }
}

/// Returns `true` if the identity of a session should be recorded.
///
/// The session was in a token without an identity.
fn is_adoption_due(session: &Session) -> bool {
    session.is_accessed() && session.is_adopted()
}

/// Returns the first valid session with a former name, or the first refusal.
fn first_valid(
    former: &[Candidates<Cow<'_, [u8]>>],
    decode: impl Fn(&str) -> Result<Session, DecodeError>,
) -> Option<Result<Session, DecodeError>> {
    let mut chosen = former.iter().filter_map(|tokens| tokens.choose(&decode).transpose());
    let first = chosen.next()?;
    Some(if first.is_ok() { first } else { chosen.find(Result::is_ok).unwrap_or(first) })
}

/// Returns `true` if browsers remove the cookie; they count in whole seconds.
fn is_removal(cookie: &Cookie<'_>) -> bool {
    cookie.max_age().is_some_and(|max_age| max_age.whole_seconds() < 1)
}

/// Returns `true` if a value is long enough for a token, by Django's rule.
fn is_long_enough(value: &[u8]) -> bool {
    // Bytes that are not UTF-8 count as in Django, which replaces them.
    let chars = value.utf8_chunks().flat_map(|chunk| {
        let replacement = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(replacement)
    });
    chars.take(MIN_TOKEN_CHARS).count() == MIN_TOKEN_CHARS
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManager").finish_non_exhaustive()
    }
}
