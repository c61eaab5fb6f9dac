//! Ends sessions beside Django: with its receiver and middleware each side knows what the other
//! ended, and without them Django does not.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signed_session::django::{self, AuthUser};
use signed_session::{
    CookieOptions, DecodeError, ExpiryRule, Keyring, Revocation, Revocations, Session,
    SessionCodec, SessionManager,
};
use support::django::{Django, environments};
use time::OffsetDateTime;

use crate::NOW;
use crate::worker::Worker;

const SECRET: &str = "a key of the site whose sessions end, 0123456789-0123456789";
const BACKEND: &str = "django.contrib.auth.backends.ModelBackend";
const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

/// As in `src/django/ended.py`.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Serialize)]
struct Page<'a> {
    path: &'a str,
    token: Option<&'a str>,
    /// In microseconds.
    now: i64,
}

#[derive(Debug, Deserialize)]
struct Answer {
    status: u16,
    cookie: Option<String>,
    varies: String,
    body: Value,
}

impl Answer {
    fn who(&self) -> Option<&str> {
        self.body["who"].as_str()
    }
}

#[derive(Debug, Deserialize)]
struct Row {
    id: u64,
    password: String,
}

/// Django and a process here, on one stopped clock.
struct Site {
    django: Worker,
    clock: Arc<AtomicI64>,
    list: Revocations,
    manager: SessionManager,
    /// What was ended here and is not in the table yet.
    told: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn start(django: &Django, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        let django = Worker::start_with(django, "ended.py", &arguments);
        let clock = Arc::new(AtomicI64::new(NOW * SECOND));
        let (list, manager, told) = process(&clock);
        Self { django, clock, list, manager, told }
    }

    fn now(&self) -> OffsetDateTime {
        moment(&self.clock)
    }

    fn wait(&self, microseconds: i64) {
        self.clock.fetch_add(microseconds, Ordering::SeqCst);
    }

    fn row(&mut self, name: &str) -> Row {
        self.django.ask("user", &[name]).remove(0)
    }

    /// Carries what was ended here to the table, and what is there to the list here.
    fn carry(&mut self) {
        let lines = std::mem::take(&mut *self.told.lock().unwrap());
        let _: Vec<Value> = self.django.ask("write", &lines);
        for line in self.lines() {
            self.list.apply_at(&line.parse::<Revocation>().unwrap(), self.now()).unwrap();
        }
    }

    fn lines(&mut self) -> Vec<String> {
        self.django.ask::<_, Vec<String>>("read", &[()]).remove(0)
    }

    /// Sends a request to Django, and keeps the cookie.
    fn page(&mut self, path: &str, token: &mut Option<String>) -> Answer {
        let now = self.clock.load(Ordering::SeqCst);
        let case = Page { path, token: token.as_deref(), now };
        let answer: Answer = self.django.ask("page", &[case]).remove(0);
        if let Some(value) = &answer.cookie {
            *token = Some(value.clone()).filter(|value| !value.is_empty());
        }
        answer
    }

    fn login(&mut self, name: &str) -> Option<String> {
        let mut token = None;
        assert_eq!(self.page(&format!("/login?name={name}"), &mut token).who(), Some(name));
        assert!(token.is_some());
        token
    }

    /// Whom Django takes somebody with a copy of this cookie for.
    fn who(&mut self, token: &Option<String>) -> Option<String> {
        let answer = self.page("/who", &mut token.clone());
        assert_eq!(answer.status, 200);
        answer.who().map(str::to_owned)
    }

    fn load(&self, token: &Option<String>) -> Session {
        load(&self.manager, token)
    }

    /// Answers a request here, and keeps the cookie.
    fn commit(&self, session: &Session, token: &mut Option<String>) {
        if let Some(cookie) = self.manager.commit(session, 200).unwrap().set_cookie {
            *token = Some(cookie.value().to_owned()).filter(|value| !value.is_empty());
        }
    }

    fn log_in_here(&mut self, name: &str) -> Option<String> {
        let row = self.row(name);
        let mut session = self.load(&None);
        AuthUser::new(&Keyring::new(SECRET).unwrap(), row.id, BACKEND, &row.password)
            .login(&mut session, |_| false);
        let mut token = None;
        self.commit(&session, &mut token);
        token
    }

