//! Whatever is asked of a session fits a stack of 256 KiB, in debug builds too.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use signed_session::{Session, Signer, TimestampSigner, ValueError};

use crate::limits::{noon, plain_token, ring, roomy};

/// What a visitor can nest, each with its end.
const SHAPES: [(&str, &str, &str); 5] = [
    ("[", "", "]"),
    ("{\"a\":", "0", "}"),
    ("[{\"a\":", "null", "}]"),
    ("[0,", "\"text\"", ",0]"),
    ("{\"$serde_json::private::RawValue\":", "\"[[[1]]]\"", "}"),
];

/// Depths around the limit, around that of `serde_json`, and far beyond.
const DEPTHS: [usize; 13] = [1, 16, 31, 32, 33, 64, 65, 126, 127, 128, 129, 1_000, 20_000];

fn on_a_small_stack(function: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        thread.spawn_scoped(scope, function).unwrap().join().unwrap();
    });
}

/// Reads an entry, copies it, writes it back and drops it.
fn read_and_write<T>(session: &mut Session) -> Result<Option<T>, ValueError>
where
    T: DeserializeOwned + Serialize + Clone,
{
    let value = session.get::<T>("deep")?;
    session.insert("copy", value.clone())?;
    Ok(value)
}

#[test]
fn brackets_in_texts_and_side_by_side_do_not_nest() {
    for value in [
        format!("[\"\\\"{}\"]", "[".repeat(1000)),
        format!("[\"\\\\\",\"{}\"]", "{".repeat(1000)),
        format!("{{\"{}\":0}}", "[{".repeat(1000)),
        format!("[{}0]", "[{\"]\":[]}],".repeat(1000)),
        format!("[\"{}\",{}]", "]".repeat(9), "[],{}".to_owned() + &",[]".repeat(300)),
    ] {
        let token = plain_token(&format!("{{\"wide\":{value}}}"));
        let session = roomy().decode_at(&token, noon()).unwrap();
        let expected: Value = serde_json::from_str(&value).unwrap();
        assert_eq!(session.get("wide"), Ok(Some(expected)), "{value:.40}");
    }
    // Closing brackets in a text do not make room for more.
    let deep = format!("[\"{}\",{}{}]", "]".repeat(99), "[".repeat(64), "]".repeat(64));
    let token = plain_token(&format!("{{\"deep\":{deep}}}"));
    let session = roomy().decode_at(&token, noon()).unwrap();
    assert_eq!(session.get::<Value>("deep"), Err(ValueError::WrongType { key: "deep".to_owned() }));
}

#[test]
fn any_nesting_is_read_as_a_value_or_refused_on_a_small_stack() {
    on_a_small_stack(|| {
        for (open, inside, close) in SHAPES {
            let mut deepest = 0;
            for depth in DEPTHS {
                let deep = format!("{}{inside}{}", open.repeat(depth), close.repeat(depth));
                let token = plain_token(&format!("{{\"deep\":{deep}}}"));
                let mut session = roomy().decode_at(&token, noon()).unwrap();
                assert_eq!(session.get_json("deep"), Some(&*deep));
                match read_and_write::<Value>(&mut session) {
                    Ok(value) => {
                        // What serde_json says of the text itself: nothing is read into it.
                        assert_eq!(value, serde_json::from_str(&deep).unwrap());
                        assert_eq!(session.get_json("copy"), Some(&*deep));
                        deepest = depth;
                    }
                    Err(error) => {
                        assert!(matches!(error, ValueError::WrongType { .. }), "{error:?}")
                    }
                }
                let _ = read_and_write::<BTreeMap<String, Value>>(&mut session);
                let _ = read_and_write::<Vec<Value>>(&mut session);
                let _ = roomy().decode_as_at::<Value>(&token, noon());
                let signer = Signer::new(&ring(), "deep").max_payload_len(1 << 30);
                let token = signer.sign_json(&deep, signed_session::Compress::Never).unwrap();
                assert_eq!(signer.unsign_json(&token).unwrap(), deep);
                let _ = signer.unsign_object::<Value>(&token);
                let stamper = TimestampSigner::new(&ring(), "deep").max_payload_len(1 << 30);
                let token = stamper
                    .sign_json_at(&deep, signed_session::Compress::IfShorter, noon())
                    .unwrap();
                assert_eq!(stamper.unsign_json_at(&token, None, noon()).unwrap(), deep);
                let _ = stamper.unsign_object_at::<Value>(&token, None, noon());
            }
            assert_eq!(open.matches(['[', '{']).count() * deepest, 64, "{open}");
        }
    });
}
