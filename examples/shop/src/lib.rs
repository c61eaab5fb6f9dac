//! Tells every process of a site which sessions were ended.
//!
//! Three files to copy from: [`queue`], and the [`sqlite`] or the [`redis`] carrier. A carrier is a
//! list to which lines are appended, read by position. It gives three promises:
//!
//! - What was ended is in it at most some milliseconds later, or waits until it can be written.
//! - A process that follows it knows all that it holds, or does not call
//!   [`Revocations::heard`](signed_session::Revocations::heard).
//! - What it has lost, any process that remembers writes again.
//!
//! Anyone who can write to it can end sessions, but neither begin nor revive one.

pub mod queue;
pub mod redis;
pub mod sqlite;

/// Why a carrier cannot be read or written.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
