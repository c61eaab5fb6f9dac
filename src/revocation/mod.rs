//! Remembers which sessions were ended, until they would have expired.
//!
//! Nothing is stored about active sessions. The table of ended sessions is in memory. The program
//! keeps it the same in every process that serves the same users.

pub(crate) mod state;

pub(crate) mod line;
pub(crate) mod table;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::age::Moment;
use crate::error::{ApplyError, RevocationError};
use crate::identity::{Identity, Subject};
use crate::revocation::line::{Ended, Revocation};
use crate::revocation::table::Table;

/// The largest clock difference between machines: five minutes (microseconds).
///
/// This is part of the format: a missing identity is derived with it.
pub(crate) const CLOCK_SKEW: i64 = 300_000_000;

/// How far another machine's timestamp may be ahead of this machine's clock.
///
/// The other clock may be ahead by the skew, the timestamp is chosen later by the skew, and this
/// clock may be behind by the skew.
const MAX_AHEAD: i64 = 3 * CLOCK_SKEW;

/// A list of ended sessions, by session, by subject or for everyone.
///
/// Pass it to [`SessionManager::revocations`], with the key of the entry that names the user, the
/// *subject*. From then on every session with a subject has an [id](crate::Session::id), which no
/// write and no refresh changes. A logout ends the session itself: all copies of its cookie are
/// refused as [`DecodeError::Revoked`](crate::DecodeError::Revoked), even if they were re-signed.
///
/// - [`Session::flush`](crate::Session::flush) at logout and
///   [`Session::begin`](crate::Session::begin) at login end the session of the request. They need
///   no call to this type.
/// - Call [`end_others`](Self::end_others) after a password was changed, [`end_all`](Self::end_all)
///   to sign a user out everywhere, and [`end_everyone`](Self::end_everyone) after an incident.
///
/// Clones share one list: configure it before you clone it. The list is in memory. If there are
/// several processes, send each revocation to the others ([`on_revocation`](Self::on_revocation)),
/// and [`apply`](Self::apply) those that arrive. To keep the list after a restart, store each
/// revocation, and apply them when the process starts. Share a list between managers only if a
/// subject means the same user in all of them.
///
/// Ending sessions does not lock an account: a user who can log in can log in again. No revocation
/// that a process knows applies to a later login in that process, whatever the clock says.
///
/// # Examples
///
#[cfg_attr(feature = "random", doc = "```")]
#[cfg_attr(not(feature = "random"), doc = "```ignore")]
/// use std::time::Duration;
/// use signed_session::{
///     CookieOptions, DecodeError, Keyring, Revocations, SessionCodec, SessionManager,
/// };
///
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// let revocations = Revocations::new(Duration::from_secs(30 * 24 * 60 * 60));
/// let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("sessionid")?)
///     .revocations(revocations.clone(), "user_id");
///
/// // A login.
/// let mut session = manager.load(["theme=dark"]);
/// session.begin(|_| false);
/// session.insert("user_id", 42)?;
/// let stolen = manager.commit(&session, 200)?.set_cookie.unwrap().stripped().to_string();
/// assert_eq!(manager.load([&stolen]).get("user_id")?, Some(42));
///
/// // A logout, by the owner of the cookie.
/// let mut session = manager.load([&stolen]);
/// session.flush();
/// let _removal = manager.commit(&session, 200)?;
/// assert_eq!(manager.load([&stolen]).refusal(), Some(&DecodeError::Revoked));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`SessionManager::revocations`]: crate::SessionManager::revocations
#[derive(Clone)]
pub struct Revocations {
    /// How long a session lasts from its login, in microseconds.
    lifetime: i64,
    /// The random source of session identities.
    random: fn() -> [u8; 8],
    list: Arc<List>,
    /// The function to call with each new revocation.
    tell: Option<Tell>,
    expected: Option<(Duration, Silence)>,
    clock: Option<Clock>,
}

type Tell = Arc<dyn Fn(&Revocation) + Send + Sync>;
type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

struct List {
    table: Table,
    /// The zero of the times in `heard`.
    began: Instant,
    /// When the list was last up to date: microseconds plus one; 0 for never.
    heard: AtomicU64,
    /// Whether it was reported that the list is out of date.
    has_warned: AtomicBool,
}

