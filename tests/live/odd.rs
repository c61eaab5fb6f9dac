//! Tokens with faults: altered by one who has no key, or made odd by one who has.

use std::io::{Read as _, Write};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use signed_session::{Compress, DecodeError};

use crate::data::Value;
use crate::question::{Call, Question, payload};
use crate::random::Random;

/// Names the difference from Django that lets the crate refuse what Django accepts.
///
/// The numbers are those of the list in docs/differences.md. `signed` is what stands
/// before the last separator and the signature.
pub fn difference(signed: &str, refusal: &DecodeError) -> Option<&'static str> {
    match refusal {
        DecodeError::Base64 => Some("D1: base64 is strict"),
        DecodeError::Zlib if Payload::read(signed)?.trailing => {
            Some("D2: bytes after the zlib stream are refused")
        }
        DecodeError::TooLong { .. } | DecodeError::TooLarge { .. } => {
            Some("D3: there is a limit to what is read")
        }
        DecodeError::BadTimestamp if is_odd_stamp(signed) => {
            Some("D4: stamps are plain digits, up to the year 9999")
        }
        DecodeError::Json if Payload::read(signed)?.says("NaN") => Some("D7: NaN is refused"),
        DecodeError::Json if Payload::read(signed)?.says("Infinity") => {
            Some("D7: Infinity is refused")
        }
        DecodeError::Json if !Payload::read(signed)?.bytes.is_ascii() => {
            Some("D8: bytes past ASCII are refused")
        }
        DecodeError::NotAnObject => Some("D9: a session must be an object"),
        _ => None,
    }
}

/// Names the fault for which the crate has promised to refuse what it just accepted.
pub fn broken_promise(call: Call, signed: &str, read: &str) -> Option<&'static str> {
    if call != Call::Object && is_odd_stamp(signed) {
        return Some("D4: an odd stamp was accepted");
    }
    if !Call::OF_DATA.contains(&call) {
        return None;
    }
    match Payload::read(signed) {
        None => Some("D1: odd base64 was accepted"),
        Some(payload) if payload.trailing => Some("D2: bytes after the zlib stream were accepted"),
        Some(payload) if !payload.bytes.is_ascii() => Some("D8: bytes past ASCII were accepted"),
        Some(_) if call == Call::Session && !read.starts_with('{') => {
            Some("D9: a session that is not an object was accepted")
        }
        Some(_) => None,
    }
}

/// What is in a payload whose base64 is as it should be.
struct Payload {
    bytes: Vec<u8>,
    /// More follows the zlib stream.
    trailing: bool,
}

impl Payload {
    fn read(signed: &str) -> Option<Self> {
        let payload = signed.split(':').next()?;
        let Some(payload) = payload.strip_prefix('.') else {
            return Some(Self { bytes: URL_SAFE_NO_PAD.decode(payload).ok()?, trailing: false });
        };
        let zlib = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let mut decoder = ZlibDecoder::new(zlib.as_slice());
        let mut bytes = Vec::new();
        decoder.read_to_end(&mut bytes).ok()?;
        Some(Self { bytes, trailing: decoder.total_in() < zlib.len() as u64 })
    }

    fn says(&self, word: &str) -> bool {
        String::from_utf8_lossy(&self.bytes).contains(word)
    }
}

/// Returns `true` if two refusals name the same fault, or one of them names none.
pub fn is_same_reason(django: &str, here: &DecodeError) -> bool {
    if let DecodeError::TooLong { .. } = here {
        // Checked before all else; Django has no such limit.
        return true;
    }
    match django {
        // The session backend keeps the reason to itself.
        "replaced" => true,
        "BadSignature" => !here.is_authentic(),
        "SignatureExpired" => {
            matches!(here, DecodeError::Expired { .. } | DecodeError::BadTimestamp)
        }
        _ => here.is_authentic() && !matches!(here, DecodeError::Expired { .. }),
    }
}

fn is_odd_stamp(text: &str) -> bool {
    let Some((_, stamp)) = text.rsplit_once(':') else { return false };
    stamp.is_empty()
        || !stamp.bytes().all(|byte| byte.is_ascii_alphanumeric())
        || number(stamp) > 253_402_300_799
}

fn number(digits: &str) -> u128 {
    digits.bytes().fold(0, |number: u128, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            _ => byte.wrapping_sub(b'a').wrapping_add(36),
        };
        number.saturating_mul(62).saturating_add(digit.into())
    })
}

impl Random {
    /// Alters a token as one without a key could; `other` is a second one of the same kind.
    pub fn alter(&mut self, token: &str, other: &str) -> String {
        let mut token: Vec<char> = token.chars().collect();
        for _ in 0..*self.pick(&[0, 1, 1, 1, 1, 1, 2]) {
            self.alter_once(&mut token, other);
        }
        token.into_iter().collect()
    }

