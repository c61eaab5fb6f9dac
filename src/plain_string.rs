//! Reads JSON strings without escapes, which are the most common values.
//!
//! `serde_json` gives the same results in twice the time. The fuzz target `json` compares the two.

use serde::Deserializer;
use serde::de::Visitor;

/// A deserializer of a JSON string without escapes.
///
/// Its results are those of `serde_json`.
#[derive(Clone, Copy)]
pub(crate) struct PlainString<'a> {
    /// The string with its quotes.
    quoted: &'a str,
    /// The string without quotes.
    inside: &'a str,
}

impl<'a> PlainString<'a> {
    /// Returns the string if the whole text is a string without escapes.
    pub(crate) fn new(quoted: &'a str) -> Option<Self> {
        let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
        (plain_len(inside.as_bytes()) == inside.len()).then_some(Self { quoted, inside })
    }
}

/// Forwards methods to those of `serde_json`.
macro_rules! as_serde_json {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'a>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            serde_json::Deserializer::from_str(self.quoted).$method($($argument,)* visitor)
        }
    )*};
}

impl<'a> Deserializer<'a> for PlainString<'a> {
    type Error = serde_json::Error;

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_borrowed_str(self.inside)
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_borrowed_str(self.inside)
    }

    as_serde_json! {
        deserialize_any() deserialize_bool() deserialize_char()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64()
        deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_identifier() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }
}

/// Counts the bytes before the first quote, backslash or control character.
///
/// It examines eight bytes at a time.
pub(crate) fn plain_len(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // This sets the high bit of the first byte for which it is true; later bytes may be wrong.
    let is_below =
        |word: u64, bound: u8| word.wrapping_sub(u64::from_ne_bytes([bound; 8])) & !word & HIGH;
    let is = |word: u64, byte: u8| {
        let zeros = word ^ u64::from_ne_bytes([byte; 8]);
        zeros.wrapping_sub(ONES) & !zeros & HIGH
    };
    let (words, rest) = text.as_chunks();
    let mut len: usize = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let found = is_below(word, b' ') | is(word, b'"') | is(word, b'\\');
        if found != 0 {
            return len.saturating_add(found.trailing_zeros() as usize / 8);
        }
        len = len.saturating_add(8);
    }
    let is_plain = |byte: &&u8| !matches!(byte, ..b' ' | b'"' | b'\\');
    len.saturating_add(rest.iter().take_while(is_plain).count())
}
