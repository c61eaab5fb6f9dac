//! What reads cookies looks at their lengths before it copies, hashes or decodes anything.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signed_session::django::{self, MessageStorage, SignedCookie};
use signed_session::{
    Compress, CookieOptions, DecodeError, Keyring, Session, TimestampSigner, Unverified,
};

use crate::limits::{measured, noon, ring, time_of_thread};

const MIB: usize = 1 << 20;

/// A ring under which each forged token that is looked at costs a hundred HMACs.
fn long_ring() -> Keyring {
    (0..99).fold(ring(), |ring, index| ring.fallback(format!("retired-{index}")).unwrap())
}

fn options() -> CookieOptions {
    CookieOptions::new("c").unwrap()
}

/// Sixteen forged cookies of a megabyte, of the kind that costs the most: with quotes to undo, too.
fn headers() -> [String; 3] {
    let forged =
        |text: &str| format!("{}:1r31eq:{}", text.repeat(MIB / text.len()), "A".repeat(43));
    [
        format!("c={};", forged("x")).repeat(16),
        format!("c=\"{}\";", forged("x")).repeat(16),
        format!("c=\"{}\";", forged("\\\"")).repeat(16),
    ]
}

/// What reads a cookie, with the error that it then tells.
type Reader = (&'static str, fn(&Keyring, &str) -> Option<DecodeError>);

const READERS: [Reader; 4] = [
    ("a signed cookie", |ring, header| {
        SignedCookie::new(ring, options(), "").read_at([header], noon()).err()
    }),
    ("a signed cookie, also in its old form", |ring, header| {
        let cookie = SignedCookie::new(ring, options(), "").legacy_fallback(true);
        cookie.read_at([header], noon()).err()
    }),
    ("messages in a cookie", |ring, header| show(MessageStorage::cookie(ring, options()), header)),
    ("messages in both places", |ring, header| {
        show(MessageStorage::fallback(ring, options()), header)
    }),
];

fn show(storage: MessageStorage, header: &str) -> Option<DecodeError> {
    let mut messages = storage.load([header]);
    assert!(messages.show(&Session::new()).unwrap().is_empty());
    messages.refusal().cloned()
}

#[test]
fn forged_cookies_of_a_megabyte_are_refused_for_their_length() {
    for (name, read) in READERS {
        for header in headers() {
            let len = header.len() / 16 - "c=;".len();
            assert_eq!(
                read(&ring(), &header),
                Some(DecodeError::TooLong { len, limit: 4096 }),
                "{name}"
            );
            // They count all the same.
            let more = header.clone() + &header;
            assert_eq!(
                read(&ring(), &more),
                Some(DecodeError::TooManyCookies { limit: 16 }),
                "{name}"
            );
        }
    }
}

#[test]
fn forged_cookies_of_a_megabyte_are_not_copied() {
    for (name, read) in READERS {
        for header in headers() {
            let used = measured(|| {
                read(&ring(), &header);
            });
            assert!(used.bytes_max < 64 * 1024, "{name}: {used:?}");
        }
    }
}

#[test]
fn forged_cookies_of_a_megabyte_are_not_hashed() {
    let long_ring = long_ring();
    for (name, read) in READERS {
        // To derive the keys is not what is measured.
        let no_cookie = |ring: &Keyring| {
            time(|| {
                read(ring, "c");
            })
        };
        for header in headers() {
            let start = Instant::now();
            loop {
                let one = time(|| {
                    read(&ring(), &header);
                });
                let hundred = time(|| {
                    read(&long_ring, &header);
                })
                .saturating_sub(no_cookie(&long_ring));
                if hundred < one * 2 {
                    break;
                }
                let seconds = start.elapsed().as_secs();
                assert!(seconds < 20, "{name}: {one:?} with one key, {hundred:?} with a hundred");
            }
        }
    }
}

fn time(function: impl FnOnce()) -> Duration {
    let start = time_of_thread();
    function();
    time_of_thread() - start
}

#[test]
fn a_genuine_cookie_is_read_up_to_the_limit_and_not_beyond() {
    let theme = SignedCookie::new(&ring(), options(), "");
    // Of the name, `=`, the stamp and the signature.
    let value = |len: usize| "x".repeat(len - 51);
    let signer = django::signed_cookie_signer(&ring(), "c", "");
    for (len, is_read) in [(4095, true), (4096, true), (4097, false)] {
        let token = signer.sign_at(&value(len), noon());
        assert_eq!(token.len(), len);
        let read = theme.read_at([&format!("c={token}")], noon());
        let expected = if is_read {
            Ok(Some(value(len)))
        } else {
            Err(DecodeError::TooLong { len, limit: 4096 })
        };
        assert_eq!(read, expected, "{len}");
    }

    // Of messages that do not repeat, as one that Django could be told to keep.
    let signer = django::cookie_signer(&ring(), django::MESSAGES_SALT);
    let text = |len: usize| {
        let random = (1..).map(|n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        random
            .flat_map(|n| URL_SAFE_NO_PAD.encode(n.to_be_bytes()).into_bytes())
            .map(char::from)
            .take(len)
            .collect::<String>()
    };
    let mut lengths = Vec::new();
    for len in 2980..3080 {
        let rows = serde_json::json!([["__json_message", 0, 20, text(len), ""]]);
        let token = signer.sign_object(&rows, Compress::Never).unwrap();
        let mut messages = MessageStorage::cookie(&ring(), options()).load([&format!("c={token}")]);
        let shown = messages.show(&Session::new()).unwrap();
        assert_eq!(shown.len() == 1, token.len() <= 4096, "{}", token.len());
        assert_eq!(messages.refusal().is_none(), shown.len() == 1);
        lengths.push(token.len());
    }
    assert!(lengths.contains(&4096) || lengths.contains(&4095));
    assert!(lengths.contains(&4097) || lengths.contains(&4098));
}

#[test]
fn unverified_json_is_refused_for_its_length_before_it_is_decoded() {
    // No base64, no zlib and no JSON: only the length can be the reason.
    let (plain, compressed) = ("!".repeat(64 * MIB), format!(".{}", "!".repeat(64 * MIB)));
    for payload in [plain, compressed, "A".repeat(64 * MIB), format!(".{}", "A".repeat(64 * MIB))] {
        let token = format!("{payload}:1r31eq:x");
        let unverified = Unverified::new(&token).unwrap();
        let used = measured(|| {
            let refused = unverified.json(65_536).unwrap_err();
            assert_eq!(refused, DecodeError::TooLarge { limit: 65_536 });
        });
        assert_eq!(used.count_total, 0, "{used:?}");
    }
    // Exactly the limit is read, and the byte more is not.
    for len in [1000, 1001, 1002] {
        let token = format!("{}:1r31eq:x", URL_SAFE_NO_PAD.encode("1".repeat(len)));
        let json = Unverified::new(&token).unwrap().json(1001);
        assert_eq!(json.is_ok(), len <= 1001, "{len}: {json:?}");
    }
    // The most that a session within the limits has, compressed or not, is read.
    let signer = TimestampSigner::new(&ring(), "any");
    for compress in [Compress::Never, Compress::IfShorter] {
        let json = format!("\"{}\"", "x".repeat(65_534));
        let token = signer.sign_json_at(&json, compress, noon()).unwrap();
        assert_eq!(Unverified::new(&token).unwrap().json(65_536), Ok(json));
    }
}
