//! Holds that a fleet of processes changes its key under load without losing or inventing a session.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use signed_session::{CookieOptions, Keyring, Session, SessionCodec, SessionManager};
use time::OffsetDateTime;

use crate::random::Random;

const MEMBERS: usize = 8;
const CLIENTS: usize = 4;
const VISITORS_OF_A_CLIENT: u64 = 16;

/// How long a session lasts, in seconds of a clock that each request moves on.
const MAX_AGE: i64 = 3600;

/// How far apart the members' clocks are at most: as far as a codec allows by default.
const SKEW: i64 = 300;

/// How much longer a busy machine is given.
const PATIENCE: Duration = Duration::from_secs(600);

/// Marks an answer, among what the test harness prints.
const ANSWER: &str = "answer: ";

/// A process of the fleet is this test program, told so by this variable: its clock's error.
const MEMBER: &str = "SIGNED_SESSION_FLEET_MEMBER";

#[test]
fn a_key_is_changed_under_load_losing_and_inventing_no_session() {
    if let Ok(error) = std::env::var(MEMBER) {
        return serve(error.parse().unwrap());
    }
    let _alone = crate::alone();
    let seed = std::env::var("SIGNED_SESSION_LIVE_SEED").map_or(1, |seed| seed.parse().unwrap());
    let seconds = std::env::var("SIGNED_SESSION_SOAK_SECONDS").map_or(4, |s| s.parse().unwrap());
    println!("seed {seed}, {seconds} seconds");

    let mut random = Random(seed);
    let fleet = Fleet::new(&mut random);
    let rotations = std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let fleet = &fleet;
            let random = Random(random.next());
            scope.spawn(move || {
                // Whatever ends one thread ends them all.
                let _stop = StopOnDrop(&fleet.stopped);
                Client::new(client, fleet, random).run();
            });
        }
        let _stop = StopOnDrop(&fleet.stopped);
        fleet.rotate_for(Duration::from_secs(seconds), &mut random)
    });
    let counts = Outcome::ALL.map(|outcome| (outcome, fleet.count(outcome)));
    println!("{rotations} rotations, {counts:?}");
    assert!(rotations > 0);
    for (outcome, count) in counts {
        assert!(count > 0, "never {outcome:?}");
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    AcceptedUnderFirstKey,
    AcceptedUnderFallback,
    RefusedAsExpired,
    RefusedAsOfDroppedKey,
    RefusedAsOfKeyNotYetKnown,
    RefusedAsTampered,
    /// The process was killed before it answered.
    Lost,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::AcceptedUnderFirstKey,
        Self::AcceptedUnderFallback,
        Self::RefusedAsExpired,
        Self::RefusedAsOfDroppedKey,
        Self::RefusedAsOfKeyNotYetKnown,
        Self::RefusedAsTampered,
        Self::Lost,
    ];
}

// A process of the fleet.

fn secret(key: usize) -> String {
    format!("of-the-tests-of-the-fleet-correct-horse-battery-staple-{key}")
}

fn codec(keys: &[usize]) -> SessionCodec {
    let (first, fallbacks) = keys.split_first().unwrap();
    let ring = Keyring::new(secret(*first)).unwrap();
    let ring = fallbacks.iter().fold(ring, |ring, key| ring.fallback(secret(*key)).unwrap());
    SessionCodec::new(&ring).max_age(Duration::from_secs(MAX_AGE as u64))
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

/// Answers requests, one a line, with a clock that is wrong by so many seconds.
///
/// `keys 1 0` sets the ring; `read TIME VISITOR HEADER` and `write TIME VISITOR HEADER` are
/// requests, answered by `VISITOR VISITS TOKEN`: who came how often before, and the new cookie.
fn serve(error: i64) {
    let mut manager = None;
    println!();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (verb, rest) = line.split_once(' ').unwrap();
        if verb == "keys" {
            let keys: Vec<usize> = rest.split(' ').map(|key| key.parse().unwrap()).collect();
            let options = CookieOptions::new("sessionid").unwrap();
            manager = Some(SessionManager::new(codec(&keys), options).reissue_under_primary(true));
            println!("{ANSWER}done");
            continue;
        }
        let [now, visitor, header] = rest.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("a request has three parts")
        };
        let now = at(now.parse::<i64>().unwrap() + error);
        let manager = manager.as_ref().unwrap();
        let mut session = manager.load_at([header], now);
        let came = session.get::<u64>("visitor").unwrap();
        let visits = session.get::<u64>("visits").unwrap();
        if verb == "write" {
            session.insert("visitor", visitor.parse::<u64>().unwrap()).unwrap();
            session.insert("visits", visits.unwrap_or(0) + 1).unwrap();
        }
        let reply = manager.commit_at(&session, 200, now).unwrap();
        let word = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
        let token = reply.set_cookie.map_or("-".to_owned(), |cookie| cookie.value().to_owned());
        println!("{ANSWER}{} {} {token}", word(came), word(visits));
    }
}

