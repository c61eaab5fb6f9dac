//! Reads the messages stored for a visitor, and stores new ones.
//!
//! Corresponds to `django.contrib.messages`: the classes `CookieStorage`, `SessionStorage` and
//! `FallbackStorage`, and their middleware.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use ::cookie::Cookie;
use time::OffsetDateTime;

use crate::candidates::Candidates;
use crate::cookie::{self, CookieOptions};
use crate::django::signed_cookie::cookie_signer;
use crate::error::{DecodeError, EncodeError, ValueError, sure};
use crate::json;
use crate::key::Keyring;
use crate::payload::Compress;
use crate::reply::Reply;
use crate::session::Session;
use crate::timestamp::TimestampSigner;

/// The salt of the messages cookie.
pub(crate) const MESSAGES_SALT: &str = "django.contrib.messages";

/// The maximum length of the messages cookie's value in Django, in bytes.
const MAX_COOKIE_LEN: usize = 2048;

/// The session entry that contains messages: JSON in a string.
const SESSION_KEY: &str = "_messages";

/// The beginning of every message, as JSON.
const MARK: &str = "\"__json_message\"";

/// The last item of a cookie that does not contain all messages, as JSON.
const NOT_FINISHED: &str = "\"__messagesnotfinished__\"";

/// The level of a message: one of Django's five, or any other number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(pub i64);

impl Level {
    /// Debugging output for developers.
    pub const DEBUG: Self = Self(10);
    /// Information for the visitor.
    ///
    /// By default, messages below this level are not stored.
    pub const INFO: Self = Self(20);
    /// An action succeeded.
    pub const SUCCESS: Self = Self(25);
    /// A potential problem.
    pub const WARNING: Self = Self(30);
    /// An action failed.
    pub const ERROR: Self = Self(40);

    /// Returns the tag of one of Django's levels; empty for any other level.
    fn tag(self) -> &'static str {
        match self {
            Self::DEBUG => "debug",
            Self::INFO => "info",
            Self::SUCCESS => "success",
            Self::WARNING => "warning",
            Self::ERROR => "error",
            _ => "",
        }
    }
}

/// A text that a visitor sees once, on the next page.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The level of the message.
    pub level: Level,
    /// The text: HTML if `is_safe`, otherwise plain text to be escaped.
    pub text: String,
    /// The tags other than the level's, separated by spaces.
    ///
    /// If there are none, Django's `add` sets `""`.
    pub extra_tags: Option<String>,
    /// Whether the text is safe HTML, as marked by Django's `mark_safe`.
    pub is_safe: bool,
}

impl Message {
    /// Creates a message of plain text, without extra tags.
    #[must_use]
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into(), extra_tags: Some(String::new()), is_safe: false }
    }

    /// Adds tags, which templates use as CSS classes.
    #[must_use]
    pub fn extra_tags(mut self, tags: &str) -> Self {
        self.extra_tags = Some(tags.to_owned());
        self
    }

    /// Sets whether the text is HTML, shown unescaped. Defaults to `false`.
    ///
    /// Never set this for text that contains user input.
    #[must_use]
    pub fn safe(mut self, is_safe: bool) -> Self {
        self.is_safe = is_safe;
        self
    }

    /// Writes the message as Django's encoder does.
    ///
    /// `comma` separates the items.
    fn to_json(&self, comma: &str) -> String {
        let (safe, level) = (u8::from(self.is_safe), self.level.0);
        let mut row = [MARK, &safe.to_string(), &level.to_string()].join(comma);
        for text in [Some(&self.text), self.extra_tags.as_ref()].into_iter().flatten() {
            row.push_str(comma);
            row.push_str(&json::quote(text));
        }
        format!("[{row}]")
    }
}

/// Omits the text and the tags, which are private data.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("level", &self.level)
            .field("is_safe", &self.is_safe)
            .finish_non_exhaustive()
    }
}

/// An item of the stored list.
#[derive(Clone)]
enum Row {
    Message(Message),
    /// An item that is not a message: preserved unchanged.
    Other(Box<str>),
}

impl Row {
    fn read(json: &str) -> Self {
        match read_message(json) {
            Some(message) => Self::Message(message),
            None => Self::Other(json.into()),
        }
    }

