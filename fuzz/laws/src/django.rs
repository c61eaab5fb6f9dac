//! Django's tokens a second time, as plainly as can be: what the library is compared with.
//!
//! Written from the documentation of `django.core.signing` and from RFC 2104,
//! 4648, 1950 and 8259, with nothing of the library in it and with no thought of speed.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;
use sha2::{Digest as _, Sha256};

use super::tree::Tree;

pub const SESSION_SALT: &str = "django.contrib.sessions.backends.signed_cookies";

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    TooLong,
    Malformed,
    BadSignature,
    BadTimestamp,
    Expired,
    Base64,
    Zlib,
    TooLarge,
    Json,
    NotAnObject,
}

/// What a good token says.
#[derive(Debug, PartialEq)]
pub struct Content {
    pub entries: Vec<(Vec<u16>, String)>,
    pub signed_at: i64,
    pub key_index: usize,
}

/// As `signing.loads` in the `signed_cookies` backend, within limits.
pub fn decode(token: &str, secrets: &[&str], max_age: i64, now: i64) -> Result<Content, Refusal> {
    if token.len() > 4096 {
        return Err(Refusal::TooLong);
    }
    let (value, signature) = token.rsplit_once(':').ok_or(Refusal::Malformed)?;
    let key_index = secrets
        .iter()
        .position(|secret| self::signature(value, SESSION_SALT, secret) == signature)
        .ok_or(Refusal::BadSignature)?;
    let (payload, stamp) = value.rsplit_once(':').ok_or(Refusal::BadTimestamp)?;
    let signed_at = read_stamp(stamp).ok_or(Refusal::BadTimestamp)?;
    if now - signed_at > max_age {
        return Err(Refusal::Expired);
    }
    let json = read_payload(payload, 65_536)?;
    let text = String::from_utf8(json).ok().filter(|text| text.is_ascii()).ok_or(Refusal::Json)?;
    let entries = read_object(&text)?;
    Ok(Content { entries, signed_at, key_index })
}

/// As `TimestampSigner.sign`.
pub fn sign(payload: &str, salt: &str, secret: impl AsRef<[u8]>, stamp: &str) -> String {
    let value = format!("{payload}:{stamp}");
    let signature = signature(&value, salt, secret);
    format!("{value}:{signature}")
}

/// As `Signer.signature`.
pub fn signature(value: &str, salt: &str, secret: impl AsRef<[u8]>) -> String {
    let key = Sha256::digest([salt.as_bytes(), b"signer", secret.as_ref()].concat());
    base64(&hmac_sha256(&key, value.as_bytes()))
}

/// HMAC as RFC 2104 defines it, for keys of at most 64 bytes.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; 64];
        key.iter().enumerate().for_each(|(at, byte)| block[at] ^= byte);
        block.to_vec()
    };
    let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes base64url without padding.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| usize::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        text.extend((0..=group.len()).map(|at| char::from(BASE64[bits >> (18 - 6 * at) & 63])));
    }
    text
}

/// Reads base64url without padding, if it is what `base64` writes.
pub fn read_base64(text: &str) -> Option<Vec<u8>> {
    let mut bits: Vec<u8> = Vec::new();
    for byte in text.bytes() {
        let digit = u8::try_from(BASE64.iter().position(|digit| *digit == byte)?).ok()?;
        bits.extend((0..6).rev().map(|at| digit >> at & 1));
    }
    let byte = |bits: &[u8]| bits.iter().fold(0, |byte, bit| byte << 1 | bit);
    let bytes: Vec<u8> = bits.chunks_exact(8).map(byte).collect();
    (base64(&bytes) == text).then_some(bytes)
}

/// As `zlib.compress`.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read_payload(payload: &str, limit: usize) -> Result<Vec<u8>, Refusal> {
    let json = match payload.strip_prefix('.') {
        Some(zlib) => read_zlib(&read_base64(zlib).ok_or(Refusal::Base64)?, limit)?,
        None => read_base64(payload).ok_or(Refusal::Base64)?,
    };
    if json.len() > limit { Err(Refusal::TooLarge) } else { Ok(json) }
}

/// Reads one whole zlib stream, and one byte more than the limit at most.
fn read_zlib(zlib: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut decoder = ZlibDecoder::new(zlib);
    let mut bytes = Vec::new();
    let read = decoder.by_ref().take(limit as u64 + 1).read_to_end(&mut bytes);
    if bytes.len() > limit {
        return Err(Refusal::TooLarge);
    }
    // The reader takes an end of input for the end of the stream: the checksum tells.
    let is_whole =
        zlib.ends_with(&adler32(&bytes).to_be_bytes()) && decoder.into_inner().is_empty();
    if read.is_ok() && is_whole { Ok(bytes) } else { Err(Refusal::Zlib) }
}

fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// As `b62_encode`.
pub fn stamp(seconds: i64) -> String {
    let mut digits = Vec::new();
    let mut rest = seconds.unsigned_abs();
    loop {
        digits.push(BASE62.chars().nth((rest % 62) as usize).unwrap());
        rest /= 62;
        if rest == 0 {
            break;
        }
    }
    let sign = if seconds < 0 { "-" } else { "" };
    sign.chars().chain(digits.into_iter().rev()).collect()
}

/// As `b62_decode`, for digits alone and up to the end of the year 9999.
pub fn read_stamp(stamp: &str) -> Option<i64> {
    let mut seconds = 0;
    for digit in stamp.chars() {
        seconds = seconds * 62 + i64::try_from(BASE62.find(digit)?).ok()?;
        if seconds > 253_402_300_799 {
            return None;
        }
    }
    (!stamp.is_empty()).then_some(seconds)
}

