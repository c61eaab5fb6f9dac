//! Runs the vectors in `tests/vectors/`, which real Djangos made.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use signed_session::{
    Algorithm, Compress, DecodeError, ExpiryRule, Keyring, Session, SessionCodec, Signer,
    TimestampSigner, django,
};
use support::secret::Secret;
use time::OffsetDateTime;

use crate::tree::Tree;

#[derive(Deserialize)]
struct File<T> {
    vectors: Vec<T>,
}

fn vectors<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    let text = fs::read_to_string(path).expect("the vectors are in the tree");
    serde_json::from_str::<File<T>>(&text).expect("the vectors have the documented form").vectors
}

fn ring(secret: &Secret, fallbacks: &[Secret]) -> Keyring {
    let ring = Keyring::new(secret.bytes()).expect("a usable secret");
    fallbacks.iter().fold(ring, |ring, secret| ring.fallback(secret.bytes()).unwrap())
}

fn algorithm(name: &str) -> Algorithm {
    match name {
        "sha256" => Algorithm::Sha256,
        "sha384" => Algorithm::Sha384,
        "sha512" => Algorithm::Sha512,
        other => panic!("unknown algorithm {other}"),
    }
}

/// The vectors' clock has up to three decimals; a float has no more to say.
#[expect(clippy::cast_possible_truncation, reason = "milliseconds of this millennium fit")]
fn moment(seconds: f64) -> OffsetDateTime {
    let millis = (seconds * 1000.0).round() as i128;
    OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).expect("a moment of the calendar")
}

#[derive(Deserialize)]
struct Decode {
    id: String,
    call: String,
    secret: Secret,
    fallbacks: Vec<Secret>,
    salt: String,
    sep: String,
    algorithm: String,
    now: f64,
    max_age: Option<u64>,
    token: String,
    expect: Expect,
}

#[derive(Deserialize)]
struct Expect {
    status: String,
    text: Option<String>,
    json: Option<String>,
    signed_at: Option<i64>,
    key_index: Option<usize>,
}

/// What was read: the text or the JSON, and what is told besides.
struct Read {
    content: String,
    signed_at: Option<i64>,
    key_index: Option<usize>,
}

impl Decode {
    fn signer(&self) -> Signer {
        let signer = Signer::new(&ring(&self.secret, &self.fallbacks), &self.salt);
        signer.separator(&self.sep).expect("a safe separator").algorithm(algorithm(&self.algorithm))
    }

    fn timestamp_signer(&self) -> TimestampSigner {
        let signer = TimestampSigner::new(&ring(&self.secret, &self.fallbacks), &self.salt);
        signer.separator(&self.sep).expect("a safe separator").algorithm(algorithm(&self.algorithm))
    }

    fn codec(&self) -> SessionCodec {
        assert_eq!((self.sep.as_str(), self.algorithm.as_str()), (":", "sha256"), "{}", self.id);
        SessionCodec::new(&ring(&self.secret, &self.fallbacks))
            .salt(&self.salt)
            .max_age(self.max_age.map_or(Duration::MAX, Duration::from_secs))
            .expiry_rule(ExpiryRule::Django)
    }

    fn run(&self) -> Result<Read, DecodeError> {
        let now = moment(self.now);
        let max_age = self.max_age.map(Duration::from_secs);
        let plain = |content: String| Read { content, signed_at: None, key_index: None };
        match self.call.as_str() {
            "unsign" => self.signer().unsign(&self.token).map(|text| plain(text.to_owned())),
            "unsign_object" => Ok(plain(self.signer().unsign_json(&self.token)?)),
            "timestamp_unsign" => {
                let signer = self.timestamp_signer();
                let stamped = signer.unsign_at(&self.token, max_age, now)?;
                Ok(Read {
                    content: stamped.value.to_owned(),
                    signed_at: Some(stamped.signed_at.unix_timestamp()),
                    key_index: Some(stamped.key_index),
                })
            }
            "loads" => {
                let signer = self.timestamp_signer();
                Ok(plain(signer.unsign_json_at(&self.token, max_age, now)?))
            }
            "session" => {
                let session = self.codec().decode_at(&self.token, now)?;
                Ok(Read {
                    content: self.json_of(&session),
                    signed_at: session.signed_at().map(OffsetDateTime::unix_timestamp),
                    key_index: session.key_index(),
                })
            }
            other => panic!("{}: unknown call {other}", self.id),
        }
    }