    fn to_json(&self, comma: &str) -> String {
        match self {
            Self::Message(message) => message.to_json(comma),
            Self::Other(json) => String::from(&**json),
        }
    }

    fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            Self::Other(_) => None,
        }
    }
}

/// Reads a message, if the row is one and reading it loses nothing.
fn read_message(row: &str) -> Option<Message> {
    let (mark, safe, level, text, tags) = match *json::items(row).ok()? {
        [mark, safe, level, text] => (mark, safe, level, text, None),
        [mark, safe, level, text, tags] => (mark, safe, level, text, Some(tags)),
        _ => return None,
    };
    let is_safe = match safe {
        "0" | "false" => false,
        "1" | "true" => true,
        _ => return None,
    };
    (mark == MARK).then_some(())?;
    Some(Message {
        level: Level(json::read(level).ok()?),
        text: json::read(text).ok()?,
        extra_tags: tags.map_or(Some(None), |tags| json::read(tags).ok())?,
        is_safe,
    })
}

/// The storage of a site's messages, which is Django's `MESSAGE_STORAGE`.
///
/// # Examples
///
/// ```
/// use signed_session::django::{Level, Message, MessageStorage};
/// use signed_session::{CookieOptions, Keyring, Session};
///
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// let storage = MessageStorage::fallback(&ring, CookieOptions::new("messages")?);
///
/// // One request adds a message. A later one, which Django may serve, shows it.
/// let mut session = Session::new();
/// let mut messages = storage.load(["theme=dark"]);
/// messages.add(Message::new(Level::SUCCESS, "The pears are in the cart.").extra_tags("cart"));
/// let stored = messages.commit(&mut session)?;
/// let cookie = stored.reply.set_cookie.unwrap();
///
/// let mut messages = storage.load([&cookie.stripped().to_string()]);
/// for message in messages.show(&session)? {
///     assert_eq!(message.text, "The pears are in the cart.");
///     assert_eq!(storage.tags(&message), "cart success");
/// }
/// // They have been shown: the cookie is deleted.
/// let stored = messages.commit(&mut session)?;
/// assert_eq!(stored.reply.set_cookie.unwrap().value(), "");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MessageStorage {
    cookie: Option<MessageCookie>,
    has_session: bool,
    level: Level,
    tags: BTreeMap<Level, String>,
}

#[derive(Clone)]
struct MessageCookie {
    options: CookieOptions,
    signer: TimestampSigner,
}

impl MessageStorage {
    /// Creates a storage in a cookie, like `CookieStorage`.
    ///
    /// It keeps the newest messages, as many as fit in 2,048 bytes.
    ///
    /// Django's cookie is named `messages`. It has the path `/`, and otherwise the attributes of
    /// the session cookie. The browser drops it when it closes.
    #[must_use]
    pub fn cookie(ring: &Keyring, options: CookieOptions) -> Self {
        Self::new(Some((ring, options)), false)
    }

    /// Creates a storage in the session, like `SessionStorage`.
    ///
    /// It keeps all messages.
    #[must_use]
    pub fn session() -> Self {
        Self::new(None, true)
    }

    /// Creates a storage in a cookie and the session, like `FallbackStorage`.
    ///
    /// This is Django's default. Messages that do not fit in the cookie are in the session. The
    /// cookie is that of [`cookie`](Self::cookie), except that it contains the oldest messages.
    #[must_use]
    pub fn fallback(ring: &Keyring, options: CookieOptions) -> Self {
        Self::new(Some((ring, options)), true)
    }

    fn new(cookie: Option<(&Keyring, CookieOptions)>, has_session: bool) -> Self {
        let cookie = cookie.map(|(ring, options)| MessageCookie {
            options,
            signer: cookie_signer(ring, MESSAGES_SALT),
        });
        Self { cookie, has_session, level: Level::INFO, tags: BTreeMap::new() }
    }

    /// Sets the lowest level that is stored, as `MESSAGE_LEVEL`.
    ///
    /// Defaults to [`Level::INFO`].
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets the tag of a level, as an entry of Django's `MESSAGE_TAGS`.
    #[must_use]
    pub fn level_tag(mut self, level: Level, tag: &str) -> Self {
        self.tags.insert(level, tag.to_owned());
        self
    }

