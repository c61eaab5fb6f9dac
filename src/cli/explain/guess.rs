//! Guesses what happened to a token that no key matches in any way.

use signed_session::Unverified;

use crate::cli::explain::causes::{Cause, Findings};
use crate::cli::explain::foreign;
use crate::cli::signature;
use crate::cli::verdict::Refusal;

/// The minimum length of a word that may be a cookie of another system.
const MIN_WORD: usize = 26;

/// Adds the likely kind of a token that no key matches to the findings.
///
/// The last guess is that it is forged. `values` are the candidates for the token in the line,
/// including the line itself.
pub(crate) fn guess<'v>(
    line: &str,
    values: impl IntoIterator<Item = &'v str>,
    refusal: &Refusal,
    findings: &mut Findings,
) {
    if line.trim().is_empty() {
        let says = "the input is blank";
        let cause = Cause::new("empty", says, "reading it").hint("check that the variable is set");
        findings.causes.push(cause);
        return;
    }
    if *refusal == Refusal::NoCookie {
        let says = "no cookie has this name, and no other cookie contains a genuine token";
        let cause = Cause::new("cookie_name", says, "verifying each cookie")
            .hint("--cookie-name NAME sets the name");
        findings.causes.push(cause);
    }
    let values: Vec<&str> = values.into_iter().collect();
    // Another header, or source code, may surround the token.
    let words = line.split(|c: char| c.is_whitespace() || "\"'=;,".contains(c));
    let words = words.filter(|word| word.len() >= MIN_WORD);
    if let Some(cause) = values.iter().copied().chain(words).find_map(foreign::looks) {
        findings.causes.push(cause);
        return;
    }
    if *refusal == Refusal::NoCookie {
        return;
    }
    // The last candidate is the token without the text around it.
    let text = values.last().map_or(line, |value| value.trim());
    findings.causes.push(shape(text).unwrap_or_else(|| {
        let says = "it is forged, or was signed with another key";
        let hint = "check that a key is the current or a former secret of the site that created it";
        Cause::guess("forged_or_other_key", says, "everything that --verbose lists").hint(hint)
    }));
}

/// Describes a fault in the structure of a token.
fn shape(text: &str) -> Option<Cause> {
    if !text.is_ascii() {
        let says = "it contains characters beyond ASCII, unlike any session or object";
        return Some(Cause::new("not_ascii", says, "looking for such characters"));
    }
    let Ok(parts) = Unverified::new(text) else {
        let is_word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let says = if is_word {
            "it has no separator: it was truncated, or is not a token"
        } else {
            "it has no separator, so it is not a token"
        };
        return Some(Cause::guess("truncated", says, "looking for a colon"));
    };
    let letters = || text.bytes().filter(u8::is_ascii_alphabetic);
    if text.len() >= 20
        && (letters().all(|b| b.is_ascii_uppercase()) || letters().all(|b| b.is_ascii_lowercase()))
    {
        let says = "all its letters have the same case; the original case cannot be restored";
        return Some(Cause::guess("case", says, "looking for letters of both cases"));
    }
    let len = parts.signature().len();
    if len == 27 {
        let says = "its signature has the length of SHA-1, as in Django 3.0 and older, and matches \
             none of the keys";
        let hint = "check that a key is the secret of the site that created it";
        return Some(Cause::guess("sha1", says, "checking the length of its signature").hint(hint));
    }
    if len < 43 {
        let says = format!("it was truncated: its signature has {len} of 43 characters");
        return Some(Cause::guess("truncated", says, "checking the length of its signature"));
    }
    if signature::kind(parts.signature()).is_none() {
        let says = format!("its signature has {len} characters, which is not a known length");
        return Some(Cause::guess("trailing", says, "checking the length of its signature"));
    }
    None
}
