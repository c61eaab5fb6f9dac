//! JSON as a tree that keeps the order of keys, for tests that write values and not their text.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use signed_session::Session;
use support::json::{self, Embedded};

/// A JSON value; a number that no Rust type holds, and a string that is not Unicode, stay text.
pub enum Tree {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
    Text(Embedded),
}

impl Tree {
    pub fn parse(json: &str) -> Self {
        let text = || Self::Text(Embedded(json.to_owned()));
        match json.as_bytes()[0] {
            b'n' => Self::Null,
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'"' => serde_json::from_str(json).map_or_else(|_| text(), Self::String),
            b'[' => Self::Array(json::parts(json).into_iter().map(Self::parse).collect()),
            b'{' => {
                let entry = |(key, value)| Ok((serde_json::from_str(key)?, Self::parse(value)));
                let entries = json::entries(json).into_iter().map(entry);
                let entries: Result<_, serde_json::Error> = entries.collect();
                entries.map_or_else(|_| text(), Self::Object)
            }
            // Not serde_json's floats, which may be off by one in the last place.
            _ if json.contains(['.', 'e', 'E']) => match json.parse::<f64>() {
                Ok(float) if float.is_finite() => Self::Float(float),
                _ => text(),
            },
            _ => json.parse().map_or_else(|_| text(), Self::Integer),
        }
    }

    /// Returns the whole as JSON text, if a part of it has to be text.
    pub fn text(&self) -> Option<String> {
        let mut session = Session::new();
        session.insert("tree", self).unwrap();
        json::embed(session.get_json("tree").unwrap())
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
