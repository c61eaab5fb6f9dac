//! Writes the same JSON as Python's `json.dumps`, and reads JSON.
//!
//! Python writes `1e-05` where `serde_json` writes `0.00001`, and `\u00e9` where it writes `é`.
//! Django signs the text, so the text must be the same. Values are read with `serde_json`. An
//! object or an array can also be read as the positions of its parts, whose text is then written
//! back unchanged. This does not use the feature `raw_value` of `serde_json`, which would change
//! how the rest of the program reads JSON.

use std::cell::Cell;
use std::fmt::Write as _;
use std::ops::Range;
use std::{io, mem};

use serde::de::{Deserialize, IgnoredAny, Visitor};
use serde::{Deserializer as _, Serialize};
use serde_json::ser::{CompactFormatter, Formatter};
use zeroize::Zeroizing;

use crate::error::{DecodeError, ValueError, sure};
use crate::finite;
use crate::plain_string::{PlainString, plain_len};
use crate::wiped::Wiped;

/// Returns a value as `json.dumps(value, separators=(",", ":"))` writes it.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<String, ValueError> {
    let mut out = String::with_capacity(32);
    append(&mut out, value)?;
    Ok(out)
}

/// Appends a value to an ASCII text, which is lost if this fails.
pub(crate) fn append<T: Serialize + ?Sized>(out: &mut String, value: &T) -> Result<(), ValueError> {
    let mut bytes = mem::take(out).into_bytes();
    let met_null = Cell::new(false);
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut bytes, Python { met_null: &met_null });
    let written = value.serialize(&mut serializer);
    // A number that is not finite has become a null; as a key it is an error.
    if (met_null.get() || written.is_err()) && !finite::is_finite(value) {
        return Err(ValueError::NotFinite);
    }
    written.map_err(|_| ValueError::Unserializable)?;
    let text = String::from_utf8(bytes).map_err(|_| ValueError::Unserializable)?;
    *out = to_ascii(text);
    Ok(())
}

/// Returns a value as JSON, and leaves no unwiped copy in memory.
pub(crate) fn write_secret<T: Serialize>(value: &T) -> Result<Zeroizing<Vec<u8>>, ValueError> {
    if !finite::is_finite(value) {
        return Err(ValueError::NotFinite);
    }
    let mut out = Wiped::default();
    serde_json::to_writer(&mut out, value).map_err(|_| ValueError::Unserializable)?;
    Ok(out.0)
}

/// Writes a string as JSON, in quotes.
pub(crate) fn quote(text: &str) -> String {
    to_ascii(serde_json::Value::from(text).to_string())
}

/// Formats floats like Python's `repr`: `1.0`, `1e+16`, `1.5e-07`.
///
/// It also records whether there was a null.
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

/// Formats a float as Python does, from a spelling with the same digits.
///
/// The digits are those of `serde_json`: the fewest that are read as the same number and, of two
/// that are equally near, the even one. Python's are the same. Rust's own formatting differs in the
/// last rule.
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

/// Escapes DEL and every character beyond ASCII as `\uXXXX`.
///
/// Characters beyond U+FFFF become a surrogate pair.
///
/// JSON has such characters only in strings, so the whole text is treated in the same way.
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

/// The error if a text cannot be read as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text is not JSON.
    Syntax,
    /// The text is JSON, but has a different type.
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
    /// Returns the reason why a text was refused.
    ///
    /// The categories of `serde_json` do not distinguish the two: a number too large for an `f64`,
    /// a lone surrogate or deep nesting is a syntax error there.
    fn of(text: &str) -> Self {
        match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Self::Type,
            Err(_) => Self::Syntax,
        }
    }
}

/// The deepest nesting of arrays and objects in a value that is read.
///
/// `serde_json` recurses up to 127 levels deep. A debug build then uses all of the 256 KiB of stack
/// that this crate promises to be enough. With this limit it uses half.
const MAX_DEPTH: usize = 64;

/// Reads a value. A value that is nested too deep does not fit any type.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    if let Some(string) = PlainString::new(text) {
        return T::deserialize(string).map_err(|_| Fault::Type);
    }
    if is_too_deep(text) {
        return Err(Fault::of(text));
    }
    serde_json::from_str(text).map_err(|_| Fault::of(text))
}

/// Returns `true` if a text is nested too deep.
///
/// The result for invalid JSON may be wrong.
pub(crate) fn is_too_deep(text: &str) -> bool {
    if text.len() <= MAX_DEPTH {
        return false;
    }
    // `[` and `{` differ in one bit.
    let is_open = |byte: u8| byte | 0x20 == b'{';
    // Few texts have that many brackets, and the compiler counts bytes with vector instructions.
    let count = |part: &[u8]| {
        part.iter().fold(0_u8, |count, byte| count.wrapping_add(u8::from(is_open(*byte))))
    };
    if text.as_bytes().chunks(128).map(|part| usize::from(count(part))).sum::<usize>() <= MAX_DEPTH
    {
        return false;
    }
    let (mut depth, mut deepest): (usize, usize) = (0, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => drop(bytes.next()),
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            b']' | b'}' => depth = depth.saturating_sub(1),
            byte if is_open(byte) => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            _ => {}
        }
    }
    deepest > MAX_DEPTH
}

