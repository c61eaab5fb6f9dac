//! Holds a visitor's data, which knows whether it was read or changed.
//!
//! As `django.contrib.sessions.backends.base.SessionBase`. Entries that came in
//! a token stay the JSON text that they are: `get` parses one when it is asked
//! for, and what nobody touched goes back byte for byte.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned};
use time::{OffsetDateTime, UtcOffset};

use crate::entries::{Entries, Iter};
use crate::error::{DecodeError, ValueError};
use crate::expiry::{Claim, EXPIRY_KEY, Expiry, ID_KEY, STARTED_KEY, read_started};
use crate::json::{self, Fault};

const TEST_COOKIE_KEY: &str = "testcookie";
const TEST_COOKIE_VALUE: &str = "worked";

/// A visitor's data: text keys, and values of any type that serde knows.
///
/// It remembers whether it was read ([`is_accessed`](Self::is_accessed): the
/// answer depends on the cookie) and whether it was changed
/// ([`is_modified`](Self::is_modified): a new cookie is due). Keys that begin
/// with `_` are reserved to Django and to this crate.
///
/// Reading takes `&self`; only one program part at a time can write.
///
/// # Examples
///
/// ```
/// use signed_session::Session;
///
/// let mut session = Session::new();
/// session.insert("user_id", 42)?;
/// session.insert("cart", ["apples", "pears"])?;
/// assert_eq!(session.get::<u64>("user_id")?, Some(42));
/// assert_eq!(session.get::<String>("language")?, None);
/// assert_eq!(session.pop::<Vec<String>>("cart")?.map(|cart| cart.len()), Some(2));
/// assert!(session.is_modified());
/// # Ok::<(), signed_session::ValueError>(())
/// ```
#[derive(Default)]
pub struct Session {
    entries: Entries,
    source: Source,
    retired: Retired,
    /// What time it is for the program, if that is known.
    now: Option<OffsetDateTime>,
    /// When the session was begun here, if it did not come in a token.
    begun_at: Option<OffsetDateTime>,
    /// Whether its beginning is recorded when it is written.
    tracks_start: bool,
    /// Whether anything was read; what was changed counts as read, too.
    accessed: AtomicBool,
    change: Change,
}

/// Whether a session was changed, and on whose behalf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    #[default]
    Nothing,
    /// Only by this crate, as when a hash moves to another key: nobody has to know if it is lost.
    Unasked,
    /// By the program.
    Asked,
}

/// Where a session comes from, which decides what becomes of the browser's cookie.
#[derive(Clone, Debug)]
enum Source {
    /// No session was there, or it was flushed: without entries there is nothing to write.
    Nothing { has_cookie: bool },
    /// It was begun here: it is written even without entries.
    Begun { has_cookie: bool },
    /// A cookie that was refused, for which the session stands in.
    Refused(DecodeError),
    /// A valid token.
    Token(Origin),
}

impl Default for Source {
    fn default() -> Self {
        Self::Nothing { has_cookie: false }
    }
}

/// What a request brought of cookies that were in use before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Retired {
    /// Nothing that is known of.
    #[default]
    Nothing,
    /// One of a former name, beside the session's own.
    Name,
    /// The session itself: it has to move to the current cookie.
    Session,
    /// One with former attributes, which makes the session ambiguous.
    Rival,
}

/// What a valid token says besides the entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) signed_at: OffsetDateTime,
    pub(crate) key_index: usize,
    /// When its first token was signed, as far as is known.
    pub(crate) started: OffsetDateTime,
}

impl Session {
    /// Makes an empty session, as for a visitor without a cookie.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates the session of a visitor without a valid token; `has_cookie` may stand for one.
    pub(crate) fn without_token(has_cookie: bool) -> Self {
        Self { source: Source::Nothing { has_cookie }, ..Self::default() }
    }

    /// Creates the empty session that stands in for a token that was refused.
    pub(crate) fn refused(reason: DecodeError) -> Self {
        Self { source: Source::Refused(reason), ..Self::default() }
    }

