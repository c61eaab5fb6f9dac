//! Turns two moments into an age, and refuses one that is too great.

use std::time::Duration;

use time::OffsetDateTime;

use crate::error::DecodeError;

/// When a token was signed and how long ago, which is asked for once: it goes by the calendar.
#[derive(Clone, Copy)]
pub(crate) struct Age {
    pub(crate) signed_at: OffsetDateTime,
    /// Negative for a moment that is still to come.
    pub(crate) time: time::Duration,
}

impl Age {
    pub(crate) fn new(signed_at: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self { signed_at, time: between(signed_at, now) }
    }

    /// Refuses what is older than it may be.
    ///
    /// As Django's `age > max_age`: an age of exactly `max_age` passes, and so does
    /// a moment in the future.
    pub(crate) fn check(self, max_age: Duration) -> Result<(), DecodeError> {
        if self.time > signed(max_age) { Err(self.expired()) } else { Ok(()) }
    }

    /// Says that its time is over.
    pub(crate) fn expired(self) -> DecodeError {
        let age = self.time.try_into().unwrap_or(Duration::ZERO);
        DecodeError::Expired { signed_at: self.signed_at, age }
    }
}

/// Returns the time from one moment to another, negative if that one came first.
pub(crate) fn between(from: OffsetDateTime, to: OffsetDateTime) -> time::Duration {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "two moments of the calendar are at most 20,000 years apart"
    )]
    let time = to - from;
    time
}

/// Turns a time that cannot be negative into one that can.
pub(crate) fn signed(time: Duration) -> time::Duration {
    time.try_into().unwrap_or(time::Duration::MAX)
}
