//! The library's laws, each a function that takes any bytes and panics if they break it.
//!
//! libFuzzer calls them from `fuzz_targets/`, and the ordinary tests call them
//! from `tests/project/fuzz_corpus.rs` with the inputs in `corpus/`.

#![forbid(unsafe_code)]

mod django;
mod ends;
mod input;
mod made;
mod tree;

pub mod beside;
pub mod command_line;
pub mod cookie;
pub mod ended;
pub mod json;
pub mod naive;
pub mod numbers_and_dates;
pub mod raw;
pub mod round_trip;
pub mod signed;
pub mod story;
pub mod tamper;

use std::error::Error;
use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::Duration;

use signed_session::{DecodeError, EncodeError, ExpiryRule, Keyring, SessionCodec, ValueError};
use time::OffsetDateTime;
use time::macros::datetime;

type Law = fn(&[u8]);

/// Every law by the name of its target.
pub const LAWS: [(&str, Law); 10] = [
    ("beside", beside::law),
    ("cookie", cookie::law),
    ("json", json::law),
    ("naive", naive::law),
    ("numbers_and_dates", numbers_and_dates::law),
    ("raw", raw::law),
    ("round_trip", round_trip::law),
    ("signed", signed::law),
    ("story", story::law),
    ("tamper", tamper::law),
];

/// When the laws take place, 1,700,000,000 in Unix seconds.
const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);

/// The secret of most test vectors.
pub const SECRET: &str = "test-secret-key-0123456789";

/// The stamp of `NOW`.
const STAMP: &str = "1r31eq";

const TWO_WEEKS: Duration = Duration::from_secs(1_209_600);

static RING: LazyLock<Keyring> = LazyLock::new(|| Keyring::new(SECRET).unwrap());

/// A codec that takes whatever the key signed, large as it may be.
static WIDE_CODEC: LazyLock<SessionCodec> = LazyLock::new(|| {
    SessionCodec::new(&RING).expiry_rule(ExpiryRule::Django).max_token_len(1 << 20)
});

/// Panics if entries, each a key with its JSON, were refused that hold no reserved key.
///
/// An expiry is reserved only if no token with it is read.
fn is_rightly_reserved(error: &ValueError, entries: &[(&str, String)]) {
    let ValueError::Reserved { key } = error else { panic!("{error}") };
    let mut said = entries.iter().filter(|(other, _)| other == key).map(|(_, json)| json);
    match key.as_str() {
        "_session_started" => assert!(said.next().is_some()),
        "_session_expiry" => assert!(said.any(|json| !is_readable_expiry(json))),
        other => panic!("{other} is not reserved"),
    }
}

/// Returns `true` if a token with this expiry is read.
fn is_readable_expiry(json: &str) -> bool {
    let payload = django::base64(format!("{{\"_session_expiry\":{json}}}").as_bytes());
    let token = django::sign(&payload, django::SESSION_SALT, SECRET, STAMP);
    let enforcing = WIDE_CODEC.clone().expiry_rule(ExpiryRule::Enforce);
    if enforcing.decode_at(&token, NOW).err() != Some(DecodeError::BadExpiry) {
        return true;
    }
    // It can come from a program that does not mind, and cannot go on from here.
    let session = WIDE_CODEC.decode_at(&token, NOW).unwrap();
    assert_eq!(session.expiry(), Err(ValueError::WrongType { key: "_session_expiry".to_owned() }));
    assert_eq!(enforcing.encode_at(&session, NOW), Err(EncodeError::BadExpiry));
    false
}

/// Panics if a `Debug` form holds text that came in.
fn is_discreet(shown: &impl Debug, came_in: &str) {
    holds_nothing_of(came_in, || format!("{shown:?} {shown:#?}"));
}

/// Panics if a message is not one line of ASCII, or holds text that came in.
fn is_discreet_error(error: &impl Error, came_in: &str) {
    let source = error.source().map_or(String::new(), |source| format!(": {source}"));
    let message = error.to_string() + &source;
    assert!(!message.is_empty() && message.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    holds_nothing_of(came_in, || format!("{message} {error:?} {error:#?}"));
}

/// A word of 16 letters and digits is in both by no accident.
fn holds_nothing_of(came_in: &str, say: impl FnOnce() -> String) {
    let words = came_in.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric());
    let mut long = words.filter(|word| word.len() >= 16).peekable();
    if long.peek().is_some() {
        let said = say();
        assert!(long.all(|word| !said.contains(word)), "{said:?}");
    }
}
