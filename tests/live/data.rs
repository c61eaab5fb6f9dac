//! Random data: values of every JSON kind, texts, secrets, separators.

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::json;
use signed_session::{Keyring, Session};

use crate::random::Random;
use support::json::{Embedded, embed};
use support::secret::Secret;

/// A value of any kind that a session may hold.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    /// More digits than any integer type of Rust has.
    Digits(Embedded),
    Float(f64),
    Text(String),
    Array(Vec<Value>),
    Object(Vec<(Key, Value)>),
}

/// A key of an object: text, or what Python and `serde_json` turn into text.
#[derive(Clone, Debug)]
pub enum Key {
    Text(String),
    I64(i64),
    Bool(bool),
    Float(f64),
}

impl Value {
    /// Returns the whole as JSON text, if there are digits that no type of Rust has.
    pub fn text(&self) -> Option<String> {
        let mut session = Session::new();
        session.insert("value", self).expect("the data can be written");
        embed(session.get_json("value").expect("just inserted"))
    }
}

/// As a program would write it: this is what the crate is given.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(value) => value.serialize(to),
            Self::I64(value) => value.serialize(to),
            Self::U64(value) => value.serialize(to),
            Self::I128(value) => value.serialize(to),
            Self::U128(value) => value.serialize(to),
            Self::Digits(value) => value.serialize(to),
            Self::Float(value) => value.serialize(to),
            Self::Text(value) => value.serialize(to),
            Self::Array(items) => items.serialize(to),
            Self::Object(entries) => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(key) => key.serialize(to),
            Self::I64(key) => key.serialize(to),
            Self::Bool(key) => key.serialize(to),
            Self::Float(key) => key.serialize(to),
        }
    }
}

/// The same for the worker, which builds it in Python: numbers by digits and bits.
pub struct Described<'a>(pub &'a Value);

impl Serialize for Described<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => to.serialize_unit(),
            Value::Bool(value) => value.serialize(to),
            Value::I64(value) => json!({ "int": value.to_string() }).serialize(to),
            Value::U64(value) => json!({ "int": value.to_string() }).serialize(to),
            Value::I128(value) => json!({ "int": value.to_string() }).serialize(to),
            Value::U128(value) => json!({ "int": value.to_string() }).serialize(to),
            Value::Digits(value) => json!({ "int": value.0 }).serialize(to),
            Value::Float(value) => float(*value).serialize(to),
            Value::Text(value) => value.serialize(to),
            Value::Array(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Described(item))?;
                }
                list.end()
            }
            Value::Object(entries) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("dict", &DescribedEntries(entries))?;
                map.end()
            }
        }
    }
}

struct DescribedEntries<'a>(&'a [(Key, Value)]);

impl Serialize for DescribedEntries<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.0.len()))?;
        for (key, value) in self.0 {
            let key = match key {
                Key::Text(key) => json!(key),
                Key::I64(key) => json!({ "int": key.to_string() }),
                Key::Bool(key) => json!(key),
                Key::Float(key) => float(*key),
            };
            list.serialize_element(&(key, Described(value)))?;
        }
        list.end()
    }
}

fn float(value: f64) -> serde_json::Value {
    json!({ "float": format!("{:016x}", value.to_bits()) })
}

pub fn ring(secrets: &[Secret]) -> Keyring {
    let first = Keyring::new(secrets[0].bytes()).expect("secrets are chosen usable");
    secrets[1..]
        .iter()
        .fold(first, |ring, secret| ring.fallback(secret.bytes()).expect("chosen usable"))
}

