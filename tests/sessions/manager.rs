//! Holds what a response must carry, for every cookie that comes and all that a handler can do.

use std::time::Duration;

use serde_json::json;
use signed_session::{
    Compress, CookieOptions, DecodeError, EncodeError, Expiry, ExpiryRule, Keyring, Reply, Session,
    SessionCodec, SessionManager, Signer, TimestampSigner, ValueError, Weakness, django,
};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);
const LATER: OffsetDateTime = datetime!(2023-11-14 22:14:20 UTC);
const SECRET: &str = "test-secret-key-0123456789";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn ring() -> Keyring {
    Keyring::new(SECRET).unwrap()
}

fn codec() -> SessionCodec {
    SessionCodec::new(&ring())
}

fn manager_of(codec: SessionCodec) -> SessionManager {
    SessionManager::new(codec, CookieOptions::new("sessionid").unwrap())
}

fn manager() -> SessionManager {
    manager_of(codec())
}

/// A header with the token of a session that has this one entry, signed at this time.
fn header_at(signed_at: OffsetDateTime, user: &str) -> String {
    let mut session = Session::new();
    session.insert("user", user).unwrap();
    format!("sessionid={}", codec().encode_at(&session, signed_at).unwrap())
}

fn header() -> String {
    header_at(NOW, "ada")
}

/// A header with a token of this very payload, signed now.
fn header_of(payload: &str) -> String {
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
    format!("sessionid={}", signer.sign_at(payload, NOW))
}

/// What a reply comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    Vary,
    /// The cookie, of a session with this many entries.
    Set(usize),
    Removed,
}

fn sent(reply: &Reply) -> Sent {
    match &reply.set_cookie {
        None if reply.vary_on_cookie => Sent::Vary,
        None => Sent::Nothing,
        // Whoever gets a cookie got it by a cookie: caches must know.
        Some(_) if !reply.vary_on_cookie => panic!("a cookie without Vary: {reply:?}"),
        Some(cookie) if cookie.value().is_empty() => {
            assert_eq!(cookie.max_age(), Some(time::Duration::ZERO));
            Sent::Removed
        }
        Some(cookie) => Sent::Set(codec().decode_at(cookie.value(), LATER).unwrap().len()),
    }
}

fn run(
    manager: &SessionManager,
    header: &str,
    handler: impl FnOnce(&mut Session),
    status: u16,
) -> Sent {
    let mut session = manager.load_at([header], LATER);
    handler(&mut session);
    sent(&manager.commit_at(&session, status, LATER).unwrap())
}

