//! Tells the same stories to Django's real `SessionMiddleware` and to `SessionManager`, and compares.
//!
//! A story is a site and the visits of one browser to it. Everything must agree,
//! down to the second of an `Expires`, but for the differences that
//! `difference.rs` names: there Django is asked again, with the request that
//! should make it act as this crate does.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::difference::Difference;
use crate::random::Random;
use crate::run::MIDDLEWARE;
use crate::site::Site;
use crate::step::Step;
use crate::story::{NOW, Sent, Story, UNREADABLE, VALUES, Visit, large};
use crate::telling::{Telling, forgets_vary, tell};
use serde_json::{Value, json};
use signed_session::ExpiryRule;

#[test]
fn both_middlewares_answer_random_stories_alike() {
    let counts = RefCell::new(BTreeMap::<Difference, usize>::new());
    MIDDLEWARE.on_every_django(1, |worker, cases| {
        let tellings = cases.iter_mut().map(|case| Telling {
            title: case.title.clone(),
            story: Story::random(&mut case.random),
        });
        for differences in tell(worker, &tellings.collect::<Vec<_>>()) {
            for difference in differences {
                *counts.borrow_mut().entry(difference).or_default() += 1;
            }
        }
    });
    println!("stories that differ, as they are meant to: {:?}", counts.borrow());
}

#[test]
fn both_answer_alike_for_any_step_cookie_and_status() {
    MIDDLEWARE.with_every_django(|worker| {
        let mut tellings = Vec::new();
        for (cookie, sent) in cookies_without_difference() {
            for step in [vec![]].into_iter().chain(every_step().into_iter().map(|step| vec![step]))
            {
                for (status, save_every_request) in
                    [(404, false), (499, true), (500, false), (503, true)]
                {
                    let site = Site { save_every_request, ..Site::default() };
                    let visit = Visit { cookies: sent.clone(), status, ..Visit::new(step.clone()) };
                    // The second shows what the first has left in the browser.
                    let visits = vec![visit, Visit::new(vec![Step::Key("get", "a")])];
                    let title = format!("{cookie}, Django {}", worker.about.django);
                    tellings.push(Telling { title, story: Story::new(site, visits) });
                }
            }
        }
        for (telling, seen) in tellings.iter().zip(tell(worker, &tellings)) {
            let is_known = |difference: &Difference| {
                matches!(difference, Difference::ForgottenByPop | Difference::VaryForgotten)
            };
            assert!(seen.iter().all(is_known), "{}\n{}{seen:?}", telling.title, telling.story);
        }
    });
}

#[test]
fn both_answer_alike_whatever_the_settings_of_the_cookie() {
    MIDDLEWARE.with_every_django(|worker| {
        let mut tellings = Vec::new();
        for bits in 0..32 {
            let [secure, http_only, browser_close, has_domain, has_path] =
                [0, 1, 2, 3, 4].map(|bit| bits >> bit & 1 == 1);
            for same_site in [Some("Lax"), Some("Strict"), Some("None"), None] {
                let site = Site {
                    name: if bits % 3 == 0 { "__Secure-sessionid" } else { "sessionid" },
                    secure: secure || bits % 3 == 0 || same_site == Some("None"),
                    http_only,
                    browser_close,
                    domain: has_domain.then_some("example.com"),
                    path: if has_path { "/app" } else { "/" },
                    same_site,
                    ..Site::default()
                };
                let title = format!("attributes, Django {}", worker.about.django);
                let visits = [
                    vec![insert("a", json!(1))],
                    vec![set_expiry("number", json!(0))],
                    vec![FLUSH],
                ];
                let story = Story::new(site, visits.map(Visit::new).into());
                tellings.push(Telling { title, story });
            }
        }
        for (telling, seen) in tellings.iter().zip(tell(worker, &tellings)) {
            let is_known = |difference: &Difference| *difference == Difference::SecureRemoval;
            assert!(seen.iter().all(is_known), "{}\n{}{seen:?}", telling.title, telling.story);
        }
    });
}

#[test]
fn each_difference_is_there_and_a_story_without_one_has_none() {
    let stories = stories();
    for difference in Difference::ALL {
        let shown = stories.iter().any(|(.., wanted)| wanted.contains(&difference));
        assert!(shown, "no story for {difference:?}");
    }
    MIDDLEWARE.with_every_django(|worker| {
        let version = worker.about.django.clone();
        let tellings: Vec<Telling> = stories
            .iter()
            .map(|(title, story, _)| Telling {
                title: format!("{title}, Django {version}"),
                story: story.clone(),
            })
            .collect();
        let forgets_vary = forgets_vary(&version);
        for ((telling, (.., wanted)), seen) in
            tellings.iter().zip(&stories).zip(tell(worker, &tellings))
        {
            let is_here = |one: &&Difference| forgets_vary || **one != Difference::VaryForgotten;
            let wanted = wanted.iter().filter(is_here).copied().collect();
            assert_eq!(seen, wanted, "{}\n{}", telling.title, telling.story);
        }
    });
}

