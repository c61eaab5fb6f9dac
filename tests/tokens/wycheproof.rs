//! Runs Wycheproof's vectors of HMAC-SHA-2 and those of RFC 4231, and ties signatures to them.
//!
//! A signer has no place for a vector's key: it signs with the hash of salt,
//! `signer` and secret. So the vectors run against the HMAC beneath it, of the
//! same packages in the same versions, and against one that is written out here
//! over the hash alone; and that one is held against the signers. The keys and
//! messages of Wycheproof go through the signers too, the keys as secrets.
//!
//! Wycheproof's files are in the package `wycheproof`, which is pinned with its
//! checksum in `Cargo.lock`. The numbers of RFC 4231 were computed with Python's
//! `hmac`, and but for case 5, which is truncated, they are those in CPython's
//! `test_hmac.py`.

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
fn a_signature_is_the_hmac_of_the_value_under_the_hash_of_salt_and_secret() {
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

#[test]
fn the_layer_beneath_passes_rfc_4231() {
    let range: Vec<u8> = (1..=25).collect();
    let cases: [(&[u8], &[u8], [&str; 3]); 7] = [
        (
            &[0x0b; 20],
            b"Hi There",
            [
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f\
                 4af152e8b2fa9cb6",
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702\
                 038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
            ],
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            [
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c7\
                 8b3239ecfab21649",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a\
                 6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ],
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            [
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
                "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b9\
                 4e3ab6e101a34f27",
                "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c8\
                 06b485a47e67c807b946a337bee8942674278859e13292fb",
            ],
        ),
        (
            &range,
            &[0xcd; 50],
            [
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
                "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679\
                 ccf8a386c674cffb",
                "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4\
                 d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
            ],
        ),
        (
            &[0x0c; 20],
            b"Test With Truncation",
            [
                "a3b6167473100ee06e0c796c2955552b",
                "3abf34c3503b2a23a46efc619baef897",
                "415fad6271580a531d4179bc891d87a6",
            ],
        ),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            [
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe82\
                 96248df163f44952",
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598\
                 bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
            ],
        ),
        (
            &[0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size da\
              ta. The key needs to be hashed before being used by the HMAC algorithm.",
            [
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
                "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d\
                 3860e6110c46523e",
                "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b1\
                 0d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
            ],
        ),
    ];
    for (case, (key, message, tags)) in cases.into_iter().enumerate() {
        for ((algorithm, _, block), tag) in ALGORITHMS.into_iter().zip(tags) {
            for mac in
                [layer_beneath(algorithm, key, message), by_hand(algorithm, block, key, message)]
            {
                // The fifth case is one of a tag cut off after 128 bits.
                let len = if case == 4 { 16 } else { mac.len() };
                assert_eq!(hex(&mac[..len]), tag, "case {}, {algorithm:?}", case + 1);
            }
        }
    }
}
