//! What was ended is refused and nothing else is, in whichever order and how often it is told.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use signed_session::{
    ApplyError, CookieOptions, DecodeError, ExpiryRule, Revocation, RevocationError, Revocations,
    Session, SessionCodec, SessionManager,
};
use time::OffsetDateTime;

use super::ends::{Ended, Facts, Id, SKEW, SUBJECTS, Verdict};
use super::input::Input;
use super::{NOW, RING, SECRET, STAMP, django, is_discreet, is_discreet_error};

/// Creates a list: what the library does only with its feature `random`.
pub type New = fn(Duration) -> Revocations;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

static CODEC: LazyLock<SessionCodec> = LazyLock::new(|| {
    SessionCodec::new(&RING).expiry_rule(ExpiryRule::Django).max_age(Duration::MAX)
});

pub fn law(data: &[u8], new: New) {
    let mut input = Input::new(data);
    match input.byte() % 4 {
        0 | 1 => lists_agree(&mut input, new),
        2 => the_living_and_the_dead(&mut input, new),
        _ => one_line(&mut input),
    }
}

fn at(microseconds: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(microseconds)
}

fn start() -> i64 {
    NOW.unix_timestamp() * SECOND
}

/// A process of the site, and what the definition says of it.
struct Process {
    list: Revocations,
    manager: SessionManager,
    facts: Facts,
    /// What it ended, one line each.
    told: Arc<Mutex<Vec<String>>>,
}

impl Process {
    fn new(lifetime: i64, new: New) -> Self {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let tell = Arc::clone(&told);
        let list = new(Duration::from_micros(lifetime.cast_unsigned()))
            .on_revocation(move |revocation| tell.lock().unwrap().push(revocation.to_string()));
        let manager = SessionManager::new(CODEC.clone(), CookieOptions::new("sessionid").unwrap())
            .revocations(list.clone(), "user_id");
        Self { list, manager, facts: Facts { lifetime, said: BTreeSet::new() }, told }
    }

    fn take_told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// Lists what is remembered, by the library and in order.
    fn listed(&self, now: i64) -> BTreeSet<String> {
        let list = self.list.list_at(at(now));
        let lines: BTreeSet<String> = list.iter().map(Revocation::to_string).collect();
        assert_eq!(lines.len(), list.len(), "nothing is listed twice");
        lines
    }

    fn should_list(&self, now: i64) -> BTreeSet<String> {
        self.facts.list(now).iter().map(Ended::line).collect()
    }

    /// Hears of something, and says as much as the definition whether it was news.
    fn hear(&mut self, ended: Ended, now: i64) {
        let line = ended.line();
        let revocation: Revocation = line.parse().unwrap();
        let answer = self.list.apply_at(&revocation, at(now));
        if ended.moment() > now + 3 * SKEW {
            assert_eq!(answer, Err(ApplyError::Ahead), "{line}");
            return;
        }
        let before = self.facts.list(now);
        self.facts.said.insert(ended);
        assert_eq!(answer, Ok(before != self.facts.list(now)), "{line}");
        assert!(self.take_told().is_empty(), "what comes from elsewhere goes nowhere");
    }

    /// Ends something here: by the definition's moment, and told if it was news.
    fn end(&mut self, what: u8, subject: usize, id: Id, now: i64) {
        let (name, before) = (SUBJECTS[subject], self.facts.list(now));
        let (ended, revocation) = match what % 3 {
            0 => {
                let revocation = self.list.end_one_at(name, &id.text(), at(now));
                if id.began > now + 3 * SKEW {
                    assert_eq!(revocation, Err(RevocationError::BadSessionId));
                    return;
                }
                (Ended::One(subject, id), revocation.unwrap())
            }
            1 => {
                let revocation = self.list.end_all_at(name, at(now)).unwrap();
                (self.facts.end_all(subject, now), revocation)
            }
            _ => (self.facts.end_everyone(now), self.list.end_everyone_at(at(now))),
        };
        assert_eq!(revocation.to_string(), ended.line());
        self.facts.said.insert(ended);
        let was_news = before != self.facts.list(now);
        assert_eq!(self.take_told(), if was_news { vec![ended.line()] } else { vec![] });
    }