    fn alter_once(&mut self, token: &mut Vec<char>, other: &str) {
        if token.is_empty() {
            return token.push(':');
        }
        let at = self.below(token.len());
        match self.below(10) {
            0 => token[at] = self.token_character(),
            1 => drop(token.remove(at)),
            2 => {
                let character = self.token_character();
                token.insert(at, character);
            }
            3 => {
                let next = (at + 1) % token.len();
                token.swap(at, next);
            }
            4 => token.truncate(at),
            5 => {
                let character = self.token_character();
                token.push(character);
            }
            6 => {
                let letter = token[at];
                token[at] = if letter.is_ascii_lowercase() {
                    letter.to_ascii_uppercase()
                } else {
                    letter.to_ascii_lowercase()
                };
            }
            // The bits of the last character that base64 does not use.
            7 => {
                let last = token.len() - 1;
                token[last] = self.token_character();
            }
            8 => token.push(*self.pick(&['=', ' ', '\n', ':', '.'])),
            _ => self.swap_parts(token, other),
        }
    }

    /// Takes some of the parts between colons from another token.
    fn swap_parts(&mut self, token: &mut Vec<char>, other: &str) {
        let text: String = token.iter().collect();
        let (ours, theirs): (Vec<&str>, Vec<&str>) =
            (text.split(':').collect(), other.split(':').collect());
        let mixed: Vec<&str> = ours
            .iter()
            .zip(&theirs)
            .map(|(our, their)| if self.once_in(2) { *our } else { *their })
            .collect();
        *token = mixed.join(":").chars().collect();
    }

    fn token_character(&mut self) -> char {
        match self.below(6) {
            0 => self.character(),
            1 => *self.pick(&[':', '.', '=', '-', '_', '+', '/', ' ']),
            _ => char::from(
                *self.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            ),
        }
    }

    /// Creates what only a holder of the key can sign, often odd, and may set the question's limit.
    pub fn forge(&mut self, question: &mut Question) -> String {
        let text = match (question.call, self.below(6)) {
            (Call::StampedText | Call::Text, _) => self.text(20),
            (_, 0) => self.odd_base64(question),
            (_, 1) => self.odd_zlib(),
            (_, 2) => self.junk(),
            (_, 3 | 4) => self.odd_json(question),
            _ => {
                question.max_payload_len = 1000;
                self.long()
            }
        };
        if matches!(question.call, Call::Object | Call::Text) || self.once_in(20) {
            return text;
        }
        format!("{text}:{}", self.stamp(question.now / 1000))
    }

    pub fn stamp(&mut self, now: i64) -> String {
        let odd = [
            "",
            "-",
            "-0",
            "-1",
            "0",
            "00",
            "+1",
            " 1",
            "1 ",
            "a_b",
            "1.5",
            "é",
            "١",
            "1r31eq\n",
            "Zz",
            "00000000001r31eq",
            "zzzzzz",
            "4SeZdj",
            "zzzzzzz",
            "zzzzzzzzzz",
            "zzzzzzzzzzzz",
        ];
        match self.below(8) {
            0 => (*self.pick(&odd)).to_owned(),
            1 => "z".repeat(self.within(1, 400) as usize),
            // Also in the future.
            _ => base62(now + self.within(-2_000_000, 2_000_000)),
        }
    }

    fn json(&mut self, question: &Question) -> String {
        let data = match question.call {
            Call::Session | Call::Database => Value::Object(
                self.session()
                    .into_iter()
                    .map(|(key, value)| (crate::data::Key::Text(key), value))
                    .collect(),
            ),
            _ => self.value(),
        };
        let plain = Question { call: Call::Object, separator: ":".to_owned(), ..question.clone() };
        payload(&plain.sign_data(&data, Compress::Never))
    }

    fn long(&mut self) -> String {
        let json = format!("[\"{}\"]", "long ".repeat(self.below(400)));
        if self.once_in(2) {
            return URL_SAFE_NO_PAD.encode(json);
        }
        let level = Compression::default();
        let zlib = finish(ZlibEncoder::new(Vec::new(), level), &json, ZlibEncoder::finish);
        format!(".{}", URL_SAFE_NO_PAD.encode(zlib))
    }

    /// Base64 with characters too many, too few or other than canonical.
    fn odd_base64(&mut self, question: &Question) -> String {
        let json = self.json(question);
        let mut text: Vec<char> = URL_SAFE_NO_PAD.encode(json).chars().collect();
        if self.once_in(4) {
            text.insert(0, '.');
        }
        for _ in 0..self.below(3) {
            let at = self.below(text.len() + 1);
            let odd = *self.pick(&['=', '+', '/', '-', '_', ' ', '.', ':', '!', 'é', '\n', 'A']);
            match self.below(4) {
                0 => text.insert(at, odd),
                1 => text.push('='),
                2 => drop(text.pop()),
                _ => {
                    if let Some(last) = text.last_mut() {
                        *last = self.token_character();
                    }
                }
            }
        }
        text.into_iter().collect()
    }

