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
        let mut is_valid = Vec::new();
        for (cookie, sent, valid) in cookies() {
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
                    is_valid.push(valid);
                }
            }
        }
        let seen = tell(worker, &tellings);
        for ((telling, is_valid), seen) in tellings.iter().zip(is_valid).zip(seen) {
            let is_known = |difference: &Difference| match difference {
                Difference::LeftAlone => !is_valid,
                difference => *difference == Difference::VaryForgotten,
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

/// The length of a token that fills a cookie named `sessionid`. Another zlib than Python's makes
/// some of them larger by a few bytes.
const LARGEST: usize = if cfg!(feature = "zlib") { 4084 } else { 4060 };

/// The length of a token that may be read, and that no cookie of the long name holds.
const LARGER: usize = 4080;

const LONG_NAME: &str = "sessionid-of-a-site-that-gives-its-cookies-very-long-names";

fn clear() -> Step {
    Step::Plain(("clear",))
}

fn remove(key: &'static str) -> Step {
    Step::Key("remove", key)
}

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

/// Cookies that are for Django what they are here, and whether they come to a session, or to none
/// because there is none. Any other is left alone here.
fn cookies() -> Vec<(String, Vec<Sent>, bool)> {
    let signed = |json, key, ago| Sent::Signed { json, key, ago };
    let a = r#"{"a":1}"#;
    let site_s = 1_209_600_000;
    let forged = || Sent::Altered(50);
    let named = [
        ("no cookie", vec![], true),
        ("other cookies", vec![Sent::Other("sessionid"), Sent::Other("SessionID=12345678")], true),
        ("good", vec![signed(a, 0, 60_000)], true),
        (
            "good, with other keys",
            vec![signed(r#"{"b":1,"testcookie":"worked"}"#, 0, 60_000)],
            true,
        ),
        ("good and empty", vec![signed("{}", 0, 60_000)], true),
        ("good, in quotes", vec![Sent::GOOD.quoted()], true),
        ("with its own end", vec![signed(r#"{"a":1,"_session_expiry":60}"#, 0, 60_000)], true),
        ("of a fallback key", vec![signed(a, 2, 60_000)], true),
        ("of the last second", vec![signed(a, 0, site_s - 500)], true),
        ("expired", vec![signed(a, 0, site_s + 1000)], false),
        ("of another site", vec![signed(a, 3, 60_000)], false),
        ("unreadable", vec![Sent::Payload("!")], false),
        ("forged", vec![forged()], false),
        ("forged, in quotes", vec![forged().quoted()], false),
        ("forged, with other colons", vec![forged().colons("%3A")], false),
        ("the same twice", vec![Sent::GOOD, Sent::GOOD], true),
        ("forged, then good", vec![forged(), Sent::GOOD], true),
        ("too short, then good", vec![Sent::Value(b"1234567".into()), Sent::GOOD], true),
        ("too short, then forged", vec![Sent::Value(vec![]), forged()], false),
        ("between others", vec![Sent::Other("a=b"), Sent::GOOD, Sent::Other("c=d")], true),
    ];
    let values = VALUES.iter().filter(|value| !value.starts_with(b"%")).map(|value| {
        (format!("{:?}", String::from_utf8_lossy(value)), vec![Sent::Value(value.to_vec())], false)
    });
    named
        .map(|(name, sent, valid)| (name.to_owned(), sent, valid))
        .into_iter()
        .chain(values)
        .collect()
}

/// Stories with the differences that they show.
fn stories() -> Vec<(&'static str, Story, Vec<Difference>)> {
    use Difference as D;

    let site = Site::default;
    let saving = || Site { save_every_request: true, ..Site::default() };
    let saving_long = || Site { name: LONG_NAME, ..saving() };
    let enforcing = || Site { rule: ExpiryRule::Enforce, ..Site::default() };
    let visit = |cookies: Vec<Sent>, steps: Vec<Step>| Visit { cookies, ..Visit::new(steps) };
    let write = || Visit::new(vec![insert("a", json!(1))]);
    let read = || Visit::new(vec![GET]);
    let signed = |json, ago| Sent::Signed { json, key: 0, ago };
    let soon = || signed(r#"{"a":1,"_session_expiry":"soon"}"#, 60_000);
    let forged = || Sent::Altered(50);
    let short = || Sent::Value(b"1234567".into());
    let expired = || signed(r#"{"a":1}"#, 1_209_601_000);
    let seconds = |seconds: i64| set_expiry("number", json!(seconds));
    let mut stories = vec![
        ("kept and read", site(), vec![write(), read(), Visit::new(vec![]), read()], vec![]),
        (
            "flushed, and written again",
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
            "a fallback key's cookie is signed with the first key when written",
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
            "an expiry that says nothing is an error once the session is changed",
            site(),
            vec![visit(vec![soon()], vec![GET]), visit(vec![soon()], vec![insert("b", json!(2))])],
            vec![],
        ),
        (
            "an expiry without a value does not fail a page that only reads",
            saving(),
            vec![visit(vec![soon()], vec![GET]), visit(vec![soon()], vec![])],
            vec![D::LeftOut],
        ),
        (
            "an expiry that says nothing is refused where it counts",
            enforcing(),
            vec![visit(vec![soon()], vec![GET])],
            vec![D::OnlyDjangoReads],
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
            "of the largest size",
            saving(),
            vec![
                visit(vec![Sent::Sized(LARGEST)], vec![]),
                visit(vec![Sent::Sized(LARGEST)], vec![Step::Plain(("len",))]),
                visit(vec![Sent::Sized(LARGEST)], vec![insert("b", json!(1)), remove("b")]),
            ],
            vec![D::VaryForgotten],
        ),
        (
            "larger than that, and read",
            saving_long(),
            vec![visit(vec![Sent::Sized(LARGER)], vec![Step::Plain(("len",))]), read()],
            vec![D::LeftOut],
        ),
        (
            "larger than that, and untouched",
            saving_long(),
            vec![visit(vec![Sent::Sized(LARGER)], vec![])],
            vec![D::LeftOut],
        ),
        (
            "larger than that, and nothing is saved",
            saving_long(),
            vec![Visit { status: 500, ..visit(vec![Sent::Sized(LARGER)], vec![GET]) }],
            vec![],
        ),
        (
            "larger than that, and changed",
            saving_long(),
            vec![visit(vec![Sent::Sized(LARGER)], vec![insert("b", json!(1))])],
            vec![D::Oversized],
        ),
        (
            "larger than that, and changed back",
            Site { name: LONG_NAME, ..site() },
            vec![visit(vec![Sent::Sized(LARGER)], vec![insert("b", json!(1)), remove("b")])],
            vec![D::Oversized],
        ),
        (
            "larger than that, and made smaller",
            saving_long(),
            vec![visit(vec![Sent::Sized(LARGER)], vec![insert("a", json!(1))]), read()],
            vec![],
        ),
        (
            "larger than that, and flushed",
            saving_long(),
            vec![visit(vec![Sent::Sized(LARGER)], vec![FLUSH]), read()],
            vec![],
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
            vec![visit(vec![Sent::GOOD, forged()], vec![GET])],
            vec![D::NotTheLast],
        ),
        (
            "good, then too short",
            site(),
            vec![visit(vec![Sent::GOOD, short()], vec![])],
            vec![D::NotTheLast],
        ),
        (
            "forged, then too short",
            site(),
            vec![visit(vec![forged(), short()], vec![])],
            vec![D::LeftAlone],
        ),
        (
            "forged, then too short, and cleared",
            site(),
            vec![visit(vec![forged(), short()], vec![clear()])],
            vec![D::NotTheLast],
        ),
        (
            "two are good, and all are saved",
            saving(),
            vec![visit(vec![Sent::GOOD, signed(r#"{"a":2}"#, 1000)], vec![])],
            vec![D::LeftAlone],
        ),
        (
            "two are good, and written",
            saving(),
            vec![visit(vec![Sent::GOOD, signed(r#"{"a":2}"#, 1000)], vec![insert("b", json!(1))])],
            vec![D::TwoAreGood],
        ),
        (
            "two are good, and flushed",
            saving(),
            vec![visit(vec![Sent::GOOD, signed(r#"{"a":2}"#, 1000)], vec![FLUSH]), write()],
            vec![],
        ),
        (
            "seventeen of them, and all are saved",
            saving(),
            vec![visit(vec![Sent::GOOD; 17], vec![])],
            vec![D::LeftAlone],
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
            saving(),
            vec![visit(vec![Sent::Payload("!")], vec![GET])],
            vec![D::LeftAlone],
        ),
        (
            "from the future",
            enforcing(),
            vec![visit(vec![signed(r#"{"a":1}"#, -302_000)], vec![GET])],
            vec![D::OnlyDjangoReads],
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
            vec![write(), Visit::new(vec![FLUSH])],
            vec![D::BrowsersInsist],
        ),
        (
            "a name that means HttpOnly, in any case",
            Site { name: "__hOST-hTTP-sessionid", http_only: false, ..site() },
            vec![Visit { wait: 1_209_600_000, ..visit(vec![Sent::GOOD], vec![FLUSH]) }],
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
            vec![visit(vec![forged()], vec![Step::Key("pop", "a")])],
            vec![],
        ),
        (
            "a pop comes second",
            site(),
            vec![visit(vec![forged()], vec![GET, Step::Key("pop", "a")])],
            vec![D::LeftAlone],
        ),
        (
            "saved though nobody asked",
            saving(),
            vec![visit(vec![Sent::GOOD], vec![])],
            vec![D::VaryForgotten],
        ),
    ];
    for payload in UNREADABLE {
        let visits = vec![visit(vec![Sent::Payload(payload)], vec![GET])];
        // Django reads what is JSON, or fails because it is not an object.
        let is_json = ["W10", "MQ", "eyJhIjpOYU59"].contains(payload);
        let why = if is_json { D::OnlyDjangoReads } else { D::LeftAlone };
        stories.push(("unreadable", site(), visits, vec![why]));
    }

    // A late answer to a request with such a cookie must not replace what another has set.
    let refused: [fn() -> Sent; 8] = [
        || Sent::Altered(50),
        || Sent::Signed { json: r#"{"a":1}"#, key: 3, ago: 60_000 },
        || Sent::Signed { json: r#"{"a":1}"#, key: 0, ago: 1_209_601_000 },
        || Sent::Payload("!"),
        || Sent::Body("unstamped"),
        || Sent::Value(b"1234567".into()),
        || Sent::Value(vec![]),
        || Sent::Altered(50).quoted(),
    ];
    for sent in refused {
        for (what, steps, is_changed) in [
            ("untouched", vec![], false),
            ("read", vec![GET], false),
            ("read in vain", vec![remove("a"), Step::Key("pop", "a")], false),
            ("written", vec![insert("a", json!(1))], true),
            ("flushed", vec![FLUSH], true),
        ] {
            let visits = vec![visit(vec![sent()], steps), Visit { handed_over: true, ..read() }];
            // A change is saved as by Django. Without one it replaces or deletes the cookie.
            let wanted = if is_changed { vec![] } else { vec![D::LeftAlone] };
            stories.push((what, saving(), visits, wanted));
        }
    }

    // Tokens as clients spell them, and others that look like these.
    let good = || Sent::GOOD;
    let other = || Sent::Signed { json: r#"{"a":2}"#, key: 0, ago: 1000 };
    let respelled = |sent: Sent, from, to, times| Sent::Respelled(Box::new(sent), from, to, times);
    let around = |before, sent: Sent, after| Sent::Around(before, Box::new(sent), after);
    let dotted = || Sent::Signed {
        json: r#"{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
        key: 0,
        ago: 1000,
    };
    let spelled = [
        ("in quotes", vec![good().quoted()], vec![]),
        ("with %3A", vec![good().colons("%3A")], vec![D::PercentColons]),
        ("with %3a", vec![good().colons("%3a")], vec![D::PercentColons]),
        ("with one %3A", vec![respelled(good(), ":", "%3A", 1)], vec![D::PercentColons]),
        (
            "with one of each",
            vec![respelled(good(), ":", "%3a", 1).colons("%3A")],
            vec![D::PercentColons],
        ),
        ("with %3A in quotes", vec![good().colons("%3A").quoted()], vec![D::PercentColons]),
        ("compressed, in quotes", vec![dotted().quoted()], vec![]),
        ("compressed, with %3A", vec![dotted().colons("%3A")], vec![D::PercentColons]),
        ("the same with and without quotes", vec![good(), good().quoted()], vec![]),
        ("the same without and with quotes", vec![good().quoted(), good()], vec![]),
        ("the same with %3A first", vec![good().colons("%3A"), good()], vec![]),
        (
            "the same in three spellings",
            vec![good(), good().quoted(), good().colons("%3a")],
            vec![D::PercentColons],
        ),
        ("forged, then good in quotes", vec![forged(), good().quoted()], vec![]),
        ("good with %3A, then forged", vec![good().colons("%3A"), forged()], vec![D::NotTheLast]),
        ("expired in quotes, then good", vec![expired().quoted(), good()], vec![]),
        ("two in quotes", vec![good().quoted(), other().quoted()], vec![D::TwoAreGood]),
        ("two, one in quotes", vec![good(), other().quoted()], vec![D::TwoAreGood]),
        ("two, one with %3A", vec![other(), good(), other().colons("%3A")], vec![D::LeftAlone]),
        ("two, the first with %3A", vec![other().colons("%3A"), good()], vec![D::TwoAreGood]),
        ("a quote before", vec![around("\"", good(), "")], vec![D::LeftAlone]),
        ("a quote after", vec![around("", good(), "\"")], vec![D::LeftAlone]),
        (
            "a quote before, with %3A",
            vec![around("\"", good().colons("%3A"), "")],
            vec![D::LeftAlone],
        ),
        ("two pairs of quotes", vec![good().quoted().quoted()], vec![D::LeftAlone]),
        ("quotes within", vec![good().colons("\":\"")], vec![D::LeftAlone]),
        ("quotes within quotes", vec![good().colons("\":\"").quoted()], vec![D::LeftAlone]),
        ("a space in quotes", vec![around("\" ", good(), "\"")], vec![D::LeftAlone]),
        ("an escape in quotes", vec![good().colons("\\072").quoted()], vec![D::Quotes]),
        ("a needless escape in quotes", vec![good().colons("\\:").quoted()], vec![D::Quotes]),
        ("quotes as %22", vec![around("%22", good(), "%22")], vec![D::LeftAlone]),
        ("%2E", vec![respelled(dotted(), ".", "%2E", 1)], vec![D::LeftAlone]),
        (
            "%2E, with %3A",
            vec![respelled(dotted().colons("%3A"), ".", "%2E", 1)],
            vec![D::LeftAlone],
        ),
        ("%253A", vec![good().colons("%253A")], vec![D::LeftAlone]),
        ("%65", vec![respelled(good(), "e", "%65", 1)], vec![D::LeftAlone]),
        ("half of %3A", vec![good().colons("%3")], vec![D::LeftAlone]),
    ];
    for (title, cookies, wanted) in spelled {
        // The second goes on with what the first has left.
        let visits = vec![visit(cookies, vec![GET]), Visit::new(vec![GET])];
        stories.push((title, site(), visits, wanted));
    }
    for (title, value, steps, wanted) in [
        ("short in quotes", "\"1234567\"", vec![clear()], vec![]),
        ("short in quotes, and not a token", "\"12 4567\"", vec![clear()], vec![D::Quotes]),
        ("short with %3A", "%3A34567", vec![clear()], vec![D::PercentColons]),
        ("long with %3A", "%3A3456789", vec![clear()], vec![]),
        ("as long as a token, and not one", "%3A%345678", vec![clear()], vec![]),
    ] {
        let visits = vec![visit(vec![Sent::Value(value.into())], steps)];
        stories.push((title, site(), visits, wanted));
    }
    let told = stories.into_iter();
    told.map(|(title, site, visits, wanted)| (title, Story::new(site, visits), wanted)).collect()
}
