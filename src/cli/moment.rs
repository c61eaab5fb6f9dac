//! Parses the times and ages of the command line, and formats times.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// The clock: the system's, or the fixed time of `--at`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(pub(crate) Option<OffsetDateTime>);

impl Clock {
    pub(crate) fn now(self) -> OffsetDateTime {
        self.0.unwrap_or_else(OffsetDateTime::now_utc)
    }
}

/// Parses Unix seconds, RFC 3339 or a date, which means midnight in UTC.
pub(crate) fn parse(text: &str) -> Result<OffsetDateTime, String> {
    const FORMS: &str = "1700000000, 2023-11-14T22:13:20Z or 2023-11-14";
    if text.starts_with("--") {
        return Err(format!("this is an option; expected a time, such as {FORMS}"));
    }
    let moment = if let Ok(seconds) = text.parse::<i64>() {
        of_seconds(seconds).ok_or_else(|| {
            let thousandth = seconds.div_euclid(1000);
            match of_seconds(thousandth) {
                Some(_) => {
                    format!("past the year 9999; if these are milliseconds, use {thousandth}")
                }
                None => "past the year 9999".to_owned(),
            }
        })?
    } else {
        let has_time = text.contains([':', 'T']);
        let full = if has_time { text.replacen(' ', "T", 1) } else { format!("{text}T00:00:00Z") };
        OffsetDateTime::parse(&full, &Rfc3339).map_err(|_| {
            match OffsetDateTime::parse(&format!("{full}Z"), &Rfc3339) {
                Ok(_) => format!("the time zone is missing; for UTC, write {full}Z"),
                Err(_) => format!("expected Unix seconds, RFC 3339 or a date, such as {FORMS}"),
            }
        })?
    };
    in_utc(moment).ok_or_else(|| "past the year 9999".to_owned())
}

fn of_seconds(seconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(in_utc)
}

/// Returns the moment in UTC, if its year has at most four digits.
///
/// The calendar of `time` is larger if another crate enables its feature `large-dates`.
fn in_utc(moment: OffsetDateTime) -> Option<OffsetDateTime> {
    let moment = moment.checked_to_offset(UtcOffset::UTC)?;
    (-9999..=9999).contains(&moment.year()).then_some(moment)
}

/// The maximum age of a token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MaxAge {
    /// Any age.
    Unlimited,
    Limit(Duration),
}

impl MaxAge {
    /// Returns the limit for the library's sessions, which always have one.
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
        const FAULT: &str = "expected seconds, a number with s, m, h, d or w, or the word none";
        if text == "none" {
            return Ok(Self::Unlimited);
        }
        if text.starts_with("--") {
            return Err("this is an option; expected an age, such as 3600, 12h or none");
        }
        let digits_len = text.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, unit) = text.split_at_checked(digits_len).unwrap_or((text, ""));
        if digits.is_empty() {
            let number = text.strip_prefix('-').unwrap_or_default();
            let is_negative = number.starts_with(|first: char| first.is_ascii_digit());
            return Err(if is_negative { "must not be negative" } else { FAULT });
        }
        let unit: u64 = match unit.trim_start() {
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 60 * 60,
            "d" | "day" | "days" => 24 * 60 * 60,
            "w" | "week" | "weeks" => 7 * 24 * 60 * 60,
            "mo" | "month" | "months" | "M" | "y" | "year" | "years" => {
                return Err("months and years differ in length; use days, such as 30d or 365d");
            }
            _ => return Err(FAULT),
        };
        let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        Ok(Self::Limit(Duration::from_secs(seconds.ok_or("the number of seconds is too large")?)))
    }
}

/// Formats a moment as RFC 3339 in UTC and, in brackets, as Unix seconds.
pub(crate) fn both(moment: OffsetDateTime) -> String {
    format!("{} ({})", rfc3339(moment), moment.unix_timestamp())
}

/// Formats a moment as RFC 3339 in UTC, in whole seconds.
///
/// This is many times faster than the general formats of `time`.
pub(crate) fn rfc3339(moment: OffsetDateTime) -> String {
    let utc = moment.checked_to_offset(UtcOffset::UTC).unwrap_or(moment);
    let (year, month, day) = utc.to_calendar_date();
    let (hour, minute, second) = utc.to_hms();
    let year = year.unsigned_abs();
    // Timestamps are between 1970 and 9999.
    let century = u8::try_from(year / 100).unwrap_or(99);
    let year = u8::try_from(year % 100).unwrap_or(0);
    let digits = |number: u8| [number / 10, number % 10].map(|digit| b'0'.saturating_add(digit));
    let ([y1, y2], [y3, y4]) = (digits(century), digits(year));
    let ([mo1, mo2], [d1, d2]) = (digits(month.into()), digits(day));
    let ([h1, h2], [mi1, mi2], [s1, s2]) = (digits(hour), digits(minute), digits(second));
    let text = [
        y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2,
        b'Z',
    ];
    String::from_utf8_lossy(&text).into_owned()
}

/// Returns the whole seconds from one moment to another.
///
/// Negative if the second moment is earlier.
pub(crate) fn seconds(from: OffsetDateTime, to: OffsetDateTime) -> i64 {
    to.unix_timestamp().saturating_sub(from.unix_timestamp())
}

/// Formats how long ago a moment was, or how far in the future it is.
pub(crate) fn ago(moment: OffsetDateTime, now: OffsetDateTime) -> String {
    let age = seconds(moment, now);
    let side = if age < 0 { "from now" } else { "ago" };
    format!("{} {side}", Span(age.unsigned_abs()))
}

/// A number of seconds in words: `90 seconds`, `3 days (259200 seconds)`.
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
