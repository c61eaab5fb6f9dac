//! A session counts as read and as changed exactly when Django's `SessionBase` does.

use std::time::Duration;

use signed_session::{
    Compress, CookieOptions, DecodeError, EncodeError, Expiry, Keyring, Session, SessionCodec,
    SessionManager, TimestampSigner, ValueError, django,
};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);

fn codec() -> SessionCodec {
    SessionCodec::new(&Keyring::new("test-secret-key-0123456789").unwrap())
}

/// A session as it comes from a cookie, neither read nor changed.
fn arrived() -> Session {
    let mut session = Session::new();
    session.insert("a", 1).unwrap();
    session.insert("b", [1, 2]).unwrap();
    session.set_expiry(Expiry::After(Duration::from_secs(300)));
    let session = codec().decode_at(&codec().encode_at(&session, NOW).unwrap(), NOW).unwrap();
    assert_eq!(state(&session), (false, false));
    session
}

fn state(session: &Session) -> (bool, bool) {
    (session.is_accessed(), session.is_modified())
}

fn wrong_type(key: &str) -> ValueError {
    ValueError::WrongType { key: key.to_owned() }
}

/// An operation, its name, and whether it counts as access and as change.
type Row = (&'static str, (bool, bool), fn(&mut Session));

const READ: (bool, bool) = (true, false);
const CHANGED: (bool, bool) = (true, true);
const NEITHER: (bool, bool) = (false, false);

const TABLE: &[Row] = &[
    ("get", READ, |s| assert_eq!(s.get("a"), Ok(Some(1)))),
    ("get of nothing", READ, |s| assert_eq!(s.get::<u8>("x"), Ok(None))),
    ("get of another type", READ, |s| assert_eq!(s.get::<u8>("b"), Err(wrong_type("b")))),
    ("contains_key", READ, |s| assert!(s.contains_key("a") && !s.contains_key("x"))),
    ("keys", READ, |s| assert_eq!(s.keys().collect::<Vec<_>>(), ["a", "b", "_session_expiry"])),
    ("iter", READ, |s| assert_eq!(s.iter().nth(1), Some(("b", "[1,2]")))),
    ("to_json", READ, |s| assert!(s.to_json().starts_with(r#"{"a":1,"b":[1,2],"_session_ex"#))),
    ("len", READ, |s| assert_eq!(s.len(), 3)),
    ("is_empty", READ, |s| assert!(!s.is_empty())),
    ("expiry", READ, |s| assert_eq!(s.expiry(), Ok(Expiry::After(Duration::from_secs(300))))),
    ("expiry_age", READ, |s| {
        assert_eq!(s.expiry_age(Duration::ZERO, NOW), Ok(time::Duration::minutes(5)));
    }),
    ("expiry_date", READ, |s| {
        assert_eq!(s.expiry_date(Duration::ZERO, NOW), Ok(NOW + Duration::from_secs(300)));
    }),
    ("expires_at_browser_close", READ, |s| {
        assert_eq!(s.expires_at_browser_close(true), Ok(false));
    }),
    ("test_cookie_worked", READ, |s| assert!(!s.test_cookie_worked())),
    ("insert", CHANGED, |s| s.insert("x", 1).unwrap()),
    ("insert of the same", CHANGED, |s| s.insert("a", 1).unwrap()),
    ("insert refused", NEITHER, |s| assert!(s.insert("x", f64::NAN).is_err())),
    ("extend", CHANGED, |s| s.extend([("x", 1), ("a", 2)]).unwrap()),
    ("extend with nothing", CHANGED, |s| s.extend([("", 1); 0]).unwrap()),
    ("extend refused", NEITHER, |s| assert!(s.extend([("x", 1.0), ("y", f64::NAN)]).is_err())),
    ("remove", CHANGED, |s| assert!(s.remove("a"))),
    ("remove of nothing", READ, |s| assert!(!s.remove("x"))),
    ("pop", CHANGED, |s| assert_eq!(s.pop("b"), Ok(Some([1, 2])))),
    ("pop of nothing", READ, |s| assert_eq!(s.pop::<u8>("x"), Ok(None))),
    ("pop of another type", READ, |s| assert!(s.pop::<u8>("b").is_err() && s.contains_key("b"))),
    ("get_or_insert of what is there", READ, |s| assert_eq!(s.get_or_insert("a", 9), Ok(1))),
    ("get_or_insert of nothing", CHANGED, |s| assert_eq!(s.get_or_insert("x", 9), Ok(9))),
    ("update", CHANGED, |s| assert_eq!(s.update("b", |b: &mut Vec<u8>| b.pop()), Ok(Some(2)))),
    ("update of nothing", CHANGED, |s| s.update("x", |x: &mut u8| *x = 1).unwrap()),
    ("update without a change", READ, |s| s.update("b", |b: &mut Vec<u8>| b.sort()).unwrap()),
    ("update of nothing without a change", READ, |s| {
        assert_eq!(s.update("x", |x: &mut u8| *x), Ok(0));
        assert!(!s.contains_key("x"));
    }),
    ("update of another type", READ, |s| {
        assert_eq!(s.update("b", |_: &mut u8| ()), Err(wrong_type("b")));
    }),
    ("update refused", READ, |s| {
        assert_eq!(s.update("a", |a: &mut f64| *a = f64::NAN), Err(ValueError::NotFinite));
        assert_eq!(s.get("a"), Ok(Some(1)));
    }),
    ("get_or_discard", READ, |s| assert_eq!(s.get_or_discard("a"), Some(1))),
    // Nobody asked for the cookie that would say so.
    ("get_or_discard of another type", READ, |s| {
        assert_eq!((s.get_or_discard::<u8>("b"), s.contains_key("b")), (None, false));
    }),
    ("read", READ, |s| {
        let all: std::collections::BTreeMap<String, serde_json::Value> = s.read().unwrap();
        assert_eq!(serde_json::to_string(&all).unwrap(), r#"{"a":1,"b":[1,2]}"#);
    }),
    ("replace", CHANGED, |s| {
        s.replace(&std::collections::BTreeMap::from([("b", 3), ("c", 4)])).unwrap();
        assert_eq!(s.to_json(), r#"{"b":3,"_session_expiry":300,"c":4}"#);
    }),
    ("replace refused", NEITHER, |s| assert_eq!(s.replace(&[1]), Err(ValueError::NotAnObject))),
    ("clear", CHANGED, Session::clear),
    ("flush", CHANGED, Session::flush),
    ("cycle_key", CHANGED, Session::cycle_key),
    ("set_expiry", CHANGED, |s| s.set_expiry(Expiry::AtBrowserClose)),
    ("set_expiry to the default", CHANGED, |s| s.set_expiry(Expiry::Default)),
    ("set_expiry to the default, when none is set", CHANGED, |s| {
        s.set_expiry(Expiry::Default);
        let mut without = codec().decode_at(&codec().encode_at(s, NOW).unwrap(), NOW).unwrap();
        without.set_expiry(Expiry::Default);
        assert_eq!(state(&without), READ);
    }),
    ("set_test_cookie", CHANGED, |s| {
        s.set_test_cookie();
        assert_eq!(s.get("testcookie"), Ok(Some("worked")));
        assert!(s.test_cookie_worked());
    }),
    ("delete_test_cookie", CHANGED, |s| {
        s.set_test_cookie();
        assert!(s.delete_test_cookie());
        assert!(!s.delete_test_cookie() && !s.test_cookie_worked());
    }),
    ("delete_test_cookie of nothing", READ, |s| assert!(!s.delete_test_cookie())),
    ("what is told of the token", READ, |s| {
        assert_eq!((s.signed_at(), s.key_index(), s.refusal()), (Some(NOW), Some(0), None));
    }),
    ("encoding", READ, |s| drop(codec().encode(s).unwrap())),
    ("cloning", READ, |s| assert_eq!(state(&s.clone()), READ)),
    ("printing", NEITHER, |s| assert!(!format!("{s:?}").is_empty())),
];

#[test]
fn every_operation_counts_as_it_does_in_django() {
    for (name, expected, operation) in TABLE {
        let mut session = arrived();
        operation(&mut session);
        assert_eq!(state(&session), *expected, "{name}");
        // A clone can be read elsewhere: the response depends on the cookie from then on.
        let cloned = (true, expected.1);
        assert_eq!((state(&session.clone()), state(&session)), (cloned, cloned), "{name}");
    }
}

#[test]
fn a_refused_change_leaves_the_data_as_they_were() {
    let mut session = arrived();
    session.insert("a", f64::NAN).unwrap_err();
    session.extend([("b", 1.0), ("a", f64::INFINITY)]).unwrap_err();
    session.pop::<String>("b").unwrap_err();
    assert!(session.iter().eq(arrived().iter()));
}

#[test]
fn entries_keep_the_order_in_which_their_keys_first_came() {
    let mut session = arrived();
    session.insert("c", 3).unwrap();
    session.insert("a", 4).unwrap();
    session.remove("b");
    session.insert("b", 5).unwrap();
    let entries: Vec<(&str, &str)> = session.iter().collect();
    assert_eq!(entries, [("a", "4"), ("_session_expiry", "300"), ("c", "3"), ("b", "5")]);
}

#[test]
fn clear_stays_the_visitor_s_session_and_flush_begins_another() {
    let mut cleared = arrived();
    cleared.clear();
    assert!(cleared.is_empty());
    assert_eq!((cleared.signed_at(), cleared.key_index()), (Some(NOW), Some(0)));

    let mut flushed = arrived();
    flushed.flush();
    assert!(flushed.is_empty());
    assert_eq!((flushed.signed_at(), flushed.key_index()), (None, None));

    for mut session in [cleared, flushed] {
        session.insert("new", true).unwrap();
        assert_eq!(session.iter().collect::<Vec<_>>(), [("new", "true")]);
    }
}

#[test]
fn cycle_key_keeps_the_data_and_renews_the_timestamp() {
    let mut session = arrived();
    session.cycle_key();
    let later = NOW + Duration::from_secs(60);
    let token = codec().encode_at(&session, later).unwrap();
    let again = codec().decode_at(&token, later).unwrap();
    assert!(again.iter().eq(arrived().iter()));
    assert_eq!(again.signed_at(), Some(later));
}

#[test]
fn the_key_and_the_time_of_signing_are_told() {
    let retired = Keyring::new("retired-secret-key-0123456789").unwrap();
    let token = SessionCodec::new(&retired).encode_at(&arrived(), NOW).unwrap();
    let ring = Keyring::new("test-secret-key-0123456789")
        .unwrap()
        .fallback("another-secret-key-0123456789")
        .unwrap()
        .fallback("retired-secret-key-0123456789")
        .unwrap();
    let session = SessionCodec::new(&ring).decode_at(&token, NOW).unwrap();
    assert_eq!((session.signed_at(), session.key_index()), (Some(NOW), Some(2)));
    assert_eq!((Session::new().signed_at(), Session::new().key_index()), (None, None));
    let text = TimestampSigner::new(&retired, "salt").sign_at("text", NOW);
    let stamped = TimestampSigner::new(&ring, "salt").unsign(&text, None).unwrap();
    assert_eq!((stamped.value, stamped.signed_at, stamped.key_index), ("text", NOW, 2));
}

#[test]
fn a_session_says_why_its_token_was_refused_until_it_is_flushed() {
    let manager = SessionManager::new(codec(), CookieOptions::new("sessionid").unwrap());
    let mut session = manager.load_at(["sessionid=garbage!"], NOW);
    assert_eq!(state(&session), NEITHER);
    assert_eq!(session.refusal(), Some(&DecodeError::Malformed));
    assert_eq!((session.signed_at(), session.len()), (None, 0));
    session.flush();
    assert_eq!(session.refusal(), None);
}

#[test]
fn a_session_can_be_shared_and_sent_between_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Session>();
    check::<SessionCodec>();
    check::<TimestampSigner>();
    check::<Keyring>();
}

#[test]
fn a_stored_session_is_read_however_old_and_up_to_a_mebibyte() {
    let ring = Keyring::new("test-secret-key-0123456789").unwrap();
    let codec = django::stored_session_codec(&ring);
    let session = |len: usize| {
        let mut session = Session::new();
        session.insert("a", "x".repeat(len - r#"{"a":""}"#.len())).unwrap();
        session
    };
    let plain = codec.clone().compress(Compress::Never);
    let text = plain.encode_at(&session(1 << 20), NOW).unwrap();
    let read = codec.decode_at(&text, NOW + Duration::from_secs(1 << 30)).unwrap();
    assert_eq!(read.to_json(), session(1 << 20).to_json());
    let refused = codec.encode_at(&session((1 << 20) + 1), NOW);
    let (len, limit, entries) = ((1 << 20) + 1, 1 << 20, vec![("a".to_owned(), 1 << 20)]);
    assert_eq!(refused, Err(EncodeError::TooLarge { len, limit, entries }));
    // It is good for no cookie.
    let text = codec.encode_at(&session(1 << 10), NOW).unwrap();
    let refused = SessionCodec::new(&ring).decode_at(&text, NOW).unwrap_err();
    assert!(!refused.is_authentic());
}
