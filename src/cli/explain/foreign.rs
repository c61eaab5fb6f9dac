//! Recognizes cookies and tokens of other systems.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::cli::explain::causes::Cause;
use crate::cli::explain::spellings::Spelling;
use crate::cli::explain::suspects::spelled;
use crate::cli::form;
use crate::cli::mac;
use crate::cli::old_session::OldSession;

/// The maximum length of a string that is examined, in bytes.
const MAX_LEN: usize = 64 * 1024;

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, CONFIG);

/// Identifies a string that was signed in a way the library does not support.
pub(crate) fn signed(text: &str, keys: &[(usize, Spelling)], tried: &str) -> Vec<Cause> {
    if text.len() > MAX_LEN {
        return Vec::new();
    }
    let mut causes = Vec::new();
    let mut prove = |name: &str, says: &str, hint: &str, matches: &dyn Fn(&[u8]) -> bool| {
        let Some((index, spelling)) = keys.iter().find(|(_, key)| matches(&key.bytes)) else {
            return;
        };
        if let Some(how) = &spelling.says {
            causes.push(spelled(*index, how, tried));
        }
        let says = format!("it is {says}, signed with key {index}");
        causes.push(Cause::new(name, says, tried).hint(hint));
    };
    if let Some(old) = OldSession::new(text) {
        let says = "session_data of Django 3.0 or older";
        prove("old_session_data", says, OLD_HINT, &|secret| old.is_signed_by(secret));
        return causes;
    }
    let Some((value, signature)) = text.rsplit_once('.') else { return causes };
    if signature.len() == 27 {
        let value = value.as_bytes();
        let is_mac = |key: &[u8]| mac::base64(&mac::sha1(key, value)) == signature;
        let says = "a session of Flask";
        prove("flask", says, FOREIGN_HINT, &|secret| is_mac(&mac::sha1(secret, b"cookie-session")));
        for salt in ["itsdangerous", "itsdangerous.Signer"] {
            let says = "a token of itsdangerous, such as a session of Starlette";
            prove("itsdangerous", says, FOREIGN_HINT, &|secret| {
                let key: [&[u8]; 3] = [salt.as_bytes(), b"signer", secret];
                mac::base64(&mac::salted_sha1(&key, value)) == signature
            });
        }
    }
    if signature.len() == 43 && algorithm(text).as_deref() == Some("HS256") {
        prove("jwt", "a JSON Web Token", FOREIGN_HINT, &|secret| {
            mac::base64(&mac::sha256(secret, value.as_bytes())) == signature
        });
    }
    causes
}

const OLD_HINT: &str = "signed-session inspect shows its content; Django 3.1 and 3.2 read it, later \
     versions do not: the visitor must log in again";
const FOREIGN_HINT: &str = "only the software that created it can read it";

/// Identifies a string that was not signed with any of these keys.
pub(crate) fn looks(text: &str) -> Option<Cause> {
    let text = text.trim();
    if text.len() > MAX_LEN {
        return None;
    }
    let decoded = form::percent_decode(text).map_or(Cow::Borrowed(text), Cow::Owned);
    known(text).or_else(|| apparent(&decoded))
}

/// Identifies a string by its structure, which is not a guess.
fn known(text: &str) -> Option<Cause> {
    if let Some(old) = OldSession::new(text) {
        let content = if old.json().is_some() { "JSON" } else { "something other than JSON" };
        let says = format!(
            "it has the form of session_data of Django 3.0 and older: base64 of a SHA-1 signature \
             and {content}; none of the keys signed it (for a class named SessionStore)"
        );
        return Some(Cause::new("old_session_data", says, "decoding it").hint(OLD_HINT));
    }
    if let Some(algorithm) = algorithm(text) {
        // An unknown name could be any text.
        let algorithm = ALGORITHMS.into_iter().find(|known| *known == algorithm);
        let algorithm = algorithm.unwrap_or("that signed it");
        let says = format!(
            "it has the form of a JSON Web Token, whose header names the algorithm {algorithm}"
        );
        return Some(Cause::new("jwt", says, "decoding its header").hint(FOREIGN_HINT));
    }
    None
}

/// Algorithms of RFC 7518 and RFC 8037.
const ALGORITHMS: [&str; 20] = [
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "ES256",
    "ES384",
    "ES512",
    "PS256",
    "PS384",
    "PS512",
    "EdDSA",
    "none",
    "dir",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128KW",
    "A256KW",
    "ECDH-ES",
];