/// What a handler does, and what the response then carries: without a cookie, with a good one,
/// with a forged one, and with one that is too short to be a session.
type Row = (&'static str, fn(&mut Session), [Sent; 4]);

const TABLE: &[Row] = {
    use Sent::{Nothing, Removed, Set, Vary};
    &[
        ("nothing", |_| (), [Nothing, Nothing, Nothing, Nothing]),
        ("reads", |s| drop(s.get::<u8>("x")), [Vary, Vary, Vary, Vary]),
        ("counts", |s| assert!(s.len() < 2), [Vary, Vary, Vary, Vary]),
        ("writes", |s| s.insert("x", 1).unwrap(), [Set(1), Set(2), Set(1), Set(1)]),
        (
            "updates with nothing",
            |s| s.extend([("", 1); 0]).unwrap(),
            [Vary, Set(1), Set(0), Removed],
        ),
        (
            "writes and takes back",
            |s| {
                s.insert("x", 1).unwrap();
                assert!(s.remove("x"));
            },
            [Vary, Set(1), Set(0), Removed],
        ),
        (
            "removes what may be there",
            |s| assert_eq!(s.remove("user"), s.signed_at().is_some()),
            [Vary, Set(0), Vary, Vary],
        ),
        ("clears", Session::clear, [Vary, Set(0), Set(0), Removed]),
        ("flushes", Session::flush, [Vary, Removed, Removed, Removed]),
        (
            "flushes and writes",
            |s| {
                s.flush();
                s.insert("x", 1).unwrap();
            },
            [Set(1), Set(1), Set(1), Set(1)],
        ),
        (
            "writes and flushes",
            |s| {
                s.insert("x", 1).unwrap();
                s.flush();
            },
            [Vary, Removed, Removed, Removed],
        ),
        ("cycles", Session::cycle_key, [Set(0), Set(1), Set(0), Set(0)]),
        ("sets no expiry", |s| s.set_expiry(Expiry::Default), [Vary, Vary, Vary, Vary]),
        ("sets an expiry", |s| s.set_expiry(Expiry::After(DAY)), [Set(1), Set(2), Set(1), Set(1)]),
        ("sets a test cookie", Session::set_test_cookie, [Set(1), Set(2), Set(1), Set(1)]),
    ]
};

const FORGED: &str =
    "sessionid=eyJ1c2VyIjoiYWRhIn0:1r31eq:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn every_row_is_django_s_but_for_what_nobody_asked_for() {
    let headers = ["theme=dark", &header(), FORGED, "sessionid=1234567"];
    for (name, handler, expected) in TABLE {
        for (header, expected) in headers.iter().zip(expected) {
            for status in [200, 302, 404] {
                let found = run(&manager(), header, handler, status);
                assert_eq!(found, *expected, "{name}, {status}, {header}");
            }
            // An error of the server saves nothing; a removal is none of its doing.
            let expected = match expected {
                Sent::Set(_) => Sent::Vary,
                other => *other,
            };
            for status in [500, 503, 599] {
                let found = run(&manager(), header, handler, status);
                assert_eq!(found, expected, "{name}, {status}, {header}");
            }
        }
    }
}

#[test]
fn every_request_saves_if_told_so_even_one_that_did_not_look() {
    let manager = manager().save_every_request(true);
    for (header, expected) in [
        ("theme=dark", Sent::Nothing),
        (&header(), Sent::Set(1)),
        // D12, D17: another response may have replaced it meanwhile.
        (FORGED, Sent::Nothing),
        ("sessionid=1234567", Sent::Nothing),
    ] {
        assert_eq!(run(&manager, header, |_| (), 200), expected, "{header}");
    }
    assert_eq!(run(&manager, &header(), |_| (), 500), Sent::Nothing);
}

#[test]
fn eight_characters_are_a_token_and_seven_are_none() {
    for (value, is_token) in [
        ("", false),
        ("1234567", false),
        ("ééééééé", false),
        ("12345678", true),
        ("éééééééé", true),
        ("1234567\u{1f36a}", true),
    ] {
        let header = format!("sessionid={value}");
        let session = manager().load_at([&header], LATER);
        assert_eq!(session.refusal().is_some(), is_token, "{value}");
        // Whatever it is, it goes when the program says so.
        assert_eq!(run(&manager(), &header, |_| (), 200), Sent::Nothing, "{value}");
        assert_eq!(run(&manager(), &header, Session::flush, 200), Sent::Removed, "{value}");
    }
}

// What stays in the browser.

