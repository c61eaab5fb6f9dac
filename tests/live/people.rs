//! A site with a user model of its own, and one with the packages that real sites have.
//!
//! Somebody logs in through the site's own views; the session is read here, changed here, and
//! taken by the site again.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signed_session::django::{AuthUser, DjangoSettings};
use signed_session::{Session, SessionManager};
use support::django::{environments, packages};

use crate::worker::Worker;

const SECRET: &str = "a key of the people's site, 0123456789-0123456789";
const NEW_SECRET: &str = "another key of the people's site, 0123456789-0123456789";

#[derive(Serialize)]
struct Start<'a> {
    own_hash: bool,
    secrets: &'a [&'a str],
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
    admin: bool,
}

/// What a program finds of somebody in the site's database.
#[derive(Clone, Debug, Deserialize)]
struct Person {
    id: u64,
    password: String,
    /// As the program computes them.
    hashes: Vec<String>,
}

#[derive(Serialize)]
struct Page<'a> {
    path: &'a str,
    form: Option<Value>,
    token: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    status: u16,
    cookie: Option<String>,
    body: String,
}

/// The site and this crate beside it, with the one cookie of a visitor.
struct Site {
    worker: Worker,
    settings: DjangoSettings,
    manager: SessionManager,
    token: Option<String>,
}

impl Site {
    fn new(mut worker: Worker, own_hash: bool) -> Self {
        let text: String = worker.ask("start", &[Start { own_hash, secrets: &[SECRET] }]).remove(0);
        let settings = DjangoSettings::from_json(&text).unwrap();
        let manager = settings.session_manager().unwrap();
        Self { worker, settings, manager, token: None }
    }

    fn restart(&mut self, own_hash: bool, secrets: &[&str]) {
        let text: String = self.worker.ask("start", &[Start { own_hash, secrets }]).remove(0);
        self.settings = DjangoSettings::from_json(&text).unwrap();
        self.manager = self.settings.session_manager().unwrap();
    }

    fn person(&mut self, name: &str) -> Person {
        self.worker.ask("person", &[Name { name, admin: name == "root" }]).remove(0)
    }

    /// Sends a request to the site, and keeps the cookie of the response.
    fn page(&mut self, path: &str, form: Option<Value>) -> Answer {
        let case = Page { path, form, token: self.token.as_deref() };
        let answer: Answer = self.worker.ask("page", &[case]).remove(0);
        if let Some(value) = &answer.cookie {
            self.token = Some(value.clone()).filter(|value| !value.is_empty());
        }
        answer
    }

    /// Whom the site takes the visitor for, and what is in the session.
    fn who(&mut self) -> (Option<String>, Value) {
        let answer = self.page("/who", None);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        (body["who"].as_str().map(str::to_owned), body["session"].clone())
    }

    fn load(&self) -> Session {
        let cookie = self.token.as_ref().map(|token| format!("sessionid={token}"));
        let session = self.manager.load(&cookie);
        assert_eq!(session.refusal(), None);
        session
    }

    /// Answers a request here, and keeps the cookie; says whether there was one.
    fn commit(&mut self, session: &Session) -> bool {
        let Some(cookie) = self.manager.commit(session, 200).unwrap().set_cookie else {
            return false;
        };
        self.token = Some(cookie.value().to_owned()).filter(|value| !value.is_empty());
        true
    }

    /// The guide's `who`: whom this crate takes the visitor for.
    fn who_is_here(&self, session: &mut Session, row: &Person) -> Option<String> {
        let user = AuthUser::from_session(session).unwrap()?;
        if !self.settings.authentication_backends().iter().any(|known| known == user.backend()) {
            return None;
        }
        assert_eq!(user.id(), row.id.to_string());
        let matched = user.resume(session, self.settings.keyring(), &row.password);
        matched.map(|_| user.id().to_owned())
    }
}

fn credentials(name: &str) -> Option<Value> {
    Some(json!({ "username": name, "password": "correct horse" }))
}

#[test]
fn a_site_with_a_hash_of_its_own_keeps_its_visitors() {
    for django in environments() {
        let mut site = Site::new(Worker::start(&django, "people.py"), true);
        let ada = site.person("ada");
        assert_eq!(site.page("/login", credentials("ada")).status, 302);

        // The guide's page, which takes the hash for Django's: a stranger, who stays logged in.
        let mut session = site.load();
        assert_eq!(site.who_is_here(&mut session, &ada), None);
        assert!(!site.commit(&session), "nothing is sent");
        assert_eq!(site.who().0.as_deref(), Some("ada"));

        // A program that computes the hashes as the model does.
        let mut session = site.load();
        let user = AuthUser::from_session(&session).unwrap().unwrap();
        assert_eq!(user.hash(), ada.hashes[0]);
        assert_eq!(user.resume_with(&mut session, &ada.hashes), Some(0));
        assert!(!site.commit(&session));

        // After the key was rotated, the hash is renewed here, and the site has nothing to do.
        site.restart(true, &[NEW_SECRET, SECRET]);
        let ada = site.person("ada");
        let mut session = site.load();
        let user = AuthUser::from_session(&session).unwrap().unwrap();
        assert_eq!(user.resume_with(&mut session, &ada.hashes), Some(1));
        assert!(site.commit(&session));
        site.restart(true, &[NEW_SECRET]);
        let ada = site.person("ada");
        let (who, contents) = site.who();
        assert_eq!(who.as_deref(), Some("ada"));
        assert_eq!(contents["_auth_user_hash"], ada.hashes[0]);

        // Somebody logs in here.
        let backend = &site.settings.authentication_backends()[0].clone();
        let mut session = Session::new();
        AuthUser::with_hash(ada.id, backend, &ada.hashes[0]).login(&mut session, |_| false);
        assert!(site.commit(&session));
        assert_eq!(site.who().0.as_deref(), Some("ada"));
    }
}

