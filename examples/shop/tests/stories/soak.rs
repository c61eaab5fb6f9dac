//! Holds for as long as one likes that no thief lives and nobody else dies.
//!
//! `SIGNED_SESSION_SOAK_SECONDS` says how long, as for the soak of the root package: some seconds if
//! it is not set.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::fleet::{Fleet, Jar, is_soon, over_each_carrier};

/// How long a copy may be good at most after it was ended.
const KNOWN: Duration = Duration::from_secs(10);

/// How many users there are, each of whom has a thief.
const USERS: usize = 20;

#[test]
fn no_thief_lives_and_nobody_else_dies() {
    let seconds = std::env::var("SIGNED_SESSION_SOAK_SECONDS").map_or(4, |s| s.parse().unwrap());
    over_each_carrier(&[], |mut fleet| {
        let (start, time) = (Instant::now(), Duration::from_secs(seconds) / 2);
        let (ends, mut restarts) = (AtomicU64::new(0), 0);
        // Restarted between rounds, in which nothing dies.
        while start.elapsed() < time || restarts == 0 {
            let until = Instant::now() + Duration::from_secs(5).min(time);
            thread::scope(|scope| {
                for user in 0..USERS {
                    let (fleet, ends) = (&fleet, &ends);
                    scope.spawn(move || {
                        let mut random = Random(0x9E37_79B9 + restarts * 1000 + user as u64);
                        while Instant::now() < until {
                            life(fleet, user, &mut random);
                            ends.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            let index = usize::try_from(restarts).unwrap() % fleet.all().len();
            fleet.restart(index);
            restarts += 1;
        }
        println!(
            "{} sessions ended in {:?}, {restarts} restarts",
            ends.into_inner(),
            start.elapsed()
        );
    });
}

/// A user logs in on two devices, one of whose cookies is stolen, and ends something.
fn life(fleet: &Fleet, user: usize, random: &mut Random) {
    let name = format!("user{user}");
    let mut here = || random.below(fleet.all().len());
    let (mut device, other) = (fleet.log_in(here(), &name), fleet.log_in(here(), &name));
    let mut thief = device.clone();
    // The thief, and the user, are anywhere.
    for jar in [&mut thief, &mut device] {
        let answer = fleet.visit(here(), jar, |visitor| visitor.get("/"));
        assert!(answer.body.contains(&format!("logged in as {name}.")), "{answer:?}");
    }
    let process = here();
    let (path, others_live) = match random.below(3) {
        0 => ("/logout", true),
        1 => ("/sign-out-others", false),
        _ => ("/sign-out-everywhere", false),
    };
    fleet.do_post(process, &mut device, path);
    let ended: Vec<&Jar> = if others_live { vec![&thief] } else { vec![&thief, &other] };
    for jar in ended {
        for index in fleet.all() {
            assert!(is_soon(KNOWN, || fleet.who(index, jar).is_none()), "a thief lives: {path}");
        }
    }
    if others_live {
        fleet.assert_lives(&other);
    }
    if path == "/sign-out-others" {
        fleet.assert_lives(&device);
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // xorshift64, as Marsaglia gives it.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}
