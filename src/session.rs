//! Holds a visitor's data, and tracks whether it was read or changed.
//!
//! Corresponds to `django.contrib.sessions.backends.base.SessionBase`. Entries that came in a token
//! are kept as JSON text: `get` parses one on demand, and entries that were not changed are written
//! back byte for byte.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned};
use time::{OffsetDateTime, UtcOffset};

use crate::age::{Age, Moment};
use crate::ending::{Ending, Present, Watch};
use crate::entries::{Entries, Iter};
use crate::error::{DecodeError, EncodeError, ValueError};
use crate::expiry::{Claim, EXPIRY_KEY, Expiry, ID_KEY, STARTED_KEY, read_started};
use crate::identity::Subject;
use crate::json::{self, Fault};
use crate::revocation::Revocations;
use crate::revocation::line::Revocation;
use crate::typed::{self, Misfit};

const TEST_COOKIE_KEY: &str = "testcookie";
const TEST_COOKIE_VALUE: &str = "worked";

/// A visitor's data: text keys, and values of any type that serde knows.
///
/// It tracks whether it was read (see [`is_accessed`](Self::is_accessed)), because the response
/// then depends on the cookie, and whether it was changed (see [`is_modified`](Self::is_modified)),
/// because a new cookie is then due. Keys that begin with `_` are reserved for Django and this
/// crate.
///
/// This is not an extractor. Handlers of axum and actix-web take a `SessionHandle`, which has the
/// same methods.
///
/// Reading takes `&self`; writing takes `&mut self`.
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
    /// The session's identity, if its manager has a list of ended sessions.
    ending: Option<Box<Ending>>,
    /// The current time as the program sees it, if that is known.
    now: Option<Moment>,
    /// When the session was begun here, if it did not come in a token.
    begun_at: Option<Moment>,
    /// Whether its beginning is recorded when it is written.
    tracks_start: bool,
    /// Whether anything was read; a change counts as a read too.
    accessed: AtomicBool,
    change: Change,
}

/// Whether a session was changed, and on whose behalf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    #[default]
    Nothing,
    /// Changed only by this crate, as when a hash moves to another key: the change may be lost.
    Unasked,
    /// Changed by the program.
    Asked,
}

/// The origin of a session, which decides what happens to the browser's cookie.
#[derive(Clone, Debug)]
enum Source {
    /// There was no session, or it was flushed: without entries there is nothing to write.
    Nothing { has_cookie: bool },
    /// It was begun here: it is written even without entries.
    Begun { has_cookie: bool },
    /// A cookie was refused, and the session stands in for it.
    Refused(DecodeError),
    /// The session came in a valid token.
    Token(Origin),
}

impl Default for Source {
    fn default() -> Self {
        Self::Nothing { has_cookie: false }
    }
}

/// The former cookies that a request brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Retired {
    /// None that is known.
    #[default]
    Nothing,
    /// A cookie of a former name, alongside the session's own.
    Name,
    /// The session itself: it has to move to the current cookie.
    Session,
    /// A cookie with former attributes, which makes the session ambiguous.
    Rival,
}

/// The facts in a valid token other than the entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) signed_at: Moment,
    pub(crate) key_index: usize,
    /// When the session's first token was signed, if that is known.
    pub(crate) started: Moment,
}

impl Session {
    /// Creates an empty session, as for a visitor without a cookie.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates the session of a visitor without a valid token; `has_cookie` says if a cookie came.
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

