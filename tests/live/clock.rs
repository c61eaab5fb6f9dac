//! Moments as the worker spells them.

use time::OffsetDateTime;

/// A moment of so many milliseconds since 1970.
pub fn moment(milliseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .expect("within the calendar")
}

/// Rounds to what Python's times can say.
pub fn microseconds(nanoseconds: i128) -> i64 {
    i64::try_from((nanoseconds + 500).div_euclid(1000)).expect("no case is that large")
}
