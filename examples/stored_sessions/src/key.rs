//! Reads and generates session keys, as Django's `SessionBase` does.

use crate::Failure;

/// The length of a key that Django generates.
const LEN: usize = 32;

/// The shortest key that Django takes from a cookie.
const MIN_LEN: usize = 8;

/// The length of the column.
const MAX_LEN: usize = 40;

/// The characters of a key, `VALID_KEY_CHARS` in Django.
const CHARACTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// The key of a row, which a visitor's cookie holds: anyone who has it can use the session.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    /// Returns the key in a cookie's value, if it can be one.
    ///
    /// The value is whatever the visitor sent. In a statement it is always a parameter; here it is
    /// also kept out of file names, cache keys and logs, in which a `/` or a space might lead
    /// elsewhere.
    pub fn parse(value: &str) -> Option<Self> {
        let is_key = (MIN_LEN..=MAX_LEN).contains(&value.len())
            && value.bytes().all(|byte| CHARACTERS.contains(&byte));
        is_key.then(|| Self(value.to_owned()))
    }

    /// Generates a key that nobody can guess: 165 bits.
    pub fn generate() -> Result<Self, Failure> {
        let mut key = String::with_capacity(LEN);
        while key.len() < LEN {
            let mut byte = [0];
            getrandom::fill(&mut byte)?;
            // Bytes past the last whole multiple would make some characters likelier than others.
            let multiple = u8::MAX - u8::MAX % 36;
            if byte[0] < multiple {
                key.push(char::from(CHARACTERS[usize::from(byte[0] % 36)]));
            }
        }
        Ok(Self(key))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
