//! Tells the same stories of logins to Django's `contrib.auth` and to `AuthUser`, and compares.
//!
//! Each step is taken on both sides with the session that the step before left
//! on one of them, and must leave the same on both.

use serde::{Deserialize, Serialize};
use signed_session::django::{self, AuthUser};
use signed_session::{ExpiryRule, Keyring, Session, SessionCodec};
use time::OffsetDateTime;

use crate::NOW;
use crate::random::Random;
use crate::run::{BESIDE, Case};

const STEPS: usize = 8;
const CSRF_KEY: &str = "_csrftoken";
const BACKENDS: [&str; 2] = [
    "django.contrib.auth.backends.ModelBackend",
    "django.contrib.auth.backends.AllowAllUsersModelBackend",
];

#[derive(Clone, Debug, Serialize)]
struct User {
    id: u32,
    password: String,
    is_active: bool,
}

/// A site, and the session of its one visitor.
struct Story {
    now: i64,
    secrets: Vec<String>,
    users: Vec<User>,
    session: Session,
}

#[derive(Debug, Serialize)]
struct Step {
    now: i64,
    secrets: Vec<String>,
    users: Vec<User>,
    token: Option<String>,
    step: &'static str,
    user: u32,
    backend: &'static str,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    answer: Option<String>,
    data: String,
    modified: bool,
    token: Option<String>,
}

#[test]
fn logins_and_logouts_leave_the_same_session_as_django_s() {
    BESIDE.on_every_django(1, |worker, cases| {
        let mut stories: Vec<Story> =
            cases.iter_mut().map(|case| Story::new(&mut case.random)).collect();
        let mut seen = Seen::default();
        for _ in 0..STEPS {
            let steps: Vec<Step> = cases
                .iter_mut()
                .zip(&mut stories)
                .map(|(case, story)| story.next(&mut case.random))
                .collect();
            let outcomes: Vec<Outcome> = worker.ask("step", &steps);
            for (((case, story), step), outcome) in
                cases.iter_mut().zip(&mut stories).zip(&steps).zip(outcomes)
            {
                story.take(case, step, outcome, &mut seen);
            }
        }
        if cases.len() > 100 {
            assert!(seen.first > 20 && seen.fallback > 5 && seen.ended > 20, "{seen:?}");
        }
    });
}

/// What the stories came to, so that none of it can go missing.
#[derive(Debug, Default)]
struct Seen {
    first: usize,
    fallback: usize,
    ended: usize,
}

impl Story {
    fn new(random: &mut Random) -> Self {
        let users = (1..=3)
            .map(|id| User { id, password: password(random), is_active: !random.once_in(6) })
            .collect();
        Self { now: NOW, secrets: vec![secret(random)], users, session: Session::new() }
    }

    /// Changes what the site may change, and perhaps the session, and chooses the next step.
    fn next(&mut self, random: &mut Random) -> Step {
        self.now += 10;
        match random.below(8) {
            0 => {
                self.secrets.insert(0, secret(random));
                self.secrets.truncate(3);
            }
            1 => self.secrets.truncate(1),
            2 => {
                let user = random.below(3);
                self.users[user].password = password(random);
            }
            3 => {
                let user = random.below(3);
                self.users[user].is_active ^= true;
            }
            _ => {}
        }
        if random.once_in(5) {
            self.disturb(random);
        }
        let token = (!self.session.is_empty()).then(|| self.encode(&self.session));
        let steps = ["get_user", "get_user", "login", "login", "logout", "update_hash", "csrf"];
        let (step, backend) = (*random.pick(&steps), *random.pick(&BACKENDS));
        Step {
            now: self.now,
            secrets: self.secrets.clone(),
            users: self.users.clone(),
            token,
            step,
            user: random.below(3) as u32 + 1,
            backend,
        }
    }

    /// Adds entries to the session that are legal and rare.
    fn disturb(&mut self, random: &mut Random) {
        let session = &mut self.session;
        let key = *random.pick(&["cart", "größe", "language"]);
        session.insert(key, random.below(100)).unwrap();
        match random.below(9) {
            0 => session.insert("_auth_user_id", random.below(4) + 1).unwrap(),
            1 => session.insert("_auth_user_backend", "gone.Backend").unwrap(),
            2 => drop(session.remove("_auth_user_backend")),
            3 => drop(session.remove("_auth_user_hash")),
            4 => session.insert("_auth_user_hash", "").unwrap(),
            5 => session.insert("_auth_user_hash", "0".repeat(64)).unwrap(),
            6 => {
                let hash: String = session.get("_auth_user_hash").unwrap().unwrap_or_default();
                session.insert("_auth_user_hash", hash.to_uppercase()).unwrap();
            }
            _ => {}
        }
    }

