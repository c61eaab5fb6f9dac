//! A token and all that its reading depends on: asked of Django, and of this crate.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use signed_session::{
    Algorithm, Compress, DecodeError, ExpiryRule, Keyring, Session, SessionCodec, Signer,
    TimestampSigner, django,
};
use time::OffsetDateTime;

use crate::clock::moment;
use crate::data::{self, Value};
use crate::random::Random;
use support::secret::Secret;

/// By which of Django's calls a token is made and read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// `SessionStore` of `signed_cookies`.
    Session,
    /// `SessionStore.encode` and `decode` of `db`.
    Database,
    /// `signing.dumps` and `loads`.
    Loads,
    /// `Signer.sign_object` and `unsign_object`.
    Object,
    /// `Signer.sign` and `unsign`.
    Text,
    /// `TimestampSigner.sign` and `unsign`.
    StampedText,
    /// `set_signed_cookie` and `get_signed_cookie`.
    Cookie,
}

impl Call {
    pub const OF_DATA: [Self; 4] = [Self::Session, Self::Database, Self::Loads, Self::Object];
    pub const OF_TEXT: [Self; 3] = [Self::Text, Self::StampedText, Self::Cookie];
}

#[derive(Clone, Debug, Serialize)]
pub struct Question {
    pub call: Call,
    pub secrets: Vec<Secret>,
    pub salt: String,
    pub separator: String,
    pub algorithm: &'static str,
    pub cookie_name: String,
    /// In milliseconds.
    pub max_age: Option<i64>,
    /// In milliseconds since 1970.
    pub now: i64,
    pub token: String,
    #[serde(skip)]
    pub legacy_cookie: bool,
    #[serde(skip)]
    pub max_payload_len: usize,
}

/// A question, and what else the worker must know.
#[derive(Serialize)]
pub struct With<'a, T> {
    #[serde(flatten)]
    pub question: &'a Question,
    #[serde(flatten)]
    pub more: T,
}

/// What Django says to a token.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// The text, or the data's JSON.
    pub ok: Option<String>,
    /// The name of its exception.
    pub error: Option<String>,
    /// The token, if the worker made it.
    pub token: Option<String>,
}

impl Question {
    /// Chooses everything but the token.
    pub fn random(random: &mut Random, calls: &[Call]) -> Self {
        let call = *random.pick(calls);
        let salt = match call {
            Call::Session => django::SESSION_SALT.to_owned(),
            Call::Database => django::DB_SESSION_SALT.to_owned(),
            Call::Cookie => random.text(6),
            _ => match random.below(3) {
                0 => django::DUMPS_SALT.to_owned(),
                // Not the empty one: Django then takes the name of the signer's class.
                _ => random.name(),
            },
        };
        let count = random.below(3) + 1;
        let mut question = Self {
            call,
            secrets: random.secrets(count),
            salt,
            separator: ":".to_owned(),
            algorithm: "sha256",
            cookie_name: format!("c_{}", random.cookie_name()),
            max_age: Some(14 * 24 * 60 * 60 * 1000),
            now: random.within(0, 1 << 32) * 1000 + random.within(0, 999),
            token: String::new(),
            legacy_cookie: false,
            max_payload_len: 1 << 20,
        };
        if matches!(call, Call::Object | Call::Text | Call::StampedText) {
            question.algorithm = *random.pick(&["sha256", "sha256", "sha384", "sha512"]);
            let separator = random.separator();
            if random.once_in(2) && Signer::new(&question.ring(), "").separator(&separator).is_ok()
            {
                question.separator = separator;
            }
        }
        question
    }

    pub fn ring(&self) -> Keyring {
        data::ring(&self.secrets)
    }

    pub fn now(&self) -> OffsetDateTime {
        moment(self.now)
    }

    pub fn max_age(&self) -> Option<Duration> {
        self.max_age.map(|age| Duration::from_millis(age.try_into().expect("no age is negative")))
    }

    /// The codec of a session, or of a database row, that judges as Django does.
    pub fn codec(&self) -> SessionCodec {
        SessionCodec::new(&self.ring())
            .salt(&self.salt)
            .expiry_rule(ExpiryRule::Django)
            .max_age(self.max_age().unwrap_or(Duration::MAX))
            .max_token_len(1 << 20)
            .max_payload_len(self.max_payload_len)
    }

    pub fn signer(&self) -> Signer {
        Signer::new(&self.ring(), &self.salt)
            .separator(&self.separator)
            .expect("chosen safe")
            .algorithm(self.algorithm())
            .max_payload_len(self.max_payload_len)
    }

