//! The stories of sessions that can be ended, through each framework and on a stopped clock.
//!
//! A story has several processes, each with a list and a clock of its own, which tell each other
//! what they ended, and browsers and thieves with copies of their cookies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use signed_session::{
    ApplyError, CookieOptions, DecodeError, Expiry, ExpiryRule, Keyring, Revocation,
    RevocationError, Revocations, Session, SessionCodec, SessionHandle, SessionManager, Silence,
};
use time::OffsetDateTime;

use crate::beginnings::{Clock, DAY, MINUTE, Visitor};
use crate::common::{codec, logged, options};
use crate::nested::{FRAMEWORKS, Framework, Layers, Page};

const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MICROSECOND: Duration = Duration::from_micros(1);

/// A process of the site.
struct Process {
    clock: Clock,
    list: Revocations,
    manager: SessionManager,
    /// What it ended and did not tell yet.
    queue: Arc<Mutex<Vec<String>>>,
}

impl Process {
    fn new() -> Self {
        Self::with(codec())
    }

    fn with(codec: SessionCodec) -> Self {
        let clock = Clock::default();
        let queue: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&queue);
        let list = Revocations::new(LIFETIME)
            .on_revocation(move |revocation| told.lock().unwrap().push(revocation.to_string()));
        let manager = clock.manager(codec).revocations(list.clone(), "user_id");
        Self { clock, list, manager, queue }
    }

    /// Changes how the manager is set up.
    fn set(mut self, change: impl FnOnce(SessionManager) -> SessionManager) -> Self {
        self.manager = change(self.manager);
        self
    }

    /// Sets this process's clock ahead of, or behind, where it would be.
    fn skewed(self, seconds: i64) -> Self {
        let manager = self.manager.clone();
        let clock = self.clock.clone();
        let skew = time::Duration::seconds(seconds);
        Self { manager: manager.clock(move || clock.now() + skew), ..self }
    }

    fn end_all(&self, seconds_ahead: i64) {
        let now = self.clock.now() + time::Duration::seconds(seconds_ahead);
        self.list.end_all_at(42, now).unwrap();
    }

    /// Tells another process what was ended here. Returns how many lines.
    fn tell(&self, others: &[&Self]) -> usize {
        let lines = std::mem::take(&mut *self.queue.lock().unwrap());
        for line in &lines {
            let revocation: Revocation = line.parse().unwrap();
            for other in others {
                other.list.apply_at(&revocation, other.clock.now()).unwrap();
            }
        }
        lines.len()
    }
}

/// Time passes on all machines.
fn wait(processes: &[&Process], time: Duration) {
    processes.iter().for_each(|process| process.clock.wait(time));
}

// What handlers do.

fn log_in(session: SessionHandle) -> u16 {
    session.begin(|key| key == "cart");
    session.insert("user_id", 42).unwrap();
    200
}

fn log_out(session: SessionHandle) -> u16 {
    session.flush();
    200
}

/// 200 for who is logged in, 403 for anybody else.
fn look(session: SessionHandle) -> u16 {
    if session.get("user_id") == Ok(Some(42)) { 200 } else { 403 }
}

/// The same, and it writes something, such as into a cart.
fn write(session: SessionHandle) -> u16 {
    let visits = session.get::<u32>("visits").unwrap().unwrap_or_default();
    session.insert("visits", visits + 1).unwrap();
    look(session)
}

/// Why the session was refused.
fn refusal(process: &Process, visitor: &Visitor) -> Option<DecodeError> {
    process.manager.load([&visitor.cookie]).refusal().cloned()
}

/// Which session a visitor has.
fn id(process: &Process, visitor: &Visitor) -> Option<String> {
    process.manager.load([&visitor.cookie]).id().map(str::to_owned)
}

fn logged_in(framework: Framework, process: &Process) -> Visitor {
    let mut visitor = Visitor::new(framework);
    assert_eq!(visitor.visit(&process.manager, log_in), 200);
    assert_eq!(visitor.visit(&process.manager, look), 200);
    visitor
}

/// What a visitor gets who asks for a page, and keeps to themselves.
fn answer(process: &Process, visitor: &Visitor, page: impl Page) -> crate::common::Answer {
    visitor.framework.answer(Layers::Same(process.manager.clone()), &visitor.cookie, page)
}

/// Whoever has the cookie is refused because the session was ended, and the cookie goes.
#[track_caller]
fn assert_ended(process: &Process, visitor: &Visitor) {
    assert_eq!(refusal(process, visitor), Some(DecodeError::Revoked));
    let answer = answer(process, visitor, look);
    assert_eq!((answer.status, answer.cookie()), (403, Some("sessionid=")));
    assert_eq!(answer.all("vary"), ["Cookie"]);
}

#[track_caller]
fn assert_lives(process: &Process, visitor: &Visitor) {
    assert_eq!(refusal(process, visitor), None);
    assert_eq!(answer(process, visitor, look).status, 200);
}

// Stories 1 to 3: a stolen cookie.

#[test]
fn a_logout_ends_every_copy_of_the_cookie_in_every_process() {
    for framework in FRAMEWORKS {
        let [here, there] = [Process::new(), Process::new()];
        let mut user = logged_in(framework, &here);
        let thief = user.clone();
        assert_eq!(user.visit(&here.manager, log_out), 200);
        assert_eq!(user.cookie, "sessionid=");
        assert_ended(&here, &thief);
        assert_lives(&there, &thief);
        assert_eq!(here.tell(&[&there]), 1);
        assert_ended(&there, &thief);
    }
}

#[test]
fn what_the_thief_refreshed_or_had_re_signed_before_ends_too() {
    let ring = Keyring::new("the first key of the site, of late").unwrap();
    let rotated = ring.fallback("a passphrase of the tests of the middlewares").unwrap();
    for framework in FRAMEWORKS {
        let old = Process::new().set(|manager| manager.refresh_after(MINUTE));
        let new = Process::with(SessionCodec::new(&rotated))
            .set(|manager| manager.reissue_under_primary(true));
        let mut user = logged_in(framework, &old);
        let stolen = user.cookie.clone();
        wait(&[&old, &new], MINUTE * 2);
        let [mut refreshed, mut written, mut reissued] = [user.clone(), user.clone(), user.clone()];
        assert_eq!(refreshed.visit(&old.manager, look), 200);
        assert_eq!(written.visit(&old.manager, write), 200);
        assert_eq!(reissued.visit(&new.manager, look), 200);
        for thief in [&refreshed, &written, &reissued] {
            assert_ne!(thief.cookie, stolen, "{framework:?}");
        }
        user.visit(&old.manager, log_out);
        old.tell(&[&new]);
        for thief in [&refreshed, &written] {
            assert_ended(&old, thief);
        }
        assert_ended(&new, &reissued);
    }
}