impl Random {
    /// A session's entries; every key is there once.
    pub fn session(&mut self) -> Vec<(String, Value)> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        for _ in 0..*self.pick(&[0, 1, 1, 2, 3, 6]) {
            let key = self.text(12);
            if entries.iter().all(|(other, _)| *other != key) {
                let value = self.value();
                entries.push((key, value));
            }
        }
        entries
    }

    /// A value; once in a while a deep one, or one that is worth compressing.
    pub fn value(&mut self) -> Value {
        match self.below(40) {
            0 => self.tower(),
            1..=4 => Value::Text(self.text(3).repeat(self.below(60) + 1)),
            _ => self.value_to(3),
        }
    }

    fn tower(&mut self) -> Value {
        let mut value = self.value_to(0);
        for _ in 0..self.below(150) {
            value = match self.below(2) {
                0 => Value::Array(vec![value]),
                _ => Value::Object(vec![(Key::Text(self.text(3)), value)]),
            };
        }
        value
    }

    fn value_to(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 12 } else { 15 }) {
            0 => Value::Null,
            1 => Value::Bool(self.once_in(2)),
            2 => Value::I64(self.integer()),
            3 => Value::U64(u64::MAX >> self.below(64)),
            4 => Value::I128(*self.pick(&[i128::MIN, i128::MAX, i64::MIN as i128 - 1, -7])),
            5 => Value::U128(u128::MAX >> self.below(128)),
            6 => self.digits(),
            7 | 8 => Value::Float(self.float()),
            9..=11 => Value::Text(self.text(30)),
            12 | 13 => {
                let len = self.below(4);
                Value::Array((0..len).map(|_| self.value_to(depth - 1)).collect())
            }
            _ => self.object(depth - 1),
        }
    }

    fn object(&mut self, depth: usize) -> Value {
        let mut entries: Vec<(Key, Value)> = Vec::new();
        let mut spelled: Vec<String> = Vec::new();
        // One key at most that is not text: to Python 1, 1.0 and True are the same.
        if self.once_in(4) {
            let (key, text) = match self.below(3) {
                0 => {
                    let key = self.integer();
                    (Key::I64(key), key.to_string())
                }
                1 => {
                    let key = self.once_in(2);
                    (Key::Bool(key), key.to_string())
                }
                _ => (Key::Float(0.5), "0.5".to_owned()),
            };
            entries.push((key, self.value_to(depth)));
            spelled.push(text);
        }
        for _ in 0..self.below(4) {
            let key = self.text(8);
            if !spelled.contains(&key) {
                entries.push((Key::Text(key.clone()), self.value_to(depth)));
                spelled.push(key);
            }
        }
        Value::Object(entries)
    }

    fn integer(&mut self) -> i64 {
        let number = (self.next() >> self.below(64)) as i64;
        *self.pick(&[number, number.wrapping_neg(), 0, i64::MAX, i64::MIN])
    }

    fn digits(&mut self) -> Value {
        let mut text = self.pick(&["", "-"]).to_string();
        text.push_str(&self.within(1, i64::MAX).to_string());
        for _ in 0..3 {
            text.push_str(&format!("{:010}", self.below(10_000_000_000)));
        }
        Value::Digits(Embedded(text))
    }

    fn float(&mut self) -> f64 {
        let bits = f64::from_bits(self.next());
        let near = 10_f64.powi(self.within(-6, 18) as i32) * *self.pick(&[1.0, 0.999, -1.5]);
        let whole = (self.next() >> self.below(64)) as f64;
        // Of such a number two shortest spellings can be equally near: 2 to the power of -25.
        let tie = self.within(1, 255) as f64 * 2_f64.powi(self.within(-26, -20) as i32);
        let fixed = *self.pick(&[0.0, -0.0, f64::MAX, 5e-324, 1e16, 1e-5, 9.5]);
        let value = *self.pick(&[bits, bits, near, whole, tie, fixed]);
        if value.is_finite() { value } else { 0.25 }
    }

    /// Any Unicode text of up to `max` characters.
    pub fn text(&mut self, max: usize) -> String {
        let len = self.below(max + 1);
        (0..len).map(|_| self.character()).collect()
    }

    pub fn character(&mut self) -> char {
        let (first, last) = *self.pick(&[
            (0x20, 0x7E),
            (0x20, 0x7E),
            (0x61, 0x7A),
            (0x00, 0x1F),
            (0x7F, 0xFF),
            (0x100, 0xD7FF),
            (0xE000, 0xFFFF),
            (0x1_0000, 0x10_FFFF),
            (0x22, 0x22),
            (0x5C, 0x5C),
            (0x2F, 0x2F),
            (0x3A, 0x3A),
            (0x7F, 0x7F),
        ]);
        char::from_u32(self.within(first, last) as u32).expect("no range has surrogates")
    }

    /// Text of at least one character.
    pub fn name(&mut self) -> String {
        let mut text = self.character().to_string();
        text.push_str(&self.text(20));
        text
    }

    /// Different secrets, none blank.
    pub fn secrets(&mut self, count: usize) -> Vec<Secret> {
        let mut secrets: Vec<Secret> = Vec::new();
        while secrets.len() < count {
            let secret = match self.below(4) {
                0 => {
                    let len = self.below(150) + 1;
                    Secret::Hex(self.bytes(len).iter().map(|byte| format!("{byte:02x}")).collect())
                }
                1 => Secret::Text(format!("{}\n{},{}", self.text(9), self.text(9), self.text(9))),
                2 => Secret::Text(format!("django-insecure-{:x}", self.next())),
                _ => Secret::Text(self.text(60)),
            };
            let fresh = secrets.iter().all(|other| other.bytes() != secret.bytes());
            if fresh && Keyring::new(secret.bytes()).is_ok() {
                secrets.push(secret);
            }
        }
        secrets
    }

    /// A separator, which may be an unsafe one.
    pub fn separator(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..*self.pick(&[0, 1, 1, 1, 2, 3]) {
            text.push(match self.below(3) {
                0 => self.character(),
                1 => char::from(self.within(0x20, 0x7F) as u8),
                _ => {
                    *self.pick(&['a', 'Z', '0', '-', '_', '=', '[', '^', '`', '\n', ':', '{', '@'])
                }
            });
        }
        if self.once_in(6) {
            text.push('\n');
        }
        text
    }
}
