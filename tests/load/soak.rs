//! Holds that all cores together, for as long as one likes, get no wrong answer and keep no memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use signed_session::{
    Compress, CookieOptions, DecodeError, EncodeError, Keyring, Session, SessionCodec,
    SessionManager,
};
use time::OffsetDateTime;

use crate::random::Random;

/// What the program may hold more at the end than after its first minute, in kilobytes.
const MAX_GROWTH: u64 = 2048;

/// How often sessions are written and read at least, however busy the machine.
const MIN_ROUNDS: u64 = 1000;

#[test]
fn all_cores_give_no_wrong_answer_and_memory_does_not_grow() {
    let _alone = crate::alone();
    let seed = std::env::var("SIGNED_SESSION_LIVE_SEED").map_or(1, |seed| seed.parse().unwrap());
    let seconds = std::env::var("SIGNED_SESSION_SOAK_SECONDS").map_or(4, |s| s.parse().unwrap());
    let whole = Duration::from_secs(seconds);
    let first = Duration::from_secs(60).min(whole / 4);
    println!("seed {seed}, {seconds} seconds");

    let start = Instant::now();
    let (rounds, stopped) = (AtomicU64::new(0), AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (early, late) = std::thread::scope(|scope| {
        let work = |core: usize| {
            let mut random = Random(seed ^ (core as u64) << 32);
            let site = Site::new();
            while !stopped.load(Ordering::Relaxed) {
                site.round(&mut random);
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        };
        let workers: Vec<_> = (0..cores).map(|core| scope.spawn(move || work(core))).collect();
        // A busy machine is given longer: what is kept is asked after as much work.
        let wait = |time: Duration, least: u64| {
            while (start.elapsed() < time || rounds.load(Ordering::Relaxed) < least)
                && !workers.iter().any(|worker| worker.is_finished())
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            resident()
        };
        let measured = (wait(first, MIN_ROUNDS / 4), wait(whole, MIN_ROUNDS));
        stopped.store(true, Ordering::Relaxed);
        measured
    });
    let rounds = rounds.into_inner();
    println!("{cores} cores, {rounds} rounds; {early} kB after {first:?}, {late} kB at the end");
    assert!(rounds >= MIN_ROUNDS);
    assert!(late <= early + MAX_GROWTH, "{early} kB have become {late} kB");
}

/// Returns how much memory the program holds, in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

struct Site {
    codec: SessionCodec,
    manager: SessionManager,
    /// One whose keys do not verify the others'.
    stranger: SessionCodec,
}

impl Site {
    fn new() -> Self {
        let ring = Keyring::new("of-the-soak-test-correct-horse-battery-staple").unwrap();
        let old = "of-the-soak-test-yesterday-a-horse-stood-elsewhere";
        let ring = ring.fallback(old).unwrap();
        let stranger = Keyring::new("of-somebody-else-wrong-horse-battery-staple").unwrap();
        let codec = SessionCodec::new(&ring);
        let options = CookieOptions::new("sessionid").unwrap();
        let manager = SessionManager::new(codec.clone(), options);
        Self { codec, manager, stranger: SessionCodec::new(&stranger) }
    }

    /// Writes one random session and reads it in all ways, good and bad.
    fn round(&self, random: &mut Random) {
        let now = OffsetDateTime::from_unix_timestamp(random.below(4_000_000_000) as i64).unwrap();
        let entries = entries(random);
        let mut session = Session::new();
        for (key, value) in &entries {
            session.insert(key, value).unwrap();
        }
        let compress = if random.below(4) == 0 { Compress::Never } else { Compress::IfShorter };
        let codec = self.codec.clone().compress(compress);
        let token = match codec.encode_at(&session, now) {
            Ok(token) => token,
            Err(EncodeError::TooLarge { .. }) => {
                let roomy = codec.clone().max_token_len(1 << 20).max_payload_len(1 << 20);
                let token = roomy.encode_at(&session, now).unwrap();
                let refused = codec.decode_at(&token, now).unwrap_err();
                assert_eq!(refused, DecodeError::TooLong { len: token.len(), limit: 4096 });
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let read = codec.decode_at(&token, now).unwrap();
        assert!(read.iter().eq(session.iter()));
        assert_eq!(read.signed_at(), Some(now));
        assert_eq!(codec.decode_as_at::<BTreeMap<String, String>>(&token, now), Ok(entries));

        let header = format!("theme=dark; sessionid={token}; sessionid=forged-and-long-enough");
        let mut loaded = self.manager.load_at([&header], now);
        assert!(loaded.iter().eq(session.iter()));
        loaded.insert("more", 1).unwrap();
        if let Ok(reply) = self.manager.commit_at(&loaded, 200, now) {
            let again = self.codec.decode_at(reply.set_cookie.unwrap().value(), now).unwrap();
            assert!(again.iter().eq(loaded.iter()));
        }

        let limit = Duration::from_secs(14 * 24 * 60 * 60);
        assert!(codec.decode_at(&token, now + limit).is_ok());
        let late = codec.decode_at(&token, now + limit + Duration::from_secs(1));
        assert!(matches!(late, Err(DecodeError::Expired { .. })));
        let refused = self.stranger.decode_at(&token, now).unwrap_err();
        assert_eq!(refused, DecodeError::BadSignature);
        let mut altered = token.clone();
        let at = random.below(token.len() as u64) as usize;
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        altered.replace_range(at..=at, other);
        assert!(!codec.decode_at(&altered, now).unwrap_err().is_authentic());
    }
}

/// Creates up to some dozen texts of any characters, now and then long.
fn entries(random: &mut Random) -> BTreeMap<String, String> {
    (0..random.below(12))
        .map(|_| {
            let key = text(random, 12);
            let longest = if random.below(16) == 0 { 4000 } else { 60 };
            (format!("k{key}"), text(random, longest))
        })
        .collect()
}

fn text(random: &mut Random, longest: u64) -> String {
    let highest = [0x80, 0x250, 0x11_0000][random.below(3) as usize];
    let len = random.below(longest);
    (0..len).filter_map(|_| char::from_u32(random.below(highest) as u32)).collect()
}
