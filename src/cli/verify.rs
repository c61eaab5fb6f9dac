//! Verifies the token in a line, and returns the verdict.

use std::time::Duration;

use signed_session::{
    Candidates, ConfigError, CookieOptions, DecodeError, Expiry, ExpiryRule, Keyring, Session,
    SessionCodec, Signer, TimestampSigner,
};
use time::OffsetDateTime;

use crate::cli::args::{From, Rule, Rules, TextRules};
use crate::cli::ended::{Ended, EndedArgs};
use crate::cli::failure::Failure;
use crate::cli::form::{self, Found, Shape};
use crate::cli::keys::{Keys, Secret};
use crate::cli::moment::{Clock, MaxAge};
use crate::cli::salt::Salt;
use crate::cli::verdict::{Payload, Refusal, Verdict};

/// Verifies tokens by the rules of the command line.
pub(crate) struct Verifier {
    content: Content,
    max_age: MaxAge,
    expiry_rule: ExpiryRule,
    refuse_signed_before: Option<OffsetDateTime>,
    from: From,
    cookie: CookieOptions,
    pub(crate) clock: Clock,
    pub(crate) max_token_len: usize,
}

/// The content of the tokens.
enum Content {
    /// Sessions, and the signer that determines when refused ones were signed.
    Session(Box<SessionCodec>, TimestampSigner, Option<Ended>),
    Object(TimestampSigner),
    Text(TimestampSigner),
    /// Text without a timestamp: a signer for each key, to find its index.
    Undated(Vec<Signer>),
}

/// The default of `--max-age` if sessions expire by their timestamp.
const TWO_WEEKS: MaxAge = MaxAge::Limit(Duration::from_secs(14 * 24 * 60 * 60));

impl Verifier {
    /// Creates a verifier for sessions or objects.
    pub(crate) fn new(rules: &Rules, ring: &Keyring) -> Result<Self, Failure> {
        let salt = &rules.purpose.salt;
        let is_object = salt.is_of_objects(rules.purpose.object)?;
        if is_object && rules.expiry_rule.is_some() {
            return Err(Failure::new(
                "--expiry-rule applies to sessions only: objects have no expiry",
            ));
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
            if let Some(moment) = rules.refuse_signed_before {
                codec = codec.refuse_signed_before(moment);
            }
            Content::Session(Box::new(codec), signer, None)
        };
        Ok(Self {
            content,
            max_age,
            expiry_rule,
            refuse_signed_before: rules.refuse_signed_before,
            from: rules.form.from,
            cookie: rules.form.cookie.options()?,
            clock: rules.clock.clock(),
            max_token_len: rules.limits.max_token_len,
        })
    }

    /// Refuses the sessions that are revoked in a file.
    pub(crate) fn refuse_ended(mut self, args: &EndedArgs) -> Result<Self, Failure> {
        match &mut self.content {
            Content::Session(codec, _, ended) => {
                *ended = Ended::read(args, codec, self.clock.now())?;
            }
            _ if args.is_given() => {
                return Err(Failure::new(
                    "--revocations applies to sessions only: objects have no subject",
                ));
            }
            _ => {}
        }
        Ok(self)
    }

    /// Creates a verifier for text.
    pub(crate) fn of_text(rules: &TextRules, keys: &Keys) -> Result<Self, Failure> {
        let content = if rules.purpose.no_timestamp {
            if matches!(rules.max_age, MaxAge::Limit(_)) || rules.refuse_signed_before.is_some() {
                let message = "--max-age and --refuse-signed-before need a timestamp, and cannot be used with --no-timestamp";
                return Err(Failure::new(message));
            }
            let salt = Salt::of_undated_text(rules.purpose.salt.as_ref())?;
            let signer = |secret: &Secret| Ok(Signer::new(&Keyring::new(&secret.bytes)?, salt));
            let signers: Result<_, ConfigError> = keys.secrets.iter().map(signer).collect();
            Content::Undated(signers.map_err(Failure::new)?)
        } else {
            let salt = rules.purpose.salt.clone();
            Content::Text(salt.unwrap_or_else(Salt::of_text).signer(&keys.ring))
        };
        Ok(Self {
            content,
            max_age: rules.max_age,
            expiry_rule: ExpiryRule::default(),
            refuse_signed_before: rules.refuse_signed_before,
            from: rules.from,
            cookie: rules.cookie.options()?,
            clock: rules.clock.clock(),
            max_token_len: rules.max_token_len,
        })
    }

    /// Returns the maximum length of a line: that of a token in any form.
    pub(crate) fn max_line_len(&self) -> usize {
        form::max_line_len(self.max_token_len)
    }

