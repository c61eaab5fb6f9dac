//! Deserializes the entries of a session into a struct or a map.
//!
//! Entries are read one by one, so that an error can name the entry that does not fit: an error of
//! `serde_json` contains only a position.

use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::de::StrRead;

use crate::json;

/// Reads entries, each of which is a key and its JSON text.
pub(crate) fn read<'de, T, I>(entries: I) -> Result<T, Misfit>
where
    T: DeserializeOwned,
    I: Iterator<Item = (&'de str, &'de str)>,
{
    T::deserialize(Object(entries))
}

/// The entry that does not fit.
#[derive(Debug)]
pub(crate) enum Misfit {
    /// The entry with this key is missing or has a different type.
    Entry(String),
    /// The session as a whole does not fit the type.
    Whole,
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Whole
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Entry(field.to_owned())
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::Entry(field.to_owned())
    }
}

// Required of errors by serde; it is never printed.
impl std::error::Error for Misfit {}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry does not fit")
    }
}

struct Object<I>(I);

impl<'de, I: Iterator<Item = (&'de str, &'de str)>> de::Deserializer<'de> for Object<I> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(Fields { entries: self.0, value: None })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Fields<'de, I> {
    entries: I,
    /// The entry whose key was read last.
    value: Option<(&'de str, &'de str)>,
}

impl<'de, I: Iterator<Item = (&'de str, &'de str)>> MapAccess<'de> for Fields<'de, I> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        self.value = self.entries.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let (key, json) = self.value.take().ok_or(Misfit::Whole)?;
        seed.deserialize(Value(json)).map_err(|_| Misfit::Entry(key.to_owned()))
    }
}

/// One JSON value, deserialized by `serde_json`.
///
/// A value that is nested too deep is an error, unless it is ignored.
struct Value<'de>(&'de str);

impl<'de> Value<'de> {
    fn open(self) -> Result<serde_json::Deserializer<StrRead<'de>>, serde_json::Error> {
        if json::is_too_deep(self.0) {
            return Err(de::Error::custom("too deep"));
        }
        Ok(serde_json::Deserializer::from_str(self.0))
    }
}

macro_rules! open {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, serde_json::Error> {
            let mut json = self.open()?;
            let value = json.$method($($argument,)* visitor)?;
            // An integer of 128 bits reads only the digits before the point of `0.5`.
            json.end()?;
            Ok(value)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Value<'de> {
    type Error = serde_json::Error;

    open! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
    }

    // Ignoring a value does not recurse.
    fn deserialize_ignored_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, serde_json::Error> {
        serde_json::Deserializer::from_str(self.0).deserialize_ignored_any(visitor)
    }
}