    fn log_out_here(&self, token: &mut Option<String>) {
        let mut session = self.load(token);
        assert_eq!(session.refusal(), None);
        django::logout(&mut session);
        self.commit(&session, token);
        assert_eq!(*token, None);
    }

    fn end_all(&mut self, name: &str) {
        let id = self.row(name).id;
        self.list.end_all_at(id, self.now()).unwrap();
        self.carry();
    }

    /// Holds that a session is good on both sides.
    #[track_caller]
    fn assert_lives(&mut self, token: &Option<String>, name: &str) {
        assert_eq!(self.load(token).refusal(), None);
        assert_eq!(self.who(token).as_deref(), Some(name));
    }

    /// Holds that a session is refused on both sides, and that Django removes the cookie.
    #[track_caller]
    fn assert_ended(&mut self, token: &Option<String>) {
        assert_eq!(self.load(token).refusal(), Some(&DecodeError::Revoked));
        assert!(token.is_some());
        let answer = self.page("/who", &mut token.clone());
        assert_eq!((answer.status, answer.who()), (200, None));
        assert_eq!(answer.cookie.as_deref(), Some(""));
        assert_eq!(answer.varies, "Cookie");
    }
}

type Told = Arc<Mutex<Vec<String>>>;

/// Returns a process with a list of its own, and what it tells.
fn process(clock: &Arc<AtomicI64>) -> (Revocations, SessionManager, Told) {
    let told = Told::default();
    let queue = Arc::clone(&told);
    let list = Revocations::new(LIFETIME)
        .on_revocation(move |revocation| queue.lock().unwrap().push(revocation.to_string()));
    let codec = SessionCodec::new(&Keyring::new(SECRET).unwrap()).expiry_rule(ExpiryRule::Django);
    let clock = Arc::clone(clock);
    let manager = SessionManager::new(codec, CookieOptions::new("sessionid").unwrap())
        .clock(move || moment(&clock))
        .revocations(list.clone(), "_auth_user_id");
    (list, manager, told)
}

fn load(manager: &SessionManager, token: &Option<String>) -> Session {
    manager.load(&token.as_ref().map(|token| format!("sessionid={token}")))
}

fn moment(clock: &AtomicI64) -> OffsetDateTime {
    let nanoseconds = i128::from(clock.load(Ordering::SeqCst)) * 1000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap()
}

#[test]
fn what_was_ended_on_either_side_is_ended_on_the_other() {
    for django in environments() {
        let mut site = Site::start(&django, &["with"]);
        // Begun in Django, ended here.
        let mut token = site.login("ada");
        let (copy, other) = (token.clone(), site.login("ada"));
        site.assert_lives(&token, "ada");
        assert!(site.load(&token).id().is_some());
        site.log_out_here(&mut token);
        site.carry();
        site.assert_ended(&copy);
        site.assert_lives(&other, "ada");

        // Begun here, ended in Django.
        let mut token = site.log_in_here("ada");
        let copy = token.clone();
        site.assert_lives(&token, "ada");
        assert_eq!(site.page("/logout", &mut token).who(), None);
        assert_eq!(token, None);
        site.carry();
        site.assert_ended(&copy);
        site.assert_lives(&other, "ada");

        // A copy that the thief had signed again, by either side.
        let mut token = site.login("grace");
        let [mut there, mut here] = [token.clone(), token.clone()];
        site.wait(SECOND);
        site.page("/visit", &mut there);
        let mut session = site.load(&here);
        session.insert("visits", 1).unwrap();
        site.commit(&session, &mut here);
        assert!(there != token && here != token);
        site.page("/logout", &mut token);
        site.carry();
        site.assert_ended(&there);
        site.assert_ended(&here);
    }
}