#[test]
fn a_process_that_was_cut_off_for_days_keeps_no_stolen_session_alive() {
    for framework in FRAMEWORKS {
        let [here, cut_off] =
            [Process::new(), Process::new().set(|manager| manager.refresh_after(DAY))];
        let mut user = logged_in(framework, &here);
        let mut thief = user.clone();
        user.visit(&here.manager, log_out);
        for _ in 0..3 {
            wait(&[&here, &cut_off], DAY + MINUTE);
            assert_eq!(thief.visit(&cut_off.manager, look), 200, "it has not heard of it");
        }
        here.tell(&[&cut_off]);
        assert_ended(&cut_off, &thief);
        // Until the list has forgotten it, and after that it is too old.
        wait(&[&here, &cut_off], LIFETIME);
        let refusal = refusal(&cut_off, &thief);
        assert!(matches!(refusal, Some(DecodeError::Expired { .. })), "{refusal:?}");
        assert!(cut_off.list.list_at(cut_off.clock.now()).is_empty());
    }
}

// Stories 4 to 9: everywhere, and clocks.

#[test]
fn signing_out_everywhere_ends_all_devices_and_no_cart() {
    for framework in FRAMEWORKS {
        let process = Process::new();
        let devices: Vec<Visitor> = (0..3).map(|_| logged_in(framework, &process)).collect();
        let mut guest = Visitor::new(framework);
        guest.visit(&process.manager, write);
        let another = |session: SessionHandle| {
            session.begin(|_| false);
            session.insert("user_id", "43").unwrap();
            200
        };
        let mut other = Visitor::new(framework);
        other.visit(&process.manager, another);
        process.end_all(0);
        devices.iter().for_each(|device| assert_ended(&process, device));
        for visitor in [&guest, &other] {
            assert_eq!(refusal(&process, visitor), None);
        }
        assert_eq!(id(&process, &guest), None, "nothing is remembered of the anonymous");
        process.list.end_everyone_at(process.clock.now());
        assert_eq!(refusal(&process, &other), Some(DecodeError::Revoked));
        assert_eq!(refusal(&process, &guest), None);
    }
}

#[test]
fn whoever_logs_in_after_an_end_is_in() {
    for framework in FRAMEWORKS {
        for after in [Duration::ZERO, MICROSECOND, MICROSECOND * 1000, Duration::from_secs(1)] {
            let process = Process::new();
            let before = logged_in(framework, &process);
            process.end_all(0);
            process.clock.wait(after);
            let user = logged_in(framework, &process);
            assert_lives(&process, &user);
            assert_ended(&process, &before);
            process.list.end_everyone_at(process.clock.now());
            process.clock.wait(after);
            let again = logged_in(framework, &process);
            assert_lives(&process, &again);
            assert_ended(&process, &user);
        }
    }
    // Ten thousand times in turn, within the same second.
    let process = Process::new();
    for _ in 0..10_000 {
        process.end_all(0);
        let mut session = process.manager.load(["a=b"]);
        session.insert("user_id", 42).unwrap();
        let cookie = process.manager.commit(&session, 200).unwrap().set_cookie.unwrap();
        let session = process.manager.load([&cookie.stripped().to_string()]);
        assert_eq!(session.refusal(), None);
        process.clock.wait(MICROSECOND * 70);
    }
}

#[test]
fn clocks_that_differ_by_minutes_revive_nothing_and_lock_nobody_out() {
    for framework in FRAMEWORKS {
        for skew in [240, -240] {
            let [other, right] = [Process::new().skewed(skew), Process::new()];
            let both = [&other, &right];
            // Begun on a clock that is off, ended on one that is right.
            let before = logged_in(framework, &other);
            right.end_all(0);
            right.tell(&both);
            both.iter().for_each(|process| assert_ended(process, &before));

            // Ended on a clock that is off, where somebody logs in afterwards.
            wait(&both, MINUTE * 20);
            let before = logged_in(framework, &right);
            other.end_all(skew);
            other.tell(&both);
            let after = logged_in(framework, &other);
            for process in both {
                assert_ended(process, &before);
                assert_lives(process, &after);
            }

            // In turn, here and there: only those after the last end live.
            for _ in 0..4 {
                for (process, skew) in [(&other, skew), (&right, 0)] {
                    let before = logged_in(framework, process);
                    process.end_all(skew);
                    process.tell(&both);
                    let after = logged_in(framework, process);
                    for process in both {
                        assert_ended(process, &before);
                        assert_lives(process, &after);
                    }
                    wait(&both, Duration::from_secs(7));
                }
            }
        }
    }
}

#[test]
fn a_clock_that_is_a_year_off_locks_nobody_out() {
    let process = Process::new();
    let now = process.clock.now();
    let minutes = |minutes| now + time::Duration::minutes(minutes);
    let wrong = Revocations::new(LIFETIME);
    for revocation in [
        wrong.end_all_at(42, minutes(365 * 24 * 60)).unwrap(),
        wrong.end_everyone_at(minutes(365 * 24 * 60)),
    ] {
        assert_eq!(process.list.apply_at(&revocation, now), Err(ApplyError::Ahead));
    }
    assert!(process.list.list_at(now).is_empty());
    // Fifteen minutes are the most: two clocks and the margin.
    let wrong = Revocations::new(LIFETIME);
    let moment = minutes(10) + MICROSECOND;
    let line = wrong.end_all_at(42, moment).unwrap();
    assert_eq!(process.list.apply_at(&line, now), Err(ApplyError::Ahead));
    assert_eq!(process.list.apply_at(&line, now + MICROSECOND), Ok(true));

    // The same of a session that pretends to begin later than any clock may be.
    for framework in FRAMEWORKS {
        let right = Process::new();
        let wrong = Process::with(codec().max_clock_skew(DAY)).skewed(15 * 60);
        let user = logged_in(framework, &wrong);
        let tolerant = Process::with(codec().max_clock_skew(DAY));
        assert_lives(&tolerant, &user);
        wrong.clock.wait(MICROSECOND);
        let user = logged_in(framework, &wrong);
        for process in [&right, &tolerant] {
            let refusal = refusal(process, &user);
            assert!(matches!(refusal, Some(DecodeError::NotYetValid { .. })), "{refusal:?}");
        }
    }
}

// Stories 10 to 14: which of the sessions goes on, and when its predecessor ends.

#[test]
fn a_list_with_the_clock_of_a_test_follows_it() {
    for framework in FRAMEWORKS {
        let mut process = Process::new();
        let clock = process.clock.clone();
        process.list = process.list.clock(move || clock.now());
        let user = logged_in(framework, &process);
        process.list.end_all(42).unwrap();
        assert_ended(&process, &user);
        process.clock.wait(MINUTE);
        let user = logged_in(framework, &process);
        assert_lives(&process, &user);
        process.list.end_everyone();
        assert_ended(&process, &user);
    }
}

#[test]
fn signing_out_the_others_spares_this_browser_and_no_copy() {
    for framework in FRAMEWORKS {
        let process = Process::new();
        let mut user = logged_in(framework, &process);
        let [copy, other] = [user.clone(), logged_in(framework, &process)];
        let before = id(&process, &user);
        let list = process.list.clone();
        let change_password = move |session: SessionHandle| {
            assert!(session.with(|session| list.end_others(session)).is_some());
            200
        };
        // Answered with an error, everybody is out: nobody stays in by accident.
        let out = Process::new();
        let unlucky = logged_in(framework, &out);
        let list = out.list.clone();
        let fail = move |session: SessionHandle| {
            session.with(|session| list.end_others(session)).unwrap();
            500
        };
        assert_eq!(answer(&out, &unlucky, fail).cookie(), None);
        assert_ended(&out, &unlucky);

        assert_eq!(user.visit(&process.manager, change_password), 200);
        assert_lives(&process, &user);
        assert_ne!(id(&process, &user), before);
        assert_ended(&process, &copy);
        assert_ended(&process, &other);
        // Nobody else is there: nothing to do for a guest.
        let guest = process.list.clone();
        let page = move |session: SessionHandle| {
            assert_eq!(session.with(|session| guest.end_others(session)), None);
            200
        };
        assert_eq!(answer(&process, &Visitor::new(framework), page).cookie(), None);
    }
}

