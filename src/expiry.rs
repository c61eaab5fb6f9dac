//! Reads and writes `_session_expiry`, and computes when a session expires.
//!
//! Corresponds to `SessionBase.set_expiry` and its getters, in
//! `django.contrib.sessions.backends.base`.

use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::{datetime, format_description};
use time::parsing::Parsed;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use crate::age::{Age, Moment, signed};
use crate::error::DecodeError;
use crate::json;

/// How long a session lasts by default: Django's `SESSION_COOKIE_AGE`.
pub(crate) const DEFAULT_MAX_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The reserved entry for a session's own expiry.
pub(crate) const EXPIRY_KEY: &str = "_session_expiry";

/// The reserved entry for a session's start, in microseconds of Unix time.
pub(crate) const STARTED_KEY: &str = "_session_started";

/// The reserved entry for a session's identity.
pub(crate) const ID_KEY: &str = "_session_id";

/// The last moment of the calendar in microseconds of Unix time.
///
/// It does not depend on whether `time` is built with a longer calendar.
pub(crate) const LAST_MICROSECOND: i64 = 253_402_300_799_999_999;

/// Reads `_session_started`; `None` if it is not valid.
pub(crate) fn read_started(json: &str) -> Option<Moment> {
    let microseconds: i64 = json.parse().ok()?;
    let is_known = (0..=LAST_MICROSECOND).contains(&microseconds);
    is_known.then(|| Moment::from_microseconds(microseconds))
}

/// Returns the value of `_session_started` for a moment.
pub(crate) fn started_in_microseconds(moment: Moment) -> i64 {
    moment.microseconds().clamp(0, LAST_MICROSECOND)
}

/// When a session ends, as set by its program.
///
/// The variants are all that Django's `set_expiry` accepts, so a `match` can be exhaustive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// When the site's sessions end.
    #[default]
    Default,
    /// When the browser is closed, at the latest when the site's sessions end.
    AtBrowserClose,
    /// This long after the session was last written.
    ///
    /// Every write restarts this time.
    After(Duration),
    /// At this moment.
    ///
    /// Do not use this for a Django site with `USE_TZ = False`: see
    /// [`SessionCodec::use_tz`](crate::SessionCodec::use_tz).
    At(OffsetDateTime),
}

/// Which expiry applies when a session is read: its own or the site's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpiryRule {
    /// The session's own expiry if it has one, else `max_age`.
    #[default]
    Enforce,
    /// The session's own expiry or `max_age`, whichever comes first.
    Shorter,
    /// `max_age` alone, as in Django's backend (its tickets 19201 and 27775).
    ///
    /// A timestamp in the future is accepted too, as in Django.
    Django,
}

impl Expiry {
    /// Returns how long a session that is written at `modification` lasts.
    ///
    /// Corresponds to `get_expiry_age`. `cookie_age` is how long the site's sessions last. The
    /// result is negative for a session that ended before. For a date it is in whole seconds,
    /// rounded down.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use signed_session::Expiry;
    ///
    /// let (day, now) = (Duration::from_secs(86_400), time::OffsetDateTime::UNIX_EPOCH);
    /// assert_eq!(Expiry::Default.age(day, now), time::Duration::DAY);
    /// assert_eq!(Expiry::At(now - time::Duration::HOUR).age(day, now), -time::Duration::HOUR);
    /// ```
    #[must_use]
    pub fn age(self, cookie_age: Duration, modification: OffsetDateTime) -> time::Duration {
        Claim::from(self).age(cookie_age, modification.into())
    }

    /// Returns when a session that is written at `modification` ends.
    ///
    /// Corresponds to `get_expiry_date`. A moment after the year 9999 becomes the last moment of
    /// that year.
    #[must_use]
    pub fn date(self, cookie_age: Duration, modification: OffsetDateTime) -> OffsetDateTime {
        Claim::from(self).date(cookie_age, modification)
    }

    /// Returns `true` if the session ends when the browser is closed.
    ///
    /// `setting` is the site's default, for a session that does not set its own expiry.
    #[must_use]
    pub fn at_browser_close(self, setting: bool) -> bool {
        Claim::from(self).at_browser_close(setting)
    }

