//! Runs a part of the test on every Django, in batches of cases that can be repeated.
//!
//! | variable | meaning |
//! |---|---|
//! | `SIGNED_SESSION_LIVE_CASES` | How many cases each Django gets, all parts of a suite together: 3,000 unless set. |
//! | `SIGNED_SESSION_LIVE_SEED` | The seed that all cases come from: a fixed one unless set. |

use std::env;
use std::fmt::Display;

use crate::random::Random;
use crate::worker::{About, Worker};

const BATCH: u64 = 500;

/// One case: its own random numbers, and what to say when it fails.
pub struct Case {
    pub random: Random,
    pub title: String,
}

impl Case {
    /// Fails the test and shows how to have the same case again.
    pub fn fail(&self, what: impl Display) -> ! {
        panic!("{}\n{what}", self.title);
    }

    /// Fails the test unless the two are equal.
    pub fn equal<T: PartialEq + std::fmt::Debug>(
        &self,
        what: &str,
        ours: T,
        django: T,
        shown: &dyn std::fmt::Debug,
    ) {
        if ours != django {
            self.fail(format_args!(
                "{what}\n  here: {ours:?}\nDjango: {django:?}\n  case: {shown:?}"
            ));
        }
    }
}

/// The parts of the test that share the cases, and the program that asks Django for them.
pub struct Suite {
    program: &'static str,
    parts: u64,
}

/// Who is logged in, messages, signed cookies and stored sessions.
pub const BESIDE: Suite = Suite { program: "beside.py", parts: 10 };

/// Forms and forged requests.
#[cfg(feature = "random")]
pub const CSRF: Suite = Suite { program: "csrf.py", parts: 8 };

/// What the session engine of the guide makes of tokens.
pub const ENGINE: Suite = Suite { program: "engine.py", parts: 1 };

/// Visits to a site.
pub const MIDDLEWARE: Suite = Suite { program: "worker.py", parts: 1 };

/// Tokens and single sessions.
pub const TOKENS: Suite = Suite { program: "worker.py", parts: 7 };

impl Suite {
    /// Gives every Django to `check`, one after the other.
    pub fn with_every_django(&self, mut check: impl FnMut(&mut Worker)) {
        for django in support::django::environments() {
            check(&mut Worker::start(&django, self.program));
        }
    }

    /// Gives the cases of a part, batch by batch, to `check`, once for every Django.
    pub fn on_every_django(&self, part: u64, check: impl Fn(&mut Worker, &mut [Case])) {
        let seed = number("SIGNED_SESSION_LIVE_SEED").unwrap_or(20_061_226);
        let total = number("SIGNED_SESSION_LIVE_CASES").unwrap_or(3_000);
        let count = total.div_ceil(self.parts);
        self.with_every_django(|worker| {
            let About { django, python, zlib, .. } = worker.about.clone();
            println!("Django {django}, Python {python}, zlib {zlib}: {count} cases of seed {seed}");
            for first in (0..count).step_by(BATCH as usize) {
                let case = |number| Case {
                    random: Random::new(seed, part, number),
                    title: format!(
                        "part {part}, case {number}, Django {django} on Python {python}; to repeat it: \
                         SIGNED_SESSION_LIVE_SEED={seed} SIGNED_SESSION_LIVE_CASES={total}"
                    ),
                };
                let mut cases: Vec<Case> = (first..count.min(first + BATCH)).map(case).collect();
                check(worker, &mut cases);
            }
        });
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}