/// Every way in which a token can be refused.
#[test]
fn reading_overwrites_no_token_that_was_refused() {
    let strict = || codec().refuse_signed_before(NOW);
    let long = format!("sessionid={}", "x".repeat(4097));
    let unsigned = header().replace(":1r31eq:", ":1r31er:");
    let table: &[(&str, SessionCodec, &str)] = &[
        ("TooLong", codec(), &long),
        ("Malformed", codec(), "sessionid=no-separator"),
        ("BadSignature", codec(), &unsigned),
        ("Expired", codec().max_age(Duration::from_secs(59)), &header()),
        ("SignedTooEarly", strict(), &header_at(NOW - DAY, "ada")),
        ("NotYetValid", codec(), &header_at(LATER + DAY, "ada")),
        ("BadTimestamp", codec(), &{
            let token = Signer::new(&ring(), django::SESSION_SALT).sign("e30");
            format!("sessionid={token}")
        }),
        ("Base64", codec(), &header_of("e3!")),
        ("Zlib", codec(), &header_of(".e30")),
        ("TooLarge", codec().max_payload_len(8), &header()),
        ("Json", codec(), &header_of("e3s")),
        ("NotAnObject", codec(), &header_of("W10")),
        ("BadExpiry", codec(), &header_of("eyJfc2Vzc2lvbl9leHBpcnkiOltdfQ")),
        ("Ambiguous", codec(), &format!("{}; {}", header(), header_at(NOW, "eve"))),
        ("TooManyCookies", codec(), &vec![header(); 17].join(";")),
    ];
    for (reason, codec, header) in table {
        let session = manager_of(codec.clone()).load_at([*header], LATER);
        let refused = format!("{:?}", session.refusal().expect(reason));
        assert!(refused.starts_with(reason), "{refused} for {reason}");
        assert_eq!((session.len(), session.signed_at()), (0, None));
        let strict = manager_of(codec.clone()).refresh_after(DAY).reissue_under_primary(true);
        for manager in
            [manager_of(codec.clone()), manager_of(codec.clone()).save_every_request(true), strict]
        {
            let set = |handler: fn(&mut Session)| {
                let mut session = manager.load_at([*header], LATER);
                handler(&mut session);
                manager.commit_at(&session, 200, LATER).unwrap()
            };
            assert_eq!(sent(&set(|_| ())), Sent::Nothing, "{reason}, untouched");
            let reply = set(|session| assert!(session.get::<u8>("x").unwrap().is_none()));
            assert_eq!(sent(&reply), Sent::Vary, "{reason}, read");
            // Written or flushed, it is the program's will.
            assert!(set(|session| session.insert("x", 1).unwrap()).set_cookie.is_some());
            assert_eq!(sent(&set(Session::flush)), Sent::Removed, "{reason}, flushed");
        }
    }
    // Every reason there is, but for a rule of the program, the list of ended sessions, and the one
    // that only `decode_as` has.
    let source =
        include_str!("../../src/error.rs").split("pub enum DecodeError {\n").nth(1).unwrap();
    let body = source.split("\n}").next().unwrap();
    let is_variant = |line: &&str| line.trim_start_matches("    ").starts_with(char::is_uppercase);
    let is_listed = |line: &str| table.iter().any(|(reason, ..)| line.trim().starts_with(reason));
    let unlisted: Vec<&str> =
        body.lines().filter(is_variant).filter(|line| !is_listed(line)).collect();
    let others = ["BadSubject", "BadSessionId", "Revoked", "Refused", "WrongType", "Unheard"];
    assert_eq!(unlisted, others.map(|reason| format!("    {reason},")));
}

// Several cookies of the name.

#[test]
fn of_several_cookies_the_good_one_is_taken_wherever_it_stands() {
    let good = header();
    let expired = header_at(LATER - 15 * DAY, "old");
    let short = "sessionid=1234567";
    for headers in [
        vec![good.as_str(), FORGED],
        vec![FORGED, &good],
        vec![&expired, &good],
        vec![&good, &expired],
        vec![&good, &good],
        vec![short, &good, short],
        vec![FORGED, &good, &expired, FORGED, &good],
    ] {
        // In one header, and in one each, as HTTP/2 may send them.
        let together = [headers.join("; ")];
        let together: Vec<&str> = together.iter().map(String::as_str).collect();
        for headers in [&together, &headers] {
            let session = manager().load_at(headers.iter().copied(), LATER);
            assert_eq!(
                session.get::<String>("user").unwrap().as_deref(),
                Some("ada"),
                "{headers:?}"
            );
            assert_eq!(session.refusal(), None);
        }
    }
}

