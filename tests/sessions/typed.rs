//! A session read and written as one struct: the same as by serde, and errors that name the entry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use signed_session::{Keyring, Session, SessionCodec, ValueError};
use time::OffsetDateTime;

fn session(entries: &Value) -> Session {
    let mut session = Session::new();
    session.extend(entries.as_object().unwrap().iter().collect::<Vec<_>>()).unwrap();
    session
}

fn codec() -> SessionCodec {
    SessionCodec::new(&Keyring::new("of-the-typed-tests-correct-horse-battery-staple").unwrap())
}

fn wrong_type(key: &str) -> ValueError {
    ValueError::WrongType { key: key.to_owned() }
}

/// A struct with a field of each shape that serde asks a format for in a way of its own.
#[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
#[serde(default)]
struct Shapes {
    flag: bool,
    small: i8,
    large: u128,
    single: f32,
    double: f64,
    letter: char,
    text: String,
    maybe: Option<Box<Shapes>>,
    unit: (),
    marker: Marker,
    wrapped: Wrapped,
    pair: (u8, String),
    list: Vec<u16>,
    map: BTreeMap<u32, Option<bool>>,
    choice: Choice,
    any: Value,
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
struct Marker;

#[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
struct Wrapped(u64);

#[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
enum Choice {
    #[default]
    None,
    One(u8),
    Many {
        all: Vec<u8>,
    },
}

#[derive(Deserialize, Debug, PartialEq)]
struct Required {
    flag: bool,
    text: String,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[serde(default)]
    flag: bool,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Flat {
    flag: bool,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Outer(Required);

#[derive(Deserialize, Debug, PartialEq)]
#[serde(tag = "text")]
enum Tagged {
    #[serde(rename = "a")]
    A { flag: bool },
}

/// Compares what a session reads with what serde reads from the same object.
fn assert_as_serde<T: DeserializeOwned + Debug + PartialEq>(entries: &Value) {
    let read = session(entries).read::<T>();
    let serde: Result<T, _> = serde_json::from_value(entries.clone());
    assert_eq!(read.is_ok(), serde.is_ok(), "{entries}: {read:?}, {serde:?}");
    if let (Ok(read), Ok(serde)) = (read, serde) {
        assert_eq!(read, serde, "{entries}");
    }
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u8..40).prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        "[a-c\u{e9}\"]{0,2}".prop_map(Value::from),
        prop::collection::vec(any::<u8>().prop_map(Value::from), 0..3).prop_map(Value::from),
        Just(json!([7, "x"])),
        Just(json!({"1": true, "2": null})),
        Just(json!({"One": 1})),
        Just(json!({"Many": {"all": [1]}})),
        Just(json!("None")),
        Just(json!({"flag": true, "maybe": {"small": 1}})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_reads_as_serde_reads_the_object(
        entries in prop::collection::btree_map(
            prop::sample::select(vec![
                "flag", "small", "large", "single", "double", "letter", "text", "maybe", "unit",
                "marker", "wrapped", "pair", "list", "map", "choice", "any", "other",
            ]),
            values(),
            0..5,
        ),
    ) {
        let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
        let entries = Value::Object(entries.collect::<Map<_, _>>());
        assert_as_serde::<Shapes>(&entries);
        assert_as_serde::<Option<Shapes>>(&entries);
        assert_as_serde::<Required>(&entries);
        assert_as_serde::<Outer>(&entries);
        assert_as_serde::<Strict>(&entries);
        assert_as_serde::<Flat>(&entries);
        assert_as_serde::<Tagged>(&entries);
        assert_as_serde::<BTreeMap<String, Value>>(&entries);
        assert_as_serde::<BTreeMap<String, u8>>(&entries);
        assert_as_serde::<Vec<u8>>(&entries);
        assert_as_serde::<u8>(&entries);
        assert_as_serde::<String>(&entries);
    }
}

#[test]
fn an_integer_of_128_bits_is_not_the_beginning_of_a_float() {
    for number in ["0.0", "1.5", "1e3", "-0.0"] {
        let entries: Value = serde_json::from_str(&format!(r#"{{"large":{number}}}"#)).unwrap();
        assert!(session(&entries).read::<Shapes>().is_err(), "{number}");
        assert_as_serde::<Shapes>(&entries);
        assert_as_serde::<BTreeMap<String, Option<i128>>>(&entries);
    }
}

#[test]
fn each_shape_that_serde_knows_comes_back_as_it_was() {
    let shapes = Shapes {
        flag: true,
        small: -7,
        large: u128::MAX,
        single: 0.1,
        double: 0.1,
        letter: 'é',
        text: "Zoë \"quoted\" \u{1f600}".to_owned(),
        maybe: Some(Box::new(Shapes { list: vec![1, 2], ..Shapes::default() })),
        unit: (),
        marker: Marker,
        wrapped: Wrapped(u64::MAX),
        pair: (1, "one".to_owned()),
        list: vec![0, 65_535],
        map: BTreeMap::from([(7, Some(true)), (8, None)]),
        choice: Choice::Many { all: vec![1, 2, 3] },
        any: json!({"nested": [1, {"deeper": null}]}),
    };
    let mut session = Session::new();
    session.replace(&shapes).unwrap();
    assert_eq!(session.read::<Shapes>(), Ok(shapes));
    // Through a cookie, too.
    let codec = codec();
    let arrived = codec.decode(&codec.encode(&session).unwrap()).unwrap();
    assert_eq!(arrived.read::<Shapes>(), session.read::<Shapes>());
}

#[test]
fn an_error_names_the_entry_that_does_not_fit() {
    let all = json!({"flag": true, "text": "a", "list": [1, "two"], "map": {"x": true}});
    assert_eq!(session(&all).read::<Shapes>(), Err(wrong_type("list")));
    assert_eq!(session(&json!({"map": {"x": true}})).read::<Shapes>(), Err(wrong_type("map")));
    let inner = json!({"maybe": {"maybe": {"flag": 0}}});
    assert_eq!(session(&inner).read::<Shapes>(), Err(wrong_type("maybe")));
    // A field without an entry, and an entry without a field where that is not allowed.
    assert_eq!(session(&json!({"flag": true})).read::<Required>(), Err(wrong_type("text")));
    assert_eq!(session(&json!({"more": true})).read::<Strict>(), Err(wrong_type("more")));
    // A key that may be a visitor's is told by its place.
    let typed = json!({"flag": true, "what they typed": true});
    assert_eq!(session(&typed).read::<Strict>(), Err(wrong_type("entry 2")));
    assert_eq!(session(&json!({})).read::<u8>(), Err(wrong_type("an entry")));

    let mut session = session(&all);
    let changed = session.update("text", |_: &mut u8| ());
    assert_eq!(changed, Err(wrong_type("text")));
    assert_eq!(session.pop::<u8>("text"), Err(wrong_type("text")));
}

#[test]
fn an_entry_nested_too_deep_is_skipped_if_no_field_needs_it() {
    let mut session = session(&json!({"flag": true, "text": "a"}));
    session.insert_json("deep", &format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap();
    assert_eq!(session.read(), Ok(Required { flag: true, text: "a".to_owned() }));
    assert_eq!(session.read::<BTreeMap<String, Value>>(), Err(wrong_type("deep")));
}

#[test]
fn reserved_entries_are_hidden_from_a_struct_and_stay() {
    let mut session = session(&json!({"a": 1, "_auth_user_id": "42", "b": [1, 2], "__": {}}));
    session.insert("_", true).unwrap();
    let read: BTreeMap<String, Value> = session.read().unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["a", "b"]);
    session.replace(&json!({"c": 3, "b": 2})).unwrap();
    assert_eq!(session.to_json(), r#"{"__":{},"_auth_user_id":"42","b":2,"_":true,"c":3}"#);
    session.replace(&json!({})).unwrap();
    assert_eq!(session.to_json(), r#"{"__":{},"_auth_user_id":"42","_":true}"#);

    let before = session.to_json();
    for (value, error) in [
        (json!({"a": 1, "_b": 1}), ValueError::Reserved { key: "_b".to_owned() }),
        (
            json!({"_session_expiry": 300}),
            ValueError::Reserved { key: "_session_expiry".to_owned() },
        ),
        (
            json!({"a": 1, "_what they typed": 1}),
            ValueError::Reserved { key: "entry 1".to_owned() },
        ),
        (json!(null), ValueError::NotAnObject),
        (json!([["a", 1]]), ValueError::NotAnObject),
        (json!("{}"), ValueError::NotAnObject),
    ] {
        assert_eq!(session.replace(&value), Err(error), "{value}");
    }
    let not_finite = session.replace(&BTreeMap::from([("a", f64::NAN)]));
    assert_eq!(not_finite, Err(ValueError::NotFinite));
    assert_eq!(session.to_json(), before);
}

#[test]
fn an_entry_that_a_struct_leaves_alone_goes_back_as_it_came() {
    let now = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let codec = codec();
    let json = r#"{"list": [1,  2],"double": 1.50,"_x": 12345678901234567890123}"#;
    let arrived = || codec.decode_at(&codec.encode_json_at(json, now).unwrap(), now).unwrap();

    // An update that changes nothing writes nothing, however the entry is spelled.
    let mut session = arrived();
    session.update("list", |list: &mut Vec<u8>| list.sort_unstable()).unwrap();
    session.update("double", |double: &mut f64| *double *= 1.0).unwrap();
    assert!(!session.is_modified());
    assert_eq!(session.get_json("double"), Some("1.50"));
    session.update("list", |list: &mut Vec<u8>| list.push(3)).unwrap();
    assert_eq!(session.get_json("list"), Some("[1,2,3]"));

    let mut session = arrived();
    session.replace(&json!({"list": [1, 2]})).unwrap();
    assert_eq!(session.to_json(), r#"{"list":[1,2],"_x":12345678901234567890123}"#);
}

#[test]
fn what_was_discarded_is_gone_from_the_next_token_that_is_written() {
    let codec = codec();
    let mut session = session(&json!({"cart": 3, "user_id": 42}));
    assert_eq!(session.get_or_discard::<Vec<String>>("cart"), None);
    assert_eq!(session.get_or_discard::<u64>("user_id"), Some(42));
    assert_eq!(session.get_or_discard::<u64>("nothing"), None);
    let arrived = codec.decode(&codec.encode(&session).unwrap()).unwrap();
    assert_eq!(arrived.to_json(), r#"{"user_id":42}"#);
}

#[test]
fn a_handle_offers_everything_that_a_session_does() {
    fn methods<'a>(source: &'a str, of: &str) -> BTreeSet<&'a str> {
        let (_, body) = source.split_once(of).unwrap();
        let (body, _) = body.split_once("\n}\n").unwrap();
        let lines = body.lines().filter_map(|line| line.strip_prefix("    pub fn "));
        lines.map(|line| line.split(['(', '<']).next().unwrap()).collect()
    }
    let session = methods(include_str!("../../src/session.rs"), "\nimpl Session {\n");
    let handle = methods(include_str!("../../src/handle.rs"), "\nimpl<M> SessionHandle<M> {\n");
    assert!(session.len() > 30, "{session:?}");
    // A handle is never made by a program.
    let missing: Vec<_> = session.difference(&handle).collect();
    assert_eq!(missing, [&"new"]);
}
