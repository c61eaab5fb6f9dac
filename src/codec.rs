//! Encodes sessions as tokens, and decodes tokens.
//!
//! The steps have the numbers of the table in `lib.rs`. Decoding runs from the bottom to the top.
//!
//! ```text
//!    encode                               decode
//! 2  session -> JSON, not too large       session <- JSON, its own expiry has not passed
//! 3  JSON -> payload                      JSON <- payload, not too large
//! 4  payload -> payload:stamp             payload <- payload:stamp, within the policy
//! 5  payload:stamp -> token               payload:stamp <- token, if a key verifies the signature
//!    token not too long                   token not too long
//! ```

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use time::{OffsetDateTime, UtcOffset};

use crate::age::{Age, Moment, signed};
use crate::cookie;
use crate::error::{DecodeError, EncodeError, sure};
use crate::expiry::{
    Claim, DEFAULT_MAX_AGE, EXPIRY_KEY, ExpiryRule, STARTED_KEY, read_started,
    started_in_microseconds,
};
use crate::json::{self, Fault};
use crate::kept;
use crate::key::{Keyring, Weakness};
use crate::payload::{self, Compress};
use crate::session::{Origin, Session};
use crate::timestamp::{TimestampSigner, Unsigned};

/// The salt of Django's `signed_cookies` session backend.
pub(crate) const SESSION_SALT: &str = "django.contrib.sessions.backends.signed_cookies";

/// Encodes sessions as tokens, and decodes tokens.
///
/// The tokens are those of Django's `signed_cookies` backend. The default salt and lifetime (two
/// weeks) are Django's. In addition, tokens are limited to 4,096 bytes, which is the limit of
/// browsers, and their JSON to 65,536 bytes.
///
/// # Examples
///
/// ```
/// use signed_session::{Keyring, Session, SessionCodec};
///
/// // Django's SECRET_KEY.
/// let ring = Keyring::new("test-secret-key-0123456789")?;
/// let codec = SessionCodec::new(&ring);
///
/// // A token that Django created, decoded in the same second.
/// let now = time::OffsetDateTime::from_unix_timestamp(1_700_000_000)?;
/// let token = "eyJ1c2VyX2lkIjo0Mn0:1r31eq:LiU8YAv1PND9KvRoXls35Yzj9bRllXH3a44cb4Ji8xw";
/// let mut session = codec.decode_at(token, now)?;
/// assert_eq!(session.get::<u64>("user_id")?, Some(42));
///
/// // Changed and signed again, for Django to read.
/// session.insert("language", "fr")?;
/// let token = codec.encode_at(&session, now)?;
/// assert!(token.starts_with("eyJ1c2VyX2lkIjo0MiwibGFuZ3VhZ2UiOiJmciJ9:1r31eq:"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SessionCodec {
    ring: Keyring,
    signer: TimestampSigner,
    compress: Compress,
    max_age: Duration,
    expiry_rule: ExpiryRule,
    max_token_len: usize,
    max_payload_len: usize,
    refuse_signed_before: Option<Moment>,
    max_clock_skew: Duration,
    absolute_max_age: Option<Duration>,
    track_start: bool,
    naive_offset: Option<UtcOffset>,
    use_tz: bool,
}

impl SessionCodec {
    /// Creates a codec for Django's session cookie.
    ///
    /// If a site uses more than one session cookie, use [`named`](Self::named).
    #[must_use]
    pub fn new(ring: &Keyring) -> Self {
        Self {
            ring: ring.clone(),
            signer: TimestampSigner::new(ring, SESSION_SALT),
            compress: Compress::default(),
            max_age: DEFAULT_MAX_AGE,
            expiry_rule: ExpiryRule::default(),
            max_token_len: cookie::MAX_LEN,
            max_payload_len: payload::DEFAULT_MAX_LEN,
            refuse_signed_before: None,
            max_clock_skew: Duration::from_secs(5 * 60),
            absolute_max_age: None,
            track_start: false,
            naive_offset: None,
            use_tz: true,
        }
    }