    /// Checks a list: it equals the definition's, and applying what it lists changes nothing.
    fn check(&self, now: i64) {
        let listed = self.listed(now);
        assert_eq!(listed, self.should_list(now));
        for revocation in self.list.list_at(at(now)) {
            // What was ended twice in one moment may lie ahead by more than a clock can.
            assert!(matches!(
                self.list.apply_at(&revocation, at(now)),
                Ok(false) | Err(ApplyError::Ahead)
            ));
        }
        assert_eq!(self.listed(now), listed);
    }

    /// Sweeps every part of the table, which otherwise happens one by one while it is written to.
    fn sweep(&self, now: i64) {
        let list = self.facts.list(now);
        let is_written = |ended: &&Ended| {
            !matches!(ended, Ended::Everyone(_)) && ended.moment() <= now + 3 * SKEW
        };
        let Some(known) = list.iter().find(is_written) else { return };
        let known: Revocation = known.line().parse().unwrap();
        for _ in 0..64 {
            assert_eq!(self.list.apply_at(&known, at(now)), Ok(false));
        }
        let subjects: BTreeSet<usize> = list
            .iter()
            .filter_map(|ended| match ended {
                Ended::One(subject, _) | Ended::All(subject, _) => Some(*subject),
                Ended::Everyone(_) => None,
            })
            .collect();
        assert_eq!(self.list.len(), subjects.len(), "nothing takes memory that is forgotten");
        self.check(now);
    }

    fn judge(&self, cookie: &str, now: i64) -> (Verdict, Option<String>) {
        let session = self.manager.load_at([cookie], at(now));
        let verdict = match session.refusal() {
            None => Verdict::Good,
            Some(DecodeError::NotYetValid { .. }) => Verdict::NotYetValid,
            Some(DecodeError::Expired { .. }) => Verdict::Expired,
            Some(DecodeError::Revoked) => Verdict::Revoked,
            Some(error) => panic!("{error}"),
        };
        (verdict, session.id().map(str::to_owned))
    }
}

/// A cookie that a holder of the key wrote: with an identity, or without as Django writes it.
fn mint(subject: usize, id: Option<Id>, signed_at: i64) -> (String, Id) {
    let subject = django::quote(SUBJECTS[subject]);
    let json = match &id {
        Some(id) => format!("{{\"user_id\":{subject},\"_session_id\":\"{}\"}}", id.text()),
        None => format!("{{\"user_id\":{subject}}}"),
    };
    let (payload, stamp) = (django::base64(json.as_bytes()), django::stamp(signed_at / SECOND));
    let id = id.unwrap_or_else(|| {
        let digest = Sha256::digest(format!("signed-session adopt\0{payload}:{stamp}"));
        Id { began: signed_at / SECOND * SECOND + SKEW, random: digest[..8].try_into().unwrap() }
    });
    let token = django::sign(&payload, django::SESSION_SALT, SECRET, &stamp);
    (format!("sessionid={token}"), id)
}

