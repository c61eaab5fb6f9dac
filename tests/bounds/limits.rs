//! Holds that whatever comes in, nothing grows past its limit, takes long, overflows or panics.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use allocation_counter::{AllocationInfo, measure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::{Compression, FlushCompress};
use proptest::prelude::*;
use serde::de::IgnoredAny;
use signed_session::{
    Algorithm, Compress, CookieOptions, DecodeError, EncodeError, Expiry, ExpiryRule, Keyring,
    Session, SessionCodec, SessionManager, Signer, TimestampSigner, ValueError, django,
};
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

pub(crate) fn ring() -> Keyring {
    Keyring::new("of-the-tests-of-bounds-correct-horse-battery-staple").unwrap()
}

pub(crate) fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap()
}

/// A codec that sets no limit worth the name.
pub(crate) fn roomy() -> SessionCodec {
    SessionCodec::new(&ring()).max_token_len(1 << 30).max_payload_len(1 << 30)
}

/// Signs whatever payload as a session of noon.
fn signed(payload: &str) -> String {
    Signer::new(&ring(), django::SESSION_SALT).sign(&format!("{payload}:1r31eq"))
}

fn deflated(bytes: &[u8], level: Compression, zlib_header: bool) -> Vec<u8> {
    let mut state = flate2::Compress::new(level, zlib_header);
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 100);
    let status = state.compress_vec(bytes, &mut out, FlushCompress::Finish).unwrap();
    assert_eq!(status, flate2::Status::StreamEnd);
    out
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    deflated(bytes, Compression::best(), true)
}

pub(crate) fn plain_token(json: &str) -> String {
    signed(&URL_SAFE_NO_PAD.encode(json))
}

/// A token whose payload says that it is compressed, and is whatever bytes.
fn zlib_token(stream: &[u8]) -> String {
    signed(&format!(".{}", URL_SAFE_NO_PAD.encode(stream)))
}

/// A session with one entry; its JSON is 8 bytes longer than the text.
fn session_of(text: &str) -> Session {
    let mut session = Session::new();
    session.insert("a", text).unwrap();
    session
}

// Limits are exact, and the same for writing and reading.

/// What the one entry of a session takes: its key and value, a colon and a comma.
fn sizes(session: &Session) -> Vec<(String, usize)> {
    // The object has braces, of which the comma is the length of one.
    vec![("a".to_owned(), session.to_json().len() - 1)]
}

#[test]
fn a_token_of_exactly_the_limit_passes_and_a_longer_one_fails() {
    for compress in [Compress::Never, Compress::IfShorter] {
        let codec = roomy().compress(compress);
        let session = session_of(&"x".repeat(500));
        let token = codec.encode_at(&session, noon()).unwrap();
        let len = token.len();

        let enough = codec.clone().max_token_len(len);
        assert_eq!(enough.encode_at(&session, noon()), Ok(token.clone()));
        assert_eq!(enough.decode_at(&token, noon()).unwrap().len(), 1);

        let limit = len - 1;
        let short = codec.max_token_len(limit);
        let refused = short.encode_at(&session, noon()).unwrap_err();
        assert_eq!(refused, EncodeError::TooLarge { len, limit, entries: sizes(&session) });
        let refused = short.decode_at(&token, noon()).unwrap_err();
        assert_eq!(refused, DecodeError::TooLong { len, limit });
        let refused = short.decode_as_at::<BTreeMap<String, String>>(&token, noon()).unwrap_err();
        assert_eq!(refused, DecodeError::TooLong { len, limit });
    }
}

#[test]
fn json_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    for compress in [Compress::Never, Compress::IfShorter] {
        let codec = roomy().compress(compress);
        let text = "x".repeat(992);
        let session = session_of(&text);
        let typed = BTreeMap::from([("a", &text)]);
        let token = codec.encode_at(&session, noon()).unwrap();
        assert_eq!(token.starts_with('.'), compress == Compress::IfShorter);

        let enough = codec.clone().max_payload_len(1000);
        assert_eq!(enough.encode_at(&session, noon()), Ok(token.clone()));
        assert_eq!(enough.encode_as_at(&typed, noon()), Ok(token.clone()));
        assert_eq!(enough.decode_at(&token, noon()).unwrap().len(), 1);

        let short = codec.max_payload_len(999);
        let (len, limit) = (1000, 999);
        let too_large = EncodeError::TooLarge { len, limit, entries: sizes(&session) };
        assert_eq!(short.encode_at(&session, noon()).unwrap_err(), too_large);
        let too_large = EncodeError::TooLarge { len, limit, entries: Vec::new() };
        assert_eq!(short.encode_as_at(&typed, noon()).unwrap_err(), too_large);
        let too_large = DecodeError::TooLarge { limit: 999 };
        assert_eq!(short.decode_at(&token, noon()).unwrap_err(), too_large);
        let map = short.decode_as_at::<BTreeMap<String, String>>(&token, noon());
        assert_eq!(map.unwrap_err(), too_large);
    }
}

#[test]
fn by_default_a_token_has_4096_bytes_and_its_json_65536() {
    let codec = SessionCodec::new(&ring()).compress(Compress::Never);
    let refused = codec.decode_at(&"x".repeat(4097), noon()).unwrap_err();
    assert_eq!(refused, DecodeError::TooLong { len: 4097, limit: 4096 });
    assert_eq!(codec.decode_at(&"x".repeat(4096), noon()).unwrap_err(), DecodeError::Malformed);

    // Compressed, either JSON fits in a token.
    let codec = SessionCodec::new(&ring());
    let (most, more) = ("x".repeat(65_536 - 8), "x".repeat(65_537 - 8));
    let token = codec.encode_at(&session_of(&most), noon()).unwrap();
    let session = codec.decode_at(&token, noon()).unwrap();
    assert_eq!(session.get::<String>("a"), Ok(Some(most)));
    let refused = codec.encode_at(&session_of(&more), noon()).unwrap_err();
    let entries = sizes(&session_of(&more));
    assert_eq!(refused, EncodeError::TooLarge { len: 65_537, limit: 65_536, entries });
    let token = roomy().encode_at(&session_of(&more), noon()).unwrap();
    assert_eq!(
        codec.decode_at(&token, noon()).unwrap_err(),
        DecodeError::TooLarge { limit: 65_536 }
    );
}

