//! Turns a number into Django's base-62 digits, and back.
//!
//! Corresponds to `django.core.signing.b62_encode` and `b62_decode`: the digits are `0-9`, `A-Z`,
//! `a-z` in this order, and a negative number begins with `-`.

use crate::error::sure;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Appends the number's digits.
pub(crate) fn append(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    // Eleven digits hold 64 bits; they are computed from the last to the first.
    let mut digits = [b'0'; 11];
    let mut rest = number.unsigned_abs();
    let mut len: usize = 0;
    for place in digits.iter_mut().rev() {
        let digit = usize::try_from(rest % 62).ok().and_then(|index| DIGITS.get(index));
        *place = sure(digit.copied());
        rest /= 62;
        len = len.saturating_add(1);
        if rest == 0 {
            break;
        }
    }
    let start = digits.len().saturating_sub(len);
    out.extend_from_slice(sure(digits.get(start..)));
}

/// Reads plain digits.
///
/// Returns `None` for a sign, another character or a number that exceeds 64 bits.
pub(crate) fn parse(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let (first, value) = match byte {
            b'0'..=b'9' => (b'0', 0),
            b'A'..=b'Z' => (b'A', 10),
            b'a'..=b'z' => (b'a', 36),
            _ => return None,
        };
        let digit = u64::from(byte.wrapping_sub(first)).wrapping_add(value);
        number.checked_mul(62)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::{append, parse};

    fn text(number: i64) -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, number);
        out
    }

    #[test]
    fn numbers_are_spelled_as_django_spells_them() {
        // From django.core.signing.b62_encode, Django 6.1.3.
        for (number, spelling) in [
            (0, "0"),
            (1, "1"),
            (61, "z"),
            (62, "10"),
            (-1, "-1"),
            (-62, "-10"),
            (1_700_000_000, "1r31eq"),
            (1 << 31, "2LKcb2"),
            (i64::MAX, "AzL8n0Y58m7"),
            (i64::MIN, "-AzL8n0Y58m8"),
        ] {
            assert_eq!(text(number), spelling.as_bytes());
            if let Ok(number) = u64::try_from(number) {
                assert_eq!(parse(spelling), Some(number));
            }
        }
    }

    #[test]
    fn only_plain_digits_within_64_bits_are_read() {
        assert_eq!(parse("00"), Some(0));
        assert_eq!(parse("AzL8n0Y58m8"), Some(1 << 63));
        assert_eq!(parse("LygHa16AHYF"), Some(u64::MAX));
        for odd in ["", "-", "-1", "+1", " 1", "1 ", "a_b", "é", "LygHa16AHYG", "zzzzzzzzzzzz"] {
            assert_eq!(parse(odd), None, "{odd:?}");
        }
    }
}