#[test]
fn two_good_cookies_that_differ_are_refused_as_ambiguous() {
    for (first, second) in [
        (header(), header_at(NOW, "eve")),
        (header_at(NOW, "eve"), header()),
        // The same data at another time are another token.
        (header(), header_at(NOW - DAY, "ada")),
    ] {
        let session = manager().load_at([&format!("{first}; {FORGED}; {second}")], LATER);
        assert_eq!(session.refusal(), Some(&DecodeError::Ambiguous));
        assert!(session.is_empty());
        let session = manager().load_at([&first, &second], LATER);
        assert_eq!(session.refusal(), Some(&DecodeError::Ambiguous));
    }
}

#[test]
fn sixteen_cookies_of_the_name_are_read_and_more_are_refused() {
    let forged = |count: usize| vec![FORGED; count].join("; ");
    let session = manager().load_at([&format!("{}; {}", forged(15), header())], LATER);
    assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("ada"));
    let session = manager().load_at([&format!("{}; {}", header(), forged(16))], LATER);
    assert_eq!(session.refusal(), Some(&DecodeError::TooManyCookies { limit: 16 }));
    // Cookies of other names, and ones too short for a token, do not count.
    let others = "theme=dark; sessionid=x; ".repeat(100);
    let session = manager().load_at([&format!("{others}{}", header())], LATER);
    assert_eq!(session.refusal(), None);
    assert_eq!(session.len(), 1);
}

#[test]
fn of_several_reasons_the_last_authentic_one_counts() {
    let expired = header_at(LATER - 15 * DAY, "old");
    let [unreadable, worse] = ["W10", "W"].map(header_of);
    for (headers, expected) in [
        ([FORGED, &expired], "Expired"),
        ([&expired, FORGED], "Expired"),
        ([FORGED, &unreadable], "NotAnObject"),
        ([&unreadable, FORGED], "NotAnObject"),
        ([&unreadable, &expired], "Expired"),
        ([&unreadable, &worse], "Base64"),
        ([&worse, &unreadable], "NotAnObject"),
        (["sessionid=no-separator", FORGED], "BadSignature"),
        ([FORGED, "sessionid=no-separator"], "Malformed"),
    ] {
        let session = manager().load_at(headers, LATER);
        let refused = format!("{:?}", session.refusal().unwrap());
        assert!(refused.starts_with(expected), "{refused}, not {expected}");
    }
}

#[test]
fn bytes_beyond_text_hide_no_session_and_are_none() {
    let raw = [b"theme=\xFF\xFE; ".as_slice(), header().as_bytes(), b"; lang=\x80"].concat();
    assert_eq!(manager().load_at([&raw], LATER).len(), 1);
    let raw = b"sessionid=\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF".as_slice();
    assert_eq!(manager().load_at([raw], LATER).refusal(), Some(&DecodeError::BadSignature));
    let session = manager().load_at([raw, header().as_bytes()], LATER);
    assert_eq!((session.refusal(), session.len()), (None, 1));
}

// Better than sliding.

/// The token that goes out to a visitor who only reads, if any.
fn renewed(manager: &SessionManager, header: &str, now: OffsetDateTime) -> Option<String> {
    let session = manager.load_at([header], now);
    assert!(manager.commit_at(&session, 200, now).unwrap().set_cookie.is_none(), "untouched");
    assert!(session.contains_key("user"));
    let reply = manager.commit_at(&session, 200, now).unwrap();
    assert!(reply.vary_on_cookie);
    assert!(manager.commit_at(&session, 500, now).unwrap().set_cookie.is_none());
    reply.set_cookie.map(|cookie| cookie.value().to_owned())
}

#[test]
fn a_session_that_was_read_is_signed_again_only_when_it_is_old() {
    let manager = manager().refresh_after(DAY);
    let second = Duration::from_secs(1);
    assert_eq!(renewed(&manager, &header(), NOW), None);
    assert_eq!(renewed(&manager, &header(), NOW + DAY), None);
    let now = NOW + DAY + second;
    let token = renewed(&manager, &header(), now).unwrap();
    let session = codec().decode_at(&token, now).unwrap();
    assert_eq!(session.signed_at(), Some(now));
    assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("ada"));
    // And then it is left alone for as long.
    assert_eq!(renewed(&manager, &format!("sessionid={token}"), now + DAY), None);
    // Without the setting, never.
    assert_eq!(renewed(&self::manager(), &header(), NOW + 10 * DAY), None);
}

