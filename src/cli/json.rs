//! Writes reports as JSON in ASCII, and reformats JSON text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

/// The maximum indentation.
///
/// Without it, the output could grow with the square of the input.
const MAX_INDENT: usize = 64;

/// JSON text as a value of a report.
///
/// It is not parsed, so numbers keep every digit.
///
/// Serde's data model has no such value, so it is represented by bytes, which reports do not
/// contain otherwise. Only [`append`] and [`line`] write bytes as JSON.
pub(crate) struct Embedded<'t>(pub(crate) &'t str);

impl Serialize for Embedded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_bytes())
    }
}

/// Appends a value as JSON, in ASCII and without white space.
pub(crate) fn append(out: &mut Vec<u8>, value: &impl Serialize) {
    let start = out.len();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Embedding);
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok(), "writing a report to memory cannot fail");
    let json = out.get(start..).unwrap_or_default();
    if !is_compact(json) {
        let compact = compact(&String::from_utf8_lossy(json)).into_owned();
        out.truncate(start);
        out.extend_from_slice(compact.as_bytes());
    }
}

/// Returns a value as JSON, in ASCII and without white space.
pub(crate) fn line(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, value);
    out
}

/// Writes [`Embedded`] text unchanged, and everything else as usual.
struct Embedding;

impl Formatter for Embedding {
    fn write_byte_array<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        json: &[u8],
    ) -> io::Result<()> {
        writer.write_all(json)
    }
}

/// Returns JSON on one line, without white space and in ASCII.
///
/// The text must be JSON. Numbers keep every digit.
pub(crate) fn compact(json: &str) -> Cow<'_, str> {
    if is_compact(json.as_bytes()) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    respace(&mut out, json, false);
    Cow::Owned(out)
}

/// Returns `true` if JSON has no white space and nothing to escape.
fn is_compact(json: &[u8]) -> bool {
    // A fold, not `all`: without an early exit, the compiler uses vector instructions.
    json.iter().fold(true, |plain, byte| plain & matches!(byte, b'!'..=b'~'))
}

/// Returns indented JSON, with a line for each entry.
pub(crate) fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len().saturating_mul(2));
    respace(&mut out, json, true);
    out
}

fn respace(out: &mut String, json: &str, pretty: bool) {
    let mut depth: usize = 0;
    let mut in_string = false;
    let mut escaped = false;
    let mut characters = json.chars().filter(|c| !c.is_ascii_whitespace() || *c == ' ').peekable();
    while let Some(character) = characters.next() {
        if in_string {
            match character {
                ' '..='~' => out.push(character),
                _ => escape(out, character),
            }
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            ' ' => continue,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if pretty && matches!(character, '}' | ']') && !out.ends_with(['{', '[']) {
            new_line(out, depth);
        }
        out.push(character);
        match character {
            '"' => in_string = true,
            '{' | '[' => {
                depth = depth.saturating_add(1);
                while characters.next_if_eq(&' ').is_some() {}
                if pretty && !matches!(characters.peek(), Some('}' | ']')) {
                    new_line(out, depth);
                }
            }
            ',' if pretty => new_line(out, depth),
            ':' if pretty => out.push(' '),
            _ => {}
        }
    }
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth.min(MAX_INDENT) {
        out.push_str("  ");
    }
}

fn escape(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}
