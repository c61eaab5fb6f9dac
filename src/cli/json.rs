//! Turns JSON text into the same JSON in other spacing, and in ASCII; no value is read.

use std::fmt::Write as _;

/// How deep lines are indented at most: deeper ones would grow with the square of the input.
const MAX_INDENT: usize = 64;

/// Writes JSON without white space and beyond-ASCII characters, on one line.
///
/// The text must be JSON. Numbers keep every digit.
pub(crate) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    append(&mut out, json);
    out
}

/// Does the same at the end of a text.
pub(crate) fn append(out: &mut String, json: &str) {
    // A fold, not `any`: without an early exit the compiler uses vector instructions.
    if json.bytes().fold(true, |plain, byte| plain & matches!(byte, b'!'..=b'~')) {
        out.push_str(json);
    } else {
        respace(out, json, false);
    }
}

/// Writes JSON with a line for each entry.
pub(crate) fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len().saturating_mul(2));
    respace(&mut out, json, true);
    out
}

/// Writes a text as a JSON string.
pub(crate) fn string(text: &str) -> String {
    compact(&serde_json::Value::from(text).to_string())
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
