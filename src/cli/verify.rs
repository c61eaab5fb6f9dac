//! Turns a line into a verdict: what was signed, when and by which key, or why it is refused.

use std::fmt;
use std::time::Duration;

use serde_json::value::RawValue;
use signed_session::{
    ConfigError, CookieOptions, DecodeError, Expiry, ExpiryRule, Keyring, SessionCodec, Signer,
    TimestampSigner, django,
};
use time::OffsetDateTime;

use crate::cli::args::{From, Rule, Rules, Unsign};
use crate::cli::failure::Failure;
use crate::cli::form::{self, Found, MAX_COOKIES, Shape};
use crate::cli::keys::Keys;
use crate::cli::moment::{self, Clock, MaxAge, Span};
use crate::cli::salt::Salt;

/// By what rules lines are read.
pub(crate) struct Verifier {
    content: Content,
    max_age: MaxAge,
    expiry_rule: ExpiryRule,
    not_before: Option<OffsetDateTime>,
    from: From,
    cookie: CookieOptions,
    pub(crate) clock: Clock,
    pub(crate) max_token_len: usize,
}

/// What the tokens hold.
enum Content {
    /// A session, which may have an expiry of its own, and the signer that dates what it refuses.
    Session(Box<SessionCodec>, TimestampSigner),
    Object(TimestampSigner),
    Text(TimestampSigner),
    /// Text without a stamp: a signer for each key, to learn which it was.
    Undated(Vec<Signer>),
}

/// What came out.
pub(crate) struct Verdict {
    pub(crate) signed_at: Option<OffsetDateTime>,
    pub(crate) key_index: Option<usize>,
    pub(crate) result: Result<Payload, Refusal>,
}

/// What was signed.
#[derive(Debug, PartialEq)]
pub(crate) enum Payload {
    Json(String),
    Text(String),
}

/// Why a line is refused.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    Token(DecodeError),
    /// It is longer than any token in any form.
    LongLine,
    /// It is not UTF-8.
    NotText,
    /// There is no cookie of the name.
    NoCookie,
}

/// The statuses of a token, in the order in which they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Expired,
    NotYetValid,
    Revoked,
    BadSignature,
    Malformed,
    TooLong,
    BadPayload,
}

impl Status {
    pub(crate) const ALL: [Self; 8] = [
        Self::Ok,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::BadSignature,
        Self::Malformed,
        Self::TooLong,
        Self::BadPayload,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::BadSignature => "bad_signature",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::BadPayload => "bad_payload",
        }
    }
}

impl Refusal {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Token(error) => match error {
                DecodeError::Expired { .. } => Status::Expired,
                DecodeError::NotYetValid { .. } => Status::NotYetValid,
                DecodeError::SignedTooEarly { .. } => Status::Revoked,
                DecodeError::BadSignature => Status::BadSignature,
                DecodeError::Malformed | DecodeError::BadTimestamp => Status::Malformed,
                DecodeError::TooLong { .. } | DecodeError::TooManyCookies { .. } => Status::TooLong,
                _ => Status::BadPayload,
            },
            Self::LongLine => Status::TooLong,
            Self::NotText | Self::NoCookie => Status::Malformed,
        }
    }

    fn is_authentic(&self) -> bool {
        matches!(self, Self::Token(error) if error.is_authentic())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(DecodeError::Expired { signed_at, age }) => write!(
                f,
                "the token has expired: it was signed at {}, {} ago",
                moment::both(*signed_at),
                Span(age.as_secs())
            ),
            Self::Token(DecodeError::NotYetValid { signed_at }) => {
                write!(f, "the token was signed in the future, at {}", moment::both(*signed_at))
            }
            Self::Token(DecodeError::SignedTooEarly { signed_at }) => write!(
                f,
                "the token was signed before tokens were revoked, at {}",
                moment::both(*signed_at)
            ),
            Self::Token(error) => error.fmt(f),
            Self::LongLine => f.write_str("the line is longer than any token within the limit"),
            Self::NotText => f.write_str("the token is not text"),
            Self::NoCookie => {
                f.write_str("there is no cookie of the name asked for with --cookie-name")
            }
        }
    }
}

impl Verdict {
    pub(crate) fn status(&self) -> Status {
        self.result.as_ref().err().map_or(Status::Ok, Refusal::status)
    }

    fn refused(refusal: Refusal) -> Self {
        Self { signed_at: None, key_index: None, result: Err(refusal) }
    }
}

/// The default of `--max-age` where sessions end by their stamp.
const TWO_WEEKS: MaxAge = MaxAge::Limit(Duration::from_secs(14 * 24 * 60 * 60));