    /// Returns all entries as one JSON object in ASCII, unchanged entries as they came.
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
    /// `T` may borrow from the session. For text use `String`: `&str` fails if the text contains an
    /// escape, as all text beyond ASCII does. `serde_json::Value` rounds integers that exceed 64
    /// bits; [`get_json`](Self::get_json) returns the text of a value that does not fit any Rust
    /// type. A value nested more than 64 deep does not fit any type here, because reading it could
    /// exhaust the stack.
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if the entry does not fit `T`.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, key: &str) -> Result<Option<T>, ValueError> {
        self.touch();
        let Some(text) = self.text(key) else { return Ok(None) };
        json::read(text).map(Some).map_err(|_| self.wrong_type(key))
    }

    /// Returns an entry's JSON text, unchanged, if there is one.
    ///
    /// The text is ASCII. It has every digit of a number, and all white space that came with it.
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

    /// Sets an entry; a new key is added at the end, an existing one keeps its position.
    ///
    /// A value that was read, changed and not inserted again is not saved.
    ///
    /// A key is a name that your program chooses, never user input: keys appear in errors and logs,
    /// such as [`EncodeError::TooLarge`](crate::EncodeError::TooLarge) of a session that is too
    /// large. To store values under names that visitors choose, put a map under one key.
    ///
    /// # Errors
    ///
    /// [`ValueError::NotFinite`] for NaN and the infinities, which JSON cannot represent;
    /// [`ValueError::Unserializable`] if the value cannot be written as JSON;
    /// [`ValueError::Reserved`] for `_session_started`, and for a `_session_expiry` that no decoder
    /// would accept: see [`set_expiry`](Self::set_expiry). The session is then unchanged.
    pub fn insert<T: Serialize>(&mut self, key: &str, value: T) -> Result<(), ValueError> {
        let text = encode(key, &value)?;
        self.set(key, text);
        Ok(())
    }

    /// Sets an entry to a JSON text; see [`insert`](Self::insert).
    ///
    /// Use this for values that no Rust type holds, such as integers that exceed 64 bits. Numbers
    /// and white space stay as they are; characters beyond ASCII become escapes.
    ///
    /// # Errors
    ///
    /// [`ValueError::NotJson`] if the text is not one JSON value; [`ValueError::Reserved`] as for
    /// `insert`. The session is then unchanged.
    pub fn insert_json(&mut self, key: &str, json: &str) -> Result<(), ValueError> {
        let text = allow(key, json::adopt(json)?)?;
        self.set(key, text);
        Ok(())
    }

    /// Removes an entry and returns `true` if there was one.
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

    /// Returns the entry's value, after inserting `value` if there was no entry.
    ///
    /// Corresponds to Python's `setdefault`: an existing entry is not changed.
    ///
    /// # Errors
    ///
    /// See [`get`](Self::get) and [`insert`](Self::insert).
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

    /// Calls a function with an entry's value to change it, and returns the function's result.
    ///
    /// If there is no entry, the function gets the type's default. The value is set only if the
    /// function changed it, so that merely looking at it sends no cookie. Fields of the entry that
    /// the struct does not have are lost when it is changed; see the guide on [changing what is in
    /// a session](crate::guide#changing-what-is-in-a-session).
    ///
    /// # Errors
    ///
    /// See [`get`](Self::get) and [`insert`](Self::insert). The session is then unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    ///
    /// let mut session = Session::new();
    /// let count = session.update("cart", |cart: &mut Vec<String>| {
    ///     cart.push("pears".to_owned());
    ///     cart.len()
    /// })?;
    /// assert_eq!((count, session.get_json("cart")), (1, Some(r#"["pears"]"#)));
    /// # Ok::<(), signed_session::ValueError>(())
    /// ```
    pub fn update<T, R>(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, ValueError>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        let mut value: T = self.get(key)?.unwrap_or_default();
        // Compared with its value as serialized here: the entry may be spelled in another way.
        let before = json::write(&value).ok();
        let result = change(&mut value);
        let after = encode(key, &value)?;
        if before.as_ref() != Some(&after) {
            self.set(key, after);
        }
        Ok(result)
    }

    /// Returns the entry's value, and removes the entry if it does not fit `T`.
    ///
    /// Use this for an entry to which an older release of the program gave another type. A removed
    /// entry is missing from the next response that writes the session. The removal does not count
    /// as a change, because a page that only reads must not set a cookie.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    ///
    /// let mut session = Session::new();
    /// session.insert("cart", 3)?; // the last release counted only
    /// assert_eq!(session.get_or_discard::<Vec<String>>("cart"), None);
    /// assert!(!session.contains_key("cart"));
    /// # Ok::<(), signed_session::ValueError>(())
    /// ```
    pub fn get_or_discard<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.get(key);
        if value.is_err() {
            self.entries.remove(key);
        }
        value.ok().flatten()
    }

    /// Returns all entries as one struct or map, without the reserved ones.
    ///
    /// All keys that begin with `_` are reserved. With `#[serde(default)]` on the struct, a session
    /// of an older release can be read too: see the guide on [changing what is in a
    /// session](crate::guide#changing-what-is-in-a-session).
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] with the key of an entry that does not fit, or of a field of `T` that
    /// has no entry.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use signed_session::{Session, ValueError};
    ///
    /// #[derive(Serialize, Deserialize, Default)]
    /// #[serde(default)]
    /// struct Visitor {
    ///     user_id: Option<u64>,
    ///     cart: Vec<String>,
    /// }
    ///
    /// let mut session = Session::new();
    /// let mut visitor: Visitor = session.read()?;
    /// visitor.cart.push("pears".to_owned());
    /// session.replace(&visitor)?;
    /// assert_eq!(session.to_json(), r#"{"user_id":null,"cart":["pears"]}"#);
    ///
    /// session.insert("cart", true)?;
    /// let error = session.read::<Visitor>().err();
    /// assert_eq!(error, Some(ValueError::WrongType { key: "cart".to_owned() }));
    /// # Ok::<(), ValueError>(())
    /// ```
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        let entries = self.iter().filter(|(key, _)| !is_reserved(key));
        typed::read(entries).map_err(|misfit| match misfit {
            Misfit::Entry(key) => self.wrong_type(&key),
            Misfit::Whole => self.wrong_type(""),
        })
    }

    /// Replaces all entries by those of a struct or a map, except for the reserved ones.
    ///
    /// Entries whose keys begin with `_` stay: they belong to Django and to this crate. An entry
    /// whose JSON is the same stays as it came.
    ///
    /// # Errors
    ///
    /// [`ValueError::NotAnObject`] if it is neither a struct nor a map; [`ValueError::Reserved`] if it
    /// has a key that begins with `_`; [`ValueError::NotFinite`] and [`ValueError::Unserializable`]
    /// as [`insert`](Self::insert). The session is then unchanged.
    pub fn replace<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let new = Entries::read(json::write(value)?).map_err(|_| ValueError::NotAnObject)?;
        if let Some((key, _)) = new.iter().find(|(key, _)| is_reserved(key)) {
            return Err(ValueError::Reserved { key: new.label(key) });
        }
        self.change();
        self.entries.retain(|key| is_reserved(key) || new.contains_key(key));
        for (key, json) in new.iter() {
            if self.text(key) != Some(json) {
                self.set(key, json.to_owned());
            }
        }
        Ok(())
    }

    /// Returns `true` if there is an entry with this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.touch();
        self.entries.contains_key(key)
    }

    /// Returns the keys in order.
    ///
    /// A key that is not Unicode (Python allows lone surrogates) is kept and counted, but not
    /// returned. Keys appear in errors and logs: see [`insert`](Self::insert).
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Returns the keys, in order, and each value as its JSON text.
    ///
    /// It skips the same keys as [`keys`](Self::keys).
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

    /// Returns `true` if there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets several entries, as Python's `update`; an empty list still counts as a change.
    ///
    /// # Errors
    ///
    /// See [`insert`](Self::insert). The session is then unchanged.
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

    /// Removes all entries, and keeps the session.
    ///
    /// The cookie is rewritten as an empty session. To log out, use [`flush`](Self::flush), which
    /// removes the cookie.
    pub fn clear(&mut self) {
        self.change();
        self.entries.clear();
    }

    /// Removes all entries and ends the session. Call this at logout.
    ///
    /// Entries that are inserted afterwards belong to a new session, and so does an expiry. Call
    /// [`set_expiry`](Self::set_expiry) after this: an expiry set before is removed like any other
    /// entry.
    ///
    /// With [`Revocations`] the session has ended as soon as this returns, whatever happens to the
    /// response: copies of its cookie are refused. Without them, a copy stays valid until it
    /// expires.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    ///
    /// let mut session = Session::new();
    /// session.insert("user_id", 42)?;
    /// session.flush();
    /// assert!(session.is_empty());
    /// # Ok::<(), signed_session::ValueError>(())
    /// ```
    pub fn flush(&mut self) {
        self.clear();
        self.source = Source::Nothing { has_cookie: self.has_cookie() };
        self.begun_at = None;
        let now = self.time();
        if let Some(ending) = &mut self.ending {
            ending.flush(now);
        }
    }

    /// Re-signs the session with a new timestamp, as Django's `cycle_key`.
    ///
    /// The entries stay; if there are none, an empty session is written. This does not begin
    /// another session: at login call [`begin`](Self::begin), or log in with
    /// [`AuthUser`](crate::django::AuthUser).
    pub fn cycle_key(&mut self) {
        self.change();
        if self.is_another() {
            self.set_begun();
        }
    }

    /// Begins another session for the same visitor. Call this at login.
    ///
    /// Only the entries for whose keys `keep` returns `true` stay, such as a cart. An attacker who
    /// planted a session in the visitor's browser controls every entry that stays, so keep as
    /// little as possible: `|_| false` keeps nothing. The recorded beginning of the session, and
    /// the other entries that this crate keeps for itself, never stay. A key that is not Unicode is
    /// passed to `keep` with replacement characters.
    ///
    /// With [`Revocations`] the session has a new [`id`](Self::id) from now on, and the session
    /// that it replaces ends with the response that carries the new cookie: copies of the former
    /// cookie are then refused. Call this only when the user has just been authenticated.
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
        let (now, subject) = (self.time(), self.subject());
        if let Some(ending) = &mut self.ending {
            ending.begin(subject.as_ref(), now);
        }
    }

    fn set_begun(&mut self) {
        self.source = Source::Begun { has_cookie: self.has_cookie() };
        self.begun_at = Some(self.time());
    }

    /// Returns the current time as the program sees it.
    fn time(&self) -> Moment {
        self.now.unwrap_or_else(Moment::now)
    }

    /// Sets when this session ends, as Django's `set_expiry`.
    ///
    /// [`Expiry::Default`] removes an expiry that was set before. At login call this last:
    /// [`flush`](Self::flush) and [`clear`](Self::clear) remove the expiry with all other entries.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{Expiry, Session};
    /// use std::time::Duration;
    ///
    /// let mut session = Session::new();
    /// session.set_expiry(Expiry::After(Duration::from_secs(300)));
    /// assert_eq!(session.get_json("_session_expiry"), Some("300"));
    /// session.set_expiry(Expiry::AtBrowserClose);
    /// assert!(session.expires_at_browser_close(false)?);
    /// # Ok::<(), signed_session::ValueError>(())
    /// ```
    pub fn set_expiry(&mut self, expiry: Expiry) {
        match expiry.to_json() {
            Some(text) => self.set(EXPIRY_KEY, text),
            None => drop(self.remove(EXPIRY_KEY)),
        }
    }

    /// Returns when this session ends, as last set.
    ///
    /// A negative number of seconds, which Django allows, is read as zero. A date without an
    /// offset, which Django writes with `USE_TZ = False`, is read as UTC here and in the three
    /// methods below, whatever the site's time zone: only [`SessionCodec`] knows the time zone.
    ///
    /// [`SessionCodec`]: crate::SessionCodec::naive_offset
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if `_session_expiry` does not hold a valid expiry.
    pub fn expiry(&self) -> Result<Expiry, ValueError> {
        self.read_claim().map(Expiry::from)
    }

    /// Returns how long the session lasts from `modification`, as Django's `get_expiry_age`.
    ///
    /// `cookie_age` is how long the site's sessions last. For an expiry other than the session's
    /// own, see [`Expiry::age`].
    ///
    /// # Errors
    ///
    /// See [`expiry`](Self::expiry).
    pub fn expiry_age(
        &self,
        cookie_age: Duration,
        modification: OffsetDateTime,
    ) -> Result<time::Duration, ValueError> {
        Ok(self.read_claim()?.age(cookie_age, modification.into()))
    }

    /// Returns when the session ends if written at `modification`, as `get_expiry_date`.
    ///
    /// For an expiry other than the session's own, see [`Expiry::date`].
    ///
    /// # Errors
    ///
    /// See [`expiry`](Self::expiry).
    pub fn expiry_date(
        &self,
        cookie_age: Duration,
        modification: OffsetDateTime,
    ) -> Result<OffsetDateTime, ValueError> {
        Ok(self.read_claim()?.date(cookie_age, modification))
    }

    /// Returns `true` if the session ends when the browser is closed.
    ///
    /// `setting` is the site's default, for a session that does not set its own expiry.
    ///
    /// # Errors
    ///
    /// See [`expiry`](Self::expiry).
    pub fn expires_at_browser_close(&self, setting: bool) -> Result<bool, ValueError> {
        Ok(self.read_claim()?.at_browser_close(setting))
    }

    /// Sets the test entry, by which the next request can check that cookies come back.
    pub fn set_test_cookie(&mut self) {
        self.set_text(TEST_COOKIE_KEY, TEST_COOKIE_VALUE);
    }

    /// Returns `true` if the test entry came back.
    #[must_use]
    pub fn test_cookie_worked(&self) -> bool {
        self.get(TEST_COOKIE_KEY) == Ok(Some(TEST_COOKIE_VALUE.to_owned()))
    }

    /// Removes the test entry and returns `true` if there was one.
    pub fn delete_test_cookie(&mut self) -> bool {
        self.remove(TEST_COOKIE_KEY)
    }

    /// Returns `true` if the session was changed since it was read or created.
    #[must_use]
    pub fn is_modified(&self) -> bool {
        self.change > Change::Nothing
    }

    /// Returns `true` if the session or its token was read or changed.
    #[must_use]
    pub fn is_accessed(&self) -> bool {
        self.accessed.load(Ordering::Relaxed)
    }

    /// Returns when the session's token was signed, if it came in one.
    #[must_use]
    pub fn signed_at(&self) -> Option<OffsetDateTime> {
        self.touch();
        self.origin().map(|origin| origin.signed_at.date())
    }

    /// Returns when the session began, if that is recorded.
    ///
    /// This includes a beginning that this response will record.
    ///
    /// Unlike [`signed_at`](Self::signed_at) it does not move when the session is written. It is
    /// `None` unless the session's codec records it: see
    /// [`SessionCodec::track_start`](crate::SessionCodec::track_start).
    ///
    /// With [`Revocations`] the beginning of a session with a subject is part of its
    /// [`id`](Self::id). If the session began right after its predecessors were ended, or came
    /// without an id, this can be up to five minutes late, but never later than the token.
    #[must_use]
    pub fn started_at(&self) -> Option<OffsetDateTime> {
        self.touch();
        if let Some(began) = self.identity_began() {
            let written = self.origin().map_or_else(|| self.time(), |origin| origin.signed_at);
            return Some(began.min(written).date());
        }
        match self.text(STARTED_KEY) {
            Some(json) => read_started(json).map(Moment::date),
            None if !self.tracks_start || self.is_void() => None,
            // Nothing is recorded for a cookie that was refused, unless another session replaces
            // it.
            None if self.origin().is_none() && !self.is_modified() => None,
            None => self.began().map(Moment::date),
        }
    }

    /// Returns the session's id, if it has a subject and its manager has [`Revocations`].
    ///
    /// The id stays the same from login to the end of the session, through every write and in every
    /// copy of its cookie. It has 22 characters. Use it for a list of a user's devices and with
    /// [`Revocations::end_one`]. It is not a secret. A session that is begun has its id at once;
    /// read it after the subject was inserted.
    ///
    /// If all sessions of the subject are ended while a login is under way, its session is saved
    /// with another id: call [`Revocations::end_all`] before [`begin`](Self::begin), or
    /// [`Revocations::end_others`] in place of both.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.touch();
        let (ending, present) = self.present().ok()??;
        ending.text(&present, self.time())
    }

    /// Returns the index in the ring of the secret that signed the token: 0 for the first.
    #[must_use]
    pub fn key_index(&self) -> Option<usize> {
        self.touch();
        self.origin().map(|origin| origin.key_index)
    }

    /// Returns why the visitor's token was refused, if it was.
    ///
    /// The session is then an empty one that stands in for it.
    #[must_use]
    pub fn refusal(&self) -> Option<&DecodeError> {
        self.touch();
        self.reason()
    }

    /// Returns why the token was refused; does not count as access.
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

    /// Sets the session's identity from its token; returns an error if the session was ended.
    pub(crate) fn identify(
        &mut self,
        watch: &Arc<Watch>,
        token: &str,
        now: Moment,
    ) -> Result<(), DecodeError> {
        let Some(Origin { signed_at, .. }) = self.origin() else { return Ok(()) };
        let (subject, id) = (self.text(&watch.subject_key), self.text(ID_KEY));
        let age = Age::new(signed_at, now);
        self.ending = Some(Ending::of_token(watch, subject, id, token, age, now)?.into());
        Ok(())
    }

    /// Returns the session, connected to the list of ended sessions.
    pub(crate) fn into_watched(mut self, watch: &Arc<Watch>) -> Self {
        if self.ending.is_none() {
            // A session that only a codec has decoded keeps the identity in its entries.
            let is_of_token = matches!(self.source, Source::Token(_));
            let entry = |key: &str| self.text(key).filter(|_| is_of_token);
            let ending = Ending::of_entries(watch, entry(&watch.subject_key), entry(ID_KEY));
            self.ending = Some(ending.into());
        }
        self
    }

    /// Does this for a session that a program created itself; see
    /// [`into_watched`](Self::into_watched).
    pub(crate) fn watched(&self, watch: &Arc<Watch>) -> Cow<'_, Self> {
        match self.ending {
            Some(_) => Cow::Borrowed(self),
            None => Cow::Owned(self.copy().into_watched(watch)),
        }
    }

    /// Replaces the session with an empty one if the list cannot say whether it was ended.
    ///
    /// The empty session still knows which session it stands in for, so that a logout ends that
    /// one.
    pub(crate) fn refuse_if_unheard(self) -> Self {
        match self.ending {
            Some(ending) if ending.is_unheard() => {
                Self { ending: Some(ending), ..Self::refused(DecodeError::Unheard) }
            }
            ending => Self { ending, ..self },
        }
    }

    /// Returns the known part of the session's identity.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn ending(&self) -> Option<Box<Ending>> {
        self.ending.clone()
    }

    /// Returns the known part of the session's identity, and its subject by its entries; does not
    /// count as access.
    fn present(&self) -> Result<Option<(&Ending, Present)>, DecodeError> {
        let Some(ending) = &self.ending else { return Ok(None) };
        let subject = Subject::read(self.text(ending.subject_key()))?;
        Ok(Some((ending, Present { subject, is_another: self.is_another() })))
    }

    /// Returns `true` if it is not the session that came, or if another one has replaced it.
    fn is_another(&self) -> bool {
        !matches!(self.source, Source::Token(_) | Source::Refused(DecodeError::Unheard))
    }

    /// Returns when the session began, by its identity; does not count as access.
    fn identity_began(&self) -> Option<Moment> {
        let (ending, present) = self.present().ok()??;
        ending.began(&present, self.time()).map(Moment::from_microseconds)
    }

    /// Returns the session as it is written, with its identity, and the longest that this lasts.
    pub(crate) fn identified(
        &self,
        now: Moment,
    ) -> Result<(Cow<'_, Self>, Option<time::Duration>), EncodeError> {
        let present = self.present().map_err(|_| EncodeError::BadSubject)?;
        let Some((ending, present)) = present else { return Ok((Cow::Borrowed(self), None)) };
        let (json, left) = ending
            .written(&present, now)
            .map(|(text, left)| (json::quote(text.as_str()), time::Duration::microseconds(left)))
            .unzip();
        Ok((self.with_entry(ID_KEY, json), left))
    }

    /// Returns the session with an additional entry, which the program does not see.
    fn with_entry(&self, key: &str, json: Option<String>) -> Cow<'_, Self> {
        if self.text(key) == json.as_deref() {
            return Cow::Borrowed(self);
        }
        let mut copy = self.copy();
        match json {
            Some(json) => copy.entries.set(key, json),
            None => drop(copy.entries.remove(key)),
        }
        Cow::Owned(copy)
    }

    /// Ends the session that came, if another one was written.
    pub(crate) fn end_former(&self, now: Moment) {
        if let Ok(Some((ending, present))) = self.present() {
            ending.end_former(&present, now);
        }
    }

    /// Returns `true` if nothing should be sent: the session was ended since it came, or the list
    /// could not say whether it was.
    pub(crate) fn is_held_back(&self) -> bool {
        let present = self.present().ok().flatten();
        self.reason() == Some(&DecodeError::Unheard)
            || present.is_some_and(|(ending, present)| ending.has_ended_since(&present))
    }

    /// Returns `true` if its identity was derived and has yet to be recorded.
    pub(crate) fn is_adopted(&self) -> bool {
        let present = self.present().ok().flatten();
        present.is_some_and(|(ending, present)| ending.is_adopted(&present))
    }

    /// Returns the session's subject, by its entries; does not count as access.
    fn subject(&self) -> Option<Subject> {
        self.present().ok()??.1.subject
    }

    /// Returns when the session began, if that is known; does not count as access.
    pub(crate) fn began(&self) -> Option<Moment> {
        match self.source {
            Source::Token(origin) => Some(origin.started),
            _ => self.begun_at.or(self.now),
        }
    }

    /// Returns when the session was begun, if that was in this request and it still exists; does
    /// not count as access.
    #[cfg(feature = "random")]
    pub(crate) fn begun_here(&self) -> Option<Moment> {
        self.begun_at.filter(|_| matches!(self.source, Source::Begun { .. }))
    }

    /// Sets the current time.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn set_now(&mut self, now: Moment) {
        self.now = Some(now);
    }

    /// Sets the current time, and whether the session's beginning is recorded.
    pub(crate) fn set_clock(&mut self, now: Moment, tracks_start: bool) {
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

    /// Replaces another session of the same request, which was moved out.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn replace_moved(&mut self, moved: Option<Box<Ending>>) {
        self.change();
        // The replaced session ends with the response, as any session that another one replaces.
        self.ending = moved;
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

    /// Returns each key with the size of its entry in bytes of JSON, the largest first.
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

    /// Returns the error about an entry of another type.
    fn wrong_type(&self, key: &str) -> ValueError {
        ValueError::WrongType { key: self.entries.label(key) }
    }

    fn read_claim(&self) -> Result<Claim, ValueError> {
        self.touch();
        let claim =
            Claim::read(self.text(EXPIRY_KEY)).ok_or_else(|| self.wrong_type(EXPIRY_KEY))?;
        Ok(claim.with_offset(Some(UtcOffset::UTC)))
    }

    /// Sets an entry to a text on behalf of this crate; the response may omit it.
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
        if self.ending.as_ref().is_some_and(|ending| ending.subject_key() == key)
            && let (Some(subject), Some(ending)) = (self.subject(), &mut self.ending)
        {
            ending.set_subject(&subject);
        }
    }

    /// Returns a copy; does not count as access.
    pub(crate) fn copy(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            source: self.source.clone(),
            retired: self.retired,
            ending: self.ending.clone(),
            now: self.now,
            begun_at: self.begun_at,
            tracks_start: self.tracks_start,
            accessed: AtomicBool::new(self.is_accessed()),
            change: self.change,
        }
    }

    /// Notes that the response depends on what is in the session.
    pub(crate) fn touch(&self) {
        self.accessed.store(true, Ordering::Relaxed);
    }

    /// Marks the session as not read, after a read that was not a handler's.
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