#[test]
fn refreshing_keeps_a_visitor_in_until_the_absolute_age() {
    let codec = codec().max_age(DAY).absolute_max_age(5 * DAY);
    let manager = manager_of(codec.clone()).refresh_after(DAY / 2);
    let mut session = Session::new();
    session.insert("user", "ada").unwrap();
    let mut header = format!("sessionid={}", codec.encode_at(&session, NOW).unwrap());
    let mut now = NOW;
    let mut visits = 0;
    while manager.load_at([&header], now).refusal().is_none() {
        let session = manager.load_at([&header], now);
        assert!(session.contains_key("user"));
        if let Some(cookie) = manager.commit_at(&session, 200, now).unwrap().set_cookie {
            // A browser is not to keep the cookie for longer than it is good.
            let left = NOW + 5 * DAY - now;
            assert_eq!(cookie.max_age(), Some(left.min(DAY.try_into().unwrap())));
            header = cookie.stripped().to_string();
        }
        visits += 1;
        now += DAY / 4;
    }
    assert!(visits > 4, "refreshed past its own age");
    assert_eq!(now, NOW + 5 * DAY + DAY / 4);
}

#[test]
fn a_session_under_a_retired_key_is_signed_again_if_told_so() {
    let rotated = Keyring::new("another-secret-key-0123456789").unwrap().fallback(SECRET).unwrap();
    let codec = SessionCodec::new(&rotated);
    assert_eq!(renewed(&manager_of(codec.clone()), &header(), LATER), None);
    let manager = manager_of(codec.clone()).reissue_under_primary(true);
    for now in [NOW, LATER] {
        let token = renewed(&manager, &header(), now).unwrap();
        let session = codec.decode_at(&token, now).unwrap();
        assert_eq!(session.key_index(), Some(0));
        assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("ada"));
        assert_eq!(renewed(&manager, &format!("sessionid={token}"), LATER), None);
    }
}

#[test]
fn a_session_under_a_retired_key_keeps_its_beginning() {
    let rotated = Keyring::new("another-secret-key-0123456789").unwrap().fallback(SECRET).unwrap();
    let codec = SessionCodec::new(&rotated).absolute_max_age(10 * DAY);
    let manager = manager_of(codec.clone()).reissue_under_primary(true);
    let token = renewed(&manager, &header(), NOW + 9 * DAY).unwrap();
    assert!(codec.decode_at(&token, NOW + 10 * DAY).is_ok());
    let over = codec.decode_at(&token, NOW + 10 * DAY + Duration::from_secs(1));
    assert!(matches!(over, Err(DecodeError::Expired { .. })), "{over:?}");
}

#[test]
fn a_session_after_a_flush_has_a_new_beginning() {
    let codec = codec().max_age(20 * DAY).absolute_max_age(10 * DAY);
    let manager = manager_of(codec.clone()).reissue_under_primary(true);
    let now = NOW + 9 * DAY;
    let mut session = manager.load_at([&header()], now);
    session.flush();
    assert_eq!((session.signed_at(), session.key_index()), (None, None));
    session.insert("user", "eve").unwrap();
    let cookie = manager.commit_at(&session, 200, now).unwrap().set_cookie.unwrap();
    assert!(codec.decode_at(cookie.value(), now + 10 * DAY).is_ok());
    assert_eq!(cookie.max_age(), Some((10 * DAY).try_into().unwrap()));
}

