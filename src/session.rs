//! Holds a visitor's data, which knows whether it was read or changed.
//!
//! As `django.contrib.sessions.backends.base.SessionBase`. Entries that came in
//! a token stay the JSON text that they are: `get` parses one when it is asked
//! for, and what nobody touched goes back byte for byte.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher as _;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned};
use time::OffsetDateTime;

use crate::error::{DecodeError, ValueError};
use crate::expiry::{Claim, EXPIRY_KEY, Expiry};
use crate::json::{self, Fault};
use crate::scratch::{self, Scratch};

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
    /// The JSON that came in the token; empty for a new session.
    arrived: String,
    entries: Vec<Entry>,
    accessed: AtomicBool,
    modified: bool,
    /// Whether the browser sent a cookie, be it what it may.
    has_cookie: bool,
    /// Whether there is a session to be kept, even an empty one: Django's `session_key`.
    has_key: bool,
    origin: Option<Origin>,
    refused: Option<DecodeError>,
}

/// Where a session comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) signed_at: OffsetDateTime,
    pub(crate) key_index: usize,
    /// When its first token was signed, as far as is known.
    pub(crate) started: OffsetDateTime,
}

#[derive(Clone)]
struct Entry {
    /// The key as JSON, in quotes.
    key: Text,
    /// The key's own characters, if its JSON has escapes.
    unescaped: Option<Box<[u8]>>,
    value: Text,
}

/// A piece of JSON: a part of what arrived, or written here.
#[derive(Clone)]
enum Text {
    Arrived(Range<usize>),
    Written(Box<str>),
}

impl Text {
    fn get<'a>(&'a self, arrived: &'a str) -> &'a str {
        match self {
            Self::Arrived(range) => arrived.get(range.clone()).unwrap_or_default(),
            Self::Written(text) => text,
        }
    }

    fn bytes<'a>(&'a self, arrived: &'a str) -> &'a [u8] {
        match self {
            Self::Arrived(range) => arrived.as_bytes().get(range.clone()).unwrap_or_default(),
            Self::Written(text) => text.as_bytes(),
        }
    }
}

impl Entry {
    /// Returns the key's own characters: UTF-8, but for lone surrogates.
    fn name<'a>(&'a self, arrived: &'a str) -> &'a [u8] {
        self.unescaped.as_deref().unwrap_or_else(|| {
            let quoted = self.key.bytes(arrived);
            quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
        })
    }
}

impl Session {
    /// Makes an empty session, as for a visitor without a cookie.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a session from the JSON of a token whose signature has been proved.
    ///
    /// A key written twice keeps its first place and its last value, as in Python.
    pub(crate) fn from_json(text: String) -> Result<Self, DecodeError> {
        let entries = scratch::with(|Scratch { places, hashes, .. }| {
            json::entries(&text, |key, value| places.push((key, value)))?;
            // Asked of all at once: few sessions have an escape, and many have short keys.
            let unescaped = if json::has_escape(&text) { unescaped } else { |_: &str| None };
            let entry = |(key, value)| Entry {
                unescaped: unescaped(text.get(Range::clone(&key)).unwrap_or_default()),
                key: Text::Arrived(key),
                value: Text::Arrived(value),
            };
            let entries: Vec<Entry> = places.drain(..).map(entry).collect();
            let names = entries.iter().map(|entry| entry.name(&text));
            Ok(if may_have_twice(names, hashes) { unify(entries, &text) } else { entries })
        });
        let entries = entries.map_err(|fault| match fault {
            Fault::Syntax => DecodeError::Json,
            Fault::Type => DecodeError::NotAnObject,
        })?;
        Ok(Self { arrived: text, entries, ..Self::default() })
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
        let mut json = String::with_capacity(self.arrived.len());
        self.write(&mut json);
        json
    }