    /// Creates a codec for one of several session cookies of a site.
    ///
    /// All codecs that [`new`](Self::new) creates for one key ring accept each other's tokens, as
    /// in Django, whatever their cookies are called: for example, a visitor who sends a shop's
    /// cookie under the name of an office's cookie is logged in to the office with the user id of
    /// the shop. A separate `name` for each codec prevents that. It is independent of the cookie's
    /// name, which may change, and it is not secret.
    ///
    /// The salt is `signed_session.named:` followed by the name. No salt of Django begins this way.
    /// Django and the command line can read such tokens if you pass the salt.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{CookieOptions, DecodeError, Keyring, SessionCodec, SessionManager};
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let manager = |name: &str| {
    ///     let options = CookieOptions::new(name)?;
    ///     Ok::<_, signed_session::ConfigError>(SessionManager::new(SessionCodec::named(&ring, name), options))
    /// };
    /// let (shop, office) = (manager("shop")?, manager("office")?);
    ///
    /// let mut session = shop.load(["theme=dark"]);
    /// session.insert("user_id", 42)?;
    /// let cookie = shop.commit(&session, 200)?.set_cookie.unwrap().stripped().to_string();
    /// assert_eq!(shop.load([&cookie]).get("user_id")?, Some(42));
    ///
    /// let renamed = cookie.replace("shop=", "office=");
    /// assert_eq!(office.load([&renamed]).refusal(), Some(&DecodeError::BadSignature));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn named(ring: &Keyring, name: &str) -> Self {
        // The variable part follows a constant one, so that no two names have the same salt.
        Self::new(ring).salt(&format!("signed_session.named:{name}"))
    }

    /// Sets the salt, which names the purpose of the tokens.
    ///
    /// See [`Signer`](crate::Signer) for why it matters.
    #[must_use]
    pub fn salt(mut self, salt: &str) -> Self {
        self.signer = TimestampSigner::new(&self.ring, salt);
        self
    }

    /// Sets when to compress. Defaults to [`Compress::IfShorter`].
    #[must_use]
    pub fn compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// Sets how long a session lasts after it was last written.
    ///
    /// Defaults to two weeks. This is Django's `SESSION_COOKIE_AGE`. A token of exactly this age is
    /// accepted.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets whether a session's own expiry is enforced.
    ///
    /// Defaults to [`ExpiryRule::Enforce`].
    #[must_use]
    pub fn expiry_rule(mut self, rule: ExpiryRule) -> Self {
        self.expiry_rule = rule;
        self
    }

