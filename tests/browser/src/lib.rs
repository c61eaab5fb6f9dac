//! Drives sites in a headless Chromium as a person would: reads, types, clicks.
//!
//! [`Site`] is a server under test, [`Origin`] one that answers from the test
//! itself, [`Chromium`] the browser, [`Visitor`] one person in a profile of their
//! own. All of them end when they are dropped.
//! Whatever goes wrong is a panic that says what was looked for.
//!
//! Chromium is looked for on the `PATH`, unless `SIGNED_SESSION_CHROMIUM` says
//! where it is.

mod chromium;
mod devtools;
mod origin;
mod site;
mod visitor;

use std::thread;
use std::time::{Duration, Instant};

pub use chromium::Chromium;
pub use origin::Origin;
pub use site::{Site, build_example, build_package, serve};
pub use visitor::{Visitor, check_says};

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
///
/// # Panics
///
/// If there is none in time; `what` says what was waited for.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