#[test]
fn nothing_is_sent_when_no_byte_would_change() {
    let half_a_second = Duration::from_millis(500);
    let manager = manager().refresh_after(Duration::ZERO).save_every_request(true);
    let write = |value: &str, now: OffsetDateTime| {
        let mut session = manager.load_at([&header()], now);
        session.insert("user", value).unwrap();
        manager.commit_at(&session, 200, now).unwrap()
    };
    // The same entries in the same second are the same token.
    assert_eq!(sent(&write("ada", NOW + half_a_second)), Sent::Vary);
    assert_eq!(sent(&write("eve", NOW + half_a_second)), Sent::Set(1));
    assert_eq!(sent(&write("ada", NOW + 2 * half_a_second)), Sent::Set(1));
    // So it is when nothing was written.
    let read = |now| {
        let session = manager.load_at([&header()], now);
        assert!(!session.is_empty());
        sent(&manager.commit_at(&session, 200, now).unwrap())
    };
    assert_eq!(read(NOW + half_a_second), Sent::Vary);
    assert_eq!(read(NOW + 2 * half_a_second), Sent::Set(1));
}

// How long the cookie lasts.

#[test]
fn the_cookie_lasts_as_long_as_the_session() {
    let age = |manager: &SessionManager, expiry: Expiry| {
        let mut session = Session::new();
        session.set_expiry(expiry);
        session.insert("x", 1).unwrap();
        let cookie = manager.commit_at(&session, 200, NOW).unwrap().set_cookie.unwrap();
        let max_age = cookie.max_age().map(time::Duration::whole_seconds);
        let expires = cookie.expires_datetime().map(|date| (date - NOW).whole_seconds());
        assert_eq!(max_age, expires);
        max_age
    };
    let weeks = 2 * 7 * 24 * 60 * 60;
    let minute = Expiry::After(Duration::from_secs(60));
    let year = Expiry::After(365 * DAY);
    let moment = Expiry::At(NOW + Duration::from_secs(90));

    let plain = manager();
    assert_eq!(age(&plain, Expiry::Default), Some(weeks));
    assert_eq!(age(&plain, Expiry::AtBrowserClose), None);
    assert_eq!(age(&plain, minute), Some(60));
    assert_eq!(age(&plain, year), Some(365 * 24 * 60 * 60));
    assert_eq!(age(&plain, moment), Some(90));

    let hour = manager_of(codec().max_age(Duration::from_secs(3600)));
    assert_eq!(age(&hour, Expiry::Default), Some(3600));

    let closing = manager().expire_at_browser_close(true);
    assert_eq!(age(&closing, Expiry::Default), None);
    assert_eq!(age(&closing, minute), Some(60));
    assert_eq!(age(&closing, moment), Some(90));

    // The nearer of both, as the token itself.
    let shorter = manager_of(codec().expiry_rule(ExpiryRule::Shorter));
    assert_eq!(age(&shorter, year), Some(weeks));
    assert_eq!(age(&shorter, minute), Some(60));
    // As Django, whose cookie outlives its token.
    let django = manager_of(codec().expiry_rule(ExpiryRule::Django));
    assert_eq!(age(&django, year), Some(365 * 24 * 60 * 60));
}

// What cannot be written.

#[test]
fn a_session_that_does_not_fit_gives_the_size_of_each_entry() {
    let manager = manager_of(codec().compress(Compress::Never));
    let mut session = Session::new();
    session.insert("user_id", 42).unwrap();
    session.insert("cart", "x".repeat(3100)).unwrap();
    session.insert("what a visitor typed", "y").unwrap();
    session.insert("zoë", 1).unwrap();
    session.insert("", 1).unwrap();
    session.insert(&"k".repeat(64), 1).unwrap();
    session.insert(&"k".repeat(65), 1).unwrap();
    let refused = manager.commit_at(&session, 200, NOW).unwrap_err();
    let EncodeError::TooLarge { len, limit, entries } = &refused else { panic!("{refused:?}") };
    let longest = "k".repeat(64);
    let expected = [
        ("cart", 3110),
        ("entry 7", 70),
        (&longest, 69),
        ("entry 3", 27),
        ("user_id", 13),
        ("entry 4", 13),
        ("entry 5", 5),
    ];
    let entries: Vec<(&str, usize)> = entries.iter().map(|(key, size)| (&**key, *size)).collect();
    assert_eq!(entries, expected);
    // All entries, the braces, and no comma after the last: base64 of that with stamp and signature.
    let json: usize = expected.iter().map(|(_, size)| size).sum::<usize>() + 1;
    assert_eq!((*len, *limit), ((json * 4).div_ceil(3) + 51, 4096));
    assert_eq!(
        refused.to_string(),
        format!(
            "the encoded size would be {len} bytes, more than the limit of 4096; in JSON, \
             cart takes 3110 bytes, entry 7 takes 70 bytes, {longest} takes 69 bytes, \
             entry 3 takes 27 bytes, user_id takes 13 bytes, entry 4 takes 13 bytes, \
             entry 5 takes 5 bytes"
        ),
    );
    // Nothing of a value, and the session goes on.
    assert!(!format!("{refused:?}").contains("xx"));
    session.remove("cart");
    assert!(manager.commit_at(&session, 200, NOW).unwrap().set_cookie.is_some());
}