/// What was ended is known by any permutation, duplication, split and join of what was told.
fn lists_agree(input: &mut Input<'_>, new: New) {
    let lifetime = input.pick(&[14 * DAY, 60 * SECOND, 400 * DAY, 1]);
    let mut processes = [(); 3].map(|()| Process::new(lifetime, new));
    let mut now = start() + i64::from(input.byte());
    let mut moments = vec![now];
    let mut cookies = Vec::new();
    let mut bursts = 0;
    for _ in 0..96 {
        if input.is_empty() {
            break;
        }
        let (what, place) = (input.byte(), usize::from(input.byte()) % 3);
        match what % 8 {
            0..=2 => {
                let (kind, subject, id) = take_ended(input, lifetime, now, &mut moments);
                let ended = match kind % 3 {
                    0 => Ended::One(subject, id),
                    1 => Ended::All(subject, id.began),
                    _ => Ended::Everyone(id.began),
                };
                processes[place].hear(ended, now);
            }
            3 => {
                let (kind, subject, id) = take_ended(input, lifetime, now, &mut moments);
                processes[place].end(kind, subject, id, now);
            }
            4 => {
                let other = &processes[usize::from(input.byte()) % 3];
                other.check(now);
                let mut list: Vec<Ended> = other.facts.list(now).into_iter().collect();
                if !list.is_empty() {
                    let first = input.place(list.len());
                    list.rotate_left(first);
                }
                // Of a thousand the first: all of them are told at the end.
                list.truncate(32);
                list.into_iter().for_each(|ended| processes[place].hear(ended, now));
            }
            // More logouts of one subject than are remembered one by one.
            5 if bursts < 2 => {
                bursts += 1;
                let (_, subject, first) = take_ended(input, lifetime, now, &mut moments);
                let count = 990 + i64::from(input.byte() % 32);
                let step = input.pick(&[0, 1, -1, 7]);
                for nth in 0..count {
                    let random = nth.cast_unsigned().to_be_bytes();
                    let began = first.began + nth / 2 * step;
                    processes[place].take_one_of_many(subject, Id { began, random }, now);
                }
                moments.push(first.began + count / 2 * step);
            }
            6 => {
                let steps = [1, SECOND, SKEW, DAY, lifetime, lifetime - SKEW, SKEW - 1];
                let step = input.pick(&steps).max(0);
                now += step;
                if step >= ((lifetime + SKEW) / 64).min(3_600 * SECOND) {
                    processes.iter().for_each(|process| process.sweep(now));
                }
            }
            _ => {
                let (kind, subject, id) = take_ended(input, lifetime, now, &mut moments);
                cookies.push((subject, mint(subject, (kind % 4 != 3).then_some(id), id.began)));
                processes[place].check(now);
                hold(&processes[place], &cookies, now);
            }
        }
    }
    // Everybody is told all that the others list, and knows as much as if they had been told all of
    // what was ended. By then nothing lies ahead.
    now += SECOND;
    for (place, other) in [(0, 1), (0, 2), (1, 0), (2, 0)] {
        let (list, said) =
            (processes[other].list.list_at(at(now)), processes[other].facts.said.clone());
        for revocation in &list {
            processes[place].list.apply_at(revocation, at(now)).unwrap();
        }
        processes[place].facts.said.extend(said);
    }
    let listed = processes[0].listed(now);
    assert!(processes.iter().all(|process| process.listed(now) == listed));
    for process in &processes {
        process.check(now);
        hold(process, &cookies, now);
        // A clock that is set back finds nothing forgotten that is good by it.
        hold(process, &cookies, now - SKEW);
        is_discreet(&(&process.list, process.list.list_at(at(now))), SUBJECTS[4]);
    }
}

impl Process {
    /// Hears of one of a thousand, without counting all of them each time.
    fn take_one_of_many(&mut self, subject: usize, id: Id, now: i64) {
        let ended = Ended::One(subject, id);
        let revocation: Revocation = ended.line().parse().unwrap();
        match self.list.apply_at(&revocation, at(now)) {
            Ok(_) => {
                assert!(id.began <= now + 3 * SKEW);
                self.facts.said.insert(ended);
            }
            Err(error) => {
                assert_eq!(error, ApplyError::Ahead);
                assert!(id.began > now + 3 * SKEW);
            }
        }
    }
}

/// Takes a kind, a subject, and a moment near to one at which something changes.
fn take_ended(
    input: &mut Input<'_>,
    lifetime: i64,
    now: i64,
    moments: &mut Vec<i64>,
) -> (u8, usize, Id) {
    let (kind, subject) = (input.byte(), usize::from(input.byte() >> 4) % SUBJECTS.len());
    let anchor = match input.byte() % 8 {
        0 => now,
        1 => now + 3 * SKEW,
        2 => now - lifetime,
        3 => now - lifetime - SKEW,
        4 => now - 1_000 * SECOND,
        5 => now + SKEW,
        _ => moments[input.place(moments.len())],
    };
    let moment = anchor + i64::from(input.byte().cast_signed() / 32);
    moments.push(moment);
    (kind, subject, Id { began: moment, random: [input.byte() % 4; 8] })
}

