//! Many cores and many processes at once, for as long as `SIGNED_SESSION_SOAK_SECONDS` says.

mod fleet;
mod random;
#[cfg(feature = "tower")]
mod rotation;
#[cfg(target_os = "linux")]
mod soak;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Returns a guard under which no other test of this program runs.
///
/// Each of them wants every core, and one measures the memory of the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
