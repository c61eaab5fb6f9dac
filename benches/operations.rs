//! Simulates a large site at a ten-thousandth of its size, for the figures of `docs/operations.md`:
//! `cargo bench --features random --bench operations`.
//!
//! The site is the same in each run, and so are the counts; the last column is a time.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signed_session::{Revocation, Revocations};
use time::OffsetDateTime;
use time::macros::datetime;

/// By how much the site is smaller than the one that is wanted.
const SCALE: u64 = 10_000;

/// 10⁸ users, of whom all are equally active: nothing is less favourable.
const USERS: u64 = 100_000_000 / SCALE;

/// 10⁶ logouts per day.
const LOGOUTS: u64 = 1_000_000 / SCALE;

/// One end in so many is one of all sessions of a user.
const OF_ALL: u64 = 100;

const LIFETIMES: [u64; 4] = [14, 30, 90, 400];

/// How long a session has lasted at most when it is ended.
const LONGEST: u64 = 14;

const START: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn main() {
    println!("10⁸ users, 10⁶ logouts per day: in each process, and in the carrier");
    println!("days  subjects        lines  list, MB  B/subject  lines, MB   lines/s");
    for days in LIFETIMES {
        simulate(days);
    }
}

fn simulate(days: u64) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut list = None;
    // A month longer than sessions last: by then as many are forgotten as are added.
    let end = days + 30;
    let counted = allocation_counter::measure(|| {
        let revocations = Revocations::new(DAY * u32::try_from(days).expect("it is small"));
        for logout in 0..end * LOGOUTS {
            let now = START + DAY.mul_f64(logout as f64 / LOGOUTS as f64);
            let user = random.below(USERS);
            let ended = if random.below(OF_ALL) == 0 {
                revocations.end_all_at(user, now)
            } else {
                let age = random.below(LONGEST * DAY.as_secs());
                let id = identity(now - Duration::from_secs(age), &mut random);
                revocations.end_one_at(user, &id, now)
            };
            ended.expect("subjects and ids are well formed");
        }
        list = Some(revocations);
    });
    let revocations = list.expect("it was made");
    let now = START + DAY * u32::try_from(end).expect("it is small");
    let lines: Vec<String> = revocations.list_at(now).iter().map(Revocation::to_string).collect();
    let subjects = revocations.len() as u64;
    let bytes = u64::try_from(counted.bytes_current).expect("it holds memory");
    let written: u64 = lines.iter().map(|line| line.len() as u64).sum();

    // What a process does when it starts.
    let fresh = Revocations::new(DAY * u32::try_from(days).expect("it is small"));
    let clock = Instant::now();
    for line in &lines {
        let revocation = line.parse().expect("it was written here");
        fresh.apply_at(&revocation, now).expect("it is not ahead");
    }
    let per_second = lines.len() as f64 / clock.elapsed().as_secs_f64();
    println!(
        "{days:4} {:9} {:12} {:9} {:10} {:10} {per_second:9.0}",
        subjects * SCALE,
        lines.len() as u64 * SCALE,
        bytes * SCALE / 1_000_000,
        bytes / subjects,
        written * SCALE / 1_000_000,
    );
}

/// Returns the identity of a session that began at this moment.
fn identity(began: OffsetDateTime, random: &mut Random) -> String {
    let began = i64::try_from(began.unix_timestamp_nanos() / 1000).expect("it is in this century");
    let mut bytes = began.to_be_bytes().to_vec();
    bytes.extend(random.next().to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

struct Random(u64);

impl Random {
    /// Returns the next number, by xorshift64.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }
}
