//! A session read and written again carries every entry that was not touched as it came.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use signed_session::{
    Compress, DecodeError, EncodeError, Keyring, Session, SessionCodec, TimestampSigner,
    ValueError, django,
};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);

fn ring() -> Keyring {
    Keyring::new("test-secret-key-0123456789").unwrap()
}

fn codec() -> SessionCodec {
    SessionCodec::new(&ring()).max_token_len(1 << 20)
}

/// The session in a token that a holder of the key made of this very text.
fn arrived(json: &str) -> Session {
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
    codec().decode_at(&signer.sign_at(&URL_SAFE_NO_PAD.encode(json), NOW), NOW).unwrap()
}

/// The JSON that a session is written as.
fn written(session: &Session) -> String {
    let token = codec().encode_at(session, NOW).unwrap();
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
    signer.unsign_json(&token, None).unwrap()
}

const ODD_VALUES: &[&str] = &[
    "1234567890123456789012345678901234567890",
    "-1234567890123456789012345678901234567890",
    "18446744073709551616",
    "9007199254740993",
    "0.1000000000000000055511151231257827",
    "3.141592653589793238462643383279",
    "2.9802322387695312e-08",
    "1e999",
    "-1e-999",
    "1E5",
    "1e+16",
    "1e-05",
    "-0",
    "-0.0",
    "1.0",
    "1.50",
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\/""#,
    r#""\u00E9""#,
    r#""\u0041""#,
    r#""\u007f""#,
    "\"\x7f\"",
    r#"{"b":1,"a":2,"b":3}"#,
    r#"[1, 2 ,3]"#,
    "null",
];

