//! Holds every error to its message, and every message to numbers: nothing secret, nothing of the attacker's.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::ser::Error as _;
#[cfg(feature = "random")]
use signed_session::django::CsrfError;
use signed_session::django::SettingsError;
use signed_session::{
    Algorithm, ApplyError, Compress, ConfigError, CookieOptions, DecodeError, EncodeError, Keyring,
    RevocationError, Session, SessionCodec, SessionManager, Signer, TimestampSigner, ValueError,
    django,
};
use time::OffsetDateTime;

fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap()
}

/// Every refusal, whether its token is authentic, and what it says.
fn decode_errors() -> [(DecodeError, bool, &'static str); 21] {
    let (signed_at, age) = (noon(), Duration::from_millis(90_500));
    [
        (
            DecodeError::TooManyCookies { limit: 16 },
            false,
            "more than 16 cookies have the same name",
        ),
        (
            DecodeError::TooLong { len: 4097, limit: 4096 },
            false,
            "the token has 4097 bytes, more than the limit of 4096",
        ),
        (DecodeError::Malformed, false, "the token has no separator"),
        (DecodeError::BadSignature, false, "the signature matches no key"),
        (DecodeError::BadTimestamp, true, "the timestamp cannot be read"),
        (
            DecodeError::NotYetValid { signed_at },
            true,
            "the token was signed in the future, at 1700000000 (Unix seconds)",
        ),
        (
            DecodeError::SignedTooEarly { signed_at },
            true,
            "the token was signed, or its session started, before the cut-off; it was signed at \
             1700000000 (Unix seconds)",
        ),
        (
            DecodeError::Expired { signed_at, age },
            true,
            "the token has expired: it was signed 90 seconds ago, at 1700000000 (Unix seconds)",
        ),
        (DecodeError::Base64, true, "the payload is not unpadded URL-safe base64"),
        (DecodeError::Zlib, true, "the payload is not exactly one complete zlib stream"),
        (
            DecodeError::TooLarge { limit: 65_536 },
            true,
            "the payload is larger than the limit of 65536 bytes",
        ),
        (DecodeError::Json, true, "the payload is not JSON in ASCII"),
        (DecodeError::NotAnObject, true, "the payload is not a JSON object"),
        (DecodeError::BadExpiry, true, "the session's own expiry cannot be read"),
        (DecodeError::BadSubject, true, "the session's subject cannot be read"),
        (DecodeError::BadSessionId, true, "the session's id cannot be read"),
        (DecodeError::Revoked, true, "the session was ended"),
        (DecodeError::Refused, true, "the program's rule refuses the session"),
        (DecodeError::WrongType, true, "the payload is not of the requested type"),
        (DecodeError::Ambiguous, true, "several valid cookies have the same name, but differ"),
        (DecodeError::Unheard, true, "it is not known whether the session was ended"),
    ]
}

fn encode_errors() -> [(EncodeError, &'static str); 15] {
    let limits = (5000, 4096);
    [
        (
            EncodeError::Value(ValueError::WrongType { key: "cart".into() }),
            "the value of cart is not of the requested type",
        ),
        (
            EncodeError::Value(ValueError::NotFinite),
            "a number is NaN or infinite, which JSON cannot represent",
        ),
        (EncodeError::Value(ValueError::Unserializable), "the value cannot be written as JSON"),
        (
            EncodeError::Value(ValueError::Reserved { key: "_session_started".into() }),
            "the reserved entry _session_started cannot be set to this value",
        ),
        (EncodeError::Value(ValueError::NotAnObject), "a session must be a JSON object"),
        (EncodeError::Value(ValueError::NotJson), "the text is not JSON"),
        (
            EncodeError::Value(ValueError::TooLate),
            "the response has begun: the session can no longer be saved",
        ),
        (EncodeError::NotAnObject, "a session must be a JSON object"),
        (EncodeError::BadExpiry, "the session's own expiry is not valid"),
        (EncodeError::BadSubject, "the session's subject is not valid"),
        (
            EncodeError::TooLarge { len: limits.0, limit: limits.1, entries: Vec::new() },
            "the encoded size would be 5000 bytes, more than the limit of 4096",
        ),
        (
            EncodeError::AwareExpiry,
            "a Django site with USE_TZ = False does not support Expiry::At: use Expiry::After",
        ),
        (EncodeError::BadTimestamp, "a token cannot be dated before 1970 or past the year 9999"),
        (EncodeError::CookieValue, "the value contains a character that is not allowed in cookies"),
        (
            EncodeError::TooLarge {
                len: limits.0,
                limit: limits.1,
                entries: vec![("cart".into(), 4100), ("user_id".into(), 12), ("entry 3".into(), 9)],
            },
            "the encoded size would be 5000 bytes, more than the limit of 4096; \
             in JSON, cart takes 4100 bytes, user_id takes 12 bytes, entry 3 takes 9 bytes",
        ),
    ]
}

fn value_errors() -> [(ValueError, &'static str); 7] {
    [
        (
            ValueError::WrongType { key: "entry 3".into() },
            "the value of entry 3 is not of the requested type",
        ),
        (ValueError::NotFinite, "a number is NaN or infinite, which JSON cannot represent"),
        (ValueError::Unserializable, "the value cannot be written as JSON"),
        (
            ValueError::Reserved { key: "_session_expiry".into() },
            "the reserved entry _session_expiry cannot be set to this value",
        ),
        (ValueError::NotAnObject, "a session must be a JSON object"),
        (ValueError::NotJson, "the text is not JSON"),
        (ValueError::TooLate, "the response has begun: the session can no longer be saved"),
    ]
}

fn revocation_errors() -> [(RevocationError, &'static str); 3] {
    [
        (RevocationError::BadSubject, "the subject does not have 1 to 255 bytes"),
        (
            RevocationError::BadSessionId,
            "the text is not a session id, or the session starts in the future",
        ),
        (RevocationError::BadLine, "the line is not a revocation in this format"),
    ]
}

fn apply_errors() -> [(ApplyError, &'static str); 1] {
    [(ApplyError::Ahead, "the revocation is dated more than fifteen minutes in the future")]
}

fn config_errors() -> [(ConfigError, &'static str); 10] {
    [
        (ConfigError::EmptySecret, "a secret is empty or contains only white space"),
        (
            ConfigError::MissingKey { variable: "SIGNED_SESSION_KEY" },
            "the variable SIGNED_SESSION_KEY is not set: `openssl rand -base64 48` prints a good secret for it",
        ),
        (
            ConfigError::EmptyKey { variable: "SIGNED_SESSION_FALLBACK_KEYS" },
            "a secret in SIGNED_SESSION_FALLBACK_KEYS is empty or contains only white space",
        ),
        (ConfigError::UnsafeSeparator, "the separator could occur in a signature"),
        (ConfigError::CookieName, "the cookie's name is not a token of 1 to 256 characters"),
        (ConfigError::CookiePath, "the cookie's path is not an absolute path in printable ASCII"),
        (ConfigError::CookieDomain, "the cookie's domain is not a host name"),
        (ConfigError::LoginPage, "the login page is not a path of this site in printable ASCII"),
        (ConfigError::HostPrefix, "a __Host- cookie must have path / and no domain"),
        (
            ConfigError::Origin,
            "the origin is not a scheme and a host as browsers write them, such as \
             https://example.com",
        ),
    ]
}

fn settings_errors() -> [(SettingsError, &'static str); 9] {
    [
        (SettingsError::NotAnObject, "the settings are not a JSON object"),
        (SettingsError::Unknown, "the name is not a setting that signed-session uses"),
        (
            SettingsError::Value { name: "SECRET_KEY" },
            r#"the setting SECRET_KEY must be set to a string, or to bytes as {"hex": "..."}"#,
        ),
        (
            SettingsError::SessionEngine,
            "the sessions are not in a signed cookie: set Django's SESSION_ENGINE to \
             django.contrib.sessions.backends.signed_cookies, or read stored sessions with \
             django::stored_session_codec",
        ),
        (
            SettingsError::SessionSerializer,
            "the sessions are not JSON: set Django's SESSION_SERIALIZER to \
             django.contrib.sessions.serializers.JSONSerializer, because only Python can \
             read pickles",
        ),
        (
            SettingsError::MessageStorage,
            "the messages are not in one of Django's storages: set MESSAGE_STORAGE to \
             django.contrib.messages.storage.fallback.FallbackStorage",
        ),
        (
            SettingsError::SigningBackend,
            "the messages and signed cookies are not signed by Django's own class: set \
             SIGNING_BACKEND to django.core.signing.TimestampSigner",
        ),
        (
            SettingsError::Config(ConfigError::EmptySecret),
            "the setting SECRET_KEY: a secret is empty or contains only white space",
        ),
        (
            SettingsError::CsrfCookie(ConfigError::CookieDomain),
            "the setting CSRF_COOKIE_DOMAIN: the cookie's domain is not a host name",
        ),
    ]
}

#[cfg(feature = "random")]
fn csrf_errors() -> [(CsrfError, &'static str); 10] {
    [
        (CsrfError::Origin, "the Origin header is neither the site's own origin nor trusted"),
        (CsrfError::NoReferer, "there is neither an Origin nor a Referer header"),
        (CsrfError::MalformedReferer, "the Referer header is malformed"),
        (CsrfError::InsecureReferer, "the page that sent the form was not loaded over https"),
        (
            CsrfError::Referer,
            "the Referer header names neither the site's own host nor a trusted one",
        ),
        (CsrfError::NoSecret, "the visitor has no CSRF secret"),
        (CsrfError::MalformedSecret, "the visitor's CSRF secret is malformed"),
        (CsrfError::NoToken, "there is no CSRF token"),
        (CsrfError::MalformedToken, "the CSRF token is malformed"),
        (CsrfError::WrongToken, "the CSRF token was not created from the visitor's secret"),
    ]
}

// Messages.

#[test]
fn every_error_says_what_is_written_here() {
    let mut lines: Vec<(String, &str)> = Vec::new();
    lines.extend(decode_errors().map(|(error, _, message)| (error.to_string(), message)));
    lines.extend(encode_errors().map(|(error, message)| (error.to_string(), message)));
    lines.extend(value_errors().map(|(error, message)| (error.to_string(), message)));
    lines.extend(config_errors().map(|(error, message)| (error.to_string(), message)));
    lines.extend(revocation_errors().map(|(error, message)| (error.to_string(), message)));
    lines.extend(apply_errors().map(|(error, message)| (error.to_string(), message)));
    lines.extend(settings_errors().map(|(error, message)| (error.to_string(), message)));
    #[cfg(feature = "random")]
    lines.extend(csrf_errors().map(|(error, message)| (error.to_string(), message)));
    for (said, message) in &lines {
        assert_eq!(said, message);
        // One line in lower case that goes on after `error: `, for a log in ASCII.
        assert!(said.starts_with(|first: char| first.is_ascii_lowercase()), "{said}");
        assert!(!said.ends_with(['.', '!', ' ']), "{said}");
        assert!(said.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{said}");
    }
}

#[test]
fn the_lists_of_this_file_leave_no_error_out() {
    // A variant that is added shows in the source and not here.
    let source = [
        include_str!("../../src/error.rs"),
        include_str!("../../src/django/csrf/error.rs"),
        include_str!("../../src/django/settings.rs"),
    ]
    .concat();
    let listed = |name: &str| {
        let body = source.split(&format!("pub enum {name} {{\n")).nth(1).unwrap();
        let body = body.split("\n}").next().unwrap();
        let variants = body.lines().filter(|line| {
            line.strip_prefix("    ").is_some_and(|line| line.starts_with(char::is_uppercase))
        });
        variants.count()
    };
    assert_eq!(listed("DecodeError"), decode_errors().len());
    // A `Value` is there once for each of its own kind, and `TooLarge` with and without entries.
    assert_eq!(listed("EncodeError") + value_errors().len(), encode_errors().len());
    assert_eq!(listed("ValueError"), value_errors().len());
    assert_eq!(listed("ConfigError"), config_errors().len());
    assert_eq!(listed("RevocationError"), revocation_errors().len());
    assert_eq!(listed("ApplyError"), apply_errors().len());
    assert_eq!(listed("SettingsError"), settings_errors().len());
    #[cfg(feature = "random")]
    assert_eq!(listed("CsrfError"), csrf_errors().len());
}

#[test]
fn the_code_of_a_refusal_is_the_name_of_its_variant() {
    for (error, _, _) in decode_errors() {
        let debug = format!("{error:?}");
        let name = debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap();
        let mut snake = String::new();
        for (at, letter) in name.char_indices() {
            if letter.is_ascii_uppercase() && at > 0 {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        assert_eq!(error.code(), snake);
    }
}

#[test]
fn an_error_is_authentic_exactly_if_a_key_signed_the_token() {
    for (error, is_authentic, _) in decode_errors() {
        assert_eq!(error.is_authentic(), is_authentic, "{error:?}");
    }
}

#[test]
fn every_error_can_be_boxed_sent_cloned_and_compared() {
    fn check<E: Error + Clone + PartialEq + Send + Sync + 'static>(error: &E) {
        let boxed: Box<dyn Error + Send + Sync> = Box::new(error.clone());
        assert_eq!(boxed.downcast_ref::<E>(), Some(error));
        assert_eq!(boxed.to_string(), error.to_string());
    }
    decode_errors().iter().for_each(|(error, ..)| check(error));
    encode_errors().iter().for_each(|(error, _)| check(error));
    value_errors().iter().for_each(|(error, _)| check(error));
    config_errors().iter().for_each(|(error, _)| check(error));
    settings_errors().iter().for_each(|(error, _)| check(error));
}

#[test]
fn only_an_error_about_a_value_has_a_source() {
    for (error, _) in encode_errors() {
        let source = error.source().and_then(|source| source.downcast_ref::<ValueError>());
        match &error {
            EncodeError::Value(value) => assert_eq!(source, Some(value)),
            _ => assert!(error.source().is_none(), "{error:?}"),
        }
    }
    assert!(decode_errors().iter().all(|(error, ..)| error.source().is_none()));
    assert_eq!(EncodeError::from(ValueError::NotFinite), EncodeError::Value(ValueError::NotFinite));
}

// Nothing of the attacker's and nothing secret.

/// What is planted in keys, salts, tokens and payloads, and must not come out.
pub(crate) const MARK: &str = "Pl4ntedMark";

pub(crate) fn ring() -> Keyring {
    let ring = Keyring::new(format!("{MARK}-correct-horse-battery-staple")).unwrap();
    ring.fallback(format!("older-{MARK}-correct-horse-battery-staple")).unwrap()
}

/// Every form in which a value can reach a log.
pub(crate) fn assert_clean(what: &str, value: &impl Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}"), format!("{:?}", Some([value]))] {
        assert_carries_nothing(what, &text);
    }
}

fn assert_clean_error(what: &str, error: &impl Error) {
    fn display(error: &dyn Display) -> [String; 2] {
        [format!("{error}"), format!("{error:#}")]
    }
    assert_clean(what, error);
    for text in display(error) {
        assert_carries_nothing(what, &text);
    }
    if let Some(source) = error.source() {
        display(&source).iter().for_each(|text| assert_carries_nothing(what, text));
        assert_carries_nothing(what, &format!("{source:?}"));
    }
}

/// Looks for the mark as it is, as base64 at each of its three phases, as hex and as a list of numbers.
fn assert_carries_nothing(what: &str, text: &str) {
    let mut forms = vec![MARK.to_owned()];
    for phase in 0..3 {
        let encoded = URL_SAFE_NO_PAD.encode([&b"xx"[..phase], MARK.as_bytes()].concat());
        forms.push(encoded[4..12].to_owned());
    }
    forms.push(MARK.bytes().map(|byte| format!("{byte:02x}")).collect());
    forms.push(MARK.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", "));
    for form in forms {
        assert!(!text.to_lowercase().contains(&form.to_lowercase()), "{what}: {text}");
    }
}

#[test]
fn the_search_for_planted_text_finds_it_in_every_form() {
    let base64 = URL_SAFE_NO_PAD.encode(format!("a{MARK}"));
    for leak in
        [format!("key {MARK}!"), MARK.to_uppercase(), base64, format!("{:?}", MARK.as_bytes())]
    {
        let found = std::panic::catch_unwind(|| assert_carries_nothing("a leak", &leak));
        assert!(found.is_err(), "{leak}");
    }
}

#[test]
fn debug_shows_no_key_and_nothing_of_a_visitor_s_data() {
    let ring = ring();
    assert_clean("Keyring", &ring);
    let plain = Signer::new(&ring, MARK).separator(&format!(":{MARK}:")).unwrap();
    assert_clean("Signer", &plain);
    assert_clean("Signer", &plain.algorithm(Algorithm::Sha512));
    let timed = TimestampSigner::new(&ring, MARK).separator(&format!(":{MARK}:")).unwrap();
    assert_clean("TimestampSigner", &timed);
    assert_clean("TimestampSigner", &django::signed_cookie_signer(&ring, MARK, MARK));
    let codec = SessionCodec::new(&ring).salt(MARK);
    assert_clean("SessionCodec", &codec);

    // What is left is the name.
    for (shown, name) in [
        (format!("{ring:?}"), "Keyring"),
        (format!("{:?}", Signer::new(&ring, MARK)), "Signer"),
        (format!("{codec:?}"), "SessionCodec"),
    ] {
        assert_eq!(shown, format!("{name} {{ .. }}"));
    }

    let mut session = Session::new();
    session.insert(MARK, MARK).unwrap();
    assert_clean("a session that was written", &session);
    let token = codec.encode_at(&session, noon()).unwrap();
    let session = codec.decode_at(&token, noon()).unwrap();
    assert_eq!(session.get::<String>(MARK), Ok(Some(MARK.to_owned())));
    assert_clean("a session that arrived", &session);
    let shown = format!("{session:?}");
    assert!(shown.starts_with("Session") && shown.contains("entries: 1"), "{shown}");
    let manager = SessionManager::new(codec, CookieOptions::new("sessionid").unwrap());
    let refused = manager.load_at([&format!("sessionid={MARK}")], noon());
    assert_eq!(refused.refusal(), Some(&DecodeError::Malformed));
    assert_clean("a session that was refused", &refused);
}

#[test]
fn no_refusal_of_a_token_carries_any_of_it() {
    let codec = SessionCodec::new(&ring());
    let signed = |payload: &str, stamp: &str| {
        Signer::new(&ring(), django::SESSION_SALT).sign(&format!("{payload}:{stamp}"))
    };
    let json = |json: &str| signed(&URL_SAFE_NO_PAD.encode(json.replace("MARK", MARK)), "1r31eq");
    let long = format!("{MARK}:").repeat(1000);
    let tokens = [
        (long.clone(), "TooLong"),
        (MARK.to_owned(), "Malformed"),
        (format!("{MARK}:{MARK}"), "BadSignature"),
        (format!("{MARK}:{}", &long[..43]), "BadSignature"),
        (signed(MARK, MARK), "BadTimestamp"),
        (signed("e30", &format!("-{MARK}")), "BadTimestamp"),
        (signed("e30", "2r31eq"), "NotYetValid"),
        (signed("e30", "0r31eq"), "Expired"),
        (signed(&format!("{MARK}="), "1r31eq"), "Base64"),
        (signed(&format!(".{MARK}-"), "1r31eq"), "Zlib"),
        (json("MARK"), "Json"),
        (json("{\"MARK\":MARK}"), "Json"),
        (json("{\"MARK\":\"MARK"), "Json"),
        (json("{\"é\":\"MARK\"}"), "Json"),
        (json("\"MARK\""), "NotAnObject"),
        (json("[\"MARK\"]"), "NotAnObject"),
        (json("{\"_session_expiry\":\"MARK\"}"), "BadExpiry"),
        (json("{\"count\":\"MARK\"}"), "WrongType"),
        (json("{\"MARK\":1e999}"), "WrongType"),
    ];
    for (token, expected) in tokens {
        let error = codec.decode_as_at::<BTreeMap<String, u32>>(&token, noon()).unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?} for {token}");
        assert_clean_error(expected, &error);
        if let Err(error) = codec.decode_at(&token, noon()) {
            assert_clean_error(expected, &error);
        }
        let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
        if let Err(error) = signer.unsign_object::<BTreeMap<String, u32>>(&token, None) {
            assert_clean_error(expected, &error);
        }
    }
    let small = codec.clone().max_payload_len(5);
    assert_clean_error(
        "TooLarge",
        &small.decode_at(&json("{\"a\":\"MARK\"}"), noon()).unwrap_err(),
    );
    let revoked = codec.refuse_signed_before(noon() + Duration::from_secs(1));
    assert_clean_error("SignedTooEarly", &revoked.decode_at(&json("{}"), noon()).unwrap_err());
}

/// A value whose own error tells what it should not.
struct Talkative;

impl Serialize for Talkative {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(MARK))
    }
}

#[test]
fn no_error_about_a_value_carries_any_of_it() {
    let signer = Signer::new(&ring(), MARK).max_payload_len(10);
    let codec = SessionCodec::new(&ring()).max_token_len(20);
    let mut session = Session::new();
    session.insert(MARK, MARK).unwrap();

    let typed = format!("{MARK} typed");
    session.insert(&typed, MARK).unwrap();
    let wrong_type = session.get::<u64>(&typed).unwrap_err();
    // A key that may be a visitor's own is not shown.
    assert_eq!(wrong_type, ValueError::WrongType { key: "entry 2".to_owned() });
    assert_clean_error("get", &wrong_type);
    let unserializable = session.insert(MARK, Talkative).unwrap_err();
    assert_eq!(unserializable, ValueError::Unserializable);
    assert_clean_error("insert", &unserializable);
    let not_json = session.insert_json(MARK, &format!("{MARK}:")).unwrap_err();
    assert_eq!(not_json, ValueError::NotJson);
    assert_clean_error("insert_json", &not_json);
    let not_finite = session.insert(MARK, BTreeMap::from([(MARK, f64::NAN)])).unwrap_err();
    assert_eq!(not_finite, ValueError::NotFinite);
    assert_clean_error("insert", &not_finite);

    let unserializable = signer.sign_object(&Talkative, Compress::Never).unwrap_err();
    assert_eq!(unserializable, EncodeError::Value(ValueError::Unserializable));
    assert_clean_error("sign_object", &unserializable);
    let too_large = signer.sign_object(MARK, Compress::Never).unwrap_err();
    assert_eq!(
        too_large,
        EncodeError::TooLarge { len: MARK.len() + 2, limit: 10, entries: Vec::new() }
    );
    assert_clean_error("sign_object", &too_large);
    // It names a key only if that is a plain identifier.
    let mut session = Session::new();
    session.insert("user", MARK).unwrap();
    session.insert(&format!("{MARK} "), MARK).unwrap();
    let too_long = codec.encode_at(&session, noon()).unwrap_err();
    let EncodeError::TooLarge { limit: 20, entries, .. } = &too_long else {
        panic!("{too_long:?}")
    };
    assert_eq!(entries.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["entry 2", "user"]);
    assert_clean_error("encode", &too_long);
    assert_eq!(codec.encode_as_at(MARK, noon()), Err(EncodeError::NotAnObject));
    let entries = BTreeMap::from([("_session_expiry", MARK)]);
    let bad_expiry = codec.encode_as_at(&entries, noon()).unwrap_err();
    assert_eq!(bad_expiry, EncodeError::BadExpiry);
    assert_clean_error("encode_as", &bad_expiry);
}

#[test]
fn no_error_of_the_set_up_carries_what_was_set_up() {
    let options = || CookieOptions::new("__Host-id").unwrap();
    let errors = [
        Keyring::new(" ").unwrap_err(),
        Signer::new(&ring(), MARK).separator(MARK).unwrap_err(),
        CookieOptions::new(&format!("{MARK};")).unwrap_err(),
        options().path(MARK).unwrap_err(),
        options().path(&format!("/{MARK}")).unwrap_err(),
        options().domain(&format!("{MARK}..example")).unwrap_err(),
        options().domain(&format!("{MARK}.example")).unwrap_err(),
    ];
    for error in errors {
        assert_clean_error("set-up", &error);
    }
    let refused = options().cookie(&format!("{MARK};"), None, noon()).unwrap_err();
    assert_eq!(refused, EncodeError::CookieValue);
    assert_clean_error("cookie", &refused);
    let refused = options().cookie(&MARK.repeat(1000), None, noon()).unwrap_err();
    assert_clean_error("cookie", &refused);
}