#[test]
fn a_row_of_yesterday_logs_nobody_out() {
    for django in environments() {
        for own_hash in [false, true] {
            let mut site = Site::new(Worker::start(&django, "people.py"), own_hash);
            let stale = site.person("ada");
            assert_eq!(site.page("/login", credentials("ada")).status, 302);
            let elsewhere = site.token.clone();
            site.page("/password", Some(json!({ "password": "new horse" })));
            let fresh = site.person("ada");
            assert_ne!(stale.password, fresh.password);

            // A replica still has the row from before the password was changed.
            let mut session = site.load();
            let user = AuthUser::from_session(&session).unwrap().unwrap();
            assert_eq!(user.resume_with(&mut session, &stale.hashes), None);
            assert_eq!(site.who_is_here(&mut session, &stale), None);
            assert!(!site.commit(&session));
            assert_eq!(site.who().0.as_deref(), Some("ada"));
            let mut session = site.load();
            assert_eq!(user.resume_with(&mut session, &fresh.hashes), Some(0));

            // Where the change is known, the other session is nobody's, here and there.
            site.token = elsewhere;
            let mut session = site.load();
            let user = AuthUser::from_session(&session).unwrap().unwrap();
            assert_eq!(user.resume_with(&mut session, &fresh.hashes), None);
            assert_eq!(site.who().0, None);
            assert!(site.load().is_empty(), "Django has ended it");
        }
    }
}

#[test]
fn allauth_s_login_by_e_mail_is_a_login_here() {
    for django in environments() {
        let mut site = with_packages(&django);
        let ada = site.person("ada");
        let form = json!({ "login": "ada@example.com", "password": "correct horse" });
        let answer = site.page("/accounts/login/", Some(form));
        assert_eq!(answer.status, 302, "{answer:?}");
        assert_eq!(site.who().0.as_deref(), Some("ada"));

        let mut session = site.load();
        let user = AuthUser::from_session(&session).unwrap().unwrap();
        assert_eq!(user.backend(), "allauth.account.auth_backends.AuthenticationBackend");
        assert_eq!(site.who_is_here(&mut session, &ada), Some(ada.id.to_string()));
        session.insert("cart", ["pears"]).unwrap();
        assert!(site.commit(&session));
        let (who, contents) = site.who();
        assert_eq!(who.as_deref(), Some("ada"));
        assert_eq!(contents["cart"], json!(["pears"]));
        // What allauth keeps there for itself is still there.
        assert!(contents.get("account_authentication_methods").is_some(), "{contents}");

        // And out, through its own view.
        site.page("/accounts/logout/", Some(json!({})));
        assert_eq!(site.token, None);
    }
}

#[test]
fn a_wizard_s_steps_survive_a_change_in_between() {
    for django in environments() {
        let mut site = with_packages(&django);
        let step = json!({ "order-current_step": "0", "0-street": "Straße 1" });
        assert_eq!(site.page("/order", None).status, 200);
        assert_eq!(site.page("/order", Some(step)).status, 200);

        let mut session = site.load();
        let wizard: Value = session.get("wizard_order").unwrap().unwrap();
        assert_eq!(wizard["step"], "1");
        session.insert("cart", ["pears"]).unwrap();
        assert!(site.commit(&session));

        let step = json!({ "order-current_step": "1", "1-card": "4242" });
        let answer = site.page("/order", Some(step));
        let done: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(done, json!({ "street": "Straße 1", "card": "4242" }));
        assert_eq!(site.load().get("cart"), Ok(Some(vec!["pears".to_owned()])));
    }
}

#[test]
fn a_hijacked_session_shows_who_is_behind_it() {
    for django in environments() {
        let mut site = with_packages(&django);
        let (root, ada) = (site.person("root"), site.person("ada"));
        let form = json!({ "login": "root@example.com", "password": "correct horse" });
        site.page("/accounts/login/", Some(form));
        let answer = site.page("/hijack/acquire/", Some(json!({ "user_pk": ada.id })));
        assert_eq!(answer.status, 302, "{answer:?}");

        let mut session = site.load();
        assert_eq!(site.who_is_here(&mut session, &ada), Some(ada.id.to_string()));
        let history: Vec<String> = session.get("hijack_history").unwrap().unwrap();
        assert_eq!(history, [root.id.to_string()]);
        session.insert("seen", true).unwrap();
        assert!(site.commit(&session));

        let answer = site.page("/hijack/release/", Some(json!({})));
        assert_eq!(answer.status, 302, "{answer:?}");
        assert_eq!(site.who().0.as_deref(), Some("root"));
        let mut session = site.load();
        assert_eq!(site.who_is_here(&mut session, &root), Some(root.id.to_string()));
    }
}

/// A site with the packages, and with the hash of Django's own user model.
fn with_packages(django: &support::django::Django) -> Site {
    let folder = packages(
        django,
        &["django-allauth==65.*", "django-formtools==2.*", "django-hijack==3.*"],
        "allauth, formtools, hijack",
    );
    Site::new(Worker::start_with(django, "people.py", &[folder.as_os_str()]), false)
}
