//! Settings of every kind that real projects have: Django is asked what it does, and so is this crate.
//!
//! A value is a Python expression. It goes to Django as it is, and here through the script of the
//! documentation, which writes it as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signed_session::django::{DjangoSettings, Level, Message, SettingsError};
use signed_session::{
    CookieOptions, DecodeError, EncodeError, Expiry, Session, SessionCodec, SessionManager,
};
use support::django::environments;
use time::OffsetDateTime;

use crate::worker::Worker;

type Values = BTreeMap<&'static str, &'static str>;

/// What came of something in Django.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<T = String> {
    Ok(T),
    Error(String),
}

impl<T> Outcome<T> {
    fn unwrap(self) -> T {
        match self {
            Self::Ok(value) => value,
            Self::Error(error) => panic!("{error}"),
        }
    }
}

// What comes out of the settings of the cookie.

/// Every setting of the session's cookie, with values that projects give it.
const ZOO: [(&str, &[&str]); 9] = [
    (
        "SESSION_COOKIE_AGE",
        &[
            "1209600",
            "604800.0",
            "timedelta(days=7).total_seconds()",
            "3600 / 2",
            "0.9",
            "59.999",
            "1.5",
            "0",
            "0.0",
            "-0.0",
            "-1",
            "-5.5",
            "True",
            "False",
            "10 ** 9",
            "2.5e11",
            "timedelta(days=7)",
            "'3600'",
            "None",
            "[]",
            "10 ** 12",
            "1e300",
            "float('inf')",
            "float('nan')",
        ],
    ),
    ("SESSION_COOKIE_SECURE", TRUTHS),
    ("SESSION_COOKIE_HTTPONLY", TRUTHS),
    ("SESSION_SAVE_EVERY_REQUEST", TRUTHS),
    ("SESSION_EXPIRE_AT_BROWSER_CLOSE", TRUTHS),
    (
        "SESSION_COOKIE_PATH",
        &[
            "'/'",
            "'/app'",
            "'/app/'",
            "''",
            "None",
            "False",
            "'app'",
            "lazy(lambda: '/app', str)()",
        ],
    ),
    (
        "SESSION_COOKIE_DOMAIN",
        &["None", "''", "'example.com'", "'.example.com'", "mark_safe('example.com')"],
    ),
    (
        "SESSION_COOKIE_SAMESITE",
        &[
            "'Lax'", "'lax'", "'STRICT'", "'Strict'", "'None'", "None", "False", "''", "0", "[]",
            "True", "1", "' Lax'", "'Loose'", "b'Lax'",
        ],
    ),
    ("SESSION_COOKIE_NAME", &["'sid'", "mark_safe('sid')", "''", "'a b'", "None", "1", "'a=b'"]),
];

const TRUTHS: &[&str] = &[
    "True",
    "False",
    "1",
    "0",
    "2",
    "1.5",
    "0.0",
    "-0.0",
    "10 ** 30",
    "None",
    "''",
    "'True'",
    "'False'",
    "'0'",
    "[]",
    "[0]",
    "()",
    "{}",
    "{'a': 1}",
    "set()",
    "{1}",
    "SimpleLazyObject(lambda: True)",
    "SimpleLazyObject(lambda: 0)",
    "object()",
];

#[derive(Clone, Debug, Serialize)]
struct ZooCase {
    settings: Values,
    token: String,
}

#[derive(Debug, Deserialize)]
struct ZooAnswer {
    settings: Outcome,
    set: Outcome,
    read: Outcome,
    removed: Outcome,
}

