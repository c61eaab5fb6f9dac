//! Looks at `AuthUser::verify`, which compares a session's hash with that of a password.

use std::hint::black_box;

use crabgrind::{callgrind, count_errors, memcheck};
use signed_session::django::AuthUser;
use signed_session::{Keyring, Session};

use super::SECRET;

const PASSWORD: &str = "pbkdf2_sha256$1000000$salt$hash-of-the-timing-tests";
const HASH_LEN: usize = 64;
const KEYS: usize = 4;

fn secret(index: usize) -> String {
    format!("{SECRET}-{index}")
}

fn ring(secrets: impl IntoIterator<Item = Vec<u8>>) -> Keyring {
    let mut secrets = secrets.into_iter();
    let first = Keyring::new(secrets.next().expect("a first")).expect("a secret");
    secrets.fold(first, |ring, secret| ring.fallback(secret).expect("a secret"))
}

/// The user of a session whose hash was made with this key of the ring, and then altered.
fn user(key: usize, wrong_at: Option<usize>) -> AuthUser {
    let mut session = Session::new();
    AuthUser::new(&ring([secret(key).into_bytes()]), 1, "backend", PASSWORD)
        .login(&mut session, |_| false);
    if let Some(at) = wrong_at {
        let mut hash: String = session.get("_auth_user_hash").expect("text").expect("a hash");
        let other = if hash.as_bytes()[at] == b'0' { "1" } else { "0" };
        hash.replace_range(at..=at, other);
        session.insert("_auth_user_hash", hash).expect("text");
    }
    AuthUser::from_session(&session).expect("a user").expect("a user")
}

/// Checks the login as it is to be done.
fn verify(user: &AuthUser, rings: &Rings) -> bool {
    user.verify(&rings.whole, PASSWORD).is_some()
}

/// Does this the wrong way: stops at the first difference, with the hash of the first key.
fn verify_with_early_exit(user: &AuthUser, rings: &Rings) -> bool {
    let hash = |user: &AuthUser| {
        let mut session = Session::new();
        user.login(&mut session, |_| false);
        session.get::<String>("_auth_user_hash").expect("text").expect("a hash")
    };
    let right = hash(&AuthUser::new(&rings.whole, 1, "backend", PASSWORD));
    let given = hash(user);
    right.bytes().zip(given.bytes()).all(|(a, b)| black_box(a) == black_box(b))
}

/// Does this the wrong way: stops at the first key that matches.
fn verify_up_to_the_first(user: &AuthUser, rings: &Rings) -> bool {
    rings.single.iter().any(|ring| user.verify(ring, PASSWORD).is_some())
}

struct Rings {
    whole: Keyring,
    single: Vec<Keyring>,
}

impl Rings {
    fn new(secrets: &[Vec<u8>]) -> Self {
        let single = secrets.iter().map(|secret| ring([secret.clone()])).collect();
        Self { whole: ring(secrets.to_vec()), single }
    }
}

type Check = fn(&AuthUser, &Rings) -> bool;

/// Where the hash is wrong.
const PLACES: [(&str, Check); 2] = [("login", verify), ("login-control", verify_with_early_exit)];

/// Which key matches.
const MATCHES: [(&str, Check); 2] = [("key", verify), ("key-control", verify_up_to_the_first)];

/// Records with callgrind how many instructions each check takes.
pub fn instructions() {
    let secrets: Vec<_> = (0..KEYS).map(|index| secret(index).into_bytes()).collect();
    let rings = Rings::new(&secrets);
    let count = |name: &str, place: usize, check: Check, user: &AuthUser, expected: bool| {
        // What is done once in a process comes first.
        assert_eq!(check(user, &rings), expected, "{name} {place}");
        let label = format!("{name} {place:02}");
        callgrind::zero_stats();
        let matched = black_box(check(user, &rings));
        callgrind::dump_stats(label.as_str());
        assert_eq!(matched, expected);
    };
    for (name, check) in PLACES {
        (0..HASH_LEN).for_each(|at| count(name, at, check, &user(0, Some(at)), false));
    }
    for (name, check) in MATCHES {
        (0..KEYS).for_each(|key| count(name, key, check, &user(key, None), true));
    }
}

/// Reports with memcheck each branch and each address that depends on a secret.
pub fn memory() -> Result<(), String> {
    let users: Vec<AuthUser> = (0..HASH_LEN)
        .map(|at| user(0, Some(at)))
        .chain((0..KEYS).map(|key| user(key, None)))
        .collect();
    let mut secrets: Vec<_> = (0..KEYS).map(|index| secret(index).into_bytes()).collect();
    for secret in &mut secrets {
        let state = memcheck::MemState::Undefined;
        let _ = memcheck::mark_mem(secret.as_mut_ptr().cast(), secret.len(), state);
    }
    let rings = Rings::new(&secrets);
    let mut reported = Vec::new();
    for (name, check) in [PLACES[0], PLACES[1], MATCHES[1]] {
        let reports = users.iter().map(|user| {
            let before = count_errors();
            black_box(check(user, &rings));
            count_errors() - before
        });
        let reports: Vec<_> = reports.collect();
        println!("{name}: {reports:?} reports, by the place that is wrong, and for each key");
        reported.push(reports);
    }
    if reported[0].iter().any(|reports| *reports > 1) {
        return Err("more than whether a login holds depends on the secret".to_owned());
    }
    if reported[1..].iter().any(|control| control.iter().all(|reports| *reports <= 1)) {
        return Err("a control was not found out".to_owned());
    }
    Ok(())
}
