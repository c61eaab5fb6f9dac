//! Turns values into the exact ASCII that Python's `json.dumps` writes, and JSON text into values.
//!
//! Python writes `1e-05` where `serde_json` writes `0.00001`, and `\u00e9` where
//! it writes `é`; Django signs the text, so the text must be the same. Reading is
//! `serde_json`'s, and an object can be read as the places of its entries, whose
//! text then goes back as it came.

use std::cell::Cell;
use std::fmt::Write as _;
use std::ops::Range;
use std::{io, mem};

use serde::de::{Deserialize, IgnoredAny, MapAccess, Visitor};
use serde::{Deserializer as _, Serialize};
use serde_json::ser::{CompactFormatter, Formatter};
use serde_json::value::RawValue;

use crate::error::{DecodeError, ValueError, sure};
use crate::finite;

/// Returns a value as `json.dumps(value, separators=(",", ":"))` writes it.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<String, ValueError> {
    let mut out = String::with_capacity(32);
    append(&mut out, value)?;
    Ok(out)
}

/// Appends the same to an ASCII text, which is lost where that fails.
pub(crate) fn append<T: Serialize + ?Sized>(out: &mut String, value: &T) -> Result<(), ValueError> {
    let mut bytes = mem::take(out).into_bytes();
    let met_null = Cell::new(false);
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut bytes, Python { met_null: &met_null });
    let written = value.serialize(&mut serializer);
    // A number that is not finite has become a null, or an error where it is a key.
    if (met_null.get() || written.is_err()) && !finite::is_finite(value) {
        return Err(ValueError::NotFinite);
    }
    written.map_err(|_| ValueError::Unserializable)?;
    let text = String::from_utf8(bytes).map_err(|_| ValueError::Unserializable)?;
    *out = to_ascii(text);
    Ok(())
}

/// Writes a string as JSON, in quotes.
pub(crate) fn quote(text: &str) -> String {
    to_ascii(serde_json::Value::from(text).to_string())
}

/// Spells floats as Python's `repr`: `1.0`, `1e+16`, `1.5e-07`; and notes that there was a null.
struct Python<'a> {
    met_null: &'a Cell<bool>,
}

impl Formatter for Python<'_> {
    fn write_null<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.met_null.set(true);
        CompactFormatter.write_null(writer)
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        let mut spelling = Vec::with_capacity(32);
        CompactFormatter.write_f32(&mut spelling, value)?;
        writer.write_all(respell(&spelling).as_bytes())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let mut spelling = Vec::with_capacity(32);
        CompactFormatter.write_f64(&mut spelling, value)?;
        writer.write_all(respell(&spelling).as_bytes())
    }
}

/// Spells a float as Python does, from any other spelling with the same digits.
///
/// The digits are `serde_json`'s: the fewest that read back as the same number
/// and, where two are as near, the even one. So are Python's; those of Rust's
/// own formatting differ in that last point.
fn respell(spelling: &[u8]) -> String {
    let text = sure(str::from_utf8(spelling).ok());
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let padded = [whole, fraction].concat();
    let digits = padded.trim_start_matches('0');
    let zeros = padded.len().saturating_sub(digits.len());
    let digits = digits.trim_end_matches('0');
    // The number is 0.DIGITS times ten to the power of `point`.
    let point = sure(i32::try_from(whole.len()).ok())
        .saturating_sub(sure(i32::try_from(zeros).ok()))
        .saturating_add(sure(exponent.parse().ok()));
    let Some((first, rest)) = digits.split_at_checked(1) else { return format!("{sign}0.0") };
    match usize::try_from(point) {
        Ok(point @ 1..=16) => match digits.split_at_checked(point) {
            Some((whole, "")) => format!("{sign}{whole}.0"),
            Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
            None => format!("{sign}{digits:0<point$}.0"),
        },
        _ if (-3..=0).contains(&point) => {
            let zeros = sure(usize::try_from(point.unsigned_abs()).ok());
            format!("{sign}0.{:0<zeros$}{digits}", "")
        }
        _ => {
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{rest}e{:+03}", point.saturating_sub(1))
        }
    }
}

/// Escapes DEL and all beyond ASCII as `\uXXXX`, astral characters as a surrogate pair.
///
/// Outside of strings JSON has no such character, so the whole text is one case.
pub(crate) fn to_ascii(text: String) -> String {
    // A fold, not `any`: without an early exit the compiler uses vector instructions.
    if text.bytes().fold(0, u8::max) < 0x7F {
        return text;
    }
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    let mut units = [0; 2];
    for character in text.chars() {
        if character < '\x7F' {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut units) {
            sure(write!(out, "\\u{unit:04x}").ok());
        }
    }
    out
}

/// What is wrong with a text that was to be a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not JSON.
    Syntax,
    /// It is JSON, but of another type.
    Type,
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Syntax => Self::Json,
            Fault::Type => Self::WrongType,
        }
    }
}

impl Fault {
    /// Tells the two apart, once something was refused.
    ///
    /// `serde_json`'s own categories do not: a number too large for an `f64`,
    /// a lone surrogate or deep nesting counts as bad syntax there.
    fn of(text: &str) -> Self {
        match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Self::Type,
            Err(_) => Self::Syntax,
        }
    }
}

/// Reads a value.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::of(text))
}

/// Finds the entries of an object, in order, a key written twice included.
///
/// `found` is given where in the text each key, in its quotes, and its value
/// stand. The whole text is checked to be JSON; nothing is parsed and nothing
/// recurses. A text that is not an object is [`Fault::Type`].
pub(crate) fn entries(
    text: &str,
    found: impl FnMut(Range<usize>, Range<usize>),
) -> Result<(), Fault> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(Entries { text, found }).map_err(|_| Fault::of(text))?;
    reader.end().map_err(|_| Fault::Syntax)
}

struct Entries<'a, F> {
    text: &'a str,
    found: F,
}

impl<'a, F: FnMut(Range<usize>, Range<usize>)> Visitor<'a> for Entries<'a, F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            (self.found)(place(key, self.text), place(value, self.text));
        }
        Ok(())
    }
}

/// Finds where a part that was borrowed from a text stands in it.
fn place(part: &RawValue, text: &str) -> Range<usize> {
    let part = part.get().as_bytes();
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start.saturating_add(part.len())
}

/// Tells whether a character is written as an escape.
#[expect(clippy::needless_bitwise_bool, reason = "as in `to_ascii`: no early exit")]
pub(crate) fn has_escape(text: &str) -> bool {
    text.bytes().fold(false, |found, byte| found | (byte == b'\\'))
}

/// Reads a string's bytes, the quotes and escapes undone.
///
/// They are UTF-8 but for lone surrogates, which Python allows and which come
/// as the three bytes that UTF-8 would have for them.
pub(crate) fn unquote(quoted: &str) -> Option<Vec<u8>> {
    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            Ok(bytes.to_vec())
        }
    }

    serde_json::Deserializer::from_str(quoted).deserialize_bytes(Bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::unquote;

    #[test]
    fn what_is_no_string_is_not_unquoted() {
        for text in ["", "1", "null", "[\"a\"]", "\"a"] {
            assert_eq!(unquote(text), None, "{text}");
        }
        assert_eq!(unquote("\"a\\ud800\""), Some(b"a\xed\xa0\x80".to_vec()));
    }
}