impl Verifier {
    /// Makes the verifier of sessions and objects.
    pub(crate) fn new(rules: &Rules, ring: &Keyring) -> Result<Self, Failure> {
        let salt = &rules.purpose.salt;
        let is_object = is_object(salt, rules.purpose.object)?;
        if is_object && rules.expiry_rule.is_some() {
            return Err(Failure::new("--expiry-rule is for sessions: an object has no expiry"));
        }
        let ends_by_stamp = !is_object && *salt != Salt::DbSession;
        let default = if ends_by_stamp { TWO_WEEKS } else { MaxAge::Unlimited };
        let max_age = rules.max_age.unwrap_or(default);
        let expiry_rule = rules.expiry_rule.map(Rule::rule).unwrap_or_default();
        let signer = salt.signer(ring).max_payload_len(rules.limits.max_payload_len);
        let content = if is_object {
            Content::Object(signer)
        } else {
            let mut codec = SessionCodec::new(ring)
                .salt(salt.as_str())
                .max_age(max_age.duration())
                .expiry_rule(expiry_rule)
                .max_token_len(rules.limits.max_token_len)
                .max_payload_len(rules.limits.max_payload_len);
            if let Some(not_before) = rules.not_before {
                codec = codec.refuse_signed_before(not_before);
            }
            Content::Session(Box::new(codec), signer)
        };
        Ok(Self {
            content,
            max_age,
            expiry_rule,
            not_before: rules.not_before,
            from: rules.form.from,
            cookie: cookie(&rules.form.cookie.cookie_name)?,
            clock: rules.clock.clock(),
            max_token_len: rules.limits.max_token_len,
        })
    }

    /// Makes the verifier of text.
    pub(crate) fn of_text(args: &Unsign, keys: &Keys) -> Result<Self, Failure> {
        let content = if args.text_purpose.no_timestamp {
            if matches!(args.max_age, MaxAge::Limit(_)) || args.not_before.is_some() {
                let message =
                    "without a timestamp there is no age: --max-age and --not-before need one";
                return Err(Failure::new(message));
            }
            let salt = undated_salt(args.text_purpose.salt.as_ref())?;
            let signer = |secret: &crate::cli::keys::Secret| {
                Ok(Signer::new(&Keyring::new(&secret.bytes)?, salt))
            };
            let signers: Result<_, ConfigError> = keys.secrets.iter().map(signer).collect();
            Content::Undated(signers.map_err(Failure::new)?)
        } else {
            let salt = args.text_purpose.salt.clone();
            Content::Text(salt.unwrap_or_else(default_text_salt).signer(&keys.ring))
        };
        Ok(Self {
            content,
            max_age: args.max_age,
            expiry_rule: ExpiryRule::default(),
            not_before: args.not_before,
            from: args.from,
            cookie: cookie(&args.cookie.cookie_name)?,
            clock: args.clock.clock(),
            max_token_len: args.max_token_len,
        })
    }

    /// Returns the longest line that is looked at: a token in whatever form.
    pub(crate) fn max_line_len(&self) -> usize {
        self.max_token_len.saturating_mul(3).saturating_add(64 * 1024)
    }

    /// Judges a line, which has no newline any more.
    pub(crate) fn check_line(&self, line: &[u8], now: OffsetDateTime) -> (Verdict, Shape) {
        if line.len() > self.max_line_len() {
            return (Verdict::refused(Refusal::LongLine), Shape::default());
        }
        let Ok(line) = str::from_utf8(line) else {
            return (Verdict::refused(Refusal::NotText), Shape::default());
        };
        let (found, shape) = form::find(line, self.from, &self.cookie);
        let verdict = match found {
            Found::Token(token) => self.check(&token, now),
            Found::Tokens(tokens) => self.choose(&tokens, now),
            Found::NoCookie => Verdict::refused(Refusal::NoCookie),
        };
        (verdict, shape)
    }

    /// Judges tokens that came under one name, as the library's manager: one good, or none.
    fn choose<T: AsRef<str>>(&self, tokens: &[T], now: OffsetDateTime) -> Verdict {
        if tokens.len() > MAX_COOKIES {
            let error = DecodeError::TooManyCookies { limit: MAX_COOKIES };
            return Verdict::refused(Refusal::Token(error));
        }
        let mut chosen: Option<Verdict> = None;
        for token in tokens {
            let verdict = self.check(token.as_ref(), now);
            let rank = |verdict: &Verdict| match &verdict.result {
                Ok(_) => 2,
                Err(refusal) => u8::from(refusal.is_authentic()),
            };
            match &chosen {
                Some(first) if rank(first) == 2 && rank(&verdict) == 2 => {
                    return Verdict::refused(Refusal::Token(DecodeError::Ambiguous));
                }
                Some(first) if rank(first) > rank(&verdict) => {}
                _ => chosen = Some(verdict),
            }
        }
        chosen.unwrap_or_else(|| Verdict::refused(Refusal::NoCookie))
    }

