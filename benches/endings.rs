//! Measures what it costs that sessions can be ended: `cargo bench --features random --bench endings`.
//!
//! A check is what a load takes longer with a list than without. The slowest of the applications is
//! the longest pause of a shard that grows, and the slowest of the sweeps is that of one that is
//! swept; where other programs run, the slowest of several runs is theirs.

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::Duration;

use divan::Bencher;
use signed_session::{
    Compress, CookieOptions, Keyring, Revocation, Revocations, SessionCodec, SessionManager,
};
use support::sample;
use time::OffsetDateTime;

fn main() {
    divan::main();
}

const MILLION: u64 = 1_000_000;
/// More than the processor's nearest caches have the subjects of.
const COOKIES: u64 = 16_384;
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const SKEW: Duration = Duration::from_secs(5 * 60);

static NOW: LazyLock<OffsetDateTime> = LazyLock::new(OffsetDateTime::now_utc);

/// What was ended of a million users, one session each, as lines.
static LINES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let list = Revocations::new(LIFETIME);
    let manager = manager().revocations(list.clone(), "user_id");
    let mut session = manager.load_at([""; 0], *NOW);
    session.begin(|_| true);
    session.insert("user_id", 0).expect("a number");
    let _ = manager.commit_at(&session, 200, *NOW).expect("fits");
    let id = session.id().expect("it was begun").to_owned();
    let line = |user| format!("{{\"v\":1,\"subject\":\"{user}\",\"session\":\"{id}\"}}");
    (0..MILLION).map(line).collect()
});

static REVOCATIONS: LazyLock<Vec<Revocation>> =
    LazyLock::new(|| LINES.iter().map(|line| line.parse().expect("a line")).collect());

fn manager() -> SessionManager {
    let codec = SessionCodec::new(&Keyring::new(sample::SECRET).expect("not empty"));
    let options = CookieOptions::new("sessionid").expect("a name");
    SessionManager::new(codec.compress(Compress::Never), options)
}

/// A list that remembers this many users of the million.
fn list(users: u64) -> Revocations {
    let list = Revocations::new(LIFETIME);
    for revocation in REVOCATIONS.iter().take(usize::try_from(users).expect("a million")) {
        list.apply_at(revocation, *NOW).expect("not ahead");
    }
    list
}

/// Cookies of users who are logged in, from this one on, spread over the million.
fn cookies(first: u64) -> Vec<String> {
    let manager = manager().revocations(Revocations::new(LIFETIME), "user_id");
    let cookie = |index: u64| {
        let mut session = manager.load_at([""; 0], *NOW);
        session.begin(|_| true);
        let user = first + index * 7_919 % MILLION;
        session.insert("user_id", user).expect("a number");
        let cookie = manager.commit_at(&session, 200, *NOW).expect("fits").set_cookie;
        cookie.expect("it was begun").stripped().to_string()
    };
    (0..COOKIES).map(cookie).collect()
}

/// Loads cookies, many one after the other: `None` is without a list.
#[divan::bench(args = [None, Some(0), Some(1), Some(MILLION)], min_time = 2)]
fn load(bencher: Bencher, ended: Option<u64>) {
    let manager = match ended {
        Some(users) => manager().revocations(list(users), "user_id"),
        None => manager(),
    };
    // Of nobody who is listed, as most are.
    let cookies = cookies(MILLION);
    let mut cookies = cookies.iter().cycle();
    bencher.bench_local(move || {
        let session = manager.load_at([cookies.next().expect("a cycle")], *NOW);
        assert!(session.refusal().is_none());
        black_box(session);
    });
}

/// The check alone, of sessions in memory of users who are not listed.
#[divan::bench(args = [0, 1, MILLION], min_time = 2)]
fn has_ended(bencher: Bencher, users: u64) {
    check(bencher, users, MILLION);
}

/// The same of users each of whom ended another session: their entries are read, too.
#[divan::bench(args = [MILLION], min_time = 2)]
fn has_ended_of_the_listed(bencher: Bencher, users: u64) {
    check(bencher, users, 0);
}

fn check(bencher: Bencher, users: u64, first: u64) {
    let list = list(users);
    let manager = manager().revocations(list.clone(), "user_id");
    let sessions: Vec<_> =
        cookies(first).iter().map(|cookie| manager.load_at([cookie], *NOW)).collect();
    let mut sessions = sessions.iter().cycle();
    bencher.bench_local(move || black_box(list.has_ended(sessions.next().expect("a cycle"))));
}

/// Applies a million lines, one at a time: the mean is the cost of one, the slowest a pause.
#[divan::bench(sample_count = 1_000_000, sample_size = 1)]
fn apply(bencher: Bencher) {
    let list = list(0);
    let mut revocations = REVOCATIONS.iter();
    bencher.bench_local(move || {
        let revocation = revocations.next().expect("a million");
        list.apply_at(black_box(revocation), *NOW).expect("not ahead")
    });
}

/// Forgets a million subjects, a shard at a time.
#[divan::bench(sample_count = 64, sample_size = 1)]
fn sweep(bencher: Bencher) {
    let list = list(MILLION);
    let later = *NOW + LIFETIME + SKEW + Duration::from_secs(1);
    bencher.bench_local(move || list.end_all_at(0, later).expect("a number"));
}

/// Reads and applies a million lines, as a process does that starts.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn catch_up_with_a_million_lines(bencher: Bencher) {
    LazyLock::force(&LINES);
    bencher.bench_local(|| {
        let list = Revocations::new(LIFETIME);
        for line in LINES.iter() {
            let revocation: Revocation = line.parse().expect("a line");
            list.apply_at(&revocation, *NOW).expect("not ahead");
        }
        list
    });
}
