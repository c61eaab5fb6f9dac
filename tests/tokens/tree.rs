//! JSON as a tree that keeps the order of keys, for tests that write values and not their text.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A JSON value; a number that no Rust type holds, and a string that is not Unicode, stay text.
pub enum Tree {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
    Text(Box<RawValue>),
}

impl Tree {
    pub fn parse(json: &str) -> Self {
        let text = || Self::Text(serde_json::from_str(json).expect("the vector's JSON is JSON"));
        match json.as_bytes()[0] {
            b'n' => Self::Null,
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'"' => serde_json::from_str(json).map_or_else(|_| text(), Self::String),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(json).unwrap();
                Self::Array(items.into_iter().map(|item| Self::parse(item.get())).collect())
            }
            b'{' => serde_json::from_str(json).map_or_else(
                |_| text(),
                |Entries(entries)| {
                    let entry = |(key, value): (String, &RawValue)| (key, Self::parse(value.get()));
                    Self::Object(entries.into_iter().map(entry).collect())
                },
            ),
            // Not serde_json's floats, which may be off by one in the last place.
            _ if json.contains(['.', 'e', 'E']) => match json.parse::<f64>() {
                Ok(float) if float.is_finite() => Self::Float(float),
                _ => text(),
            },
            _ => json.parse().map_or_else(|_| text(), Self::Integer),
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(value) => value.serialize(serializer),
            Self::Integer(value) => value.serialize(serializer),
            Self::Float(value) => value.serialize(serializer),
            Self::String(value) => value.serialize(serializer),
            Self::Array(items) => items.serialize(serializer),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Text(text) => text.serialize(serializer),
        }
    }
}

/// The entries of an object in order.
pub struct Entries<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                std::iter::from_fn(|| map.next_entry().transpose()).collect()
            }
        }

        deserializer.deserialize_map(InOrder).map(Entries)
    }
}