#[test]
fn a_logout_holds_whatever_becomes_of_the_response() {
    for framework in FRAMEWORKS {
        let process = Process::new();
        let failing = |session: SessionHandle| log_out(session) + 300;
        let user = logged_in(framework, &process);
        assert_eq!(answer(&process, &user, failing).status, 500);
        assert_ended(&process, &user);

        let user = logged_in(framework, &process);
        let panicking = |session: SessionHandle| -> u16 {
            session.flush();
            panic!("a fault of the handler, of which this test is");
        };
        let result = catch_unwind(AssertUnwindSafe(|| answer(&process, &user, panicking)));
        assert!(result.is_err());
        assert_ended(&process, &user);

        // After the response has begun: the handle is used by what streams the body.
        let user = logged_in(framework, &process);
        let late: Arc<Mutex<Option<SessionHandle>>> = Arc::default();
        let kept = Arc::clone(&late);
        let streaming = move |session: SessionHandle| {
            *kept.lock().unwrap() = Some(session.clone());
            look(session)
        };
        assert_eq!(answer(&process, &user, streaming).status, 200);
        late.lock().unwrap().take().unwrap().flush();
        assert_ended(&process, &user);

        // The session of a login is ended so, too.
        let kept = Arc::clone(&late);
        let streaming = move |session: SessionHandle| {
            *kept.lock().unwrap() = Some(session.clone());
            log_in(session)
        };
        let mut user = Visitor::new(framework);
        user.visit(&process.manager, streaming);
        assert_lives(&process, &user);
        late.lock().unwrap().take().unwrap().flush();
        assert_ended(&process, &user);
    }
}

#[test]
fn a_login_ends_the_session_before_it_if_its_cookie_is_sent() {
    for framework in FRAMEWORKS {
        let process = Process::new();
        let user = logged_in(framework, &process);
        let failing = |session: SessionHandle| log_in(session) + 300;
        assert_eq!(answer(&process, &user, failing).cookie(), None);
        assert_lives(&process, &user);
        let too_large = |session: SessionHandle| {
            session.begin(|_| false);
            session.insert("user_id", 42).unwrap();
            session.insert("noise", noise(4_000)).unwrap();
            200
        };
        assert_eq!(answer(&process, &user, too_large).status, 500);
        assert_lives(&process, &user);

        let copy = user.clone();
        let mut user = user;
        assert_eq!(user.visit(&process.manager, log_in), 200);
        assert_lives(&process, &user);
        assert_ended(&process, &copy);
    }
}

/// What zlib cannot make smaller.
fn noise(len: u64) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 90).unwrap())
    };
    (0..len).map(step).filter(|char| !matches!(char, '"' | '\\')).collect()
}

// Stories 15 to 20: responses that are late, planted cookies, logouts and logins by other means.

#[test]
fn a_slow_response_neither_revives_a_session_nor_undoes_a_login() {
    for framework in FRAMEWORKS {
        for (slow_page, changes) in [(look as fn(SessionHandle) -> u16, false), (write, true)] {
            let process = Process::new().set(|manager| manager.save_every_request(true));
            let user = logged_in(framework, &process);
            process.clock.wait(MINUTE);
            let manager = process.manager.clone();
            let cookie = user.cookie.clone();
            let slow = move |session: SessionHandle| {
                let status = slow_page(session);
                // Meanwhile, in another tab.
                let mut session = manager.load([&cookie]);
                session.flush();
                let _removal = manager.commit(&session, 200).unwrap();
                status
            };
            let (late, log) = logged(|| answer(&process, &user, slow));
            assert_eq!(late.status, 200);
            assert_eq!(late.cookie(), None, "{framework:?}: {late:?}");
            assert_ended(&process, &user);
            let is_told = log.iter().any(|line| line.contains("the change is not saved"));
            assert_eq!(is_told, changes, "{log:?}");
        }
    }
}

#[test]
fn a_planted_cookie_that_was_ended_is_not_a_candidate() {
    for framework in FRAMEWORKS {
        let process = Process::new();
        let mut old = logged_in(framework, &process);
        let planted = old.cookie.clone();
        old.visit(&process.manager, log_out);
        let user = logged_in(framework, &process);
        for both in [format!("{planted}; {}", user.cookie), format!("{}; {planted}", user.cookie)] {
            let both = Visitor { framework, cookie: both };
            let answer = answer(&process, &both, look);
            assert_eq!((answer.status, answer.cookie()), (200, None), "{framework:?}");
        }
    }
}

#[test]
fn a_copy_under_a_former_name_is_ended_too() {
    for framework in FRAMEWORKS {
        let former = Process::new();
        let mut current = Process::new();
        let options = CookieOptions::new("current").unwrap();
        let clock = former.clock.clone();
        current.manager = SessionManager::new(codec(), options)
            .retire(self::options())
            .revocations(former.list.clone(), "user_id")
            .clock(move || clock.now());
        let user = logged_in(framework, &former);
        let moved = answer(&current, &user, look);
        let cookie = moved.all("set-cookie").iter().find(|it| it.starts_with("current=")).copied();
        let cookie = cookie.unwrap().split(';').next().unwrap().to_owned();
        answer(&current, &Visitor { framework, cookie: cookie.clone() }, log_out);
        for cookie in [cookie, user.cookie] {
            let thief = Visitor { framework, cookie };
            assert_eq!(refusal(&current, &thief), Some(DecodeError::Revoked), "{framework:?}");
            let answer = answer(&current, &thief, look);
            assert_eq!(answer.status, 403);
            let removals = answer.all("set-cookie");
            for name in ["current=;", "sessionid=;"] {
                assert!(removals.iter().any(|it| it.starts_with(name)), "{removals:?}");
            }
        }
    }
}

#[test]
fn a_session_that_loses_its_subject_has_ended() {
    let leave: [fn(SessionHandle) -> u16; 5] = [
        |session| u16::from(session.remove("user_id")) + 199,
        |session| {
            session.with(|session| session.clear());
            200
        },
        |session| session.insert("user_id", 43).map_or(500, |()| 200),
        |session| session.insert("user_id", ()).map_or(500, |()| 200),
        |session| {
            session.with(|session| drop(std::mem::take(session)));
            200
        },
    ];
    for framework in FRAMEWORKS {
        for (index, leave) in leave.into_iter().enumerate() {
            let process = Process::new();
            let mut user = logged_in(framework, &process);
            let thief = user.clone();
            // Not if nobody hears of it. A session that was taken away is removed all the same.
            if index < 4 {
                let failing = move |session: SessionHandle| leave(session) + 300;
                assert_eq!(answer(&process, &user, failing).cookie(), None);
                assert_lives(&process, &thief);
            }
            assert_eq!(user.visit(&process.manager, leave), 200);
            assert_eq!(refusal(&process, &user), None, "{index}");
            assert_ended(&process, &thief);
        }
    }
}