#[test]
fn signing_out_everywhere_holds_in_django_and_a_login_follows_it() {
    for django in environments() {
        let mut site = Site::start(&django, &["with"]);
        let grace = site.login("grace");
        for wait in [0, 1, 1000, SECOND] {
            let [there, here] = [site.login("ada"), site.log_in_here("ada")];
            site.end_all("ada");
            site.assert_ended(&there);
            site.assert_ended(&here);
            site.wait(wait);
            let again = site.login("ada");
            site.assert_lives(&again, "ada");
        }
        site.assert_lives(&grace, "grace");
        site.list.end_everyone_at(site.now());
        site.carry();
        site.assert_ended(&grace);
        let again = site.login("grace");
        site.assert_lives(&again, "grace");

        // Django's login over an anonymous session of ours keeps its entries.
        let mut token = None;
        let mut session = site.load(&token);
        session.insert("visits", 1).unwrap();
        site.commit(&session, &mut token);
        site.end_all("ada");
        let answer = site.page("/login?name=ada", &mut token);
        assert_eq!(answer.body["session"]["visits"], 1);
        site.assert_lives(&token, "ada");

        // A moment a year ahead, of a machine whose clock is wrong.
        let wrong = site.now() + time::Duration::days(365);
        let line = Revocations::new(LIFETIME).end_everyone_at(wrong).to_string();
        let _: Vec<Value> = site.django.ask("write", &[line]);
        assert_eq!(site.who(&token).as_deref(), Some("ada"));
    }
}

#[test]
fn a_login_in_django_ends_the_session_that_came() {
    for django in environments() {
        let mut site = Site::start(&django, &["with"]);
        // The same user again, and another one, whose session takes nothing along.
        for name in ["ada", "grace"] {
            let mut token = site.login("ada");
            let copy = token.clone();
            let id = site.load(&token).id().map(str::to_owned);
            site.page(&format!("/login?name={name}"), &mut token);
            site.carry();
            assert_ne!(site.load(&token).id().map(str::to_owned), id);
            site.assert_ended(&copy);
            site.assert_lives(&token, name);
        }
        // Answered with an error, the browser keeps the cookie that it has, and that stays good.
        let mut token = site.login("ada");
        let answer = site.page("/login?name=ada&status=500", &mut token);
        assert_eq!((answer.status, answer.cookie), (500, None));
        site.carry();
        site.assert_lives(&token, "ada");
        // A logout holds all the same.
        let copy = token.clone();
        assert_eq!(site.page("/logout?status=500", &mut token).status, 500);
        site.carry();
        site.assert_ended(&copy);
    }
}

#[test]
fn a_new_password_in_django_separates_this_session_from_its_copies() {
    for django in environments() {
        let mut site = Site::start(&django, &["with"]);
        let mut token = site.login("ada");
        let copy = token.clone();
        assert_eq!(site.page("/password?to=another", &mut token).who(), Some("ada"));
        site.carry();
        // The copy is refused, and its end is not that of the session.
        for _ in 0..2 {
            site.assert_ended(&copy);
            site.carry();
            site.assert_lives(&token, "ada");
        }
    }
}

#[test]
fn signing_out_everywhere_in_django_holds_here_and_a_login_follows_it() {
    for django in environments() {
        let mut site = Site::start(&django, &["with"]);
        // A first end here moves the next login's beginning ahead of the clock.
        site.end_all("ada");
        let mut token = site.login("ada");
        let here = site.log_in_here("ada");
        let other = site.login("grace");
        site.page("/everywhere", &mut token);
        site.carry();
        for token in [&token, &here] {
            site.assert_ended(token);
        }
        site.assert_lives(&other, "grace");
        let [there, here] = [site.login("ada"), site.log_in_here("ada")];
        for token in [&there, &here] {
            site.assert_lives(token, "ada");
        }
    }
}

#[test]
fn a_new_secret_in_django_ends_nothing() {
    for django in environments() {
        let mut site = Site::start(&django, &["with"]);
        let mut token = site.login("ada");
        let copy = token.clone();
        let _: Vec<Value> =
            site.django.ask("rotate", &["another key of the site, 0123456789-0123"]);
        assert_eq!(site.page("/who", &mut token).who(), Some("ada"));
        assert_ne!(token, copy, "Django writes the hash under the new secret");
        assert_eq!(site.lines(), Vec::<String>::new());
        for token in [&token, &copy] {
            assert_eq!(site.who(token).as_deref(), Some("ada"));
        }
    }
}