    /// Appends the same to a text; does not count as access.
    pub(crate) fn write(&self, out: &mut String) {
        out.push('{');
        for (index, entry) in self.entries.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(entry.key.get(&self.arrived));
            out.push(':');
            out.push_str(entry.value.get(&self.arrived));
        }
        out.push('}');
    }

    /// Returns the entry's value, if there is one.
    ///
    /// `T` may borrow from the session: a `&serde_json::value::RawValue` is the JSON as it stands,
    /// for what no Rust type holds. `serde_json::Value` rounds integers past 64 bits. Text is a
    /// `String`: as `&str` it does not fit once it has an escape, as all beyond ASCII has.
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if the entry does not fit `T`.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, key: &str) -> Result<Option<T>, ValueError> {
        self.touch();
        let Some(text) = self.text(key) else { return Ok(None) };
        json::read(text).map(Some).map_err(|_| ValueError::WrongType)
    }

    /// Sets an entry; a new key comes last, a known one keeps its place.
    ///
    /// A value that was read, changed and not inserted again is not saved.
    ///
    /// # Errors
    ///
    /// [`ValueError::NotFinite`] for NaN and the infinities, which JSON cannot
    /// say; [`ValueError::Unserializable`] if the value cannot be written as
    /// JSON. The session is then unchanged.
    pub fn insert<T: Serialize>(&mut self, key: &str, value: T) -> Result<(), ValueError> {
        let text = json::write(&value)?;
        self.set(key, text);
        Ok(())
    }

    /// Removes an entry and tells whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        self.touch();
        let Some(index) = self.position(key) else { return false };
        self.entries.remove(index);
        self.modified = true;
        true
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
        self.position(key).is_some()
    }

    /// Lists the keys in order.
    ///
    /// A key that is not Unicode (Python allows lone surrogates) is carried
    /// and counted, but not listed.
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
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.touch();
        self.entries.iter().filter_map(|entry| {
            let key = std::str::from_utf8(entry.name(&self.arrived)).ok()?;
            Some((key, entry.value.get(&self.arrived)))
        })
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
        let written = entries.into_iter().map(|(key, value)| Ok((key, json::write(&value)?)));
        let written: Vec<(K, String)> = written.collect::<Result<_, ValueError>>()?;
        self.touch();
        self.modified = true;
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
        self.touch();
        self.modified = true;
        self.entries.clear();
        self.arrived.clear();
    }

    /// Removes all entries and ends the session: to be called at logout.
    ///
    /// What is inserted afterwards belongs to a new session. A copy of the old
    /// cookie stays valid until it expires: there is no server-side list to
    /// strike it from.
    pub fn flush(&mut self) {
        self.clear();
        self.has_key = false;
        self.origin = None;
        self.refused = None;
    }

    /// Has the session written with a new stamp and signature: to be called at login.
    ///
    /// The data stay, and if there are none, an empty session is written. For an
    /// anonymous visitor's data not to be carried into the login, call
    /// [`flush`](Self::flush), or log in with [`AuthUser`](crate::django::AuthUser).
    pub fn cycle_key(&mut self) {
        self.touch();
        self.modified = true;
        self.has_key = true;
    }

    /// Begins another session, with the entries that are to be kept.
    ///
    /// A key that is not Unicode is asked for with replacement characters in it.
    pub(crate) fn begin_anew(&mut self, keep: impl Fn(&str) -> bool) {
        let Self { arrived, entries, .. } = self;
        entries.retain(|entry| keep(&String::from_utf8_lossy(entry.name(arrived))));
        self.origin = None;
        self.refused = None;
        self.cycle_key();
    }

    /// Sets when this session ends, as Django's `set_expiry`.
    ///
    /// [`Expiry::Default`] removes an earlier wish.
    pub fn set_expiry(&mut self, expiry: Expiry) {
        match expiry.to_json() {
            Some(text) => self.set(EXPIRY_KEY, text),
            None => drop(self.remove(EXPIRY_KEY)),
        }
    }

    /// Returns when this session ends, as it was last set.
    ///
    /// A negative number of seconds, which Django allows, reads as none.
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
        self.modified
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
        self.origin.map(|origin| origin.signed_at)
    }

    /// Returns which secret of the ring signed that token: 0 for the first.
    #[must_use]
    pub fn key_index(&self) -> Option<usize> {
        self.touch();
        self.origin.map(|origin| origin.key_index)
    }

    /// Returns why the token was refused that this session stands in for.
    #[must_use]
    pub fn refused(&self) -> Option<&DecodeError> {
        self.touch();
        self.refusal()
    }

    /// Does the same and does not count as access.
    pub(crate) fn refusal(&self) -> Option<&DecodeError> {
        self.refused.as_ref()
    }

    pub(crate) fn origin(&self) -> Option<Origin> {
        self.origin
    }

    pub(crate) fn set_origin(&mut self, origin: Origin) {
        self.origin = Some(origin);
        (self.has_cookie, self.has_key) = (true, true);
    }

    /// Makes the session of a visitor whose cookie, if there is one, was not read.
    pub(crate) fn unread(has_cookie: bool, has_key: bool) -> Self {
        Self { has_cookie, has_key, ..Self::default() }
    }

    /// Tells whether the browser sent a cookie, be it what it may.
    pub(crate) fn has_cookie(&self) -> bool {
        self.has_cookie
    }

    /// Tells whether there is nothing to be kept, as Django's `is_empty`; does not count as access.
    pub(crate) fn is_void(&self) -> bool {
        !self.has_key && self.entries.is_empty()
    }

    /// Tells whether all entries are as they came, to the byte; does not count as access.
    pub(crate) fn is_as_it_arrived(&self) -> bool {
        scratch::with(|Scratch { json, .. }| {
            self.write(json);
            *json == self.arrived
        })
    }

    /// Lists the entries with the bytes of JSON that each takes, the largest first.
    ///
    /// A key that is no plain name may hold what a visitor typed: its place stands for it.
    pub(crate) fn sizes(&self) -> Vec<(String, usize)> {
        let size = |(index, entry): (usize, &Entry)| {
            let (quoted, value) = (entry.key.get(&self.arrived), entry.value.get(&self.arrived));
            let key = match str::from_utf8(entry.name(&self.arrived)) {
                Ok(key) if is_plain_name(key) => key.to_owned(),
                _ => format!("entry {}", index.saturating_add(1)),
            };
            // The colon and the comma count, too.
            (key, quoted.len().saturating_add(value.len()).saturating_add(2))
        };
        let mut sizes: Vec<(String, usize)> = self.entries.iter().enumerate().map(size).collect();
        sizes.sort_by_key(|(_, size)| Reverse(*size));
        sizes
    }

    /// Notes that what was changed has been written.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn set_saved(&mut self) {
        self.modified = false;
    }

    /// Returns the JSON text of an entry; does not count as access.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        let entry = self.entries.get(self.position(key)?)?;
        Some(entry.value.get(&self.arrived))
    }

    fn read_claim(&self) -> Result<Claim, ValueError> {
        self.touch();
        Claim::read(self.text(EXPIRY_KEY)).ok_or(ValueError::WrongType)
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name(&self.arrived) == key.as_bytes())
    }

    /// Sets an entry to a text, which cannot fail.
    pub(crate) fn set_text(&mut self, key: &str, text: &str) {
        self.set(key, json::quote(text));
    }

    fn set(&mut self, key: &str, text: String) {
        let value = Text::Written(text.into_boxed_str());
        if let Some(entry) = self.position(key).and_then(|index| self.entries.get_mut(index)) {
            entry.value = value;
        } else {
            let key = json::quote(key);
            let unescaped = unescaped(&key);
            let key = Text::Written(key.into_boxed_str());
            self.entries.push(Entry { key, unescaped, value });
        }
        self.touch();
        self.modified = true;
    }

    /// Notes that the response depends on what is in the session.
    fn touch(&self) {
        self.accessed.store(true, Ordering::Relaxed);
    }
}

