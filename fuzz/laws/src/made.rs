//! Tokens that a holder of the key made of the fuzzer's bytes.

use super::input::Input;
use super::{NOW, STAMP, django};

/// Takes a stamp: that of now, one near it, or any text.
pub fn stamp(input: &mut Input<'_>) -> String {
    match input.byte() % 4 {
        0 => STAMP.to_owned(),
        1 => django::stamp(NOW.unix_timestamp().saturating_sub(input.number())),
        2 => django::stamp(input.number()),
        _ => input.text(),
    }
}

/// Takes a payload, which is all that is left: JSON as it may be, or what only looks like one.
pub fn payload(input: &mut Input<'_>) -> String {
    match input.byte() % 6 {
        0 => django::base64(input.rest()),
        1 => format!(".{}", django::base64(&django::zlib(input.rest()))),
        2 => format!(".{}", django::base64(input.rest())),
        3 => input.rest_as_text(),
        4 => format!(".{}", input.rest_as_text()),
        // Small as it is sent, and up to 130 KB once it is inflated: past the limit.
        _ => {
            let times = usize::from(input.byte()) * 2;
            let json = [b"{\"a\":\"", input.bytes().repeat(times).as_slice(), b"\"}"].concat();
            format!(".{}", django::base64(&django::zlib(&json)))
        }
    }
}
