//! A stamp and a session's own expiry are read back as they were written, and nothing else is read.

use std::sync::LazyLock;
use std::time::Duration;

use signed_session::{
    Compress, DecodeError, EncodeError, Expiry, Session, SessionCodec, Signer, TimestampSigner,
};
use time::macros::datetime;
use time::{OffsetDateTime, UtcOffset};

use super::input::Input;
use super::{NOW, RING, TWO_WEEKS, django, is_discreet_error, is_rightly_reserved};

const KEY: &str = "_session_expiry";

/// The calendar of Python in whole seconds.
const FIRST: OffsetDateTime = datetime!(0001-01-01 00:00:00 UTC);
const LAST: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new(&RING, "stamp"));

static STAMPER: LazyLock<TimestampSigner> = LazyLock::new(|| TimestampSigner::new(&RING, "stamp"));

/// Does not compress, which would take most of the time.
static CODEC: LazyLock<SessionCodec> =
    LazyLock::new(|| SessionCodec::new(&RING).compress(Compress::Never).max_token_len(1 << 20));

pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 6 {
        0 => stamps(input.number(), input.number()),
        1 => spelled_stamps(&input.rest_as_text()),
        2 => dates(&mut input),
        3 => spelled_dates(&input.rest_as_text()),
        4 => durations(&mut input),
        _ => numbers(&mut input),
    }
}

fn stamps(seconds: i64, age: i64) {
    let Ok(moment) = OffsetDateTime::from_unix_timestamp(seconds) else { return };
    let token = STAMPER.sign_at("v", moment);
    assert!(token.starts_with(&format!("v:{}:", django::stamp(seconds))));
    let is_refused = CODEC.encode_at(&Session::new(), moment) == Err(EncodeError::BadTimestamp);
    // The calendar of `time` is larger here; see fuzz/Cargo.toml.
    let is_stamp = (0..=LAST.unix_timestamp()).contains(&seconds);
    assert_eq!(is_refused, !is_stamp);
    match STAMPER.unsign_at(&token, None, NOW) {
        Ok(stamped) => assert_eq!((stamped.value, stamped.signed_at), ("v", moment)),
        Err(error) => assert!(!is_stamp && error == DecodeError::BadTimestamp),
    }
    if is_stamp && let Some(now) = moment.checked_add(time::Duration::seconds(age)) {
        let age = u64::try_from(age).unwrap_or(0);
        for max_age in [age.saturating_sub(1), age, age.saturating_add(1)] {
            let is_good =
                STAMPER.unsign_at(&token, Some(Duration::from_secs(max_age)), now).is_ok();
            assert_eq!(is_good, age <= max_age);
        }
    }
}

fn spelled_stamps(text: &str) {
    let token = SIGNER.sign(&format!("v:{text}"));
    let read = STAMPER.unsign_at(&token, None, NOW);
    let seconds = django::read_stamp(text.rsplit(':').next().unwrap_or_default());
    match read {
        Ok(stamped) => assert_eq!(Some(stamped.signed_at.unix_timestamp()), seconds),
        Err(error) => assert_eq!((error, seconds), (DecodeError::BadTimestamp, None)),
    }
}

fn expiring(expiry: Expiry) -> (Session, String) {
    let mut session = Session::new();
    session.set_expiry(expiry);
    let spelling = session.iter().next().map(|(_, text)| text.to_owned());
    (session, spelling.unwrap_or_default())
}

fn dates(input: &mut Input<'_>) {
    let offset = UtcOffset::from_whole_seconds(i32::from(input.byte()) * 600 - 76_000);
    let nanos = i128::from(input.number()) * i128::from(input.number());
    let Ok(moment) = OffsetDateTime::from_unix_timestamp_nanos(nanos) else { return };
    let Some(moment) = moment.checked_to_offset(offset.unwrap()) else { return };
    let (session, spelling) = expiring(Expiry::At(moment));
    let micros = moment.clamp(FIRST, LAST).unix_timestamp_nanos().div_euclid(1000);
    let read = OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).unwrap();
    answers_as(&session, Expiry::At(read));
    let shape: String =
        spelling.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let with_fraction = "\"0000-00-00T00:00:00.000000+00:00\"";
    assert!(shape == with_fraction || shape == "\"0000-00-00T00:00:00+00:00\"");
    assert_eq!(shape == with_fraction, micros % 1_000_000 != 0);
}