#[test]
fn an_object_has_the_same_limit_when_signed_and_when_read() {
    // A JSON string is two bytes longer than its text.
    let text = "x".repeat(998);
    for compress in [Compress::Never, Compress::IfShorter] {
        let plain = |limit| Signer::new(&ring(), "purpose").max_payload_len(limit);
        let timed = |limit| TimestampSigner::new(&ring(), "purpose").max_payload_len(limit);
        let token = plain(1000).sign_object(&text, compress).unwrap();
        assert_eq!(plain(1000).unsign_object::<String>(&token).as_ref(), Ok(&text));
        let stamped = timed(1000).sign_object_at(&text, compress, noon()).unwrap();
        assert_eq!(timed(1000).unsign_object::<String>(&stamped, None).as_ref(), Ok(&text));

        let too_large = EncodeError::TooLarge { len: 1000, limit: 999, entries: Vec::new() };
        assert_eq!(plain(999).sign_object(&text, compress).unwrap_err(), too_large);
        let refused = timed(999).sign_object_at(&text, compress, noon()).unwrap_err();
        assert_eq!(refused, too_large);
        let too_large = DecodeError::TooLarge { limit: 999 };
        assert_eq!(plain(999).unsign_object::<String>(&token).unwrap_err(), too_large);
        let refused = timed(999).unsign_object::<String>(&stamped, None).unwrap_err();
        assert_eq!(refused, too_large);
    }
}

#[test]
fn a_token_longer_than_any_allowed_object_is_refused_unread() {
    // 100 bytes make 134 characters; a stamp has up to 11 digits.
    for (algorithm, separator, limit) in [
        (Algorithm::Sha256, ":", 134 + 1 + 11 + 1 + 43),
        (Algorithm::Sha384, ":", 134 + 1 + 11 + 1 + 64),
        (Algorithm::Sha512, "::", 134 + 2 + 11 + 2 + 86),
    ] {
        let signer = Signer::new(&ring(), "purpose").algorithm(algorithm).max_payload_len(100);
        let signer = signer.separator(separator).unwrap();
        let timed = TimestampSigner::new(&ring(), "purpose").algorithm(algorithm);
        let timed = timed.max_payload_len(100).separator(separator).unwrap();
        let verdicts = |len| {
            let token = "x".repeat(len);
            let plain = signer.unsign_object::<String>(&token).unwrap_err();
            [plain, timed.unsign_object::<String>(&token, None).unwrap_err()]
        };
        assert_eq!(verdicts(limit), [DecodeError::Malformed, DecodeError::Malformed]);
        let too_long = DecodeError::TooLong { len: limit + 1, limit };
        assert_eq!(verdicts(limit + 1), [too_long.clone(), too_long]);

        // The longest that are made fit, at the last second that has a date.
        let text = "x".repeat(98);
        let token = signer.sign_object(&text, Compress::Never).unwrap();
        assert_eq!(signer.unsign_object::<String>(&token).as_ref(), Ok(&text));
        let last = PrimitiveDateTime::MAX.assume_utc();
        let token = timed.sign_object_at(&text, Compress::Never, last).unwrap();
        assert_eq!(timed.unsign_object_at::<String>(&token, None, last), Ok(text));
    }
}

#[test]
fn limits_of_nothing_and_of_everything_overflow_nothing() {
    let session = session_of("text");
    let token = roomy().encode_at(&session, noon()).unwrap();
    let compressed = roomy().encode_at(&session_of(&"x".repeat(999)), noon()).unwrap();
    for token in [&token, &compressed] {
        let none = roomy().max_payload_len(0);
        assert_eq!(none.decode_at(token, noon()).unwrap_err(), DecodeError::TooLarge { limit: 0 });
        let all = SessionCodec::new(&ring()).max_payload_len(usize::MAX).max_token_len(usize::MAX);
        let session = all.decode_at(token, noon()).unwrap();
        assert_eq!(&all.encode_at(&session, noon()).unwrap(), token);
        let none = SessionCodec::new(&ring()).max_token_len(0);
        let len = token.len();
        assert_eq!(
            none.decode_at(token, noon()).unwrap_err(),
            DecodeError::TooLong { len, limit: 0 }
        );
    }
    let all = Signer::new(&ring(), "purpose").max_payload_len(usize::MAX);
    let token = all.sign_object("text", Compress::IfShorter).unwrap();
    assert_eq!(all.unsign_object::<String>(&token).as_deref(), Ok("text"));
    let none = Signer::new(&ring(), "purpose").max_payload_len(0);
    let refused = none.sign_object("text", Compress::IfShorter).unwrap_err();
    assert_eq!(refused, EncodeError::TooLarge { len: 6, limit: 0, entries: Vec::new() });
    assert_eq!(none.unsign_object::<String>(&token), Err(DecodeError::TooLarge { limit: 0 }));
    // The empty string is neither a zlib stream of no bytes nor JSON.
    assert_eq!(roomy().decode_at(&signed(""), noon()).unwrap_err(), DecodeError::Json);
    assert_eq!(roomy().decode_at(&signed("."), noon()).unwrap_err(), DecodeError::Zlib);
    assert_eq!(roomy().decode_at(&zlib_token(&zlib(b"")), noon()).unwrap_err(), DecodeError::Json);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_and_writing_refuse_the_same_sessions(
        noise in "[ -~é]{0,120}",
        repeated in 1_usize..6,
        near_payload in -2_isize..=2,
        near_token in -2_isize..=2,
        compress in prop::sample::select(
            vec![Compress::IfShorter, Compress::Never, Compress::Above(100)],
        ),
    ) {
        let session = session_of(&noise.repeat(repeated));
        let json_len = 6 + session.iter().next().unwrap().1.len();
        let token = roomy().compress(compress).encode_at(&session, noon()).unwrap();
        let codec = SessionCodec::new(&ring())
            .compress(compress)
            .max_payload_len(json_len.saturating_add_signed(near_payload))
            .max_token_len(token.len().saturating_add_signed(near_token));
        let written = codec.encode_at(&session, noon());
        let read = codec.decode_at(&token, noon());
        match (&written, &read) {
            (Ok(made), Ok(back)) => {
                prop_assert_eq!(made, &token);
                prop_assert!(session.iter().eq(back.iter()));
                prop_assert!(near_payload >= 0 && near_token >= 0);
            }
            // Each meets its own first check.
            (
                Err(EncodeError::TooLarge { .. }),
                Err(DecodeError::TooLarge { .. } | DecodeError::TooLong { .. }),
            ) => prop_assert!(near_payload < 0 || near_token < 0),
            _ => prop_assert!(false, "{:?} but {:?}", written, read),
        }
    }

    #[test]
    fn whatever_object_is_signed_within_the_limit_is_read_back(
        text in "[ -~é]{0,90}",
        limit in 0_usize..100,
        compress in prop::sample::select(vec![Compress::IfShorter, Compress::Never]),
    ) {
        let signer = TimestampSigner::new(&ring(), "purpose").max_payload_len(limit);
        match signer.sign_object_at(&text, compress, noon()) {
            Ok(token) => prop_assert_eq!(signer.unsign_object_at(&token, None, noon()), Ok(text)),
            Err(error) => {
                let is_too_large = matches!(error, EncodeError::TooLarge { len, .. } if len > limit);
                prop_assert!(is_too_large, "{:?}", error);
            }
        }
    }
}

