//! What is written is JSON as Python writes it, and says what was meant.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signed_session::{Compress, EncodeError, Session, Signer, ValueError};
use support::json::entries;

use super::input::Input;
use super::tree::Tree;
use super::{NOW, RING, SECRET, STAMP, WIDE_CODEC, django, is_discreet_error};

/// What `derive` makes of a Rust type.
#[derive(Serialize)]
struct Derived<'t> {
    some: Option<&'t Tree>,
    none: Option<u8>,
    unit: Variant<'t>,
    newtype: Variant<'t>,
    tuple: Variant<'t>,
    fields: Variant<'t>,
}

#[derive(Serialize)]
enum Variant<'t> {
    Unit,
    Newtype(&'t Tree),
    Tuple(bool, &'t Tree),
    Fields { tree: &'t Tree },
}

pub fn law(data: &[u8]) {
    is_taken_apart_rightly(&String::from_utf8_lossy(data));
    let mut input = Input::new(data);
    let signer = Signer::new(&RING, "json");
    let written = |token: &str| {
        let json = django::read_base64(signer.unsign(token).unwrap()).unwrap();
        String::from_utf8(json).unwrap()
    };

    let float = f32::from_bits(input.number() as u32);
    let number = signer.sign_object(&float, Compress::Never);
    if float.is_finite() {
        let number = written(&number.unwrap());
        assert_eq!(number.parse::<f32>().unwrap().to_bits(), float.to_bits(), "{number}");
    } else {
        assert_eq!(number, Err(EncodeError::Value(ValueError::NotFinite)));
    }

    let tree = Tree::take(&mut input, 0);
    let token = signer.sign_object(&tree, Compress::Never).unwrap();
    let json = written(&token);
    assert_eq!(json, django::dumps(&tree));
    assert!(json.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value, tree.as_read());
    assert_eq!(value.to_string(), tree.as_read().to_string(), "-0.0 equals 0.0");

    let refused = WIDE_CODEC.encode_as_at(&tree, NOW).err();
    assert_eq!(refused.is_none(), matches!(tree, Tree::Object(_)));
    if let Some(refused) = refused {
        assert_eq!(refused, EncodeError::NotAnObject);
        is_discreet_error(&refused, &json);
    }
    let derived = Derived {
        some: Some(&tree),
        none: None,
        unit: Variant::Unit,
        newtype: Variant::Newtype(&tree),
        tuple: Variant::Tuple(true, &tree),
        fields: Variant::Fields { tree: &tree },
    };
    let [head, tail] = [
        format!(r#"{{"some":{json},"none":null,"unit":"Unit","newtype":{{"Newtype":{json}}}"#),
        format!(r#","tuple":{{"Tuple":[true,{json}]}},"fields":{{"Fields":{{"tree":{json}}}}}}}"#),
    ];
    assert_eq!(written(&signer.sign_object(&derived, Compress::Never).unwrap()), head + &tail);
    // One that cannot be said spoils all.
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = signer.sign_object(&(&tree, [Some(number)]), Compress::Never).unwrap_err();
        assert_eq!(refused, EncodeError::Value(ValueError::NotFinite));
        is_discreet_error(&refused, &json);
    }
    let small = signer.clone().max_payload_len(json.len() - 1);
    let (limit, len) = (json.len() - 1, json.len());
    assert_eq!(
        small.sign_object(&tree, Compress::Never),
        Err(EncodeError::TooLarge { len, limit, entries: Vec::new() })
    );

    // A value of serde_json is written as any other, and read back as itself.
    let token = signer.sign_object(&value, Compress::IfShorter).unwrap();
    assert_eq!(signer.unsign_object::<Value>(&token).unwrap(), value);
}

/// An object is taken apart where `serde_json` says that its keys and values end, and only JSON is.
fn is_taken_apart_rightly(text: &str) {
    // As it is, and in the place of a value and of a key with more around them.
    let quoted = Value::from(text).to_string();
    for json in [
        text.to_owned(),
        format!("{{{text}}}"),
        format!("{{\"a\":{text}}}"),
        format!(" {{ \"{text}\" : {text} , {quoted}:[{text}]\n}}\t"),
    ] {
        let token = django::sign(
            &django::base64(json.as_bytes()),
            signed_session::django::SESSION_SALT,
            SECRET,
            STAMP,
        );
        let codec = WIDE_CODEC.clone().max_token_len(1 << 30).max_payload_len(1 << 30);
        let decoded = codec.decode_at(&token, NOW);
        let is_json = serde_json::from_str::<IgnoredAny>(&json).is_ok() && json.is_ascii();
        let is_object = json.trim_start().starts_with('{');
        let Ok(session) = decoded else {
            assert!(!is_json || !is_object, "{json}");
            continue;
        };
        assert!(is_json && is_object, "{json}");
        // The first place and the last value of each key, as Python has it.
        let mut expected: Vec<(String, &str)> = Vec::new();
        let mut other = Vec::new();
        for (key, value) in entries(&json) {
            match serde_json::from_str::<String>(key) {
                Ok(key) => match expected.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, known)) => *known = value,
                    None => expected.push((key, value)),
                },
                // Lone surrogates: they are carried, and not listed.
                Err(_) => other.push(key),
            }
        }
        assert!(session.iter().eq(expected.iter().map(|(key, value)| (key.as_str(), *value))));
        assert!(session.len() - expected.len() <= other.len());
        for (key, value) in expected {
            assert_eq!(session.get_json(&key), Some(value));
            is_read_as_by_serde_json(&session, &key, value);
        }
    }
}

#[derive(Deserialize, PartialEq)]
struct Wrapped(String);

#[derive(Deserialize, PartialEq)]
struct Wide {
    a: Option<String>,
}

#[derive(Deserialize, PartialEq)]
enum Choice {
    A,
    B(String),
}

#[derive(Deserialize, PartialEq)]
#[serde(untagged)]
enum Either {
    Number(u64),
    Text(String),
}

/// An entry is read into any type as `serde_json` reads its text, unless it is nested deeply.
fn is_read_as_by_serde_json(session: &Session, key: &str, text: &str) {
    macro_rules! compare {
        ($($type:ty),*) => {$(
            let expected = serde_json::from_str::<$type>(text).ok();
            let read = session.get::<$type>(key).map(|value| value.expect("it is there")).ok();
            assert!(read == expected, "{} of {text}", stringify!($type));
        )*};
    }
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() <= 64 {
        compare!(
            String, &str, Cow<'_, str>, Box<str>, char, bool, u8, i64, u128, i128, f32, (),
            Option<String>, Option<u32>, Vec<u8>, Vec<String>, &[u8], Box<[u8]>, [String; 1],
            (String, u8), BTreeMap<String, Value>, Wrapped, Wide, Choice, Either, Value,
            IpAddr, PathBuf, Duration
        );
    }
}
