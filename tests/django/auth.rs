//! A login is Django's login: read, verified, begun and ended by its rules.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use signed_session::django::{self, AuthUser};
use signed_session::{Keyring, Session, SessionCodec, ValueError};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);
const BACKEND: &str = "django.contrib.auth.backends.ModelBackend";
const PASSWORD: &str = "pbkdf2_sha256$1000000$salt$hash";

fn ring() -> Keyring {
    Keyring::new("test-secret-key-0123456789").unwrap()
}

fn user(id: u32) -> AuthUser {
    AuthUser::new(&ring(), id, BACKEND, PASSWORD)
}

/// A session as it comes from a cookie, neither read nor changed.
fn arrived(session: &Session) -> Session {
    let codec = SessionCodec::new(&ring());
    codec.decode_at(&codec.encode_at(session, NOW).unwrap(), NOW).unwrap()
}

fn logged_in(id: u32) -> Session {
    let mut session = Session::new();
    session.insert("cart", ["apples"]).unwrap();
    user(id).login(&mut session, |_| true);
    arrived(&session)
}

fn keys(session: &Session) -> Vec<&str> {
    session.keys().collect()
}

const OF_A_USER: [&str; 3] = ["_auth_user_id", "_auth_user_backend", "_auth_user_hash"];

#[test]
fn the_hash_of_a_password_is_the_one_that_django_makes() {
    #[derive(Deserialize)]
    struct Vector {
        secret: Option<Secret>,
        password: Option<String>,
        hash: Option<String>,
    }
    #[derive(Deserialize)]
    struct Secret {
        text: String,
    }
    let file: Value = serde_json::from_str(include_str!("../vectors/beside.json")).unwrap();
    let vectors: Vec<Vector> = Deserialize::deserialize(&file["vectors"]).unwrap();
    let mut count = 0;
    for vector in &vectors {
        let (Some(secret), Some(password)) = (&vector.secret, &vector.password) else { continue };
        let ring = Keyring::new(&secret.text).unwrap();
        let mut session = Session::new();
        AuthUser::new(&ring, 1, BACKEND, password).login(&mut session, |_| false);
        assert_eq!(session.get::<String>("_auth_user_hash").unwrap(), vector.hash, "{password}");
        count += 1;
    }
    assert_eq!(count, 15);
}

#[test]
fn a_login_is_read_again_and_says_which_key_matched() {
    let old = Keyring::new("test-secret-key-of-last-year").unwrap();
    let mut session = Session::new();
    AuthUser::new(&old, 42, BACKEND, PASSWORD).login(&mut session, |_| false);
    let user = AuthUser::from_session(&session).unwrap().unwrap();
    assert_eq!((user.id(), user.backend()), ("42", BACKEND));
    assert_eq!(user.verify(&old, PASSWORD), Some(0));
    let rotated = ring()
        .fallback("test-secret-key-of-no-year")
        .and_then(|ring| ring.fallback("test-secret-key-of-last-year"))
        .unwrap();
    assert_eq!(user.verify(&rotated, PASSWORD), Some(2));
    assert_eq!(user.verify(&ring(), PASSWORD), None);
    assert_eq!(user.verify(&rotated, "pbkdf2_sha256$1000000$salt$other"), None);
}

#[test]
fn every_other_spelling_of_the_hash_is_refused() {
    let hash: String = logged_in(1).get("_auth_user_hash").unwrap().unwrap();
    assert_eq!(hash.len(), 64);
    let mut spellings: BTreeSet<String> = [
        String::new(),
        hash.to_uppercase(),
        format!("{hash} "),
        format!(" {hash}"),
        hash[..63].to_owned(),
        format!("{hash}{hash}"),
        "0".repeat(64),
    ]
    .into();
    for at in 0..64 {
        let mut wrong = hash.clone().into_bytes();
        wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
        spellings.insert(String::from_utf8(wrong).unwrap());
    }
    assert_eq!(spellings.len(), 71);
    for spelling in spellings {
        let mut session = logged_in(1);
        session.insert("_auth_user_hash", &spelling).unwrap();
        let user = AuthUser::from_session(&session).unwrap().unwrap();
        assert_eq!(user.verify(&ring(), PASSWORD), None, "{spelling}");
    }
}

fn wrong_type(key: &str) -> ValueError {
    ValueError::WrongType { key: key.to_owned() }
}