#[test]
fn a_session_written_as_json_text_with_space_inside_is_read_back() {
    let codec = roomy().absolute_max_age(Duration::from_secs(3600));
    for text in ["{}", "{ }", "{\n\t}", "{ \"a\" : 1 }"] {
        let token = codec.encode_json_at(text, noon()).unwrap();
        let read = codec.decode_as_at::<BTreeMap<String, i64>>(&token, noon());
        assert_eq!(
            read.map(|entries| entries["_session_started"]),
            Ok(1_700_000_000_000_000),
            "{text:?}"
        );
    }
}

// Bombs.

#[test]
fn a_bomb_of_64_mib_is_stopped_at_the_limit_not_at_its_end() {
    let codec = SessionCodec::new(&ring()).max_token_len(1 << 20);
    let bomb = |bytes: &[u8]| zlib_token(&deflated(bytes, Compression::fast(), true));

    // A session by all appearances, to begin with.
    let spaces = bomb(format!("{{\"a\":1{}}}", " ".repeat(64 << 20)).as_bytes());
    let refused = codec.decode_at(&spaces, noon()).unwrap_err();
    assert_eq!(refused, DecodeError::TooLarge { limit: 65_536 });
    let refused = codec.decode_as_at::<BTreeMap<String, u32>>(&spaces, noon()).unwrap_err();
    assert_eq!(refused, DecodeError::TooLarge { limit: 65_536 });
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT).max_payload_len(1 << 20);
    let refused = signer.unsign_json(&spaces, None).unwrap_err();
    assert_eq!(refused, DecodeError::TooLarge { limit: 1 << 20 });

    let zeros = bomb(&vec![0; 64 << 20]);
    let time = |codec: &SessionCodec, expected: DecodeError| {
        let start = Instant::now();
        assert_eq!(codec.decode_at(&zeros, noon()).unwrap_err(), expected);
        start.elapsed()
    };
    // To find that the whole is no JSON takes a thousand times the inflating.
    let whole = time(&codec.clone().max_payload_len(65 << 20), DecodeError::Json);
    let limited = || time(&codec, DecodeError::TooLarge { limit: 65_536 });
    let limited = (0..5).map(|_| limited()).min().unwrap();
    assert!(limited * 10 < whole, "{limited:?} of {whole:?}");
}

