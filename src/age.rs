//! Computes the age of a token, and refuses one that is too old.

use std::time::Duration;

use time::OffsetDateTime;

use crate::error::DecodeError;

/// When a token was signed and how long ago, computed once because calendar dates are slow.
#[derive(Clone, Copy)]
pub(crate) struct Age {
    pub(crate) signed_at: OffsetDateTime,
    /// Negative for a moment in the future.
    pub(crate) time: time::Duration,
}

impl Age {
    pub(crate) fn new(signed_at: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self { signed_at, time: between(signed_at, now) }
    }

    /// Returns an error if it is older than `max_age`.
    ///
    /// As Django's `age > max_age`: an age of exactly `max_age` is accepted, and so is a moment in
    /// the future.
    pub(crate) fn check(self, max_age: Duration) -> Result<(), DecodeError> {
        if self.time > signed(max_age) { Err(self.expired()) } else { Ok(()) }
    }

    /// Returns the error that the token has expired.
    pub(crate) fn expired(self) -> DecodeError {
        let age = self.time.try_into().unwrap_or(Duration::ZERO);
        DecodeError::Expired { signed_at: self.signed_at, age }
    }
}

/// Returns the time from one moment to another, negative if the second came first.
pub(crate) fn between(from: OffsetDateTime, to: OffsetDateTime) -> time::Duration {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "two moments of the calendar are at most 20,000 years apart"
    )]
    let time = to - from;
    time
}

/// Converts an unsigned duration into a signed one.
pub(crate) fn signed(time: Duration) -> time::Duration {
    time.try_into().unwrap_or(time::Duration::MAX)
}