/// Cookies are judged as the definition judges, which forgets nothing.
fn hold(process: &Process, cookies: &[(usize, (String, Id))], now: i64) {
    for (subject, (cookie, id)) in cookies {
        let (verdict, text) = process.judge(cookie, now);
        assert_eq!(verdict, process.facts.judge(*subject, *id, now), "{subject} {id:?}");
        assert_eq!(text, (verdict == Verdict::Good).then(|| id.text()));
    }
}

/// A login of a world, with all the cookies that it ever had.
struct Login {
    subject: usize,
    id: String,
    order: usize,
    /// What the process that it was made at had heard of.
    knew: BTreeSet<usize>,
    cookies: Vec<String>,
}

enum What {
    One(String),
    All(usize),
    Everyone,
}

struct End {
    what: What,
    order: usize,
    /// What the process that it was made at had heard of before.
    knew: BTreeSet<usize>,
    line: String,
}

/// A process in a world: its clock, what it heard, and what it did not tell yet.
struct Place {
    process: Process,
    ahead: i64,
    heard: BTreeSet<usize>,
    untold: Vec<usize>,
    /// How much of the carrier it has read.
    read: usize,
}

struct World {
    places: Vec<Place>,
    logins: Vec<Login>,
    ends: Vec<End>,
    carrier: Vec<usize>,
    now: i64,
    order: usize,
}

/// None begun before an end lives, and none begun after it by a process that has heard dies.
fn the_living_and_the_dead(input: &mut Input<'_>, new: New) {
    let places = (0..3).map(|_| Place {
        process: Process::new(14 * DAY, new),
        ahead: i64::from(input.byte()) * SKEW / 255,
        heard: BTreeSet::new(),
        untold: Vec::new(),
        read: 0,
    });
    let mut world = World {
        places: places.collect(),
        logins: Vec::new(),
        ends: Vec::new(),
        carrier: Vec::new(),
        now: start(),
        order: 0,
    };
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        world.act(input);
    }
    world.check();
    (0..3).for_each(|place| world.catch_up(place));
    (0..3).for_each(|place| world.catch_up(place));
    world.check();
    // And a visitor who is nobody stays.
    let payload = django::base64(b"{\"user_id\":null,\"cart\":[1]}");
    let token = django::sign(&payload, django::SESSION_SALT, SECRET, STAMP);
    let cookie = format!("sessionid={token}");
    for place in &world.places {
        assert_eq!(place.process.judge(&cookie, world.now + place.ahead), (Verdict::Good, None));
    }
}

impl World {
    fn act(&mut self, input: &mut Input<'_>) {
        let (what, place, subject) = (input.byte(), input.byte() % 3, input.byte());
        let (place, subject) = (usize::from(place), usize::from(subject) % 2);
        self.order += 1;
        // As programs should: with it more is promised.
        if what & 0x80 == 0 && matches!(what % 11, 0 | 2..=6) {
            self.catch_up(place);
        }
        let nth = (!self.logins.is_empty()).then(|| input.place(self.logins.len()));
        match (what % 11, nth) {
            (0 | 1, _) => self.log_in(place, subject, None),
            (2, Some(nth)) => {
                let subject = self.logins[nth].subject;
                self.log_in(place, subject, Some(nth));
            }
            (3, _) => {
                let now = self.clock(place);
                let list = &self.places[place].process.list;
                list.end_all_at(SUBJECTS[subject], now).unwrap();
                self.note(place, vec![What::All(subject)]);
            }
            (4, _) => {
                let now = self.clock(place);
                self.places[place].process.list.end_everyone_at(now);
                self.note(place, vec![What::Everyone]);
            }
            (5, Some(nth)) => self.end_one(place, nth),
            (6, Some(nth)) => self.end_others(place, nth),
            (7, Some(nth)) => self.log_out(place, nth, input.pick(&[200, 302, 500])),
            (8, Some(nth)) => self.visit(place, nth),
            (9, _) => self.catch_up(place),
            _ => {
                let steps = [0, 1, 1_000, SECOND, 60 * SECOND, SKEW, 3_600 * SECOND];
                self.now += input.pick(&steps);
                self.check();
            }
        }
    }

    fn clock(&self, place: usize) -> OffsetDateTime {
        at(self.now + self.places[place].ahead)
    }

    fn load(&self, place: usize, cookie: &str) -> Session {
        self.places[place].process.manager.load_at([cookie], self.clock(place))
    }