#[test]
fn a_payload_that_is_not_exactly_one_zlib_stream_is_refused() {
    let json = format!("{{\"a\":\"{}\"}}", "some text, more text, ".repeat(20));
    let good = zlib(json.as_bytes());
    let mut wrong: Vec<(String, Vec<u8>)> = Vec::new();
    for end in 0..good.len() {
        wrong.push((format!("cut to {end}"), good[..end].to_vec()));
    }
    for more in [&b"\0"[..], b"\n", b"0123456789", &good] {
        wrong.push((format!("{} bytes after it", more.len()), [&good, more].concat()));
    }
    for bit in 0..32 {
        let mut bytes = good.clone();
        let at = bytes.len() - 1 - bit / 8;
        bytes[at] ^= 1 << (bit % 8);
        wrong.push((format!("bit {bit} of its checksum flipped"), bytes));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(json.as_bytes()).unwrap();
    wrong.push(("gzip".to_owned(), gzip.finish().unwrap()));
    let raw = deflated(json.as_bytes(), Compression::best(), false);
    wrong.push(("a raw deflate stream".to_owned(), raw.clone()));
    let adler = &good[good.len() - 4..];
    wrong.push(("a preset dictionary".to_owned(), [b"\x78\xbb\0\0\0\x01", &*raw, adler].concat()));
    wrong.push(("a window too large".to_owned(), [b"\x88\x1c", &*raw, adler].concat()));
    wrong.push(("a method that is not deflate".to_owned(), [b"\x77\x09", &*raw, adler].concat()));
    wrong.push(("its header's check wrong".to_owned(), [b"\x78\xdb", &*raw, adler].concat()));
    wrong.push(("the JSON itself".to_owned(), json.clone().into_bytes()));

    for (fault, stream) in wrong {
        let verdict = roomy().decode_at(&zlib_token(&stream), noon());
        assert_eq!(verdict.unwrap_err(), DecodeError::Zlib, "{fault}");
        // The parts are right when put together right, and a fault leaves nothing behind.
        let again = [b"\x78\xda", &*raw, adler].concat();
        let session = roomy().decode_at(&zlib_token(&again), noon()).unwrap();
        assert_eq!(session.len(), 1, "after {fault}");
    }
    // Other levels and stored blocks are zlib all the same.
    for level in [Compression::none(), Compression::fast()] {
        let token = zlib_token(&deflated(json.as_bytes(), level, true));
        assert_eq!(roomy().decode_at(&token, noon()).unwrap().len(), 1);
    }
}

// Any bytes.

const SEPARATORS: [&str; 9] = [":", "::", ".", " ", "é", "a:", ":a", "|-|", "\n:"];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_refused_without_panic_under_every_separator(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(SEPARATORS.to_vec()).prop_map(str::to_owned),
                "[A-Za-z0-9_-]{0,12}",
                "[A-Za-z0-9_-]{43}",
                "\\PC{0,3}",
                any::<String>(),
                // A character that a signature's length could cut in two.
                "[é\u{1f600}]{1,12}",
            ],
            0..8,
        ),
    ) {
        let text = pieces.concat();
        let codec = roomy();
        let mut verdicts = vec![
            codec.decode(&text).map(drop),
            codec.decode_as::<BTreeMap<String, String>>(&text).map(drop),
        ];
        for separator in SEPARATORS {
            for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
                let plain = Signer::new(&ring(), "purpose").algorithm(algorithm);
                let plain = plain.separator(separator).unwrap();
                verdicts.push(plain.unsign(&text).map(drop));
                verdicts.push(plain.unsign_object::<String>(&text).map(drop));
                let timed = TimestampSigner::new(&ring(), "purpose").algorithm(algorithm);
                let timed = timed.separator(separator).unwrap();
                verdicts.push(timed.unsign(&text, None).map(drop));
                verdicts.push(timed.unsign_object::<String>(&text, Some(Duration::ZERO)).map(drop));
                let expected = match text.contains(separator) {
                    true => DecodeError::BadSignature,
                    false => DecodeError::Malformed,
                };
                prop_assert_eq!(plain.unsign(&text), Err(expected));
            }
        }
        for verdict in verdicts {
            prop_assert!(verdict.is_err_and(|error| !error.is_authentic()));
        }
    }

    #[test]
    fn any_signed_payload_is_an_error_or_a_session_that_round_trips(
        payload in prop_oneof![
            any::<String>(),
            prop::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
            json_like().prop_map(|json| URL_SAFE_NO_PAD.encode(json)),
            json_like().prop_map(|json| format!(".{}", URL_SAFE_NO_PAD.encode(zlib(json.as_bytes())))),
            (json_like(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(json, at, byte)| {
                let mut stream = zlib(json.as_bytes());
                *at.get_mut(&mut stream) = byte;
                format!(".{}", URL_SAFE_NO_PAD.encode(stream))
            }),
        ],
        stamp in prop_oneof![
            4 => Just("1r31eq".to_owned()),
            1 => "[0-9A-Za-z:.-]{0,12}",
        ],
        rule in prop::sample::select(
            vec![ExpiryRule::Enforce, ExpiryRule::Shorter, ExpiryRule::Django],
        ),
    ) {
        let token = Signer::new(&ring(), django::SESSION_SALT).sign(&format!("{payload}:{stamp}"));
        let codec = roomy().expiry_rule(rule).absolute_max_age(Duration::from_secs(99));
        let map = codec.decode_as_at::<BTreeMap<String, serde_json::Value>>(&token, noon());
        match codec.decode_at(&token, noon()) {
            Err(error) => {
                prop_assert!(error.is_authentic(), "{:?}", error);
                prop_assert!(map.is_err());
            }
            Ok(session) => {
                let again = codec.encode_at(&session, noon()).unwrap();
                let again = codec.decode_at(&again, noon()).unwrap();
                let started = usize::from(again.contains_key("_session_started"));
                prop_assert!(session.iter().eq(again.iter().take(session.iter().count())));
                prop_assert!(again.len() - session.len() <= started);
                for (key, json) in session.iter() {
                    // Each of its values can be asked for, as anything.
                    let _ = session.get::<String>(key);
                    let _ = session.get::<f64>(key);
                    let raw = session.get_json(key);
                    prop_assert_eq!(raw, Some(json));
                }
                let _ = (session.expiry(), session.expiry_date(Duration::MAX, noon()));
                if let Ok(map) = map {
                    prop_assert_eq!(map.len(), session.len());
                }
            }
        }
    }
}

/// Text that is JSON now and then, and nearly so the rest of the time.
fn json_like() -> impl Strategy<Value = String> {
    let fragments = vec![
        "{",
        "}",
        "[",
        "]",
        "[]",
        "{}",
        "\"",
        "\"a\"",
        "\"a\":",
        "\"\\u0061\":1",
        "\"b\":2",
        ":",
        ",",
        "\"\\ud800\"",
        "\"\\ud800\":0",
        "\"\\ud83d\\ude00\":0",
        "\\",
        "null",
        "true",
        "0",
        "-1",
        "1e999",
        "1.5",
        "NaN",
        "123456789012345678901234567890",
        "\"_session_expiry\":",
        "\"_session_started\":",
        "\"_session_expiry\":0",
        "\"_session_expiry\":1e300",
        "\"_session_expiry\":\"2030-01-01\"",
        "\"_session_started\":1700000000",
        " ",
        "\n",
        "\t",
        "\0",
        "é",
        "\u{7f}",
    ];
    let fragments = prop::sample::select(fragments);
    let loose = prop::collection::vec(fragments.clone(), 0..12).prop_map(|parts| parts.concat());
    let entries = prop::collection::vec(fragments, 0..5).prop_map(|parts| parts.join(","));
    prop_oneof![loose, entries.prop_map(|entries| format!("{{{entries}}}"))]
}

// Depth and number.