    /// Reads a session from the JSON of a token whose signature has been verified.
    pub(crate) fn from_json(text: String) -> Result<Self, DecodeError> {
        match Entries::read(text) {
            Ok(entries) => Ok(Self { entries, ..Self::default() }),
            Err(Fault::Syntax) => Err(DecodeError::Json),
            Err(Fault::Type) => Err(DecodeError::NotAnObject),
        }
    }

    /// Returns all entries as one JSON object: ASCII, and what was not touched as it came.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    ///
    /// let mut session = Session::new();
    /// session.insert("name", "Zoë")?;
    /// session.insert("visits", 3)?;
    /// assert_eq!(session.to_json(), r#"{"name":"Zo\u00eb","visits":3}"#);
    /// # Ok::<(), signed_session::ValueError>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        self.touch();
        let mut json = String::new();
        self.write(&mut json);
        json
    }

    /// Appends the entries to `out` as one JSON object; does not count as access.
    pub(crate) fn write(&self, out: &mut String) {
        self.entries.write(out);
    }

    /// Returns the entry's value, if there is one.
    ///
    /// `T` may borrow from the session. For text ask for a `String`: as `&str` it does not fit
    /// once it has an escape, as all beyond ASCII has. `serde_json::Value` rounds integers past
    /// 64 bits; [`get_json`](Self::get_json) returns what no Rust type holds. So it does what is
    /// nested more than 64 deep, which fits no type here: reading it could exhaust the stack.
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if the entry does not fit `T`.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, key: &str) -> Result<Option<T>, ValueError> {
        self.touch();
        let Some(text) = self.text(key) else { return Ok(None) };
        json::read(text).map(Some).map_err(|_| ValueError::WrongType)
    }

    /// Returns an entry's JSON text, unchanged, if there is one.
    ///
    /// It is ASCII. Every digit of a number is there, and every space that came with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    ///
    /// let mut session = Session::new();
    /// session.insert_json("serial", "123456789012345678901234567890")?;
    /// assert_eq!(session.get_json("serial"), Some("123456789012345678901234567890"));
    /// assert_eq!(session.get_json("none"), None);
    /// # Ok::<(), signed_session::ValueError>(())
    /// ```
    #[must_use]
    pub fn get_json(&self, key: &str) -> Option<&str> {
        self.touch();
        self.text(key)
    }

    /// Sets an entry; a new key comes last, a known one keeps its place.
    ///
    /// A value that was read, changed and not inserted again is not saved.
    ///
    /// A key is a name that your program chooses, never what a visitor typed: keys appear in
    /// errors and logs, such as [`EncodeError::TooLarge`](crate::EncodeError::TooLarge) of a session
    /// that is too large. A map under one key holds what visitors name.
    ///
    /// # Errors
    ///
    /// [`ValueError::NotFinite`] for NaN and the infinities, which JSON cannot
    /// say; [`ValueError::Unserializable`] if the value cannot be written as
    /// JSON; [`ValueError::Reserved`] for `_session_started`, and for a
    /// `_session_expiry` that no decoder would accept: see
    /// [`set_expiry`](Self::set_expiry). The session is then unchanged.
    pub fn insert<T: Serialize>(&mut self, key: &str, value: T) -> Result<(), ValueError> {
        let text = encode(key, &value)?;
        self.set(key, text);
        Ok(())
    }

    /// Sets an entry to what is JSON already, as [`insert`](Self::insert) does to a value.
    ///
    /// For what no Rust type holds, such as an integer past 64 bits. Numbers and spaces stay as
    /// they are; characters beyond ASCII become escapes.
    ///
    /// # Errors
    ///
    /// [`ValueError::NotJson`] if the text is not one JSON value; [`ValueError::Reserved`] as
    /// `insert`. The session is then unchanged.
    pub fn insert_json(&mut self, key: &str, json: &str) -> Result<(), ValueError> {
        let text = allow(key, json::adopt(json)?)?;
        self.set(key, text);
        Ok(())
    }

    /// Removes an entry and tells whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        self.touch();
        let was_there = self.entries.remove(key);
        if was_there {
            self.change();
        }
        was_there
    }

    /// Removes an entry and returns its value, if there was one.
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if it does not fit `T`; the entry then stays.
    pub fn pop<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, ValueError> {
        let value = self.get(key)?;
        self.remove(key);
        Ok(value)
    }

    /// Returns the entry's value, which is set first if there was none.
    ///
    /// As Python's `setdefault`: an entry that is there is not changed.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn get_or_insert<T>(&mut self, key: &str, value: T) -> Result<T, ValueError>
    where
        T: Serialize + DeserializeOwned,
    {
        if let Some(value) = self.get(key)? {
            return Ok(value);
        }
        self.insert(key, &value)?;
        Ok(value)
    }

    /// Tells whether there is an entry with this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.touch();
        self.entries.contains_key(key)
    }

    /// Lists the keys in order.
    ///
    /// A key that is not Unicode (Python allows lone surrogates) is carried
    /// and counted, but not listed. Keys appear in errors and logs: see [`insert`](Self::insert).
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Lists the keys, in order, and each value as its JSON text.
    ///
    /// The keys are those of [`keys`](Self::keys).
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    ///
    /// let mut session = Session::new();
    /// session.insert("name", "Zoë")?;
    /// session.insert("visits", 3)?;
    /// let entries: Vec<_> = session.iter().collect();
    /// assert_eq!(entries, [("name", r#""Zo\u00eb""#), ("visits", "3")]);
    /// # Ok::<(), signed_session::ValueError>(())
    /// ```
    pub fn iter(&self) -> Iter<'_> {
        self.touch();
        self.entries.iter()
    }

    /// Returns the number of entries, reserved ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.touch();
        self.entries.len()
    }

    /// Tells whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets several entries, as Python's `update`; with none it still counts as a change.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert). The session is then unchanged.
    pub fn extend<K, V, I>(&mut self, entries: I) -> Result<(), ValueError>
    where
        K: AsRef<str>,
        V: Serialize,
        I: IntoIterator<Item = (K, V)>,
    {
        let written = entries.into_iter().map(|(key, value)| {
            let text = encode(key.as_ref(), &value)?;
            Ok((key, text))
        });
        let written: Vec<(K, String)> = written.collect::<Result<_, ValueError>>()?;
        self.change();
        for (key, text) in written {
            self.set(key.as_ref(), text);
        }
        Ok(())
    }

    /// Removes all entries and stays the visitor's session.
    ///
    /// The cookie is rewritten as an empty session. To log out use
    /// [`flush`](Self::flush), which has the cookie deleted.
    pub fn clear(&mut self) {
        self.change();
        self.entries.clear();
    }

    /// Removes all entries and ends the session: to be called at logout.
    ///
    /// What is inserted afterwards belongs to a new session, and so does an
    /// expiry: call [`set_expiry`](Self::set_expiry) after this, because before
    /// it is removed like any other entry. A copy of the old cookie stays valid
    /// until it expires: there is no server-side list to strike it from.
    pub fn flush(&mut self) {
        self.clear();
        self.source = Source::Nothing { has_cookie: self.has_cookie() };
        self.begun_at = None;
    }

    /// Re-signs the session with a new timestamp, as Django's `cycle_key`.
    ///
    /// The entries stay, and if there are none, an empty session is written. This
    /// does not begin another session: at login call [`begin`](Self::begin), or
    /// log in with [`AuthUser`](crate::django::AuthUser).
    pub fn cycle_key(&mut self) {
        self.change();
        if !matches!(self.source, Source::Token(_)) {
            self.set_begun();
        }
    }

    /// Begins another session for the same visitor: to be called at login.
    ///
    /// Of the entries those stay for whose keys `keep` returns `true`, such as a cart. Anyone who
    /// planted a session in the visitor's browser would find everything that stays at work for the
    /// user, so keep as little as possible: `|_| false` keeps nothing. The session's beginning, and
    /// what else the crate itself keeps of it, never stays. A key that is not Unicode is asked for
    /// with replacement characters in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    ///
    /// let mut session = Session::new();
    /// session.insert("cart", ["apples"])?;
    /// session.insert("discount", 100)?;
    ///
    /// session.begin(|key| key == "cart");
    /// session.insert("user_id", 42)?;
    /// assert_eq!(session.keys().collect::<Vec<_>>(), ["cart", "user_id"]);
    /// # Ok::<(), signed_session::ValueError>(())
    /// ```
    pub fn begin(&mut self, keep: impl Fn(&str) -> bool) {
        self.change();
        self.entries.retain(|key| !matches!(key, STARTED_KEY | ID_KEY) && keep(key));
        self.set_begun();
    }

    fn set_begun(&mut self) {
        self.source = Source::Begun { has_cookie: self.has_cookie() };
        self.begun_at = Some(self.now.unwrap_or_else(OffsetDateTime::now_utc));
    }

    /// Sets when this session ends, as Django's `set_expiry`.
    ///
    /// [`Expiry::Default`] removes what was set before. At login call this last:
    /// [`flush`](Self::flush) and [`clear`](Self::clear) remove it with all other
    /// entries.
    pub fn set_expiry(&mut self, expiry: Expiry) {
        match expiry.to_json() {
            Some(text) => self.set(EXPIRY_KEY, text),
            None => drop(self.remove(EXPIRY_KEY)),
        }
    }

    /// Returns when this session ends, as it was last set.
    ///
    /// A negative number of seconds, which Django allows, reads as none. A date without an offset,
    /// which Django writes with `USE_TZ = False`, reads as UTC here and in the three methods
    /// below, whatever the site's time zone: only [`SessionCodec`] knows that.
    ///
    /// [`SessionCodec`]: crate::SessionCodec::naive_offset
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if `_session_expiry` says nothing usable.
    pub fn expiry(&self) -> Result<Expiry, ValueError> {
        self.read_claim().map(Expiry::from)
    }

    /// Returns how long the session lasts from `modification`, as Django's `get_expiry_age`.
    ///
    /// `cookie_age` is how long the site's sessions last. To ask for another
    /// expiry than the session's, see [`Expiry::age`].
    ///
    /// # Errors
    ///
    /// As [`expiry`](Self::expiry).
    pub fn expiry_age(
        &self,
        cookie_age: Duration,
        modification: OffsetDateTime,
    ) -> Result<time::Duration, ValueError> {
        Ok(self.read_claim()?.age(cookie_age, modification))
    }

    /// Returns when the session ends if written at `modification`, as Django's `get_expiry_date`.
    ///
    /// To ask for another expiry than the session's, see [`Expiry::date`].
    ///
    /// # Errors
    ///
    /// As [`expiry`](Self::expiry).
    pub fn expiry_date(
        &self,
        cookie_age: Duration,
        modification: OffsetDateTime,
    ) -> Result<OffsetDateTime, ValueError> {
        Ok(self.read_claim()?.date(cookie_age, modification))
    }

    /// Tells whether the session ends with the browser; `setting` says what the site's do.
    ///
    /// # Errors
    ///
    /// As [`expiry`](Self::expiry).
    pub fn expires_at_browser_close(&self, setting: bool) -> Result<bool, ValueError> {
        Ok(self.read_claim()?.at_browser_close(setting))
    }

    /// Sets an entry that the next request can look for, to see whether cookies come back.
    pub fn set_test_cookie(&mut self) {
        self.set_text(TEST_COOKIE_KEY, TEST_COOKIE_VALUE);
    }

    /// Tells whether the test entry came back.
    #[must_use]
    pub fn test_cookie_worked(&self) -> bool {
        self.get(TEST_COOKIE_KEY) == Ok(Some(TEST_COOKIE_VALUE.to_owned()))
    }

    /// Removes the test entry and tells whether there was one.
    pub fn delete_test_cookie(&mut self) -> bool {
        self.remove(TEST_COOKIE_KEY)
    }

    /// Tells whether the session was changed since it was read or made.
    #[must_use]
    pub fn is_modified(&self) -> bool {
        self.change > Change::Nothing
    }

    /// Tells whether anything was asked of the session or its token, or changed in it.
    #[must_use]
    pub fn is_accessed(&self) -> bool {
        self.accessed.load(Ordering::Relaxed)
    }

    /// Returns when the token was signed that the session came in.
    #[must_use]
    pub fn signed_at(&self) -> Option<OffsetDateTime> {
        self.touch();
        self.origin().map(|origin| origin.signed_at)
    }

    /// Returns when the session began, if that is recorded or will be by this response.
    ///
    /// Unlike [`signed_at`](Self::signed_at) it does not move when the session is written. It is
    /// `None` unless the codec that the session came from records it: see
    /// [`SessionCodec::track_start`](crate::SessionCodec::track_start).
    #[must_use]
    pub fn started_at(&self) -> Option<OffsetDateTime> {
        self.touch();
        match self.text(STARTED_KEY) {
            Some(json) => read_started(json),
            None if !self.tracks_start || self.is_void() => None,
            // Nothing is recorded of a cookie that was refused, unless another session takes its place.
            None if self.origin().is_none() && !self.is_modified() => None,
            None => self.began(),
        }
    }

    /// Returns which secret of the ring signed that token: 0 for the first.
    #[must_use]
    pub fn key_index(&self) -> Option<usize> {
        self.touch();
        self.origin().map(|origin| origin.key_index)
    }

    /// Returns why the token was refused that this session stands in for.
    #[must_use]
    pub fn refusal(&self) -> Option<&DecodeError> {
        self.touch();
        self.reason()
    }

    /// As [`refusal`](Self::refusal); does not count as access.
    pub(crate) fn reason(&self) -> Option<&DecodeError> {
        match &self.source {
            Source::Refused(reason) => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn origin(&self) -> Option<Origin> {
        match self.source {
            Source::Token(origin) => Some(origin),
            _ => None,
        }
    }

    pub(crate) fn set_origin(&mut self, origin: Origin) {
        self.source = Source::Token(origin);
    }

    /// Returns when the session began, as far as is known; does not count as access.
    pub(crate) fn began(&self) -> Option<OffsetDateTime> {
        match self.source {
            Source::Token(origin) => Some(origin.started),
            _ => self.begun_at.or(self.now),
        }
    }

    /// Sets what time it is.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn set_now(&mut self, now: OffsetDateTime) {
        self.now = Some(now);
    }

    /// Sets what time it is, and whether the session's beginning is recorded.
    pub(crate) fn set_clock(&mut self, now: OffsetDateTime, tracks_start: bool) {
        self.now = Some(now);
        self.tracks_start = tracks_start;
    }

    pub(crate) fn retired(&self) -> Retired {
        self.retired
    }

    pub(crate) fn set_retired(&mut self, retired: Retired) {
        self.retired = retired;
    }

    /// Returns `true` if the browser sent a cookie of the name, valid or not.
    pub(crate) fn has_cookie(&self) -> bool {
        match self.source {
            Source::Nothing { has_cookie } | Source::Begun { has_cookie } => has_cookie,
            Source::Refused(_) | Source::Token(_) => true,
        }
    }

    /// Returns `true` if there is nothing to keep, as Django's `is_empty`; does not count as access.
    pub(crate) fn is_void(&self) -> bool {
        matches!(self.source, Source::Nothing { .. }) && self.entries.is_empty()
    }

    /// Returns `true` if all entries are as they came, to the byte; does not count as access.
    pub(crate) fn is_as_it_arrived(&self) -> bool {
        self.entries.are_as_they_arrived()
    }

    /// Returns all keys, with replacement characters where one is not Unicode.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn names(&self) -> Vec<String> {
        self.touch();
        self.entries.names().map(std::borrow::Cow::into_owned).collect()
    }

    /// Takes the place of another session of the same request, which was moved out of its own.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn replace_moved(&mut self) {
        self.change();
        if let Source::Nothing { has_cookie } | Source::Begun { has_cookie } = &mut self.source {
            *has_cookie = true;
        }
    }

    /// Returns `true` if the entries are the same JSON; does not count as access.
    pub(crate) fn has_the_entries_of(&self, other: &Self) -> bool {
        let [mut ours, mut theirs] = [String::new(), String::new()];
        self.write(&mut ours);
        other.write(&mut theirs);
        ours == theirs
    }

    /// Returns each key with the bytes of JSON that its entry takes, the largest first.
    pub(crate) fn sizes(&self) -> Vec<(String, usize)> {
        self.entries.sizes()
    }

    /// Notes that what was changed has been written.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn set_saved(&mut self) {
        self.change = Change::Nothing;
    }

    /// Returns the JSON text of an entry; does not count as access.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.entries.get(key)
    }

    fn read_claim(&self) -> Result<Claim, ValueError> {
        self.touch();
        let claim = Claim::read(self.text(EXPIRY_KEY)).ok_or(ValueError::WrongType)?;
        Ok(claim.with_offset(Some(UtcOffset::UTC)))
    }

    /// Sets an entry to a text on behalf of this crate, which the response can do without.
    pub(crate) fn renew_text(&mut self, key: &str, text: &str) {
        let change = self.change.max(Change::Unasked);
        self.set_text(key, text);
        self.change = change;
    }

    /// Sets an entry to a text, which cannot fail.
    pub(crate) fn set_text(&mut self, key: &str, text: &str) {
        self.set(key, json::quote(text));
    }

    fn set(&mut self, key: &str, json: String) {
        self.change();
        if self.begun_at.is_none() {
            self.begun_at = self.now;
        }
        self.entries.set(key, json);
    }

    /// Notes that the response depends on what is in the session.
    pub(crate) fn touch(&self) {
        self.accessed.store(true, Ordering::Relaxed);
    }

    /// Forgets that it was read, by who is not a handler.
    pub(crate) fn set_untouched(&self) {
        self.accessed.store(false, Ordering::Relaxed);
    }

    /// Notes that the session is to be written.
    fn change(&mut self) {
        self.touch();
        self.change = Change::Asked;
    }

    /// Returns `true` if the program changed the session.
    pub(crate) fn is_asked(&self) -> bool {
        self.change == Change::Asked
    }
}