    fn take(&mut self, case: &mut Case, step: &Step, outcome: Outcome, seen: &mut Seen) {
        let ring = self.ring();
        // What the token held, untouched.
        let mut session = match &step.token {
            Some(token) => self.codec().decode_at(token, self.moment()).unwrap(),
            None => Session::new(),
        };
        let was_someone_s = session.contains_key("_auth_user_id");
        let row = |id: &str| self.users.iter().find(|user| user.id.to_string() == id);
        let stepped_on = row(&step.user.to_string()).unwrap();
        let answer = match step.step {
            "get_user" => self.get_user(&mut session, &ring, seen),
            "login" => {
                AuthUser::new(&ring, step.user, step.backend, &stepped_on.password)
                    .login(&mut session, |_| true);
                None
            }
            "logout" => {
                django::logout(&mut session);
                None
            }
            "update_hash" => {
                let user = AuthUser::new(&ring, step.user, step.backend, "another password");
                user.rebind(&mut session, &ring, &stepped_on.password);
                None
            }
            // A form asks for Django's secret: nothing that is done here.
            "csrf" => {
                self.session = read(&self.codec(), &outcome, self.moment());
                let secret: Option<String> = self.session.get(CSRF_KEY).unwrap();
                assert!(secret.is_some_and(|secret| secret.len() == 32), "{step:?}");
                return;
            }
            other => panic!("{other}"),
        };
        if was_someone_s && session.is_empty() && step.step == "get_user" {
            seen.ended += 1;
        }
        let mut django = read(&self.codec(), &outcome, self.moment());
        if step.step == "login" {
            // Django has put a new secret there; here it goes, and Django makes one when it is asked.
            assert!(!session.contains_key(CSRF_KEY), "{step:?}");
            assert!(django.remove(CSRF_KEY), "{step:?}");
        }
        case.equal("who is logged in", answer, outcome.answer.clone(), step);
        case.equal("the data", session.to_json(), django.to_json(), step);
        case.equal("modified", session.is_modified(), outcome.modified, step);
        case.equal("is over", session.is_empty(), outcome.token.is_none(), &outcome);
        if case.random.once_in(2) {
            self.session = session;
        } else {
            self.session = read(&self.codec(), &outcome, self.moment());
        }
    }

    /// As the documentation of `AuthUser` does it, with two backends, and then as Django.
    fn get_user(&self, session: &mut Session, ring: &Keyring, seen: &mut Seen) -> Option<String> {
        let user = AuthUser::from_session(session).unwrap()?;
        if !BACKENDS.contains(&user.backend()) {
            return None;
        }
        let admits = |row: &&User| row.is_active || user.backend() == BACKENDS[1];
        let mut rows = self.users.iter().filter(|row| row.id.to_string() == user.id());
        let row = rows.next().filter(admits)?;
        match user.resume(session, ring, &row.password) {
            Some(0) => seen.first += 1,
            Some(_) => seen.fallback += 1,
            // D22: here the row is current and the hash is Django's, so that a mismatch proves
            // what Django concludes from every one.
            None => {
                session.flush();
                return None;
            }
        }
        Some(user.id().to_owned())
    }

    fn ring(&self) -> Keyring {
        let (first, rest) = self.secrets.split_first().unwrap();
        let ring = Keyring::new(first).unwrap();
        rest.iter().fold(ring, |ring, secret| ring.fallback(secret).unwrap())
    }

    fn codec(&self) -> SessionCodec {
        SessionCodec::new(&self.ring()).expiry_rule(ExpiryRule::Django)
    }

    fn encode(&self, session: &Session) -> String {
        self.codec().encode_at(session, self.moment()).unwrap()
    }

    fn moment(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.now).unwrap()
    }
}

/// The session that Django left.
fn read(codec: &SessionCodec, outcome: &Outcome, now: OffsetDateTime) -> Session {
    let Some(token) = &outcome.token else { return Session::new() };
    let session = codec.decode_at(token, now).unwrap();
    assert_eq!(session.to_json(), outcome.data);
    session
}

fn secret(random: &mut Random) -> String {
    format!("a-test-key-{:016x}-ключ", random.next())
}

fn password(random: &mut Random) -> String {
    let salt = random.next();
    match random.below(5) {
        0 => format!("!{salt:040x}"),
        1 => String::new(),
        2 => format!("plain$$пароль{salt}"),
        _ => format!("pbkdf2_sha256$1000000${salt:016x}$UGFzc3dvcmQtaGFzaC1oZXJlLTAwMDAwMDA="),
    }
}