#[test]
fn json_five_thousand_deep_is_carried_on_a_small_stack() {
    let run = || {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for token in [
            plain_token(&format!("{{\"deep\":{deep}}}")),
            zlib_token(&zlib(format!("{{\"deep\":{deep}}}").as_bytes())),
        ] {
            let mut session = roomy().decode_at(&token, noon()).unwrap();
            let value = session.get::<serde_json::Value>("deep");
            assert!(matches!(value, Err(ValueError::WrongType { .. })), "{value:?}");
            let raw = session.get_json("deep");
            assert_eq!(raw, Some(&*deep));
            session.insert("more", 1).unwrap();
            let token = roomy().encode_at(&session, noon()).unwrap();
            let again = roomy().decode_at(&token, noon()).unwrap();
            assert!(again.iter().eq([("deep", &*deep), ("more", "1")]));

            let typed = roomy().decode_as_at::<BTreeMap<String, serde_json::Value>>(&token, noon());
            assert_eq!(typed.unwrap_err(), DecodeError::WrongType);
            let typed = roomy().decode_as_at::<BTreeMap<String, IgnoredAny>>(&token, noon());
            // Nor as what `serde_json` reads without recursion: it is one rule for all types.
            assert_eq!(typed.unwrap_err(), DecodeError::WrongType);
            let token = roomy().encode_json_at(&session.to_json(), noon()).unwrap();
            assert_eq!(roomy().decode_at(&token, noon()).unwrap().len(), 2);
        }
        // Without its end it is not JSON, however deep.
        for open in ["[", "{\"a\":"] {
            let token = plain_token(&format!("{{\"deep\":{}", open.repeat(5_000)));
            assert_eq!(roomy().decode_at(&token, noon()).unwrap_err(), DecodeError::Json);
        }
        let token = plain_token(&deep);
        assert_eq!(roomy().decode_at(&token, noon()).unwrap_err(), DecodeError::NotAnObject);
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_key_written_ten_thousand_times_is_one_entry() {
    let entries = (0..10_000).map(|n| format!("\"k\":{n}")).collect::<Vec<_>>().join(",");
    let token = plain_token(&format!("{{\"first\":0,{entries},\"\\u006b\":\"last\"}}"));
    let session = roomy().decode_at(&token, noon()).unwrap();
    assert!(session.iter().eq([("first", "0"), ("k", "\"last\"")]));
}

/// JSON of a size, and of one kind that could cost more than others of that size.
type Family = (&'static str, fn(usize) -> String);

/// Joins `n` entries to an object.
fn object(n: usize, entry: impl Fn(usize) -> String) -> String {
    format!("{{{}}}", (0..n).map(entry).collect::<Vec<_>>().join(","))
}

/// Spells a number with as few characters as a key can have that needs no escape.
fn short(number: usize) -> String {
    let letters: Vec<char> = (' '..='~').filter(|c| !"\"\\'".contains(*c)).collect();
    let mut key = String::new();
    let mut rest = number;
    while rest > 0 {
        rest -= 1;
        key.push(letters[rest % letters.len()]);
        rest /= letters.len();
    }
    key
}

/// Objects that are hard to read; some of the last are not JSON after all.
const FAMILIES: [Family; 15] = [
    ("different keys", |n| object(n, |k| format!("\"k{k}\":{k}"))),
    ("one key", |n| object(n, |_| "\"k\":1".to_owned())),
    ("empty keys", |n| object(n, |_| "\"\":0".to_owned())),
    ("short keys, one twice", |n| object(n, |k| format!("{:?}:0", short(k.min(n - 2))))),
    ("escaped keys", |n| object(n, |k| format!("\"\\u006b{k}\":{k}"))),
    ("escaped empty keys", |n| object(n, |_| "\"\\n\":0".to_owned())),
    ("two spellings", |n| object(n, |k| format!("\"\\u006b\":1,\"k{k}\":2"))),
    ("lone surrogates", |n| object(n, |k| format!("\"\\ud8{:02x}{k}\":1", k % 256))),
    ("one long key", |n| format!("{{\"{}\":1}}", "\\n".repeat(8 * n))),
    ("one long text", |n| format!("{{\"a\":\"{}\"}}", "\\ud83d\\ude00".repeat(2 * n))),
    ("a deep list", |n| format!("{{\"a\":{}{}}}", "[".repeat(8 * n), "]".repeat(8 * n))),
    ("deep objects", |n| format!("{{\"a\":{}0{}}}", "{\"\":".repeat(3 * n), "}".repeat(3 * n))),
    ("white space", |n| format!("{{{}\"a\":1}}", " \n\t\r".repeat(4 * n))),
    ("an own expiry", |n| format!("{{\"_session_expiry\":{}.5}}", "9".repeat(8 * n))),
    ("no end", |n| object(n, |k| format!("\"k{k}\":[{{}}")).replace('}', "")),
];

/// Fails if sixteen times as much takes longer than it may by a multiple.
///
/// Seventeen times as long is right, and half of that again for caches that are full; quadratic
/// would be 256 times. Both are timed in turn until one pair is right: what else the machine does
/// can only make a run slower, and never twenty short runs ten times slower than the long one.
pub(crate) fn takes_time_in_proportion(name: &str, one: impl Fn(), sixteen: impl Fn()) {
    let time = |run: &dyn Fn()| {
        let start = time_of_thread();
        run();
        time_of_thread() - start
    };
    let start = Instant::now();
    loop {
        let limit = (0..20).map(|_| time(&one)).min().unwrap() * 17 * 3 / 2;
        let took = time(&sixteen);
        if took <= limit {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{name}: {took:?}, never {limit:?}");
    }
}

/// How long this thread has run, without the time that it waited for others.
#[cfg(unix)]
pub(crate) fn time_of_thread() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

#[cfg(not(unix))]
pub(crate) fn time_of_thread() -> Duration {
    use std::sync::LazyLock;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[test]
fn reading_any_text_takes_time_in_proportion_to_its_length() {
    let zlib_of_nothing = |n| {
        let stored_nothing = b"\0\0\0\xff\xff".repeat(4 * n);
        zlib_token(&[b"\x78\x01", &*stored_nothing, b"\x01\0\0\xff\xff\0\0\0\x01"].concat())
    };
    let others: [Family; 4] = [
        ("empty blocks", zlib_of_nothing),
        ("separators", |n| ":".repeat(16 * n)),
        ("separators that are signed", |n| signed(&":".repeat(16 * n))),
        ("a forged signature", |n| format!("{}:{}", "x".repeat(16 * n), "A".repeat(43))),
    ];
    let families = FAMILIES.map(|(name, json)| (name, json, true));
    let others = others.map(|(name, token)| (name, token, false));
    for (name, text, is_json) in families.into_iter().chain(others) {
        let token = |n| if is_json { plain_token(&text(n)) } else { text(n) };
        let read = |token: &str| {
            let _ = roomy().decode_at(token, noon());
            let _ = roomy().decode_as_at::<BTreeMap<String, IgnoredAny>>(token, noon());
        };
        let (one, sixteen) = (token(1_000), token(16_000));
        takes_time_in_proportion(name, || read(&one), || read(&sixteen));
    }
}

#[test]
fn any_header_takes_time_in_proportion_to_its_length() {
    let manager = SessionManager::new(roomy(), CookieOptions::new("sessionid").unwrap());
    let families: [Family; 5] = [
        ("cookies of the name", |n| "sessionid=e30:1r31eq:forged;".repeat(n)),
        ("cookies of other names", |n| "sessionidd=e30:1r31eq:forged;".repeat(n)),
        ("spaces", |n| format!("sessionid{}=", " ".repeat(20 * n))),
        ("equals signs", |n| format!("sessionid{}", "=".repeat(20 * n))),
        ("ends of cookies", |n| ";".repeat(20 * n)),
    ];
    for (name, header) in families {
        let load = |header: &str| assert!(manager.load_at([header], noon()).is_empty());
        let (one, sixteen) = (header(1_000), header(16_000));
        takes_time_in_proportion(name, || load(&one), || load(&sixteen));
    }
}

// Heap and stack.

/// The most heap that reading a token takes within a codec's default limits: what a thread keeps
/// for zlib, the JSON, and the places of its entries.
const MAX_HEAP: u64 = 3_000_000;

/// Tells what a function allocates on a small stack, where the thread has kept nothing yet.
pub(crate) fn measured(function: impl FnOnce() + Send) -> AllocationInfo {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        thread.spawn_scoped(scope, || measure(function)).unwrap().join().unwrap()
    })
}

#[test]
fn a_forged_token_allocates_nothing() {
    let genuine = [
        plain_token("{\"a\":1}"),
        plain_token("no JSON"),
        signed("no base64!"),
        zlib_token(&zlib(b"{\"a\":\"a text, a text, a text\"}")),
        zlib_token(&zlib(&vec![b' '; 1 << 20])),
        Signer::new(&ring(), "purpose").sign("no stamp"),
    ];
    let mut forged: Vec<String> =
        ["", ":", "::", "é", "e30:1r31eq:"].iter().map(|text| (*text).to_owned()).collect();
    forged.extend([":", "x", "é", ".", "a:b:"].map(|text| text.repeat(1000)));
    forged.push("x".repeat(1 << 20));
    for token in &genuine {
        let end = if token.ends_with('A') { "Q" } else { "A" };
        forged.push(format!("{}{end}", &token[..token.len() - 1]));
        forged.push(format!("x{token}"));
        forged.push(format!("{token}x"));
    }
    let codecs = [
        SessionCodec::new(&ring()),
        roomy().expiry_rule(ExpiryRule::Django).absolute_max_age(Duration::from_secs(9)),
    ];
    let algorithms = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];
    let signers = algorithms.map(|algorithm| {
        let salt = "of-another-purpose";
        (
            Signer::new(&ring(), salt).algorithm(algorithm),
            TimestampSigner::new(&ring(), salt).algorithm(algorithm),
        )
    });
    for token in &forged {
        let used = measured(|| {
            for codec in &codecs {
                assert!(codec.decode_at(token, noon()).is_err());
                assert!(codec.decode_as_at::<BTreeMap<String, u32>>(token, noon()).is_err());
            }
            for (plain, timed) in &signers {
                assert!(plain.unsign(token).is_err());
                assert!(plain.unsign_object::<Vec<u32>>(token).is_err());
                assert!(timed.unsign_at(token, None, noon()).is_err());
                assert!(timed.unsign_object_at::<Vec<u32>>(token, None, noon()).is_err());
            }
        });
        assert_eq!(used.count_total, 0, "{token:.100}: {used:?}");
    }
    // What is genuine does: the counting counts.
    let used = measured(|| assert!(codecs[0].decode_at(&genuine[0], noon()).is_ok()));
    assert!(used.count_total > 0);
}

#[test]
fn refusing_many_or_long_cookies_takes_no_more_heap() {
    let manager =
        SessionManager::new(SessionCodec::new(&ring()), CookieOptions::new("sessionid").unwrap());
    for header in [
        "sessionid=e30:1r31eq:forged;".repeat(16).into_bytes(),
        "sessionid=e30:1r31eq:forged;".repeat(100_000).into_bytes(),
        format!("sessionid={}", "x".repeat(1 << 20)).into_bytes(),
        [b"sessionid=".to_vec(), vec![0xFF; 1 << 20]].concat(),
        [b"sessionid=".to_vec(), vec![b';'; 1 << 20]].concat(),
    ] {
        let used = measured(|| {
            assert!(manager.load_at([&header], noon()).refusal().is_none_or(|e| !e.is_authentic()));
        });
        assert!(used.bytes_max <= 1024, "{} bytes of header: {used:?}", header.len());
    }
}

#[test]
fn any_token_in_the_limits_is_handled_within_the_stated_heap() {
    let codec = SessionCodec::new(&ring());
    let long = SessionCodec::new(&ring()).max_token_len(1 << 20);
    let mut worst = 0;
    for (name, json) in FAMILIES {
        let fits = |n: &usize| json(*n).len() <= 65_536;
        let compressed = |n| zlib_token(&zlib(json(n).as_bytes()));
        // The largest JSON, and the largest of it that goes into a browser's cookie.
        let largest =
            (0..16).rev().fold(0, |n, bit| Some(n + (1 << bit)).filter(fits).unwrap_or(n));
        let in_cookie = std::iter::successors(Some(largest), |n| Some(n * 7 / 8))
            .map(compressed)
            .find(|token| token.len() <= 4096)
            .unwrap();
        for (codec, token) in [
            (&codec, in_cookie),
            (&long, compressed(largest)),
            (&long, plain_token(&json(largest))),
        ] {
            let session = measured(|| drop(codec.decode_at(&token, noon())));
            let typed = measured(|| {
                drop(codec.decode_as_at::<BTreeMap<String, IgnoredAny>>(&token, noon()));
            });
            let used = session.bytes_max.max(typed.bytes_max);
            worst = worst.max(used);
            // Said, and not judged: how long depends on the machine.
            let time = || {
                let start = time_of_thread();
                drop(codec.decode_at(&token, noon()));
                time_of_thread() - start
            };
            let took = (0..5).map(|_| time()).min().unwrap();
            println!("{name}, a token of {} bytes: {used} bytes of heap, {took:?}", token.len());
        }
    }
    assert!(worst <= MAX_HEAP && worst > MAX_HEAP / 2, "{worst}");
}

#[test]
fn what_a_thread_keeps_does_not_grow_with_the_sessions_it_reads() {
    let codec = SessionCodec::new(&ring());
    let token = |n: usize| plain_token(&object(60, |k| format!("\"{n}-{k}\":{k}")));
    let tokens: Vec<String> = (0..500).map(token).collect();
    let used = measured(|| tokens.iter().for_each(|token| drop(codec.decode_at(token, noon()))));
    println!("{used:?}");
    assert!(used.bytes_current <= 64 * 1024, "{used:?}");
}

#[test]
fn a_bomb_of_64_mib_takes_no_more_heap_than_a_full_session() {
    let codec = SessionCodec::new(&ring()).max_token_len(1 << 20);
    for (name, start, filling) in
        [("spaces", "{\"a\":1", b' '), ("zeros", "", 0), ("a text", "{\"a\":\"", b'x')]
    {
        let mut json = start.as_bytes().to_vec();
        json.resize(64 << 20, filling);
        let bomb = zlib_token(&deflated(&json, Compression::fast(), true));
        let used = measured(|| {
            let limit = DecodeError::TooLarge { limit: 65_536 };
            assert_eq!(codec.decode_at(&bomb, noon()).unwrap_err(), limit);
            let map = codec.decode_as_at::<BTreeMap<String, u32>>(&bomb, noon());
            assert_eq!(map.unwrap_err(), limit);
        });
        // The state of zlib, the zlib stream itself, and the JSON up to its limit.
        let limit = u64::try_from(bomb.len()).unwrap() + 300_000;
        println!("{name}: a token of {} bytes, {} bytes of heap", bomb.len(), used.bytes_max);
        assert!(used.bytes_max <= limit, "{name}: {used:?}");
        // What the thread keeps is no more than after any other token.
        assert!(used.bytes_current <= 200_000, "{name}: {used:?}");
    }
}

// Every byte.

#[test]
fn no_token_is_accepted_with_any_byte_replaced_by_any_other() {
    let tokens: usize = std::env::var("SIGNED_SESSION_TAMPERED_TOKENS")
        .map_or(12, |number| number.parse().expect("a number of tokens"));
    let codec = SessionCodec::new(&ring());
    let manager = SessionManager::new(codec.clone(), CookieOptions::new("s").unwrap());
    // Enough of them are compressed, and no two have the same length and stamp.
    let token_of = |index: usize| {
        let signed_at = noon() - Duration::from_secs(u64::try_from(index).unwrap());
        let text = "na".repeat(if index % 4 == 3 { 40 } else { index % 13 });
        codec.encode_at(&session_of(&text), signed_at).unwrap()
    };
    let tamper = |token: &str| {
        let header = format!("s={token}").into_bytes();
        assert_eq!(manager.load_at([&header], noon()).len(), 1);
        let mut refused = 0;
        for at in 0..token.len() {
            let mut header = header.clone();
            for byte in (0..=u8::MAX).filter(|byte| *byte != token.as_bytes()[at]) {
                header[2 + at] = byte;
                assert!(manager.load_at([&header], noon()).is_empty(), "{byte} at {at} of {token}");
                if let Ok(altered) = str::from_utf8(&header[2..]) {
                    assert!(codec.decode_at(altered, noon()).is_err(), "{byte} at {at} of {token}");
                }
                refused += 1;
            }
        }
        assert_eq!(refused, 255 * token.len());
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let tamper_all = move || {
                for index in (thread..tokens).step_by(threads) {
                    tamper(&token_of(index));
                }
            };
            let small = std::thread::Builder::new().stack_size(256 * 1024);
            small.spawn_scoped(scope, tamper_all).unwrap();
        }
    });
}

