//! Holds a visitor's data, and tracks whether it was read or changed.
//!
//! Corresponds to `django.contrib.sessions.backends.base.SessionBase`. Entries read from a token
//! are kept as JSON text: `get` parses an entry on demand, and unchanged entries are written back
//! byte for byte.

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

/// A visitor's data: string keys, and values of any type that serde supports.
///
/// A session tracks whether it was read ([`is_accessed`](Self::is_accessed)), because the response
/// then depends on the cookie, and whether it was changed ([`is_modified`](Self::is_modified)),
/// because the response must then set a new cookie. Keys that begin with `_` are reserved for
/// Django and this crate.
///
/// This is not an extractor. Handlers of axum and actix-web take a `SessionHandle`, which has the
/// same methods, all with `&self`.
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
    /// When the session started in this request, if it is not from a token.
    begun_at: Option<Moment>,
    /// Whether its start is recorded when it is written.
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
    /// Changed only by this crate, to renew a hash: the change may be lost.
    Unasked,
    /// Changed by the program.
    Asked,
}

/// The origin of a session, which decides what happens to the browser's cookie.
#[derive(Clone, Debug)]
enum Source {
    /// There was no session, or it was flushed: written only if it has entries.
    Nothing { has_cookie: bool },
    /// The session started in this request: written even without entries.
    Begun { has_cookie: bool },
    /// A cookie was refused, and an empty session takes its place.
    Refused(DecodeError),
    /// The session was in a valid token.
    Token(Origin),
}

impl Default for Source {
    fn default() -> Self {
        Self::Nothing { has_cookie: false }
    }
}