/// Reads an object's entries: each key in UTF-16, each value as it stands.
pub fn read_object(text: &str) -> Result<Vec<(Vec<u16>, String)>, Refusal> {
    let mut reader = Reader { text: text.as_bytes(), at: 0 };
    reader.value().ok_or(Refusal::Json)?;
    reader.space();
    if reader.at < text.len() {
        return Err(Refusal::Json);
    }
    let mut reader = Reader { text: text.as_bytes(), at: 0 };
    reader.space();
    if !reader.eat(b'{') {
        return Err(Refusal::NotAnObject);
    }
    let mut entries: Vec<(Vec<u16>, String)> = Vec::new();
    loop {
        reader.space();
        if reader.eat(b'}') {
            return Ok(entries);
        }
        reader.eat(b',');
        reader.space();
        let (start, _) = (reader.at, reader.key());
        let key = unescape(&text[start..]);
        reader.space();
        let (start, _) = (reader.at, reader.value());
        let value = text[start..reader.at].to_owned();
        // As in a Python dict: the first place and the last value.
        match entries.iter_mut().find(|(other, _)| *other == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }
}

/// Reads the characters of the string that a text of JSON begins with.
fn unescape(text: &str) -> Vec<u16> {
    let mut units = Vec::new();
    let mut chars = text[1..].chars();
    loop {
        let character = match chars.next().unwrap() {
            '"' => return units,
            '\\' => match chars.next().unwrap() {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap());
                    continue;
                }
                other => other,
            },
            other => other,
        };
        units.extend(character.encode_utf16(&mut [0; 2]).iter());
    }
}

/// The grammar of RFC 8259. Each function steps over something, or says `None`.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        word.bytes().all(|byte| self.eat(byte)).then_some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        self.word("\"")?;
        while !self.eat(b'"') {
            if self.eat(b'\\') {
                let is_unicode = self.peek()? == b'u';
                if !b"\"\\/bfnrtu".contains(&self.peek()?) {
                    return None;
                }
                self.at += 1;
                for _ in 0..if is_unicode { 4 } else { 0 } {
                    self.peek().filter(u8::is_ascii_hexdigit)?;
                    self.at += 1;
                }
            } else {
                self.peek().filter(|byte| *byte >= b' ')?;
                self.at += 1;
            }
        }
        Some(())
    }

    fn key(&mut self) -> Option<()> {
        self.space();
        self.string()?;
        self.space();
        self.word(":")
    }

    /// A value however deep: what is still open is kept in a list.
    fn value(&mut self) -> Option<()> {
        let mut open = Vec::new();
        loop {
            self.space();
            match self.peek()? {
                b'[' => {
                    self.at += 1;
                    self.space();
                    if !self.eat(b']') {
                        open.push(b']');
                        continue;
                    }
                }
                b'{' => {
                    self.at += 1;
                    self.space();
                    if !self.eat(b'}') {
                        self.key()?;
                        open.push(b'}');
                        continue;
                    }
                }
                b'"' => self.string()?,
                b'n' => self.word("null")?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                _ => self.number()?,
            }
            loop {
                let Some(close) = open.last().copied() else { return Some(()) };
                self.space();
                if self.eat(close) {
                    open.pop();
                    continue;
                }
                self.word(",")?;
                if close == b'}' {
                    self.key()?;
                }
                break;
            }
        }
    }
}

/// As `json.dumps(value, separators=(",", ":"))`.
pub fn dumps(value: &Tree) -> String {
    match value {
        Tree::Null => "null".to_owned(),
        Tree::Bool(true) => "true".to_owned(),
        Tree::Bool(false) => "false".to_owned(),
        Tree::Integer(value) => value.to_string(),
        Tree::Float(value) => repr(*value),
        Tree::Text(value) => quote(value),
        Tree::Array(items) => {
            let items: Vec<String> = items.iter().map(dumps).collect();
            format!("[{}]", items.join(","))
        }
        Tree::Object(entries) => {
            let entry = |(key, value): &(String, Tree)| format!("{}:{}", quote(key), dumps(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

/// As `json.dumps` writes a string.
pub fn quote(text: &str) -> String {
    let unit = |unit: u16| match u8::try_from(unit) {
        Ok(b'"') => "\\\"".to_owned(),
        Ok(b'\\') => "\\\\".to_owned(),
        Ok(b'\n') => "\\n".to_owned(),
        Ok(b'\r') => "\\r".to_owned(),
        Ok(b'\t') => "\\t".to_owned(),
        Ok(0x0c) => "\\f".to_owned(),
        Ok(0x08) => "\\b".to_owned(),
        Ok(byte @ b' '..=b'~') => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    };
    format!("\"{}\"", text.encode_utf16().map(unit).collect::<String>())
}

/// As `repr` writes a float.
///
/// Both take the fewest digits that read back as the same number. Where two such
/// spellings are as near, Python takes the even one: so does Rust only when it
/// is told how many digits to write, and then it may miss the number itself.
pub fn repr(float: f64) -> String {
    let shortest = format!("{float:e}");
    let digits = shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit);
    let rounded = format!("{float:.*e}", digits.count() - 1);
    let scientific = if rounded.parse() == Ok(float) { rounded } else { shortest };
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let exponent: i32 = exponent.parse().unwrap();
    let digits = mantissa.replace('.', "");
    if (-4..16).contains(&exponent) {
        let point = exponent + 1;
        let padded = match usize::try_from(point) {
            Ok(point @ 1..) => format!("{digits:0<point$}"),
            _ => format!("{}{digits}", "0".repeat((1 - point) as usize)),
        };
        let (whole, fraction) = padded.split_at(point.max(1) as usize);
        let fraction = if fraction.is_empty() { "0" } else { fraction };
        return format!("{sign}{whole}.{fraction}");
    }
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let direction = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{dot}{rest}e{direction}{:02}", exponent.abs())
}
