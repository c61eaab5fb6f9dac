//! Finds the tokens in a line: bare, in a cookie header, quoted or encoded.

use std::borrow::Cow;
use std::fmt;

use signed_session::{Candidates, CookieOptions};

use crate::cli::args::From;

/// The recognized form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) holder: Holder,
    pub(crate) spaced: bool,
    pub(crate) quoted: bool,
    pub(crate) encoded: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Holder {
    #[default]
    None,
    Pair,
    Cookie,
    SetCookie,
    Row,
}

impl Shape {
    pub(crate) fn is_bare(self) -> bool {
        self == Self::default()
    }
}

/// Formats the form, such as `in a Cookie header, in quotes`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.holder == Holder::Pair, "in name=value"),
            (self.holder == Holder::Cookie, "in a Cookie header"),
            (self.holder == Holder::SetCookie, "in a Set-Cookie header"),
            (self.holder == Holder::Row, "in a row of a cookie list"),
            (self.spaced, "with surrounding spaces"),
            (self.quoted, "in quotes"),
            (self.encoded, "percent-encoded"),
        ];
        let parts: Vec<&str> = parts.iter().filter(|part| part.0).map(|part| part.1).collect();
        f.write_str(&parts.join(", "))
    }
}

/// The content of a line.
pub(crate) enum Found<'t> {
    Token(Cow<'t, str>),
    /// The values of several cookies with the name.
    Tokens(Candidates<String>),
    NoCookie,
}

/// Returns the maximum length of a line: that of a token in any form.
pub(crate) fn max_line_len(max_token_len: usize) -> usize {
    max_token_len.saturating_mul(3).saturating_add(64 * 1024)
}

/// Finds the tokens of a line.
///
/// Authentic tokens of objects and sessions contain no space, quote, `%` or `=`, so removing these
/// characters never turns an invalid token into a valid one. Signed text can contain all of them:
/// read it with [`From::Token`].
pub(crate) fn find<'t>(line: &'t str, from: From, cookie: &CookieOptions) -> (Found<'t>, Shape) {
    let mut shape = Shape::default();
    if from == From::Token || from == From::Auto && is_bare(line) {
        return (Found::Token(Cow::Borrowed(line)), shape);
    }
    let trimmed = line.trim_matches([' ', '\t']);
    let (holder, cookies) = split_header(trimmed);
    shape.holder = holder;
    if holder == Holder::None && line.contains('\t') {
        let found = collect(in_row(trimmed, cookie.name()).map(|value| undo(value, &mut shape)));
        if !matches!(found, Found::NoCookie) {
            return (found, Shape { holder: Holder::Row, ..shape });
        }
    }
    if holder == Holder::None && from == From::Auto && !is_pair(trimmed) {
        shape.spaced = trimmed.len() < line.len();
        return (Found::Token(undo(trimmed, &mut shape)), shape);
    }
    if holder == Holder::None {
        shape.holder = Holder::Pair;
    }
    match collect(cookie.find(cookies).map(|value| undo(value, &mut shape))) {
        Found::NoCookie => (Found::NoCookie, Shape::default()),
        found => (found, shape),
    }
}

fn collect<'t>(mut tokens: impl Iterator<Item = Cow<'t, str>>) -> Found<'t> {
    let Some(first) = tokens.next() else { return Found::NoCookie };
    match tokens.next() {
        None => Found::Token(first),
        Some(second) => {
            let tokens = [first, second].into_iter().chain(tokens);
            Found::Tokens(tokens.map(Cow::into_owned).collect())
        }
    }
}

/// Finds a cookie's values in a row with tabs.
///
/// Such a row is copied from a browser's developer tools or a `cookies.txt`. Whatever the order of
/// the columns, the value follows the name.
fn in_row<'t>(row: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let fields = row.split('\t').map(|field| field.trim_matches(' '));
    fields.clone().zip(fields.skip(1)).filter_map(move |(field, value)| {
        let unquoted = field.trim_matches('"');
        (unquoted == name && !value.is_empty()).then_some(value)
    })
}

/// Returns `true` if a line contains no character that surrounds tokens.
fn is_bare(line: &str) -> bool {
    // Sums without an early exit, for which the compiler uses vector instructions.
    let odd = line.bytes().fold(0, |odd, byte| {
        odd | u8::from(byte <= b' ')
            | u8::from(byte == b'=')
            | u8::from(byte == b'"')
            | u8::from(byte == b'%')
    });
    odd == 0
}

/// Removes the header's name and the attributes of a `Set-Cookie`.
///
/// curl prints `>` before lines that it sent, and `<` before lines that it received.
fn split_header(line: &str) -> (Holder, &str) {
    let line = line.strip_prefix(['>', '<']).map_or(line, str::trim_start);
    let Some((name, cookies)) = line.split_once(':') else { return (Holder::None, line) };
    if name.eq_ignore_ascii_case("cookie") {
        (Holder::Cookie, cookies)
    } else if name.eq_ignore_ascii_case("set-cookie") {
        (Holder::SetCookie, cookies.split(';').next().unwrap_or(cookies))
    } else {
        (Holder::None, line)
    }
}

/// Distinguishes `name=value` from a token with the padding of base64.
fn is_pair(line: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
    line.split_once('=').is_some_and(|(name, value)| {
        !name.is_empty()
            && name.bytes().all(is_name)
            && !value.starts_with(['=', ':'])
            && !value.is_empty()
    })
}

/// Removes quotes and percent-encoding.
fn undo<'t>(value: &'t str, shape: &mut Shape) -> Cow<'t, str> {
    let mut token = Cow::Borrowed(value);
    if let Some(unquoted) = unquote(&token) {
        shape.quoted = true;
        token = Cow::Owned(unquoted);
    }
    if let Some(decoded) = percent_decode(&token) {
        shape.encoded = true;
        token = Cow::Owned(decoded);
        if let Some(unquoted) = unquote(&token) {
            shape.quoted = true;
            token = Cow::Owned(unquoted);
        }
    }
    token
}

/// Removes double quotes and their escapes, like Python's `http.cookies`.
pub(crate) fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        let after = rest.as_str();
        let octal = after.get(..3).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default().chars();
            }
            None => out.extend(rest.next()),
        }
    }
    Some(out)
}

/// Decodes percent-encoding; `None` if it is absent or malformed.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        bytes.push(u8::from_str_radix(digits?, 16).ok()?);
        rest = after.get(2..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}