#[test]
fn every_setting_of_the_zoo_is_taken_as_django_takes_it() {
    let mut cases = Vec::new();
    for (name, values) in ZOO {
        for value in values {
            // A second old, so that it is not the token that is written again.
            let ring = DjangoSettings::new("a key of the zoo, 0123456789-0123456789").unwrap();
            let moment = OffsetDateTime::now_utc() - time::Duration::seconds(2);
            let mut session = Session::new();
            session.insert("a", 1).unwrap();
            let token = SessionCodec::new(ring.keyring()).encode_at(&session, moment).unwrap();
            cases.push((*value, ZooCase { settings: [(name, *value)].into(), token }));
        }
    }
    for django in environments() {
        let mut worker = Worker::start(&django, "zoo.py");
        let asked: Vec<ZooCase> = cases.iter().map(|(_, case)| case.clone()).collect();
        let answers: Vec<ZooAnswer> = worker.ask("zoo", &asked);
        let (mut taken, mut refused) = (0, 0);
        for ((value, case), answer) in cases.iter().zip(answers) {
            let (name, _) = case.settings.first_key_value().unwrap();
            let what = format!("{name} = {value}: {answer:?}");
            let settings = DjangoSettings::from_json(&answer.settings.clone().unwrap());
            let manager = settings.and_then(|settings| settings.session_manager());
            match (&answer.set, manager) {
                (Outcome::Error(_), Err(error)) => {
                    refused += 1;
                    assert!(error.to_string().contains(name), "{what}: {error}");
                }
                (Outcome::Ok(set), Ok(manager)) => {
                    taken += 1;
                    compare(&manager, case, set, &answer, &what);
                }
                (_, ours) => panic!("{what}: {:?}", ours.err()),
            }
        }
        assert!(taken > 100 && refused > 15, "{taken} {refused}");
    }
}

fn compare(manager: &SessionManager, case: &ZooCase, set: &str, answer: &ZooAnswer, what: &str) {
    let mut session = manager.load(None::<&str>);
    session.insert("a", 1).unwrap();
    let ours = manager.commit(&session, 200).unwrap().set_cookie.unwrap().to_string();
    assert_eq!(attributes(&ours), attributes(set), "{what}");

    let name = set.split('=').next().unwrap();
    let header = format!("{name}={}", case.token);
    let session = manager.load([&header]);
    let is_read = session.get::<u32>("a").unwrap().is_some();
    // What Django finds too old it replaces by an empty session, and what is read it sends only
    // if it saves every request.
    let theirs = answer.read.clone().unwrap();
    let value = theirs.split(';').next().unwrap();
    let replaced = value.starts_with(&format!("{name}=e30:"));
    assert_eq!(is_read, !replaced, "{what}: {:?}", session.refusal());
    if is_read {
        let ours = manager.commit(&session, 200).unwrap().set_cookie;
        let ours = ours.map(|cookie| attributes(&cookie.to_string()));
        let theirs = (!theirs.is_empty()).then(|| attributes(&theirs));
        assert_eq!(ours, theirs, "{what}");
    }

    let mut session = manager.load([&header]);
    session.flush();
    let ours = manager.commit(&session, 200).unwrap().set_cookie.unwrap().to_string();
    // D13: the cookie that removes one is as `Secure` as the one that sets it.
    let ours: Vec<_> = attributes(&ours).into_iter().filter(|part| part != "secure").collect();
    let theirs = attributes(&answer.removed.clone().unwrap());
    let theirs: Vec<_> = theirs.into_iter().filter(|part| part != "secure").collect();
    assert_eq!(ours, theirs, "{what}");
}

/// The attributes of a cookie as browsers understand them, in order, without value and date.
fn attributes(cookie: &str) -> Vec<String> {
    let mut parts = cookie.split("; ");
    let name = parts.next().unwrap().split('=').next().unwrap().to_owned();
    let mut attributes: Vec<String> = parts
        .map(str::to_ascii_lowercase)
        .filter(|part| !part.starts_with("expires="))
        // RFC 6265, 5.2.4: such a path is as if it were not there; 5.2.3: a leading dot likewise.
        .filter(|part| !part.starts_with("path=") || part.starts_with("path=/"))
        .map(|part| part.replace("domain=.", "domain="))
        // 5.2.2: whatever is not positive is over at once.
        .map(|part| if part.starts_with("max-age=-") { "max-age=0".to_owned() } else { part })
        .collect();
    // D13: browsers drop the cookie otherwise.
    if attributes.iter().any(|part| part == "samesite=none") {
        attributes.push("secure".to_owned());
    }
    attributes.sort();
    attributes.dedup();
    attributes.insert(0, name);
    attributes
}

