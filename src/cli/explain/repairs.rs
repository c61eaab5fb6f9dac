//! Reverses common damage to a token: quotes, encodings, line breaks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cli::form;

/// A repair: its name, what it removes, and its function.
pub(crate) type Repair = (&'static str, &'static str, fn(&str) -> String);

/// The repairs in the order of their application, the outermost first.
pub(crate) const REPAIRS: [Repair; 16] = [
    ("white_space", "white space around it", |text| text.trim().to_owned()),
    ("quotes", "quotes around it", unquote),
    ("percent_encoding", "percent-encoding", percent_decode),
    ("percent_encoding", "a second percent-encoding", percent_decode),
    ("base64", "base64 around the whole token", from_base64),
    ("html", "HTML entities", without_entities),
    ("json", "JSON escapes", without_escapes),
    ("quotes", "quotes inside the encoding", unquote),
    ("quoted_printable", "the line breaks of quoted-printable text", |text| {
        let joined = text.replace("=\r\n", "").replace("=\n", "");
        joined.replace("=3D", "=").replace("=3A", ":")
    }),
    ("line_breaks", "white space or line breaks inside it", |text| {
        text.split_whitespace().collect()
    }),
    ("invisible", "invisible characters inside it", |text| text.replace(is_invisible, "")),
    ("dashes", "typographic dashes", |text| {
        let text = text.replace('\u{2014}', "--");
        text.replace(['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2212}'], "-")
    }),
    ("backslashes", "backslashes", |text| text.replace('\\', "")),
    ("punctuation", "punctuation after it", |text| {
        text.trim_end_matches([';', ',', '.', ')', ']', '}', '>', '!', '?']).to_owned()
    }),
    ("padding", "the padding of base64", |text| text.replace('=', "")),
    ("alphabet", "the + and / of standard base64", |text| text.replace('+', "-").replace('/', "_")),
];

const QUOTES: [char; 17] = [
    '"', '\'', '`', '\u{b4}', '\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}',
    '\u{201a}', '\u{ab}', '\u{bb}', '\u{2039}', '\u{203a}', '<', '(', '[',
];

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
        || c.is_control()
}

/// Removes quotes of any kind, even without a counterpart.
fn unquote(text: &str) -> String {
    if let Some(inner) = form::unquote(text) {
        return inner;
    }
    let text = text.strip_prefix("b'").or_else(|| text.strip_prefix("b\"")).unwrap_or(text);
    let text = text.trim_start_matches(QUOTES);
    text.trim_end_matches(|c| QUOTES.contains(&c) || matches!(c, '>' | ')' | ']')).to_owned()
}

/// Decodes a token that was encoded in base64 as a whole, which has a colon.
fn from_base64(text: &str) -> String {
    let joined: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(joined).unwrap_or_default();
    match String::from_utf8(bytes) {
        Ok(decoded) if decoded.is_ascii() && decoded.contains(':') => decoded,
        _ => text.to_owned(),
    }
}

fn percent_decode(text: &str) -> String {
    form::percent_decode(text).unwrap_or_else(|| text.to_owned())
}

pub(crate) fn without_entities(text: &str) -> String {
    let mut text = text.replace("&amp;", "&");
    for (entity, character) in [
        ("&colon;", ":"),
        ("&#58;", ":"),
        ("&#x3a;", ":"),
        ("&#x3A;", ":"),
        ("&period;", "."),
        ("&#46;", "."),
        ("&#x2e;", "."),
        ("&equals;", "="),
        ("&#61;", "="),
        ("&lowbar;", "_"),
        ("&#95;", "_"),
        ("&#45;", "-"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&nbsp;", " "),
        ("&shy;", ""),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ] {
        text = text.replace(entity, character);
    }
    text
}

/// Decodes `\u003a` and `\x3a`, and removes the backslash before a quote.
pub(crate) fn without_escapes(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let escaped = |len: usize| {
            let digits = part.get(1..len.saturating_add(1))?;
            let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some((character, part.get(len.saturating_add(1)..)?))
        };
        let found = match part.chars().next() {
            Some('u') => escaped(4),
            Some('x') => escaped(2),
            Some(quote @ ('"' | '\'' | '/')) => part.get(1..).map(|rest| (quote, rest)),
            _ => None,
        };
        match found {
            Some((character, rest)) => {
                out.push(character);
                out.push_str(rest);
            }
            None => out.extend(["\\", part]),
        }
    }
    out
}
