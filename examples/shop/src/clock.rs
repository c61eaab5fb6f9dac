//! Tells the time, which tests set to minutes ahead or behind.

use std::env;
use std::sync::OnceLock;

use time::{Duration, OffsetDateTime};

/// How many seconds this process's clock is ahead: for tests of machines whose clocks differ.
const AHEAD: &str = "SHOP_CLOCK_AHEAD";

/// Returns what time it is. In your program this is `OffsetDateTime::now_utc`.
pub fn now() -> OffsetDateTime {
    static SECONDS: OnceLock<i64> = OnceLock::new();
    let seconds = SECONDS
        .get_or_init(|| env::var(AHEAD).ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0));
    OffsetDateTime::now_utc() + Duration::seconds(*seconds)
}