    fn junk(&mut self) -> String {
        let dot = *self.pick(&["", "."]);
        let len = self.below(30);
        let characters: String = (0..len).map(|_| self.token_character()).collect();
        format!("{dot}{characters}")
    }

    fn odd_zlib(&mut self) -> String {
        let json = format!("{{\"a\":\"{}\"}}", "ab".repeat(self.below(300)));
        let level = Compression::new(self.below(10) as u32);
        let mut bytes = match self.below(8) {
            0 => finish(DeflateEncoder::new(Vec::new(), level), &json, DeflateEncoder::finish),
            1 => finish(GzEncoder::new(Vec::new(), level), &json, GzEncoder::finish),
            _ => finish(ZlibEncoder::new(Vec::new(), level), &json, ZlibEncoder::finish),
        };
        let whole = bytes.len();
        match self.below(5) {
            0 => {
                let len = self.below(9);
                bytes.extend(self.bytes(len));
            }
            1 => bytes.extend_from_within(..),
            2 => bytes.truncate(self.below(whole)),
            3 => {
                let at = self.below(whole);
                bytes[at] ^= 1 << self.below(8);
            }
            _ => (),
        }
        format!(".{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn odd_json(&mut self, question: &Question) -> String {
        let odd = [
            "NaN",
            "Infinity",
            "-Infinity",
            "1e999",
            "-1e999",
            "1e-999",
            "-0",
            "-0.0",
            "0.10",
            "1E5",
            "1e+5",
            "01",
            "1.",
            ".5",
            "+1",
            "0x1",
            "-",
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "\"\\u00E9\"",
            "\"\\/\"",
            "\"\\x41\"",
            "\"\\u12\"",
            "\"\x7f\"",
            "\"\x01\"",
            "\"\n\"",
            "'a'",
            "nul",
            "None",
            "True",
            "[1,]",
            "[,]",
            "{}",
            "[]",
            "{\"a\":1,\"a\":2}",
            "{\"\\u0061\":1,\"a\":2,\"\\ud800\":3}",
            "{a:1}",
            "{\"a\":1,}",
            "{1:2}",
            "\"é\"",
            "é",
            "\u{feff}{}",
            "// x\n1",
            "1 2",
            "null",
            "true",
            "",
            "123456789012345678901234567890123456789012345678901234567890",
            "0.1234567890123456789012345678901234567890",
        ];
        let piece = *self.pick(&odd);
        let mut text = match self.below(5) {
            0 => piece.to_owned(),
            1 => format!(" \t\r\n{{ \"k\" :\n{piece} }} \n"),
            2 => format!("{{\"a\":[{piece}],\"b\":1.50,\"a\":{{\"c\":{piece}}}}}"),
            3 => format!(
                "{{\"k\":{piece}}}{}",
                self.pick(&["", " ", ",", "x", "\0", "\u{a0}", "\u{b}", "{}"])
            ),
            _ => {
                let mut json: Vec<char> = self.json(question).chars().collect();
                for _ in 0..self.below(2) + 1 {
                    let at = self.below(json.len());
                    let odd = *self.pick(&[
                        '"', '\\', '{', '}', '[', ']', ',', ':', ' ', '0', '9', '-', '+', '.', 'e',
                        'E', 'u', 'd', 'n', '/', '\t', '\n', '\x0b', '\x7f', '\x00', 'é',
                    ]);
                    match self.below(3) {
                        0 => json[at] = odd,
                        1 => json.insert(at, odd),
                        _ if json.len() > 1 => drop(json.remove(at)),
                        _ => (),
                    }
                }
                json.into_iter().collect()
            }
        };
        if self.once_in(20) {
            text = format!("{{\"deep\":{}{text}{}}}", "[".repeat(200), "]".repeat(200));
        }
        // As UTF-8, or as the Latin-1 that Django takes all bytes for.
        let latin = self.once_in(3) && text.chars().all(|character| character <= 'ÿ');
        let bytes: Vec<u8> = match latin {
            true => text.chars().map(|character| character as u8).collect(),
            false => text.into_bytes(),
        };
        if self.once_in(4) {
            let encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            return format!(
                ".{}",
                URL_SAFE_NO_PAD.encode(finish(encoder, &bytes, ZlibEncoder::finish))
            );
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn finish<W: Write>(
    mut encoder: W,
    bytes: impl AsRef<[u8]>,
    end: impl FnOnce(W) -> std::io::Result<Vec<u8>>,
) -> Vec<u8> {
    encoder.write_all(bytes.as_ref()).expect("memory takes all");
    end(encoder).expect("memory takes all")
}

pub fn base62(number: i64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    while digits.is_empty() || rest > 0 {
        digits.push(char::from(DIGITS[(rest % 62) as usize]));
        rest /= 62;
    }
    if number < 0 {
        digits.push('-');
    }
    digits.into_iter().rev().collect()
}