fn spelled_dates(text: &str) {
    let mut session = Session::new();
    if let Err(error) = session.insert(KEY, text) {
        is_discreet_error(&error, text);
        assert!(!session.is_accessed() && !session.is_modified());
        return is_rightly_reserved(&error, &[(KEY, django::quote(text))]);
    }
    let token = CODEC.encode_at(&session, NOW);
    let expiry = session.expiry().unwrap();
    let Expiry::At(moment) = expiry else { panic!("text is a date or nothing") };
    // No Python reads a year of fewer digits, nor anything around a date.
    assert!(text.starts_with(|c: char| c.is_ascii_digit()) && text.len() >= 10);
    let micros = moment.unix_timestamp_nanos().div_euclid(1000);
    let cut = OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).unwrap();
    if moment >= FIRST && moment <= LAST {
        assert_eq!(expiring(expiry).0.expiry(), Ok(Expiry::At(cut)));
    }
    // Good until then, and not a second longer. Where a date has no offset, the session takes it as
    // UTC, and the codec as what it is told.
    let token = token.unwrap();
    let codec = CODEC.clone().naive_offset(UtcOffset::UTC);
    if moment >= NOW && moment < LAST {
        assert!(codec.decode_at(&token, moment).is_ok());
        let late = codec.decode_at(&token, moment + time::Duration::SECOND);
        assert!(matches!(late, Err(DecodeError::Expired { .. })));
        let has_offset =
            text.ends_with('Z') || text.get(10..).is_some_and(|t| t.contains(['+', '-']));
        let late = CODEC.decode_at(&token, moment + time::Duration::SECOND);
        assert!(late.is_err() || !has_offset && moment < NOW + TWO_WEEKS);
    }
}

fn durations(input: &mut Input<'_>) {
    let seconds = input.number().unsigned_abs();
    let whole = Expiry::After(Duration::from_secs(seconds));
    let longest = Duration::from_secs(i64::MAX.unsigned_abs());
    assert_eq!(
        expiring(whole).0.expiry(),
        Ok(Expiry::After(Duration::from_secs(seconds).min(longest)))
    );
    let nanos = u32::try_from(input.number().unsigned_abs() % 1_000_000_000).unwrap();
    let time = Duration::new(seconds % (1 << 22), nanos);
    let Ok(Expiry::After(read)) = expiring(Expiry::After(time)).0.expiry() else {
        panic!("a duration is read back as one")
    };
    // A float of this size holds nanoseconds.
    assert!(read.abs_diff(time) <= Duration::from_nanos(1), "{time:?} {read:?}");
    answers_as(&expiring(Expiry::Default).0, Expiry::Default);
}

/// A session and its expiry say the same of when it ends.
fn answers_as(session: &Session, expiry: Expiry) {
    assert_eq!(session.expiry(), Ok(expiry));
    let (age, date) = (expiry.age(TWO_WEEKS, NOW), expiry.date(TWO_WEEKS, NOW));
    assert_eq!(session.expiry_age(TWO_WEEKS, NOW), Ok(age));
    assert_eq!(session.expiry_date(TWO_WEEKS, NOW), Ok(date));
    for setting in [false, true] {
        let closes = expiry.at_browser_close(setting);
        assert_eq!(session.expires_at_browser_close(setting), Ok(closes));
        assert_eq!(
            closes,
            expiry == Expiry::AtBrowserClose || expiry == Expiry::Default && setting
        );
    }
}

fn numbers(input: &mut Input<'_>) {
    let number = input.number();
    let mut session = Session::new();
    session.insert(KEY, number).unwrap();
    let expected = match u64::try_from(number) {
        Ok(0) => Expiry::AtBrowserClose,
        Ok(seconds) => Expiry::After(Duration::from_secs(seconds)),
        Err(_) => Expiry::After(Duration::ZERO),
    };
    assert_eq!(session.expiry(), Ok(expected));
    if number >= 0 {
        answers_as(&session, expected);
    }
    let token = CODEC.encode_at(&session, NOW).unwrap();
    let Some(last) = NOW.checked_add(time::Duration::seconds(number)) else { return };
    if number > 0 && last < LAST {
        assert!(CODEC.decode_at(&token, last).is_ok());
        assert!(CODEC.decode_at(&token, last + time::Duration::SECOND).is_err());
    }
    assert_eq!(CODEC.decode_at(&token, NOW).is_ok(), number >= 0);

    // However it is spelled, a number is never a fault.
    let digits = input.rest_as_text();
    let number = digits.trim();
    if number.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && number.parse::<f64>().is_ok_and(f64::is_finite)
        && session.insert_json(KEY, &digits).is_ok()
    {
        let is_zero = number.parse() == Ok(0.0);
        assert_eq!(session.expiry() == Ok(Expiry::AtBrowserClose), is_zero, "{digits}");
        assert!(session.expiry().is_ok(), "{digits}");
    }
}