    /// Sets the maximum length of a token in bytes. Defaults to 4,096.
    #[must_use]
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.max_token_len = bytes;
        self
    }

    /// Sets the maximum size of a session's JSON in bytes.
    ///
    /// Defaults to 65,536. Decompression stops at this limit.
    #[must_use]
    pub fn max_payload_len(mut self, bytes: usize) -> Self {
        self.max_payload_len = bytes;
        self
    }

    /// Refuses every token that was signed before `moment`.
    ///
    /// This signs everyone out. Every session that began before `moment` is refused, too.
    ///
    /// Timestamps are whole seconds, so pass a whole second. Otherwise tokens that are signed later
    /// in the same second are refused too.
    ///
    /// A writer that does not know `moment`, such as Django or a machine that has not been
    /// restarted, signs older sessions again with a new timestamp. They are still refused if their
    /// start was recorded before: enable [`track_start`](Self::track_start) in advance. Nothing is
    /// recorded for sessions of Django that were never read here: Django has to refuse them itself,
    /// or needs a new secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{DecodeError, Keyring, Session, SessionCodec};
    /// use time::OffsetDateTime;
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let token = SessionCodec::new(&ring).encode(&Session::new())?;
    ///
    /// // After an incident, everyone has to log in again.
    /// let codec = SessionCodec::new(&ring).refuse_signed_before(
    ///     OffsetDateTime::now_utc() + std::time::Duration::from_secs(1),
    /// );
    /// assert!(matches!(codec.decode(&token), Err(DecodeError::SignedTooEarly { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn refuse_signed_before(mut self, moment: OffsetDateTime) -> Self {
        self.refuse_signed_before = Some(moment.into());
        self
    }

    /// Sets how far in the future a timestamp may be.
    ///
    /// Defaults to five minutes, because the clocks of machines differ. [`ExpiryRule::Django`]
    /// accepts any timestamp in the future.
    #[must_use]
    pub fn max_clock_skew(mut self, skew: Duration) -> Self {
        self.max_clock_skew = skew;
        self
    }

    /// Sets how long a session lasts after it began.
    ///
    /// Writing the session does not extend this time. The start is recorded, as by
    /// [`track_start`](Self::track_start). For a session that began in Django, the time counts from
    /// the timestamp of the first token that was read here.
    #[must_use]
    pub fn absolute_max_age(mut self, max_age: Duration) -> Self {
        self.absolute_max_age = Some(max_age);
        self
    }

    /// Sets whether a session records when it began. Defaults to `false`.
    ///
    /// Implied by [`absolute_max_age`](Self::absolute_max_age).
    ///
    /// The start is the reserved entry `_session_started`, in microseconds of Unix time, which
    /// Django preserves. It is recorded with the next response to a request that read the session,
    /// and does not change until [`Session::begin`] or [`Session::flush`] starts a new session,
    /// provided that other writers keep the entry. [`Session::started_at`] returns it.
    ///
    /// The program did not ask for the cookie with the start, so it is omitted if it would be too
    /// large for browsers, or if the response already sets the cookie. If this happens in every
    /// response, because the session is at the limit or a different program sets the cookie each
    /// time, the start is never recorded: leave a few hundred bytes free.
    #[must_use]
    pub fn track_start(mut self, track: bool) -> Self {
        self.track_start = track;
        self
    }

    /// Sets the UTC offset of expiry dates that do not contain one.
    ///
    /// Django writes such dates with `USE_TZ = False`, in the local time of its `TIME_ZONE`. They
    /// are enforced only if this is set, because a date in the wrong time zone would end valid
    /// sessions. Defaults to `None`: [`max_age`](Self::max_age) applies instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{Keyring, SessionCodec};
    /// use time::{UtcOffset, macros::datetime};
    ///
    /// let codec = SessionCodec::new(&Keyring::new("example-only-correct-horse-battery-staple")?);
    /// let date = std::collections::BTreeMap::from([("_session_expiry", "2030-01-01T12:00:00")]);
    /// let token = codec.encode_as_at(&date, datetime!(2030-01-01 11:00 UTC))?;
    ///
    /// let at_one = datetime!(2030-01-01 13:00 UTC);
    /// assert!(codec.decode_at(&token, at_one).is_ok());
    /// let in_utc = codec.naive_offset(UtcOffset::UTC);
    /// assert!(in_utc.decode_at(&token, at_one).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn naive_offset(mut self, offset: impl Into<Option<UtcOffset>>) -> Self {
        self.naive_offset = offset.into();
        self
    }

    /// Sets whether the site's expiry dates contain an offset.
    ///
    /// This is Django's `USE_TZ`. Defaults to `true`. Django with `USE_TZ = False` cannot compare a
    /// date that has an offset, and responds with status 500 to each request that saves such a
    /// session. With `false`, a session with [`Expiry::At`](crate::Expiry::At) is therefore not
    /// encoded; [`Expiry::After`](crate::Expiry::After) is valid on every site.
    #[must_use]
    pub fn use_tz(mut self, use_tz: bool) -> Self {
        self.use_tz = use_tz;
        self
    }

    /// Returns a token of a session, signed now.
    ///
    /// # Errors
    ///
    /// See [`encode_at`](Self::encode_at).
    pub fn encode(&self, session: &Session) -> Result<String, EncodeError> {
        self.encode_session(session, Moment::now())
    }

    /// Returns a token of a session, signed at `now`.
    ///
    /// Encoding fails if this codec could not decode the token again, so that no session is lost. A
    /// session that the policy refuses, because it has expired or because of
    /// [`refuse_signed_before`](Self::refuse_signed_before), is still encoded.
    ///
    /// # Errors
    ///
    /// - [`EncodeError::BadExpiry`] if this codec uses `_session_expiry` or `_session_started` and
    ///   the entry is not valid.
    /// - [`EncodeError::AwareExpiry`] if the session's expiry is a date with an offset, such as an
    ///   [`Expiry::At`](crate::Expiry::At), and [`use_tz`](Self::use_tz) is `false`.
    /// - [`EncodeError::TooLarge`] if the JSON or the token exceeds its limit.
    /// - [`EncodeError::BadTimestamp`] if `now` is before 1970 or after the year 9999.
    pub fn encode_at(&self, session: &Session, now: OffsetDateTime) -> Result<String, EncodeError> {
        self.encode_session(session, now.into())
    }

    fn encode_session(&self, session: &Session, now: Moment) -> Result<String, EncodeError> {
        // The text in the token can be shown anywhere.
        session.touch();
        let limits = self.limits(session).ok_or(EncodeError::BadExpiry)?;
        self.session_token(session, &limits, now)
    }

    /// Returns a token signed at `now`, and how long a browser should keep it.
    ///
    /// The time is `None` if the browser should keep the token until it is closed.
    ///
    /// `at_browser_close` is the default for a session that does not set its own expiry.
    ///
    /// # Errors
    ///
    /// See [`encode_at`](Self::encode_at).
    pub(crate) fn issue(
        &self,
        session: &Session,
        at_browser_close: bool,
        now: Moment,
    ) -> Result<(String, Option<time::Duration>), EncodeError> {
        let limits = self.limits(session).ok_or(EncodeError::BadExpiry)?;
        let claim = match self.expiry_rule {
            // It has no effect when a token is decoded, but Django's cookies follow it.
            ExpiryRule::Django => self.claim(session),
            ExpiryRule::Enforce | ExpiryRule::Shorter => Some(limits.expiry),
        };
        let claim = claim.ok_or(EncodeError::BadExpiry)?;
        let is_kept = !claim.at_browser_close(at_browser_close);
        let max_age = is_kept.then(|| self.cookie_age(claim, began(session, now), now));
        Ok((self.session_token(session, &limits, now)?, max_age))
    }

    /// Returns the session of a token, if the token is valid.
    ///
    /// # Errors
    ///
    /// See [`decode_at`](Self::decode_at).
    pub fn decode(&self, token: &str) -> Result<Session, DecodeError> {
        self.decode_session(token, Moment::now())
    }

    /// Returns the session of a token, if the token is valid at `now`.
    ///
    /// # Errors
    ///
    /// The variants of [`DecodeError`] from `TooLong` to `BadExpiry`.
    pub fn decode_at(&self, token: &str, now: OffsetDateTime) -> Result<Session, DecodeError> {
        self.decode_session(token, now.into())
    }

    pub(crate) fn decode_session(&self, token: &str, now: Moment) -> Result<Session, DecodeError> {
        let Proved { payload, age, key_index } = self.prove(token, now)?;
        // Inflated into a larger buffer, then shrunk to its length.
        let json = kept::with_text(|json| {
            payload::read(json, payload, self.max_payload_len).map(|()| json.clone())
        })?;
        let mut session = Session::from_json(json)?;
        let limits = self.limits(&session).ok_or(DecodeError::BadExpiry)?;
        let started = self.check_limits(&limits, age, now)?;
        let signed_at = age.signed_at;
        session.set_origin(Origin { signed_at, key_index, started });
        session.set_clock(now, self.tracks_start());
        Ok(session)
    }

    /// Returns a token of a struct or a map, signed now, without a [`Session`].
    ///
    /// With [`track_start`](Self::track_start) or [`absolute_max_age`](Self::absolute_max_age) the
    /// struct needs a field `_session_started: Option<i64>`, with
    /// `#[serde(skip_serializing_if = "Option::is_none")]`, whose value is kept from one token to
    /// the next. Without it every token starts a new session.
    ///
    /// # Errors
    ///
    /// See [`encode_at`](Self::encode_at). In addition, [`EncodeError::Value`] if the value cannot
    /// be written as JSON, and [`EncodeError::NotAnObject`] if its JSON is not an object.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use signed_session::{Keyring, SessionCodec};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Visitor {
    ///     user_id: u64,
    ///     language: String,
    /// }
    ///
    /// let codec = SessionCodec::new(&Keyring::new("example-only-correct-horse-battery-staple")?);
    /// let token = codec.encode_as(&Visitor { user_id: 42, language: "fr".into() })?;
    /// let visitor: Visitor = codec.decode_as(&token)?;
    /// assert_eq!((visitor.user_id, visitor.language.as_str()), (42, "fr"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode_as<T: Serialize + ?Sized>(&self, value: &T) -> Result<String, EncodeError> {
        self.encode_value(value, Moment::now())
    }

    /// Returns a token of a struct or a map, signed at `now`.
    ///
    /// # Errors
    ///
    /// See [`encode_as`](Self::encode_as).
    pub fn encode_as_at<T: Serialize + ?Sized>(
        &self,
        value: &T,
        now: OffsetDateTime,
    ) -> Result<String, EncodeError> {
        self.encode_value(value, now.into())
    }

    fn encode_value<T: Serialize + ?Sized>(
        &self,
        value: &T,
        now: Moment,
    ) -> Result<String, EncodeError> {
        kept::with_text(|json| {
            json::append(json, value)?;
            self.encode_text(json, now)
        })
    }

    /// Returns a token of a JSON text, signed now.
    ///
    /// # Errors
    ///
    /// See [`encode_as`](Self::encode_as); [`EncodeError::Value`] if the text is not JSON.
    pub fn encode_json(&self, json: &str) -> Result<String, EncodeError> {
        self.encode_json_at(json, OffsetDateTime::now_utc())
    }

    /// Returns a token of a JSON text, signed at `now`.
    ///
    /// Numbers and white space stay as they are; characters beyond ASCII become escapes.
    ///
    /// # Errors
    ///
    /// See [`encode_json`](Self::encode_json).
    pub fn encode_json_at(&self, json: &str, now: OffsetDateTime) -> Result<String, EncodeError> {
        self.encode_text(&mut json::adopt(json)?, now.into())
    }

    /// Returns a token's session as a struct or a map, if the token is valid.
    ///
    /// # Errors
    ///
    /// See [`decode_at`](Self::decode_at). In addition, [`DecodeError::WrongType`] if the session
    /// does not fit `T`.
    pub fn decode_as<T: DeserializeOwned>(&self, token: &str) -> Result<T, DecodeError> {
        self.decode_value(token, Moment::now())
    }

    /// Returns a token's session as a struct or a map, if it is valid at `now`.
    ///
    /// # Errors
    ///
    /// See [`decode_as`](Self::decode_as).
    pub fn decode_as_at<T: DeserializeOwned>(
        &self,
        token: &str,
        now: OffsetDateTime,
    ) -> Result<T, DecodeError> {
        self.decode_value(token, now.into())
    }

    fn decode_value<T: DeserializeOwned>(
        &self,
        token: &str,
        now: Moment,
    ) -> Result<T, DecodeError> {
        let Proved { payload, age, .. } = self.prove(token, now)?;
        kept::with_text(|json| {
            payload::read(json, payload, self.max_payload_len)?;
            // Parsed first, because text that is not JSON has no limits; judged last, as in
            // `decode_at`.
            let value = json::read(json);
            if matches!(value, Err(Fault::Syntax)) {
                return Err(DecodeError::Json);
            }
            let limits = self.limits_of_text(json)?;
            self.check_limits(&limits, age, now)?;
            Ok(value?)
        })
    }

    /// Returns how long a browser keeps a session that is written at `now`.
    fn cookie_age(&self, claim: Claim, began: Moment, now: Moment) -> time::Duration {
        let mut age = claim.age(self.max_age, now);
        if self.expiry_rule == ExpiryRule::Shorter {
            age = age.min(signed(self.max_age));
        }
        if let Some(max_age) = self.absolute_max_age {
            age = age.min(signed(max_age).saturating_sub(now.since(began)));
        }
        age
    }

    /// Sets the keys and leaves everything else unchanged.
    pub(crate) fn with_ring(mut self, ring: &Keyring) -> Self {
        self.signer = self.signer.with_ring(ring);
        self.ring = ring.clone();
        self
    }

    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn ring(&self) -> &Keyring {
        &self.ring
    }

    /// Returns `true` if sessions record when they began.
    pub(crate) fn tracks_start(&self) -> bool {
        self.track_start || self.absolute_max_age.is_some()
    }

    /// Returns `true` if the session's start has yet to be recorded.
    pub(crate) fn is_start_due(&self, session: &Session) -> bool {
        self.tracks_start() && session.text(STARTED_KEY).is_none()
    }

    /// Returns the longest token that is decoded, in bytes.
    pub(crate) fn token_limit(&self) -> usize {
        self.max_token_len
    }

    /// Returns why each of the weak secrets is easy to guess.
    pub(crate) fn weaknesses(&self) -> Vec<(usize, Weakness)> {
        self.ring.weaknesses()
    }

    /// Returns a token of a session's JSON, which is ASCII.
    fn encode_text(&self, json: &mut String, now: Moment) -> Result<String, EncodeError> {
        if !is_object(json) {
            return Err(EncodeError::NotAnObject);
        }
        let limits = self.limits_of_text(json).map_err(|_| EncodeError::BadExpiry)?;
        self.token(json, &limits, now, now)
    }

    fn session_token(
        &self,
        session: &Session,
        limits: &Limits,
        now: Moment,
    ) -> Result<String, EncodeError> {
        let token = kept::with_text(|json| {
            session.write(json);
            self.token(json, limits, began(session, now), now)
        });
        token.map_err(|error| error.with_entries(|| session.sizes()))
    }

    /// Returns the token of a session's JSON: all steps of encoding.
    fn token(
        &self,
        json: &mut String,
        limits: &Limits,
        began: Moment,
        now: Moment,
    ) -> Result<String, EncodeError> {
        if limits.is_aware {
            return Err(EncodeError::AwareExpiry);
        }
        // 2: the JSON, with the session's start if it has to be recorded
        if self.tracks_start() && limits.started.is_none() {
            json.pop();
            let comma = if json.trim_ascii_end().ends_with('{') { "" } else { "," };
            let began = started_in_microseconds(began);
            sure(write!(json, "{comma}\"{STARTED_KEY}\":{began}}}").ok());
        }
        if json.len() > self.max_payload_len {
            return Err(EncodeError::too_large(json.len(), self.max_payload_len));
        }
        // 3: the payload
        let mut payload = self.signer.start(payload::max_payload_len(json.len()));
        payload::append(&mut payload, json, self.compress);
        // 4 and 5: the timestamp and the signature
        let token = self.signer.stamp_readably(payload, now)?;
        // The length of the token.
        if token.len() > self.max_token_len {
            return Err(EncodeError::too_large(token.len(), self.max_token_len));
        }
        Ok(token)
    }

    /// Returns the payload of a token that a key verifies: steps 5 and 4.
    ///
    /// This does not allocate: a forged token costs one HMAC per key and nothing else.
    fn prove<'t>(&self, token: &'t str, now: Moment) -> Result<Proved<'t>, DecodeError> {
        // The length of the token.
        if token.len() > self.max_token_len {
            return Err(DecodeError::TooLong { len: token.len(), limit: self.max_token_len });
        }
        // 5 and 4: the signature and the timestamp
        let Unsigned { value, signed_at, key_index } = self.signer.unsign_any_age(token)?;
        // The policy for the timestamp.
        let age = Age::new(signed_at, now);
        self.check_stamp(age)?;
        Ok(Proved { payload: value, age, key_index })
    }

    /// Checks a timestamp against the policy, without the session's contents.
    fn check_stamp(&self, age: Age) -> Result<(), DecodeError> {
        let Age { signed_at, time } = age;
        let is_early = time.saturating_add(signed(self.max_clock_skew)).is_negative();
        if is_early && self.expiry_rule != ExpiryRule::Django {
            return Err(DecodeError::NotYetValid { signed_at: signed_at.date() });
        }
        if self.refuse_signed_before.is_some_and(|moment| signed_at < moment) {
            return Err(DecodeError::SignedTooEarly { signed_at: signed_at.date() });
        }
        match self.expiry_rule {
            // The session may allow a longer time.
            ExpiryRule::Enforce => Ok(()),
            ExpiryRule::Shorter | ExpiryRule::Django => age.check(self.max_age),
        }
    }

    /// Returns when the session began, or an error if it has expired.
    fn check_limits(&self, limits: &Limits, age: Age, now: Moment) -> Result<Moment, DecodeError> {
        limits.expiry.check(self.max_age, age, now)?;
        let started = limits.started.unwrap_or(age.signed_at);
        if self.refuse_signed_before.is_some_and(|moment| started < moment) {
            return Err(DecodeError::SignedTooEarly { signed_at: age.signed_at.date() });
        }
        match self.absolute_max_age {
            Some(max_age) if now.since(started) > signed(max_age) => Err(age.expired()),
            _ => Ok(started),
        }
    }

    /// Returns the limits in a session's entries that this codec enforces.
    ///
    /// `None` if one of them is not valid.
    fn limits(&self, session: &Session) -> Option<Limits> {
        let expiry = match self.expiry_rule {
            ExpiryRule::Enforce | ExpiryRule::Shorter => self.claim(session)?,
            ExpiryRule::Django => Claim::Nothing,
        };
        let counts = self.tracks_start() || self.refuse_signed_before.is_some();
        let started = match counts.then(|| session.text(STARTED_KEY)).flatten() {
            Some(json) => Some(read_started(json)?),
            None => None,
        };
        // With every rule, because Django's getters read the entry whatever its backend does.
        let is_aware =
            !self.use_tz && matches!(Claim::read(session.text(EXPIRY_KEY)), Some(Claim::Until(_)));
        Some(Limits { expiry, is_aware, started })
    }

    /// Reads the session's own expiry; `None` if it is not valid.
    fn claim(&self, session: &Session) -> Option<Claim> {
        let claim = Claim::read(session.text(EXPIRY_KEY))?;
        Some(claim.with_offset(self.naive_offset))
    }

    /// Reads the limits from a session's JSON, which must be an object.
    fn limits_of_text(&self, json: &str) -> Result<Limits, DecodeError> {
        // A key may contain escapes. Without a backslash and a reserved name, there is no reserved
        // key.
        if is_object(json) && !json.contains("_session") && !json::has_escape(json) {
            return Ok(Limits { expiry: Claim::Nothing, is_aware: false, started: None });
        }
        let session = Session::from_json(json.to_owned())?;
        self.limits(&session).ok_or(DecodeError::BadExpiry)
    }
}

/// Returns when a session that is written now began.
fn began(session: &Session, now: Moment) -> Moment {
    session.began().unwrap_or(now)
}

/// A payload whose signature and timestamp were checked.
struct Proved<'t> {
    payload: &'t str,
    age: Age,
    key_index: usize,
}

/// The limits in a session's own entries.
struct Limits {
    expiry: Claim,
    /// Whether the expiry has an offset, on a site whose dates have none.
    is_aware: bool,
    started: Option<Moment>,
}

fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{')
}

impl fmt::Debug for SessionCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCodec").finish_non_exhaustive()
    }
}
