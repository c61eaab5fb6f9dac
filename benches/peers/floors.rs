//! What the parts alone cost: no session check that is built of them can be faster.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::Simd;
use base64::engine::general_purpose::NO_PAD;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::race::{Lane, Race};
use support::sample::Sample;

/// What lies under decoding or encoding.
pub struct Floors {
    pub hmac: Lane,
    /// The HMAC and all else.
    pub parts: Vec<Lane>,
}

impl Floors {
    /// Returns the sum of the parts, in nanoseconds.
    pub fn sum(&self, race: &Race) -> f64 {
        self.parts.iter().map(|lane| race.ns(*lane)).sum()
    }
}

/// Enters the bare HMAC of what these tokens sign.
pub fn hmac(race: &mut Race, tokens: &[String]) -> Lane {
    let key = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length");
    let messages: Vec<Vec<u8>> =
        tokens.iter().map(|token| token.as_bytes()[..token.len() - 44].to_vec()).collect();
    race.enter(move |index| {
        let mac = key.clone().chain_update(black_box(messages[index].as_slice())).finalize();
        black_box(mac.into_bytes());
    })
}

/// Enters what decoding these tokens is made of.
pub fn decoding<S: Sample>(race: &mut Race, tokens: &[String], json: &[String]) -> Floors {
    let hmac = hmac(race, tokens);
    let mut parts = vec![hmac];
    let payloads: Vec<String> = tokens.iter().map(|token| payload(token).to_owned()).collect();
    let compressed: Vec<bool> = tokens.iter().map(|token| token.starts_with('.')).collect();

    let engine = Simd::url_safe(NO_PAD);
    let zlib: Vec<Vec<u8>> =
        payloads.iter().map(|payload| engine.decode(payload).expect("base64")).collect();
    let mut out = vec![0; 8192];
    parts.push(race.enter(move |index| {
        let payload = black_box(payloads[index].as_str());
        black_box(engine.decode_slice(payload, &mut out).expect("base64"));
    }));
    if compressed.iter().all(|compressed| *compressed) {
        let mut state = Decompress::new(true);
        let mut out = Vec::with_capacity(8192);
        parts.push(race.enter(move |index| {
            state.reset(true);
            out.clear();
            let status =
                state.decompress_vec(black_box(&zlib[index]), &mut out, FlushDecompress::Finish);
            assert_eq!(status.ok(), Some(Status::StreamEnd));
            black_box(&out);
        }));
    } else {
        assert!(!compressed.contains(&true), "all are compressed or none");
    }
    let json = json.to_vec();
    parts.push(race.enter(move |index| {
        black_box(serde_json::from_str::<S>(black_box(&json[index])).expect("JSON"));
    }));
    Floors { hmac, parts }
}

/// Enters what making these tokens is made of; `deflates` if zlib is tried.
pub fn encoding<S: Sample>(
    race: &mut Race,
    tokens: &[String],
    sessions: &[S],
    deflates: bool,
) -> Floors {
    let hmac = hmac(race, tokens);
    let mut parts = vec![hmac];
    let engine = Simd::url_safe(NO_PAD);
    let bytes: Vec<Vec<u8>> =
        tokens.iter().map(|token| engine.decode(payload(token)).expect("base64")).collect();
    let mut out = vec![0; 8192];
    parts.push(race.enter(move |index| {
        let bytes = black_box(bytes[index].as_slice());
        black_box(engine.encode_slice(bytes, &mut out).expect("room"));
    }));
    if deflates {
        let json: Vec<Vec<u8>> =
            sessions.iter().map(|session| serde_json::to_vec(session).expect("JSON")).collect();
        let mut state = Compress::new(Compression::default(), true);
        let mut out = Vec::with_capacity(8192);
        parts.push(race.enter(move |index| {
            state.reset();
            out.clear();
            let status =
                state.compress_vec(black_box(&json[index]), &mut out, FlushCompress::Finish);
            assert_eq!(status.ok(), Some(Status::StreamEnd));
            black_box(&out);
        }));
    }
    let sessions = sessions.to_vec();
    let mut out = Vec::with_capacity(8192);
    parts.push(race.enter(move |index| {
        out.clear();
        serde_json::to_writer(&mut out, black_box(&sessions[index])).expect("JSON");
        black_box(&out);
    }));
    let lens: Vec<usize> = tokens.iter().map(String::len).collect();
    parts.push(race.enter(move |index| {
        black_box(String::with_capacity(black_box(lens[index])));
    }));
    Floors { hmac, parts }
}

/// Returns what is base64 in a token.
fn payload(token: &str) -> &str {
    token.split(':').next().unwrap_or_default().trim_start_matches('.')
}