    /// Returns the JSON of `_session_expiry`; `None` for the default.
    pub(crate) fn to_json(self) -> Option<String> {
        Some(match self {
            Self::Default => return None,
            Self::AtBrowserClose => "0".to_owned(),
            // A zero would mean until the browser is closed; a negative number expires at once.
            Self::After(Duration::ZERO) => "-1".to_owned(),
            Self::After(time) if time.subsec_nanos() == 0 => time.as_secs().to_string(),
            Self::After(time) => json::write(&time.as_secs_f64()).ok()?,
            Self::At(moment) => format!("\"{}\"", isoformat(moment)),
        })
    }
}

/// The content of `_session_expiry`.
///
/// It represents more than [`Expiry`]: Django also stores negative numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Claim {
    Nothing,
    BrowserClose,
    Lasts(time::Duration),
    Until(OffsetDateTime),
    /// A date without an offset, in an unknown time zone: it has no effect.
    Naive(PrimitiveDateTime),
}

impl From<Expiry> for Claim {
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::Default => Self::Nothing,
            Expiry::AtBrowserClose => Self::BrowserClose,
            Expiry::After(time) => Self::Lasts(signed(time)),
            Expiry::At(moment) => Self::Until(moment),
        }
    }
}

impl From<Claim> for Expiry {
    fn from(claim: Claim) -> Self {
        match claim {
            Claim::Nothing => Self::Default,
            Claim::BrowserClose => Self::AtBrowserClose,
            Claim::Lasts(time) => Self::After(time.try_into().unwrap_or_default()),
            Claim::Until(moment) => Self::At(moment),
            Claim::Naive(date) => Self::At(date.assume_utc()),
        }
    }
}

impl Claim {
    /// Reads `_session_expiry`; `None` if it is present and not valid.
    ///
    /// Python writes `False` as `false` and reads it as 0. With `USE_TZ = False`, Django writes a
    /// date without an offset; see [`with_offset`](Self::with_offset).
    pub(crate) fn read(json: Option<&str>) -> Option<Self> {
        let Some(text) = json else { return Some(Self::Nothing) };
        match text.bytes().next()? {
            b'n' => Some(Self::Nothing),
            b'f' => Some(Self::BrowserClose),
            b'"' => parse_isoformat(&json::read::<String>(text).ok()?),
            b'-' | b'0'..=b'9' => Self::read_seconds(text),
            _ => None,
        }
    }

    /// Reads a number of seconds. More than 64 bits count as infinite.
    fn read_seconds(text: &str) -> Option<Self> {
        let (is_zero, time) = if text.contains(['.', 'e', 'E']) {
            let seconds: f64 = json::read(text).ok()?;
            let mut time = time::Duration::saturating_seconds_f64(seconds);
            if seconds < 0.0 {
                // This has expired, even if by less than a nanosecond.
                time = time.min(time::Duration::NANOSECOND.saturating_mul(-1));
            }
            (seconds == 0.0, time)
        } else {
            let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
            let seconds = text.parse().unwrap_or(beyond);
            (seconds == 0, time::Duration::seconds(seconds))
        };
        // This does not check the duration: less than a nanosecond rounds to zero, but is not zero.
        Some(if is_zero { Self::BrowserClose } else { Self::Lasts(time) })
    }

    /// Adds this offset, if it is known, to a date without an offset.
    pub(crate) fn with_offset(self, offset: Option<UtcOffset>) -> Self {
        match (self, offset) {
            (Self::Naive(date), Some(offset)) => Self::Until(in_utc(date, offset)),
            _ => self,
        }
    }

    pub(crate) fn age(self, cookie_age: Duration, modification: Moment) -> time::Duration {
        match self {
            Self::Nothing | Self::BrowserClose | Self::Naive(_) => signed(cookie_age),
            Self::Lasts(time) => time,
            Self::Until(moment) => {
                let left = Moment::from(moment).since(modification);
                let seconds = left.whole_seconds();
                // Python's `timedelta` rounds down, also below zero.
                let partial = i64::from(left.subsec_nanoseconds() < 0);
                time::Duration::seconds(seconds.saturating_sub(partial))
            }
        }
    }

