//! Limits that hold although a real Django, which knows none of them, writes the session every day.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use signed_session::{DecodeError, ExpiryRule, Session, SessionCodec, SessionManager};

use crate::clock::moment;
use crate::jar::SetCookie;
use crate::run::MIDDLEWARE;
use crate::site::{Request, Site};
use crate::step::Step;
use crate::worker::Worker;

const DAY: i64 = 24 * 60 * 60 * 1000;

#[derive(Deserialize)]
struct Answer {
    set_cookie: Vec<String>,
}

/// A visitor's cookie, between the two sides.
struct Visitor<'s> {
    site: &'s Site,
    token: String,
}

impl Visitor<'_> {
    /// Runs a request with these steps through Django's middleware.
    fn visit_django(&mut self, worker: &mut Worker, now: i64, steps: &[Step]) {
        let cookie = (!self.token.is_empty()).then(|| format!("sessionid={}", self.token));
        let request = Request {
            secrets: self.site.secrets(),
            now,
            max_age: self.site.age * 1000,
            settings: self.site.settings(false),
            cookies: cookie,
            left_alone: false,
            steps,
            status: 200,
            headers: json!({}),
        };
        let answers: Vec<Answer> = worker.ask("respond", &[request]);
        let [cookie] = &answers[0].set_cookie[..] else { panic!("Django sets no cookie") };
        self.token = SetCookie::parse(cookie).expect("a cookie").value;
    }

    /// Reads the session here, and takes in the response.
    fn visit(&mut self, manager: &SessionManager, now: i64) -> Session {
        let now = moment(now);
        let session = manager.load_at([&format!("sessionid={}", self.token)], now);
        let _ = session.get::<u64>("user");
        let reply = manager.commit_at(&session, 200, now).expect("nothing was changed");
        if let Some(cookie) = reply.set_cookie {
            cookie.value().clone_into(&mut self.token);
        }
        session
    }
}

fn insert(key: &'static str, value: i64) -> Step {
    Step::Entry("insert", key, json!(value))
}

fn manager(site: &Site, policy: impl FnOnce(SessionCodec) -> SessionCodec) -> SessionManager {
    let options = signed_session::CookieOptions::new("sessionid").expect("a name");
    SessionManager::new(policy(SessionCodec::new(&site.ring())), options)
}

#[test]
fn a_session_that_django_writes_daily_outlives_no_absolute_age() {
    let site = Site::default();
    let limit = Duration::from_secs(3 * 24 * 60 * 60);
    MIDDLEWARE.with_every_django(|worker| {
        for rule in [ExpiryRule::Enforce, ExpiryRule::Shorter, ExpiryRule::Django] {
            let manager = manager(&site, |codec| codec.absolute_max_age(limit).expiry_rule(rule));
            let begins = crate::NOW * 1000 + 250;
            let mut visitor = Visitor { site: &site, token: String::new() };
            visitor.visit_django(worker, begins, &[insert("user", 42)]);
            for day in 0..6 {
                let now = begins + day * DAY;
                visitor.visit_django(worker, now, &[insert("day", day)]);
                let session = visitor.visit(&manager, now);
                // It began in the second of Django's first stamp.
                let is_over = day >= 3;
                assert_eq!(session.get("user").unwrap(), (!is_over).then_some(42), "day {day}");
                if is_over {
                    let refusal = session.refusal();
                    assert!(matches!(refusal, Some(DecodeError::Expired { .. })), "{refusal:?}");
                }
            }
        }
    });
}

#[test]
fn signing_everyone_out_is_not_undone_by_django() {
    let site = Site::default();
    MIDDLEWARE.with_every_django(|worker| {
        let begins = crate::NOW * 1000;
        let tracked = manager(&site, |codec| codec.track_start(true));
        let mut visitor = Visitor { site: &site, token: String::new() };
        visitor.visit_django(worker, begins, &[insert("user", 42)]);
        let session = visitor.visit(&tracked, begins + 500);
        assert_eq!(session.started_at(), Some(moment(begins)));
        // In the very second of Django's stamp it is recorded, and Django carries it along.
        visitor.visit_django(worker, begins + 2 * DAY, &[insert("user", 43)]);
        assert_eq!(visitor.visit(&tracked, begins + 2 * DAY).started_at(), Some(moment(begins)));
        let strict = manager(&site, |codec| codec.refuse_signed_before(moment(begins + DAY)));
        let refusal = visitor.visit(&strict, begins + 2 * DAY).refusal().cloned();
        assert!(matches!(refusal, Some(DecodeError::SignedTooEarly { .. })), "{refusal:?}");
        // Whoever logs in after that, here or at Django, is in.
        let mut visitor = Visitor { site: &site, token: String::new() };
        visitor.visit_django(worker, begins + 2 * DAY, &[insert("user", 44)]);
        assert_eq!(visitor.visit(&strict, begins + 2 * DAY).get("user").unwrap(), Some(44));
    });
}