    /// Sends the response: the cookie that it sets, if it is not a removal.
    fn commit(&self, place: usize, session: &Session, status: u16) -> Option<String> {
        let manager = &self.places[place].process.manager;
        let reply = manager.commit_at(session, status, self.clock(place)).unwrap();
        let cookie = reply.set_cookie.filter(|cookie| !cookie.value().is_empty())?;
        Some(format!("sessionid={}", cookie.value()))
    }

    /// Notes what was ended here, which has to be all that was told.
    fn note(&mut self, place: usize, whats: Vec<What>) {
        let told = self.places[place].process.take_told();
        assert_eq!(told.len(), whats.len(), "{told:?}");
        for (what, line) in whats.into_iter().zip(told) {
            let here = &mut self.places[place];
            let nth = self.ends.len();
            self.ends.push(End { what, order: self.order, knew: here.heard.clone(), line });
            here.heard.insert(nth);
            here.untold.push(nth);
        }
    }

    fn log_in(&mut self, place: usize, subject: usize, over: Option<usize>) {
        let before = over.map(|nth| {
            let login = &self.logins[nth];
            (login.id.clone(), login.cookies.last().unwrap().clone())
        });
        let mut session = match &before {
            Some((_, cookie)) => self.load(place, cookie),
            None => self.places[place].process.manager.load_at([""; 0], self.clock(place)),
        };
        let was_good = session.signed_at().is_some();
        session.begin(|_| true);
        session.insert("user_id", SUBJECTS[subject]).unwrap();
        let (knew, noted) = (self.places[place].heard.clone(), session.id().map(str::to_owned));
        let cookie = self.commit(place, &session, 200).unwrap();
        assert_eq!(self.load(place, &cookie).id(), noted.as_deref(), "it can be noted at once");
        let ended = before.filter(|_| was_good).map(|(id, _)| What::One(id));
        self.note(place, ended.into_iter().collect());
        self.begun(place, subject, knew, cookie);
    }

    fn begun(&mut self, place: usize, subject: usize, knew: BTreeSet<usize>, cookie: String) {
        let session = self.load(place, &cookie);
        let id = session.id().expect("a login is good where it was made").to_owned();
        assert!(self.logins.iter().all(|login| login.id != id));
        let order = self.order;
        self.logins.push(Login { subject, id, order, knew, cookies: vec![cookie] });
    }

    fn end_one(&mut self, place: usize, nth: usize) {
        let (now, login) = (self.clock(place), &self.logins[nth]);
        let (subject, id) = (SUBJECTS[login.subject], login.id.clone());
        let here = &self.places[place];
        let is_good =
            |world: &Self| world.load(place, &world.logins[nth].cookies[0]).id().is_some();
        let was_known = here.heard.iter().any(|end| match &self.ends[*end].what {
            What::One(other) => *other == id,
            What::All(_) | What::Everyone => false,
        });
        let was_good = is_good(self);
        here.process.list.end_one_at(subject, &id, now).unwrap();
        assert!(!is_good(self), "what ends here ends at once");
        // Ended by itself before, or swallowed by an end of all.
        let is_told = !here.process.told.lock().unwrap().is_empty();
        assert!(if was_known { !is_told } else { is_told || !was_good });
        self.note(place, if is_told { vec![What::One(id)] } else { vec![] });
    }

    fn end_others(&mut self, place: usize, nth: usize) {
        let (subject, now) = (self.logins[nth].subject, self.clock(place));
        let cookie = self.logins[nth].cookies.last().unwrap().clone();
        let mut session = self.load(place, &cookie);
        let revocation = self.places[place].process.list.end_others_at(&mut session, now);
        assert_eq!(revocation.is_some(), session.id().is_some());
        if revocation.is_none() {
            return self.note(place, vec![]);
        }
        self.note(place, vec![What::All(subject)]);
        self.order += 1;
        let knew = self.places[place].heard.clone();
        let noted = session.id().map(str::to_owned);
        let fresh = self.commit(place, &session, 200).unwrap();
        assert_eq!(self.load(place, &fresh).id(), noted.as_deref(), "it can be noted at once");
        // Where an earlier end was not heard of, this session may have begun after that of all.
        let is_told = !self.places[place].process.told.lock().unwrap().is_empty();
        let former = is_told.then(|| What::One(self.logins[nth].id.clone()));
        self.note(place, former.into_iter().collect());
        assert!(
            self.load(place, &cookie).id().is_none(),
            "a copy of this very session is not spared"
        );
        self.begun(place, subject, knew, fresh);
    }