    /// What a session would write if it were encoded untouched.
    fn json_of(&self, session: &Session) -> String {
        let codec = self.codec().max_token_len(usize::MAX).compress(Compress::Never);
        let token = codec.encode_at(session, OffsetDateTime::UNIX_EPOCH).expect("it came in");
        let signer = self.timestamp_signer().max_payload_len(usize::MAX);
        signer.unsign_json(&token, None).expect("just made")
    }
}

fn status(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::TooLong { .. } => "too_long",
        DecodeError::Malformed => "malformed",
        DecodeError::BadSignature => "bad_signature",
        DecodeError::BadTimestamp => "bad_timestamp",
        DecodeError::NotYetValid { .. } => "not_yet_valid",
        DecodeError::SignedTooEarly { .. } => "signed_too_early",
        DecodeError::Expired { .. } => "expired",
        DecodeError::Base64 => "base64",
        DecodeError::Zlib => "zlib",
        DecodeError::TooLarge { .. } => "too_large",
        DecodeError::Json => "json",
        DecodeError::NotAnObject => "not_an_object",
        other => panic!("no vector expects {other:?}"),
    }
}

/// Drops the white space between tokens, which the expected text does not have.
fn compact(json: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let keep = |character: &char| {
        let kept = in_string || !character.is_ascii_whitespace();
        match character {
            '"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = in_string && *character == '\\' && !escaped;
        kept
    };
    json.chars().filter(keep).collect()
}

#[test]
fn every_token_is_judged_as_by_django_or_a_numbered_difference() {
    let vectors: Vec<Decode> = vectors("decode.json");
    let mut refused = 0;
    for vector in &vectors {
        let (id, expect) = (&vector.id, &vector.expect);
        match vector.run() {
            Err(error) => {
                refused += 1;
                assert_eq!(status(&error), expect.status, "{id}");
                let proved = !["too_long", "malformed", "bad_signature"].contains(&status(&error));
                assert_eq!(error.is_authentic(), proved, "{id}");
            }
            Ok(read) => {
                assert_eq!("ok", expect.status, "{id}");
                match (&expect.json, &expect.text) {
                    // Only the entries of the session itself are made one, as DESIGN has it:
                    // within a value both stay, and the last one counts for whoever reads it.
                    (Some(json), _) if id == "json-with-an-inner-key-written-twice" => {
                        let value = |text| serde_json::from_str::<Value>(text).unwrap();
                        assert_eq!(value(&read.content), value(json), "{id}");
                    }
                    (Some(json), _) => assert_eq!(&compact(&read.content), json, "{id}"),
                    (_, text) => assert_eq!(Some(&read.content), text.as_ref(), "{id}"),
                }
                if vector.call == "session" || vector.call == "timestamp_unsign" {
                    assert_eq!(read.signed_at, expect.signed_at, "{id}");
                    assert_eq!(read.key_index, expect.key_index, "{id}");
                }
            }
        }
    }
    assert!(vectors.len() >= 400, "only {} vectors", vectors.len());
    assert!(refused * 2 > vectors.len(), "only {refused} negative ones");
}

#[derive(Deserialize)]
struct Encode {
    id: String,
    call: String,
    secret: Secret,
    #[serde(default)]
    salt: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    cookie_salt: String,
    sep: Option<String>,
    algorithm: Option<String>,
    now: f64,
    #[serde(default)]
    text: String,
    #[serde(default)]
    json: String,
    #[serde(default)]
    compressed: bool,
    /// Absent where Django always asks for it.
    compress: Option<bool>,
    token: String,
    token_legacy: Option<String>,
}

impl Encode {
    fn ring(&self) -> Keyring {
        ring(&self.secret, &[])
    }

    fn compress(&self) -> Compress {
        match self.compress {
            Some(false) => Compress::Never,
            _ => Compress::IfShorter,
        }
    }

    fn signer(&self) -> Signer {
        let signer = Signer::new(&self.ring(), &self.salt);
        let signer = signer.separator(self.sep.as_deref().unwrap_or(":")).unwrap();
        signer.algorithm(algorithm(self.algorithm.as_deref().unwrap_or("sha256")))
    }

    fn timestamp_signer(&self) -> TimestampSigner {
        let signer = TimestampSigner::new(&self.ring(), &self.salt);
        let signer = signer.separator(self.sep.as_deref().unwrap_or(":")).unwrap();
        signer.algorithm(algorithm(self.algorithm.as_deref().unwrap_or("sha256")))
    }

    /// The tokens that we make of it, in every way that there is.
    fn tokens(&self) -> Vec<String> {
        let now = moment(self.now);
        let compress = self.compress();
        let tree = || Tree::parse(&self.json);
        // What a part of cannot be written as a value is written as text.
        let stamped = |signer: TimestampSigner| match tree().text() {
            None => signer.sign_object_at(&tree(), compress, now).unwrap(),
            Some(json) => signer.sign_json_at(&json, compress, now).unwrap(),
        };
        match self.call.as_str() {
            "sign" => vec![self.signer().sign(&self.text)],
            "timestamp_sign" => vec![self.timestamp_signer().sign_at(&self.text, now)],
            "sign_object" => {
                vec![match tree().text() {
                    None => self.signer().sign_object(&tree(), compress).unwrap(),
                    Some(json) => self.signer().sign_json(&json, compress).unwrap(),
                }]
            }
            "loads" => vec![stamped(self.timestamp_signer())],
            "messages" => vec![stamped(django::cookie_signer(&self.ring(), &self.salt))],
            "session" => {
                let codec = SessionCodec::new(&self.ring())
                    .salt(&self.salt)
                    .max_token_len(usize::MAX)
                    .compress(compress);
                let typed = match tree().text() {
                    None => codec.encode_as_at(&tree(), now).unwrap(),
                    Some(json) => codec.encode_json_at(&json, now).unwrap(),
                };
                let Tree::Object(entries) = tree() else { return vec![typed] };
                let mut session = Session::new();
                for (key, value) in entries {
                    match value.text() {
                        None => session.insert(&key, value).unwrap(),
                        Some(json) => session.insert_json(&key, &json).unwrap(),
                    }
                }
                vec![typed, codec.encode_at(&session, now).unwrap()]
            }
            other => panic!("{}: unknown call {other}", self.id),
        }
    }

    /// The JSON in a token of an object.
    fn read(&self, token: &str) -> String {
        let timed = match self.call.as_str() {
            "sign_object" => None,
            "messages" => Some(django::cookie_signer(&self.ring(), &self.salt)),
            _ => Some(self.timestamp_signer()),
        };
        match timed {
            Some(signer) => signer.unsign_json(token, None).unwrap(),
            None => self.signer().unsign_json(token).unwrap(),
        }
    }
}

#[test]
fn every_value_makes_the_token_that_django_makes_byte_for_byte() {
    let vectors: Vec<Encode> = vectors("encode.json");
    for vector in vectors.iter().filter(|vector| vector.call != "signed_cookie") {
        for token in vector.tokens() {
            // Only C zlib makes Django's bytes; what any zlib makes is read by all.
            if !vector.compressed || cfg!(feature = "zlib") {
                assert_eq!(token, vector.token, "{}", vector.id);
            } else {
                assert_eq!(vector.read(&token), vector.json, "{}", vector.id);
            }
        }
        if !vector.json.is_empty() {
            assert_eq!(vector.read(&vector.token), vector.json, "{}", vector.id);
        }
    }
}

#[test]
fn every_signed_cookie_is_django_s_under_old_and_new_salt() {
    let vectors: Vec<Encode> = vectors("encode.json");
    let cookies = vectors.iter().filter(|vector| vector.call == "signed_cookie");
    assert!(cookies.clone().count() >= 10);
    for cookie in cookies {
        let (ring, now) = (cookie.ring(), moment(cookie.now));
        let (name, salt) = (&cookie.name, &cookie.cookie_salt);
        let new = django::signed_cookie_signer(&ring, name, salt);
        let old = django::legacy_signed_cookie_signer(&ring, name, salt);
        let token_legacy = cookie.token_legacy.as_ref().unwrap();
        assert_eq!(new.sign_at(&cookie.text, now), cookie.token, "{}", cookie.id);
        assert_eq!(&old.sign_at(&cookie.text, now), token_legacy, "{}", cookie.id);
        assert_eq!(new.unsign(&cookie.token, None).unwrap().value, cookie.text, "{}", cookie.id);
        assert_eq!(new.unsign(token_legacy, None), Err(DecodeError::BadSignature), "{}", cookie.id);
    }
}

#[derive(Deserialize)]
struct ExpiryVector {
    id: String,
    stored: Option<String>,
    now: f64,
    modification: Option<f64>,
    cookie_age: u64,
    browser_close_setting: bool,
    age: Value,
    date: Value,
    browser_close: Value,
}

/// What Django answers, in seconds; the newest, where they differ.
fn answer(value: &Value) -> Result<f64, ()> {
    match value.get("by_version").and_then(Value::as_object) {
        Some(versions) => answer(versions.iter().next_back().expect("some version").1),
        None => value.as_f64().ok_or(()),
    }
}

/// The vectors where our answer is another than the newest Django's, and why.
const OTHER_ANSWERS: &[(&str, &str)] = &[
    ("true", "only false is Django's spelling of something, of 0"),
    ("an-empty-string", "malformed is never absent"),
    ("an-empty-list", "malformed is never absent"),
    ("an-empty-object", "malformed is never absent"),
    ("two-to-the-63", "the date stops at the year 9999"),
    ("minus-two-to-the-63", "the date stops at the year -9999"),
    ("an-integer-of-thirty-digits", "seconds stop at 64 bits"),
    ("a-huge-float", "seconds stop at 64 bits"),
    ("seconds-into-the-year-10000", "the date stops at the year 9999"),
    ("seconds-back-before-the-year-1", "time's calendar goes further back"),
    ("a-date-past-the-last-once-in-utc", "the date stops at the year 9999"),
    ("a-date-with-a-comma", "not written by isoformat, not read by CPython 3.10"),
    ("a-date-with-an-offset-without-colon", "not written by isoformat, not read by CPython 3.10"),
    ("a-date-with-an-offset-of-hours", "not written by isoformat, not read by CPython 3.10"),
    ("a-date-in-basic-format", "not written by isoformat, not read by CPython 3.10"),
    ("a-naive-date", "the getters take it as UTC; Django's fail on it with USE_TZ"),
    (
        "a-naive-date-with-microseconds",
        "the getters take it as UTC; Django's fail on it with USE_TZ",
    ),
    ("a-day-alone", "the getters take it as UTC; Django's fail on it with USE_TZ"),
];

#[test]
fn the_expiry_getters_answer_as_django_s_do() {
    let same = |ours: Result<f64, ()>, theirs: Result<f64, ()>| match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours - theirs).abs() < 2e-6,
        (ours, theirs) => ours == theirs,
    };
    let mut others = Vec::new();
    for vector in vectors::<ExpiryVector>("expiry.json") {
        // Through a token: some could not be inserted.
        let stored = vector.stored.as_ref();
        let json = stored.map_or("{}".to_owned(), |it| format!(r#"{{"_session_expiry":{it}}}"#));
        let ring = Keyring::new("test-secret-key-0123456789").unwrap();
        let signer = TimestampSigner::new(&ring, django::SESSION_SALT);
        let token = signer.sign(&URL_SAFE_NO_PAD.encode(json));
        let codec = SessionCodec::new(&ring).expiry_rule(ExpiryRule::Django);
        let session = codec.decode(&token).unwrap();
        let cookie_age = Duration::from_secs(vector.cookie_age);
        let modification = moment(vector.modification.unwrap_or(vector.now));
        let age = session.expiry_age(cookie_age, modification).map(|age| age.as_seconds_f64());
        let date = session.expiry_date(cookie_age, modification);
        let date = date.map(|date| (date - OffsetDateTime::UNIX_EPOCH).as_seconds_f64());
        let close = session.expires_at_browser_close(vector.browser_close_setting).ok();
        // For what is malformed Django's answer to this one is no, and ours an error.
        let closes = close == vector.browser_close.as_bool() || session.expiry().is_err();
        let ages = same(age.map_err(drop), answer(&vector.age));
        let dates = same(date.map_err(drop), answer(&vector.date));
        if !(ages && dates && closes) {
            others.push(vector.id);
        }
    }
    let mut known: Vec<&str> = OTHER_ANSWERS.iter().map(|(id, _)| *id).collect();
    known.sort_unstable();
    others.sort_unstable();
    assert_eq!(others, known);
}