    /// Returns the verdict on a line without its newline.
    pub(crate) fn check_line(&self, line: &[u8], now: OffsetDateTime) -> (Verdict, Shape) {
        if line.len() > self.max_line_len() {
            return (Verdict::refused(Refusal::LongLine), Shape::default());
        }
        let Ok(line) = str::from_utf8(line) else {
            return (Verdict::refused(Refusal::NotText), Shape::default());
        };
        if line.is_empty() {
            return (Verdict::refused(Refusal::Empty), Shape::default());
        }
        let (found, shape) = form::find(line, self.from, &self.cookie);
        let verdict = match found {
            Found::Token(token) => self.check(&token, now),
            Found::Tokens(tokens) => self.choose(&tokens, now),
            Found::NoCookie => Verdict::refused(Refusal::NoCookie),
        };
        (verdict, shape)
    }

    /// Returns the verdict on the tokens of several cookies with the same name.
    ///
    /// By the library's rule, tokens that are valid but differ are refused.
    fn choose(&self, tokens: &Candidates<String>, now: OffsetDateTime) -> Verdict {
        let mut refused = Vec::new();
        let chosen = tokens.choose(|token| {
            let verdict = self.check(token, now);
            match &verdict.result {
                Err(Refusal::Token(error)) => {
                    let error = error.clone();
                    refused.push(verdict);
                    Err(error)
                }
                _ => Ok(verdict),
            }
        });
        match chosen.map_err(Refusal::Token) {
            Ok(verdict) => verdict.unwrap_or_else(|| Verdict::refused(Refusal::NoCookie)),
            // The verdict also contains the time of signing.
            Err(reason) => refused
                .into_iter()
                .rfind(|verdict| verdict.result.as_ref() == Err(&reason))
                .unwrap_or_else(|| Verdict::refused(reason)),
        }
    }

    /// Returns the verdict on a bare token.
    pub(crate) fn check(&self, token: &str, now: OffsetDateTime) -> Verdict {
        if token.len() > self.max_token_len {
            let error = DecodeError::TooLong { len: token.len(), limit: self.max_token_len };
            return Verdict::refused(Refusal::Token(error));
        }
        match &self.content {
            Content::Session(codec, signer, ended) => {
                let is_open = |session: Session| {
                    let ended = ended.as_ref();
                    match ended.and_then(|ended| ended.refusal(&session, token, now)) {
                        Some(refusal) => Err(refusal),
                        None => Ok(session),
                    }
                };
                match codec.decode_at(token, now).and_then(is_open) {
                    Ok(session) => Verdict {
                        signed_at: session.signed_at(),
                        key_index: session.key_index(),
                        result: Ok(Payload::Json(session.to_json())),
                    },
                    Err(error) => dated(signer, token, Err(error), now),
                }
            }
            Content::Object(signer) => {
                let object = self
                    .check_age(signer, token, now)
                    .and_then(|_| Ok(Payload::Json(signer.unsign_json_at(token, None, now)?)));
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

    /// Returns the value of a token unless it is too old or signed too early.
    fn check_age<'t>(
        &self,
        signer: &TimestampSigner,
        token: &'t str,
        now: OffsetDateTime,
    ) -> Result<&'t str, DecodeError> {
        let stamped = signer.unsign_at(token, None, now)?;
        if self.refuse_signed_before.is_some_and(|moment| stamped.signed_at < moment) {
            return Err(DecodeError::SignedTooEarly { signed_at: stamped.signed_at });
        }
        match self.max_age.limit() {
            None => Ok(stamped.value),
            limit => signer.unsign_at(token, limit, now).map(|stamped| stamped.value),
        }
    }

    /// Returns the expiry that an authentic session sets itself, if it applies.
    pub(crate) fn own_end(&self, line: &[u8], now: OffsetDateTime) -> Option<OffsetDateTime> {
        let Content::Session(codec, ..) = &self.content else { return None };
        if self.expiry_rule == ExpiryRule::Django {
            return None;
        }
        let line = str::from_utf8(line).ok()?;
        let decode = |rule| {
            let codec = SessionCodec::clone(codec).expiry_rule(rule).max_age(Duration::MAX);
            match form::find(line, self.from, &self.cookie).0 {
                Found::Token(token) => codec.decode_at(&token, now).ok(),
                Found::Tokens(tokens) => tokens.choose(|token| codec.decode_at(token, now)).ok()?,
                Found::NoCookie => None,
            }
        };
        // A date without an offset is in an unknown time zone, and is not enforced.
        if decode(ExpiryRule::Enforce).is_some() {
            return None;
        }
        let session = decode(ExpiryRule::Django)?;
        match session.expiry().ok()? {
            Expiry::Default | Expiry::AtBrowserClose => None,
            _ => session.expiry_date(Duration::ZERO, session.signed_at()?).ok(),
        }
    }

    pub(crate) fn max_age(&self) -> MaxAge {
        self.max_age
    }

    pub(crate) fn from(&self) -> From {
        self.from
    }

    pub(crate) fn cookie_name(&self) -> &str {
        self.cookie.name()
    }
}

/// Adds the time and the key of the signature to a result, if a key matches.
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