// The closure would remove these. A panic cannot leave a list half changed: it has no such state.
impl UnwindSafe for Revocations {}
impl RefUnwindSafe for Revocations {}

/// The behavior while the list of ended sessions is out of date.
///
/// See [`Revocations::expect_news_within`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Sessions are accepted unless they are known to have ended.
    Accept,
    /// Sessions with a subject are refused, and their cookies are kept.
    ///
    /// The refusal is [`DecodeError::Unheard`](crate::DecodeError::Unheard). Anonymous sessions are
    /// accepted.
    Refuse,
}

impl Revocations {
    /// Creates an empty list for sessions that last `lifetime` from the login.
    ///
    /// A manager with this list refuses a session with a subject once it is older than `lifetime`,
    /// whatever its own expiry and however often it was refreshed. The manager also limits the
    /// cookie's `Max-Age` to the lifetime; browsers limit it to 400 days. A revocation is
    /// remembered for the lifetime plus five minutes, because clocks differ; after that, every copy
    /// is refused because of its age.
    #[cfg(feature = "random")]
    #[cfg_attr(docsrs, doc(cfg(feature = "random")))]
    #[must_use]
    pub fn new(lifetime: Duration) -> Self {
        let lifetime = i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX);
        Self {
            lifetime,
            random: crate::random::bytes,
            list: Arc::new(List {
                table: Table::new(lifetime.saturating_add(CLOCK_SKEW)),
                began: Instant::now(),
                heard: AtomicU64::new(0),
                has_warned: AtomicBool::new(false),
            }),
            tell: None,
            expected: None,
            clock: None,
        }
    }

    /// Sets the longest time between calls of [`heard`](Self::heard).
    ///
    /// The list is out of date ([`is_silent`](Self::is_silent)) while a call is overdue, by this
    /// machine's monotonic clock. It is also out of date until the first call, because a process
    /// that has just started does not know what was ended. `silence` sets what happens then.
    /// Without this setting a list is never out of date.
    #[must_use]
    pub fn expect_news_within(mut self, time: Duration, silence: Silence) -> Self {
        self.expected = Some((time, silence));
        self
    }

    /// Sets a function to call with each new revocation by this process.
    ///
    /// It is called in the thread that ends the session, often while a response waits for it, so
    /// only add the revocation to a queue. It is not called for revocations that were
    /// [applied](Self::apply), or for one that was already known.
    #[must_use]
    pub fn on_revocation(mut self, tell: impl Fn(&Revocation) + Send + Sync + 'static) -> Self {
        self.tell = Some(Arc::new(tell));
        self
    }

    /// Sets the clock. Defaults to the system's clock.
    ///
    /// This is for tests, together with [`SessionManager::clock`]: it applies to
    /// [`end_all`](Self::end_all) and to every other call that is not given the time. Sessions
    /// themselves follow the clock of their manager.
    ///
    /// [`SessionManager::clock`]: crate::SessionManager::clock
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    fn now(&self) -> OffsetDateTime {
        self.clock.as_ref().map_or_else(OffsetDateTime::now_utc, |clock| clock())
    }

    /// Ends one session of a subject, by its [id](crate::Session::id).
    ///
    /// Use this for a list of devices, with the ids that the program recorded at login. An id is
    /// not a secret, and does not prove that the session belongs to the subject: only the program's
    /// own record does.
    ///
    /// # Errors
    ///
    /// See [`end_one_at`](Self::end_one_at).
    pub fn end_one(
        &self,
        subject: impl fmt::Display,
        id: &str,
    ) -> Result<Revocation, RevocationError> {
        self.end_one_at(subject, id, self.now())
    }

    /// Ends one session of a subject, at `now`; see [`end_one`](Self::end_one).
    ///
    /// # Errors
    ///
    /// [`RevocationError::BadSubject`] if the subject does not have 1 to 255 bytes;
    /// [`RevocationError::BadSessionId`] if the id is malformed, or if its session would begin more
    /// than fifteen minutes after `now`.
    pub fn end_one_at(
        &self,
        subject: impl fmt::Display,
        id: &str,
        now: OffsetDateTime,
    ) -> Result<Revocation, RevocationError> {
        let subject = read_subject(&subject)?;
        let now = Moment::from(now).microseconds();
        let id = Identity::parse(id).filter(|id| id.began <= now.saturating_add(MAX_AHEAD));
        let id = id.ok_or(RevocationError::BadSessionId)?;
        let is_news = self.list.table.end(&subject, id, now);
        Ok(self.told(is_news, Ended::One { subject, id }))
    }

    /// Ends all sessions of a subject that began up to now.
    ///
    /// This signs a user out everywhere. Sessions that begin later are valid, if they begin in a
    /// process that knows this revocation. The session of a login in progress, whose response is
    /// still to come, is valid too.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "random", doc = "```")]
    #[cfg_attr(not(feature = "random"), doc = "```ignore")]
    /// use std::time::Duration;
    /// use signed_session::Revocations;
    ///
    /// let revocations = Revocations::new(Duration::from_secs(30 * 24 * 60 * 60));
    /// revocations.end_all(42)?;
    /// assert_eq!(revocations.len(), 1);
    /// # Ok::<(), signed_session::RevocationError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RevocationError::BadSubject`] if the subject does not have 1 to 255 bytes.
    pub fn end_all(&self, subject: impl fmt::Display) -> Result<Revocation, RevocationError> {
        self.end_all_at(subject, self.now())
    }

    /// Ends all sessions of a subject that began up to `now`.
    ///
    /// See [`end_all`](Self::end_all).
    ///
    /// # Errors
    ///
    /// [`RevocationError::BadSubject`] if the subject does not have 1 to 255 bytes.
    pub fn end_all_at(
        &self,
        subject: impl fmt::Display,
        now: OffsetDateTime,
    ) -> Result<Revocation, RevocationError> {
        Ok(self.end_subject(read_subject(&subject)?, Moment::from(now).microseconds()))
    }

    /// Ends all users' sessions that began up to now.
    ///
    /// Anonymous sessions are not affected.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn end_everyone(&self) -> Revocation {
        self.end_everyone_at(self.now())
    }

    /// Ends all users' sessions that began up to `now`.
    ///
    /// See [`end_everyone`](Self::end_everyone).
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn end_everyone_at(&self, now: OffsetDateTime) -> Revocation {
        let by = self
            .list
            .table
            .end_everyone(Moment::from(now).microseconds().saturating_add(CLOCK_SKEW));
        self.told(true, Ended::Everyone { by })
    }

    /// Adds a revocation from another process, or from before a restart.
    ///
    /// Returns `true` if the revocation was not known.
    ///
    /// # Errors
    ///
    /// See [`apply_at`](Self::apply_at).
    pub fn apply(&self, revocation: &Revocation) -> Result<bool, ApplyError> {
        self.apply_at(revocation, self.now())
    }

    /// Adds a revocation from another process, as of `now`.
    ///
    /// Returns `true` if the revocation was not known. A revocation that is too old to be
    /// remembered is not added.
    ///
    /// # Errors
    ///
    /// [`ApplyError::Ahead`] if it is more than fifteen minutes ahead of `now`: the clock of one of
    /// the machines is wrong, and users would be locked out for that long. Nothing is added then.
    pub fn apply_at(
        &self,
        revocation: &Revocation,
        now: OffsetDateTime,
    ) -> Result<bool, ApplyError> {
        let now = Moment::from(now).microseconds();
        let (Ended::One { id: Identity { began: moment, .. }, .. }
        | Ended::All { by: moment, .. }
        | Ended::Everyone { by: moment }) = &revocation.0;
        if *moment > now.saturating_add(MAX_AHEAD) {
            return Err(ApplyError::Ahead);
        }
        Ok(match &revocation.0 {
            Ended::One { subject, id } => self.list.table.end(subject, *id, now),
            Ended::All { subject, by } => self.list.table.end_by(subject, *by, now),
            Ended::Everyone { by } => self.list.table.end_everyone_by(*by, now),
        })
    }

    /// Returns all revocations that are still remembered.
    ///
    /// A single session is omitted if all sessions of its subject were ended later.
    ///
    /// Use this to save the list to disk, or to send it to another process.
    #[must_use]
    pub fn list(&self) -> Vec<Revocation> {
        self.list_at(self.now())
    }

    /// Returns all revocations remembered at `now`; see [`list`](Self::list).
    #[must_use]
    pub fn list_at(&self, now: OffsetDateTime) -> Vec<Revocation> {
        let (table, now) = (&self.list.table, Moment::from(now).microseconds());
        let everyone = Some(table.everyone()).filter(|by| *by > 0 && *by >= table.horizon(now));
        let mut list: Vec<_> =
            everyone.map(|by| Revocation(Ended::Everyone { by })).into_iter().collect();
        table.for_each(now, |subject, by, ids| {
            let all = (by > 0).then(|| Ended::All { subject: subject.clone(), by });
            let each = ids.iter().map(|id| Ended::One { subject: subject.clone(), id: *id });
            list.extend(all.into_iter().chain(each).map(Revocation));
        });
        list
    }

    /// Records that all revocations of other processes up to now were applied.
    ///
    /// Call this after each read that reached the last of the other processes' revocations, even if
    /// nothing was new; see [`expect_news_within`](Self::expect_news_within).
    pub fn heard(&self) {
        let time = u64::try_from(self.list.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.list.heard.fetch_max(time.saturating_add(1), Ordering::AcqRel);
        self.list.has_warned.store(false, Ordering::Relaxed);
    }

    /// Returns `true` if the list is out of date: a call of `heard` is overdue.
    ///
    /// See [`expect_news_within`](Self::expect_news_within).
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let Some((within, _)) = self.expected else { return false };
        let heard = self.list.heard.load(Ordering::Acquire).checked_sub(1);
        heard.is_none_or(|heard| {
            self.list.began.elapsed().saturating_sub(Duration::from_micros(heard)) > within
        })
    }

    /// Returns the number of subjects in the list, for monitoring.
    ///
    /// Subjects whose revocations have expired count until they are removed, which happens during
    /// later writes. A subject takes 110 to 200 bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.table.len()
    }

    /// Returns `true` if the list has no subjects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `true` if the list is out of date and sessions are refused.
    pub(crate) fn refuses(&self) -> bool {
        matches!(self.expected, Some((_, Silence::Refuse))) && self.is_silent()
    }

    /// Returns `true` if the list is out of date and this was not reported yet.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn is_silence_news(&self) -> bool {
        self.is_silent() && !self.list.has_warned.swap(true, Ordering::Relaxed)
    }

    /// Returns how long a session lasts from its login, in microseconds.
    pub(crate) fn lifetime(&self) -> i64 {
        self.lifetime
    }

    /// Returns `true` if a moment is further ahead than any clock may be.
    pub(crate) fn is_ahead(moment: i64, now: i64) -> bool {
        moment > now.saturating_add(MAX_AHEAD)
    }

    /// Returns `true` if this session was ended.
    pub(crate) fn covers(&self, subject: &Subject, id: Identity) -> bool {
        self.list.table.covers(subject, id)
    }

    /// Returns the first moment that is after all known revocations.
    ///
    /// This means revocations of everyone's sessions and of all sessions of the subject.
    pub(crate) fn first_moment(&self, subject: Option<&Subject>) -> i64 {
        self.list.table.first_moment(subject)
    }

    /// Returns the identity of a session that starts at `now`.
    ///
    /// It starts after every known revocation.
    pub(crate) fn begin(&self, subject: Option<&Subject>, now: i64) -> Identity {
        Identity::new(now.max(self.first_moment(subject)), (self.random)())
    }

    /// Ends one session. Returns `None` if it had ended before.
    pub(crate) fn end_session(
        &self,
        subject: Subject,
        id: Identity,
        now: i64,
    ) -> Option<Revocation> {
        let is_news = self.list.table.end(&subject, id, now);
        is_news.then(|| self.told(true, Ended::One { subject, id }))
    }

    /// Ends all sessions of a subject.
    pub(crate) fn end_subject(&self, subject: Subject, now: i64) -> Revocation {
        let by = self.list.table.end_all(&subject, now.saturating_add(CLOCK_SKEW), now);
        self.told(true, Ended::All { subject, by })
    }

    /// Returns what was ended, after reporting it if it is new.
    fn told(&self, is_news: bool, ended: Ended) -> Revocation {
        let revocation = Revocation(ended);
        if let Some(tell) = self.tell.as_ref().filter(|_| is_news) {
            tell(&revocation);
        }
        revocation
    }
}

fn read_subject(subject: &impl fmt::Display) -> Result<Subject, RevocationError> {
    Subject::new(&subject.to_string()).ok_or(RevocationError::BadSubject)
}

/// Omits whose sessions were ended.
impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations").finish_non_exhaustive()
    }
}
