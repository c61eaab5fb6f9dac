//! Time is enforced at decoding: every limit to the second, every spelling of `_session_expiry`.

use std::time::Duration;

use serde_json::Value;
use signed_session::{
    Compress, DecodeError, EncodeError, Expiry, ExpiryRule, Keyring, Session, SessionCodec,
    TimestampSigner, ValueError, django,
};
use time::macros::datetime;
use time::{OffsetDateTime, UtcOffset};

const DAY: Duration = Duration::from_secs(86_400);
const TWO_WEEKS: Duration = Duration::from_secs(14 * 86_400);
const SIGNED: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);
const RULES: [ExpiryRule; 3] = [ExpiryRule::Enforce, ExpiryRule::Shorter, ExpiryRule::Django];

fn ring() -> Keyring {
    Keyring::new("test-secret-key-0123456789").unwrap()
}

fn codec() -> SessionCodec {
    SessionCodec::new(&ring())
}

/// Signs JSON that our own encoder might refuse, as a holder of the key can.
fn token_of(json: &str) -> String {
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
    signer.sign_json_at(json, Compress::Never, SIGNED).unwrap()
}

fn token_with(expiry: &str) -> String {
    token_of(&format!(r#"{{"a":1,"_session_expiry":{expiry}}}"#))
}

/// What a codec says to a token, typed and untyped, which must be the same.
fn verdict(codec: &SessionCodec, token: &str, now: OffsetDateTime) -> Result<(), DecodeError> {
    let session = codec.decode_at(token, now).map(drop);
    let typed = codec.decode_as_at::<serde_json::Map<_, _>>(token, now).map(drop);
    assert_eq!(session, typed);
    session
}

/// Checks that a token passes until `last` after its stamp, and not a millisecond longer.
fn ends_after(codec: &SessionCodec, token: &str, last: Duration) {
    let at = SIGNED + last;
    assert_eq!(verdict(codec, token, at), Ok(()), "at its last moment");
    for more in [Duration::from_nanos(1), Duration::from_millis(1), Duration::from_secs(1)] {
        let age = last + more;
        let expired = DecodeError::Expired { signed_at: SIGNED, age };
        assert_eq!(verdict(codec, token, at + more), Err(expired), "{more:?} later");
    }
}

#[test]
fn max_age_is_exact_and_equal_passes() {
    let token = token_of(r#"{"a":1}"#);
    for rule in RULES {
        ends_after(&codec().expiry_rule(rule), &token, TWO_WEEKS);
        ends_after(
            &codec().expiry_rule(rule).max_age(Duration::from_secs(60)),
            &token,
            Duration::from_secs(60),
        );
        ends_after(&codec().expiry_rule(rule).max_age(Duration::ZERO), &token, Duration::ZERO);
    }
}

#[test]
fn a_session_s_expiry_replaces_or_shortens_max_age_by_the_rule() {
    let seconds = Duration::from_secs;
    // Each spelling, and how long after its stamp the session's own end is; none if it has none.
    let table = [
        ("60", Some(seconds(60))),
        ("5184000", Some(60 * DAY)),
        ("1", Some(seconds(1))),
        ("1.5", Some(Duration::from_millis(1500))),
        ("1e-10", Some(Duration::ZERO)),
        ("60.0", Some(seconds(60))),
        ("6e1", Some(seconds(60))),
        ("0", None),
        ("-0", None),
        ("0.0", None),
        ("-0.0", None),
        ("false", None),
        ("null", None),
        (r#""2023-11-14T22:14:20+00:00""#, Some(seconds(60))),
        (r#""2023-11-14T22:14:20Z""#, Some(seconds(60))),
        (r#""2023-11-14T22:13:20.250000+00:00""#, Some(Duration::from_millis(250))),
        (r#""2023-11-15T00:14:20+02:00""#, Some(seconds(60))),
        (r#""2023-11-14T12:44:20.000000-09:30""#, Some(seconds(60))),
        (r#""2023-11-14T23:07:48+00:53:28""#, Some(seconds(60))),
        (r#""2023-11-14 22:14:20+00:00""#, Some(seconds(60))),
        (r#""2023-11-14T22:14+00:00""#, Some(seconds(40))),
        (r#""2024-01-13T22:13:20+00:00""#, Some(60 * DAY)),
    ];
    for (spelling, own) in table {
        let token = token_with(spelling);
        ends_after(&codec(), &token, own.unwrap_or(TWO_WEEKS));
        let shorter = codec().expiry_rule(ExpiryRule::Shorter);
        ends_after(&shorter, &token, own.map_or(TWO_WEEKS, |own| own.min(TWO_WEEKS)));
        ends_after(&codec().expiry_rule(ExpiryRule::Django), &token, TWO_WEEKS);
    }
}

#[test]
fn a_date_without_an_offset_counts_once_its_time_zone_is_known() {
    let seconds = Duration::from_secs;
    let (west, east) =
        (UtcOffset::from_hms(-5, 0, 0).unwrap(), UtcOffset::from_hms(14, 0, 0).unwrap());
    for (spelling, in_utc) in [
        ("2023-11-14T22:14:20", seconds(60)),
        ("2023-11-14 22:14:20", seconds(60)),
        ("2023-11-14T22:13:20.5", Duration::from_millis(500)),
        ("2023-11-14T22:14", seconds(40)),
        ("2023-11-15", seconds(6400)),
    ] {
        let token = token_with(&format!("\"{spelling}\""));
        for rule in [ExpiryRule::Enforce, ExpiryRule::Shorter] {
            let codec = codec().expiry_rule(rule);
            ends_after(&codec, &token, TWO_WEEKS);
            ends_after(&codec.clone().naive_offset(UtcOffset::UTC), &token, in_utc);
            ends_after(&codec.clone().naive_offset(west), &token, in_utc + 5 * seconds(3600));
            let over = verdict(&codec.clone().naive_offset(east), &token, SIGNED);
            assert!(matches!(over, Err(DecodeError::Expired { .. })), "{spelling}: {over:?}");
            ends_after(&codec.naive_offset(east).naive_offset(None), &token, TWO_WEEKS);
        }
        // A date that has an offset keeps it.
        let token = token_with(r#""2023-11-14T22:14:20+00:00""#);
        ends_after(&codec().naive_offset(west), &token, seconds(60));
    }
    // The whole calendar, and no further.
    for spelling in ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"] {
        for offset in [None, Some(UtcOffset::UTC), Some(west), Some(east)] {
            let token = token_with(&format!("\"{spelling}\""));
            let _ = verdict(&codec().naive_offset(offset), &token, SIGNED);
        }
    }
}

#[test]
fn a_site_without_time_zones_is_given_no_date_with_an_offset() {
    let local = codec().use_tz(false);
    let refused = Err(EncodeError::AwareExpiry);
    let mut session = Session::new();
    session.insert("a", 1).unwrap();
    session.set_expiry(Expiry::At(SIGNED + DAY));
    for rule in RULES {
        let local = local.clone().expiry_rule(rule);
        assert_eq!(local.encode_at(&session, SIGNED), refused);
        let map = std::collections::BTreeMap::from([("_session_expiry", "2030-01-01T00:00:00Z")]);
        assert_eq!(local.encode_as_at(&map, SIGNED), refused);
        for spelling in [r#""2030-01-01T00:00:00""#, "300", "0", "null", "1.5"] {
            let stored = local.decode_at(&token_with(spelling), SIGNED).unwrap();
            assert!(local.encode_at(&stored, SIGNED).is_ok(), "{spelling}");
        }
        // What another program left there is read: it can be mended.
        let token = token_with(r#""2030-01-01T00:00:00+00:00""#);
        let mut left = local.decode_at(&token, SIGNED).unwrap();
        assert_eq!(local.encode_at(&left, SIGNED), refused);
        left.set_expiry(Expiry::Default);
        assert!(local.encode_at(&left, SIGNED).is_ok());
    }
    assert!(codec().encode_at(&session, SIGNED).is_ok());
}

#[test]
fn a_payload_that_is_not_a_session_is_reported_even_if_expired() {
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
    let late = SIGNED + 100 * DAY;
    for (payload, error) in [
        ("eyJhIjo", DecodeError::Json),     // {"a":
        ("WzFd", DecodeError::NotAnObject), // [1]
        ("e30=", DecodeError::Base64),
    ] {
        let token = signer.sign_at(payload, SIGNED);
        assert_eq!(verdict(&codec(), &token, late), Err(error));
    }
    // Which type was asked for matters only of a session that may be used.
    let token = token_of(r#"{"a":"text"}"#);
    let typed = |now| codec().decode_as_at::<std::collections::BTreeMap<String, u8>>(&token, now);
    assert_eq!(typed(SIGNED), Err(DecodeError::WrongType));
    assert!(matches!(typed(late), Err(DecodeError::Expired { .. })));
}

#[test]
fn what_is_already_over_is_refused_from_the_start() {
    for spelling in ["-1", "-5", "-0.5", "-9223372036854775809", r#""2023-11-14T22:13:19+00:00""#] {
        let token = token_with(spelling);
        for rule in [ExpiryRule::Enforce, ExpiryRule::Shorter] {
            let expired = Err(DecodeError::Expired { signed_at: SIGNED, age: Duration::ZERO });
            assert_eq!(verdict(&codec().expiry_rule(rule), &token, SIGNED), expired, "{spelling}");
        }
        let django = codec().expiry_rule(ExpiryRule::Django);
        assert_eq!(verdict(&django, &token, SIGNED), Ok(()), "{spelling}");
    }
}

#[test]
fn no_number_is_too_large() {
    let forever = datetime!(9999-12-31 23:59:59 UTC);
    for spelling in [
        "9223372036854775807",
        "9223372036854775808",
        "123456789012345678901234567890",
        "1e300",
        "1e18",
        r#""9999-12-31T23:59:59.999999+00:00""#,
        r#""9999-12-31T23:59:59-23:59""#,
    ] {
        assert_eq!(verdict(&codec(), &token_with(spelling), forever), Ok(()), "{spelling}");
    }
}

#[test]
fn an_expiry_that_is_malformed_is_an_error_and_never_absent() {
    for spelling in [
        "true",
        "[]",
        "[300]",
        "{}",
        r#"{"seconds":300}"#,
        "1e999",
        "-1e999",
        r#""""#,
        r#""300""#,
        r#""0""#,
        r#""null""#,
        r#""tomorrow""#,
        r#"" 2030-01-01T00:00:00+00:00""#,
        r#""2030-01-01T00:00:00+00:00 ""#,
        r#""2030-01-01T00:00:00+00:00\n""#,
        r#""2030-02-30T00:00:00+00:00""#,
        r#""2030-01-01T24:00:00+00:00""#,
        r#""2016-12-31T23:59:60+00:00""#,
        r#""2030-01-01T00:00:00+24:00""#,
        r#""2030-01-01T00:00:00+""#,
        r#""2030-01-01T00:00:00.""#,
        r#""2030-01-01T""#,
        r#""2030-01""#,
        r#""2030-1-1""#,
        r#""20300101T000000""#,
        r#""10000-01-01T00:00:00+00:00""#,
        r#""+2030-01-01T00:00:00+00:00""#,
        r#""-2030-01-01T00:00:00+00:00""#,
        r#""\u0662\u0660\u0663\u0660-01-01T00:00:00+00:00""#,
        r#""\ud800""#,
    ] {
        let token = token_with(spelling);
        for rule in [ExpiryRule::Enforce, ExpiryRule::Shorter] {
            let found = verdict(&codec().expiry_rule(rule), &token, SIGNED);
            assert_eq!(found, Err(DecodeError::BadExpiry), "{spelling}");
        }
        // Django's backend does not look at it, so its session is carried, and says so if asked.
        let django = codec().expiry_rule(ExpiryRule::Django);
        let session = django.decode_at(&token, SIGNED).unwrap();
        assert_eq!(
            session.expiry(),
            Err(ValueError::WrongType { key: "_session_expiry".to_owned() }),
            "{spelling}"
        );
        // And nothing is written that could not be read.
        assert_eq!(codec().encode_at(&session, SIGNED), Err(EncodeError::BadExpiry), "{spelling}");
        assert!(django.encode_at(&session, SIGNED).is_ok(), "{spelling}");
    }
}

#[test]
fn a_reserved_key_counts_in_any_spelling_and_the_last_one_wins() {
    let minute = Duration::from_secs(60);
    for json in [
        r#"{"\u005fsession_expiry":60}"#,
        r#"{"_session_expir\u0079":60}"#,
        r#"{"_session_expiry":"junk","_session_expiry":60}"#,
        r#" { "_session_expiry" : 60 } "#,
    ] {
        let token = token_of(json);
        assert_eq!(codec().decode_at(&token, SIGNED + minute).map(drop), Ok(()), "{json}");
        let late = codec().decode_at(&token, SIGNED + minute + minute).map(drop);
        assert!(matches!(late, Err(DecodeError::Expired { .. })), "{json}: {late:?}");
        let late = codec().decode_as_at::<serde_json::Value>(&token, SIGNED + minute + minute);
        assert!(matches!(late, Err(DecodeError::Expired { .. })), "{json}: {late:?}");
    }
    // In a value, or under a longer name, it is just data.
    for json in [
        r#"{"a":{"_session_expiry":-1}}"#,
        r#"{"_session_expiry2":-1}"#,
        r#"{"a":"_session_expiry"}"#,
    ] {
        assert_eq!(verdict(&codec(), &token_of(json), SIGNED), Ok(()), "{json}");
    }
}

#[test]
fn a_future_timestamp_passes_within_the_skew_or_as_in_django() {
    let token = token_of("{}");
    let minute = Duration::from_secs(60);
    for (skew, earlier, accepted) in [
        (None, 5 * minute, true),
        (None, 5 * minute + Duration::from_nanos(1), false),
        (Some(minute), minute, true),
        (Some(minute), minute + Duration::from_millis(1), false),
        (Some(Duration::ZERO), Duration::ZERO, true),
        (Some(Duration::ZERO), Duration::from_nanos(1), false),
        (Some(Duration::MAX), 1_000_000 * minute, true),
    ] {
        let now = SIGNED - earlier;
        let codec = skew.map_or(codec(), |skew| codec().max_clock_skew(skew));
        for rule in [ExpiryRule::Enforce, ExpiryRule::Shorter] {
            let expected =
                if accepted { Ok(()) } else { Err(DecodeError::NotYetValid { signed_at: SIGNED }) };
            assert_eq!(
                verdict(&codec.clone().expiry_rule(rule), &token, now),
                expected,
                "{earlier:?}"
            );
        }
        assert_eq!(verdict(&codec.expiry_rule(ExpiryRule::Django), &token, now), Ok(()));
    }
}

#[test]
fn refuse_signed_before_signs_everyone_out_as_of_a_moment() {
    let token = token_of("{}");
    let revoked = Err(DecodeError::SignedTooEarly { signed_at: SIGNED });
    for rule in RULES {
        let codec = codec().expiry_rule(rule);
        assert_eq!(verdict(&codec.clone().refuse_signed_before(SIGNED), &token, SIGNED), Ok(()));
        let later = SIGNED + Duration::from_secs(1);
        assert_eq!(verdict(&codec.clone().refuse_signed_before(later), &token, later), revoked);
        // Revoked is told even of what has expired too: "expired" means that nothing else is wrong.
        assert_eq!(
            verdict(&codec.refuse_signed_before(later), &token, SIGNED + 100 * DAY),
            revoked
        );
    }
}

#[test]
fn an_absolute_age_ends_a_session_however_often_it_is_written() {
    let codec = codec().max_age(DAY).absolute_max_age(3 * DAY);
    let mut session = Session::new();
    session.insert("user", 42).unwrap();
    let mut now = SIGNED;
    let mut token = codec.encode_at(&session, now).unwrap();
    // Written again every half day, it slides for three days and no longer.
    for _ in 0..6 {
        now += DAY / 2;
        let mut session = codec.decode_at(&token, now).unwrap();
        session.cycle_key();
        token = codec.encode_at(&session, now).unwrap();
    }
    assert_eq!(now, SIGNED + 3 * DAY);
    assert_eq!(verdict(&codec, &token, now), Ok(()));
    let over = verdict(&codec, &token, now + Duration::from_secs(1));
    let age = Duration::from_secs(1);
    assert_eq!(over, Err(DecodeError::Expired { signed_at: now, age }));
}

/// As the reserved entry holds it.
fn micros(moment: OffsetDateTime) -> i64 {
    i64::try_from(moment.unix_timestamp_nanos() / 1000).unwrap()
}

#[test]
fn the_beginning_is_added_to_any_object() {
    let codec = codec().absolute_max_age(3 * DAY);
    for (json, entries) in [("{}", 1), ("{ }", 1), (r#"{"a":{}}"#, 2), (r#"{ "a" : "{" }"#, 2)] {
        let token = codec.encode_json_at(json, SIGNED).unwrap();
        assert_eq!(codec.decode_at(&token, SIGNED).unwrap().len(), entries, "{json}");
    }
}

#[test]
fn the_beginning_of_a_session_survives_clear_and_not_flush() {
    let codec = codec().absolute_max_age(3 * DAY);
    let started = |token: &str| {
        codec.decode_at(token, SIGNED + DAY).unwrap().get::<i64>("_session_started").unwrap()
    };
    let token = codec.encode_at(&Session::new(), SIGNED).unwrap();
    assert_eq!(started(&token), Some(micros(SIGNED)));

    let mut cleared = codec.decode_at(&token, SIGNED + DAY).unwrap();
    cleared.clear();
    let token_of_cleared = codec.encode_at(&cleared, SIGNED + DAY).unwrap();
    assert_eq!(started(&token_of_cleared), Some(micros(SIGNED)));

    let mut flushed = codec.decode_at(&token, SIGNED + DAY).unwrap();
    flushed.flush();
    let token_of_flushed = codec.encode_at(&flushed, SIGNED + DAY).unwrap();
    assert_eq!(started(&token_of_flushed), Some(micros(SIGNED + DAY)));
}

#[test]
fn a_session_that_django_began_counts_from_its_first_stamp_here() {
    let codec = codec().absolute_max_age(3 * DAY);
    let django_s = token_of(r#"{"a":1}"#);
    let session = codec.decode_at(&django_s, SIGNED + DAY).unwrap();
    let token = codec.encode_at(&session, SIGNED + DAY).unwrap();
    let carried = codec.decode_at(&token, SIGNED + DAY).unwrap();
    let entries: Vec<(&str, &str)> = carried.iter().collect();
    assert_eq!(entries, [("a", "1"), ("_session_started", "1700000000000000")]);
    assert_eq!(verdict(&codec, &token, SIGNED + 3 * DAY), Ok(()));
    assert!(verdict(&codec, &token, SIGNED + 3 * DAY + Duration::from_secs(1)).is_err());
    // Without the limit it is data like any other, and stays where it is.
    let plain = SessionCodec::new(&ring()).decode_at(&token, SIGNED + 4 * DAY).unwrap();
    assert_eq!(plain.len(), 2);
}

#[test]
fn a_beginning_that_is_malformed_is_an_error_and_never_absent() {
    let limited = codec().absolute_max_age(3 * DAY);
    for spelling in [
        "null",
        "true",
        "false",
        "-1",
        "1.0",
        "1e9",
        r#""1700000000000000""#,
        "[]",
        "{}",
        "253402300800000000",
        "9223372036854775807",
        "123456789012345678901234567890",
    ] {
        let token = token_of(&format!(r#"{{"_session_started":{spelling}}}"#));
        assert_eq!(verdict(&limited, &token, SIGNED), Err(DecodeError::BadExpiry), "{spelling}");
        let session = codec().decode_at(&token, SIGNED).unwrap();
        assert_eq!(limited.encode_at(&session, SIGNED), Err(EncodeError::BadExpiry), "{spelling}");
    }
}

#[test]
fn a_typed_session_carries_its_beginning_in_a_field() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Visitor {
        user: u32,
        #[serde(default, skip_serializing_if = "Option::is_none", rename = "_session_started")]
        started: Option<i64>,
    }

    let codec = codec().absolute_max_age(DAY);
    let token = codec.encode_as_at(&Visitor { user: 42, started: None }, SIGNED).unwrap();
    let visitor: Visitor = codec.decode_as_at(&token, SIGNED + DAY / 2).unwrap();
    assert_eq!(visitor.started, Some(micros(SIGNED)));
    let token = codec.encode_as_at(&visitor, SIGNED + DAY / 2).unwrap();
    let visitor: Visitor = codec.decode_as_at(&token, SIGNED + DAY).unwrap();
    assert_eq!(visitor.user, 42);
    assert!(codec.decode_as_at::<Visitor>(&token, SIGNED + DAY + Duration::from_secs(1)).is_err());
}

#[test]
fn what_set_expiry_stores_is_what_django_stores_and_comes_back() {
    for (expiry, stored, back) in [
        (Expiry::AtBrowserClose, Some("0"), None),
        (Expiry::After(Duration::from_secs(300)), Some("300"), None),
        (Expiry::After(Duration::from_millis(1500)), Some("1.5"), None),
        (Expiry::After(Duration::from_micros(1)), Some("1e-06"), None),
        (Expiry::After(Duration::ZERO), Some("-1"), None),
        (Expiry::At(datetime!(2030-01-01 00:00 UTC)), Some(r#""2030-01-01T00:00:00+00:00""#), None),
        (
            Expiry::At(datetime!(2030-01-01 01:30 +1:30)),
            Some(r#""2030-01-01T00:00:00+00:00""#),
            None,
        ),
        (
            Expiry::At(datetime!(2030-01-01 00:00:00.25 UTC)),
            Some(r#""2030-01-01T00:00:00.250000+00:00""#),
            None,
        ),
        (
            Expiry::At(datetime!(2030-01-01 00:00:00.000_000_999 UTC)),
            Some(r#""2030-01-01T00:00:00+00:00""#),
            Some(Expiry::At(datetime!(2030-01-01 00:00 UTC))),
        ),
        (
            Expiry::At(datetime!(-0044-03-15 12:00 UTC)),
            Some(r#""0001-01-01T00:00:00+00:00""#),
            Some(Expiry::At(datetime!(0001-01-01 00:00 UTC))),
        ),
        (
            Expiry::At(datetime!(9999-12-31 23:59:59 -12)),
            Some(r#""9999-12-31T23:59:59+00:00""#),
            Some(Expiry::At(datetime!(9999-12-31 23:59:59 UTC))),
        ),
        (Expiry::Default, None, None),
    ] {
        let mut session = Session::new();
        session.set_expiry(expiry);
        let text = session.iter().next().map(|(_, json)| json);
        assert_eq!(text, stored);
        assert_eq!(session.expiry(), Ok(back.unwrap_or(expiry)));
    }
}

#[test]
fn another_expiry_than_the_session_s_can_be_asked_about() {
    let hour = Duration::from_secs(3600);
    for (expiry, age, at_browser_close) in [
        (Expiry::Default, DAY.as_secs_f64(), None),
        (Expiry::AtBrowserClose, DAY.as_secs_f64(), Some(true)),
        (Expiry::After(hour), 3600.0, Some(false)),
        (Expiry::After(Duration::from_millis(1500)), 1.5, Some(false)),
        (Expiry::At(SIGNED + hour), 3600.0, Some(false)),
        (Expiry::At(SIGNED - hour), -3600.0, Some(false)),
    ] {
        assert_eq!(expiry.age(DAY, SIGNED), time::Duration::seconds_f64(age), "{expiry:?}");
        assert_eq!(expiry.date(DAY, SIGNED), SIGNED + time::Duration::seconds_f64(age));
        for setting in [true, false] {
            let expected = at_browser_close.unwrap_or(setting);
            assert_eq!(expiry.at_browser_close(setting), expected, "{expiry:?}");
        }
    }
}

#[test]
fn without_a_time_the_system_s_clock_is_asked() {
    let (signer, codec) = (TimestampSigner::new(&ring(), "test"), codec().max_age(DAY));
    let data = std::collections::BTreeMap::from([("a", 1)]);
    let text = signer.sign("x");
    let object = signer.sign_object(&data, Compress::Never).unwrap();
    let session = codec.encode(&Session::new()).unwrap();
    let typed = codec.encode_as(&data).unwrap();

    let day = Some(DAY);
    let stamped = signer.unsign(&text, day).unwrap();
    assert!((OffsetDateTime::now_utc() - stamped.signed_at).whole_seconds() < 60);
    assert!(signer.unsign_object::<Value>(&object, day).is_ok());
    assert!(signer.unsign_json(&object, day).is_ok());
    assert!(codec.decode(&session).is_ok());
    assert!(codec.decode_as::<Value>(&typed).is_ok());

    let long_ago = SIGNED;
    let text = signer.sign_at("x", long_ago);
    let object = signer.sign_object_at(&data, Compress::Never, long_ago).unwrap();
    let session = codec.encode_at(&Session::new(), long_ago).unwrap();
    let typed = codec.encode_as_at(&data, long_ago).unwrap();
    for expired in [
        signer.unsign(&text, day).map(drop),
        signer.unsign_object::<Value>(&object, day).map(drop),
        signer.unsign_json(&object, day).map(drop),
        codec.decode(&session).map(drop),
        codec.decode_as::<Value>(&typed).map(drop),
    ] {
        assert!(matches!(expired, Err(DecodeError::Expired { .. })), "{expired:?}");
    }
}

#[test]
fn timed_values_keep_to_max_age_and_pass_from_the_future() {
    let signer = TimestampSigner::new(&ring(), "test");
    let token = signer.sign_at("hello", SIGNED);
    let minute = Duration::from_secs(60);
    let age = |now| signer.unsign_at(&token, Some(minute), now).map(|stamped| stamped.value);
    assert_eq!(age(SIGNED + minute), Ok("hello"));
    let late = minute + Duration::from_nanos(1);
    assert_eq!(age(SIGNED + late), Err(DecodeError::Expired { signed_at: SIGNED, age: late }));
    assert_eq!(age(SIGNED - 1_000 * DAY), Ok("hello"));
    assert!(signer.unsign_at(&token, None, SIGNED + 100_000 * DAY).is_ok());
}

#[test]
fn a_time_before_1970_is_refused_before_it_is_lost() {
    let before = OffsetDateTime::UNIX_EPOCH - Duration::from_secs(1);
    let signer = TimestampSigner::new(&ring(), "test");
    for before in [before, before + Duration::from_millis(500)] {
        assert_eq!(codec().encode_at(&Session::new(), before), Err(EncodeError::BadTimestamp));
    }
    assert_eq!(signer.sign_object_at("x", Compress::Never, before), Err(EncodeError::BadTimestamp));
    // Text is signed as Django signs it, and like all that is not plain digits not read again.
    let token = signer.sign_at("x", before);
    assert!(token.starts_with("x:-1:"));
    assert!(signer.sign_at("x", before - Duration::from_millis(500)).starts_with("x:-1:"));
    assert!(signer.sign_at("x", before + Duration::from_millis(500)).starts_with("x:0:"));
    assert!(signer.sign_at("x", before + Duration::from_millis(1500)).starts_with("x:0:"));
    assert_eq!(signer.unsign(&token, None), Err(DecodeError::BadTimestamp));
}

#[test]
fn a_beginning_that_was_never_recorded_counts_from_the_stamp() {
    let codec = codec().absolute_max_age(3 * DAY);
    // The session's own expiry asks for more, and `max_age` for less.
    for json in
        [r#"{"_session_expiry":864000}"#, r#"{"_session_expiry":"2024-01-01T00:00:00+00:00"}"#]
    {
        let token = token_of(json);
        assert_eq!(verdict(&codec, &token, SIGNED + 3 * DAY), Ok(()), "{json}");
        let over = verdict(&codec, &token, SIGNED + 3 * DAY + Duration::from_secs(1));
        assert!(matches!(over, Err(DecodeError::Expired { .. })), "{json}");
        let typed = codec.decode_as_at::<serde_json::Value>(&token, SIGNED + 4 * DAY);
        assert!(matches!(typed, Err(DecodeError::Expired { .. })), "{json}");
    }
}

#[test]
fn a_beginning_before_the_moment_is_refused_however_new_the_stamp() {
    let moment = SIGNED - DAY;
    let strict = codec().refuse_signed_before(moment);
    for (started, is_refused) in
        [(micros(moment) - 1, true), (0, true), (micros(moment), false), (micros(SIGNED), false)]
    {
        let token = token_of(&format!(r#"{{"_session_started":{started}}}"#));
        let refused = Err(DecodeError::SignedTooEarly { signed_at: SIGNED });
        let expected = if is_refused { refused } else { Ok(()) };
        assert_eq!(verdict(&strict, &token, SIGNED), expected, "{started}");
        let typed = strict.decode_as_at::<serde_json::Value>(&token, SIGNED).map(drop);
        assert_eq!(typed, expected, "{started}");
        // It is data like any other for a codec that does not ask.
        assert_eq!(verdict(&codec(), &token, SIGNED), Ok(()));
    }
    let malformed = token_of(r#"{"_session_started":"soon"}"#);
    assert_eq!(verdict(&strict, &malformed, SIGNED), Err(DecodeError::BadExpiry));
}

#[test]
fn a_negative_lifetime_is_over_at_once_even_for_a_stamp_in_the_future() {
    for lifetime in
        ["-1", "-5", "-0.5", "-1e-9", "-1e-10", "-1e-300", "-1e300", "-99999999999999999999"]
    {
        let token = token_of(&format!(r#"{{"_session_expiry":{lifetime}}}"#));
        for rule in [ExpiryRule::Enforce, ExpiryRule::Shorter] {
            let codec = codec().expiry_rule(rule);
            for ahead in [0, 1, 299, 300] {
                let now = SIGNED - Duration::from_secs(ahead);
                let over = verdict(&codec, &token, now);
                assert!(matches!(over, Err(DecodeError::Expired { .. })), "{lifetime}, {ahead}");
            }
        }
    }
    // A zero of either sign is the end of the browser, as in Django.
    for zero in ["0", "0.0", "-0", "-0.0", "-0e5"] {
        let token = token_of(&format!(r#"{{"_session_expiry":{zero}}}"#));
        assert_eq!(verdict(&codec(), &token, SIGNED), Ok(()), "{zero}");
    }
}