    pub(crate) fn date(self, cookie_age: Duration, modification: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Until(moment) => moment,
            _ => modification
                .saturating_add(self.age(cookie_age, modification.into()))
                .min(LAST_INSTANT.max(modification)),
        }
    }

    pub(crate) fn at_browser_close(self, setting: bool) -> bool {
        match self {
            Self::Nothing => setting,
            Self::BrowserClose => true,
            Self::Lasts(_) | Self::Until(_) | Self::Naive(_) => false,
        }
    }

    /// Returns an error if a session has expired.
    ///
    /// The session's own expiry decides, or else `max_age`. A session is still valid at its last
    /// moment.
    pub(crate) fn check(self, max_age: Duration, age: Age, now: Moment) -> Result<(), DecodeError> {
        let is_over = match self {
            Self::Nothing | Self::BrowserClose | Self::Naive(_) => return age.check(max_age),
            Self::Lasts(time) => age.time.max(time::Duration::ZERO) > time,
            Self::Until(moment) => now > moment.into(),
        };
        if is_over { Err(age.expired()) } else { Ok(()) }
    }
}

/// The formats of Python's `datetime.isoformat`.
///
/// Other formats that every Python version reads are included.
///
/// The format only skips a `Z`, which can only be the last character.
const ISOFORMAT: &[BorrowedFormatItem<'_>] = format_description!(
    version = 2,
    "[year]-[month]-[day][optional [\
        [first [T][t][ ]][hour]:[minute][optional [:[second][optional [.[subsecond]]]]]\
        [optional [[first [Z][\
            [offset_hour sign:mandatory]:[offset_minute][optional [:[offset_second]]]\
        ]]]]\
    ]]"
);

fn parse_isoformat(text: &str) -> Option<Claim> {
    let mut parsed = Parsed::new();
    let rest = parsed.parse_items(text.as_bytes(), ISOFORMAT).ok()?;
    // The year's format would accept a sign; Python's does not.
    if !rest.is_empty() || text.starts_with(['+', '-']) {
        return None;
    }
    let date = Date::try_from(parsed).ok()?;
    let time = match parsed.hour_24() {
        Some(_) => Time::try_from(parsed).ok()?,
        None => Time::MIDNIGHT,
    };
    let date = PrimitiveDateTime::new(date, time);
    let offset = match parsed.offset_hour() {
        // Python's offsets are shorter than a day.
        Some(-23..=23) => UtcOffset::try_from(parsed).ok()?,
        Some(_) => return None,
        None if text.ends_with('Z') => UtcOffset::UTC,
        None => return Some(Claim::Naive(date)),
    };
    Some(Claim::Until(in_utc(date, offset)))
}

/// Returns a moment in UTC, so that no later arithmetic exceeds the calendar.
fn in_utc(date: PrimitiveDateTime, offset: UtcOffset) -> OffsetDateTime {
    let utc = date.assume_offset(offset).checked_to_offset(UtcOffset::UTC);
    utc.filter(|moment| *moment <= LAST_INSTANT).unwrap_or(LAST_MOMENT)
}

/// The last second of Python's calendar and of this crate's.
const LAST_MOMENT: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

/// The last nanosecond of this crate's calendar.
const LAST_INSTANT: OffsetDateTime = datetime!(9999-12-31 23:59:59.999_999_999 UTC);

/// The first second of Python's calendar.
const FIRST_MOMENT: OffsetDateTime = datetime!(0001-01-01 00:00:00 UTC);

/// Writes a moment in UTC like Python's `datetime.isoformat`.
///
/// It is truncated to microseconds. Every Python version reads this format. Python's calendar has
/// the years 1 to 9999: moments outside it are written as its first or last second.
fn isoformat(moment: OffsetDateTime) -> String {
    let utc = moment.clamp(FIRST_MOMENT, LAST_MOMENT).to_offset(UtcOffset::UTC);
    let (date, time) = (utc.date(), utc.time());
    let fraction = match time.microsecond() {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}+00:00",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
    )
}