/// Writes a value as JSON, unless it could not be read back under this key.
fn encode<T: Serialize>(key: &str, value: &T) -> Result<String, ValueError> {
    allow(key, json::write(value)?)
}

/// Refuses what no decoder would accept under a reserved key.
fn allow(key: &str, text: String) -> Result<String, ValueError> {
    match key {
        // A session's beginning does not move.
        STARTED_KEY => Err(ValueError::Reserved { key: STARTED_KEY }),
        EXPIRY_KEY if Claim::read(Some(&text)).is_none() => {
            Err(ValueError::Reserved { key: EXPIRY_KEY })
        }
        _ => Ok(text),
    }
}

impl<'a> IntoIterator for &'a Session {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A clone can be read where the session is not, so that cloning counts as reading it.
impl Clone for Session {
    fn clone(&self) -> Self {
        self.touch();
        Self {
            entries: self.entries.clone(),
            source: self.source.clone(),
            retired: self.retired,
            now: self.now,
            begun_at: self.begun_at,
            tracks_start: self.tracks_start,
            accessed: AtomicBool::new(self.is_accessed()),
            change: self.change,
        }
    }
}

/// Shows no entry: a session's data are the visitor's.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("entries", &self.entries.len())
            .field("source", &self.source)
            .field("retired", &self.retired)
            .field("accessed", &self.is_accessed())
            .field("change", &self.change)
            .finish_non_exhaustive()
    }
}
