//! Turns the times of the command line into moments and durations, and moments into text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// The clock that decides: the system's, or one that `--at` has stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(pub(crate) Option<OffsetDateTime>);

impl Clock {
    pub(crate) fn now(self) -> OffsetDateTime {
        self.0.unwrap_or_else(OffsetDateTime::now_utc)
    }
}

/// Reads Unix seconds or RFC 3339.
pub(crate) fn parse(text: &str) -> Result<OffsetDateTime, &'static str> {
    let moment = match text.parse() {
        Ok(seconds) => OffsetDateTime::from_unix_timestamp(seconds).ok(),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok(),
    };
    moment
        .and_then(|moment| moment.checked_to_offset(UtcOffset::UTC))
        .ok_or("neither Unix seconds nor RFC 3339, as 1700000000 or 2023-11-14T22:13:20Z")
}

/// How old a token may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MaxAge {
    /// Any age.
    Unlimited,
    Limit(Duration),
}

impl MaxAge {
    /// Returns the limit as the library takes it for sessions, which always have one.
    pub(crate) fn duration(self) -> Duration {
        self.limit().unwrap_or(Duration::MAX)
    }

    pub(crate) fn limit(self) -> Option<Duration> {
        match self {
            Self::Unlimited => None,
            Self::Limit(limit) => Some(limit),
        }
    }
}

impl FromStr for MaxAge {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FAULT: &str = "neither seconds, nor a number with s, m, h, d or w, nor none";
        if text == "none" {
            return Ok(Self::Unlimited);
        }
        let digits = text.trim_end_matches(['s', 'm', 'h', 'd', 'w']);
        let unit: u64 = match text.strip_prefix(digits).unwrap_or_default() {
            "" | "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            "w" => 7 * 24 * 60 * 60,
            _ => return Err(FAULT),
        };
        // A sign would be read as well.
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(FAULT);
        }
        let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        Ok(Self::Limit(Duration::from_secs(seconds.ok_or(FAULT)?)))
    }
}

/// Writes a moment as RFC 3339 in UTC and, in brackets, as Unix seconds.
pub(crate) fn both(moment: OffsetDateTime) -> String {
    format!("{} ({})", rfc3339(moment), moment.unix_timestamp())
}

/// Writes a moment as RFC 3339 in UTC.
pub(crate) fn rfc3339(moment: OffsetDateTime) -> String {
    let mut out = String::with_capacity(20);
    append_rfc3339(&mut out, moment);
    out
}

/// Does the same at the end of a text, many times faster than the general formats of `time`.
///
/// Whole seconds count, as in a stamp.
pub(crate) fn append_rfc3339(out: &mut String, moment: OffsetDateTime) {
    let utc = moment.checked_to_offset(UtcOffset::UTC).unwrap_or(moment);
    let (year, month, day) = utc.to_calendar_date();
    let (hour, minute, second) = utc.to_hms();
    let year = year.unsigned_abs();
    // Stamps lie between 1970 and 9999.
    let high = u8::try_from(year.checked_div(100).unwrap_or(0)).unwrap_or(99);
    let low = u8::try_from(year.checked_rem(100).unwrap_or(0)).unwrap_or(0);
    for (number, after) in [
        (high, ""),
        (low, "-"),
        (u8::from(month), "-"),
        (day, "T"),
        (hour, ":"),
        (minute, ":"),
        (second, "Z"),
    ] {
        for digit in [number.checked_div(10), number.checked_rem(10)] {
            out.push(char::from(b'0'.saturating_add(digit.unwrap_or(0))));
        }
        out.push_str(after);
    }
}

/// Writes a number at the end of a text.
pub(crate) fn append_number(out: &mut String, number: i64) {
    if number < 0 {
        out.push('-');
    }
    let mut rest = number.unsigned_abs();
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
        rest /= 10;
        first = place;
        if rest == 0 {
            break;
        }
    }
    out.push_str(digits.get(first..).and_then(|text| str::from_utf8(text).ok()).unwrap_or("0"));
}

/// Returns the whole seconds from one moment to another, negative if that one came first.
pub(crate) fn seconds(from: OffsetDateTime, to: OffsetDateTime) -> i64 {
    to.unix_timestamp().saturating_sub(from.unix_timestamp())
}

/// Says how long ago a moment was, or when it will be.
pub(crate) fn ago(moment: OffsetDateTime, now: OffsetDateTime) -> String {
    let age = seconds(moment, now);
    let side = if age < 0 { "from now" } else { "ago" };
    format!("{} {side}", Span(age.unsigned_abs()))
}

/// A number of seconds as people say it: `90 seconds`, `3 days (259200 seconds)`.
pub(crate) struct Span(pub(crate) u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        let (number, unit) = match seconds {
            172_800.. => (seconds / 86_400, "days"),
            7_200.. => (seconds / 3_600, "hours"),
            120.. => (seconds / 60, "minutes"),
            1 => return f.write_str("1 second"),
            _ => return write!(f, "{seconds} seconds"),
        };
        write!(f, "{number} {unit} ({seconds} seconds)")
    }
}