// The fleet.

struct Fleet {
    members: Vec<Member>,
    /// The right time.
    clock: AtomicI64,
    /// The newest key that any member has been told of.
    newest_key: AtomicUsize,
    /// What became of the requests so far, in the order of `Outcome::ALL`.
    counts: [AtomicU64; Outcome::ALL.len()],
    stopped: AtomicBool,
}

struct Member {
    /// What its clock is wrong by.
    error: i64,
    /// Apart from its pipes, so that it can be killed while it works on a request.
    process: Mutex<Child>,
    pipes: Mutex<Pipes>,
}

struct Pipes {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// The keys that it knows, the one that signs first.
    keys: Vec<usize>,
}

impl Fleet {
    fn new(random: &mut Random) -> Self {
        // The two that are furthest apart are always there.
        let errors = (0..MEMBERS as i64).map(|member| match member {
            0 => -SKEW / 2,
            1 => SKEW / 2,
            _ => random.below(SKEW as u64 + 1) as i64 - SKEW / 2,
        });
        Self {
            members: errors.map(|error| Member::new(error, vec![0])).collect(),
            clock: AtomicI64::new(1_700_000_000),
            newest_key: AtomicUsize::new(0),
            counts: Default::default(),
            stopped: AtomicBool::new(false),
        }
    }

    fn count(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize].load(Ordering::SeqCst)
    }

    /// Changes the key again and again, and has members die in between.
    ///
    /// It takes longer where the machine is so busy that not everything has happened by then.
    fn rotate_for(&self, time: Duration, random: &mut Random) -> usize {
        let start = Instant::now();
        let is_over = |rotations: usize| {
            let has_seen_all =
                rotations > 0 && Outcome::ALL.iter().all(|outcome| self.count(*outcome) > 0);
            start.elapsed() > if has_seen_all { time } else { time + PATIENCE }
        };
        for old in 0.. {
            let new = old + 1;
            self.newest_key.store(new, Ordering::SeqCst);
            // First everyone knows the new key, then it signs.
            for keys in [vec![old, new], vec![new, old]] {
                if !self.step(&keys, random) || is_over(old) {
                    return old;
                }
            }
            // Then what the old one signed grows too old, by any member's clock.
            let over = self.clock.load(Ordering::SeqCst) + MAX_AGE + SKEW;
            while self.clock.load(Ordering::SeqCst) <= over {
                if self.stopped.load(Ordering::SeqCst) || is_over(old) {
                    return old;
                }
                self.members[random.index(MEMBERS)].die_and_rise(None);
                std::thread::yield_now();
            }
            if !self.step(&[new], random) {
                return old;
            }
        }
        unreachable!("there is always one more key")
    }

    /// Tells all members of the same keys, in random order, by word or by a new start.
    fn step(&self, keys: &[usize], random: &mut Random) -> bool {
        let mut order: Vec<&Member> = self.members.iter().collect();
        for end in (1..order.len()).rev() {
            order.swap(end, random.index(end + 1));
        }
        for member in order {
            if self.stopped.load(Ordering::SeqCst) {
                return false;
            }
            match random.below(2) {
                0 => member.pipes.lock().unwrap().tell(keys.to_vec()),
                _ => member.die_and_rise(Some(keys.to_vec())),
            }
            if random.below(4) == 0 {
                self.members[random.index(MEMBERS)].die_and_rise(None);
            }
            // Requests are to meet the fleet between the steps.
            let later = self.clock.load(Ordering::SeqCst) + random.below(60) as i64;
            while self.clock.load(Ordering::SeqCst) < later && !self.stopped.load(Ordering::SeqCst)
            {
                std::thread::yield_now();
            }
        }
        true
    }
}