const FLUSH: Step = Step::Plain(("flush",));
const GET: Step = Step::Key("get", "a");

fn insert(key: &'static str, value: Value) -> Step {
    Step::Entry("insert", key, value)
}

fn set_expiry(kind: &'static str, value: Value) -> Step {
    Step::Argument("set_expiry", json!([kind, value]))
}

/// Every step that there is, with every kind of argument.
fn every_step() -> Vec<Step> {
    let plain = [
        "keys",
        "len",
        "expiry_age",
        "expiry_date",
        "at_browser_close",
        "test_cookie_worked",
        "delete_test_cookie",
        "remove_all",
        "clear",
        "flush",
        "cycle_key",
        "set_test_cookie",
    ];
    let mut steps: Vec<Step> = plain.map(|name| Step::Plain((name,))).into();
    for key in ["a", "missing"] {
        steps.extend(["get", "contains_key", "remove", "pop"].map(|name| Step::Key(name, key)));
        steps.extend(
            ["insert", "get_or_insert"].map(|name| Step::Entry(name, key, json!("\u{e9}"))),
        );
    }
    steps
        .extend([json!({}), json!({ "b": null })].map(|entries| Step::Argument("extend", entries)));
    let day = 86_400_000_000_i64;
    steps.push(set_expiry("none", json!(null)));
    for seconds in [json!(0), json!(false), json!(0.0), json!(300), json!(-5), json!(1.5)] {
        steps.push(set_expiry("number", seconds));
    }
    for microseconds in [day, 1, 0, -day] {
        steps.push(set_expiry("duration", json!(microseconds)));
        steps.push(set_expiry("offset", json!([NOW * 1000 + microseconds, 0])));
    }
    steps
}

