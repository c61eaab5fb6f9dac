//! Lists the other forms in which a site may store a secret.

use std::borrow::Cow;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::cli::form;

/// A form of a secret.
pub(crate) struct Spelling {
    /// Such as `without the quotes around it`; `None` for the unchanged secret.
    pub(crate) says: Option<Rc<str>>,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// The number of changes that lead to this form.
    depth: usize,
}

/// The maximum number of changes that are combined.
const MAX_DEPTH: usize = 4;
/// The maximum number of resulting forms.
const MAX_SPELLINGS: usize = 160;

/// The maximum number of parts of a file that are tried as the secret.
const MAX_PARTS: usize = 12;

/// A change that is reversed: its description, and the possible results.
type Undo = (&'static str, fn(&[u8]) -> Vec<Vec<u8>>);

/// Changes to the given file that the site's secret does not have.
const UNDO: [Undo; 14] = [
    ("without the white space around it", |key| vec![key.trim_ascii().to_vec()]),
    ("without the quotes around it", unquoted),
    ("the value of its line NAME = value", settings),
    ("the quoted text in it", in_quotes),
    ("with $ for each $$", |key| vec![replace(key, &[("$$", "$")])]),
    ("with its HTML entities decoded", |key| {
        vec![replace(
            key,
            &[
                ("&quot;", "\""),
                ("&#34;", "\""),
                ("&#39;", "'"),
                ("&#x27;", "'"),
                ("&apos;", "'"),
                ("&lt;", "<"),
                ("&gt;", ">"),
                ("&#43;", "+"),
                ("&#61;", "="),
                ("&amp;", "&"),
            ],
        )]
    }),
    ("with its backslash escapes decoded", |key| vec![unescaped(key)]),
    ("with its percent-encoding decoded", |key| {
        let text = str::from_utf8(key).ok().and_then(form::percent_decode);
        text.into_iter().map(String::into_bytes).collect()
    }),
    ("with % for each %%", |key| vec![replace(key, &[("%%", "%")])]),
    ("without the comment after it", |key| {
        let comment = key.windows(2).position(|two| two == b" #");
        comment.and_then(|at| key.get(..at)).map(<[u8]>::to_vec).into_iter().collect()
    }),
    ("one of its lines", |key| parts(key, b'\n')),
    ("one of its comma-separated parts", |key| parts(key, b',')),
    ("read as UTF-16", |key| utf16(key).into_iter().collect()),
    ("decoded from base64", |key| from_base64(key).into_iter().collect()),
];

/// A change to the site's secret that the given file does not have.
type Redo = (&'static str, fn(&[u8]) -> Vec<u8>);

const REDO: [Redo; 15] = [
    ("with a newline at its end", |key| [key, b"\n"].concat()),
    ("with CR and LF at its end", |key| [key, b"\r\n"].concat()),
    ("with CR at its end", |key| [key, b"\r"].concat()),
    ("with a space at its end", |key| [key, b" "].concat()),
    ("with a byte order mark before it", |key| [b"\xEF\xBB\xBF", key].concat()),
    ("with a byte order mark before it and a newline at its end", |key| {
        [b"\xEF\xBB\xBF", key, b"\n"].concat()
    }),
    ("with a byte order mark before it and CR and LF at its end", |key| {
        [b"\xEF\xBB\xBF", key, b"\r\n"].concat()
    }),
    ("in double quotes", |key| [b"\"", key, b"\""].concat()),
    ("in single quotes", |key| [b"'", key, b"'"].concat()),
    ("with $$ for each $", |key| replace(key, &[("$", "$$")])),
    ("without each $NAME, which a shell or Docker Compose replaces", without_variables),
    ("with &amp; for each &", |key| replace(key, &[("&", "&amp;")])),
    ("with HTML entities", |key| {
        let pairs =
            [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#x27;")];
        replace(key, &pairs)
    }),
    ("escaped as in JSON", |key| {
        let text = serde_json::Value::from(String::from_utf8_lossy(key)).to_string();
        text.trim_matches('"').as_bytes().to_vec()
    }),
    ("up to its first #, where a comment begins", |key| {
        key.split(|byte| *byte == b'#').next().unwrap_or(key).to_vec()
    }),
];

/// Returns the unchanged secret, and then its other forms.
///
/// Those with the fewest changes are first.
pub(crate) fn list(secret: &[u8]) -> Vec<Spelling> {
    let own = Spelling { says: None, bytes: Zeroizing::new(secret.to_vec()), depth: 0 };
    let mut spellings = vec![own];
    for (says, redo) in REDO {
        add(&mut spellings, redo(secret), says.to_owned(), MAX_DEPTH);
    }
    let mut next = 0;
    while let Some(spelling) = spellings.get(next) {
        let (says, depth) = (spelling.says.clone(), spelling.depth);
        let bytes = Zeroizing::new(spelling.bytes.to_vec());
        next = next.saturating_add(1);
        if depth >= MAX_DEPTH {
            continue;
        }
        for (step, undo) in UNDO {
            for undone in undo(&bytes) {
                let says =
                    says.as_deref().map_or(step.to_owned(), |says| format!("{says}, {step}"));
                add(&mut spellings, undone, says, depth.saturating_add(1));
            }
        }
    }
    // The site may have read a whole file, with the newline that is not part of the given key.
    let undone: Vec<(Rc<str>, Vec<u8>)> = spellings
        .iter()
        .filter(|spelling| spelling.depth == 1)
        .filter_map(|spelling| {
            Some((spelling.says.clone()?, [spelling.bytes.as_slice(), b"\n"].concat()))
        })
        .collect();
    for (says, bytes) in undone {
        add(&mut spellings, bytes, format!("{says}, with a newline at its end"), MAX_DEPTH);
    }
    spellings
}

fn add(spellings: &mut Vec<Spelling>, bytes: Vec<u8>, says: String, depth: usize) {
    let bytes = Zeroizing::new(bytes);
    let is_key = !bytes.trim_ascii().is_empty();
    if is_key
        && spellings.len() < MAX_SPELLINGS
        && spellings.iter().all(|spelling| spelling.bytes != bytes)
    {
        spellings.push(Spelling { says: Some(says.into()), bytes, depth });
    }
}

/// Replaces each string of a pair by the other.
fn replace(key: &[u8], pairs: &[(&str, &str)]) -> Vec<u8> {
    let Ok(text) = str::from_utf8(key) else { return key.to_vec() };
    let replaced = pairs.iter().fold(Cow::Borrowed(text), |text, (from, to)| {
        if text.contains(from) { Cow::Owned(text.replace(from, to)) } else { text }
    });
    replaced.into_owned().into_bytes()
}

/// Removes quotes of any kind, even after a letter, as in Python's `b""`.
fn unquoted(key: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = str::from_utf8(key) else { return Vec::new() };
    let text = text.trim();
    let text = text.strip_prefix(['b', 'r', 'u', 'f', 'B', 'R', 'U', 'F']).unwrap_or(text);
    let pairs = [
        ("\"\"\"", "\"\"\""),
        ("'''", "'''"),
        ("\"", "\""),
        ("'", "'"),
        ("`", "`"),
        ("\u{201c}", "\u{201d}"),
        ("\u{2018}", "\u{2019}"),
        ("\u{ab}", "\u{bb}"),
        ("\u{201e}", "\u{201c}"),
        ("\\\"", "\\\""),
    ];
    let inner = |(open, close): (&str, &str)| text.strip_prefix(open)?.strip_suffix(close);
    pairs.into_iter().filter_map(inner).map(|inner| inner.as_bytes().to_vec()).collect()
}

/// Returns the values in the lines of a file such as a `.env`.
///
/// They follow a name and `=` or `:`.
fn settings(key: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = str::from_utf8(key) else { return Vec::new() };
    let value = |line: &'_ str| {
        let at = line.find(['=', ':'])?;
        let (name, value) = line.split_at_checked(at)?;
        let name = name.rsplit([' ', '\t', '{', ',', '.']).find(|word| !word.is_empty())?;
        let name = name.trim_matches(['"', '\'']);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let value = value.get(1..)?.trim();
        Some([value, value.trim_end_matches([',', ';', '}', ' '])].map(|v| v.as_bytes().to_vec()))
    };
    // A line whose name contains KEY is tried before all others, which may be many.
    let is_named = |line: &&str| line.to_ascii_uppercase().contains("KEY");
    let lines = text.lines().filter(is_named).chain(text.lines().filter(|line| !is_named(line)));
    lines.filter_map(value).flatten().take(MAX_PARTS).collect()
}

/// Returns the quoted parts of a longer text, such as a line of Python.
fn in_quotes(key: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = str::from_utf8(key) else { return Vec::new() };
    let mut quoted = Vec::new();
    let mut open: Option<(char, usize)> = None;
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        match open {
            None if matches!(character, '"' | '\'') => {
                open = Some((character, at.saturating_add(1)));
            }
            Some((quote, start)) if character == quote && !is_escaped => {
                quoted.extend(text.get(start..at));
                open = None;
            }
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    let long = quoted.into_iter().filter(|inner| inner.len() >= 8);
    long.take(MAX_PARTS).map(|inner| inner.as_bytes().to_vec()).collect()
}

/// Decodes the backslash escapes of JSON, Python and shells.
fn unescaped(key: &[u8]) -> Vec<u8> {
    let Ok(text) = str::from_utf8(key) else { return key.to_vec() };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut characters = after.chars();
        let hexadecimal = |at: usize, len: usize| {
            let digits = after.get(at..at.saturating_add(len))?;
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)
        };
        let (character, len) = match characters.next() {
            Some('n') => (Some('\n'), 1),
            Some('r') => (Some('\r'), 1),
            Some('t') => (Some('\t'), 1),
            Some('u') => (hexadecimal(1, 4), 5),
            Some('x') => (hexadecimal(1, 2), 3),
            Some(other) => (Some(other), other.len_utf8()),
            None => (None, 0),
        };
        if let Some(character) = character {
            out.push(character);
            rest = after.get(len..).unwrap_or_default();
        } else {
            out.push('\\');
            rest = after;
        }
    }
    out.push_str(rest);
    out.into_bytes()
}

fn parts(key: &[u8], separator: u8) -> Vec<Vec<u8>> {
    if !key.contains(&separator) {
        return Vec::new();
    }
    let parts = key.split(|byte| *byte == separator).map(<[u8]>::trim_ascii);
    parts.filter(|part| part.len() >= 8).take(MAX_PARTS).map(<[u8]>::to_vec).collect()
}

/// Decodes UTF-16 without a byte order mark, if every second byte is zero.
fn utf16(key: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = key.as_chunks() else { return None };
    let is_little = pairs.iter().all(|[_, high]| *high == 0);
    let is_big = pairs.iter().all(|[high, _]| *high == 0);
    match (is_little, is_big) {
        (true, false) => Some(pairs.iter().map(|[low, _]| *low).collect()),
        (false, true) => Some(pairs.iter().map(|[_, low]| *low).collect()),
        _ => None,
    }
}

fn from_base64(key: &[u8]) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);
    let url_safe = GeneralPurpose::new(&base64::alphabet::URL_SAFE, CONFIG);
    let decoded = standard.decode(key).or_else(|_| url_safe.decode(key)).ok()?;
    (decoded.len() >= 8).then(|| decoded.strip_suffix(b"\n").unwrap_or(&decoded).to_vec())
}

/// Removes `$NAME` and `${NAME}`, as shells do if no such variable is set.
fn without_variables(key: &[u8]) -> Vec<u8> {
    let Ok(text) = str::from_utf8(key) else { return key.to_vec() };
    let mut parts = text.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let rest = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some((_, rest)) => Some(rest),
            None if part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => {
                Some(part.trim_start_matches(is_name))
            }
            None => None,
        };
        match rest {
            Some(rest) => out.push_str(rest),
            None => out.extend(["$", part]),
        }
    }
    out.into_bytes()
}
