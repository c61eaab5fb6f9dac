//! Holds that a token is good for its key, its purpose and its one spelling, and for nothing else.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::{
    GeneralPurpose, NO_PAD, STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD,
};
use proptest::prelude::*;
use signed_session::{
    Algorithm, Compress, ConfigError, CookieOptions, DecodeError, ExpiryRule, Keyring, Session,
    SessionCodec, SessionManager, Signer, TimestampSigner, Weakness, django,
};
use time::OffsetDateTime;

const SECRET: &str = "of-the-authenticity-tests-correct-horse-battery-staple";
const ANOTHER: &str = "of-somebody-else-altogether-wrong-horse-battery-staple";
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

fn ring() -> Keyring {
    Keyring::new(SECRET).unwrap()
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

fn noon() -> OffsetDateTime {
    at(1_700_000_000)
}

/// A genuine token and what reads it.
struct Sample {
    name: &'static str,
    token: String,
    #[expect(clippy::type_complexity, reason = "a reader, whatever it reads")]
    read: Box<dyn Fn(&str) -> Result<(), DecodeError>>,
}

impl Sample {
    fn new(
        name: &'static str,
        token: String,
        read: impl Fn(&str) -> Result<(), DecodeError> + 'static,
    ) -> Self {
        assert_eq!(read(&token), Ok(()), "{name}");
        Self { name, token, read: Box::new(read) }
    }

    /// Expects that another text is refused, as nothing that a key has signed.
    fn assert_forged(&self, altered: &str) {
        assert_ne!(self.token, altered);
        let verdict = (self.read)(altered);
        assert!(
            matches!(verdict, Err(DecodeError::BadSignature | DecodeError::Malformed)),
            "{}: {verdict:?} for {altered:?}",
            self.name
        );
    }
}

/// A token of every kind: plain, timestamped, compressed, a session.
fn samples() -> Vec<Sample> {
    let plain = Signer::new(&ring(), "purpose");
    let timed = TimestampSigner::new(&ring(), "purpose");
    let objects = plain.clone();
    let codec = SessionCodec::new(&ring());
    let mut session = Session::new();
    session.insert("user_id", 42).unwrap();

    let compressed = objects.sign_object(&"z".repeat(300), Compress::IfShorter).unwrap();
    assert!(compressed.starts_with('.'));
    vec![
        Sample::new("plain", plain.sign("zoë"), move |text| plain.unsign(text).map(drop)),
        Sample::new("timestamped", timed.sign_at("ada", noon()), move |text| {
            timed.unsign_at(text, None, noon()).map(drop)
        }),
        Sample::new("compressed", compressed, move |text| {
            objects.unsign_object::<String>(text).map(drop)
        }),
        Sample::new("session", codec.encode_at(&session, noon()).unwrap(), move |text| {
            codec.decode_at(text, noon()).map(drop)
        }),
    ]
}

// One spelling.

#[test]
fn every_wrong_character_of_a_signature_is_refused() {
    for (algorithm, len) in ALGORITHMS.into_iter().zip([43, 64, 86]) {
        let signer = Signer::new(&ring(), "purpose").algorithm(algorithm);
        let token = signer.sign("ada");
        let (value, signature) = token.rsplit_once(':').unwrap();
        assert_eq!(signature.len(), len);
        let mut tried = 0;
        for position in 0..len {
            for wrong in ALPHABET.chars().filter(|c| !signature[position..].starts_with(*c)) {
                let (before, after) = (&signature[..position], &signature[position + 1..]);
                let forged = format!("{value}:{before}{wrong}{after}");
                assert_eq!(signer.unsign(&forged), Err(DecodeError::BadSignature), "{forged}");
                tried += 1;
            }
        }
        assert_eq!(tried, len * 63);
        assert_eq!(signer.unsign(&token), Ok("ada"));
    }
}

#[test]
fn a_signature_is_refused_in_every_other_spelling() {
    let lax = NO_PAD.with_decode_allow_trailing_bits(true);
    let lax = GeneralPurpose::new(&base64::alphabet::URL_SAFE, lax);
    for algorithm in ALGORITHMS {
        let signer = Signer::new(&ring(), "purpose").algorithm(algorithm);
        // A signature with a character that the two alphabets spell differently.
        let token = (0..).map(|n| signer.sign(&format!("ada{n}"))).find(|token| {
            let signature = token.rsplit_once(':').unwrap().1;
            signature.contains(['-', '_'])
        });
        let token = token.unwrap();
        let (value, signature) = token.rsplit_once(':').unwrap();
        let mac = URL_SAFE_NO_PAD.decode(signature).unwrap();

        let mut spellings = vec![
            STANDARD.encode(&mac),
            STANDARD_NO_PAD.encode(&mac),
            format!("{signature}="),
            format!("{signature}=="),
            signature.replace('-', "%2D").replace('_', "%5F"),
            signature.to_lowercase(),
            mac.iter().map(|byte| format!("{byte:02x}")).collect(),
        ];
        let body = &signature[..signature.len() - 1];
        let same = ALPHABET.chars().map(|last| format!("{body}{last}"));
        let same = same.filter(|other| lax.decode(other).is_ok_and(|bytes| bytes == mac));
        let same: Vec<String> = same.filter(|other| other != signature).collect();
        // 43 characters have two bits to spare, 64 none and 86 four.
        assert_eq!(same.len(), [3, 0, 15][algorithm as usize]);
        spellings.extend(same);

        for spelling in spellings {
            let forged = format!("{value}:{spelling}");
            assert_eq!(signer.unsign(&forged), Err(DecodeError::BadSignature), "{forged}");
        }
    }
}

#[test]
fn a_signature_is_refused_when_cut_or_prolonged_by_any_length() {
    for sample in samples() {
        let token = &sample.token;
        for end in (0..token.len()).filter(|end| token.is_char_boundary(*end)) {
            sample.assert_forged(&token[..end]);
        }
        for start in (1..token.len()).filter(|start| token.is_char_boundary(*start)) {
            sample.assert_forged(&token[start..]);
        }
        let sep_and_signature = &token[token.len() - 44..];
        for more in ["A", "=", " ", "\0", "\n", "\r\n", ":", "::", ":x", "é", "; a=b", ",", "\""] {
            sample.assert_forged(&format!("{token}{more}"));
            sample.assert_forged(&format!("{more}{token}"));
        }
        sample.assert_forged(&format!("{token}{sep_and_signature}"));
        sample.assert_forged(&format!("{token}{token}"));
        sample.assert_forged(&format!("\"{token}\""));
    }
}

// Not one byte of a token can be another.

#[test]
fn every_replaced_inserted_deleted_or_swapped_byte_is_refused() {
    for sample in samples() {
        let bytes = sample.token.as_bytes();
        let mut tried = 0;
        let mut try_bytes = |altered: Vec<u8>| {
            if altered == bytes {
                return;
            }
            let Ok(altered) = String::from_utf8(altered) else { return };
            sample.assert_forged(&altered);
            tried += 1;
        };
        for position in 0..=bytes.len() {
            let (before, after) = bytes.split_at(position);
            for byte in 0..=u8::MAX {
                try_bytes([before, &[byte], after].concat());
                if let Some(rest) = after.get(1..) {
                    try_bytes([before, &[byte], rest].concat());
                }
            }
            match after {
                [one, other, rest @ ..] => {
                    try_bytes([before, rest].concat());
                    try_bytes([before, &[*one], rest].concat());
                    try_bytes([before, &[*other, *one], rest].concat());
                }
                [_] => try_bytes(before.to_vec()),
                [] => {}
            }
        }
        // 127 other characters and 127 that can be put between, at nearly every position.
        assert!(tried >= bytes.len() * 250, "only {tried} for {}", sample.name);
    }
}

#[test]
fn a_separator_is_refused_at_every_other_position() {
    for sample in samples() {
        let token = &sample.token;
        for (from, _) in token.match_indices(':') {
            let joined = [&token[..from], &token[from + 1..]].concat();
            sample.assert_forged(&joined);
            for to in (0..=joined.len()).filter(|to| *to != from && joined.is_char_boundary(*to)) {
                sample.assert_forged(&format!("{}:{}", &joined[..to], &joined[to..]));
            }
        }
    }
}

#[test]
fn value_timestamp_and_signature_must_be_of_one_token() {
    let signer = TimestampSigner::new(&ring(), "purpose");
    let tokens = [("ada", 0), ("ada", 1), ("bob", 0)].map(|(value, later)| {
        let token = signer.sign_at(value, noon() + time::Duration::seconds(later));
        token.split(':').map(str::to_owned).collect::<Vec<_>>()
    });
    let mut accepted = 0;
    for value in &tokens {
        for stamp in &tokens {
            for signature in &tokens {
                let mixed = [&*value[0], &*stamp[1], &*signature[2]].join(":");
                let genuine = tokens.iter().any(|token| token.join(":") == mixed);
                assert_eq!(signer.unsign(&mixed, None).is_ok(), genuine, "{mixed}");
                accepted += usize::from(genuine);
            }
        }
    }
    // Parts that are the same in two tokens make some of them more than once.
    assert!((3..27).contains(&accepted));
}

// Authenticity first.

/// Signs whatever payload and stamp as a session.
fn session_token(secret: &str, payload: &str, stamp: &str) -> String {
    let ring = Keyring::new(secret).unwrap();
    Signer::new(&ring, django::SESSION_SALT).sign(&format!("{payload}:{stamp}"))
}

fn plain_payload(json: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

fn zlib_payload(json: &[u8]) -> String {
    let mut out = Vec::with_capacity(json.len() + 100);
    let mut state = flate2::Compress::new(flate2::Compression::best(), true);
    state.compress_vec(json, &mut out, flate2::FlushCompress::Finish).unwrap();
    format!(".{}", URL_SAFE_NO_PAD.encode(out))
}

#[test]
fn nothing_of_a_token_is_read_before_its_signature_is_verified() {
    let codec = SessionCodec::new(&ring()).max_payload_len(1000);
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT).max_payload_len(1000);
    let good = "1r31eq";
    for (payload, stamp, fault) in [
        (plain_payload("{}"), "-1", DecodeError::BadTimestamp),
        (plain_payload("{}"), "", DecodeError::BadTimestamp),
        ("e30=".to_owned(), good, DecodeError::Base64),
        (".eJyrVkrLz1eyUkpKLFKqBQA*".to_owned(), good, DecodeError::Base64),
        (".eJyr".to_owned(), good, DecodeError::Zlib),
        (zlib_payload(&[b' '; 9999]), good, DecodeError::TooLarge { limit: 1000 }),
        (plain_payload([b' '; 1001]), good, DecodeError::TooLarge { limit: 1000 }),
        (plain_payload("{\"a\":}"), good, DecodeError::Json),
        (plain_payload(b"{\"a\":\"\xff\"}"), good, DecodeError::Json),
    ] {
        // With the key the fault is there to be found.
        let genuine = session_token(SECRET, &payload, stamp);
        assert_eq!(codec.decode_at(&genuine, noon()).unwrap_err(), fault);
        let object = signer.unsign_object_at::<BTreeMap<String, u32>>(&genuine, None, noon());
        assert_eq!(object.unwrap_err(), fault);

        let forged = session_token(ANOTHER, &payload, stamp);
        let verdicts = |codec: &SessionCodec| {
            let session = codec.decode_at(&forged, noon()).map(drop);
            let map = codec.decode_as_at::<BTreeMap<String, u32>>(&forged, noon()).map(drop);
            [session.unwrap_err(), map.unwrap_err()]
        };
        assert_eq!(verdicts(&codec), [DecodeError::BadSignature, DecodeError::BadSignature]);
        let object = signer.unsign_object_at::<BTreeMap<String, u32>>(&forged, None, noon());
        assert_eq!(object.unwrap_err(), DecodeError::BadSignature);

        let (len, limit) = (forged.len(), forged.len() - 1);
        let too_long = DecodeError::TooLong { len, limit };
        assert_eq!(verdicts(&codec.clone().max_token_len(limit)), [too_long.clone(), too_long]);
    }
}

#[test]
fn of_several_faults_the_first_in_the_list_of_errors_is_told() {
    let base = SessionCodec::new(&ring())
        .expiry_rule(ExpiryRule::Shorter)
        .max_age(std::time::Duration::from_secs(60))
        .max_token_len(400)
        .max_payload_len(100);
    let stamp = |age: i64| {
        let token =
            TimestampSigner::new(&ring(), "").sign_at("", at(noon().unix_timestamp() - age));
        token.split(':').nth(1).unwrap().to_owned()
    };
    let (signed_at, age) = (at(1_699_999_900), std::time::Duration::from_secs(100));
    let genuine = |payload: &str, age| session_token(SECRET, payload, &stamp(age));
    let torn = |payload: String| payload[..13].to_owned();

    // Every line has all the faults of the lines below it that can go together with its own.
    let ladder: [(DecodeError, i64, String); 14] = [
        (DecodeError::TooLong { len: 401, limit: 400 }, 0, "!".repeat(401)),
        (DecodeError::Malformed, 0, "!".repeat(400)),
        (DecodeError::BadSignature, 0, session_token(ANOTHER, "!", "-1")),
        (DecodeError::BadTimestamp, 0, session_token(SECRET, "!", "-1")),
        (DecodeError::NotYetValid { signed_at: at(1_700_001_000) }, 9000, genuine("!", -1000)),
        (DecodeError::SignedTooEarly { signed_at }, -99, genuine("!", 100)),
        (DecodeError::Expired { signed_at, age }, -100, genuine("!", 100)),
        (DecodeError::Base64, 0, genuine(&(torn(zlib_payload(&[0xFF; 999])) + "!"), 0)),
        (DecodeError::Zlib, 0, genuine(&torn(zlib_payload(&[0xFF; 100])), 0)),
        (DecodeError::TooLarge { limit: 100 }, 0, genuine(&plain_payload([0xFF; 101]), 0)),
        (DecodeError::Json, 0, genuine(&plain_payload(b"[\"\xff\"]"), 0)),
        (DecodeError::NotAnObject, 0, genuine(&plain_payload("[\"_session_expiry\"]"), 0)),
        (DecodeError::BadExpiry, 0, genuine(&plain_payload("{\"_session_expiry\":\"soon\"}"), 0)),
        (DecodeError::WrongType, 0, genuine(&plain_payload("{\"count\":\"many\"}"), 0)),
    ];
    for (expected, not_before, token) in ladder {
        let codec = base.clone().refuse_signed_before(noon() + time::Duration::seconds(not_before));
        let counts = codec.decode_as_at::<BTreeMap<String, u32>>(&token, noon());
        assert_eq!(counts.unwrap_err(), expected);
        match codec.decode_at(&token, noon()) {
            // A session has no one type to be wrong.
            Ok(session) => assert_eq!((&expected, session.len()), (&DecodeError::WrongType, 1)),
            Err(error) => assert_eq!(error, expected),
        }
    }
    let mended = genuine(&plain_payload("{\"count\":7}"), 60);
    let counts: BTreeMap<String, u32> = base.decode_as_at(&mended, noon()).unwrap();
    assert_eq!(counts["count"], 7);
}

#[test]
fn the_payload_is_read_before_the_age_where_it_may_set_the_age() {
    let codec = SessionCodec::new(&ring()).max_age(std::time::Duration::ZERO);
    for (payload, fault) in [
        ("!".to_owned(), DecodeError::Base64),
        (plain_payload("{"), DecodeError::Json),
        (plain_payload("{\"_session_expiry\":[]}"), DecodeError::BadExpiry),
    ] {
        let token = session_token(SECRET, &payload, "1r31eq");
        assert_eq!(codec.decode_at(&token, at(1_800_000_000)).unwrap_err(), fault);
    }
}

// A token is good only for its purpose.

#[test]
fn no_signer_verifies_what_was_signed_for_another_purpose() {
    let ring = ring();
    let timed = |salt| TimestampSigner::new(&ring, salt);
    let purposes: Vec<(&str, TimestampSigner)> = vec![
        ("session", timed(django::SESSION_SALT)),
        ("database session", timed(django::DB_SESSION_SALT)),
        ("dumps", timed(django::DUMPS_SALT)),
        ("Signer", timed(django::SIGNER_SALT)),
        ("TimestampSigner", timed(django::TIMESTAMP_SIGNER_SALT)),
        ("messages' salt without the cookies' key", timed(django::MESSAGES_SALT)),
        ("messages", django::cookie_signer(&ring, django::MESSAGES_SALT)),
        (
            "session's salt with the cookies' key",
            django::cookie_signer(&ring, django::SESSION_SALT),
        ),
        ("a signed cookie", django::signed_cookie_signer(&ring, "cookie", "salt")),
        ("a signed cookie without salt", django::signed_cookie_signer(&ring, "cookie", "")),
        ("another signed cookie", django::signed_cookie_signer(&ring, "cook", "salt")),
        ("an old signed cookie", django::legacy_signed_cookie_signer(&ring, "cookie", "salt")),
        ("no salt", timed("")),
        // Salts, names and cookies that come as close to a named session as they can.
        ("the session named admin", timed("signed_session.named:admin")),
        ("the session without a name", timed("signed_session.named:")),
        (
            "an old cookie of that salt",
            django::legacy_signed_cookie_signer(&ring, "signed_session", ".named:admin"),
        ),
        (
            "a cookie of that salt",
            django::signed_cookie_signer(&ring, "admin", "signed_session.named:"),
        ),
    ];
    for (one, signer) in &purposes {
        let token = signer.sign_at("e30", noon());
        for (other, verifier) in &purposes {
            let verdict = verifier.unsign_at(&token, None, noon()).map(|stamped| stamped.value);
            let expected = if one == other { Ok("e30") } else { Err(DecodeError::BadSignature) };
            assert_eq!(verdict, expected, "{one} read as {other}");
        }
        for (codec, owner) in [
            (SessionCodec::new(&ring), "session"),
            (SessionCodec::named(&ring, "admin"), "the session named admin"),
            (SessionCodec::named(&ring, ""), "the session without a name"),
        ] {
            assert_eq!(codec.decode_at(&token, noon()).is_ok(), *one == owner, "{one}, {owner}");
        }
    }
}

#[test]
fn a_named_session_is_what_django_signs_with_its_salt() {
    // Made by Django 5.2.19: signing.dumps({"user_id": 42}, salt="signed_session.named:admin")
    for (name, signature) in [
        ("admin", "a50zB95g0uzeCAv5IahuJ5i9ZSve6wpYsCLBtp10bW0"),
        ("", "5TrTYgtVdlH-yKazx_nNsBCCGxVezKQd4Kb0Y8EPHFY"),
        ("Zoë:é", "hWGGNd-AG2NP2PBBTnGJNIOUcJ54oWK73NEbmHYoU9s"),
        ("a:", "BcEJx8uQmABxQJRqnVsdRVSDpjOxvzlj0aQ11j23qYc"),
    ] {
        let mut session = Session::new();
        session.insert("user_id", 42).unwrap();
        let codec = SessionCodec::named(&ring(), name).compress(Compress::Never);
        let token = codec.encode_at(&session, noon()).unwrap();
        assert_eq!(token, format!("eyJ1c2VyX2lkIjo0Mn0:1r31eq:{signature}"), "{name}");
    }
}

#[test]
fn a_token_is_valid_for_managers_of_its_name_only() {
    let cookies = ["sessionid", "shop", "office"];
    let ring = ring();
    let codecs: Vec<(String, SessionCodec)> = cookies
        .map(|name| (format!("named {name}"), SessionCodec::named(&ring, name)))
        .into_iter()
        .chain([
            ("unnamed".to_owned(), SessionCodec::new(&ring)),
            ("another salt".to_owned(), SessionCodec::new(&ring).salt("shop")),
            ("named, another key".to_owned(), SessionCodec::named(&ring_of(&[ANOTHER]), "shop")),
        ])
        .collect();
    let mut refused = 0;
    for (issuer, codec) in &codecs {
        for issued in cookies {
            let from = SessionManager::new(codec.clone(), CookieOptions::new(issued).unwrap());
            let mut session = from.load_at(["a=b"], noon());
            session.insert("user_id", 42).unwrap();
            let cookie = from.commit_at(&session, 200, noon()).unwrap().set_cookie.unwrap();
            for (reader, codec) in &codecs {
                for name in cookies {
                    // A visitor can send any value under any name.
                    let header = format!("{name}={}", cookie.value());
                    let to = SessionManager::new(codec.clone(), CookieOptions::new(name).unwrap());
                    let read = to.load_at([&header], noon());
                    let expected = (issuer != reader).then_some(&DecodeError::BadSignature);
                    assert_eq!(read.refusal(), expected, "{issuer} {issued} as {reader} {name}");
                    assert_eq!(read.get("user_id"), Ok((issuer == reader).then_some(42)));
                    refused += usize::from(expected.is_some());
                }
            }
        }
    }
    assert_eq!(refused, 6 * 5 * 9);
}

#[test]
fn no_salt_of_django_verifies_text_signed_under_another() {
    let salts = [
        django::SESSION_SALT,
        django::DB_SESSION_SALT,
        django::DUMPS_SALT,
        django::SIGNER_SALT,
        django::TIMESTAMP_SIGNER_SALT,
        django::MESSAGES_SALT,
    ];
    for one in salts {
        let token = Signer::new(&ring(), one).sign("e30:1r31eq");
        for other in salts {
            let signer = Signer::new(&ring(), other);
            assert_eq!(signer.unsign(&token).is_ok(), one == other, "{one} read as {other}");
            let timed = TimestampSigner::new(&ring(), other);
            assert_eq!(timed.unsign(&token, None).is_ok(), one == other, "{one} read as {other}");
        }
        let custom = SessionCodec::new(&ring()).salt(one);
        assert!(custom.decode_at(&token, noon()).is_ok(), "{one}");
        assert_eq!(
            custom.salt("tenant-7").decode_at(&token, noon()).unwrap_err(),
            DecodeError::BadSignature
        );
    }
}

#[test]
fn what_one_hash_signed_no_other_hash_verifies() {
    for one in ALGORITHMS {
        let token = Signer::new(&ring(), "purpose").algorithm(one).sign("ada:1r31eq");
        for other in ALGORITHMS {
            let plain = Signer::new(&ring(), "purpose").algorithm(other);
            assert_eq!(plain.unsign(&token).is_ok(), one == other, "{one:?} as {other:?}");
            let timed = TimestampSigner::new(&ring(), "purpose").algorithm(other);
            assert_eq!(timed.unsign(&token, None).is_ok(), one == other, "{one:?} as {other:?}");
            // Nor does one cut to the other's length.
            let (value, signature) = token.rsplit_once(':').unwrap();
            let len = [43, 64, 86][other as usize];
            if let Some(cut) = signature.get(..len).filter(|_| one != other) {
                let cut = format!("{value}:{cut}");
                assert_eq!(plain.unsign(&cut), Err(DecodeError::BadSignature));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_splits_of_a_text_into_name_and_salt_share_a_signature(
        text in prop_oneof!["[0-2:ab]{1,12}", "\\PC{1,12}"],
    ) {
        let splits = || text.char_indices().map(|(at, _)| text.split_at(at)).chain([(&*text, "")]);
        let (ring, now) = (ring(), noon());
        let new = splits().map(|(name, salt)| {
            django::signed_cookie_signer(&ring, name, salt).sign_at("v", now)
        });
        prop_assert_eq!(new.collect::<HashSet<_>>().len(), splits().count());
        // Which is why reading the old form is something to ask for.
        let old = splits().map(|(name, salt)| {
            django::legacy_signed_cookie_signer(&ring, name, salt).sign_at("v", now)
        });
        prop_assert_eq!(old.collect::<HashSet<_>>().len(), 1);
    }
}

// The first key signs, all verify, the answer says which did.

const EIGHT: [&str; 8] = ["zero", "one", "two", "three", "four", "five", "six", "seven"];

fn ring_of<S: AsRef<[u8]>>(secrets: &[S]) -> Keyring {
    let ring = Keyring::new(&secrets[0]).unwrap();
    secrets[1..].iter().fold(ring, |ring, secret| ring.fallback(secret).unwrap())
}

#[test]
fn the_first_of_eight_keys_signs_all_verify_and_are_told_apart() {
    let ring = ring_of(&EIGHT);
    let signer = TimestampSigner::new(&ring, "purpose");
    let codec = SessionCodec::new(&ring);
    for (index, secret) in EIGHT.iter().enumerate() {
        let alone = Keyring::new(secret).unwrap();
        let token = TimestampSigner::new(&alone, "purpose").sign_at("ada", noon());
        assert_eq!(signer.unsign_at(&token, None, noon()).unwrap().key_index, index);
        assert_eq!(signer.sign_at("ada", noon()) == token, index == 0, "{secret}");

        let plain = Signer::new(&alone, "purpose").sign("ada");
        assert_eq!(Signer::new(&ring, "purpose").unsign(&plain), Ok("ada"));

        let token = SessionCodec::new(&alone).encode_at(&Session::new(), noon()).unwrap();
        let session = codec.decode_at(&token, noon()).unwrap();
        assert_eq!(session.key_index(), Some(index));
        // Written again, it is under the first key.
        let token = codec.encode_at(&session, noon()).unwrap();
        assert_eq!(codec.decode_at(&token, noon()).unwrap().key_index(), Some(0));
        // And so are Django's other cookies, whose keys are made from these.
        let cookie = django::signed_cookie_signer(&alone, "c", "").sign_at("v", noon());
        let cookies = django::signed_cookie_signer(&ring, "c", "");
        assert_eq!(cookies.unsign(&cookie, None).unwrap().key_index, index);
    }
    let unknown = TimestampSigner::new(&Keyring::new("eight").unwrap(), "purpose").sign("ada");
    assert_eq!(signer.unsign(&unknown, None), Err(DecodeError::BadSignature));
}

#[test]
fn the_order_of_the_keys_decides_which_one_signs() {
    let tokens = [["new", "old"], ["old", "new"]].map(|secrets| {
        let signer = TimestampSigner::new(&ring_of(&secrets), "purpose");
        (signer.sign_at("ada", noon()), signer)
    });
    let [(new, newer), (old, older)] = &tokens;
    assert_ne!(new, old);
    let index =
        |signer: &TimestampSigner, token: &str| signer.unsign(token, None).unwrap().key_index;
    assert_eq!([index(newer, new), index(newer, old)], [0, 1]);
    assert_eq!([index(older, new), index(older, old)], [1, 0]);
    // Of two that are the same, the newer one is named.
    let twice = TimestampSigner::new(&ring_of(&["first", "new", "new"]), "purpose");
    assert_eq!(index(&twice, new), 1);
}

#[test]
fn a_key_that_was_removed_from_the_ring_verifies_no_more() {
    for removed in 0..EIGHT.len() {
        let mut left = EIGHT.to_vec();
        let secret = left.remove(removed);
        let token = Signer::new(&Keyring::new(secret).unwrap(), "purpose").sign("ada");
        assert_eq!(Signer::new(&ring_of(&EIGHT), "purpose").unsign(&token), Ok("ada"));
        let verdict = Signer::new(&ring_of(&left), "purpose").unsign(&token);
        assert_eq!(verdict, Err(DecodeError::BadSignature), "{secret}");
    }
}

#[test]
fn a_secret_is_bytes_and_every_one_of_them_counts() {
    let secrets: [&[u8]; 21] = [
        b"key",
        b"Key",
        b"key\n",
        b"\nkey",
        b"key\r\n",
        b"key ",
        b" key",
        b"\tkey",
        b"key\0",
        b"\0key",
        b"k\0ey",
        b"\0",
        b"key,",
        b"key,key",
        b"key\nkey",
        b"keykey",
        b"key\xff",
        b"key\xfe",
        b"\xff",
        b"key\xef\xbf\xbd",
        "k\u{e9}y".as_bytes(),
    ];
    let ring = ring_of(&secrets);
    for algorithm in ALGORITHMS {
        let signer = TimestampSigner::new(&ring, "purpose").algorithm(algorithm);
        for (index, secret) in secrets.iter().enumerate() {
            let alone = TimestampSigner::new(&Keyring::new(secret).unwrap(), "purpose");
            let token = alone.algorithm(algorithm).sign("ada");
            // Were one the same key as another before it, that one would be named.
            assert_eq!(signer.unsign(&token, None).unwrap().key_index, index, "{secret:?}");
        }
    }
    // A secret longer than a block of the hash is not cut.
    let long = [b"k".repeat(1000), [b"k".repeat(999), b"l".to_vec()].concat()];
    let token = Signer::new(&Keyring::new(&long[0]).unwrap(), "purpose").sign("ada");
    let other = Signer::new(&Keyring::new(&long[1]).unwrap(), "purpose");
    assert_eq!(other.unsign(&token), Err(DecodeError::BadSignature));
}

// No weak ring by accident.

#[test]
fn an_empty_or_blank_secret_is_refused_as_key_and_as_fallback() {
    let blanks = [
        "",
        " ",
        "\n",
        "\r\n",
        " \t\r\n ",
        "\u{b}\u{c}",
        "\u{85}",
        "\u{a0}",
        "\u{1680}",
        "\u{2003}\u{2009}",
        "\u{2028}\u{2029}",
        "\u{3000}\n",
    ];
    for blank in blanks {
        assert_eq!(Keyring::new(blank).unwrap_err(), ConfigError::EmptySecret, "{blank:?}");
        assert_eq!(Keyring::new(blank.as_bytes()).unwrap_err(), ConfigError::EmptySecret);
        assert_eq!(ring().fallback(blank).unwrap_err(), ConfigError::EmptySecret, "{blank:?}");
        assert!(Keyring::new(format!("{blank}x{blank}")).is_ok(), "{blank:?}");
    }
}

#[test]
fn an_unset_environment_variable_never_becomes_a_key() {
    let unset = || std::env::var("SIGNED_SESSION_TEST_VARIABLE_THAT_NOBODY_SETS");
    assert!(unset().is_err());
    let secret = unset().unwrap_or_default();
    assert_eq!(Keyring::new(&secret).unwrap_err(), ConfigError::EmptySecret);
    assert_eq!(ring().fallback(&secret).unwrap_err(), ConfigError::EmptySecret);
    let os = std::env::var_os("SIGNED_SESSION_TEST_VARIABLE_THAT_NOBODY_SETS").unwrap_or_default();
    assert_eq!(Keyring::new(os.as_encoded_bytes()).unwrap_err(), ConfigError::EmptySecret);
}

#[test]
fn what_makes_a_secret_weak_is_named_with_its_place_in_the_ring() {
    use Weakness::{DjangoInsecure, FewCharacters, Sample, Short};
    let long = |secret: &str| secret.repeat(50)[..50].to_owned();
    let table: [(String, &[Weakness]); 13] = [
        (long("0123456789"), &[]),
        ("0123456789abcdef0123456789abcdef".to_owned(), &[]),
        ("0123456789abcdef0123456789abcde".to_owned(), &[Short]),
        (long("abcde"), &[]),
        (long("abcd"), &[FewCharacters]),
        (long("\0"), &[FewCharacters]),
        ("aaa".to_owned(), &[Short, FewCharacters]),
        (format!("django-insecure-{}", long("0123456789")), &[DjangoInsecure]),
        ("django-insecure-".to_owned(), &[Short, DjangoInsecure]),
        (format!("Django-insecure-{}", long("0123456789")), &[]),
        (format!("{}django-insecure-", long("0123456789")), &[]),
        (format!("example-only-{}", long("0123456789")), &[Sample]),
        ("example-only-".to_owned(), &[Short, Sample]),
    ];
    for (secret, faults) in &table {
        let found = Keyring::new(secret).unwrap().weaknesses();
        let expected: Vec<_> = faults.iter().map(|fault| (0, *fault)).collect();
        assert_eq!(found, expected, "{secret}");
    }
    let secrets: Vec<&String> = table.iter().map(|(secret, _)| secret).collect();
    let expected: Vec<(usize, Weakness)> = table
        .iter()
        .enumerate()
        .flat_map(|(index, (_, faults))| faults.iter().map(move |fault| (index, *fault)))
        .collect();
    assert_eq!(ring_of(&secrets).weaknesses(), expected);
    // It counts bytes, of whatever kind.
    assert_eq!(Keyring::new([0xFF; 32]).unwrap().weaknesses(), [(0, FewCharacters)]);
}

// Separators.

#[test]
fn a_separator_that_could_occur_in_a_signature_is_refused() {
    let unsafe_ones = r"a Z 0 - _ = ^ ` [ \ ] abc -_= [\]^_` AZaz09-_=".split(' ');
    // Python's `$` matches before a last newline too.
    let unsafe_ones = unsafe_ones.flat_map(|one| [one.to_owned(), format!("{one}\n")]);
    for separator in unsafe_ones.chain([String::new(), "\n".to_owned()]) {
        let separator = separator.as_str();
        let refused = Err(ConfigError::UnsafeSeparator);
        let plain = Signer::new(&ring(), "purpose").separator(separator);
        assert_eq!(plain.map(drop), refused, "{separator:?}");
        let timed = TimestampSigner::new(&ring(), "purpose").separator(separator);
        assert_eq!(timed.map(drop), refused, "{separator:?}");
    }
    let safe_ones =
        ": :: a:b :a a: é aé . | / + @ { ~ a\nb a\nb: \n\n \na a\r\n \0 \u{7f} \u{1f600}";
    for separator in safe_ones.split(' ').chain([" ", "a b"]) {
        let plain = Signer::new(&ring(), "purpose").separator(separator).unwrap();
        let token = plain.sign("ada");
        assert!(token.starts_with(&format!("ada{separator}")), "{separator:?}");
        assert_eq!(plain.unsign(&token), Ok("ada"), "{separator:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_split_of_a_text_into_name_and_salt_is_a_named_session(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "signed_session.named", ":", "signer", "django.http.cookies", "v2", "admin", "5", ".",
            ]),
            0..8,
        ),
        at in any::<prop::sample::Index>(),
        named in any::<prop::sample::Index>(),
    ) {
        let text = pieces.concat();
        let (name, salt) = text.split_at(at.index(text.len() + 1));
        // A session named by any part of the text.
        let start = named.index(text.len() + 1);
        for session in [&text, &text[start..], &text[..start]] {
            let codec = SessionCodec::named(&ring(), session);
            let token = codec.encode_at(&Session::new(), noon()).unwrap();
            for other in [
                django::signed_cookie_signer(&ring(), name, salt),
                django::legacy_signed_cookie_signer(&ring(), name, salt),
                django::cookie_signer(&ring(), &text),
            ] {
                let verdict = other.unsign(&token, None).map(drop);
                prop_assert_eq!(verdict, Err(DecodeError::BadSignature));
                let signed = other.sign_at("e30", noon());
                prop_assert!(codec.decode_at(&signed, noon()).is_err());
            }
            // Nor is one of another name.
            for other in [name, salt, &text] {
                let is_read = SessionCodec::named(&ring(), other).decode_at(&token, noon()).is_ok();
                prop_assert_eq!(is_read, session == other);
            }
        }
    }

    #[test]
    fn what_was_signed_comes_back_under_any_accepted_separator(
        separator in prop_oneof![
            prop::sample::select(vec![":", "::", ":::", "a:a", ":a", "a:", "1:", ":1", "é", ".", "\n\n"])
                .prop_map(str::to_owned),
            "\\PC{1,3}",
        ],
        pieces in prop::collection::vec(prop_oneof![Just(None), "[:a1.é\n]{1,2}".prop_map(Some)], 0..6),
        algorithm in prop::sample::select(ALGORITHMS.to_vec()),
    ) {
        // The value is made of whole separators and of parts of them.
        let value: String =
            pieces.iter().map(|piece| piece.as_deref().unwrap_or(&separator)).collect();
        let plain = Signer::new(&ring(), "purpose").algorithm(algorithm).separator(&separator);
        let timed = TimestampSigner::new(&ring(), "purpose").algorithm(algorithm);
        let timed = timed.separator(&separator);
        prop_assert_eq!(plain.is_ok(), timed.is_ok());
        if let (Ok(plain), Ok(timed)) = (plain, timed) {
            let token = plain.sign(&value);
            prop_assert_eq!(plain.unsign(&token), Ok(&*value));
            let token = timed.sign_at(&value, noon());
            let stamped = timed.unsign_at(&token, None, noon()).unwrap();
            prop_assert_eq!((stamped.value, stamped.signed_at), (&*value, noon()));
            // To a signer without stamps the stamp is part of the value.
            let with_stamp = format!("{value}{separator}1r31eq");
            prop_assert_eq!(plain.unsign(&token), Ok(&*with_stamp));
        }
    }
}