/// Cookies of which both are of one mind, but for what is done in the second of the stamp.
fn cookies_without_difference() -> Vec<(String, Vec<Sent>)> {
    let signed = |json, key, ago| Sent::Signed { json, key, ago };
    let a = r#"{"a":1}"#;
    let site_s = 1_209_600_000;
    let forged = || Sent::Altered(50);
    let named = [
        ("no cookie", vec![]),
        ("other cookies", vec![Sent::Other("sessionid"), Sent::Other("SessionID=12345678")]),
        ("good", vec![signed(a, 0, 60_000)]),
        ("good, with other keys", vec![signed(r#"{"b":1,"testcookie":"worked"}"#, 0, 60_000)]),
        ("good and empty", vec![signed("{}", 0, 60_000)]),
        ("with its own end", vec![signed(r#"{"a":1,"_session_expiry":60}"#, 0, 60_000)]),
        ("of a fallback key", vec![signed(a, 2, 60_000)]),
        ("of the last second", vec![signed(a, 0, site_s)]),
        ("expired", vec![signed(a, 0, site_s + 1000)]),
        ("of another site", vec![signed(a, 3, 60_000)]),
        ("forged", vec![forged()]),
        ("the same twice", vec![Sent::GOOD, Sent::GOOD]),
        ("forged, then good", vec![forged(), Sent::GOOD]),
        ("too short, then good", vec![Sent::Value(b"1234567".into()), Sent::GOOD]),
        ("too short, then forged", vec![Sent::Value(vec![]), forged()]),
        ("between others", vec![Sent::Other("a=b"), Sent::GOOD, Sent::Other("c=d")]),
    ];
    let values = VALUES.iter().map(|value| {
        (format!("{:?}", String::from_utf8_lossy(value)), vec![Sent::Value(value.to_vec())])
    });
    named.map(|(name, sent)| (name.to_owned(), sent)).into_iter().chain(values).collect()
}

/// Stories with the differences that they show.
fn stories() -> Vec<(&'static str, Story, Vec<Difference>)> {
    use Difference as D;

    let site = Site::default;
    let enforcing = || Site { rule: ExpiryRule::Enforce, ..Site::default() };
    let visit = |cookies: Vec<Sent>, steps: Vec<Step>| Visit { cookies, ..Visit::new(steps) };
    let write = || Visit::new(vec![insert("a", json!(1))]);
    let read = || Visit::new(vec![GET]);
    let signed = |json, ago| Sent::Signed { json, key: 0, ago };
    let seconds = |seconds: i64| set_expiry("number", json!(seconds));
    let mut stories = vec![
        ("kept and read", site(), vec![write(), read(), Visit::new(vec![]), read()], vec![]),
        (
            "flushed, and written anew",
            site(),
            vec![
                write(),
                Visit::new(vec![FLUSH]),
                read(),
                write(),
                Visit::new(vec![FLUSH, insert("b", json!(2))]),
                read(),
            ],
            vec![],
        ),
        (
            "flushed while it fails",
            site(),
            vec![write(), Visit { status: 500, ..Visit::new(vec![FLUSH]) }, read()],
            vec![],
        ),
        (
            "flushed, and asked for again",
            site(),
            vec![
                Visit::new(vec![Step::Plain(("cycle_key",)), FLUSH]),
                write(),
                Visit::new(vec![FLUSH, Step::Plain(("cycle_key",))]),
                read(),
            ],
            vec![],
        ),
        (
            "a test cookie comes back",
            site(),
            vec![
                Visit::new(vec![Step::Plain(("set_test_cookie",))]),
                Visit::new(
                    ["test_cookie_worked", "delete_test_cookie"]
                        .map(|name| Step::Plain((name,)))
                        .into(),
                ),
                read(),
            ],
            vec![],
        ),
        (
            "the browser is closed",
            Site { browser_close: true, ..site() },
            vec![
                write(),
                read(),
                Visit { closed: true, ..read() },
                Visit::new(vec![seconds(3600)]),
                Visit { closed: true, ..Visit::new(vec![Step::Plain(("at_browser_close",))]) },
            ],
            vec![],
        ),
        (
            "each goes on with the other's cookie",
            site(),
            vec![
                write(),
                Visit {
                    handed_over: true,
                    ..Visit::new(vec![insert("b", json!("x".repeat(500)))])
                },
                Visit { handed_over: true, ..read() },
            ],
            vec![],
        ),
        (
            "a fallback key's cookie is signed anew when written",
            site(),
            vec![
                visit(vec![Sent::Signed { json: "{}", key: 1, ago: 1000 }], vec![GET]),
                visit(
                    vec![Sent::Signed { json: "{}", key: 1, ago: 1000 }],
                    vec![insert("a", json!(1))],
                ),
                read(),
            ],
            vec![],
        ),
        (
            "an expiry that says nothing is an error",
            site(),
            vec![Visit::new(vec![insert("_session_expiry", json!("soon"))]), read()],
            vec![],
        ),
        (
            "a minute is over",
            enforcing(),
            vec![
                Visit::new(vec![insert("a", json!(1)), seconds(60)]),
                Visit { wait: 3_600_000, ..visit(vec![Sent::Copy], vec![GET]) },
            ],
            vec![D::OverByItsOwnWord],
        ),
        (
            "a minute is over, and nobody minds",
            site(),
            vec![
                Visit::new(vec![insert("a", json!(1)), seconds(60)]),
                Visit { wait: 3_600_000, ..visit(vec![Sent::Copy], vec![GET]) },
            ],
            vec![],
        ),
        (
            "longer than the site's age",
            Site { age: 60, ..enforcing() },
            vec![
                Visit::new(vec![insert("a", json!(1)), seconds(3600)]),
                Visit { wait: 120_000, ..Visit::new(vec![GET, insert("b", json!(1))]) },
            ],
            vec![D::OutlivesTheSite],
        ),
        (
            "too large",
            site(),
            vec![
                write(),
                Visit::new(vec![large(&mut Random::new(1, 1, 1))]),
                Visit { status: 500, ..Visit::new(vec![large(&mut Random::new(1, 1, 1))]) },
                read(),
            ],
            vec![D::Oversized],
        ),
        (
            "two are good",
            site(),
            vec![visit(vec![Sent::GOOD, signed(r#"{"a":2}"#, 1000)], vec![GET])],
            vec![D::TwoAreGood],
        ),
        (
            "good, then forged",
            site(),
            vec![visit(vec![Sent::GOOD, Sent::Altered(50)], vec![GET])],
            vec![D::NotTheLast],
        ),
        (
            "good, then too short",
            site(),
            vec![visit(vec![Sent::GOOD, Sent::Value(b"1234567".into())], vec![])],
            vec![D::NotTheLast],
        ),
        (
            "forged, then too short",
            site(),
            vec![visit(vec![Sent::Altered(50), Sent::Value(b"1234567".into())], vec![])],
            vec![D::NotTheLast],
        ),
        ("sixteen of them", site(), vec![visit(vec![Sent::GOOD; 16], vec![GET])], vec![]),
        (
            "seventeen of them",
            site(),
            vec![visit(vec![Sent::GOOD; 17], vec![GET])],
            vec![D::TooMany],
        ),
        (
            "unreadable, and written",
            site(),
            vec![visit(vec![Sent::Payload("!")], vec![insert("a", json!(1))])],
            vec![],
        ),
        (
            "unreadable, and untouched",
            site(),
            vec![visit(vec![Sent::Payload("!")], vec![])],
            vec![],
        ),
        (
            "without a stamp",
            site(),
            vec![visit(vec![Sent::Body("unstamped")], vec![GET])],
            vec![D::LeftAlone],
        ),
        (
            "unreadable, and all are saved",
            Site { save_every_request: true, ..site() },
            vec![visit(vec![Sent::Payload("!")], vec![GET])],
            vec![D::LeftAlone],
        ),
        (
            "from the future",
            enforcing(),
            vec![visit(vec![signed(r#"{"a":1}"#, -302_000)], vec![GET])],
            vec![D::LeftAlone],
        ),
        (
            "from a clock that is ahead",
            enforcing(),
            vec![visit(vec![signed(r#"{"a":1}"#, -299_000)], vec![GET])],
            vec![],
        ),
        (
            "from the future, and nobody minds",
            site(),
            vec![visit(vec![signed(r#"{"a":1}"#, -1_000_000_000)], vec![GET])],
            vec![],
        ),
        (
            "a Secure cookie is removed",
            Site { secure: true, ..site() },
            vec![write(), Visit::new(vec![FLUSH])],
            vec![D::SecureRemoval],
        ),
        (
            "a name that means Secure",
            Site { name: "__Host-sessionid", ..site() },
            vec![write()],
            vec![D::BrowsersInsist],
        ),
        (
            "a name that means HttpOnly",
            Site { name: "__Http-sessionid", secure: true, http_only: false, ..site() },
            vec![write()],
            vec![D::BrowsersInsist],
        ),
        (
            "SameSite=None means Secure",
            Site { same_site: Some("None"), ..site() },
            vec![write()],
            vec![D::BrowsersInsist],
        ),
        (
            "nothing is said of caches",
            site(),
            vec![Visit { headers: vec![], ..write() }],
            vec![D::Private],
        ),
        (
            "in quotes",
            site(),
            vec![visit(vec![Sent::Quoted(Box::new(Sent::GOOD))], vec![GET])],
            vec![D::Quotes],
        ),
        (
            "in quotes, and too short without",
            site(),
            vec![visit(vec![Sent::Quoted(Box::new(Sent::Value(b"1234567".into())))], vec![])],
            vec![D::Quotes],
        ),
        (
            "the same in the same second",
            site(),
            vec![write(), Visit { wait: 400, ..write() }],
            vec![D::SameSecond],
        ),
        (
            "the same in the next second",
            site(),
            vec![write(), Visit { wait: 500, ..write() }],
            vec![],
        ),
        (
            "after other white space",
            site(),
            vec![visit(vec![Sent::AfterOtherSpace], vec![GET])],
            vec![D::OtherSpace],
        ),
        (
            "a leading dot",
            Site { domain: Some(".example.com"), ..site() },
            vec![write(), Visit::new(vec![FLUSH])],
            vec![D::LeadingDot],
        ),
        (
            "over before 1970",
            site(),
            vec![Visit::new(vec![set_expiry("offset", json!([-1_000_000_000_000_i64, 0]))])],
            vec![D::BeforeItAll],
        ),
        (
            "a pop comes first",
            site(),
            vec![visit(vec![Sent::Altered(50)], vec![Step::Key("pop", "a")])],
            vec![D::ForgottenByPop],
        ),
        (
            "a pop comes second",
            site(),
            vec![visit(vec![Sent::Altered(50)], vec![GET, Step::Key("pop", "a")])],
            vec![],
        ),
        (
            "saved though nobody asked",
            Site { save_every_request: true, ..site() },
            vec![visit(vec![Sent::GOOD], vec![])],
            vec![D::VaryForgotten],
        ),
    ];
    for payload in UNREADABLE {
        let visits = vec![visit(vec![Sent::Payload(payload)], vec![GET])];
        stories.push(("unreadable", site(), visits, vec![D::LeftAlone]));
    }
    let told = stories.into_iter();
    told.map(|(title, site, visits, wanted)| (title, Story::new(site, visits), wanted)).collect()
}