#[test]
fn a_session_from_before_is_adopted_by_both_under_one_id() {
    for django in environments() {
        let mut before = Site::start(&django, &[]);
        let mut site = Site::start(&django, &["with"]);
        let [victim, mut thief] = [before.login("ada"), None];
        thief.clone_from(&victim);
        // Two processes here and one in Django, at once.
        let mut there = victim.clone();
        site.page("/who", &mut there);
        assert_ne!(there, victim, "Django writes the identity");
        let (_, other, _) = process(&site.clock);
        let ids: Vec<_> = [
            site.load(&victim).id().map(str::to_owned),
            load(&other, &thief).id().map(str::to_owned),
            site.load(&there).id().map(str::to_owned),
        ]
        .into();
        assert!(ids[0].is_some() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let mut adopted = victim.clone();
        site.log_out_here(&mut adopted);
        site.carry();
        for copy in [&victim, &thief, &there] {
            site.assert_ended(copy);
        }
    }
}

#[test]
fn django_keeps_no_session_past_the_lifetime_either() {
    for django in environments() {
        let mut site = Site::start(&django, &["with"]);
        let mut token = site.login("ada");
        for _ in 0..3 {
            site.wait(10 * DAY);
            site.page("/visit", &mut token);
            assert_eq!(site.who(&token).as_deref(), Some("ada"));
        }
        site.wait(1);
        assert_eq!(site.who(&token), None);
        let refusal = site.load(&token).refusal().cloned();
        assert!(matches!(refusal, Some(DecodeError::Expired { .. })), "{refusal:?}");
    }
}

#[test]
fn a_page_that_asks_nothing_of_a_stranger_says_nothing_of_cookies() {
    for django in environments() {
        let mut site = Site::start(&django, &["with"]);
        let answer = site.page("/plain", &mut None);
        assert_eq!((answer.cookie, answer.varies.as_str()), (None, ""));
        // With a cookie it may be answered with its removal.
        let mut token = site.login("ada");
        let answer = site.page("/plain", &mut token);
        assert_eq!((answer.cookie, answer.varies.as_str()), (None, "Cookie"));
    }
}

// Without them.

#[test]
fn django_alone_goes_on_with_what_was_ended_here() {
    for django in environments() {
        let mut site = Site::start(&django, &[]);
        let mut token = site.login("ada");
        let copy = token.clone();
        site.log_out_here(&mut token);
        site.carry();
        assert_eq!(site.load(&copy).refusal(), Some(&DecodeError::Revoked));
        assert_eq!(site.who(&copy).as_deref(), Some("ada"), "Django does not know");

        // What ends there is not known here.
        let mut token = site.log_in_here("ada");
        let copy = token.clone();
        site.page("/logout", &mut token);
        site.carry();
        assert_eq!(site.load(&copy).refusal(), None);
        assert_eq!(site.who(&copy).as_deref(), Some("ada"));
    }
}

#[test]
fn a_login_in_django_alone_keeps_an_identity_that_was_ended() {
    for django in environments() {
        let mut site = Site::start(&django, &[]);
        let mut token = site.log_in_here("ada");
        let mut copy = token.clone();
        site.log_out_here(&mut copy);
        site.carry();
        site.wait(SECOND);
        site.page("/login?name=ada", &mut token);
        assert_eq!(site.load(&token).refusal(), Some(&DecodeError::Revoked));
        // Until a logout there.
        site.page("/logout", &mut token);
        site.page("/login?name=ada", &mut token);
        assert_eq!(site.load(&token).refusal(), None);
    }
}

#[test]
fn a_login_in_django_alone_lives_a_second_after_an_end() {
    for django in environments() {
        let mut site = Site::start(&django, &[]);
        let before = site.login("ada");
        site.end_all("ada");
        let same_second = site.login("ada");
        site.wait(SECOND);
        let mut after = site.login("ada");
        for token in [&before, &same_second] {
            assert_eq!(site.load(token).refusal(), Some(&DecodeError::Revoked));
        }
        assert_eq!(site.load(&after).refusal(), None);
        // And after it was adopted.
        let session = site.load(&after);
        let former = after.clone();
        assert_eq!(session.get("_auth_user_id"), Ok(Some("1".to_owned())));
        site.commit(&session, &mut after);
        assert_ne!(after, former);
        assert_eq!(site.load(&after).refusal(), None);
        assert_eq!(site.who(&after).as_deref(), Some("ada"));
    }
}