#[test]
fn a_login_by_insertion_over_an_ended_session_begins_another() {
    for framework in FRAMEWORKS {
        let process = Process::new();
        let mut user = logged_in(framework, &process);
        let thief = user.clone();
        let before = id(&process, &user);
        process.end_all(0);
        let insert = |session: SessionHandle| {
            session.insert("user_id", 42).unwrap();
            200
        };
        assert_eq!(user.visit(&process.manager, insert), 200);
        assert_lives(&process, &user);
        assert_ne!(id(&process, &user), before);
        assert_ended(&process, &thief);
    }
}

#[test]
fn the_program_can_neither_lose_nor_forge_the_identity() {
    let tamper: [fn(SessionHandle) -> u16; 6] = [
        |session| u16::from(session.remove("_session_id")) + 199,
        |session| session.insert("_session_id", "AAZEfjwKDEDdJT-cq0nM5g").map_or(0, |()| 200),
        |session| session.insert("_session_id", 1.5).map_or(0, |()| 200),
        |session| {
            session.with(|session| {
                let user: u32 = session.get("user_id").unwrap().unwrap();
                session.clear();
                session.insert("user_id", user).map_or(0, |()| 200)
            })
        },
        |session| session.with(|it| it.extend([("_session_id", 1)])).map_or(0, |()| 200),
        |session| {
            session.cycle_key();
            200
        },
    ];
    for framework in FRAMEWORKS {
        let process = Process::new();
        let mut user = logged_in(framework, &process);
        let before = id(&process, &user);
        assert_eq!(before.as_ref().map(String::len), Some(22));
        let mut visitor = user.clone();
        for page in tamper {
            process.clock.wait(MINUTE);
            assert_eq!(visitor.visit(&process.manager, page), 200, "{framework:?}");
            assert_eq!(id(&process, &visitor), before);
        }
        // It is shown, in what the cookie carries.
        let session = process.manager.load([&visitor.cookie]);
        assert_eq!(session.get::<String>("_session_id").unwrap(), before);
        user.visit(&process.manager, log_out);
        assert_ended(&process, &visitor);
    }
}

// Stories 21 to 23 and 25: what came from elsewhere.

/// A token as a writer makes it that knows of no identity, such as Django.
fn foreign(json: &str, now: OffsetDateTime) -> String {
    format!("sessionid={}", codec().encode_json_at(json, now).unwrap())
}