    /// Judges a bare token.
    pub(crate) fn check(&self, token: &str, now: OffsetDateTime) -> Verdict {
        if token.len() > self.max_token_len {
            let error = DecodeError::TooLong { len: token.len(), limit: self.max_token_len };
            return Verdict::refused(Refusal::Token(error));
        }
        match &self.content {
            Content::Session(codec, signer) => match codec.decode_at(token, now) {
                Ok(session) => Verdict {
                    signed_at: session.signed_at(),
                    key_index: session.key_index(),
                    result: Ok(Payload::Json(session.to_json())),
                },
                Err(error) => dated(signer, token, Err(error), now),
            },
            Content::Object(signer) => {
                let object = self.check_age(signer, token, now).and_then(|_| {
                    let object: Box<RawValue> = signer.unsign_object_at(token, None, now)?;
                    Ok(Payload::Json(object.get().to_owned()))
                });
                dated(signer, token, object, now)
            }
            Content::Text(signer) => {
                let text = self.check_age(signer, token, now);
                dated(signer, token, text.map(|text| Payload::Text(text.to_owned())), now)
            }
            Content::Undated(signers) => {
                let mut error = DecodeError::BadSignature;
                for (index, signer) in signers.iter().enumerate() {
                    match signer.unsign(token) {
                        Ok(text) => {
                            return Verdict {
                                signed_at: None,
                                key_index: Some(index),
                                result: Ok(Payload::Text(text.to_owned())),
                            };
                        }
                        Err(fault) => error = fault,
                    }
                }
                Verdict::refused(Refusal::Token(error))
            }
        }
    }

    /// Returns the value of a stamped token that is neither too old nor revoked.
    fn check_age<'t>(
        &self,
        signer: &TimestampSigner,
        token: &'t str,
        now: OffsetDateTime,
    ) -> Result<&'t str, DecodeError> {
        let stamped = signer.unsign_at(token, None, now)?;
        if self.not_before.is_some_and(|moment| stamped.signed_at < moment) {
            return Err(DecodeError::SignedTooEarly { signed_at: stamped.signed_at });
        }
        match self.max_age.limit() {
            None => Ok(stamped.value),
            limit => signer.unsign_at(token, limit, now).map(|stamped| stamped.value),
        }
    }

    /// Returns when a genuine session ends by its own word, if that counts.
    pub(crate) fn own_end(&self, line: &[u8], now: OffsetDateTime) -> Option<OffsetDateTime> {
        let Content::Session(codec, _) = &self.content else { return None };
        if self.expiry_rule == ExpiryRule::Django {
            return None;
        }
        let line = str::from_utf8(line).ok()?;
        let codec = SessionCodec::clone(codec).expiry_rule(ExpiryRule::Django);
        let codec = codec.max_age(Duration::MAX);
        let tokens = match form::find(line, self.from, &self.cookie).0 {
            Found::Token(token) => vec![token],
            Found::Tokens(tokens) => tokens,
            Found::NoCookie => return None,
        };
        let session = tokens.iter().find_map(|token| codec.decode_at(token, now).ok())?;
        match session.expiry().ok()? {
            Expiry::Default | Expiry::AtBrowserClose => None,
            _ => session.expiry_date(Duration::ZERO, session.signed_at()?).ok(),
        }
    }

    pub(crate) fn max_age(&self) -> MaxAge {
        self.max_age
    }

    pub(crate) fn cookie_name(&self) -> &str {
        self.cookie.name()
    }
}

/// Adds to a result when the token was signed and by which key, if a key did sign it.
fn dated(
    signer: &TimestampSigner,
    token: &str,
    result: Result<Payload, DecodeError>,
    now: OffsetDateTime,
) -> Verdict {
    let is_authentic = result.as_ref().err().is_none_or(DecodeError::is_authentic);
    let stamped = if is_authentic { signer.unsign_at(token, None, now).ok() } else { None };
    Verdict {
        signed_at: stamped.map(|stamped| stamped.signed_at),
        key_index: stamped.map(|stamped| stamped.key_index),
        result: result.map_err(Refusal::Token),
    }
}

/// Tells whether tokens hold objects, and refuses to read sessions as such.
pub(crate) fn is_object(salt: &Salt, object: bool) -> Result<bool, Failure> {
    match salt {
        Salt::Text(_) => Ok(object),
        _ if object => {
            Err(Failure::new("--object is for a salt of your own: this one's content is known"))
        }
        _ => Ok(!salt.is_of_sessions()),
    }
}

/// The salt of Django's `TimestampSigner`, which signs text and no session.
pub(crate) fn default_text_salt() -> Salt {
    Salt::Text(django::TIMESTAMP_SIGNER_SALT.to_owned())
}

/// Returns the salt of text without a stamp.
pub(crate) fn undated_salt(salt: Option<&Salt>) -> Result<&str, Failure> {
    match salt {
        None => Ok(django::SIGNER_SALT),
        Some(Salt::Messages) => Err(Failure::new("the messages cookie always has a timestamp")),
        Some(salt) => Ok(salt.as_str()),
    }
}

pub(crate) fn cookie(name: &str) -> Result<CookieOptions, Failure> {
    CookieOptions::new(name).map_err(Failure::new)
}