#[test]
fn a_domain_that_is_false_is_left_out_which_browsers_can_keep() {
    // Django writes `Domain=False`, and no browser keeps that: nobody's site depends on it.
    for django in environments() {
        let mut worker = Worker::start(&django, "zoo.py");
        let case = ZooCase {
            settings: [("SESSION_COOKIE_DOMAIN", "False")].into(),
            token: "x".to_owned(),
        };
        let answer: ZooAnswer = worker.ask("zoo", &[case]).remove(0);
        assert!(answer.set.unwrap().contains("Domain=False"));
        let settings = DjangoSettings::from_json(&answer.settings.unwrap()).unwrap();
        let manager = settings.session_manager().unwrap();
        let mut session = manager.load(None::<&str>);
        session.insert("a", 1).unwrap();
        assert_eq!(manager.commit(&session, 200).unwrap().set_cookie.unwrap().domain(), None);
    }
}

// Messages.

const MESSAGES: [(&str, &[&str]); 7] = [
    ("MESSAGE_LEVEL", &["10", "20", "15.5", "40", "41", "True", "None", "'20'"]),
    ("MESSAGE_TAGS", &["{}", "{40: 'danger'}", "{40: None}", "{40: ''}", "{'error': 'danger'}"]),
    ("SESSION_COOKIE_SECURE", TRUTHS),
    ("SESSION_COOKIE_HTTPONLY", TRUTHS),
    ("SESSION_COOKIE_PATH", &["'/app'", "None", "''"]),
    ("SESSION_COOKIE_DOMAIN", &["'.example.com'", "None", "''"]),
    ("SIGNING_BACKEND", &["'django.core.signing.TimestampSigner'"]),
];

#[derive(Clone, Debug, Serialize)]
struct Case {
    settings: Values,
}

#[derive(Debug, Deserialize)]
struct MessagesAnswer {
    settings: Outcome,
    left: Outcome<(String, Vec<(String, String)>)>,
}

#[test]
fn messages_are_left_as_django_leaves_them_whatever_the_settings() {
    let storage = ("MESSAGE_STORAGE", "'django.contrib.messages.storage.cookie.CookieStorage'");
    let cases: Vec<Case> = MESSAGES
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (*name, *value)))
        .map(|setting| Case { settings: [setting, storage].into() })
        .collect();
    for django in environments() {
        let mut worker = Worker::start(&django, "zoo.py");
        for (case, answer) in cases.iter().zip(worker.ask::<_, MessagesAnswer>("messages", &cases))
        {
            let what = format!("{case:?}: {answer:?}");
            let settings = DjangoSettings::from_json(&answer.settings.unwrap());
            let ours = settings.and_then(|settings| settings.message_storage());
            let (storage, cookie, shown) = match (ours, answer.left) {
                (Ok(storage), Outcome::Ok((cookie, shown))) => (storage, cookie, shown),
                (Err(_), Outcome::Error(_)) => continue,
                (ours, _) => panic!("{what}: {:?}", ours.err()),
            };
            let mut session = Session::new();
            let mut messages = storage.load(None::<&str>);
            messages.add(Message::new(Level(40), "forty"));
            messages.add(Message::new(Level(15), "fifteen"));
            let ours = messages.commit(&mut session).unwrap().reply.set_cookie;
            let ours = ours.map(|cookie| attributes(&cookie.to_string()));
            assert_eq!(ours, (!cookie.is_empty()).then(|| attributes(&cookie)), "{what}");

            let mut messages = storage.load([cookie.split(';').next().unwrap()]);
            let read = messages.show(&session).unwrap();
            let read: Vec<_> =
                read.iter().map(|message| (message.text.clone(), storage.tags(message))).collect();
            assert_eq!(read, shown, "{what}");
        }
    }
}

