//! What a thread keeps between uses stays small, however large a use was.

use std::hint::black_box;

use allocation_counter::measure;
use signed_session::{Compress, Session, Signer, TimestampSigner};

use crate::limits::{noon, ring, roomy};

const LARGE: usize = 4 << 20;

/// The most that one use may leave behind: zlib's state, and buffers of 64 KiB.
const MAX_KEPT: i64 = 640 * 1024;

/// Returns how many bytes a function leaves allocated on a thread of its own.
fn kept(function: impl FnOnce() + Send) -> i64 {
    std::thread::scope(|scope| scope.spawn(|| measure(function).bytes_current).join().unwrap())
}

/// A session of many entries, or of one long text that hardly can be compressed.
fn session(is_many: bool) -> Session {
    let mut session = Session::new();
    if is_many {
        for index in 0..LARGE / 64 {
            session
                .insert_json(
                    &format!("{:016x}", 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(index as u64 + 1)),
                    "\"and a text\"",
                )
                .unwrap();
        }
    } else {
        let mut state = 1_u64;
        let random = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'0' + (state >> 58) as u8)
        });
        session.insert("text", random.take(LARGE).collect::<String>()).unwrap();
    }
    session
}

#[test]
fn a_huge_session_leaves_little_behind_in_its_thread() {
    for is_many in [false, true] {
        let session = session(is_many);
        let codec = |compress| roomy().compress(compress);
        let plain = codec(Compress::Never).encode_at(&session, noon()).unwrap();
        let compressed = codec(Compress::IfShorter).encode_at(&session, noon()).unwrap();
        assert!(compressed.len() > 256 * 1024 && compressed.starts_with('.'));
        let json = session.to_json();
        let object = Signer::new(&ring(), "any").max_payload_len(1 << 30);
        let stamper = TimestampSigner::new(&ring(), "any").max_payload_len(1 << 30);
        let token = object.sign_json(&json, Compress::IfShorter).unwrap();

        type Use<'a> = (&'a str, Box<dyn FnOnce() + Send + 'a>);
        let uses: [Use<'_>; 8] = [
            ("decoding", Box::new(|| drop(roomy().decode_at(&plain, noon()).unwrap()))),
            ("inflating", Box::new(|| drop(roomy().decode_at(&compressed, noon()).unwrap()))),
            (
                "decoding a value",
                Box::new(|| {
                    drop(roomy().decode_as_at::<serde_json::Value>(&compressed, noon()).unwrap());
                }),
            ),
            (
                "encoding",
                Box::new(|| {
                    drop(codec(Compress::Never).encode_at(&session, noon()).unwrap());
                }),
            ),
            (
                "deflating",
                Box::new(|| {
                    drop(codec(Compress::IfShorter).encode_at(&session, noon()).unwrap());
                }),
            ),
            (
                "deflating a text",
                Box::new(|| {
                    drop(stamper.sign_json_at(&json, Compress::IfShorter, noon()).unwrap());
                }),
            ),
            ("reading an object", Box::new(|| drop(object.unsign_json(&token).unwrap()))),
            (
                "refusing an object",
                Box::new(|| {
                    object.unsign_object::<u8>(&token).unwrap_err();
                }),
            ),
        ];
        for (name, function) in uses {
            let bytes = kept(function);
            assert!(bytes <= MAX_KEPT, "{name}: {bytes} bytes");
        }
    }
}

#[test]
fn what_a_thread_keeps_is_counted_and_goes_with_the_thread() {
    // The controls: a megabyte that is kept is found, and so is what the library keeps.
    thread_local!(static LEAK: std::cell::Cell<Vec<u8>> = const { std::cell::Cell::new(Vec::new()) });
    assert!(kept(|| LEAK.set(vec![1; 1 << 20])) >= 1 << 20);
    let session = session(false);
    let used = kept(|| drop(black_box(roomy().encode_at(&session, noon()).unwrap())));
    assert!(used >= 64 * 1024, "{used}");
}
