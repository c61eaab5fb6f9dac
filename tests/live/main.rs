//! A site together with the real Django: each side takes up what the other left.
//!
//! Python and Django are looked for and installed under `target/`; the tests
//! fail where that cannot be. What to have and how many cases:
//!
//! - which Djangos, or none at all: `tests/support/src/django.rs`;
//! - how many cases, and from which seed: `run.rs`.
//!
//! `worker.py`, `beside.py` and `csrf.py` are the other side, `engine.py` is it with the session engine
//! of the guide, `zoo.py` is it under settings of every kind, and
//! `people.py` is a whole site with packages. Every case has random
//! numbers of its own, so one that failed fails again with the same seed.

mod auth;
mod clock;
#[cfg(feature = "random")]
mod csrf;
mod data;
mod difference;
#[cfg(feature = "random")]
mod ended;
mod engine;
mod expiry;
mod jar;
mod limits;
mod messages;
mod middleware;
mod odd;
mod paths;
mod people;
mod question;
mod random;
mod readme;
mod run;
mod session;
mod settings;
mod single;
mod site;
mod step;
mod stored;
mod story;
mod telling;
mod tokens;
mod worker;
mod zoo;

const NOW: i64 = 1_700_000_000;