// The ends of the types.

/// Moments at both ends of the calendar, and past them once in UTC.
fn moments() -> Vec<OffsetDateTime> {
    let offset = |hours| UtcOffset::from_hms(hours, 0, 0).unwrap();
    let mut moments = vec![OffsetDateTime::UNIX_EPOCH, noon()];
    for end in [PrimitiveDateTime::MIN, PrimitiveDateTime::MAX] {
        moments.extend([-23, 0, 23].map(|hours| end.assume_offset(offset(hours))));
    }
    moments
}

const SPANS: [Duration; 4] =
    [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(i64::MAX as u64), Duration::MAX];

#[test]
fn no_moment_and_no_duration_makes_encoding_or_decoding_panic() {
    let expiries = || {
        let at = moments().into_iter().map(Expiry::At);
        at.chain(SPANS.map(Expiry::After)).chain([Expiry::Default, Expiry::AtBrowserClose])
    };
    let mut tokens = vec![plain_token("{}")];
    for stamp in ["0", "z", "AzL8n0Y58m7", "AzL8n0Y58m8", "LygHa16AHYF", "LygHa16AHYG", "4aYofh5"] {
        tokens.push(Signer::new(&ring(), django::SESSION_SALT).sign(&format!("e30:{stamp}")));
    }
    for (key, value) in [
        ("expiry", "9223372036854775807"),
        ("expiry", "-9223372036854775808"),
        ("expiry", "1e308"),
        ("expiry", "-1e308"),
        ("expiry", "\"9999-12-31T23:59:59.999999-23:59\""),
        ("expiry", "\"0001-01-01T00:00:00+23:59\""),
        ("started", "9223372036854775807"),
        ("started", "253402300799999999"),
        ("started", "0"),
    ] {
        tokens.push(plain_token(&format!("{{\"_session_{key}\":{value}}}")));
    }
    let (mut made, mut read) = (0, 0);
    for now in moments() {
        for (limit, not_before) in SPANS.into_iter().zip(moments()) {
            for rule in [ExpiryRule::Enforce, ExpiryRule::Shorter, ExpiryRule::Django] {
                let codec = roomy().expiry_rule(rule).max_age(limit).max_clock_skew(limit);
                let limited =
                    codec.clone().absolute_max_age(limit).refuse_signed_before(not_before);
                for codec in [codec, limited] {
                    for token in &tokens {
                        read += usize::from(codec.decode_at(token, now).is_ok());
                    }
                    for expiry in expiries() {
                        let mut session = Session::new();
                        session.set_expiry(expiry);
                        let Ok(token) = codec.encode_at(&session, now) else { continue };
                        made += 1;
                        for later in moments() {
                            read += usize::from(codec.decode_at(&token, later).is_ok());
                        }
                    }
                }
            }
        }
        let timed = TimestampSigner::new(&ring(), "purpose");
        let token = timed.sign_at("ada", now);
        for later in moments() {
            for limit in SPANS {
                read += usize::from(timed.unsign_at(&token, Some(limit), later).is_ok());
            }
        }
    }
    assert!(made > 1000 && read > 1000, "{made} made, {read} read");
}