impl Member {
    fn new(error: i64, keys: Vec<usize>) -> Self {
        let (process, pipes) = start(error, keys);
        Self { error, process: Mutex::new(process), pipes: Mutex::new(pipes) }
    }

    /// Kills the process, perhaps in the middle of a request, and starts it again.
    fn die_and_rise(&self, keys: Option<Vec<usize>>) {
        let mut process = self.process.lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        let mut pipes = self.pipes.lock().unwrap();
        let keys = keys.unwrap_or_else(|| pipes.keys.clone());
        (*process, *pipes) = start(self.error, keys);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn start(error: i64, keys: Vec<usize>) -> (Child, Pipes) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["a_key_is_changed", "--nocapture"])
        .env(MEMBER, error.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = process.stdin.take().unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    let mut pipes = Pipes { input, output, keys: Vec::new() };
    pipes.tell(keys);
    (process, pipes)
}

impl Pipes {
    fn tell(&mut self, keys: Vec<usize>) {
        let list: Vec<_> = keys.iter().map(usize::to_string).collect();
        let answer = self.ask(&format!("keys {}", list.join(" ")));
        assert_eq!(answer.as_deref(), Some("done"));
        self.keys = keys;
    }

    /// Returns the answer, if the process lives to give one.
    fn ask(&mut self, request: &str) -> Option<String> {
        writeln!(self.input, "{request}").ok()?;
        loop {
            let mut line = String::new();
            // A line without its end is the last word of a process that was killed.
            if self.output.read_line(&mut line).ok()? == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some(answer) = line.strip_prefix(ANSWER) {
                return Some(answer.trim_end().to_owned());
            }
        }
    }
}

// Those who come.

/// A cookie, and what is known of it.
#[derive(Clone)]
struct Ticket {
    token: String,
    visitor: u64,
    visits: u64,
    key: usize,
    /// By the clock of whoever signed it.
    signed_at: i64,
    /// Not made outside, and not tampered with.
    is_of_member: bool,
    is_tampered: bool,
}

struct Client<'f> {
    fleet: &'f Fleet,
    random: Random,
    visitors: Vec<(u64, Option<Ticket>)>,
    /// Some tickets that were good once.
    drawer: Vec<Ticket>,
}

impl<'f> Client<'f> {
    fn new(index: usize, fleet: &'f Fleet, random: Random) -> Self {
        let first = index as u64 * VISITORS_OF_A_CLIENT;
        let visitors = (first..first + VISITORS_OF_A_CLIENT).map(|id| (id, None)).collect();
        Self { fleet, random, visitors, drawer: Vec::new() }
    }

    fn run(mut self) {
        while !self.fleet.stopped.load(Ordering::SeqCst) {
            match self.random.below(8) {
                0 => self.come_with_a_ticket_made_outside(),
                1 => self.come_with_an_old_ticket(),
                _ => self.come_as_a_visitor(),
            }
        }
    }

    fn come_as_a_visitor(&mut self) {
        // The first of them come often, the last hardly ever.
        let place = self.random.index(self.visitors.len());
        let place = self.random.index(place + 1);
        let (id, mut jar) = self.visitors[place].clone();
        let write = jar.is_none() || self.random.below(2) == 0;
        self.request(id, &mut jar, write);
        if let Some(ticket) = jar.as_ref().filter(|_| self.random.below(16) == 0) {
            let place = self.random.index(256);
            match self.drawer.get_mut(place) {
                Some(old) => *old = ticket.clone(),
                None => self.drawer.push(ticket.clone()),
            }
        }
        self.visitors[place].1 = jar;
    }

    /// Comes with a cookie of before, as it was or with one character changed.
    fn come_with_an_old_ticket(&mut self) {
        if self.drawer.is_empty() {
            return;
        }
        let mut ticket = self.drawer[self.random.index(self.drawer.len())].clone();
        if self.random.below(2) == 0 {
            let at = self.random.index(ticket.token.len());
            let other = if ticket.token.as_bytes()[at] == b'A' { "B" } else { "A" };
            ticket.token.replace_range(at..=at, other);
            ticket.is_of_member = false;
            ticket.is_tampered = true;
        }
        self.request(ticket.visitor, &mut Some(ticket), false);
    }