    fn log_out(&mut self, place: usize, nth: usize, status: u16) {
        let (id, cookie) = (self.logins[nth].id.clone(), self.logins[nth].cookies[0].clone());
        let mut tabs = [(); 2].map(|()| self.load(place, &cookie));
        let was_good = tabs[0].id().is_some();
        for session in &mut tabs {
            session.flush();
            assert_eq!(self.commit(place, session, status), None);
        }
        self.note(place, if was_good { vec![What::One(id)] } else { vec![] });
    }

    /// Writes something: another copy, with a later stamp.
    fn visit(&mut self, place: usize, nth: usize) {
        let cookie = self.logins[nth].cookies.last().unwrap().clone();
        let mut session = self.load(place, &cookie);
        if session.id().is_none() || self.logins[nth].cookies.len() > 4 {
            return;
        }
        session.insert("visit", self.order).unwrap();
        let cookie = self.commit(place, &session, 200).expect("it is good, and was changed");
        self.note(place, vec![]);
        self.logins[nth].cookies.push(cookie);
    }

    /// Tells what was not told yet, and hears what others told.
    fn catch_up(&mut self, place: usize) {
        let now = self.clock(place);
        let here = &mut self.places[place];
        self.carrier.append(&mut here.untold);
        for nth in &self.carrier[here.read..] {
            let revocation: Revocation = self.ends[*nth].line.parse().unwrap();
            let news = here.process.list.apply_at(&revocation, now).expect("it is not ahead");
            assert!(!news || !here.heard.contains(nth));
            here.heard.insert(*nth);
        }
        here.read = self.carrier.len();
        self.note(place, vec![]);
    }

    fn check(&self) {
        for place in 0..3 {
            for login in &self.logins {
                self.check_login(place, login);
            }
        }
    }

    fn check_login(&self, place: usize, login: &Login) {
        let concerns = |end: &&usize| match &self.ends[**end].what {
            What::One(id) => *id == login.id,
            What::All(subject) => *subject == login.subject,
            What::Everyone => true,
        };
        let knew: BTreeSet<usize> = login.knew.iter().filter(concerns).copied().collect();
        let heard = || self.places[place].heard.iter().filter(concerns);
        // Whoever ends what began after another end has to know of that end.
        let must_die = heard().map(|nth| &self.ends[*nth]).any(|end| {
            matches!(end.what, What::One(_)) || end.order > login.order && knew.is_subset(&end.knew)
        });
        let must_live = heard().all(|nth| knew.contains(nth));
        assert!(!(must_die && must_live));
        for cookie in &login.cookies {
            let is_good = self.load(place, cookie).id().is_some();
            assert!(if is_good { !must_die } else { !must_live }, "{place} {}", login.order);
        }
    }
}

