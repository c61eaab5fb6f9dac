//! Computes the age of a token, and refuses a token that is too old.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;

use crate::error::DecodeError;

/// A point in time, as the time since 1970.
///
/// All modules use this type. Computing a calendar date takes longer than splitting a token, so
/// dates occur only in the public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(time::Duration);

impl Moment {
    /// Returns the current time of the system clock.
    pub(crate) fn now() -> Self {
        Self(match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => signed(since),
            Err(before) => time::Duration::ZERO.saturating_sub(signed(before.duration())),
        })
    }

    pub(crate) const fn from_seconds(seconds: i64) -> Self {
        Self(time::Duration::seconds(seconds))
    }

    pub(crate) const fn from_microseconds(microseconds: i64) -> Self {
        Self(time::Duration::microseconds(microseconds))
    }

    /// Returns the whole seconds since 1970, rounded down.
    pub(crate) fn seconds(self) -> i64 {
        let is_partial = self.0.subsec_nanoseconds() < 0;
        self.0.whole_seconds().saturating_sub(i64::from(is_partial))
    }

    /// Returns the whole seconds since 1970, truncated like Python's `int`.
    pub(crate) fn truncated_seconds(self) -> i64 {
        self.0.whole_seconds()
    }

    /// Returns the whole microseconds since 1970, rounded towards zero.
    pub(crate) fn microseconds(self) -> i64 {
        let fraction = i64::from(self.0.subsec_microseconds());
        self.0.whole_seconds().saturating_mul(1_000_000).saturating_add(fraction)
    }

    /// Returns the time since `earlier`, which is negative if that is later.
    pub(crate) fn since(self, earlier: Self) -> time::Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the date in UTC.
    ///
    /// For a moment outside of the calendar, this is its first or last date.
    pub(crate) fn date(self) -> OffsetDateTime {
        let fraction = self.0.subsec_nanoseconds().rem_euclid(1_000_000_000).unsigned_abs();
        // This takes a third of the time of an addition.
        OffsetDateTime::from_unix_timestamp(self.seconds())
            .and_then(|whole| whole.replace_nanosecond(fraction))
            .unwrap_or_else(|_| OffsetDateTime::UNIX_EPOCH.saturating_add(self.0))
    }
}

impl From<OffsetDateTime> for Moment {
    fn from(date: OffsetDateTime) -> Self {
        Self(time::Duration::new(date.unix_timestamp(), date.nanosecond().cast_signed()))
    }
}

/// When a token was signed and how long ago.
#[derive(Clone, Copy)]
pub(crate) struct Age {
    pub(crate) signed_at: Moment,
    /// Negative if the token was signed in the future.
    pub(crate) time: time::Duration,
}

impl Age {
    pub(crate) fn new(signed_at: Moment, now: Moment) -> Self {
        Self { signed_at, time: now.since(signed_at) }
    }

    /// Returns an error if the token is older than `max_age`.
    ///
    /// As in Django's `age > max_age`, an age of exactly `max_age` is accepted, and so is a
    /// timestamp in the future.
    pub(crate) fn check(self, max_age: Duration) -> Result<(), DecodeError> {
        if self.time > signed(max_age) { Err(self.expired()) } else { Ok(()) }
    }

    /// Returns the error for an expired token.
    pub(crate) fn expired(self) -> DecodeError {
        let age = self.time.try_into().unwrap_or(Duration::ZERO);
        DecodeError::Expired { signed_at: self.signed_at.date(), age }
    }
}

/// Converts an unsigned duration into a signed one.
pub(crate) fn signed(time: Duration) -> time::Duration {
    time.try_into().unwrap_or(time::Duration::MAX)
}
