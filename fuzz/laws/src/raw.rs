//! Bytes from somebody without the key are never accepted, and never a panic.

use std::sync::LazyLock;

use serde_json::Value;
use signed_session::{
    Algorithm, CookieOptions, DecodeError, Keyring, SessionCodec, SessionManager, Signer,
    TimestampSigner, Unverified, django,
};

use super::{NOW, is_discreet, is_discreet_error};

/// Nothing in the corpus is signed with it.
const SECRET: &str = "example-only-nobody-signs-anything-with-this";

static RING: LazyLock<Keyring> = LazyLock::new(|| Keyring::new(SECRET).unwrap());

/// Signers of every kind, each with its separator.
static SIGNERS: LazyLock<Vec<(&str, Signer, TimestampSigner)>> = LazyLock::new(|| {
    let separators = [":", "::", "~", "é", "=:="];
    let algorithms = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];
    let pairs = separators.iter().flat_map(|separator| algorithms.map(|hash| (*separator, hash)));
    let signers = pairs.map(|(separator, algorithm)| {
        let signer = Signer::new(&RING, "any").separator(separator).unwrap();
        let stamper = TimestampSigner::new(&RING, "any").separator(separator).unwrap();
        (separator, signer.algorithm(algorithm), stamper.algorithm(algorithm))
    });
    signers.collect()
});

static CODEC: LazyLock<SessionCodec> = LazyLock::new(|| SessionCodec::new(&RING));

static MANAGER: LazyLock<SessionManager> =
    LazyLock::new(|| SessionManager::new(CODEC.clone(), CookieOptions::new("sessionid").unwrap()));

pub fn law(data: &[u8]) {
    let token = &*String::from_utf8_lossy(data);
    let refused = CODEC.decode_at(token, NOW).unwrap_err();
    assert_eq!(refused, expected(token, ":", 4096));
    assert!(!refused.is_authentic());
    is_discreet_error(&refused, token);
    assert_eq!(CODEC.decode_as_at::<Value>(token, NOW).unwrap_err(), refused);

    // One of the other ways in, so that many more tokens are tried in the same time.
    let turn: usize = data.iter().map(|byte| usize::from(*byte)).sum();
    match turn % 8 {
        0..4 => to_a_signer(token, &SIGNERS[turn / 8 % SIGNERS.len()]),
        4 => to_a_cookie_signer(token),
        5 => as_a_cookie(data, token),
        6 => to_the_byte(token),
        _ => unverified(token),
    }
}

fn to_a_signer(token: &str, (separator, signer, stamper): &(&str, Signer, TimestampSigner)) {
    let refused = expected(token, separator, usize::MAX);
    assert_eq!(signer.unsign(token), Err(refused.clone()));
    assert_eq!(signer.unsign_object::<Value>(token).unwrap_err(), refused);
    assert_eq!(signer.unsign_json(token).unwrap_err(), refused);
    assert_eq!(stamper.unsign_at(token, None, NOW), Err(refused.clone()));
    assert_eq!(stamper.unsign_json_at(token, None, NOW).unwrap_err(), refused);
    let object = stamper.unsign_object_at::<Value>(token, None, NOW);
    assert_eq!(object.unwrap_err(), refused);
}

fn to_a_cookie_signer(token: &str) {
    for signer in [
        django::cookie_signer(&RING, django::MESSAGES_SALT),
        django::signed_cookie_signer(&RING, token, token),
        django::legacy_signed_cookie_signer(&RING, token, token),
    ] {
        assert_eq!(signer.unsign_at(token, None, NOW), Err(expected(token, ":", usize::MAX)));
    }
}

fn as_a_cookie(data: &[u8], token: &str) {
    let header = [b"sessionid=", data].concat();
    let session = MANAGER.load_at([&header], NOW);
    assert_eq!(session.to_json(), "{}");
    is_discreet(&session, token);
    assert!(session.refusal().is_none_or(|reason| !reason.is_authentic()));
    assert!(session.signed_at().is_none() && session.key_index().is_none());
    is_discreet(&(&*MANAGER, &*CODEC), token);
    let header = CookieOptions::new("sessionid").unwrap();
    assert!(header.find(token).all(|value| value.len() <= token.len()));
}

fn to_the_byte(token: &str) {
    for len in [4096, 4097] {
        let padded = format!("{token}{}", "x".repeat(len - token.len().min(len)));
        assert_eq!(CODEC.decode_at(&padded, NOW).unwrap_err(), expected(&padded, ":", 4096));
    }
}

fn unverified(token: &str) {
    let Ok(unverified) = Unverified::new(token) else { return };
    let stamp = unverified.stamp().map_or(String::new(), |stamp| format!(":{stamp}"));
    let signature = unverified.signature();
    assert_eq!(format!("{}{stamp}:{signature}", unverified.payload()), token);
    let _ = unverified.signed_at();
    assert_eq!(unverified.is_compressed(), token.starts_with('.'));
    is_discreet(&unverified, token);
    for limit in [0, 1, 100, 65_536] {
        let json = unverified.json(limit).unwrap_or_default();
        assert!(json.len() <= limit && json.is_ascii());
    }
}

/// Why a token is refused that nobody signed.
fn expected(token: &str, separator: &str, limit: usize) -> DecodeError {
    if token.len() > limit {
        DecodeError::TooLong { len: token.len(), limit }
    } else if token.contains(separator) {
        DecodeError::BadSignature
    } else {
        DecodeError::Malformed
    }
}
