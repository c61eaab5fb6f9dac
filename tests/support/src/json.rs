//! JSON text: its parts, as `serde_json` finds them, and what no Rust type holds.

use serde::de::IgnoredAny;
use serde::{Serialize, Serializer};

/// Returns the text of each item of an array, or of each key and each value of an object in turn.
///
/// Of a text that is an array or an object. Where a part ends is `serde_json`'s answer.
pub fn parts(json: &str) -> Vec<&str> {
    let mut rest = json.trim_start().strip_prefix(['[', '{']).expect("an array or an object");
    let mut parts = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.starts_with([']', '}']) {
            return parts;
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next().expect("a value").expect("JSON");
        let (part, after) = rest.split_at(values.byte_offset());
        parts.push(part);
        rest = after.trim_start();
        rest = rest.strip_prefix([',', ':']).unwrap_or(rest);
    }
}

/// Returns the text of each key of an object and that of its value, in order.
pub fn entries(json: &str) -> Vec<(&str, &str)> {
    parts(json).chunks_exact(2).map(|entry| (entry[0], entry[1])).collect()
}

/// JSON text among values; serde knows no such thing, so a string stands for it.
#[derive(Clone, Debug)]
pub struct Embedded(pub String);

const BEFORE: &str = "\"<embedded JSON ";
const AFTER: &str = ">\"";

impl Serialize for Embedded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex: String = self.0.bytes().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&format!("{}{hex}{}", &BEFORE[1..], &AFTER[..1]))
    }
}

/// Puts every [`Embedded`] text where a string stands for it; `None` if there is none.
pub fn embed(json: &str) -> Option<String> {
    let mut parts = json.split(BEFORE);
    let mut out = parts.next()?.to_owned();
    let mut is_there = false;
    for part in parts {
        is_there = true;
        let (hex, rest) = part.split_once(AFTER).expect("the end of the text");
        let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
        let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().expect("hexadecimal");
        out.push_str(&String::from_utf8(bytes).expect("text"));
        out.push_str(rest);
    }
    is_there.then_some(out)
}