#[test]
fn an_entry_that_was_not_touched_goes_back_byte_for_byte() {
    for value in ODD_VALUES {
        let json = format!(r#"{{"z":{value},"a":{{"deep":[{value}]}}}}"#);
        let mut session = arrived(&json);
        assert_eq!(written(&session), json);

        session.insert("z2", 1).unwrap();
        assert_eq!(written(&session), format!(r#"{},"z2":1}}"#, json.strip_suffix('}').unwrap()));
        session.insert("a", "é").unwrap();
        assert_eq!(written(&session), format!(r#"{{"z":{value},"a":"\u00e9","z2":1}}"#));
        assert!(session.remove("z"));
        assert_eq!(written(&session), r#"{"a":"\u00e9","z2":1}"#);
    }
}

#[test]
fn keys_go_back_as_they_came_and_are_found_by_what_they_say() {
    let json = r#"{"\u0061":1,"\ud83d\ude00":2,"":3,"\"\\":4,"\ud800":5,"z":6,"\u0000":7}"#;
    let mut session = arrived(json);
    assert_eq!(written(&session), json);
    for (key, value) in [("a", 1), ("😀", 2), ("", 3), ("\"\\", 4), ("z", 6), ("\0", 7)] {
        assert_eq!(session.get::<u32>(key), Ok(Some(value)), "{key:?}");
    }
    // The lone surrogate is carried and counted; no Rust string names it.
    assert_eq!(session.keys().collect::<Vec<_>>(), ["a", "😀", "", "\"\\", "z", "\0"]);
    assert_eq!(session.len(), 7);
    session.insert("a", 10).unwrap();
    assert_eq!(written(&session), json.replace(r#""\u0061":1"#, r#""\u0061":10"#));
}

#[test]
fn a_key_written_twice_keeps_its_first_place_and_its_last_value() {
    let session = arrived(r#"{"a":1,"b":2,"\u0061":3,"c":4,"b":5}"#);
    assert_eq!(written(&session), r#"{"a":3,"b":5,"c":4}"#);
    assert_eq!(session.len(), 3);
}

#[test]
fn nesting_deeper_than_any_reader_s_limit_is_carried() {
    for depth in [129, 5_000, 15_000] {
        let deep = "[".repeat(depth) + &"]".repeat(depth);
        let json = format!(r#"{{"deep":{deep},"a":1}}"#);
        let mut session = arrived(&json);
        assert_eq!(session.get::<u32>("a"), Ok(Some(1)));
        assert_eq!(
            session.get::<serde_json::Value>("deep"),
            Err(ValueError::WrongType { key: "deep".to_owned() })
        );
        session.insert("a", 1).unwrap();
        assert_eq!(written(&session), json);
    }
}

#[test]
fn the_white_space_between_entries_is_all_that_goes() {
    let session = arrived(" {\t\"a\" :\r\n [ 1 ] , \"b\": 2 } ");
    assert_eq!(written(&session), r#"{"a":[ 1 ],"b":2}"#);
}

#[test]
fn characters_beyond_ascii_are_refused_anywhere() {
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
    let verdict = |text: &str| {
        let payload = URL_SAFE_NO_PAD.encode(format!("{{\"a\":\"{text}\"}}"));
        codec().decode_at(&signer.sign_at(&payload, NOW), NOW).map(drop)
    };
    let plain = "x".repeat(40);
    assert_eq!(verdict(&plain), Ok(()));
    // Two that are alike must not hide each other.
    for first in 0..40 {
        for second in first + 1..40 {
            let mut text = plain.clone();
            text.replace_range(second..=second, "é");
            text.replace_range(first..=first, "é");
            assert_eq!(verdict(&text), Err(DecodeError::Json), "{text}");
        }
    }
}

#[test]
fn a_number_that_is_not_finite_is_found_in_any_value() {
    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(f64),
        Tuple(f64, f64),
        Struct {
            #[serde(skip_serializing_if = "Option::is_none")]
            absent: Option<u8>,
            value: f64,
        },
    }
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Newtype(f64);
    #[derive(Serialize)]
    struct Tuple(f64, f64);
    #[derive(Serialize)]
    struct Struct {
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        value: f64,
    }

    struct Keys(f64);
    impl Serialize for Keys {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(self.0, "value")])
        }
    }

    type Insert = fn(&mut Session, f64) -> Result<(), ValueError>;
    // Each has a null of its own, which is how such a number would be written.
    let shapes: [Insert; 9] = [
        |session, x| session.insert("a", (None::<u8>, Shape::Newtype(x))),
        |session, x| session.insert("a", (None::<u8>, Shape::Tuple(0.0, x))),
        |session, x| session.insert("a", (None::<u8>, Shape::Struct { absent: None, value: x })),
        |session, x| session.insert("a", (None::<u8>, Newtype(x))),
        |session, x| session.insert("a", (None::<u8>, Tuple(0.0, x))),
        |session, x| session.insert("a", (None::<u8>, Struct { absent: None, value: x })),
        |session, x| session.insert("a", (None::<u8>, BTreeMap::from([("x", [Some(x)])]))),
        |session, x| session.insert("a", (None::<u8>, Keys(x))),
        |session, x| {
            let address = std::net::Ipv4Addr::LOCALHOST;
            let text = format_args!("{address}");
            session.insert("a", ((), Shape::Unit, Unit, address, text, 'c', true, x))
        },
    ];
    for shape in shapes {
        let mut session = Session::new();
        assert_eq!(shape(&mut session, f64::NAN), Err(ValueError::NotFinite));
        assert_eq!(written(&session), "{}");
        assert_eq!(shape(&mut session, 1.5), Ok(()));
        assert!(written(&session).contains("null") && written(&session).contains("1.5"));
    }
}

#[test]
fn what_json_cannot_say_is_refused_and_changes_nothing() {
    #[derive(Serialize)]
    struct Deep {
        inner: Vec<Option<BTreeMap<&'static str, f32>>>,
    }

    let mut session = Session::new();
    session.insert("a", 1).unwrap();
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(session.insert("a", number), Err(ValueError::NotFinite));
        assert_eq!(session.insert("b", (1, [Some(number)])), Err(ValueError::NotFinite));
        assert_eq!(session.extend([("c", 1.0), ("d", number)]), Err(ValueError::NotFinite));
        let refused = codec().encode_as(&BTreeMap::from([("a", number)]));
        assert_eq!(refused, Err(EncodeError::Value(ValueError::NotFinite)));
    }
    let deep = Deep { inner: vec![None, Some(BTreeMap::from([("x", f32::NAN)]))] };
    assert_eq!(session.insert("b", deep), Err(ValueError::NotFinite));
    let map_with_lists_for_keys = BTreeMap::from([(vec![1], 1)]);
    assert_eq!(session.insert("b", map_with_lists_for_keys), Err(ValueError::Unserializable));
    assert_eq!(written(&session), r#"{"a":1}"#);
}

#[test]
fn a_null_that_was_meant_is_none_that_stands_for_a_number() {
    #[derive(Serialize)]
    enum Weather {
        Wind(Option<f64>),
        ByPlace(BTreeMap<Vec<u8>, f64>),
    }
    for (weather, expected) in [
        (Weather::Wind(Some(1.5)), Ok(r#"{"a":{"Wind":1.5}}"#)),
        (Weather::Wind(None), Ok(r#"{"a":{"Wind":null}}"#)),
        (Weather::Wind(Some(f64::NAN)), Err(ValueError::NotFinite)),
        (Weather::ByPlace(BTreeMap::from([(vec![1], 1.5)])), Err(ValueError::Unserializable)),
    ] {
        let mut session = Session::new();
        let inserted = session.insert("a", weather);
        assert_eq!(inserted.map(|()| written(&session)), expected.map(str::to_owned));
    }
}

#[test]
fn rust_types_are_written_as_python_writes_theirs() {
    #[derive(Serialize)]
    enum Kind {
        Unit,
        New(u8),
        Tuple(u8, u8),
        Struct { a: f32 },
    }
    #[derive(Serialize)]
    struct Newtype(Option<f64>);
    #[derive(Serialize)]
    struct Unit;

    let mut session = Session::new();
    session
        .insert("kinds", [Kind::Unit, Kind::New(1), Kind::Tuple(2, 3), Kind::Struct { a: 0.1 }])
        .unwrap();
    session.insert("newtype", Newtype(Some(1e16))).unwrap();
    session.insert("unit", ((), Unit, None::<u8>, true, 'é')).unwrap();
    session.insert("wide", (i128::MIN, u128::MAX, u64::MAX, i8::MIN)).unwrap();
    session.insert("keys", BTreeMap::from([(true, 1e-5), (false, 5e-324)])).unwrap();
    session.insert("numbers", BTreeMap::from([(-1, 0.1_f32), (10, f32::MAX)])).unwrap();
    session.insert_json("raw", " [ 1e5,\"é\" ]\n").unwrap();
    session.insert("display", format_args!("{}", "\u{7f}")).unwrap();
    session.insert("address", std::net::Ipv4Addr::LOCALHOST).unwrap();
    assert_eq!(
        written(&session),
        concat!(
            r#"{"kinds":["Unit",{"New":1},{"Tuple":[2,3]},{"Struct":{"a":0.1}}],"#,
            r#""newtype":1e+16,"#,
            r#""unit":[null,null,null,true,"\u00e9"],"#,
            r#""wide":[-170141183460469231731687303715884105728,"#,
            r#"340282366920938463463374607431768211455,18446744073709551615,-128],"#,
            r#""keys":{"false":5e-324,"true":1e-05},"#,
            r#""numbers":{"-1":0.1,"10":3.4028235e+38},"#,
            r#""raw":[ 1e5,"\u00e9" ],"#,
            r#""display":"\u007f","#,
            r#""address":"127.0.0.1"}"#,
        )
    );
}

#[test]
fn a_typed_session_that_does_not_fit_says_so() {
    let token = codec().encode_as_at(&BTreeMap::from([("a", "text")]), NOW).unwrap();
    let read = |token: &str| codec().decode_as_at::<BTreeMap<String, u32>>(token, NOW);
    assert_eq!(read(&token), Err(DecodeError::WrongType));
    for not_an_object in ["[]", "1", "null", r#""{}""#, " [1]"] {
        let refused = codec().encode_json(not_an_object);
        assert_eq!(refused, Err(EncodeError::NotAnObject), "{not_an_object}");
        let value: serde_json::Value = serde_json::from_str(not_an_object).unwrap();
        assert_eq!(codec().encode_as(&value), Err(EncodeError::NotAnObject), "{not_an_object}");
        let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
        let token = signer.sign_json_at(not_an_object, Compress::Never, NOW).unwrap();
        assert_eq!(read(&token), Err(DecodeError::NotAnObject), "{not_an_object}");
        let session = codec().decode_at(&token, NOW).map(drop);
        assert_eq!(session, Err(DecodeError::NotAnObject), "{not_an_object}");
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Typed {
    integer: i64,
    unsigned: u64,
    float: f64,
    single: f32,
    text: String,
    bytes: Vec<u8>,
    maybe: Option<bool>,
    map: BTreeMap<String, f64>,
}

fn finite() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |float| float.is_finite())
}

fn typed() -> impl Strategy<Value = Typed> {
    let numbers = (any::<i64>(), any::<u64>(), finite(), any::<f32>());
    let rest = (
        any::<String>(),
        any::<Vec<u8>>(),
        any::<Option<bool>>(),
        prop::collection::btree_map(any::<String>(), finite(), 0..4),
    );
    (numbers, rest).prop_map(|((integer, unsigned, float, single), (text, bytes, maybe, map))| {
        Typed { integer, unsigned, float, single, text, bytes, maybe, map }
    })
}

proptest! {
    #[test]
    fn any_session_comes_out_as_it_went_in(
        entries in prop::collection::vec((any::<String>(), any_json()), 0..8),
        compress in prop_oneof![Just(Compress::IfShorter), Just(Compress::Never), Just(Compress::Above(50))],
    ) {
        // The reserved names say something; these tests do not.
        prop_assume!(entries.iter().all(|(key, _)| !key.starts_with('_')));
        let codec = codec().compress(compress);
        let mut session = Session::new();
        for (key, value) in &entries {
            session.insert(key, value).unwrap();
        }
        let token = codec.encode_at(&session, NOW).unwrap();
        prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte)));
        let back = codec.decode_at(&token, NOW).unwrap();
        let last: BTreeMap<_, _> = entries.iter().cloned().collect();
        prop_assert_eq!(back.len(), last.len());
        for (key, value) in &last {
            let found = back.get::<serde_json::Value>(key).unwrap();
            prop_assert_eq!(found.as_ref(), Some(value));
        }
        prop_assert!(back.iter().eq(session.iter()));
        prop_assert_eq!(codec.encode_at(&back, NOW).unwrap(), token);
    }

    #[test]
    fn any_struct_comes_out_as_it_went_in(value in typed()) {
        let token = codec().encode_as_at(&value, NOW).unwrap();
        prop_assert_eq!(codec().decode_as_at::<Typed>(&token, NOW).unwrap(), value);
    }

    #[test]
    fn any_float_comes_out_as_it_went_in(float in finite()) {
        let mut session = Session::new();
        session.insert("float", float).unwrap();
        let read = arrived(&written(&session)).get::<f64>("float").unwrap();
        prop_assert_eq!(read.map(f64::to_bits), Some(float.to_bits()));
    }
}

#[test]
fn a_text_is_json_exactly_if_serde_json_says_so() {
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
    // Where eight bytes are looked at together, every place is another.
    for len in 0..20 {
        for at in 0..len {
            for byte in 0..0x80_u8 {
                let mut text = "x".repeat(len);
                text.replace_range(at..=at, char::from(byte).to_string().as_str());
                for json in [format!("{{\"{text}\":1}}"), format!("{{\"a\":\"{text}\",\"b\":2}}")] {
                    let payload = URL_SAFE_NO_PAD.encode(&json);
                    let decoded = codec().decode_at(&signer.sign_at(&payload, NOW), NOW);
                    let judged = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(&json);
                    match (decoded, judged) {
                        (Ok(session), Ok(judged)) => {
                            assert_eq!(session.len(), judged.len());
                            for (key, value) in judged {
                                assert_eq!(session.get(&key), Ok(Some(value)), "{json:?}");
                            }
                        }
                        (Err(DecodeError::Json), Err(_)) => {}
                        (decoded, judged) => panic!("{json:?}: {decoded:?}, {judged:?}"),
                    }
                }
            }
        }
    }
}
