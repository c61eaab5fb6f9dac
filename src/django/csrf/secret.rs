//! Generates and masks the CSRF secrets of visitors.
//!
//! Corresponds to `_mask_cipher_secret` and `_unmask_cipher_token` of `django.middleware.csrf`: a
//! secret has 32 characters from an alphabet of 62. A token has 64: a random mask, followed by the
//! sum of the mask and the secret, so that each page contains a different token. Without a mask, a
//! compressed page that also contains text chosen by an attacker would reveal the secret character
//! by character.

use subtle::{Choice, ConstantTimeEq};

use crate::random;

/// The number of characters in a secret, and in a mask.
const LEN: usize = 32;

/// The number of characters in a token.
const TOKEN_LEN: usize = 2 * LEN;

/// The size of the alphabet: `a` to `z`, `A` to `Z`, `0` to `9`, in this order.
const COUNT: u8 = 62;

/// A visitor's secret, as positions in the alphabet.
#[derive(Clone)]
pub(crate) struct Secret([u8; LEN]);

impl Secret {
    /// Creates an unpredictable secret.
    pub(crate) fn generate() -> Self {
        Self(random_positions())
    }

    /// Reads a secret as Django writes it, masked or unmasked.
    ///
    /// Returns `None` if the length or a character is not valid: Django refuses such a secret or
    /// raises an exception.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        match text.len() {
            LEN => Some(Self(positions(text)?)),
            TOKEN_LEN => {
                let (mask, cipher) = text.split_at_checked(LEN)?;
                let (mask, mut positions) = (positions(mask)?, positions(cipher)?);
                for (position, mask) in positions.iter_mut().zip(mask) {
                    *position = reduce(position.wrapping_add(COUNT).wrapping_sub(mask));
                }
                Some(Self(positions))
            }
            _ => None,
        }
    }

    /// Returns the secret as it is stored.
    pub(crate) fn to_text(&self) -> String {
        self.0.iter().copied().map(character).collect()
    }

    /// Returns a token for one page: the secret with a new mask.
    pub(crate) fn mask(&self) -> String {
        let mask = random_positions();
        let cipher = self.0.iter().zip(mask).map(|(position, mask)| position.wrapping_add(mask));
        mask.into_iter().chain(cipher.map(reduce)).map(character).collect()
    }
}

impl ConstantTimeEq for Secret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// Draws positions with equal probability.
fn random_positions() -> [u8; LEN] {
    // The largest multiple of the alphabet's size in a byte. With larger bytes, some characters
    // would be more likely than others.
    const END: u8 = u8::MAX - u8::MAX % COUNT;
    let mut positions = [0; LEN];
    let mut drawn = 0;
    while drawn < LEN {
        let usable = random::bytes::<LEN>().into_iter().filter(|byte| *byte < END);
        for (position, byte) in positions.iter_mut().skip(drawn).zip(usable) {
            *position = byte % COUNT;
            drawn = drawn.saturating_add(1);
        }
    }
    positions
}

/// Returns the positions of a text's characters.
fn positions(text: &[u8]) -> Option<[u8; LEN]> {
    let mut positions: [u8; LEN] = text.try_into().ok()?;
    if !positions.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    for byte in &mut positions {
        *byte = position(*byte);
    }
    Some(positions)
}

// The functions below have no branches and no tables, because timing and cache lines could reveal
// the character.

/// Returns the position of a letter or digit.
fn position(character: u8) -> u8 {
    // A digit comes after the 52 letters, a capital after the 26 small letters.
    character
        .wrapping_add(52_u8.wrapping_sub(b'0'))
        .wrapping_sub(at_least(character, b'A').wrapping_mul(43))
        .wrapping_sub(at_least(character, b'a').wrapping_mul(58))
}

/// Returns the character at a position.
fn character(position: u8) -> char {
    let byte = b'a'
        .wrapping_add(position)
        .wrapping_sub(at_least(position, 26).wrapping_mul(58))
        .wrapping_sub(at_least(position, 52).wrapping_mul(43));
    char::from(byte)
}

/// Reduces a number below twice the alphabet's size to a position.
fn reduce(number: u8) -> u8 {
    number.wrapping_sub(at_least(number, COUNT).wrapping_mul(COUNT))
}

/// Returns 1 if `number`, below 128, is at least `other`, and 0 otherwise.
fn at_least(number: u8, other: u8) -> u8 {
    (number.wrapping_sub(other) >> 7) ^ 1
}