#[test]
fn a_signer_of_the_site_s_own_is_an_error_at_start() {
    let own = Case { settings: [("SIGNING_BACKEND", "'shop.signing.Signer'")].into() };
    for django in environments() {
        let mut worker = Worker::start(&django, "zoo.py");
        let answer: MessagesAnswer = worker.ask("messages", std::slice::from_ref(&own)).remove(0);
        let settings = DjangoSettings::from_json(&answer.settings.unwrap()).unwrap();
        assert_eq!(settings.message_storage().err(), Some(SettingsError::SigningBackend));
        let cookie = settings.signed_cookie(CookieOptions::new("theme").unwrap(), "");
        assert_eq!(cookie.err(), Some(SettingsError::SigningBackend));
        assert!(settings.session_manager().is_ok());
    }
}

// Expiry dates and time zones.

#[derive(Clone, Debug, Serialize)]
struct ExpireCase {
    settings: Values,
    expiry: &'static str,
}

#[derive(Debug, Deserialize)]
struct ExpireAnswer {
    settings: String,
    cookie: String,
}

#[derive(Clone, Debug, Serialize)]
struct VisitCase {
    settings: Values,
    token: String,
}

#[derive(Debug, Deserialize)]
struct VisitAnswer {
    seen: BTreeMap<String, Value>,
    answer: Outcome,
}

/// Every time zone with whether it is known here.
const ZONES: [(&str, bool); 9] = [
    ("'America/Los_Angeles'", false),
    ("'America/Chicago'", false),
    ("'Europe/Paris'", false),
    ("'Pacific/Kiritimati'", false),
    ("'Etc/GMT+12'", true),
    ("'Etc/GMT+5'", true),
    ("'Etc/GMT-14'", true),
    ("'Etc/UTC'", true),
    ("'UTC'", true),
];

#[test]
fn a_look_at_a_rust_page_logs_nobody_out_in_any_time_zone() {
    let expiries = ["timedelta(hours=1)", "datetime.now() + timedelta(hours=1)"];
    for django in environments() {
        let mut worker = Worker::start(&django, "zoo.py");
        for (zone, is_known) in ZONES {
            for expiry in expiries {
                let settings: Values = [("USE_TZ", "False"), ("TIME_ZONE", zone)].into();
                let case = ExpireCase { settings: settings.clone(), expiry };
                let answer: ExpireAnswer = worker.ask("expire", &[case]).remove(0);
                let site = DjangoSettings::from_json(&answer.settings).unwrap();
                let manager = site.session_manager().unwrap();
                let pair = answer.cookie.split(';').next().unwrap();

                // A page of Rust that only looks.
                let session = manager.load([pair]);
                assert_eq!(session.get("who"), Ok(Some("Django".to_owned())), "{zone} {expiry}");
                assert!(manager.commit(&session, 200).unwrap().set_cookie.is_none(), "{zone}");

                // And one that writes: Django still finds the visitor there, and can write too.
                let mut session = manager.load([pair]);
                session.insert("who", "Rust").unwrap();
                let cookie = manager.commit(&session, 200).unwrap().set_cookie.unwrap();
                let max_age = cookie.max_age().unwrap().whole_seconds();
                let expected = if is_known { 3590..=3600 } else { 1_209_600..=1_209_600 };
                assert!(expected.contains(&max_age), "{zone}: {max_age}");
                let token = cookie.value().to_owned();
                let visit: VisitAnswer =
                    worker.ask("visit", &[VisitCase { settings, token }]).remove(0);
                assert_eq!(visit.seen["who"], "Rust", "{zone}");
                assert!(visit.answer.unwrap().contains("Max-Age=35"), "{zone} {expiry}");

                // Over two hours later only where this crate can know it.
                let later = OffsetDateTime::now_utc() + time::Duration::hours(2);
                let over = manager.load_at([pair], later);
                let is_over = matches!(over.refusal(), Some(DecodeError::Expired { .. }));
                assert_eq!(is_over, is_known, "{zone}: {:?}", over.refusal());
            }
        }
    }
}