#[test]
fn a_subject_is_text_or_a_whole_number() {
    let process = Process::new();
    let now = process.clock.now();
    let load = |subject: &str| {
        let cookie = foreign(&format!(r#"{{"user_id":{subject}}}"#), now);
        process.manager.load([&cookie])
    };
    let long = |len: usize| format!("\"{}\"", "a".repeat(len));
    for (subject, is_somebody) in [
        ("42", true),
        ("\"42\"", true),
        (" 42 ", true),
        ("-7", true),
        ("123456789012345678901234567890", true),
        ("\"Zo\\u00eb\"", true),
        ("\"\\ud83d\\ude00\"", true),
        (&long(255), true),
        ("null", false),
    ] {
        let session = load(subject);
        assert_eq!(session.refusal(), None, "{subject}");
        assert_eq!(session.id().is_some(), is_somebody, "{subject}");
    }
    for subject in [
        "4.5",
        "4e2",
        "4E2",
        "4.0",
        "[42]",
        "{}",
        "true",
        "false",
        "\"\"",
        &long(256),
        &long(300),
        "\"\\ud800\"",
        &"9".repeat(256),
    ] {
        let session = load(subject);
        assert_eq!(session.refusal(), Some(&DecodeError::BadSubject), "{subject}");
        assert!(DecodeError::BadSubject.is_authentic());
        for framework in FRAMEWORKS {
            let visitor =
                Visitor { framework, cookie: foreign(&format!(r#"{{"user_id":{subject}}}"#), now) };
            let answer = answer(&process, &visitor, look);
            assert_eq!((answer.status, answer.cookie()), (403, None), "the cookie is kept");
        }
    }
    // 42 and "42" are one, in what is ended too.
    for (one, other) in [("42", "\"42\""), ("\"42\"", "42"), ("\"4\\u0032\"", "42")] {
        let process = Process::new();
        let [one, other] = [one, other].map(|it| foreign(&format!(r#"{{"user_id":{it}}}"#), now));
        process.list.end_all_at("42", now).unwrap();
        for cookie in [one, other] {
            assert_eq!(process.manager.load([&cookie]).refusal(), Some(&DecodeError::Revoked));
        }
    }
    // What no decoder would accept is not written.
    for framework in FRAMEWORKS {
        let page = |session: SessionHandle| session.insert("user_id", 4.5).map_or(0, |()| 200);
        let answer = answer(&process, &Visitor::new(framework), page);
        assert_eq!((answer.status, answer.cookie()), (500, None));
    }
    for subject in ["", &"a".repeat(256)] {
        assert_eq!(process.list.end_all(subject), Err(RevocationError::BadSubject));
        assert_eq!(
            process.list.end_one(subject, "AAZEfjwKDEDdJT-cq0nM5g"),
            Err(RevocationError::BadSubject)
        );
    }
}

#[test]
fn an_id_that_is_not_one_is_refused_and_kept() {
    let process = Process::new();
    let now = process.clock.now();
    let good = "AAYKG4aq0ABSVHJ5ZXhhbQ";
    let load = |id: &str, subject: &str| {
        let json = format!(r#"{{"user_id":{subject},"_session_id":{id}}}"#);
        process.manager.load([&foreign(&json, now)])
    };
    assert_eq!(load(&format!("\"{good}\""), "42").refusal(), None);
    assert_eq!(load(&format!("\"{good}\""), "42").id(), Some(good));
    for id in [
        "null",
        "true",
        "1",
        "1.5",
        "[]",
        "{}",
        "\"\"",
        // 21 and 23 characters, padding, another alphabet, bits that no byte has.
        "\"AAYKG4aq0ABSVHJ5ZXhhb\"",
        "\"AAYKG4aq0ABSVHJ5ZXhhbQA\"",
        "\"AAYKG4aq0ABSVHJ5ZXhhbQ==\"",
        "\"AAYKG4aq0ABSVHJ5ZXhh+Q\"",
        "\"AAYKG4aq0ABSVHJ5ZXhhbR\"",
        "\" AYKG4aq0ABSVHJ5ZXhhbQ\"",
        // Before 1970 and after the year 9999.
        "\"__________9SVHJ5ZXhhbQ\"",
        "\"f_________9SVHJ5ZXhhbQ\"",
    ] {
        let session = load(id, "42");
        assert_eq!(session.refusal(), Some(&DecodeError::BadSessionId), "{id}");
        // Without a subject it counts for nothing, and goes with the next write.
        for subject in ["null", "null "] {
            let mut session = load(id, subject);
            assert_eq!((session.refusal(), session.id()), (None, None), "{id}");
            session.insert("cart", 1).unwrap();
            process.clock.wait(MINUTE);
            let cookie = process.manager.commit(&session, 200).unwrap().set_cookie.unwrap();
            let session = process.manager.load([&cookie.stripped().to_string()]);
            assert_eq!(session.keys().collect::<Vec<_>>(), ["user_id", "cart"], "{id}");
        }
    }
    for id in ["", "AAYKG4aq0ABSVHJ5ZXhhb", "AAYKG4aq0ABSVHJ5ZXhhbR", "f_________9SVHJ5ZXhhbQ"] {
        assert_eq!(process.list.end_one(42, id), Err(RevocationError::BadSessionId), "{id}");
    }
}

#[test]
fn a_session_from_elsewhere_is_one_session_in_every_process() {
    for framework in FRAMEWORKS {
        let [here, there] = [Process::new(), Process::new()];
        let cookie = foreign(r#"{"user_id":42}"#, here.clock.now());
        let mut victim = Visitor { framework, cookie };
        let mut thief = victim.clone();
        // Both come at once, to processes that know nothing of each other.
        assert_eq!(victim.visit(&here.manager, look), 200);
        assert_eq!(thief.visit(&there.manager, look), 200);
        assert_eq!(id(&here, &victim), id(&there, &thief), "{framework:?}");
        let session = here.manager.load([&victim.cookie]);
        assert_eq!(session.get::<String>("_session_id").unwrap(), id(&here, &victim));
        let stolen = thief.clone();
        victim.visit(&here.manager, log_out);
        here.tell(&[&there]);
        assert_ended(&there, &stolen);
        // Nobody asked for it: a response that has a cookie of the name is left alone, and a page
        // that does not look sends none.
        let fresh = Visitor { framework, cookie: foreign(r#"{"user_id":7}"#, here.clock.now()) };
        assert_eq!(answer(&here, &fresh, |_| 200).cookie(), None);
        assert_eq!(answer(&here, &fresh, |session| look(session) + 100).cookie(), None);
    }
}

/// By the specification alone: SHA-256 of a phrase and the token without its signature.
#[test]
fn a_derived_id_is_the_one_of_the_specification() {
    use sha2::{Digest as _, Sha256};

    let process = Process::new();
    let now = process.clock.now();
    let cookie = foreign(r#"{"user_id":42}"#, now);
    let (signed, _) = cookie.strip_prefix("sessionid=").unwrap().rsplit_once(':').unwrap();
    let began = (now.unix_timestamp() + 300) * 1_000_000;
    let digest = Sha256::digest([b"signed-session adopt\0", signed.as_bytes()].concat());
    let bytes = [&began.to_be_bytes()[..], &digest[..8]].concat();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let bits: Vec<u8> = bits.chain([0; 4]).collect();
    let text = bits.chunks(6).map(|six| six.iter().fold(0, |index, bit| index << 1 | bit));
    let text: String = text.map(|index| char::from(alphabet[usize::from(index)])).collect();
    assert_eq!(process.manager.load([&cookie]).id(), Some(text.as_str()));
}

#[test]
fn a_login_elsewhere_one_second_after_an_end_is_good() {
    for framework in FRAMEWORKS {
        for adopt in [false, true] {
            let process = Process::new();
            let now = process.clock.now();
            let before = Visitor { framework, cookie: foreign(r#"{"user_id":42}"#, now) };
            process.end_all(0);
            assert_ended(&process, &before);
            process.clock.wait(Duration::from_secs(1));
            let cookie = foreign(r#"{"user_id":42}"#, process.clock.now());
            let mut after = Visitor { framework, cookie };
            if adopt {
                after.visit(&process.manager, look);
                assert!(id(&process, &after).is_some());
            }
            assert_lives(&process, &after);
        }
    }
}

#[test]
fn an_identity_that_does_not_fit_is_left_out() {
    for framework in FRAMEWORKS {
        // A token that has room for nothing more.
        let process = Process::with(codec().compress(signed_session::Compress::Never));
        let now = process.clock.now();
        let fit = |len: usize| {
            let json = format!(r#"{{"user_id":42,"noise":"{}"}}"#, "a".repeat(len));
            codec().compress(signed_session::Compress::Never).encode_json_at(&json, now)
        };
        let len = (0..4096).rev().find(|len| fit(*len).is_ok_and(|it| it.len() <= 4080)).unwrap();
        let cookie = format!("sessionid={}", fit(len).unwrap());
        let visitor = Visitor { framework, cookie };
        process.clock.wait(MINUTE);
        let quiet = answer(&process, &visitor, look);
        assert_eq!((quiet.status, quiet.cookie()), (200, None), "{framework:?}");
        // A refresh that is due is left out too: without the identity, a copy would be another
        // session, which the logout of its owner does not end.
        let refreshing = Process::with(codec().compress(signed_session::Compress::Never))
            .set(|manager| manager.refresh_after(MINUTE));
        refreshing.clock.wait(MINUTE * 2);
        assert_eq!(answer(&refreshing, &visitor, look).cookie(), None);
        // What the program writes has to fit together with it.
        let shorten = |by: usize| {
            move |session: SessionHandle| {
                let noise: String = session.get("noise").unwrap().unwrap();
                session.insert("noise", &noise[by..]).unwrap();
                200
            }
        };
        let too_large = answer(&process, &visitor, shorten(1));
        assert_eq!((too_large.status, too_large.cookie()), (500, None));
        let mut written = visitor.clone();
        assert_eq!(written.visit(&process.manager, shorten(60)), 200);
        assert_lives(&process, &written);
        assert_eq!(id(&process, &written), id(&process, &visitor));
    }
}

#[test]
fn a_stolen_session_does_not_escape_by_leaving_no_room_for_its_id() {
    /// Fills a session until nothing more fits.
    fn fill(process: &Process, cookie: &str) -> String {
        let filled = (0..4_000).rev().find_map(|len| {
            let mut session = process.manager.load([cookie]);
            session.insert("note", &noise(4_400)[..len]).unwrap();
            process.manager.commit(&session, 200).ok()
        });
        filled.unwrap().set_cookie.unwrap().stripped().to_string()
    }

    for framework in FRAMEWORKS {
        let process = Process::new().set(|manager| manager.refresh_after(DAY));
        let cookie = foreign(r#"{"user_id":42}"#, process.clock.now());
        let [mut thief, mut user] =
            [cookie.clone(), cookie].map(|cookie| Visitor { framework, cookie });
        process.clock.wait(MINUTE);
        thief.cookie = fill(&process, &thief.cookie);
        let old = thief.clone();
        assert_eq!(user.visit(&process.manager, write), 200);
        assert_eq!(user.visit(&process.manager, log_out), 200);
        assert_ended(&process, &thief);

        // Nor does it outlive the lifetime.
        let other = Process::new().set(|manager| manager.refresh_after(DAY));
        let mut thief = old;
        for _ in 0..31 {
            other.clock.wait(DAY + MINUTE);
            thief.visit(&other.manager, look);
        }
        assert_ne!(thief.visit(&other.manager, look), 200);
    }
}

// Stories 27 and 30: what a restart knows, and silence.

#[test]
fn a_process_that_restarts_knows_what_it_is_told() {
    for framework in FRAMEWORKS {
        let [before, after] = [Process::new(), Process::new()];
        let mut user = logged_in(framework, &before);
        let thief = user.clone();
        user.visit(&before.manager, log_out);
        let lines = before.list.list_at(before.clock.now());
        for line in lines.iter().rev().chain(&lines) {
            let line: Revocation =
                serde_json::to_string(line).and_then(|line| serde_json::from_str(&line)).unwrap();
            after.list.apply_at(&line, after.clock.now()).unwrap();
        }
        assert_ended(&after, &thief);
        assert_eq!(after.list.list_at(after.clock.now()), lines);
    }
}

#[test]
fn while_nothing_is_heard_sessions_are_kept_and_not_served() {
    for framework in FRAMEWORKS {
        let mut process = Process::new();
        let user = logged_in(framework, &process);
        let mut guest = Visitor::new(framework);
        guest.visit(&process.manager, write);

        let list = Revocations::new(LIFETIME).expect_news_within(DAY, Silence::Refuse);
        process.manager = process.manager.revocations(list.clone(), "user_id");
        assert!(list.is_silent(), "nothing was heard yet");
        assert_eq!(refusal(&process, &user), Some(DecodeError::Unheard));
        assert_eq!(refusal(&process, &guest), None);
        let (first, told) = logged(|| answer(&process, &user, look));
        assert_eq!((first.status, first.cookie()), (403, None), "the cookie is kept");
        assert!(told.concat().contains("ended is overdue"), "{told:?}");
        // What is written into the session that stands in destroys no genuine one.
        for page in [write as fn(SessionHandle) -> u16, |session| {
            session.cycle_key();
            403
        }] {
            let (answer, told) = logged(|| answer(&process, &user, page));
            assert_eq!((answer.status, answer.cookie()), (403, None));
            assert!(
                !told.concat().contains("ended is overdue"),
                "it is told once a silence: {told:?}"
            );
        }
        // A planted anonymous cookie does not win meanwhile.
        let both = Visitor { framework, cookie: format!("{}; {}", guest.cookie, user.cookie) };
        assert_eq!(refusal(&process, &both), Some(DecodeError::Ambiguous));
        // A login writes, and ends what it replaces.
        let mut again = user.clone();
        assert_eq!(again.visit(&process.manager, log_in), 200);
        assert_ne!(again.cookie, user.cookie);
        assert_eq!(list.list_at(process.clock.now()).len(), 1);
        list.heard();
        assert!(!list.is_silent());
        assert_lives(&process, &again);
        assert_ended(&process, &user);

        // A logout ends and removes as always.
        let list = Revocations::new(LIFETIME).expect_news_within(DAY, Silence::Refuse);
        process.manager = process.manager.revocations(list.clone(), "user_id");
        assert_eq!(answer(&process, &again, log_out).cookie(), Some("sessionid="));
        list.heard();
        assert_ended(&process, &again);
    }
}

#[test]
fn who_accepts_while_nothing_is_heard_refuses_what_is_known() {
    for framework in FRAMEWORKS {
        let mut process = Process::new();
        let [user, known] = [logged_in(framework, &process), logged_in(framework, &process)];
        let time = Duration::from_millis(20);
        let list = Revocations::new(LIFETIME).expect_news_within(time, Silence::Accept);
        process.manager = process.manager.revocations(list.clone(), "user_id");
        let known_id = id(&process, &known).unwrap();
        list.end_one_at(42, &known_id, process.clock.now()).unwrap();
        for _ in 0..2 {
            list.heard();
            assert!(!list.is_silent());
            std::thread::sleep(time * 2);
            assert!(list.is_silent());
            let ((), told) = logged(|| assert_lives(&process, &user));
            assert!(told.concat().contains("ended is overdue"), "{told:?}");
            assert_ended(&process, &known);
        }
    }
    assert!(!Revocations::new(LIFETIME).is_silent(), "without the setting there is no silence");
}

// Stories 32 to 37 and 39.

#[test]
fn five_thousand_logouts_of_one_subject_take_bounded_memory() {
    let process = Process::new();
    let other = Process::new();
    let mut sessions = Vec::new();
    for _ in 0..5_100 {
        process.clock.wait(MICROSECOND * 1000);
        other.clock.wait(MICROSECOND * 1000);
        let mut session = process.manager.load(["a=b"]);
        session.insert("user_id", 42).unwrap();
        let cookie = process.manager.commit(&session, 200).unwrap().set_cookie.unwrap();
        sessions.push(cookie.stripped().to_string());
    }
    let somebody = logged_in(Framework::Axum, &other);
    for cookie in &sessions[..5_000] {
        let mut session = process.manager.load([cookie]);
        session.flush();
        assert_eq!(session.id(), None);
    }
    let now = process.clock.now();
    let list = process.list.list_at(now);
    assert_eq!(list.len(), 1_001, "a thousand sessions, and all before them");
    assert_eq!(process.list.len(), 1);
    process.tell(&[&other]);
    for process in [&process, &other] {
        for (index, cookie) in sessions.iter().enumerate() {
            let is_ended = process.manager.load([cookie]).refusal() == Some(&DecodeError::Revoked);
            assert_eq!(is_ended, index < 5_000, "{index}");
        }
    }
    // Of the same user, and newer.
    assert_lives(&other, &somebody);
    assert_eq!(other.list.list_at(now), list);
}

#[test]
fn an_end_is_forgotten_when_its_last_copy_is_too_old() {
    for framework in FRAMEWORKS {
        let process = Process::with(codec().max_age(LIFETIME * 2));
        let mut user = logged_in(framework, &process);
        let thief = user.clone();
        user.visit(&process.manager, log_out);
        // To the microsecond: the session's age is its lifetime, and it is listed five minutes more.
        process.clock.wait(LIFETIME);
        assert_eq!(refusal(&process, &thief), Some(DecodeError::Revoked));
        process.clock.wait(MICROSECOND);
        assert!(matches!(refusal(&process, &thief), Some(DecodeError::Expired { .. })));
        process.clock.wait(MINUTE * 5 - MICROSECOND);
        assert_eq!(process.list.list_at(process.clock.now()).len(), 1);
        process.clock.wait(MICROSECOND);
        assert!(process.list.list_at(process.clock.now()).is_empty());
    }
    // The same of a moment, which the memory forgets while it is used.
    let process = Process::new();
    process.end_all(0);
    process.list.end_everyone_at(process.clock.now());
    process.clock.wait(LIFETIME + MINUTE * 10);
    let now = process.clock.now();
    assert_eq!(process.list.list_at(now).len(), 2, "five minutes ahead, and remembered five more");
    process.clock.wait(MICROSECOND * 2);
    let now = process.clock.now();
    assert!(process.list.list_at(now).is_empty());
    for subject in 0..64 {
        process.list.end_all_at(1000 + subject, now).unwrap();
    }
    assert_eq!(process.list.len(), 64, "42 takes no memory any more");
}

#[test]
fn subjects_of_two_lists_are_other_people() {
    for framework in FRAMEWORKS {
        let [users, admins] = [Process::new(), Process::new()];
        let [user, admin] = [logged_in(framework, &users), logged_in(framework, &admins)];
        users.end_all(0);
        assert_ended(&users, &user);
        assert_lives(&admins, &admin);
    }
}

#[test]
fn nothing_outlives_the_lifetime() {
    let ten_years = |session: SessionHandle| {
        log_in(session.clone());
        session.set_expiry(Expiry::After(DAY * 3650));
        200
    };
    for framework in FRAMEWORKS {
        for rule in [ExpiryRule::Enforce, ExpiryRule::Shorter, ExpiryRule::Django] {
            let codec = codec().expiry_rule(rule).max_age(DAY * 3650);
            let process = Process::with(codec).set(|manager| manager.refresh_after(DAY));
            let mut user = Visitor::new(framework);
            let answer = answer(&process, &user, ten_years);
            let [cookie] = answer.all("set-cookie")[..] else { panic!("{answer:?}") };
            let max_age = format!("Max-Age={}", LIFETIME.as_secs());
            assert!(cookie.contains(&max_age), "{cookie}");
            user.cookie = answer.cookie().unwrap().to_owned();
            for _ in 0..30 {
                assert_eq!(user.visit(&process.manager, look), 200, "{rule:?}");
                process.clock.wait(DAY);
            }
            process.clock.wait(MICROSECOND);
            let refusal = refusal(&process, &user);
            assert!(matches!(refusal, Some(DecodeError::Expired { .. })), "{refusal:?}");
        }
        // Stamped in the future, where Django's rule asks no clock.
        let process = Process::with(codec().expiry_rule(ExpiryRule::Django));
        let later = process.clock.now() + DAY;
        let user = Visitor { framework, cookie: foreign(r#"{"user_id":42}"#, later) };
        let refusal = refusal(&process, &user);
        assert!(matches!(refusal, Some(DecodeError::NotYetValid { .. })), "{refusal:?}");
    }
}

#[test]
fn a_websocket_hears_of_the_end_of_its_session() {
    for framework in FRAMEWORKS {
        let [here, there] = [Process::new(), Process::new()];
        for login_first in [false, true] {
            let mut user = Visitor::new(framework);
            if !login_first {
                user.visit(&here.manager, log_in);
            }
            let socket: Arc<Mutex<Option<SessionHandle>>> = Arc::default();
            let kept = Arc::clone(&socket);
            let upgrade = move |session: SessionHandle| {
                *kept.lock().unwrap() = Some(session.clone());
                if login_first { log_in(session) } else { look(session) }
            };
            assert_eq!(user.visit(&here.manager, upgrade), 200);
            let socket = socket.lock().unwrap().take().unwrap();
            let has_ended = || socket.with(|session| here.list.has_ended(session));
            assert!(!has_ended());
            user.visit(&there.manager, log_out);
            there.tell(&[&here]);
            assert!(has_ended(), "{framework:?} {login_first}");
        }
    }
}

#[test]
fn a_hundred_logouts_at_once_are_one_line() {
    let process = Process::new();
    let user = logged_in(Framework::Axum, &process);
    // All are loaded before the first of them ends.
    let all_are_loaded = Barrier::new(100);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let mut session = process.manager.load([&user.cookie]);
                all_are_loaded.wait();
                session.flush();
                let _removal = process.manager.commit(&session, 200).unwrap();
            });
        }
    });
    assert_eq!(process.queue.lock().unwrap().len(), 1);
}

#[test]
fn a_login_has_its_id_at_once_so_that_it_can_be_noted() {
    for framework in FRAMEWORKS {
        let process = Process::new();
        process.end_all(0);
        let noted: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
        let notes = Arc::clone(&noted);
        let note = move |session: SessionHandle| {
            session.begin(|_| false);
            session.insert("user_id", 42).unwrap();
            notes.lock().unwrap().extend([session.id(), session.id()]);
            200
        };
        let mut user = Visitor::new(framework);
        user.visit(&process.manager, note.clone());
        let first = id(&process, &user);
        user.visit(&process.manager, note);
        let second = id(&process, &user);
        assert_ne!(first, second, "a login begins another session, of the same user too");
        let noted = noted.lock().unwrap();
        assert_eq!(**noted, [first.clone(), first, second.clone(), second.clone()]);
        // As a list of devices ends one of them.
        let device = second.unwrap();
        assert!(process.list.end_one_at(42, &device, process.clock.now()).is_ok());
        assert_ended(&process, &user);
    }
}

#[test]
fn a_login_under_way_survives_that_everybody_is_signed_out() {
    for framework in FRAMEWORKS {
        let process = Process::new();
        let (list, clock) = (process.list.clone(), process.clock.clone());
        let slow = move |session: SessionHandle| {
            log_in(session);
            clock.wait(MINUTE);
            list.end_all_at(42, clock.now()).unwrap();
            200
        };
        let mut user = Visitor::new(framework);
        assert_eq!(user.visit(&process.manager, slow), 200);
        assert_lives(&process, &user);
    }
}

#[test]
fn the_beginning_of_a_session_with_an_id_does_not_move() {
    for framework in FRAMEWORKS {
        let process = Process::new().set(|manager| manager.refresh_after(MINUTE));
        let began = process.clock.now();
        let mut user = logged_in(framework, &process);
        for _ in 0..3 {
            process.clock.wait(DAY);
            assert_eq!(user.visit(&process.manager, look), 200);
            let session = process.manager.load([&user.cookie]);
            assert_eq!(session.started_at(), Some(began), "{framework:?}");
            assert_ne!(session.signed_at(), Some(began));
        }
        assert_eq!(process.manager.load(["a=b"]).started_at(), None);
    }
}

// What a program sees of the identity, without a framework.

fn commit(process: &Process, session: &Session) -> Option<String> {
    let cookie = process.manager.commit(session, 200).unwrap().set_cookie?;
    Some(cookie.stripped().to_string())
}

#[test]
fn the_id_is_the_same_from_the_beginning_to_the_cookie() {
    let process = Process::new();
    process.end_all(0);
    let nothing = || process.manager.load([""; 0]);
    // By `begin`, where the id is there before the subject, and by a subject alone.
    for begin in [true, false] {
        let mut session = nothing();
        assert_eq!(session.id(), None);
        if begin {
            session.begin(|_| false);
            assert!(session.id().is_some());
        }
        session.insert("user_id", 42).unwrap();
        let noted = session.id().map(str::to_owned);
        assert!(noted.is_some());
        session.insert("user_id", "42").unwrap();
        assert_eq!(session.clone().id(), noted.as_deref());
        let cookie = commit(&process, &session).unwrap();
        assert_eq!(process.manager.load([&cookie]).id(), noted.as_deref());
    }
    // Each beginning is another one.
    let mut session = nothing();
    session.insert("user_id", 42).unwrap();
    let ids = [(); 3].map(|()| {
        session.begin(|_| true);
        assert!(!session.contains_key("_session_id") && session.contains_key("user_id"));
        session.id().unwrap().to_owned()
    });
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    // What was ended before the response is sent moves it, for the program too.
    process.end_all(0);
    let cookie = commit(&process, &session).unwrap();
    let sent = session.id().unwrap().to_owned();
    assert_ne!(sent, ids[2]);
    assert_eq!(process.manager.load([&cookie]).id(), Some(&*sent));
    // And what begins after a logout in the same request is not the one that ended.
    session.flush();
    assert_eq!(session.id(), None);
    session.begin(|_| false);
    session.insert("user_id", 42).unwrap();
    let next = commit(&process, &session).unwrap();
    assert_eq!(process.manager.load([&cookie]).refusal(), Some(&DecodeError::Revoked));
    assert_eq!(process.manager.load([&next]).id(), session.id());
    assert_ne!(session.id(), Some(&*sent));
}

#[test]
fn a_session_that_a_program_made_itself_is_identified_too() {
    let process = Process::new();
    let mut session = Session::new();
    session.insert("user_id", 42).unwrap();
    let cookie = commit(&process, &session).unwrap();
    let written = process.manager.load([&cookie]);
    assert!(written.get_json("_session_id").is_some());
    assert_eq!(process.list.end_at(&written, process.clock.now()).map(|_| ()), Some(()));
    assert_eq!(process.list.end_at(&written, process.clock.now()), None);
}

#[test]
fn what_nobody_looked_at_is_neither_adopted_nor_removed() {
    let process = Process::new();
    let cookie = foreign(r#"{"user_id":42}"#, process.clock.now());
    let adopted = process.manager.load([&cookie]);
    assert_eq!(commit(&process, &adopted), None);
    // Its beginning is the latest that it can have had, but not later than its token.
    assert_eq!(adopted.started_at(), adopted.signed_at());
    assert!(commit(&process, &adopted).is_some());
    process.end_all(0);
    // It was ended since: nothing is sent, and caches are told why.
    let reply = process.manager.commit(&adopted, 200).unwrap();
    assert!(reply.set_cookie.is_none() && reply.vary_on_cookie);
    assert_eq!(commit(&process, &process.manager.load([&cookie])), None);
    let ended = process.manager.load([&cookie]);
    assert!(ended.refusal().is_some());
    assert_eq!(commit(&process, &ended).as_deref(), Some("sessionid="));
}

#[test]
fn a_cookie_lasts_no_longer_than_what_is_left_of_the_lifetime() {
    let process = Process::with(codec().max_age(DAY * 365));
    let mut session = process.manager.load([""; 0]);
    session.insert("user_id", 42).unwrap();
    let cookie = commit(&process, &session).unwrap();
    process.clock.wait(DAY * 20);
    let mut session = process.manager.load([&cookie]);
    session.insert("visits", 2).unwrap();
    let reply = process.manager.commit(&session, 200).unwrap();
    let max_age = reply.set_cookie.unwrap().max_age();
    assert_eq!(max_age, Some(time::Duration::days(10)));
}

#[test]
fn every_spelling_of_a_subject_is_one() {
    for (json, subject) in [
        ("-0", "0".to_owned()),
        (" 42\t", "42".to_owned()),
        (r#" "42" "#, "42".to_owned()),
        (&format!("\"{}\"", r"\u0061".repeat(255)), "a".repeat(255)),
    ] {
        let process = Process::new();
        let cookie = foreign(&format!("{{\"user_id\":{json}}}"), process.clock.now());
        assert!(process.manager.load([&cookie]).id().is_some(), "{json}");
        process.list.end_all_at(subject, process.clock.now()).unwrap();
        let refusal = process.manager.load([&cookie]).refusal().cloned();
        assert_eq!(refusal, Some(DecodeError::Revoked), "{json}");
    }
}

#[test]
fn a_list_without_an_end_lists_nothing_for_any_lifetime() {
    assert!(Revocations::new(Duration::MAX).list().is_empty());
    let (here, there) = (Revocations::new(Duration::MAX), Revocations::new(LIFETIME));
    let revocation = here.end_all(42).unwrap();
    assert_eq!(here.list(), std::slice::from_ref(&revocation));
    assert_eq!(here.apply(&revocation), Ok(false));
    assert_eq!(there.apply(&revocation), Ok(true));
}

#[test]
fn a_session_that_a_codec_alone_decoded_keeps_its_identity() {
    let process = Process::new();
    let user = logged_in(Framework::Axum, &process);
    let token = user.cookie.strip_prefix("sessionid=").unwrap();
    let decode = || codec().decode_at(token, process.clock.now()).unwrap();
    assert_eq!(decode().id(), None, "no list is known to it");
    let mut session = decode();
    session.insert("visits", 1).unwrap();
    let reply = process.manager.commit(&session, 200).unwrap();
    let cookie = reply.set_cookie.unwrap().stripped().to_string();
    assert_eq!(process.manager.load([&cookie]).id(), process.manager.load([&user.cookie]).id());
    // So that an ended one is not brought back.
    process.end_all(0);
    let mut session = decode();
    session.insert("visits", 2).unwrap();
    assert_eq!(process.manager.commit(&session, 200).unwrap().set_cookie, None);
}

// What an attacker tried.

#[test]
fn a_planted_ended_cookie_removes_no_genuine_one_that_is_refused() {
    let ring = Keyring::new("the next key of the site, which is not here yet").unwrap();
    for framework in FRAMEWORKS {
        // The key arrived there, and not here; and what is refused for other reasons.
        let [here, next] = [Process::new(), Process::with(SessionCodec::new(&ring))];
        let mut old = logged_in(framework, &here);
        let planted = old.cookie.clone();
        old.visit(&here.manager, log_out);
        let now = here.clock.now();
        for genuine in [
            logged_in(framework, &next).cookie,
            foreign(r#"{"user_id":4.5}"#, now),
            foreign(r#"{"user_id":42}"#, now + MINUTE * 16),
        ] {
            for cookie in [format!("{planted}; {genuine}"), format!("{genuine}; {planted}")] {
                let both = Visitor { framework, cookie };
                assert_eq!(answer(&here, &both, look).cookie(), None, "{framework:?}");
            }
        }
    }
}

#[test]
fn a_socket_does_not_forget_that_its_session_ended() {
    let process = Process::new();
    let user = logged_in(Framework::Axum, &process);
    let [socket, idle] = [(); 2].map(|()| process.manager.load([&user.cookie]));
    let mut session = process.manager.load([&user.cookie]);
    session.flush();
    process.clock.wait(LIFETIME + MINUTE * 6);
    let now = process.clock.now();
    for subject in 0..640 {
        process.list.end_all_at(1000 + subject, now).unwrap();
    }
    assert!(process.list.has_ended_at(&socket, now));
    // The same of one that nobody ended and whose lifetime is over.
    assert!(Revocations::new(LIFETIME).has_ended_at(&idle, now));
    assert!(!Revocations::new(LIFETIME).has_ended(&idle));
}

#[test]
fn a_session_that_is_begun_and_written_twice_ends_each_time() {
    let process = Process::new();
    let write = |session: &signed_session::Session| {
        let reply = process.manager.commit(session, 200).unwrap();
        reply.set_cookie.unwrap().stripped().to_string()
    };
    let is_ended =
        |cookie: &str| process.manager.load([cookie]).refusal() == Some(&DecodeError::Revoked);
    let mut session = process.manager.load(["a=b"]);
    session.insert("user_id", 42).unwrap();
    let first = write(&session);
    session.begin(|_| true);
    let second = write(&session);
    assert!(is_ended(&first) && !is_ended(&second));
    session.insert("user_id", 43).unwrap();
    let third = write(&session);
    assert!(is_ended(&second) && !is_ended(&third));
    session.flush();
    assert!(is_ended(&third));
}