#[test]
fn a_malformed_user_is_an_error_and_an_absent_one_is_nobody() {
    for (key, json, expected) in [
        ("_auth_user_id", r#""42""#, Ok(Some("42"))),
        ("_auth_user_id", "42", Ok(Some("42"))),
        ("_auth_user_id", "-1", Ok(Some("-1"))),
        (
            "_auth_user_id",
            "123456789012345678901234567890",
            Ok(Some("123456789012345678901234567890")),
        ),
        ("_auth_user_id", r#""""#, Err(wrong_type("_auth_user_id"))),
        ("_auth_user_id", "null", Err(wrong_type("_auth_user_id"))),
        ("_auth_user_id", "true", Err(wrong_type("_auth_user_id"))),
        ("_auth_user_id", "1.0", Err(wrong_type("_auth_user_id"))),
        ("_auth_user_id", "1e3", Err(wrong_type("_auth_user_id"))),
        ("_auth_user_id", "[1]", Err(wrong_type("_auth_user_id"))),
        ("_auth_user_id", r#"{"id":1}"#, Err(wrong_type("_auth_user_id"))),
        ("_auth_user_id", r#""\ud800""#, Err(wrong_type("_auth_user_id"))),
        ("_auth_user_backend", "null", Err(wrong_type("_auth_user_backend"))),
        ("_auth_user_backend", "1", Err(wrong_type("_auth_user_backend"))),
        ("_auth_user_hash", "null", Ok(Some("1"))),
        ("_auth_user_hash", r#""""#, Ok(Some("1"))),
        ("_auth_user_hash", "0", Err(wrong_type("_auth_user_hash"))),
        ("_auth_user_hash", "false", Err(wrong_type("_auth_user_hash"))),
        ("_auth_user_hash", r#"["a"]"#, Err(wrong_type("_auth_user_hash"))),
    ] {
        let mut session = logged_in(1);
        session.insert_json(key, json).unwrap();
        let found =
            AuthUser::from_session(&session).map(|user| user.map(|user| user.id().to_owned()));
        assert_eq!(found, expected.map(|id| id.map(str::to_owned)), "{key}: {json}");
        if key == "_auth_user_hash" && found.is_ok() {
            let user = AuthUser::from_session(&session).unwrap().unwrap();
            assert_eq!(user.verify(&ring(), PASSWORD), None, "{json}");
        }
    }
    for (key, is_nobody) in
        [("_auth_user_id", true), ("_auth_user_backend", true), ("_auth_user_hash", false)]
    {
        let mut session = logged_in(1);
        assert!(session.remove(key));
        let found = AuthUser::from_session(&session).unwrap();
        assert_eq!(found.is_none(), is_nobody, "{key}");
        assert_eq!(found.and_then(|user| user.verify(&ring(), PASSWORD)), None, "{key}");
    }
    assert!(AuthUser::from_session(&Session::new()).unwrap().is_none());
}

#[test]
fn d19_a_login_drops_an_anonymous_visitor_s_data_unless_kept() {
    let mut anonymous = Session::new();
    for key in ["cart", "next", "_session_expiry", "größe"] {
        anonymous.insert(key, 300).unwrap();
    }
    let login = |keep: fn(&str) -> bool| {
        let mut session = arrived(&anonymous);
        user(1).login(&mut session, keep);
        session
    };
    assert_eq!(keys(&login(|_| false)), OF_A_USER);
    assert_eq!(keys(&login(|key| key == "cart"))[..2], ["cart", "_auth_user_id"]);
    assert_eq!(keys(&login(|key| key == "größe"))[..2], ["größe", "_auth_user_id"]);
    assert_eq!(keys(&login(|_| true)).len(), 7);
    assert_eq!(login(|key| key == "cart").get("cart"), Ok(Some(300)));
}

#[test]
fn a_key_that_is_not_unicode_is_kept_only_with_everything() {
    let codec = SessionCodec::new(&ring());
    let json = r#"{"a\ud800":1,"b":2}"#;
    let token = codec.encode_json_at(json, NOW).unwrap();
    for (keep, start) in
        [(true, r#"{"a\ud800":1,"b":2,"_auth_"#), (false, r#"{"_auth_user_id":"1""#)]
    {
        let mut session = codec.decode_at(&token, NOW).unwrap();
        user(1).login(&mut session, |_| keep);
        assert!(session.to_json().starts_with(start), "{}", session.to_json());
    }
}

#[test]
fn a_login_begins_a_session_whose_age_counts_from_there() {
    let codec = SessionCodec::new(&ring()).absolute_max_age(Duration::from_secs(1000));
    let mut session = Session::new();
    session.insert("cart", 1).unwrap();
    let mut session = codec.decode_at(&codec.encode_at(&session, NOW).unwrap(), NOW).unwrap();
    user(1).login(&mut session, |key| key == "cart");
    assert_eq!((session.signed_at(), session.key_index()), (None, None));
    // However late it is written, and whoever the session was of.
    for _ in 0..2 {
        assert_eq!(session.started_at(), Some(NOW));
        let (later, at_last) = (NOW + Duration::from_secs(999), NOW + Duration::from_secs(1000));
        let token = codec.encode_at(&session, later).unwrap();
        assert!(codec.decode_at(&token, at_last).is_ok());
        assert!(codec.decode_at(&token, at_last + Duration::from_secs(1)).is_err());
        let old = NOW - Duration::from_secs(500);
        let mut of_the_user = Session::new();
        user(1).login(&mut of_the_user, |_| false);
        let token = codec.encode_at(&of_the_user, old).unwrap();
        session = codec.decode_at(&token, NOW).unwrap();
        user(1).login(&mut session, |_| false);
    }
}

#[test]
fn the_same_user_keeps_everything_and_another_finds_nothing() {
    let mut session = logged_in(1);
    user(1).login(&mut session, |_| false);
    assert_eq!(session.get("cart"), Ok(Some(vec!["apples".to_owned()])));
    assert!(session.is_modified());

    for other in [user(2), AuthUser::new(&ring(), 1, BACKEND, "changed since")] {
        let mut session = logged_in(1);
        other.login(&mut session, |_| true);
        assert_eq!(keys(&session), OF_A_USER);
    }
    // Nor does a session with an id that cannot be read become another's.
    let mut session = logged_in(1);
    session.insert("_auth_user_id", [1]).unwrap();
    user(1).login(&mut session, |_| true);
    assert_eq!(keys(&session), OF_A_USER);
}

#[test]
fn d19_a_user_without_a_hash_is_the_same_by_the_id_alone() {
    // As of a user model without a password.
    let mut session = logged_in(1);
    session.insert("_auth_user_hash", "").unwrap();
    let user = AuthUser::from_session(&session).unwrap().unwrap();
    for mut session in [session, logged_in(1)] {
        user.login(&mut session, |_| false);
        assert_eq!(session.get("cart"), Ok(Some(vec!["apples".to_owned()])));
        assert_eq!(session.get("_auth_user_hash"), Ok(Some(String::new())));
    }
    let mut session = logged_in(2);
    user.login(&mut session, |_| true);
    assert_eq!(keys(&session), OF_A_USER);
}

#[test]
fn a_login_drops_the_csrf_secret_whoever_had_the_session() {
    for mut session in [Session::new(), logged_in(1), logged_in(2)] {
        session.insert("_csrftoken", "a".repeat(32)).unwrap();
        user(1).login(&mut session, |_| true);
        assert!(!session.contains_key("_csrftoken"));
        assert!(session.contains_key("_auth_user_id"));
    }
}

#[test]
fn resuming_leaves_the_session_or_renews_its_hash() {
    let resume = |ring: &Keyring, password: &str| {
        let mut session = logged_in(1);
        let user = AuthUser::from_session(&session).unwrap().unwrap();
        (user.resume(&mut session, ring, password), session)
    };
    let (matched, session) = resume(&ring(), PASSWORD);
    assert_eq!((matched, session.is_modified(), session.len()), (Some(0), false, 4));

    let new = Keyring::new("test-secret-key-of-next-year").unwrap();
    let rotated = new.clone().fallback("test-secret-key-0123456789").unwrap();
    let (matched, session) = resume(&rotated, PASSWORD);
    assert_eq!((matched, session.is_modified(), session.len()), (Some(1), true, 4));
    // Now the retired key may go.
    let user = AuthUser::from_session(&session).unwrap().unwrap();
    assert_eq!(user.verify(&new, PASSWORD), Some(0));

    for (ring, password) in [(&ring(), "changed since"), (&new, PASSWORD)] {
        let (matched, session) = resume(ring, password);
        assert_eq!((matched, session.is_modified(), session.len()), (None, false, 4));
    }
}

#[test]
fn d22_a_hash_that_cannot_be_judged_logs_nobody_out() {
    let ours: String = logged_in(1).get("_auth_user_hash").unwrap().unwrap();
    // Of another construction: SHA-1, SHA-256 and SHA-512 in hexadecimal, and none of them.
    for foreign in ["a".repeat(40), "b".repeat(64), "c".repeat(128), "x".to_owned(), String::new()]
    {
        let mut session = logged_in(1);
        session.insert("_auth_user_hash", &foreign).unwrap();
        let mut session = arrived(&session);
        let before = session.to_json();
        let user = AuthUser::from_session(&session).unwrap().unwrap();
        assert_eq!(user.hash(), foreign);
        assert_eq!(user.resume(&mut session, &ring(), PASSWORD), None);
        assert_eq!(user.resume_with(&mut session, [&ours]), None);
        assert_eq!(user.resume_with(&mut session, [""; 2]), None, "none is not none");
        assert_eq!(user.resume_with(&mut session, Vec::<String>::new()), None);
        assert!(!session.is_modified() && session.to_json() == before, "{foreign}");
    }
}

#[test]
fn hashes_that_the_program_computed_resume_a_session() {
    let of = |hash: &str| {
        let mut session = Session::new();
        AuthUser::with_hash(42, BACKEND, hash).login(&mut session, |_| false);
        arrived(&session)
    };
    let (current, old, other) = ("1".repeat(40), "2".repeat(40), "3".repeat(40));
    let expected = [&current, &old];

    let mut session = of(&current);
    let user = AuthUser::from_session(&session).unwrap().unwrap();
    assert_eq!((user.id(), user.backend(), user.hash()), ("42", BACKEND, current.as_str()));
    assert_eq!(user.verify_with(expected), Some(0));
    assert_eq!(user.verify_with(expected.map(String::as_str).iter()), Some(0));
    assert_eq!(user.resume_with(&mut session, expected), Some(0));
    assert!(!session.is_modified());

    let mut session = of(&old);
    let user = AuthUser::from_session(&session).unwrap().unwrap();
    assert_eq!(user.resume_with(&mut session, expected), Some(1));
    assert!(session.is_modified());
    assert_eq!(session.get("_auth_user_hash"), Ok(Some(current.clone())));

    let mut session = of(&other);
    let user = AuthUser::from_session(&session).unwrap().unwrap();
    assert_eq!(user.verify_with(expected), None);
    assert_eq!(user.resume_with(&mut session, expected), None);
    assert!(!session.is_modified());
    user.rebind_with(&mut session, &current);
    let user = AuthUser::from_session(&session).unwrap().unwrap();
    assert_eq!(user.verify_with(expected), Some(0));
}

#[test]
fn who_changes_the_password_stays_and_others_are_nobody() {
    let (mut here, mut there) = (logged_in(1), logged_in(1));
    let user = AuthUser::from_session(&here).unwrap().unwrap();
    user.rebind(&mut here, &ring(), "the new one");
    for (session, matched) in [(&mut here, Some(0)), (&mut there, None)] {
        let user = AuthUser::from_session(session).unwrap().unwrap();
        assert_eq!(user.resume(session, &ring(), "the new one"), matched);
    }
    assert!(here.is_modified() && !there.is_modified());
}

#[test]
fn a_logout_leaves_nothing() {
    let mut session = logged_in(1);
    django::logout(&mut session);
    assert!(session.is_empty() && session.is_modified());
    assert!(AuthUser::from_session(&session).unwrap().is_none());
}

#[test]
fn a_user_shows_nothing_of_the_session() {
    assert_eq!(format!("{:?}", user(42)), "AuthUser { .. }");
}

#[test]
fn of_a_secret_that_is_in_the_ring_twice_the_first_matches() {
    // As in Django, where a hash under the first key leaves the session as it is.
    let secret = "example-only-twice-correct-horse-battery-staple";
    let ring = Keyring::new(secret).unwrap().fallback(secret).unwrap().fallback("x").unwrap();
    let user = AuthUser::new(&ring, 1, BACKEND, PASSWORD);
    assert_eq!(user.verify(&ring, PASSWORD), Some(0));
    let last = Keyring::new("y").unwrap().fallback("z").unwrap().fallback(secret).unwrap();
    assert_eq!(user.verify(&last, PASSWORD), Some(2));
    assert_eq!(user.verify(&last, "another"), None);
}