#[test]
fn the_limit_holds_for_the_final_name_and_value() {
    // 3,027 bytes of JSON are what fits with Django's name, 51 bytes of stamp and signature.
    let manager = manager_of(codec().compress(Compress::Never));
    let with = |len: usize| {
        let mut session = Session::new();
        session.insert("x", "y".repeat(len - r#"{"x":""}"#.len())).unwrap();
        manager.commit_at(&session, 200, NOW)
    };
    let cookie = with(3027).unwrap().set_cookie.unwrap();
    assert_eq!(cookie.name().len() + cookie.value().len(), 4096);
    assert!(matches!(with(3028), Err(EncodeError::TooLarge { len: 4098, limit: 4096, .. })));
}

#[test]
fn a_session_of_very_many_entries_names_the_eight_largest() {
    let mut session = Session::new();
    for index in 0..20 {
        session.insert(&format!("entry_{index}"), "x".repeat(20 * index)).unwrap();
    }
    let manager = manager_of(codec().max_payload_len(3000));
    let refused = manager.commit_at(&session, 200, NOW).unwrap_err();
    let EncodeError::TooLarge { limit: 3000, entries, .. } = &refused else { panic!("{refused}") };
    assert_eq!(entries.len(), 20);
    assert_eq!(refused.to_string().matches(" takes ").count(), 8);
    let largest = "in JSON, entry_19 takes 394 bytes, entry_18 takes 374 bytes,";
    assert!(refused.to_string().contains(largest));
}

#[test]
fn reserved_entries_take_nothing_that_could_not_be_read_back() {
    let mut session = manager().load_at([&header()], LATER);
    for (key, value) in [
        ("_session_expiry", json!("soon")),
        ("_session_expiry", json!([300])),
        ("_session_expiry", json!({"seconds": 300})),
        ("_session_expiry", json!(true)),
        ("_session_expiry", json!("")),
        ("_session_expiry", json!("2030-13-01T00:00:00+00:00")),
        ("_session_started", json!(0)),
        ("_session_started", json!("soon")),
    ] {
        let reserved = Err(ValueError::Reserved { key: key.to_owned() });
        assert_eq!(session.insert(key, &value), reserved, "{value}");
        assert_eq!(session.extend([("a", &json!(1)), (key, &value)]), reserved, "{value}");
        assert_eq!(session.get_or_insert(key, value.clone()).map(drop), reserved, "{value}");
        assert!(!session.is_modified());
    }
    // What Django's `set_expiry` stores is as good as our own.
    for value in [json!(null), json!(0), json!(300), json!(-5), json!(1.5), json!(false)] {
        session.insert("_session_expiry", value).unwrap();
    }
    session.insert("_session_expiry", "2030-01-01T00:00:00+00:00").unwrap();
    assert!(manager().commit_at(&session, 200, LATER).unwrap().set_cookie.is_some());
}

#[test]
fn a_commit_that_failed_does_not_matter_where_nothing_is_saved() {
    let mut session = Session::new();
    session.insert("x", "y".repeat(70_000)).unwrap();
    assert!(manager().commit_at(&session, 200, NOW).is_err());
    assert_eq!(sent(&manager().commit_at(&session, 500, NOW).unwrap()), Sent::Vary);
}

// The headers.

/// The headers that are appended to a response that has these.
fn appended(handler: fn(&mut Session), present: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let mut session = manager().load_at([&header()], LATER);
    handler(&mut session);
    let reply = manager().commit_at(&session, 200, LATER).unwrap();
    let present = present.iter().map(|(name, value)| (*name, value.as_bytes()));
    let mut headers = reply.headers(present);
    if let Some((name, value)) = headers.first_mut()
        && *name == "set-cookie"
    {
        assert!(value.starts_with("sessionid=") && value.contains("; Path=/"), "{value}");
        *value = "…".to_owned();
    }
    headers
}

#[test]
fn headers_are_appended_and_said_once() {
    const COOKIE: (&str, &str) = ("set-cookie", "…");
    const VARY: (&str, &str) = ("vary", "Cookie");
    const PRIVATE: (&str, &str) = ("cache-control", "private");
    let nothing: fn(&mut Session) = |_| ();
    let reads: fn(&mut Session) = |session| assert!(!session.is_empty());
    let writes: fn(&mut Session) = |session| session.insert("x", 1).unwrap();
    let flushes: fn(&mut Session) = Session::flush;
    type Pairs = &'static [(&'static str, &'static str)];
    type Row = (fn(&mut Session), Pairs, Pairs);
    let table: &[Row] = &[
        (nothing, &[], &[]),
        (reads, &[], &[VARY]),
        (writes, &[], &[COOKIE, VARY, PRIVATE]),
        (flushes, &[], &[COOKIE, VARY, PRIVATE]),
        (reads, &[("Cache-Control", "public")], &[VARY]),
        (writes, &[("Cache-Control", "public, max-age=60")], &[COOKIE, VARY]),
        (writes, &[("cache-control", "no-store")], &[COOKIE, VARY]),
        (writes, &[("Expires", "0")], &[COOKIE, VARY, PRIVATE]),
        (reads, &[("Vary", "Accept-Encoding")], &[VARY]),
        (reads, &[("Vary", "Accept-Encoding, cookie")], &[]),
        (reads, &[("VARY", "COOKIE")], &[]),
        (reads, &[("vary", "Accept"), ("vary", "Cookie")], &[]),
        (reads, &[("vary", " * ")], &[]),
        (reads, &[("vary", "Cookies, Set-Cookie, X-Cookie")], &[VARY]),
        (reads, &[("X-Vary", "Cookie")], &[VARY]),
        (writes, &[("Set-Cookie", "theme=dark"), ("Vary", "Cookie")], &[COOKIE, PRIVATE]),
    ];
    for (handler, present, expected) in table {
        let headers = appended(*handler, present);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(headers, *expected, "{present:?}");
    }
}

// What else is the manager's.

#[test]
fn the_short_forms_ask_the_system_s_clock() {
    let mut session = manager().load(None::<&str>);
    session.insert("x", 1).unwrap();
    let cookie = manager().commit(&session, 200).unwrap().set_cookie.unwrap();
    let session = manager().load([&cookie.stripped().to_string()]);
    assert_eq!(session.len(), 1);
    let age = OffsetDateTime::now_utc() - session.signed_at().unwrap();
    assert!(age < Duration::from_secs(60), "{age}");
}

#[test]
fn a_session_decoded_without_the_manager_can_be_committed() {
    let mut session = codec().decode_at(&header()["sessionid=".len()..], LATER).unwrap();
    assert_eq!(sent(&manager().commit_at(&session, 200, LATER).unwrap()), Sent::Nothing);
    session.flush();
    assert_eq!(sent(&manager().commit_at(&session, 200, LATER).unwrap()), Sent::Removed);
}

#[test]
fn weak_secrets_are_named_and_nothing_is_shown() {
    assert_eq!(manager().weaknesses(), [(0, Weakness::Short)]);
    assert_eq!(format!("{:?}", manager()), "SessionManager { .. }");
}
