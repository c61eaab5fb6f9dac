//! Whatever a holder of the key signs is refused with a reason, or is a session that lasts.

use std::time::Duration;

use serde::de::IgnoredAny;
use serde_json::Value;
use signed_session::{
    Compress, CookieOptions, DecodeError, EncodeError, ExpiryRule, Session, SessionCodec,
    SessionManager, TimestampSigner,
};

use super::input::Input;
use super::{NOW, RING, SECRET, TWO_WEEKS, django, is_discreet, is_discreet_error, made};

pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let rule = input.pick(&[ExpiryRule::Enforce, ExpiryRule::Shorter, ExpiryRule::Django]);
    let (is_absolute, policy) = (input.flag(), input.byte());
    let stamp = made::stamp(&mut input);
    let payload = made::payload(&mut input);
    let token = django::sign(&payload, django::SESSION_SALT, SECRET, &stamp);

    let mut codec = SessionCodec::new(&RING).expiry_rule(rule);
    if is_absolute {
        codec = codec.absolute_max_age(TWO_WEEKS);
    }
    if policy & 1 > 0 {
        codec = codec.max_token_len(1 << 20);
    }
    if policy & 2 > 0 {
        codec = codec.refuse_signed_before(NOW).max_clock_skew(Duration::ZERO);
    }
    let limit = if policy & 4 > 0 { 100 } else { 65_536 };
    codec = codec.max_payload_len(limit);
    let decoded = codec.decode_at(&token, NOW);
    agrees(&codec, &token, decoded.as_ref().err());
    match decoded {
        Ok(session) => {
            assert_eq!(
                django::read_stamp(&stamp),
                session.signed_at().map(|at| at.unix_timestamp())
            );
            lasts(&codec, &session, is_absolute, limit);
            is_discreet(&session, &session.to_json());
        }
        Err(error) => {
            assert!(error.is_authentic() || matches!(error, DecodeError::TooLong { .. }));
            is_in_time(&error, policy & 2 > 0);
            is_discreet_error(&error, &token);
        }
    }

    let signer = TimestampSigner::new(&RING, django::SESSION_SALT).max_payload_len(limit);
    match signer.unsign_json_at(&token, None, NOW) {
        Ok(json) => {
            assert!(json.len() <= limit && serde_json::from_str::<IgnoredAny>(&json).is_ok())
        }
        Err(error) => is_discreet_error(&error, &token),
    }
}

/// What is refused for its stamp is refused rightly.
fn is_in_time(error: &DecodeError, is_strict: bool) {
    match error {
        DecodeError::NotYetValid { signed_at } => {
            assert!(*signed_at > NOW && (is_strict || *signed_at - NOW > Duration::from_secs(300)));
        }
        DecodeError::SignedTooEarly { signed_at } => assert!(is_strict && *signed_at < NOW),
        DecodeError::Expired { signed_at, age } => {
            assert_eq!(*age, Duration::try_from(NOW - *signed_at).unwrap_or_default());
        }
        _ => {}
    }
}

/// Every way to decode comes to the same end.
fn agrees(codec: &SessionCodec, token: &str, refused: Option<&DecodeError>) {
    // It may be JSON and still too deep, or too large for a value of `serde_json`.
    let any = codec.decode_as_at::<IgnoredAny>(token, NOW).map(drop);
    for value in [any, codec.decode_as_at::<Value>(token, NOW).map(drop)] {
        match (value, refused) {
            (Ok(()) | Err(DecodeError::WrongType), None) => {}
            (value, _) => assert_eq!(value.as_ref().err(), refused),
        }
    }
}

/// A session that was read can be asked anything, written, and read again.
fn lasts(codec: &SessionCodec, session: &Session, is_absolute: bool, max_len: usize) {
    let json = session.to_json();
    assert!(json.is_ascii() && json.len() <= max_len);
    let entries: Vec<(&str, &str)> = session.iter().collect();
    assert!(entries.len() <= session.len());
    for (key, text) in &entries {
        assert!(session.contains_key(key));
        assert_eq!(session.get_json(key), Some(*text));
        let _ = session.get::<Value>(key);
    }
    let _ =
        (session.expiry(), session.expires_at_browser_close(false), session.test_cookie_worked());
    let _ = (session.expiry_age(TWO_WEEKS, NOW), session.expiry_date(TWO_WEEKS, NOW));
    let options = CookieOptions::new("sessionid").unwrap();
    let manager = SessionManager::new(codec.clone(), options).refresh_after(Duration::ZERO);
    let _ = manager.commit_at(session, 200, NOW);

    let codec = codec.clone().max_token_len(1 << 20);
    for compress in [Compress::IfShorter, Compress::Never, Compress::Above(64)] {
        match codec.clone().compress(compress).encode_at(session, NOW) {
            Ok(token) => {
                let mut again = codec.decode_at(&token, NOW).unwrap();
                if is_absolute {
                    assert!(again.contains_key("_session_started"));
                    if !session.contains_key("_session_started") {
                        again.remove("_session_started");
                    }
                }
                assert_eq!(again.to_json(), json);
                assert_eq!(again.key_index(), Some(0));
            }
            // The beginning is one more entry.
            Err(EncodeError::TooLarge { limit, .. }) => assert!(is_absolute && limit == max_len),
            Err(error) => panic!("{error}"),
        }
    }
}
