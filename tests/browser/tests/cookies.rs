//! Checks that Chromium keeps every cookie that this library sets, and drops it when it is removed.
//!
//! The oracle is the `Cookie:` header of Chromium's next request.

use signed_session::django::{Level, Message, MessageStorage, SignedCookie};
use signed_session::{
    ConfigError, Cookie, CookieOptions, Keyring, SameSite, Session, SessionCodec, SessionManager,
};
use signed_session_browser_tests::{Chromium, Origin};

/// The host that is visited, and the domain that it is in.
///
/// Not `localhost` itself, where Chromium treats `Domain=localhost` as no `Domain` at all.
const HOST: &str = "shop.example.localhost";
const DOMAIN: &str = "example.localhost";

/// Below both of the paths that cookies are given here.
const PAGE: &str = "/app/page";

/// How names begin: with each prefix that browsers know, in several spellings, and with none.
const PREFIXES: [&str; 11] = [
    "sid",
    "!#$%&'*+-.^_`|~",
    "__Secure-",
    "__SECURE-",
    "__Host-",
    "__HOST-",
    "__Http-",
    "__hTTP-",
    "__Host-Http-",
    "__host-HTTP-",
    // Not a prefix: only an underscore stands where the hyphen is to be.
    "__Http_",
];

/// How many cookies are set at a time: Chromium keeps 180 of a site, and 10 KiB of partitioned ones.
const BATCH: usize = 100;

fn ring() -> Keyring {
    Keyring::new("example-only-correct-horse-battery-staple").expect("it is not blank")
}

// What this library sets and removes.

/// One of the parts of the library that set cookies.
enum Source {
    Session(SessionManager),
    SignedCookie(SignedCookie),
    Messages(MessageStorage),
}

impl Source {
    const ALL: [fn(CookieOptions) -> Self; 3] = [
        |options| Self::Session(SessionManager::new(SessionCodec::new(&ring()), options)),
        |options| Self::SignedCookie(SignedCookie::new(&ring(), options, "")),
        |options| Self::Messages(MessageStorage::cookie(&ring(), options)),
    ];

    /// Returns the cookie that a first request leads to.
    fn set(&self) -> String {
        let cookie = match self {
            Self::Session(manager) => {
                let mut session = manager.load([""; 0]);
                session.insert("user", "ada").expect("it is JSON");
                manager.commit(&session, 200).expect("it fits").set_cookie
            }
            Self::SignedCookie(cookie) => Some(cookie.cookie("ada").expect("it fits")),
            Self::Messages(storage) => {
                let mut messages = storage.load([""; 0]);
                messages.add(Message::new(Level::INFO, "ada"));
                let stored = messages.commit(&mut Session::new()).expect("it fits");
                stored.reply.set_cookie
            }
        };
        cookie.expect("something was stored").to_string()
    }

    /// Returns the cookie that ends what came in these, or `None` if nothing did.
    fn remove(&self, cookies: &str) -> Option<String> {
        let removal = match self {
            Self::Session(manager) => {
                let mut session = manager.load([cookies]);
                let user = session.get::<&str>("user").expect("it is text");
                assert_eq!(user?, "ada");
                session.flush();
                manager.commit(&session, 200).expect("a removal fits").set_cookie
            }
            Self::SignedCookie(cookie) => {
                let value = cookie.read([cookies]).expect("it is genuine");
                assert_eq!(value?, "ada");
                Some(cookie.removal())
            }
            Self::Messages(storage) => {
                let mut messages = storage.load([cookies]);
                let mut session = Session::new();
                let shown = messages.show(&session).expect("they are genuine");
                assert_eq!(shown.first()?.text, "ada");
                messages.commit(&mut session).expect("a removal fits").reply.set_cookie
            }
        };
        Some(removal.expect("what came is removed").to_string())
    }
}

/// A cookie under a name of its own.
struct Case {
    source: Source,
    options: CookieOptions,
}