/// The former cookies in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Retired {
    /// None that is known.
    #[default]
    Nothing,
    /// A cookie of a former name, alongside the session's own.
    Name,
    /// The session itself: it has to move to the current cookie.
    Session,
    /// A cookie with the name and former attributes: the session is ambiguous.
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

    /// Creates the session of a visitor without a valid token.
    ///
    /// `has_cookie` is `true` if the request has a cookie with the session's name.
    pub(crate) fn without_token(has_cookie: bool) -> Self {
        Self { source: Source::Nothing { has_cookie }, ..Self::default() }
    }

    /// Creates the empty session that takes the place of a refused token.
    pub(crate) fn refused(reason: DecodeError) -> Self {
        Self { source: Source::Refused(reason), ..Self::default() }
    }

    /// Reads a session from the JSON of a token with a verified signature.
    pub(crate) fn from_json(text: String) -> Result<Self, DecodeError> {
        match Entries::read(text) {
            Ok(entries) => Ok(Self { entries, ..Self::default() }),
            Err(Fault::Syntax) => Err(DecodeError::Json),
            Err(Fault::Type) => Err(DecodeError::NotAnObject),
        }
    }

    /// Returns all entries as one JSON object in ASCII.
    ///
    /// Unchanged entries keep their original text.
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

    /// Appends the entries to `out` as a JSON object; does not count as access.
    pub(crate) fn write(&self, out: &mut String) {
        self.entries.write(out);
    }

    /// Returns the entry's value, if there is one.
    ///
    /// `T` may borrow from the session. For strings use `String`: `&str` fails if the JSON contains
    /// an escape, and every character that is not ASCII is an escape. `serde_json::Value` rounds
    /// integers that exceed 64 bits; [`get_json`](Self::get_json) returns the JSON text of a value
    /// that does not fit any Rust type. A value nested more than 64 levels deep is an error with
    /// every type, because reading it could exhaust the stack.
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
    /// The text is ASCII. Numbers keep all their digits, and white space is preserved.
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

    /// Sets an entry.
    ///
    /// A new key is added at the end; an existing key keeps its position. Changing a value that
    /// [`get`](Self::get) returned does not change the session: insert it again.
    ///
    /// Do not use user input as a key: keys appear in errors and logs, for example in
    /// [`EncodeError::TooLarge`](crate::EncodeError::TooLarge), except that a key that does not
    /// look like an identifier is replaced by its index. To store values under names that visitors
    /// choose, put a map under one key.
    ///
    /// # Errors
    ///
    /// [`ValueError::NotFinite`] for NaN and infinite numbers, which JSON cannot represent;
    /// [`ValueError::Unserializable`] if the value cannot be written as JSON;
    /// [`ValueError::Reserved`] for `_session_started`, and for a `_session_expiry` that no decoder
    /// would accept: see [`set_expiry`](Self::set_expiry). On error the session is unchanged.
    pub fn insert<T: Serialize>(&mut self, key: &str, value: T) -> Result<(), ValueError> {
        let text = encode(key, &value)?;
        self.set(key, text);
        Ok(())
    }

    /// Sets an entry to a JSON text; see [`insert`](Self::insert).
    ///
    /// Use this for values that no Rust type can represent, such as integers that exceed 64 bits.
    /// Numbers and white space stay unchanged; characters that are not ASCII become escapes.
    ///
    /// # Errors
    ///
    /// [`ValueError::NotJson`] if the text is not one JSON value; [`ValueError::Reserved`] as for
    /// `insert`. On error the session is unchanged.
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
    /// [`ValueError::WrongType`] if the value does not fit `T`. The entry is then not removed.
    pub fn pop<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, ValueError> {
        let value = self.get(key)?;
        self.remove(key);
        Ok(value)
    }

    /// Returns the entry's value, after inserting `value` if there was none.
    ///
    /// Corresponds to Python's `setdefault`: an existing entry is not changed.
    ///
    /// # Errors
    ///
    /// The errors of [`get`](Self::get) and [`insert`](Self::insert).
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

    /// Changes an entry with a function, and returns the function's result.
    ///
    /// If there is no entry, the function gets the type's default. The entry is set only if the
    /// function changed the value, so reading an entry this way sends no cookie. Fields of the
    /// entry that `T` does not have are lost when the value is changed; see the guide on [changing
    /// what is in a session](crate::guide#changing-what-is-in-a-session).
    ///
    /// # Errors
    ///
    /// The errors of [`get`](Self::get) and [`insert`](Self::insert). On error the session is
    /// unchanged.
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
    /// Use this for an entry whose type has changed since an older release of the program. The
    /// removal is saved by the next response that writes the session. It does not count as a
    /// change, because a page that only reads must not set a cookie.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    ///
    /// let mut session = Session::new();
    /// session.insert("cart", 3)?; // the last release stored only a count
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
    /// All keys that begin with `_` are reserved. With `#[serde(default)]` on the struct, sessions
    /// that an older release wrote can be read too: see the guide on [changing what is in a
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

    /// Replaces all entries except the reserved ones with those of `value`.
    ///
    /// Entries whose keys begin with `_` are kept: they belong to Django and to this crate. An
    /// entry whose JSON stays the same is not written again.
    ///
    /// # Errors
    ///
    /// [`ValueError::NotAnObject`] if `value` is neither a struct nor a map;
    /// [`ValueError::Reserved`] if it has a key that begins with `_`; [`ValueError::NotFinite`] and
    /// [`ValueError::Unserializable`] as for [`insert`](Self::insert). On error the session is
    /// unchanged.
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
    /// A key that is not valid Unicode (Python allows lone surrogates) is kept, and counted by
    /// [`len`](Self::len), but not returned. Keys appear in errors and logs: see
    /// [`insert`](Self::insert).
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Returns the keys, in order, with the JSON text of their values.
    ///
    /// Keys that [`keys`](Self::keys) does not return are skipped.
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

    /// Sets several entries, like Python's `dict.update`.
    ///
    /// An empty list still counts as a change.
    ///
    /// # Errors
    ///
    /// The errors of [`insert`](Self::insert). On error the session is unchanged.
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

    /// Removes all entries without ending the session.
    ///
    /// The response sets a cookie with an empty session. To log out, use [`flush`](Self::flush),
    /// which removes the cookie.
    pub fn clear(&mut self) {
        self.change();
        self.entries.clear();
    }

    /// Removes all entries and ends the session. Call this at logout.
    ///
    /// Entries that are inserted afterwards belong to a new session. Call
    /// [`set_expiry`](Self::set_expiry) after `flush`, which removes an expiry like any other
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

    /// Re-signs the session with a new timestamp, like Django's `cycle_key`.
    ///
    /// The entries are kept; if there are none, an empty session is written. This does not start a
    /// new session: at login call [`begin`](Self::begin), or log in with
    /// [`AuthUser`](crate::django::AuthUser).
    pub fn cycle_key(&mut self) {
        self.change();
        if self.is_another() {
            self.set_begun();
        }
    }

    /// Starts a new session for the same visitor. Call this at login.
    ///
    /// It keeps only the entries for whose keys `keep` returns `true`, such as a cart. An attacker
    /// who planted a session in the visitor's browser controls every entry that is kept, so keep as
    /// little as possible: `|_| false` keeps nothing. `_session_started` and `_session_id` are
    /// never kept. A key that is not valid Unicode is passed to `keep` with replacement characters.
    ///
    /// With [`Revocations`] the new session has a new [`id`](Self::id), and the session that it
    /// replaces ends with the response that sets the new cookie: copies of the former cookie are
    /// then refused. Call this only when the user has just been authenticated.
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

    /// Sets when this session ends, like Django's `set_expiry`.
    ///
    /// [`Expiry::Default`] removes an expiry that was set before. At login call this last:
    /// [`flush`](Self::flush) and [`clear`](Self::clear) remove the expiry with all other entries,
    /// and [`begin`](Self::begin) does unless its argument returns `true` for `_session_expiry`.
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

    /// Returns the expiry that is set for this session.
    ///
    /// A negative number of seconds, which Django allows, is read as zero. A date without an
    /// offset, which Django writes with `USE_TZ = False`, is read as UTC here and in the three
    /// methods below, whatever the site's time zone: only [`SessionCodec`] knows the time zone.
    ///
    /// [`SessionCodec`]: crate::SessionCodec::naive_offset
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if `_session_expiry` is not a valid expiry.
    pub fn expiry(&self) -> Result<Expiry, ValueError> {
        self.read_claim().map(Expiry::from)
    }

    /// Returns how long the session lasts, counted from `modification`.
    ///
    /// Corresponds to Django's `get_expiry_age`. `cookie_age` is the lifetime of a session that
    /// does not set its own expiry. For an [`Expiry`] that is not in a session, see
    /// [`Expiry::age`].
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

    /// Returns when the session ends if it is written at `modification`.
    ///
    /// Corresponds to Django's `get_expiry_date`. For an [`Expiry`] that is not in a session, see
    /// [`Expiry::date`].
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

    /// Sets a test entry, like Django's `set_test_cookie`.
    ///
    /// In the next request [`test_cookie_worked`](Self::test_cookie_worked) returns `true` if the
    /// browser accepts cookies.
    pub fn set_test_cookie(&mut self) {
        self.set_text(TEST_COOKIE_KEY, TEST_COOKIE_VALUE);
    }

    /// Returns `true` if the session has the test entry.
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

    /// Returns when the session's token was signed, if it had one.
    #[must_use]
    pub fn signed_at(&self) -> Option<OffsetDateTime> {
        self.touch();
        self.origin().map(|origin| origin.signed_at.date())
    }

    /// Returns when the session began, if that is recorded.
    ///
    /// This includes a start that the response to this request will record.
    ///
    /// Unlike [`signed_at`](Self::signed_at) it does not change when the session is written.
    /// Without an [`id`](Self::id), it is `None` unless the session's codec records it: see
    /// [`SessionCodec::track_start`](crate::SessionCodec::track_start).
    ///
    /// With [`Revocations`] the start of a session with a subject is part of its [`id`](Self::id).
    /// If the session began right after earlier sessions of its subject were ended, or was in a
    /// token without an id, the returned time can be up to five minutes late, but never later than
    /// the token's timestamp.
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
            // Nothing is recorded for a refused cookie, unless a new session replaces it.
            None if self.origin().is_none() && !self.is_modified() => None,
            None => self.began().map(Moment::date),
        }
    }

    /// Returns the session's id, if it has one.
    ///
    /// A session has an id if it has a subject and its manager has [`Revocations`]. The id stays
    /// the same from login to the end of the session, through every write and in every copy of its
    /// cookie. It has 22 characters. Use it for a list of a user's devices and with
    /// [`Revocations::end_one`]. It is not a secret. At login, read it after the subject was
    /// inserted, which can change the id of a new session.
    ///
    /// If all sessions of the subject are ended between a login and its response, the login's
    /// session is saved with a different id. So call [`Revocations::end_all`] before
    /// [`begin`](Self::begin), or [`Revocations::end_others`] instead of both.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.touch();
        let (ending, present) = self.present().ok()??;
        ending.text(&present, self.time())
    }

    /// Returns the index in the ring of the secret that signed the token.
    ///
    /// The index of the first secret is 0.
    #[must_use]
    pub fn key_index(&self) -> Option<usize> {
        self.touch();
        self.origin().map(|origin| origin.key_index)
    }

    /// Returns why the visitor's token was refused, if it was.
    ///
    /// The session is then empty.
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

    /// Sets the session's identity from its token, or refuses the session.
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
            // If only a codec has decoded the session, its identity is in its entries.
            let is_of_token = matches!(self.source, Source::Token(_));
            let entry = |key: &str| self.text(key).filter(|_| is_of_token);
            let ending = Ending::of_entries(watch, entry(&watch.subject_key), entry(ID_KEY));
            self.ending = Some(ending.into());
        }
        self
    }

    /// Connects a session that the program created to the list.
    ///
    /// See [`into_watched`](Self::into_watched).
    pub(crate) fn watched(&self, watch: &Arc<Watch>) -> Cow<'_, Self> {
        match self.ending {
            Some(_) => Cow::Borrowed(self),
            None => Cow::Owned(self.copy().into_watched(watch)),
        }
    }

    /// Replaces the session with an empty one if the list is out of date.
    ///
    /// This is only so with `Silence::Refuse`, and not for an anonymous session. The empty session
    /// knows which session it replaces, so that a logout ends the replaced session.
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

    /// Returns the known part of the session's identity, and its subject.
    ///
    /// The subject is that of the present entries. Does not count as access.
    fn present(&self) -> Result<Option<(&Ending, Present)>, DecodeError> {
        let Some(ending) = &self.ending else { return Ok(None) };
        let subject = Subject::read(self.text(ending.subject_key()))?;
        Ok(Some((ending, Present { subject, is_another: self.is_another() })))
    }

    /// Returns `true` if this is not, or is no longer, the request's session.
    fn is_another(&self) -> bool {
        !matches!(self.source, Source::Token(_) | Source::Refused(DecodeError::Unheard))
    }

    /// Returns when the session began, from its identity.
    ///
    /// Does not count as access.
    fn identity_began(&self) -> Option<Moment> {
        let (ending, present) = self.present().ok()??;
        ending.began(&present, self.time()).map(Moment::from_microseconds)
    }

    /// Returns the session with its identity entry, and its remaining lifetime.
    ///
    /// An anonymous session has no lifetime.
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

    /// Returns the session with one more entry, which the program does not see.
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

    /// Ends the request's session if a different session was written.
    pub(crate) fn end_former(&self, now: Moment) {
        if let Ok(Some((ending, present))) = self.present() {
            ending.end_former(&present, now);
        }
    }

    /// Returns `true` if no cookie should be sent.
    ///
    /// This is so if the session was ended after it was read, or was refused because the list is
    /// out of date.
    pub(crate) fn is_held_back(&self) -> bool {
        let present = self.present().ok().flatten();
        self.reason() == Some(&DecodeError::Unheard)
            || present.is_some_and(|(ending, present)| ending.has_ended_since(&present))
    }

    /// Returns `true` if the identity was derived and has yet to be recorded.
    pub(crate) fn is_adopted(&self) -> bool {
        let present = self.present().ok().flatten();
        present.is_some_and(|(ending, present)| ending.is_adopted(&present))
    }

    /// Returns the subject in the session's entries; does not count as access.
    fn subject(&self) -> Option<Subject> {
        self.present().ok()??.1.subject
    }

    /// Returns when the session began, if known; does not count as access.
    pub(crate) fn began(&self) -> Option<Moment> {
        match self.source {
            Source::Token(origin) => Some(origin.started),
            _ => self.begun_at.or(self.now),
        }
    }

    /// Returns when the session started, if it did in this request.
    ///
    /// Returns `None` if it was flushed since. Does not count as access.
    #[cfg(feature = "random")]
    pub(crate) fn begun_here(&self) -> Option<Moment> {
        self.begun_at.filter(|_| matches!(self.source, Source::Begun { .. }))
    }

    /// Sets the current time.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn set_now(&mut self, now: Moment) {
        self.now = Some(now);
    }

    /// Sets the current time, and whether the session's start is recorded.
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

    /// Returns `true` if the browser sent a cookie with the name, valid or not.
    pub(crate) fn has_cookie(&self) -> bool {
        match self.source {
            Source::Nothing { has_cookie } | Source::Begun { has_cookie } => has_cookie,
            Source::Refused(_) | Source::Token(_) => true,
        }
    }

    /// Returns `true` if there is nothing to save, like Django's `is_empty`.
    ///
    /// Does not count as access.
    pub(crate) fn is_void(&self) -> bool {
        matches!(self.source, Source::Nothing { .. }) && self.entries.is_empty()
    }

    /// Returns `true` if the entries are unchanged, byte for byte.
    ///
    /// Does not count as access.
    pub(crate) fn is_as_it_arrived(&self) -> bool {
        self.entries.are_as_they_arrived()
    }

    /// Returns all keys, with replacement characters for invalid Unicode.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn names(&self) -> Vec<String> {
        self.touch();
        self.entries.names().map(std::borrow::Cow::into_owned).collect()
    }

    /// Replaces another session of the same request, which was moved out.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn replace_moved(&mut self, moved: Option<Box<Ending>>) {
        self.change();
        // The replaced session ends with the response, like any other session that is replaced.
        self.ending = moved;
        if let Source::Nothing { has_cookie } | Source::Begun { has_cookie } = &mut self.source {
            *has_cookie = true;
        }
    }

    /// Returns `true` if both sessions have the same JSON.
    ///
    /// Does not count as access.
    pub(crate) fn has_the_entries_of(&self, other: &Self) -> bool {
        let [mut ours, mut theirs] = [String::new(), String::new()];
        self.write(&mut ours);
        other.write(&mut theirs);
        ours == theirs
    }

    /// Returns each key and its entry's size in bytes of JSON, largest first.
    pub(crate) fn sizes(&self) -> Vec<(String, usize)> {
        self.entries.sizes()
    }

    /// Records that the changes were written.
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

    /// Sets an entry to a string for this crate; the response may omit it.
    pub(crate) fn renew_text(&mut self, key: &str, text: &str) {
        let change = self.change.max(Change::Unasked);
        self.set_text(key, text);
        self.change = change;
    }

    /// Sets an entry to a string, which cannot fail.
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

    /// Records that the response depends on the session's content.
    pub(crate) fn touch(&self) {
        self.accessed.store(true, Ordering::Relaxed);
    }

    /// Marks the session as not read, after a read by a rule or this crate.
    pub(crate) fn set_untouched(&self) {
        self.accessed.store(false, Ordering::Relaxed);
    }

    /// Records that the session must be written.
    fn change(&mut self) {
        self.touch();
        self.change = Change::Asked;
    }

    /// Returns `true` if the program changed the session.
    pub(crate) fn is_asked(&self) -> bool {
        self.change == Change::Asked
    }
}