#[test]
fn no_moment_and_no_duration_makes_a_getter_panic() {
    for stored in moments().into_iter().map(Expiry::At).chain(SPANS.map(Expiry::After)) {
        let mut session = Session::new();
        session.set_expiry(stored);
        assert_ne!(session.expiry(), Ok(Expiry::Default), "{stored:?}");
        assert_eq!(session.expires_at_browser_close(true), Ok(false), "{stored:?}");
        for modification in moments() {
            for cookie_age in SPANS {
                let (age, date) = (
                    session.expiry_age(cookie_age, modification).unwrap(),
                    session.expiry_date(cookie_age, modification).unwrap(),
                );
                for expiry in [stored, Expiry::Default, Expiry::AtBrowserClose] {
                    let _ = (
                        expiry.age(cookie_age, modification),
                        expiry.date(cookie_age, modification),
                    );
                }
                // The date stops at the calendar's ends, the age does not.
                let agree =
                    if age.is_negative() { date <= modification } else { date >= modification };
                assert!(agree, "{stored:?} from {modification}: {age}, {date}");
            }
        }
    }
}

#[test]
fn a_stamp_past_64_bits_is_refused_and_does_not_wrap_around() {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digits = |mut number: u128| {
        let mut digits = String::new();
        while number > 0 {
            digits.insert(0, char::from(DIGITS[usize::try_from(number % 62).unwrap()]));
            number /= 62;
        }
        digits
    };
    let timed = TimestampSigner::new(&ring(), "purpose");
    let plain = Signer::new(&ring(), "purpose");
    let verdict = |stamp: u128| {
        let token = plain.sign(&format!("ada:{}", digits(stamp)));
        timed.unsign(&token, None).map(|stamped| stamped.signed_at.unix_timestamp())
    };
    assert_eq!(verdict(1_700_000_000), Ok(1_700_000_000));
    assert_eq!(verdict(253_402_300_799), Ok(253_402_300_799));
    for past in [253_402_300_800, 1 << 63, (1 << 64) + 1_700_000_000, (1 << 65) + 1_700_000_000] {
        assert_eq!(verdict(past), Err(DecodeError::BadTimestamp), "{past}");
    }
    let zeros = plain.sign(&format!("ada:{}1r31eq", "0".repeat(1000)));
    assert_eq!(timed.unsign(&zeros, None).unwrap().signed_at, noon());
}