    /// Returns all tags of a message, as `message.tags` in a template.
    ///
    /// These are its own tags and the tag of its level.
    #[must_use]
    pub fn tags(&self, message: &Message) -> String {
        let of_level = self.tags.get(&message.level).map_or(message.level.tag(), String::as_str);
        let own = message.extra_tags.as_deref().unwrap_or_default();
        let space = if own.is_empty() || of_level.is_empty() { "" } else { " " };
        format!("{own}{space}{of_level}")
    }

    /// Loads the messages of a request from its `Cookie:` headers.
    ///
    /// The cookie is not decoded before the messages are needed.
    pub fn load<'h, H>(&self, cookie_headers: impl IntoIterator<Item = &'h H>) -> Messages
    where
        H: AsRef<[u8]> + ?Sized + 'h,
    {
        let options = self.cookie.as_ref().map(|cookie| &cookie.options);
        let mut too_long = 0;
        let values = cookie_headers
            .into_iter()
            .flat_map(|header| options.into_iter().flat_map(|o| o.find_bytes(header.as_ref())))
            .filter(|value| !value.is_empty())
            .map(|value| {
                if value.len() <= cookie::MAX_LEN {
                    return value.to_vec();
                }
                too_long = value.len();
                Vec::new()
            })
            .collect();
        Messages {
            storage: self.clone(),
            values,
            too_long,
            loaded: None,
            refusal: None,
            queued: Vec::new(),
            is_shown: false,
        }
    }
}

impl fmt::Debug for MessageStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStorage").finish_non_exhaustive()
    }
}

/// The messages of one request: those stored earlier, and those it adds.
pub struct Messages {
    storage: MessageStorage,
    /// The raw values of the cookie. A value that is too long is empty.
    values: Candidates<Vec<u8>>,
    /// The length of the last value that is too long.
    too_long: usize,
    /// `None` until the messages are first needed.
    loaded: Option<Loaded>,
    refusal: Option<DecodeError>,
    queued: Vec<Message>,
    /// Whether the loaded messages are dropped by the commit: Django's `used`.
    is_shown: bool,
}

/// The messages that were stored earlier.
#[derive(Clone, Default)]
struct Loaded {
    rows: Vec<Row>,
    /// Whether the cookie contained any: Django's `_used_storages`.
    from_cookie: bool,
    /// Whether the session contained any.
    from_session: bool,
}

impl Messages {
    /// Adds a message, to be shown on this page or the next.
    ///
    /// As in Django, a message without text or below the storage's [`level`](MessageStorage::level)
    /// is dropped.
    pub fn add(&mut self, message: Message) {
        if !message.text.is_empty() && message.level >= self.storage.level {
            self.queued.push(message);
        }
    }

    /// Returns all messages, oldest first, and marks them as shown.
    ///
    /// [`commit`](Self::commit) removes them. Items that are not messages, which a different
    /// program may have stored, are neither returned nor removed.
    ///
    /// # Errors
    ///
    /// [`MessagesError::Value`] if the session's messages cannot be read.
    pub fn show(&mut self, session: &Session) -> Result<Vec<Message>, MessagesError> {
        let mut loaded = self.load(session)?;
        self.is_shown = true;
        loaded.rows.extend(self.queued.drain(..).map(Row::Message));
        let shown = loaded.rows.iter().filter_map(Row::message).cloned().collect();
        self.loaded = Some(loaded);
        Ok(shown)
    }

    /// Returns why the messages cookie was refused.
    ///
    /// `None` before [`show`](Self::show) has decoded the cookie.
    #[must_use]
    pub fn refusal(&self) -> Option<&DecodeError> {
        self.refusal.as_ref()
    }

    /// Stores the messages that were not shown. Returns the response's headers.
    ///
    /// See [`commit_at`](Self::commit_at).
    ///
    /// # Errors
    ///
    /// See [`commit_at`](Self::commit_at).
    pub fn commit(self, session: &mut Session) -> Result<StoredMessages, MessagesError> {
        self.commit_at(session, OffsetDateTime::now_utc())
    }

