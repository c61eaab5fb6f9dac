//! Whether to compress is a choice; by default the rule is Django's.

use signed_session::{Compress, Keyring, Session, SessionCodec, Signer};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);

fn ring() -> Keyring {
    Keyring::new("test-secret-key-0123456789").unwrap()
}

/// A session whose JSON has this many bytes and compresses well.
fn session_of(len: usize) -> Session {
    let mut session = Session::new();
    session.insert("a", "x".repeat(len - r#"{"a":""}"#.len())).unwrap();
    session
}

fn is_compressed(compress: Compress, len: usize) -> bool {
    let codec = SessionCodec::new(&ring()).compress(compress);
    let token = codec.encode_at(&session_of(len), NOW).unwrap();
    // Whatever the choice, whoever reads need not know it.
    let back = SessionCodec::new(&ring()).compress(Compress::Never).decode_at(&token, NOW);
    assert!(back.unwrap().iter().eq(session_of(len).iter()));
    token.starts_with('.')
}

#[test]
fn json_is_compressed_only_above_the_length_that_was_set() {
    for (compress, len, compressed) in [
        (Compress::Above(100), 100, false),
        (Compress::Above(100), 101, true),
        (Compress::Above(100), 50, false),
        (Compress::Above(0), 101, true),
        (Compress::Above(usize::MAX), 3000, false),
        (Compress::Never, 3000, false),
        (Compress::IfShorter, 3000, true),
    ] {
        assert_eq!(is_compressed(compress, len), compressed, "{compress:?}, {len} bytes");
    }
}

#[test]
fn what_does_not_get_shorter_by_two_bytes_is_not_compressed() {
    let compresses = |len| is_compressed(Compress::IfShorter, len);
    // An empty session and a short one; then the length from which zlib saves two bytes.
    assert!(!compresses(8) && !compresses(12));
    let first = (8..64).find(|len| compresses(*len)).expect("a hundred x's compress");
    assert!((first..64).all(compresses));
    // Python's zlib.compress(b'{"a":"xxxxxxxxxxxx"}') has 18 bytes, as for the shorter ones.
    assert_eq!(first, 20);
    assert!(!is_compressed(Compress::Above(0), first - 1), "the rule holds above the length too");
}

#[test]
fn objects_are_compressed_by_the_same_choices() {
    let signer = Signer::new(&ring(), "test");
    let text = "x".repeat(98);
    for (compress, compressed) in [
        (Compress::IfShorter, true),
        (Compress::Above(100), false),
        (Compress::Above(99), true),
        (Compress::Never, false),
    ] {
        let token = signer.sign_object(&text, compress).unwrap();
        assert_eq!(token.starts_with('.'), compressed, "{compress:?}");
        assert_eq!(signer.unsign_object::<String>(&token).as_ref(), Ok(&text));
    }
}
