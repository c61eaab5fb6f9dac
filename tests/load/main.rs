//! Many cores and many processes at once, for as long as `SIGNED_SESSION_SOAK_SECONDS` says.

mod fleet;
#[cfg(target_os = "linux")]
mod soak;
