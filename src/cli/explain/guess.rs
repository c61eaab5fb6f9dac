//! Guesses from its looks what happened to a token that no key matches in any way.

use signed_session::Unverified;

use crate::cli::explain::causes::{Cause, Findings};
use crate::cli::explain::foreign;
use crate::cli::signature;
use crate::cli::verdict::Refusal;

/// The shortest word that may be what another system keeps in a cookie.
const MIN_WORD: usize = 26;

/// Returns the likely kind of a token that nothing verifies; the last guess is that it is forged.
///
/// `values` are the candidates for the token in the line, including the line itself.
pub(crate) fn guess<'v>(
    line: &str,
    values: impl IntoIterator<Item = &'v str>,
    refusal: &Refusal,
    findings: &mut Findings,
) {
    if line.trim().is_empty() {
        let says = "there is nothing";
        let cause = Cause::new("empty", says, "its length").hint("is a variable unset?");
        findings.causes.push(cause);
        return;
    }
    if *refusal == Refusal::NoCookie {
        let says = "there is no cookie of this name, and no other holds a genuine token";
        let cause = Cause::new("cookie_name", says, "each cookie").hint("--cookie-name NAME");
        findings.causes.push(cause);
    }
    let values: Vec<&str> = values.into_iter().collect();
    // A header of another kind, or a piece of a program, may surround it.
    let words = line.split(|c: char| c.is_whitespace() || "\"'=;,".contains(c));
    let words = words.filter(|word| word.len() >= MIN_WORD);
    if let Some(cause) = values.iter().copied().chain(words).find_map(foreign::looks) {
        findings.causes.push(cause);
        return;
    }
    if *refusal == Refusal::NoCookie {
        return;
    }
    // The token is the last of them: the text around it was removed.
    let text = values.last().map_or(line, |value| value.trim());
    findings.causes.push(shape(text).unwrap_or_else(|| {
        let says = "it is forged, or signed with another key";
        let hint = "is this the secret of the site that made it, also before it was rotated?";
        Cause::guess("forged_or_other_key", says, "everything that --verbose lists").hint(hint)
    }));
}

/// Describes what is wrong with the structure of a token.
fn shape(text: &str) -> Option<Cause> {
    if !text.is_ascii() {
        let says = "it holds characters beyond ASCII, which no session or object does";
        return Some(Cause::new("not_ascii", says, "to find them"));
    }
    let Ok(parts) = Unverified::new(text) else {
        let is_word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let says = if is_word {
            "it was cut off, or is no token: there is no separator"
        } else {
            "it is no token: there is no separator"
        };
        return Some(Cause::guess("truncated", says, "to find a :"));
    };
    let letters = || text.bytes().filter(u8::is_ascii_alphabetic);
    if text.len() >= 20
        && (letters().all(|b| b.is_ascii_uppercase()) || letters().all(|b| b.is_ascii_lowercase()))
    {
        let says = "all its letters were made upper or lower case, which cannot be undone";
        return Some(Cause::guess("case", says, "to find letters of both cases"));
    }
    let len = parts.signature().len();
    if len == 27 {
        let says = "its signature is as long as that of Django 3.0 or older, SHA-1, and no key \
             here made it";
        let hint = "is this the secret of the site that made it?";
        return Some(Cause::guess("sha1", says, "the length of its signature").hint(hint));
    }
    if len < 43 {
        let says = format!("it was cut off: its signature has {len} characters of 43");
        return Some(Cause::guess("truncated", says, "the length of its signature"));
    }
    if signature::kind(parts.signature()).is_none() {
        let says = format!("its signature has {len} characters, which is not a known length");
        return Some(Cause::guess("trailing", says, "the length of its signature"));
    }
    None
}
