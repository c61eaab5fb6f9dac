//! Turns two moments into an age, and refuses one that is too great.

use std::time::Duration;

use time::OffsetDateTime;

use crate::error::DecodeError;

/// Returns how long ago a moment was; nothing for one that is still to come.
pub(crate) fn age(moment: OffsetDateTime, now: OffsetDateTime) -> Duration {
    between(moment, now).try_into().unwrap_or(Duration::ZERO)
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

/// Refuses what is older than it may be.
///
/// As Django's `age > max_age`: an age of exactly `max_age` passes, and so does
/// a moment in the future.
pub(crate) fn check_age(
    signed_at: OffsetDateTime,
    max_age: Duration,
    now: OffsetDateTime,
) -> Result<(), DecodeError> {
    let age = age(signed_at, now);
    if age > max_age {
        return Err(DecodeError::Expired { signed_at, age });
    }
    Ok(())
}