/// Returns a key's own characters, if its JSON has escapes.
fn unescaped(quoted: &str) -> Option<Box<[u8]>> {
    json::has_escape(quoted).then(|| json::unquote(quoted)).flatten().map(Vec::into_boxed_slice)
}

fn is_plain_name(key: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    (1..=64).contains(&key.len()) && key.bytes().all(is_plain)
}

/// Leaves one entry a key: its first place, its last value.
fn unify(entries: Vec<Entry>, arrived: &str) -> Vec<Entry> {
    let mut unified: Vec<Entry> = Vec::with_capacity(entries.len());
    let mut places = HashMap::new();
    for entry in entries {
        let place = *places.entry(entry.name(arrived).to_vec()).or_insert(unified.len());
        match unified.get_mut(place) {
            Some(first) => first.value = entry.value,
            None => unified.push(entry),
        }
    }
    unified
}

/// Tells whether a name is there twice, or has the same hash as another.
fn may_have_twice<'a>(
    mut names: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    hashes: &mut HashSet<u64>,
) -> bool {
    // Comparing each with each is the fastest for few; hashing stays linear for many.
    if names.len() > 16 {
        return !names.all(|name| hashes.insert(hashes.hasher().hash_one(name)));
    }
    while let Some(name) = names.next() {
        if names.clone().any(|other| other == name) {
            return true;
        }
    }
    false
}

/// The empty session that stands in for a token that was refused.
///
/// ```
/// use signed_session::{DecodeError, Session};
///
/// let session = Session::from(DecodeError::BadSignature);
/// assert!(session.is_empty());
/// assert_eq!(session.refused(), Some(&DecodeError::BadSignature));
/// ```
impl From<DecodeError> for Session {
    fn from(reason: DecodeError) -> Self {
        Self { refused: Some(reason), ..Self::unread(true, true) }
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Self {
            arrived: self.arrived.clone(),
            entries: self.entries.clone(),
            accessed: AtomicBool::new(self.is_accessed()),
            modified: self.modified,
            has_cookie: self.has_cookie,
            has_key: self.has_key,
            origin: self.origin,
            refused: self.refused.clone(),
        }
    }
}

/// Shows no entry: a session's data are the visitor's.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("entries", &self.entries.len())
            .field("accessed", &self.is_accessed())
            .field("modified", &self.modified)
            .field("origin", &self.origin)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}