#[test]
fn a_token_dated_past_the_calendar_is_refused_when_encoding() {
    let codec = roomy().max_age(Duration::MAX).expiry_rule(ExpiryRule::Django);
    let timed = TimestampSigner::new(&ring(), "purpose");
    for now in moments() {
        if let Ok(token) = codec.encode_at(&Session::new(), now) {
            assert_eq!(codec.decode_at(&token, now).map(drop), Ok(()), "session at {now}");
        }
        if let Ok(token) = timed.sign_object_at("ada", Compress::Never, now) {
            let read = timed.unsign_object_at::<String>(&token, None, now);
            assert_eq!(read.as_deref(), Ok("ada"), "object at {now}");
        }
    }
}

#[test]
fn no_moment_and_no_duration_makes_a_cookie_panic() {
    let options = CookieOptions::new("sessionid").unwrap();
    let spans = [time::Duration::MIN, time::Duration::ZERO, time::Duration::MAX];
    for now in moments() {
        for max_age in spans {
            let cookie = options.cookie("e30", Some(max_age), now).unwrap();
            assert_eq!(cookie.max_age(), Some(max_age));
            let written = std::panic::catch_unwind(|| cookie.to_string());
            assert!(written.is_ok(), "{max_age} from {now}");
        }
    }
}