/// A line says one thing in one way, or is refused.
fn one_line(input: &mut Input<'_>) {
    if input.flag() {
        let text = input.rest_as_text();
        return reads(&text, None);
    }
    // Fields in any order, missing, doubled, and of other types.
    let mut fields: Vec<(&str, String)> = Vec::new();
    let mut is_good = true;
    for _ in 0..input.byte() % 5 {
        let (name, what) = (input.pick(&["v", "subject", "session", "by"]), input.byte());
        is_good &= fields.iter().all(|(other, _)| *other != name);
        let subject = input.text();
        let bytes = [start().to_be_bytes(), [what; 8]].concat();
        let id = django::base64(&bytes);
        let (value, is_value) = match (name, what % 16) {
            (_, 15) => {
                (input.pick(&["null", "true", "[]", "{}", "-1", "1.0", "1e0", "0.5"]).into(), false)
            }
            ("v", 14) => (input.pick(&["0", "2", "\"1\"", "18446744073709551617"]).into(), false),
            ("v", _) => ("1".to_owned(), true),
            ("subject", 14) => (input.byte().to_string(), false),
            ("subject", _) => (django::quote(&subject), (1..=255).contains(&subject.len())),
            ("session", 14) => (format!("\"{id}A\""), false),
            ("session", 13) => (format!("\"{}\"", &id[..21]), false),
            ("session", 12) => (format!("\"{id}==\""), false),
            // Bits that no byte has, and letters of the other alphabet.
            ("session", 11) => (format!("\"{}B\"", &id[..21]), id.ends_with('B')),
            ("session", 10) => (format!("\"{}+/{}\"", &id[..10], &id[12..]), false),
            ("session", 9) => (format!("\" {}\"", &id[1..]), false),
            // Before 1970.
            ("session", 8) => (django::quote(&django::base64(&[0xff; 16])), false),
            ("session", _) => (django::quote(&id), true),
            (_, 14) => (format!("\"{}\"", start()), false),
            (_, 13) => (format!("{}.0", start()), false),
            (_, 12) => ("-1764158824123456".to_owned(), false),
            (_, 11) => ("18446744073709551616".to_owned(), false),
            (_, _) => (input.number().unsigned_abs().clamp(1, 1 << 52).to_string(), true),
        };
        is_good &= is_value;
        fields.push((name, value));
    }
    let what = input.byte();
    if what % 8 == 7 {
        let name = input.pick(&["ttl", "V", "subjects", "", "by ", "reason"]);
        fields.push((name, "1".to_owned()));
        is_good = false;
    }
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let is_whole =
        matches!(&*names, ["session", "subject", "v"] | ["by", "subject", "v"] | ["by", "v"]);
    let space = " ".repeat(usize::from(input.byte() % 3));
    let entries: Vec<String> =
        fields.iter().map(|(name, value)| format!("\"{name}\"{space}:{space}{value}")).collect();
    let mut line = format!("{{{space}{}{space}}}", entries.join(","));
    // At most 2,048 bytes, whatever they are.
    let wanted = input.pick(&[0, 0, 2_048, 2_049, 2_050, 5_000]);
    line.extend(std::iter::repeat_n(' ', usize::saturating_sub(wanted, line.len())));
    match what % 8 {
        6 => line.push('}'),
        5 => line.push_str(&line.clone()),
        4 => line.truncate(line.trim_end().len() - 1),
        3 => line = format!("[{line}]"),
        _ => {}
    }
    let is_one = !matches!(what % 8, 3..=6);
    let canonical = || {
        let value = |name| {
            let (_, value) = fields.iter().find(|(other, _)| *other == name)?;
            Some(format!(",\"{name}\":{value}"))
        };
        let rest: String = ["subject", "session", "by"].into_iter().filter_map(value).collect();
        format!("{{\"v\":1{rest}}}")
    };
    let is_good = is_good && is_whole && is_one && line.len() <= 2_048;
    reads(&line, Some(is_good.then(canonical)));
}

/// Reads a line and, if it is one, writes it in one way; `expected` is that way, where it is known.
fn reads(line: &str, expected: Option<Option<String>>) {
    let read = line.parse::<Revocation>();
    if let Some(expected) = expected {
        assert_eq!(read.as_ref().ok().map(Revocation::to_string), expected, "{line}");
    }
    match read {
        Ok(revocation) => {
            let written = revocation.to_string();
            assert!(
                written.len() <= 2_048 && written.bytes().all(|byte| matches!(byte, b' '..=0x7f))
            );
            assert_eq!(written.parse(), Ok(revocation.clone()));
            assert_eq!(serde_json::to_string(&revocation).unwrap().parse(), Ok(revocation.clone()));
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["subject"].as_str(), revocation.subject());
            assert_eq!(serde_json::from_value(value).ok(), Some(revocation.clone()));
            assert_eq!(serde_json::from_str(line).ok(), Some(revocation.clone()));
            is_discreet(&revocation, line);
        }
        Err(error) => {
            assert_eq!(error, RevocationError::BadLine);
            is_discreet_error(&error, line);
            if line.len() <= 2_048 {
                assert!(serde_json::from_str::<Revocation>(line).is_err());
            }
        }
    }
}
