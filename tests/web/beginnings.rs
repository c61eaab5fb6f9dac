//! When a session began, told on a stopped clock: with a thief, and with a writer that knows no
//! limit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use signed_session::django::AuthUser;
use signed_session::{DecodeError, Keyring, Session, SessionCodec, SessionHandle, SessionManager};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::common::{codec, options};
use crate::nested::{FRAMEWORKS, Framework, Handler, Layers, Page};

pub(crate) const NOON: OffsetDateTime = datetime!(2023-11-14 12:00 UTC);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A clock that goes when it is told.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(crate) fn now(&self) -> OffsetDateTime {
        NOON + time::Duration::microseconds(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn wait(&self, time: Duration) {
        self.0.fetch_add(time.as_micros().try_into().unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn manager(&self, codec: SessionCodec) -> SessionManager {
        let clock = self.clone();
        SessionManager::new(codec, options()).clock(move || clock.now())
    }
}

/// A browser, or somebody with a copy of its cookie.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) framework: Framework,
    pub(crate) cookie: String,
}

impl Visitor {
    pub(crate) fn new(framework: Framework) -> Self {
        Self { framework, cookie: "theme=dark".to_owned() }
    }

    /// Returns the status of the page.
    pub(crate) fn visit(&mut self, manager: &SessionManager, handler: impl Page) -> u16 {
        let answer = self.framework.answer(Layers::Same(manager.clone()), &self.cookie, handler);
        if let Some(cookie) = answer.cookie() {
            self.cookie = cookie.to_owned();
        }
        answer.status
    }

    /// Reads, changes and signs the session as a writer without limits, such as Django.
    pub(crate) fn visit_django(&mut self, now: OffsetDateTime) {
        let token = self.cookie.strip_prefix("sessionid=").unwrap();
        let mut session = codec().decode_at(token, now).unwrap();
        session.insert("django", now.unix_timestamp()).unwrap();
        self.cookie = format!("sessionid={}", codec().encode_at(&session, now).unwrap());
    }
}

fn log_in(session: SessionHandle) -> u16 {
    session.begin(|key| key == "cart");
    session.insert("user_id", 42).unwrap();
    200
}

/// A page for who is logged in, which counts its visits.
fn page(session: SessionHandle) -> u16 {
    if session.get("user_id") != Ok(Some(42)) {
        return 403;
    }
    let visits = session.get::<u32>("visits").unwrap().unwrap_or_default();
    session.insert("visits", visits + 1).unwrap();
    200
}

/// The same, and it only looks.
fn look(session: SessionHandle) -> u16 {
    if session.get("user_id") == Ok(Some(42)) { 200 } else { 403 }
}

// A cut-off for each user.

#[test]
fn a_thief_is_out_as_soon_as_the_user_is_signed_out() {
    for framework in FRAMEWORKS {
        let clock = Clock::default();
        let signed_out: Arc<RwLock<HashMap<u64, OffsetDateTime>>> = Arc::default();
        let known = Arc::clone(&signed_out);
        // The recipe of `SessionManager::refuse_if`.
        let rule = move |session: &Session| {
            let Ok(Some(user_id)) = session.get::<u64>("user_id") else { return false };
            let known = known.read().unwrap();
            let Some(moment) = known.get(&user_id) else { return false };
            session.started_at().is_none_or(|started| started <= *moment)
        };
        let manager =
            clock.manager(codec().track_start(true)).refresh_after(MINUTE).refuse_if(rule);

        let mut user = Visitor::new(framework);
        assert_eq!(user.visit(&manager, log_in), 200);
        let mut thief = user.clone();
        for _ in 0..3 {
            clock.wait(MINUTE * 2);
            assert_eq!((user.visit(&manager, look), thief.visit(&manager, page)), (200, 200));
        }
        signed_out.write().unwrap().insert(42, clock.now());
        let stolen = thief.cookie.clone();
        for handler in [look as Handler, page] {
            for _ in 0..3 {
                assert_eq!(thief.visit(&manager, handler), 403, "{framework:?}");
                assert_eq!(thief.cookie, stolen, "the refusal carries no fresh cookie");
                clock.wait(MINUTE * 2);
            }
        }
        assert_eq!(user.visit(&manager, look), 403);
        // Whoever logs in after that is in, and the others stay out.
        assert_eq!(user.visit(&manager, log_in), 200);
        assert_eq!((user.visit(&manager, look), thief.visit(&manager, page)), (200, 403));
    }
}

#[test]
fn a_cut_off_by_the_time_of_signing_signs_nobody_out() {
    // As it was once documented: it has to go on failing, or this page of the guide is wrong.
    for framework in FRAMEWORKS {
        let clock = Clock::default();
        let manager = clock.manager(codec()).refresh_after(MINUTE);
        let mut thief = Visitor::new(framework);
        thief.visit(&manager, log_in);
        clock.wait(MINUTE * 2);
        let cut_off = clock.now();
        let is_out = |thief: &Visitor| {
            let session = manager.load([&thief.cookie]);
            session.signed_at().unwrap() < cut_off
        };
        assert!(is_out(&thief));
        clock.wait(MINUTE);
        // The very page that refuses the thief refreshes the session.
        thief.visit(&manager, |session| {
            let _ = session.get::<u64>("user_id");
            403
        });
        assert!(!is_out(&thief), "{framework:?}");
    }
}

// Limits, with a writer that does not know them.

#[test]
fn no_session_outlives_the_absolute_age() {
    for framework in FRAMEWORKS {
        for handler in [look as Handler, page] {
            let clock = Clock::default();
            let manager = clock.manager(codec().absolute_max_age(DAY * 3));
            // Django began it.
            let mut visitor = Visitor::new(framework);
            visitor.visit(&clock.manager(codec()), log_in);
            let mut days = 0;
            loop {
                visitor.visit_django(clock.now());
                if visitor.visit(&manager, handler) != 200 {
                    break;
                }
                days += 1;
                assert!(days < 365, "{framework:?}");
                clock.wait(DAY);
            }
            assert_eq!(days, 4, "{framework:?}: the days 0 to 3");
        }
    }
}

#[test]
fn signing_everyone_out_is_not_undone_by_another_writer() {
    for framework in FRAMEWORKS {
        let clock = Clock::default();
        let tracked = || codec().track_start(true);
        let (before, mut visitor) = (clock.manager(tracked()), Visitor::new(framework));
        visitor.visit(&before, log_in);
        clock.wait(MINUTE);
        let moment = clock.now();
        clock.wait(MINUTE);
        // A machine that was not restarted, and Django, sign it again after that.
        assert_eq!(visitor.visit(&before, page), 200);
        visitor.visit_django(clock.now());
        let after = clock.manager(codec().refuse_signed_before(moment));
        let refused = after.load([&visitor.cookie]);
        assert!(matches!(refused.refusal(), Some(DecodeError::SignedTooEarly { .. })));
        assert_eq!(visitor.visit(&after, look), 403, "{framework:?}");
        // Who logs in after it is in.
        visitor.visit(&after, log_in);
        assert_eq!(visitor.visit(&after, look), 200);
    }
}

// Logins.

#[test]
fn a_login_begins_a_session_whatever_it_keeps() {
    let ring = Keyring::new("a passphrase of the tests of beginnings, and a long one").unwrap();
    let user = AuthUser::new(&ring, 42, "django.contrib.auth.backends.ModelBackend", "hash");
    let other = AuthUser::new(&ring, 7, "django.contrib.auth.backends.ModelBackend", "hash");
    type Login<'a> = (&'static str, &'a dyn Fn(&mut Session));
    let logins: [Login<'_>; 6] = [
        ("begin, all kept", &|session| session.begin(|_| true)),
        ("begin, none kept", &|session| session.begin(|_| false)),
        ("of the same user", &|session| user.login(session, |_| true)),
        ("of another user", &|session| other.login(session, |_| true)),
        ("after a change of the password", &|session| user.rebind(session, &ring, "new")),
        ("flush and write", &|session| {
            session.flush();
            session.insert("user_id", 42).unwrap();
        }),
    ];
    for (what, login) in logins {
        let clock = Clock::default();
        let manager = clock.manager(codec().track_start(true));
        let token = |session: &Session| {
            manager.commit(session, 200).unwrap().set_cookie.unwrap().stripped().to_string()
        };
        let mut session = manager.load(["theme=dark"]);
        assert_eq!(session.started_at(), None);
        session.begin(|_| true);
        user.login(&mut session, |_| true);
        let cookie = token(&session);
        clock.wait(MINUTE + Duration::from_micros(7));
        let mut session = manager.load([&cookie]);
        assert_eq!(session.started_at(), Some(NOON), "{what}");
        login(&mut session);
        assert_eq!(session.started_at(), Some(clock.now()), "{what}");
        let (login_at, cookie) = (clock.now(), token(&session));
        clock.wait(MINUTE);
        let mut session = manager.load([&cookie]);
        assert_eq!(session.started_at(), Some(login_at), "{what}");
        // Nothing else moves it.
        session.cycle_key();
        session.clear();
        session.remove("_session_started");
        session.insert("_session_started", 1).unwrap_err();
        assert_eq!(session.started_at(), Some(login_at), "{what}");
        let session = manager.load([&token(&session)]);
        assert_eq!(session.started_at(), Some(login_at), "{what}");
    }
}

#[test]
fn a_beginning_is_known_only_if_it_is_recorded() {
    let clock = Clock::default();
    let plain = clock.manager(codec());
    let mut session = plain.load(["theme=dark"]);
    session.begin(|_| true);
    session.insert("user_id", 42).unwrap();
    assert_eq!(session.started_at(), None);
    let reply = plain.commit(&session, 200).unwrap();
    let cookie = reply.set_cookie.unwrap().stripped().to_string();
    assert_eq!(plain.load([&cookie]).started_at(), None);

    // Read in the very second in which it was signed, it is recorded with this response.
    let tracked = clock.manager(codec().track_start(true));
    for handler in [
        (|session| drop(session.get::<u64>("user_id"))) as fn(&mut Session),
        Session::cycle_key,
        |session| session.insert("cart", 1).unwrap(),
    ] {
        let mut session = tracked.load([&cookie]);
        handler(&mut session);
        assert_eq!(session.started_at(), Some(NOON));
        let token = tracked.commit(&session, 200).unwrap().set_cookie.unwrap();
        // From then on everybody knows it.
        let known = plain.load([&token.stripped().to_string()]);
        assert_eq!(known.started_at(), Some(NOON));
        let again = tracked.load([&token.stripped().to_string()]);
        assert_eq!(again.started_at(), Some(NOON));
        assert!(tracked.commit(&again, 200).unwrap().set_cookie.is_none());
    }
    // A request that does not look records nothing.
    let untouched = tracked.load([&cookie]);
    assert!(tracked.commit(&untouched, 200).unwrap().set_cookie.is_none());
}

#[test]
fn a_refusal_ends_with_the_login() {
    let clock = Clock::default();
    let manager = clock.manager(codec().track_start(true));
    let ring = Keyring::new("a passphrase of the tests of beginnings, and a long one").unwrap();
    let user = AuthUser::new(&ring, 42, "django.contrib.auth.backends.ModelBackend", "hash");
    let logins: [&dyn Fn(&mut Session); 4] = [
        &|session| session.begin(|_| true),
        &|session| user.login(session, |_| true),
        &Session::cycle_key,
        &Session::flush,
    ];
    for login in logins {
        let mut session = manager.load(["sessionid=forged:1r31eq:forged"]);
        assert_eq!(session.refusal(), Some(&DecodeError::BadSignature));
        login(&mut session);
        assert_eq!(session.refusal(), None);
    }
}

#[test]
fn a_rule_of_the_program_does_not_count_as_access() {
    let clock = Clock::default();
    let plain = clock.manager(codec());
    let mut session = plain.load(["theme=dark"]);
    session.insert("user_id", 42).unwrap();
    let cookie = plain.commit(&session, 200).unwrap().set_cookie.unwrap().stripped().to_string();
    for framework in FRAMEWORKS {
        let reads = |session: &Session| session.get::<u64>("user_id") == Ok(Some(42));
        let lenient = plain.clone().refuse_if(move |session| !reads(session));
        assert!(!lenient.load([&cookie]).is_accessed());
        let refusing =
            plain.clone().refuse_if(reads).save_every_request(true).refresh_after(Duration::ZERO);
        clock.wait(MINUTE);
        let mut visitor = Visitor { framework, cookie: cookie.clone() };
        assert_eq!(visitor.visit(&refusing, look), 403);
        assert_eq!(visitor.cookie, cookie);
        // A planted session that the rule refuses does not make the good one ambiguous.
        let mut other = plain.load(["theme=dark"]);
        other.insert("user_id", 7).unwrap();
        let other = plain.commit(&other, 200).unwrap().set_cookie.unwrap().stripped().to_string();
        let both = format!("{cookie}; {other}");
        assert_eq!(refusing.load([&both]).get("user_id"), Ok(Some(7)));
    }
}

#[test]
fn a_session_begins_when_it_is_written_and_not_when_it_is_looked_at() {
    use axum::body::Body;
    use axum::http::Request;
    use axum::{Router, routing::get};
    use signed_session::SessionLayer;
    use tower::ServiceExt as _;

    let clock = Clock::default();
    let waiting = clock.clone();
    let handler = move |session: SessionHandle| async move {
        assert_eq!(session.started_at(), None);
        session.insert("cart", 1).unwrap();
        let begun = waiting.now();
        waiting.wait(MINUTE);
        session.with(|session| assert_eq!(session.len(), 1));
        assert_eq!(session.started_at(), Some(begun));
        waiting.wait(MINUTE);
        session.flush();
        assert_eq!(session.started_at(), None);
        session.insert("user_id", 42).unwrap();
        assert_eq!(session.started_at(), Some(waiting.now()));
        // The closure may use the session itself.
        let other = session.clone();
        session.begin(|key| other.contains_key(key));
        assert!(session.contains_key("user_id"));
    };
    let manager = clock.manager(codec().track_start(true));
    let app = Router::new().route("/", get(handler)).layer(SessionLayer::new(manager.clone()));
    for cookie in ["a=b", "sessionid=forged:1r31eq:forged"] {
        let session = manager.load([cookie]);
        assert_eq!(session.started_at(), None, "nothing is recorded of {cookie}");
        let request = Request::get("/").header("cookie", cookie).body(Body::empty()).unwrap();
        let mut response = std::pin::pin!(app.clone().oneshot(request));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(response) = response.as_mut().poll(&mut context) else {
            panic!("it waits")
        };
        let cookie = response.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned();
        assert_eq!(manager.load([&cookie]).started_at(), Some(clock.now()));
    }
}

#[test]
fn a_session_that_was_moved_out_counts_as_read_and_ended() {
    for framework in FRAMEWORKS {
        let clock = Clock::default();
        let manager = clock.manager(codec());
        let mut visitor = Visitor::new(framework);
        visitor.visit(&manager, log_in);
        let layers = || Layers::Same(manager.clone());
        let take: Handler = |session| {
            assert_eq!(session.with(std::mem::take).get("user_id"), Ok(Some(42)));
            200
        };
        let replace: Handler = |session| {
            session.with(|session| *session = Session::new());
            200
        };
        for handler in [take, replace] {
            let answer = framework.answer(layers(), &visitor.cookie, handler);
            assert_eq!(answer.all("vary"), ["Cookie"], "{framework:?}");
            assert_eq!(answer.cookie(), Some("sessionid="), "{framework:?}");
        }
    }
}

#[test]
fn of_several_rules_one_is_enough() {
    let clock = Clock::default();
    let plain = clock.manager(codec());
    let mut session = plain.load(["theme=dark"]);
    session.insert("user_id", 42).unwrap();
    let cookie = plain.commit(&session, 200).unwrap().set_cookie.unwrap().stripped().to_string();
    for rules in [[true, false], [false, true], [false, false]] {
        let [one, other] = rules;
        let manager = plain.clone().refuse_if(move |_| one).refuse_if(move |_| other);
        let is_refused = manager.load([&cookie]).refusal().is_some();
        assert_eq!(is_refused, one || other);
    }
}

#[test]
fn a_manager_can_be_used_where_a_panic_is_caught() {
    fn check<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe + Send + Sync>() {}
    check::<SessionManager>();
    check::<SessionHandle>();
}
