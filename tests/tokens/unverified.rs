//! Holds that a token can be looked at without a key, whatever it is, and proves nothing by it.

use signed_session::{Compress, DecodeError, Keyring, Session, SessionCodec, Signer, Unverified};
use time::macros::datetime;

const NOW: time::OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);

fn parts(token: &str) -> Result<(&str, Option<&str>, &str), DecodeError> {
    let unverified = Unverified::new(token)?;
    Ok((unverified.payload(), unverified.stamp(), unverified.signature()))
}

#[test]
fn a_token_comes_apart_at_its_last_two_colons() {
    for (token, expected) in [
        ("", Err(DecodeError::Malformed)),
        ("e30", Err(DecodeError::Malformed)),
        (":", Ok(("", None, ""))),
        ("e30:sig", Ok(("e30", None, "sig"))),
        ("e30:1r31eq:sig", Ok(("e30", Some("1r31eq"), "sig"))),
        ("a:b:1r31eq:sig", Ok(("a:b", Some("1r31eq"), "sig"))),
        ("::", Ok(("", Some(""), ""))),
        ("é:é:é", Ok(("é", Some("é"), "é"))),
    ] {
        assert_eq!(parts(token), expected, "{token}");
    }
}

#[test]
fn what_was_encoded_is_shown_compressed_or_not() {
    let codec = SessionCodec::new(&Keyring::new("test-secret-key-0123456789").unwrap());
    let mut session = Session::new();
    session.insert("cart", "apples ".repeat(20)).unwrap();
    for (compress, is_compressed) in [(Compress::Never, false), (Compress::IfShorter, true)] {
        let token = codec.clone().compress(compress).encode_at(&session, NOW).unwrap();
        // One character of the signature changed: it is shown all the same.
        let forged = format!(
            "{}{}",
            &token[..token.len() - 1],
            if token.ends_with('A') { 'B' } else { 'A' }
        );
        assert_eq!(codec.decode_at(&forged, NOW).unwrap_err(), DecodeError::BadSignature);
        for token in [token, forged] {
            let unverified = Unverified::new(&token).unwrap();
            assert_eq!(unverified.is_compressed(), is_compressed);
            assert_eq!(unverified.signed_at(), Ok(NOW));
            assert_eq!(unverified.json(65_536).unwrap(), session.to_json());
            let len = session.to_json().len();
            assert_eq!(unverified.json(len).unwrap().len(), len);
            assert_eq!(unverified.json(len - 1), Err(DecodeError::TooLarge { limit: len - 1 }));
        }
    }
}

#[test]
fn what_cannot_be_shown_says_why() {
    for (token, stamp, json) in [
        ("e30:sig", Err(DecodeError::BadTimestamp), Ok("{}")),
        ("e30:-1:sig", Err(DecodeError::BadTimestamp), Ok("{}")),
        ("e30:zzzzzzz:sig", Err(DecodeError::BadTimestamp), Ok("{}")),
        ("e3!:1r31eq:sig", Ok(NOW), Err(DecodeError::Base64)),
        (".e30:1r31eq:sig", Ok(NOW), Err(DecodeError::Zlib)),
        ("w6k:1r31eq:sig", Ok(NOW), Err(DecodeError::Json)),
        // Not checked to be JSON: that is for those who trust it.
        ("e3s:1r31eq:sig", Ok(NOW), Ok("{{")),
    ] {
        let unverified = Unverified::new(token).unwrap();
        assert_eq!(unverified.signed_at(), stamp, "{token}");
        assert_eq!(unverified.json(100), json.map(str::to_owned), "{token}");
    }
}

#[test]
fn a_plain_signature_has_no_timestamp_and_debug_shows_nothing() {
    let token = Signer::new(&Keyring::new("test-secret-key-0123456789").unwrap(), "x").sign("ada");
    let unverified = Unverified::new(&token).unwrap();
    assert_eq!((unverified.payload(), unverified.stamp()), ("ada", None));
    assert_eq!(format!("{unverified:?}"), "Unverified { .. }");
}
