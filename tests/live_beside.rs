//! Is a site together with the real Django: each side takes up what the other left.
//!
//! Who is logged in, messages, signed cookies and stored sessions. Which
//! Djangos, how many cases and from which seed: as for `live_django.rs`.

mod support;

#[path = "live/auth.rs"]
mod auth;
#[path = "live/messages.rs"]
mod messages;
#[path = "live/random.rs"]
#[allow(dead_code, reason = "only other tests use all of it")]
mod random;
#[path = "live/run.rs"]
#[allow(dead_code, reason = "only other tests use all of it")]
mod run;
#[path = "live/single.rs"]
mod single;
#[path = "live/stored.rs"]
mod stored;
#[path = "live/worker.rs"]
#[allow(dead_code, reason = "only other tests use all of it")]
mod worker;

/// How many parts share the cases.
const PARTS: u64 = 10;

/// The program that asks Django.
const PROGRAM: &str = "beside.py";

const NOW: i64 = 1_700_000_000;