/// Returns `true` if a key is reserved for Django or this crate.
fn is_reserved(key: &str) -> bool {
    key.starts_with('_')
}

/// Returns a value as JSON, or an error if this key does not allow it.
fn encode<T: Serialize>(key: &str, value: &T) -> Result<String, ValueError> {
    allow(key, json::write(value)?)
}

/// Returns an error if no decoder would accept this text under a reserved key.
fn allow(key: &str, text: String) -> Result<String, ValueError> {
    match key {
        // A session's start does not change.
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

/// Counts as reading, because reads of the clone are not tracked.
impl Clone for Session {
    fn clone(&self) -> Self {
        self.touch();
        self.copy()
    }
}

/// The operations of a list of ended sessions on one session.
impl Revocations {
    /// Ends a session.
    ///
    /// Returns what was ended. Returns `None` if no manager with this list has read the session, or
    /// written it if it is new, if the session is anonymous, or if it had ended already. At logout
    /// use [`Session::flush`] instead, which also removes the cookie.
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

    /// Ends all sessions of this session's subject, and starts this one again.
    ///
    /// This session is replaced by a new session with all its entries. Call this when a password or
    /// another factor was changed.
    ///
    /// All existing copies of this session's cookie are refused from then on, including the
    /// browser's own, which the response replaces. Returns `None`, and does nothing, if the session
    /// is anonymous.
    pub fn end_others(&self, session: &mut Session) -> Option<Revocation> {
        let now = session.time().date();
        self.end_others_at(session, now)
    }

    /// Ends all sessions of this session's subject, at `now`.
    ///
    /// Starts this session again, like [`end_others`](Self::end_others).
    pub fn end_others_at(&self, session: &mut Session, now: OffsetDateTime) -> Option<Revocation> {
        session.touch();
        let revocation = self.end_subject(session.subject()?, Moment::from(now).microseconds());
        session.begin(|_| true);
        Some(revocation)
    }

    /// Returns `true` if a session was ended after it was read.
    ///
    /// A manager with this list must have read the session, or have written it if it is new.
    ///
    /// Use this for connections that outlive their request, such as a WebSocket: a session is
    /// checked when it is read, and not again.
    #[must_use]
    pub fn has_ended(&self, session: &Session) -> bool {
        self.has_ended_at(session, session.time().date())
    }

    /// Returns `true` if a session was ended, or its lifetime is over at `now`.
    ///
    /// See [`has_ended`](Self::has_ended).
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

/// Omits the entries, which are private data.
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