    /// Stores the messages that were not shown, for a response sent at `now`.
    ///
    /// Call this before the session is committed, because it may change the session. If no message
    /// was shown or added, this does nothing.
    ///
    /// With [`MessageStorage::cookie`], a cookie that no key of the site verifies is deleted when
    /// messages are shown, as in Django. An authentic cookie that this program cannot read is kept
    /// until a new one is written.
    ///
    /// # Errors
    ///
    /// [`MessagesError::Value`] if the session's messages cannot be read and new ones would have to
    /// be added to them. [`MessagesError::Encode`] with [`EncodeError::TooLarge`] if an item that
    /// is not a message does not fit, or with [`EncodeError::BadTimestamp`] if `now` is before 1970
    /// or after the year 9999.
    pub fn commit_at(
        mut self,
        session: &mut Session,
        now: OffsetDateTime,
    ) -> Result<StoredMessages, MessagesError> {
        let mut reply = Reply::default();
        if !self.is_shown && self.queued.is_empty() {
            return Ok(StoredMessages { reply, unstored: Vec::new() });
        }
        let Loaded { rows, from_cookie, from_session } = self.load(session)?;
        let is_kept = |row: &Row| !self.is_shown || matches!(row, Row::Other(_));
        let queued = self.queued.into_iter().map(Row::Message);
        let mut rows: Vec<Row> = rows.into_iter().filter(is_kept).chain(queued).collect();
        let MessageStorage { cookie, has_session, .. } = self.storage;
        if let Some(cookie) = &cookie {
            reply.vary_on_cookie = true;
            if !rows.is_empty() {
                (reply.set_cookie, rows) = cookie.store(rows, !has_session, now)?;
            } else if from_cookie
                || !has_session && !self.refusal.is_some_and(|reason| may_be_valid(&reason))
            {
                reply.set_cookie = Some(cookie.options.removal());
            }
        }
        if has_session && !rows.is_empty() {
            let rows: Vec<String> = rows.drain(..).map(|row| row.to_json(", ")).collect();
            session.set_text(SESSION_KEY, &format!("[{}]", rows.join(", ")));
        } else if from_session || cookie.is_none() {
            session.remove(SESSION_KEY);
        }
        let unstored = rows.iter().filter_map(Row::message).cloned().collect();
        Ok(StoredMessages { reply, unstored })
    }

    /// Returns the messages that were stored earlier. Reads them only once.
    fn load(&mut self, session: &Session) -> Result<Loaded, MessagesError> {
        if let Some(loaded) = self.loaded.take() {
            return Ok(loaded);
        }
        let mut loaded = Loaded::default();
        let mut is_session_read = self.storage.has_session;
        if self.storage.cookie.is_some() {
            let (rows, is_whole) = self.read_cookie();
            loaded.from_cookie = !rows.is_empty();
            loaded.rows = rows;
            // The session contains further messages only if the cookie says so.
            is_session_read &= !is_whole;
        }
        if is_session_read {
            let rows = read_session(session)?;
            loaded.from_session = !rows.is_empty();
            loaded.rows.extend(rows);
        }
        Ok(loaded)
    }

    /// Returns the rows of the cookie, and whether they are complete.
    fn read_cookie(&mut self) -> (Vec<Row>, bool) {
        let Some(place) = &self.storage.cookie else { return (Vec::new(), true) };
        let (len, limit) = (self.too_long, cookie::MAX_LEN);
        let read = |value: &str| {
            if value.is_empty() {
                return Err(DecodeError::TooLong { len, limit });
            }
            let json = place.signer.unsign_json(value, None)?;
            let mut rows = json::items(&json)?;
            let is_whole = rows.pop_if(|row| *row == NOT_FINISHED).is_none();
            Ok((rows.into_iter().map(Row::read).collect(), is_whole))
        };
        match self.values.choose(read) {
            Ok(None) => (Vec::new(), true),
            Ok(Some(read)) => read,
            Err(reason) => {
                self.refusal = Some(reason);
                (Vec::new(), true)
            }
        }
    }
}

/// Returns `true` if a refused cookie may be valid for other programs.
fn may_be_valid(reason: &DecodeError) -> bool {
    reason.is_authentic() || matches!(reason, DecodeError::TooManyCookies { .. })
}

/// Reads the rows in a session.
fn read_session(session: &Session) -> Result<Vec<Row>, ValueError> {
    // Null and an empty string count as none, as in Django.
    let text = session.get::<Option<String>>(SESSION_KEY)?.flatten().unwrap_or_default();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let rows =
        json::items(&text).map_err(|_| ValueError::WrongType { key: SESSION_KEY.to_owned() })?;
    Ok(rows.into_iter().map(Row::read).collect())
}