/// Returns each source with each combination of options that can be built.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for prefix in PREFIXES {
        let mut count = 0;
        for number in 0..128_usize {
            let has = |bit: usize| number >> bit & 1 == 1;
            let same_site =
                [None, Some(SameSite::Lax), Some(SameSite::Strict), Some(SameSite::None)];
            let build = |name: String| {
                let mut options = CookieOptions::new(&name)?
                    .secure(has(0))
                    .http_only(has(1))
                    .partitioned(has(2))
                    .same_site(same_site[number >> 3 & 3]);
                if has(5) {
                    options = options.path("/app")?;
                }
                if has(6) {
                    options = options.domain(DOMAIN)?;
                }
                Ok::<_, ConfigError>(options)
            };
            for (index, source) in Source::ALL.iter().enumerate() {
                let Ok(options) = build(format!("{prefix}{number}.{index}")) else { continue };
                cases.push(Case { source: source(options.clone()), options });
                count += 1;
            }
        }
        // A `__Host-` cookie has neither a path nor a domain of its own: a quarter is left.
        let is_bound = prefix.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("__host-"));
        assert_eq!(count, if is_bound { 96 } else { 384 }, "{prefix}");
    }
    cases
}

#[test]
fn chromium_keeps_and_drops_cookies_of_every_kind() {
    let (chromium, origin) = (Chromium::start(), Origin::start(HOST));
    let visitor = chromium.visitor();
    let mut faults = Vec::new();
    for batch in cases().chunks(BATCH) {
        origin.visit(&visitor, PAGE, |_| batch.iter().map(|case| case.source.set()).collect());
        origin.visit(&visitor, PAGE, |cookies| {
            let removals = batch.iter().filter_map(|case| {
                let removal = case.source.remove(cookies);
                if removal.is_none() {
                    faults.push(format!("never came: {}", case.source.set()));
                }
                removal
            });
            removals.collect()
        });
        origin.visit(&visitor, PAGE, |cookies| {
            for case in batch.iter().filter(|case| case.options.find(cookies).next().is_some()) {
                faults.push(format!("is still there after {}", case.options.removal()));
            }
            // What is left would count against the next.
            batch.iter().map(|case| removal_of_all(&case.options)).collect()
        });
    }
    let count = faults.len();
    faults.truncate(20);
    assert!(faults.is_empty(), "{count} cookies:\n{}", faults.join("\n"));
}

/// Returns a removal that no browser refuses, whatever the options leave out.
fn removal_of_all(options: &CookieOptions) -> String {
    let mut removal = options.removal();
    removal.set_secure(true);
    removal.set_http_only(true);
    removal.to_string()
}

// What Chromium insists on.

/// A change of one attribute, which some names do not allow.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Nothing,
    WithoutSecure,
    WithoutHttpOnly,
    OtherPath,
    WithDomain,
}

const CHANGES: [Change; 5] = [
    Change::Nothing,
    Change::WithoutSecure,
    Change::WithoutHttpOnly,
    Change::OtherPath,
    Change::WithDomain,
];

impl Change {
    fn apply(self, mut cookie: Cookie<'static>) -> Cookie<'static> {
        match self {
            Self::Nothing => {}
            Self::WithoutSecure => cookie.set_secure(false),
            Self::WithoutHttpOnly => cookie.set_http_only(false),
            Self::OtherPath => cookie.set_path("/app"),
            Self::WithDomain => cookie.set_domain(DOMAIN),
        }
        cookie
    }
}

/// Returns the changes after which Chromium refuses a cookie whose name begins with `prefix`.
fn refused_changes(prefix: &str) -> &'static [Change] {
    use Change::{OtherPath, WithDomain, WithoutHttpOnly, WithoutSecure};
    match prefix.to_ascii_lowercase().as_str() {
        "__secure-" => &[WithoutSecure],
        "__host-" => &[WithoutSecure, OtherPath, WithDomain],
        "__http-" => &[WithoutSecure, WithoutHttpOnly],
        "__host-http-" => &[WithoutSecure, WithoutHttpOnly, OtherPath, WithDomain],
        _ => &[],
    }
}