/// Returns the algorithm in the header of a JSON Web Token.
fn algorithm(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('.').collect();
    if !matches!(parts.len(), 3 | 5) {
        return None;
    }
    let header: Value = serde_json::from_slice(&URL_SAFE.decode(parts.first()?).ok()?).ok()?;
    Some(header.get("alg")?.as_str()?.to_owned())
}

/// Guesses the kind of a string by its form.
fn apparent(text: &str) -> Option<Cause> {
    let is_of = |part: &str, others: &[u8]| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let guess = |name: &str, what: &str| {
        let says = format!("it looks like {what}");
        Some(Cause::guess(name, says, "comparing its form with known ones").hint(FOREIGN_HINT))
    };
    let dots: Vec<&str> = text.split('.').collect();
    // In Flask, a leading dot marks compression.
    if let [.., payload, stamp, signature] = dots.as_slice()
        && matches!(dots.as_slice(), [_, _, _] | ["", _, _, _])
        && signature.len() == 27
        && (5..=8).contains(&stamp.len())
        && [payload, stamp, signature].iter().all(|part| is_of(part, b"-_="))
    {
        return guess("flask", "a session of Flask, or another token of itsdangerous");
    }
    if let Some((id, signature)) = text.strip_prefix("s:").and_then(|rest| rest.rsplit_once('.'))
        && !id.is_empty()
        && (40..=44).contains(&signature.len())
        && is_of(signature, b"+/=-_")
    {
        return guess("express", "a signed session id of Express (connect.sid)");
    }
    let dashes: Vec<&str> = text.split("--").collect();
    match dashes.as_slice() {
        [value, digest]
            if matches!(digest.len(), 40 | 64) && is_hex(digest) && is_of(value, b"+/=-_") =>
        {
            return guess("rails", "a signed cookie of Rails");
        }
        [value, iv, tag] if [value, iv, tag].iter().all(|part| is_of(part, b"+/=-_")) => {
            return guess("rails", "an encrypted cookie of Rails");
        }
        _ => {}
    }
    for (start, name, what) in [
        ("gAAAA", "fernet", "a token of Fernet"),
        ("CfDJ8", "aspnet", "a cookie of ASP.NET Core"),
        ("SFMyNTY.", "phoenix", "a session of Phoenix"),
        ("Fe26.", "iron", "a token of iron-session or hapi"),
        ("v2.local.", "paseto", "a PASETO"),
        ("v4.local.", "paseto", "a PASETO"),
        ("v4.public.", "paseto", "a PASETO"),
        ("2|1:0|", "tornado", "a secure cookie of Tornado"),
    ] {
        if text.starts_with(start) {
            return guess(name, what);
        }
    }
    let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).unwrap_or_default();
    if let Ok(Value::Object(object)) = serde_json::from_slice(&decoded) {
        if object.contains_key("iv") && object.contains_key("mac") && object.contains_key("value") {
            return guess("laravel", "an encrypted cookie of Laravel");
        }
        let says = "it looks like base64 of JSON without a timestamp and a signature, such as a \
             cookie of Express's cookie-session or a truncated token";
        return Some(Cause::guess("unsigned", says, "decoding it"));
    }
    let digits = decoded.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if (9..=11).contains(&digits) && decoded.get(digits) == Some(&b'|') {
        return guess("gorilla", "a secure cookie of gorilla (Go)");
    }
    let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    match text.len() {
        32 if text.bytes().all(is_lower) => {
            let says = if is_hex(text) {
                "it looks like the id of a session that is stored on a server: a session key of \
                 Django, or a session id of PHP or another system"
            } else {
                "it looks like a session key of Django, which identifies a row of the session \
                 table and is not a token"
            };
            Some(Cause::guess("session_key", says, "checking its length and characters"))
        }
        26 if text.bytes().all(is_lower) => guess("php", "a session id of PHP"),
        32 if is_hex(text) => guess("java", "a session id of Java (JSESSIONID)"),
        32 | 64 if is_of(text, b"") => guess("csrf", "a CSRF token of Django"),
        36 if text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
            && is_hex(&text.replace('-', "")) =>
        {
            guess("uuid", "a UUID, which may be the id of a session on a server")
        }
        _ => None,
    }
}