/// Reads a string, and leaves no unwiped copy in memory.
///
/// `serde_json` would collect a string with escapes in its own buffer.
pub(crate) fn read_secret(json: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let text = check(json)?.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let mut rest = text.ok_or(Fault::Type)?;
    // An escape is longer than the character that it encodes, so the buffer does not grow.
    let mut secret = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some((before, escape)) = rest.split_once('\\') {
        secret.extend_from_slice(before.as_bytes());
        // A lone surrogate is not a character.
        let (character, after) = unescape(escape).ok_or(Fault::Type)?;
        secret.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = after;
    }
    secret.extend_from_slice(rest.as_bytes());
    Ok(secret)
}

/// Reads the rest of an escape in JSON.
///
/// This includes the second escape of a surrogate pair.
fn unescape(text: &str) -> Option<(char, &str)> {
    let mut characters = text.chars();
    let plain = match characters.next()? {
        'b' => '\x08',
        'f' => '\x0C',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let (high, rest) = code_unit(characters.as_str())?;
            if let Some(character) = char::from_u32(high.into()) {
                return Some((character, rest));
            }
            let (low, rest) = code_unit(rest.strip_prefix("\\u")?)?;
            return Some((char::decode_utf16([high, low]).next()?.ok()?, rest));
        }
        itself => itself,
    };
    Some((plain, characters.as_str()))
}

fn code_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

/// Returns a text without surrounding white space, if it is a JSON value.
///
/// This does not recurse, however deep the value is.
pub(crate) fn check(text: &str) -> Result<&str, Fault> {
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| Fault::Syntax)?;
    Ok(text.trim_matches([' ', '\n', '\r', '\t']))
}

/// Returns foreign JSON as ASCII, with its numbers and white space unchanged.
pub(crate) fn adopt(text: &str) -> Result<String, ValueError> {
    let json = check(text).map_err(|_| ValueError::NotJson)?;
    Ok(to_ascii(json.to_owned()))
}

/// Finds the entries of an object, in order, including repeated keys.
///
/// `found` receives the position in the text of each key, with its quotes, and of its value. The
/// syntax of the whole text is checked. Nothing is parsed, and nothing recurses. A text that is
/// JSON but not an object is [`Fault::Type`].
pub(crate) fn entries(
    text: &str,
    mut found: impl FnMut(Range<usize>, Range<usize>),
) -> Result<(), Fault> {
    let entry = |parts: &mut Parts<'_>| {
        let key = parts.string()?;
        parts.skip(b':')?;
        found(key, parts.value()?);
        Some(())
    };
    Parts { text, at: 0 }.walk(b'{', b'}', entry).ok_or_else(|| Fault::of(text))
}

/// Returns the JSON text of each item of an array; see [`entries`].
pub(crate) fn items(text: &str) -> Result<Vec<&str>, Fault> {
    let mut items = Vec::new();
    let item = |parts: &mut Parts<'_>| {
        items.push(text.get(parts.value()?)?);
        Some(())
    };
    let walked = Parts { text, at: 0 }.walk(b'[', b']', item);
    walked.map(|()| items).ok_or_else(|| Fault::of(text))
}

/// A text that is split into parts. Everything before `at` is done.
///
/// The methods return `None` for invalid JSON.
///
/// `serde_json` finds where a value ends, except for a string without escapes.
struct Parts<'a> {
    text: &'a str,
    at: usize,
}

impl Parts<'_> {
    /// Calls `part` for each part between two brackets.
    ///
    /// There must be nothing outside of the brackets.
    fn walk(
        mut self,
        open: u8,
        close: u8,
        mut part: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.skip(open)?;
        if self.skip(close).is_none() {
            part(&mut self)?;
            while self.skip(b',').is_some() {
                part(&mut self)?;
            }
            self.skip(close)?;
        }
        self.skip_space();
        (self.at == self.text.len()).then_some(())
    }

    /// Returns the position of the next value.
    fn value(&mut self) -> Option<Range<usize>> {
        self.skip_space();
        if self.peek() == Some(b'"') { self.string() } else { self.any() }
    }

    /// Returns the position of the next string, with its quotes.
    fn string(&mut self) -> Option<Range<usize>> {
        self.skip_space();
        let start = self.at;
        let inside = self.text.as_bytes().get(start..)?.strip_prefix(b"\"")?;
        let end = start.saturating_add(1).saturating_add(plain_len(inside));
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return self.any();
        }
        self.at = end.saturating_add(1);
        Some(start..self.at)
    }

    fn any(&mut self) -> Option<Range<usize>> {
        let rest = self.text.get(self.at..)?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let start = self.at;
        self.at = start.saturating_add(values.byte_offset());
        Some(start..self.at)
    }

    /// Skips white space and this byte, if it is next.
    fn skip(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        let is_next = self.peek() == Some(byte);
        self.at = self.at.saturating_add(usize::from(is_next));
        is_next.then_some(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at = self.at.saturating_add(1);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Returns `true` if a character is written as an escape.
#[expect(clippy::needless_bitwise_bool, reason = "as in `to_ascii`: no early exit")]
pub(crate) fn has_escape(text: &str) -> bool {
    text.bytes().fold(false, |found, byte| found | (byte == b'\\'))
}

/// Returns a string's bytes, without quotes and escapes.
///
/// They are UTF-8, except that a lone surrogate, which Python allows, becomes the three bytes that
/// UTF-8 would have for it.
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
    fn only_a_string_is_unquoted() {
        for text in ["", "1", "null", "[\"a\"]", "\"a"] {
            assert_eq!(unquote(text), None, "{text}");
        }
        assert_eq!(unquote("\"a\\ud800\""), Some(b"a\xed\xa0\x80".to_vec()));
    }
}