/// Returns the options of a cookie for each prefix and each change.
fn changed_cookies() -> Vec<(&'static str, Change, CookieOptions)> {
    let options = |name: String| CookieOptions::new(&name).expect("it is a token");
    let of =
        |prefix| CHANGES.map(|change| (prefix, change, options(format!("{prefix}{change:?}"))));
    PREFIXES.into_iter().flat_map(of).collect()
}

fn cookie(options: &CookieOptions) -> Cookie<'static> {
    SignedCookie::new(&ring(), options.clone(), "").cookie("ada").expect("it fits")
}

#[test]
fn chromium_keeps_no_cookie_without_what_its_name_demands() {
    let (chromium, origin) = (Chromium::start(), Origin::start(HOST));
    let visitor = chromium.visitor();
    let cookies = changed_cookies();
    origin.visit(&visitor, PAGE, |_| {
        let set = |(_, change, options): &(_, Change, _)| change.apply(cookie(options)).to_string();
        cookies.iter().map(set).collect()
    });
    origin.visit(&visitor, PAGE, |sent| {
        for (prefix, change, options) in &cookies {
            let is_kept = options.find(sent).next().is_some();
            assert_eq!(is_kept, !refused_changes(prefix).contains(change), "{prefix} {change:?}");
        }
        Vec::new()
    });
}

#[test]
fn chromium_heeds_no_removal_without_what_its_name_demands() {
    let (chromium, origin) = (Chromium::start(), Origin::start(HOST));
    let visitor = chromium.visitor();
    let cookies = changed_cookies();
    origin.visit(&visitor, PAGE, |_| {
        cookies.iter().map(|(_, _, options)| cookie(options).to_string()).collect()
    });
    origin.visit(&visitor, PAGE, |sent| {
        let removal = |(prefix, change, options): &(_, Change, CookieOptions)| {
            assert!(options.find(sent).next().is_some(), "{prefix} {change:?}");
            change.apply(options.removal()).to_string()
        };
        cookies.iter().map(removal).collect()
    });
    origin.visit(&visitor, PAGE, |sent| {
        for (prefix, change, options) in &cookies {
            let is_there = options.find(sent).next().is_some();
            // With another path or domain it is the removal of another cookie.
            let is_another = matches!(change, Change::OtherPath | Change::WithDomain);
            let is_refused = refused_changes(prefix).contains(change);
            assert_eq!(is_there, is_another || is_refused, "{prefix} {change:?}");
        }
        Vec::new()
    });
}

#[test]
fn chromium_demands_secure_of_partitioned_and_of_samesite_none() {
    let (chromium, origin) = (Chromium::start(), Origin::start(HOST));
    let visitor = chromium.visitor();
    let options = |name| CookieOptions::new(name).expect("it is a token");
    let cookies = [
        options("partitioned").partitioned(true),
        options("none").same_site(SameSite::None),
        options("strict").same_site(SameSite::Strict),
    ];
    // The crate `cookie` writes `Secure` for partitioned ones even when it is told not to.
    let set = |options| cookie(options).to_string().replace("; Secure", "");
    origin.visit(&visitor, PAGE, |_| cookies.iter().map(set).collect());
    origin.visit(&visitor, PAGE, |sent| {
        let names: Vec<&str> = sent.split(';').filter_map(|pair| pair.split('=').next()).collect();
        assert_eq!(names, ["strict"]);
        Vec::new()
    });
}

#[test]
fn chromium_removes_a_partitioned_cookie_only_as_such() {
    let (chromium, origin) = (Chromium::start(), Origin::start(HOST));
    let visitor = chromium.visitor();
    let former = CookieOptions::new("sid").expect("it is a token");
    let partitioned = former.clone().partitioned(true);
    let count = |expected: usize, set: Vec<Cookie<'_>>| {
        origin.visit(&visitor, PAGE, |sent| {
            assert_eq!(former.find(sent).count(), expected, "{sent}");
            set.iter().map(Cookie::to_string).collect()
        });
    };
    count(0, vec![cookie(&former), cookie(&partitioned)]);
    count(2, vec![former.removal()]);
    count(1, vec![former.removal()]);
    count(1, vec![partitioned.removal()]);
    count(0, vec![]);
}
