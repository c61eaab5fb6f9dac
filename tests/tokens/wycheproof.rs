//! Runs Wycheproof's vectors of HMAC-SHA-2, and ties signatures to them.
//!
//! A signer has no place for a vector's key: it signs with the hash of salt,
//! `signer` and secret. So the vectors run against the HMAC beneath it, of the
//! same packages in the same versions, and against one that is written out here
//! over the hash alone; and that one is held against the signers. The keys and
//! messages of Wycheproof go through the signers too, the keys as secrets.
//!
//! Wycheproof's files are in the package `wycheproof`, which is pinned with its
//! checksum in `Cargo.lock`.

use std::iter;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use signed_session::{Algorithm, DecodeError, Keyring, Signer};
use wycheproof::TestResult;
use wycheproof::mac::{Test, TestName, TestSet};

const ALGORITHMS: [(Algorithm, TestName, usize); 3] = [
    (Algorithm::Sha256, TestName::HmacSha256, 64),
    (Algorithm::Sha384, TestName::HmacSha384, 128),
    (Algorithm::Sha512, TestName::HmacSha512, 128),
];

fn hash(algorithm: Algorithm, data: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Sha256 => Sha256::digest(data).to_vec(),
        Algorithm::Sha384 => Sha384::digest(data).to_vec(),
        Algorithm::Sha512 => Sha512::digest(data).to_vec(),
        other => panic!("{other:?} has no vectors"),
    }
}

/// HMAC of the package that the signers use.
fn layer_beneath(algorithm: Algorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    macro_rules! mac {
        ($hash:ty) => {{
            let mac = Hmac::<$hash>::new_from_slice(key).unwrap();
            mac.chain_update(message).finalize().into_bytes().to_vec()
        }};
    }
    match algorithm {
        Algorithm::Sha256 => mac!(Sha256),
        Algorithm::Sha384 => mac!(Sha384),
        Algorithm::Sha512 => mac!(Sha512),
        other => panic!("{other:?} has no vectors"),
    }
}

/// HMAC as RFC 2104 writes it.
fn by_hand(algorithm: Algorithm, block: usize, key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = if key.len() > block { hash(algorithm, key) } else { key.to_vec() };
    let pad = |with: u8| {
        let padded = key.iter().copied().chain(iter::repeat(0)).take(block);
        padded.map(|byte| byte ^ with).collect::<Vec<u8>>()
    };
    let inner = hash(algorithm, &[pad(0x36), message.to_vec()].concat());
    hash(algorithm, &[pad(0x5c), inner].concat())
}

/// What a signature must be by Django's rule, with nothing of the library in it.
fn signature(
    algorithm: Algorithm,
    block: usize,
    salt: &str,
    secret: &[u8],
    value: &str,
) -> Vec<u8> {
    let key = hash(algorithm, &[salt.as_bytes(), b"signer", secret].concat());
    by_hand(algorithm, block, &key, value.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tests(name: TestName) -> Vec<Test> {
    let set = TestSet::load(name).unwrap();
    set.test_groups.into_iter().flat_map(|group| group.tests).collect()
}

#[test]
fn the_layer_beneath_passes_wycheproof() {
    for (algorithm, name, block) in ALGORITHMS {
        let (mut valid, mut invalid) = (0, 0);
        for test in tests(name) {
            for mac in [
                layer_beneath(algorithm, &test.key, &test.msg),
                by_hand(algorithm, block, &test.key, &test.msg),
            ] {
                // Half of the tags are the first half of the HMAC.
                let is_equal = mac[..test.tag.len()] == *test.tag;
                assert_eq!(is_equal, test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
            }
            *if test.result == TestResult::Valid { &mut valid } else { &mut invalid } += 1;
        }
        assert_eq!((valid, invalid), (66, 108), "{name:?}: all 174 of them");
    }
}

#[test]
fn signers_accept_of_a_vector_s_tags_those_that_are_right() {
    for (algorithm, name, block) in ALGORITHMS {
        for test in tests(name) {
            let signer = Signer::new(&Keyring::new(&test.key).unwrap(), "").algorithm(algorithm);
            let value = hex(&test.msg);
            let mac = signature(algorithm, block, "", &test.key, &value);
            assert_eq!(signer.sign(&value), format!("{value}:{}", URL_SAFE_NO_PAD.encode(&mac)));
            if test.tag.len() < mac.len() {
                // A part of a signature is none.
                let part = URL_SAFE_NO_PAD.encode(&mac[..test.tag.len()]);
                let token = format!("{value}:{part}");
                assert_eq!(signer.unsign(&token), Err(DecodeError::BadSignature));
                continue;
            }
            // What the vector changed in its tag is changed in the signature.
            let right = by_hand(algorithm, block, &test.key, &test.msg);
            let changed: Vec<u8> =
                (0..mac.len()).map(|at| mac[at] ^ right[at] ^ test.tag[at]).collect();
            let token = format!("{value}:{}", URL_SAFE_NO_PAD.encode(changed));
            let is_accepted = signer.unsign(&token) == Ok(&value);
            assert_eq!(is_accepted, test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
        }
    }
}

#[test]
fn a_signature_is_the_hmac_under_the_hash_of_salt_and_secret() {
    let texts = [
        String::new(),
        "v".to_owned(),
        "eyJ1c2VyX2lkIjo0Mn0:1r31eq".to_owned(),
        "zo\u{eb} \u{1f36a}\0".to_owned(),
    ];
    // Around the lengths at which a hash takes another block.
    let lengths = (40..300).step_by(7).chain([55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 4_096]);
    let texts: Vec<String> = texts.into_iter().chain(lengths.map(|len| "x".repeat(len))).collect();
    for (algorithm, _, block) in ALGORITHMS {
        for salt in ["", "django.core.signing.Signer", "s\u{e9}l", &"s".repeat(200)] {
            for secret in ["k".as_bytes(), b"\xff\0\xfe", &[b'k'; 64], &[b'k'; 129], &[b'k'; 1_000]]
            {
                let signer = Signer::new(&Keyring::new(secret).unwrap(), salt).algorithm(algorithm);
                for text in &texts {
                    let mac = signature(algorithm, block, salt, secret, text);
                    let token = format!("{text}:{}", URL_SAFE_NO_PAD.encode(mac));
                    assert_eq!(signer.sign(text), token);
                    assert_eq!(signer.unsign(&token), Ok(&**text));
                }
            }
        }
    }
}