impl MessageCookie {
    /// Returns the cookie of as many rows as fit, and the rows that do not.
    ///
    /// With `drops_oldest` the newest rows are in the cookie, otherwise the oldest. Their number is
    /// found by bisection, as in Django.
    fn store(
        &self,
        mut rows: Vec<Row>,
        drops_oldest: bool,
        now: OffsetDateTime,
    ) -> Result<(Option<Cookie<'static>>, Vec<Row>), EncodeError> {
        let texts: Vec<String> = rows.iter().map(|row| row.to_json(",")).collect();
        let mut left = Vec::new();
        let mut encoded = self.encode(&texts, false, now)?;
        if encoded.is_none() {
            let (mut low, mut high) = (0, texts.len());
            let kept = |at: usize| if drops_oldest { texts.get(at..) } else { texts.get(..at) };
            while low < high {
                let middle = low.midpoint(high);
                let part = if drops_oldest { middle } else { middle.saturating_add(1) };
                let fits = self.encode(sure(kept(part)), true, now)?.is_some();
                if fits == drops_oldest {
                    high = middle;
                } else {
                    low = middle.saturating_add(1);
                }
            }
            encoded = self.encode(sure(kept(low)), true, now)?;
            left = rows.split_off(low);
            if drops_oldest {
                left = rows;
            }
        }
        if drops_oldest && left.iter().any(|row| row.message().is_none()) {
            let len = texts.iter().fold(0, |len: usize, text| len.saturating_add(text.len()));
            return Err(EncodeError::too_large(len, MAX_COOKIE_LEN));
        }
        let cookie = encoded.map(|encoded| self.options.cookie(&encoded, None, now)).transpose()?;
        Ok((cookie, left))
    }

    /// Encodes rows if they fit. With `is_part`, a mark follows them.
    fn encode(
        &self,
        rows: &[String],
        is_part: bool,
        now: OffsetDateTime,
    ) -> Result<Option<String>, EncodeError> {
        let rows: Vec<&str> =
            rows.iter().map(String::as_str).chain(is_part.then_some(NOT_FINISHED)).collect();
        let list = json::to_ascii(format!("[{}]", rows.join(",")));
        match self.signer.sign_json_at(&list, Compress::IfShorter, now) {
            Ok(encoded) => Ok(Some(encoded).filter(|encoded| encoded.len() <= MAX_COOKIE_LEN)),
            Err(EncodeError::TooLarge { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Omits the messages, which are private data.
impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

/// The error if the messages of a request cannot be read or stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessagesError {
    /// The session's entry for messages is not in Django's format.
    Value(ValueError),
    /// The messages cannot be written.
    Encode(EncodeError),
}

/// Lets handlers use `?` on both a session and its messages.
impl From<ValueError> for MessagesError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl From<EncodeError> for MessagesError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl fmt::Display for MessagesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
        }
    }
}

impl Error for MessagesError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Value(error) => Some(error),
            Self::Encode(error) => Some(error),
        }
    }
}

/// Responds with an empty 500 and logs the reason.
///
/// Handlers can therefore use `?` on messages.
#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for MessagesError {
    fn into_response(self) -> axum_core::response::Response {
        crate::axum::internal_error(&self)
    }
}

/// Responds with an empty 500 and logs the reason.
///
/// Handlers can therefore use `?` on messages.
#[cfg(feature = "actix")]
impl actix_web::ResponseError for MessagesError {
    fn error_response(&self) -> actix_web::HttpResponse {
        crate::actix::internal_error(self)
    }
}

/// The result of committing the messages of a request.
#[must_use = "the response has to carry the reply"]
#[non_exhaustive]
pub struct StoredMessages {
    /// The headers of the response, in addition to those of the session.
    pub reply: Reply,
    /// The messages that did not fit, which are the oldest.
    ///
    /// This is always empty except with [`MessageStorage::cookie`].
    pub unstored: Vec<Message>,
}

/// Shows how many messages did not fit. Omits their content.
impl fmt::Debug for StoredMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMessages")
            .field("reply", &self.reply)
            .field("unstored", &self.unstored.len())
            .finish()
    }
}
