//! Guesses from its looks what became of a token that no key matches, in whatever way it is read.

use signed_session::Unverified;

use crate::cli::explain::causes::{Cause, Findings};
use crate::cli::signature;
use crate::cli::verdict::Refusal;

/// Says what a token that nothing verifies looks like; last of all, that it is forged.
pub(crate) fn guess(line: &str, refusal: &Refusal, findings: &mut Findings) {
    let looks = looks_like(line.trim(), refusal);
    let is_certain = looks.is_some();
    findings.causes.extend(looks);
    if !is_certain {
        let says = "it is forged, or signed with another key";
        let hint = "is this the secret of the site that made it, also before it was rotated?";
        findings.causes.push(Cause::new("forged_or_other_key", says, "all below").hint(hint));
    }
}

fn looks_like(text: &str, refusal: &Refusal) -> Option<Cause> {
    if text.is_empty() {
        return Some(Cause::new("empty", "there is nothing: is a variable unset?", "its length"));
    }
    if *refusal == Refusal::NoCookie {
        let says = "there is no cookie of this name, and no other holds a genuine token";
        return Some(Cause::new("cookie_name", says, "each cookie").hint("--cookie-name NAME"));
    }
    if !text.is_ascii() {
        let says = "it holds characters beyond ASCII, which no token does";
        return Some(Cause::new("not_ascii", says, "to find them"));
    }
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let Ok(parts) = Unverified::new(text) else {
        let fields: Vec<&str> = text.split('.').collect();
        if fields.len() == 3 && text.starts_with("eyJ") && fields.iter().all(|part| is_word(part)) {
            let says = "it is a JSON Web Token, which is signed in another way";
            return Some(Cause::new("jwt", says, "its three parts"));
        }
        let is_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if text.len() == 32 && text.bytes().all(is_key) {
            let says = "it is a session key, which points into a session table, and no token";
            return Some(Cause::new("session_key", says, "its length and letters"));
        }
        let says = "it was cut off, or is no token: there is no separator";
        return Some(Cause::new("truncated", says, "to find a :"));
    };
    let letters = || text.bytes().filter(u8::is_ascii_alphabetic);
    if text.len() >= 20
        && (letters().all(|b| b.is_ascii_uppercase()) || letters().all(|b| b.is_ascii_lowercase()))
    {
        let says = "all its letters were made upper or lower case, which cannot be undone";
        return Some(Cause::new("case", says, "to find letters of both cases"));
    }
    let len = parts.signature().len();
    if len == 27 {
        let says =
            "it has the length of a SHA-1 signature, of Django 3.0 or older, which is refused";
        return Some(
            Cause::new("sha1", says, "the length of its signature, 27 characters")
                .hint("have Django 3.2 or later sign it anew"),
        );
    }
    if len < 43 {
        let says = format!("it was cut off: its signature has {len} characters of 43");
        return Some(Cause::new("truncated", says, "the length of its signature"));
    }
    if signature::kind(parts.signature()).is_none() {
        let says = format!("its signature has {len} characters, which is no known length");
        return Some(Cause::new("trailing", says, "the length of its signature"));
    }
    None
}