    /// Comes with a cookie made just now under a key that is used, was dropped or is to come.
    fn come_with_a_ticket_made_outside(&mut self) {
        let key = self.random.index(self.fleet.newest_key.load(Ordering::SeqCst) + 2);
        let now = self.fleet.clock.load(Ordering::SeqCst);
        let mut session = Session::new();
        session.insert("visitor", 999).unwrap();
        session.insert("visits", 7).unwrap();
        let token = codec(&[key]).encode_at(&session, at(now)).unwrap();
        let ticket = Ticket {
            token,
            visitor: 999,
            visits: 7,
            key,
            signed_at: now,
            is_of_member: false,
            is_tampered: false,
        };
        self.request(ticket.visitor, &mut Some(ticket), false);
    }

    /// Sends a request to any member, checks the answer, and keeps the cookie that came with it.
    fn request(&mut self, id: u64, jar: &mut Option<Ticket>, write: bool) {
        let member = &self.fleet.members[self.random.index(MEMBERS)];
        let mut pipes = member.pipes.lock().unwrap();
        let now = self.fleet.clock.fetch_add(self.random.below(3) as i64, Ordering::SeqCst);
        let verb = if write { "write" } else { "read" };
        let token = jar.as_ref().map_or("", |ticket| &ticket.token);
        let Some(answer) = pipes.ask(&format!("{verb} {now} {id} theme=dark; sessionid={token}"))
        else {
            self.count(Outcome::Lost);
            return;
        };
        let [came, visits, token] = answer.split(' ').collect::<Vec<_>>()[..] else {
            panic!("an answer has three parts: {answer}")
        };
        let here = now + member.error;
        let mut visits_before = 0;
        let mut is_somebody = write;
        if let Some(ticket) = jar {
            let verdict = expected(ticket, &pipes.keys, here);
            let is_good =
                [Outcome::AcceptedUnderFirstKey, Outcome::AcceptedUnderFallback].contains(&verdict);
            let who = [ticket.visitor.to_string(), ticket.visits.to_string()];
            let right = if is_good { who } else { ["-", "-"].map(str::to_owned) };
            assert_eq!([came, visits], right, "{verdict:?}: {answer}");
            // What a member signed is good everywhere until it is too old, be it by the fastest
            // clock, whatever became of the key since then.
            if ticket.is_of_member && now - ticket.signed_at <= MAX_AGE - SKEW {
                assert!(is_good, "lost by the rotation: {verdict:?}");
            }
            self.count(verdict);
            if is_good {
                visits_before = ticket.visits;
                is_somebody = true;
            }
        }
        if token != "-" {
            // One that was refused is replaced by an empty session: nobody's.
            *jar = is_somebody.then(|| Ticket {
                token: token.to_owned(),
                visitor: id,
                visits: visits_before + u64::from(write),
                key: pipes.keys[0],
                signed_at: here,
                is_of_member: true,
                is_tampered: false,
            });
        }
    }

    fn count(&self, outcome: Outcome) {
        self.fleet.counts[outcome as usize].fetch_add(1, Ordering::SeqCst);
    }
}

/// Says what a member that knows these keys has to make of a cookie at the time of its clock.
fn expected(ticket: &Ticket, keys: &[usize], here: i64) -> Outcome {
    if ticket.is_tampered {
        return Outcome::RefusedAsTampered;
    }
    match keys.iter().position(|key| *key == ticket.key) {
        None if keys.iter().all(|key| *key < ticket.key) => Outcome::RefusedAsOfKeyNotYetKnown,
        None => Outcome::RefusedAsOfDroppedKey,
        Some(_) if here - ticket.signed_at > MAX_AGE => Outcome::RefusedAsExpired,
        Some(0) => Outcome::AcceptedUnderFirstKey,
        Some(_) => Outcome::AcceptedUnderFallback,
    }
}

struct StopOnDrop<'f>(&'f AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
