//! A JSON value of the fuzzer's making.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::input::Input;

#[derive(Clone, Debug)]
pub enum Tree {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Takes a value; one inside many others is a small one.
    pub fn take(input: &mut Input<'_>, depth: usize) -> Self {
        let kinds = if depth < 40 { 8 } else { 6 };
        match input.byte() % kinds {
            0 => Self::Null,
            1 => Self::Bool(input.flag()),
            2 => Self::Integer(input.number().into()),
            3 => Self::Integer(i128::from(input.number()) * i128::from(input.number())),
            4 => match f64::from_bits(input.number().cast_unsigned()) {
                float if float.is_finite() => Self::Float(float),
                // Small numbers as people write them.
                _ => Self::Float(f64::from(input.byte()) / 10.0),
            },
            5 => Self::Text(input.text()),
            6 => {
                let len = input.byte() % 8;
                Self::Array((0..len).map(|_| Self::take(input, depth + 1)).collect())
            }
            _ => {
                let mut entries: Vec<(String, Self)> = Vec::new();
                for _ in 0..input.byte() % 8 {
                    let (key, value) = (input.text(), Self::take(input, depth + 1));
                    if entries.iter().all(|(other, _)| *other != key) {
                        entries.push((key, value));
                    }
                }
                Self::Object(entries)
            }
        }
    }

    /// Returns what `serde_json` would read: an integer past 64 bits is the nearest float.
    #[expect(clippy::cast_precision_loss, reason = "that is what the reader does")]
    pub fn as_read(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::from(*value),
            Self::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => Value::from(value),
                (_, Ok(value)) => Value::from(value),
                _ => Value::from(*value as f64),
            },
            Self::Float(value) => Value::from(*value),
            Self::Text(value) => Value::from(value.as_str()),
            Self::Array(items) => items.iter().map(Self::as_read).collect(),
            Self::Object(entries) => {
                entries.iter().map(|(key, value)| (key.clone(), value.as_read())).collect()
            }
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => value.serialize(serializer),
            Self::Integer(value) => value.serialize(serializer),
            Self::Float(value) => value.serialize(serializer),
            Self::Text(value) => value.serialize(serializer),
            Self::Array(items) => items.serialize(serializer),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}