/// Returns `true` if a key is reserved to Django or to this crate.
fn is_reserved(key: &str) -> bool {
    key.starts_with('_')
}

/// Returns a value as JSON, or an error if it could not be read back under this key.
fn encode<T: Serialize>(key: &str, value: &T) -> Result<String, ValueError> {
    allow(key, json::write(value)?)
}

/// Returns an error if no decoder would accept this text under a reserved key.
fn allow(key: &str, text: String) -> Result<String, ValueError> {
    match key {
        // A session's beginning does not move.
        STARTED_KEY => Err(ValueError::Reserved { key: key.to_owned() }),
        EXPIRY_KEY if Claim::read(Some(&text)).is_none() => {
            Err(ValueError::Reserved { key: key.to_owned() })
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

/// Counts as reading: a clone can be read where the session is not watched.
impl Clone for Session {
    fn clone(&self) -> Self {
        self.touch();
        self.copy()
    }
}

/// The operations of a list of ended sessions on one session.
impl Revocations {
    /// Ends a session that a manager with this list has read, or begun and written.
    ///
    /// Returns what was ended, or `None` if the session is anonymous or had ended already, or if it
    /// was not read by a manager with this list. At logout [`Session::flush`] does this and removes
    /// the cookie.
    pub fn end(&self, session: &Session) -> Option<Revocation> {
        self.end_at(session, session.time().date())
    }

    /// Ends a session, at `now`; see [`end`](Self::end).
    pub fn end_at(&self, session: &Session, now: OffsetDateTime) -> Option<Revocation> {
        session.touch();
        let (ending, present) = session.present().ok()??;
        let (subject, id) = ending.current(&present)?;
        self.end_session(subject.clone(), id, Moment::from(now).microseconds())
    }

    /// Ends all sessions of this session's subject, and begins this one again.
    ///
    /// All its entries stay. Call this when a password or another factor was changed.
    ///
    /// Copies of this very session's cookie are refused from then on, and so is the browser's
    /// present cookie, until the response brings the new one. Returns `None`, and does nothing, if
    /// the session is anonymous.
    pub fn end_others(&self, session: &mut Session) -> Option<Revocation> {
        let now = session.time().date();
        self.end_others_at(session, now)
    }

    /// Ends all other sessions of this session's subject, at `now`; see
    /// [`end_others`](Self::end_others).
    pub fn end_others_at(&self, session: &mut Session, now: OffsetDateTime) -> Option<Revocation> {
        session.touch();
        let revocation = self.end_subject(session.subject()?, Moment::from(now).microseconds());
        session.begin(|_| true);
        Some(revocation)
    }

    /// Returns `true` if a session was ended after it was read.
    ///
    /// The session must have been read, or begun and written, by a manager with this list.
    ///
    /// Use this for connections that outlive their request, such as a WebSocket: a session is
    /// checked when it is read, and not again.
    #[must_use]
    pub fn has_ended(&self, session: &Session) -> bool {
        self.has_ended_at(session, session.time().date())
    }

    /// Returns `true` if a session was ended, or its lifetime is over, at `now`; see
    /// [`has_ended`](Self::has_ended).
    #[must_use]
    pub fn has_ended_at(&self, session: &Session, now: OffsetDateTime) -> bool {
        session.touch();
        let Ok(Some((ending, present))) = session.present() else { return false };
        ending.current(&present).is_some_and(|(subject, id)| {
            Moment::from(now).microseconds().saturating_sub(id.began) > self.lifetime()
                || self.covers(subject, id)
        })
    }
}

/// Shows no entry: a session's data belong to the visitor.
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