#[test]
fn a_moment_that_such_a_django_cannot_compare_is_refused_here() {
    for django in environments() {
        let mut worker = Worker::start(&django, "zoo.py");
        for use_tz in ["True", "1", "False", "0", "None"] {
            let settings: Values = [("USE_TZ", use_tz), ("TIME_ZONE", "'UTC'")].into();
            let case = ExpireCase { settings: settings.clone(), expiry: "None" };
            let answer: ExpireAnswer = worker.ask("expire", &[case]).remove(0);
            let site = DjangoSettings::from_json(&answer.settings).unwrap();
            let manager = site.session_manager().unwrap();
            let mut session = manager.load([answer.cookie.split(';').next().unwrap()]);
            session.set_expiry(Expiry::At(OffsetDateTime::now_utc() + time::Duration::HOUR));

            // What comes of it in Django, if it is written all the same.
            let token = SessionCodec::new(site.keyring()).encode(&session).unwrap();
            let visit: VisitAnswer =
                worker.ask("visit", &[VisitCase { settings: settings.clone(), token }]).remove(0);
            let ours = manager.commit(&session, 200);
            match visit.answer {
                Outcome::Ok(_) => assert!(ours.is_ok(), "{use_tz}"),
                Outcome::Error(error) => {
                    assert!(error.contains("offset-naive and offset-aware"), "{error}");
                    assert_eq!(ours.err(), Some(EncodeError::AwareExpiry), "{use_tz}");
                }
            }

            // What every Django can compare.
            session.set_expiry(Expiry::After(std::time::Duration::from_secs(60)));
            let cookie = manager.commit(&session, 200).unwrap().set_cookie.unwrap();
            let token = cookie.value().to_owned();
            let visit: VisitAnswer =
                worker.ask("visit", &[VisitCase { settings, token }]).remove(0);
            assert!(visit.answer.unwrap().contains("Max-Age=60"));
        }
    }
}

// Signed cookies.

#[derive(Clone, Debug, Serialize)]
struct SignedCase {
    settings: Values,
    value: Option<String>,
}

#[derive(Debug, Deserialize)]
struct SignedAnswer {
    settings: String,
    cookie: String,
    old: String,
    read: Option<Outcome>,
    read_old: Outcome,
}

#[test]
fn signed_cookies_pass_both_ways_with_every_django() {
    for django in environments() {
        let mut worker = Worker::start(&django, "zoo.py");
        let fallback = "SIGNED_COOKIE_LEGACY_SALT_FALLBACK";
        let all = [None, Some("True"), Some("False"), Some("1"), Some("None")];
        // Where Django does not have the setting, nobody has it.
        for value in if worker.about.v2_cookies { &all[..] } else { &all[..1] } {
            let settings: Values = value.map(|value| (fallback, value)).into_iter().collect();
            let case = SignedCase { settings: settings.clone(), value: None };
            let answer: SignedAnswer = worker.ask("signed", &[case]).remove(0);
            let site = DjangoSettings::from_json(&answer.settings).unwrap();
            let theme = site.signed_cookie(CookieOptions::new("theme").unwrap(), "").unwrap();

            let read = |value: &str| theme.read([&format!("theme={value}")]);
            assert_eq!(read(&answer.cookie), Ok(Some("dark".to_owned())), "{settings:?}");
            match answer.read_old {
                Outcome::Ok(_) => assert_eq!(read(&answer.old), Ok(Some("old".to_owned()))),
                Outcome::Error(_) => {
                    assert_eq!(read(&answer.old), Err(DecodeError::BadSignature), "{settings:?}");
                }
            }
            let ours = theme.cookie("light").unwrap().value().to_owned();
            let case = SignedCase { settings: settings.clone(), value: Some(ours) };
            let answer: SignedAnswer = worker.ask("signed", &[case]).remove(0);
            assert_eq!(answer.read.unwrap().unwrap(), "light", "{} {settings:?}", django.version);
        }
    }
}