    pub fn timestamp_signer(&self) -> TimestampSigner {
        let (ring, name, salt) = (self.ring(), &self.cookie_name, &self.salt);
        let signer = match (self.call, self.legacy_cookie) {
            (Call::Cookie, false) => django::signed_cookie_signer(&ring, name, salt),
            (Call::Cookie, true) => django::legacy_signed_cookie_signer(&ring, name, salt),
            _ => TimestampSigner::new(&ring, salt),
        };
        signer
            .separator(&self.separator)
            .expect("chosen safe")
            .algorithm(self.algorithm())
            .max_payload_len(self.max_payload_len)
    }

    fn algorithm(&self) -> Algorithm {
        match self.algorithm {
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            _ => Algorithm::Sha256,
        }
    }

    /// Creates the crate's token of data; of a session's, if the call is one.
    pub fn sign_data(&self, data: &Value, compress: Compress) -> String {
        let now = self.now();
        let token = match (&self.call, data.text()) {
            (Call::Session | Call::Database, text) => {
                let codec = self.codec().compress(compress);
                match text {
                    None => codec.encode_as_at(data, now),
                    Some(json) => codec.encode_json_at(&json, now),
                }
            }
            (Call::Loads, None) => self.timestamp_signer().sign_object_at(data, compress, now),
            (Call::Loads, Some(json)) => self.timestamp_signer().sign_json_at(&json, compress, now),
            (Call::Object, None) => self.signer().sign_object(data, compress),
            (Call::Object, Some(json)) => self.signer().sign_json(&json, compress),
            (Call::Text | Call::StampedText | Call::Cookie, _) => unreachable!("no data"),
        };
        token.expect("the data can be written")
    }

    /// Creates the crate's token of a text.
    pub fn sign_text(&self, text: &str) -> String {
        match self.call {
            Call::Text => self.signer().sign(text),
            _ => self.timestamp_signer().sign_at(text, self.now()),
        }
    }

    /// Reads the token with the crate: the text, or the data's JSON.
    pub fn read(&self) -> Result<String, DecodeError> {
        let (token, now, max_age) = (self.token.as_str(), self.now(), self.max_age());
        match self.call {
            Call::Session => {
                let codec = self.codec();
                let session = codec.decode_at(token, now);
                let other = codec.decode_as_at::<IgnoredAny>(token, now).map(drop);
                // Nested more than 64 deep it is a session, and of no type.
                if !matches!((&session, &other), (Ok(_), Err(DecodeError::WrongType))) {
                    assert_eq!(
                        session.as_ref().err(),
                        other.as_ref().err(),
                        "as a struct: {self:?}"
                    );
                }
                session.map(|session| json_of(&session))
            }
            Call::Database => self.timestamp_signer().unsign_json_at(token, None, now),
            Call::Loads => self.timestamp_signer().unsign_json_at(token, max_age, now),
            Call::Object => self.signer().unsign_json(token),
            Call::Text => self.signer().unsign(token).map(str::to_owned),
            Call::StampedText | Call::Cookie => {
                let stamped = self.timestamp_signer().unsign_at(token, max_age, now)?;
                Ok(stamped.value.to_owned())
            }
        }
    }

    /// Reads the token and tells which secret signed it, where the crate tells that.
    pub fn key_index(&self) -> Option<usize> {
        match self.call {
            Call::Session | Call::Database => {
                self.codec().decode_at(&self.token, self.now()).ok()?.key_index()
            }
            Call::Object | Call::Text => None,
            Call::Loads | Call::StampedText | Call::Cookie => {
                let signer = self.timestamp_signer();
                Some(signer.unsign_at(&self.token, None, self.now()).ok()?.key_index)
            }
        }
    }
}

impl Random {
    fn cookie_name(&mut self) -> String {
        let len = self.below(8);
        (0..len)
            .map(|_| *self.pick(&['a', 'Z', '0', '!', '#', '$', '%', '&', '+', '-', '.', '~']))
            .collect()
    }
}

/// The JSON of a whole session, by way of a token: keys that are not Unicode are in it too.
pub fn json_of(session: &Session) -> String {
    let ring = Keyring::new("example-only-any").expect("usable");
    let codec = SessionCodec::new(&ring)
        .compress(Compress::Never)
        .expiry_rule(ExpiryRule::Django)
        .max_token_len(1 << 20)
        .max_payload_len(1 << 20);
    let token = codec.encode_at(session, OffsetDateTime::UNIX_EPOCH).expect("can be written");
    payload(&token)
}

/// The JSON in a token that is not compressed.
pub fn payload(token: &str) -> String {
    let payload = token.split(':').next().expect("a first part");
    let json = URL_SAFE_NO_PAD.decode(payload).expect("base64 without compression");
    String::from_utf8(json).expect("ASCII")
}
