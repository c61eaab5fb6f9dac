//! The table in the documentation of `SessionManager`, row by row, with everything that it covers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use signed_session::{CookieOptions, Keyring, Reply, Session, SessionCodec, SessionManager};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);
const RETIRED: &str = "the key that was in use before, for the tests";
const MINUTE: Duration = Duration::from_secs(60);

fn ring() -> Keyring {
    Keyring::new("a passphrase of the tests of the table").unwrap().fallback(RETIRED).unwrap()
}

fn options(name: &str) -> CookieOptions {
    CookieOptions::new(name).unwrap()
}

fn manager() -> SessionManager {
    SessionManager::new(SessionCodec::new(&ring()), options("sessionid"))
}

/// A token with one entry, signed by this ring at this age.
fn token(ring: &Keyring, age: Duration) -> String {
    let mut session = Session::new();
    session.insert("user", "ada").unwrap();
    SessionCodec::new(ring).encode_at(&session, NOW - age).unwrap()
}

/// What a row says of the cookie, as headers that are of that kind.
fn cookies(words: &str) -> Vec<(&'static str, String)> {
    let day = MINUTE * 60 * 24;
    let valid = token(&ring(), MINUTE);
    let none = vec![("none", String::new()), ("none", "theme=dark; SESSIONID=12345678".to_owned())];
    let good = vec![("valid", format!("sessionid={valid}"))];
    let fallback =
        vec![("fallback", format!("sessionid={}", token(&Keyring::new(RETIRED).unwrap(), MINUTE)))];
    let former = vec![
        ("former", format!("sid={valid}")),
        ("former", format!("sessionid=forged:1r31eq:forged; sid={valid}")),
        ("former", format!("sid={valid}; sessionid=short")),
    ];
    let refused = [
        ("forged", "sessionid=forged:1r31eq:forged".to_owned()),
        ("no token", "sessionid=12345678".to_owned()),
        ("tampered", format!("sessionid={}", valid.replace('e', "f"))),
        ("expired", format!("sessionid={}", token(&ring(), day * 15))),
        ("of the future", {
            let session = Session::new();
            let token = SessionCodec::new(&ring()).encode_at(&session, NOW + day).unwrap();
            format!("sessionid={token}")
        }),
        ("of another key", {
            let other = Keyring::new("a key that is not in the ring of the tests").unwrap();
            format!("sessionid={}", token(&other, MINUTE))
        }),
        ("too long", format!("sessionid={}", "x".repeat(5000))),
        ("too short", "sessionid=1234567".to_owned()),
        ("empty", "sessionid=".to_owned()),
        ("empty in quotes", "sessionid=\"\"".to_owned()),
        ("many", "sessionid=forged:1r31eq:forged; ".repeat(17)),
        ("ambiguous", format!("sessionid={valid}; sessionid={}", token(&ring(), MINUTE * 2))),
    ];
    match words {
        "none" => none,
        "valid" => good,
        "without a recorded start" => good,
        "signed with a fallback key" => fallback,
        "with a former name" => former,
        "valid, and one with a former name" => {
            vec![
                ("both", format!("sid={}; sessionid={valid}", token(&ring(), MINUTE * 3))),
                ("both", format!("sessionid={valid}; sid=forged:1r31eq:forged")),
            ]
        }
        "two with equal entries" => {
            vec![("two", format!("sessionid={valid}; sessionid={}", token(&ring(), MINUTE * 2)))]
        }
        "two with different entries" => {
            let other = SessionCodec::new(&ring()).encode_at(&Session::new(), NOW).unwrap();
            vec![("two", format!("sessionid={valid}; sessionid={other}"))]
        }
        "refused, expired or too short" => refused.to_vec(),
        "valid, refused, expired or too short" => [good, fallback, refused.to_vec()].concat(),
        "any" => [none, good, fallback, former, refused.to_vec()].concat(),
        other => panic!("no such cookie: {other}"),
    }
}

/// What a row says of the settings, as managers with these.
fn managers(words: &str) -> Vec<(&'static str, SessionManager)> {
    let refresh = ("refresh_after", manager().refresh_after(MINUTE / 2));
    let reissue = ("reissue_under_primary", manager().reissue_under_primary(true));
    let retire = ("retire", manager().retire(options("sid")));
    let save = ("save_every_request", manager().save_every_request(true));
    let attributes =
        ("retire", manager().retire(options("sessionid").domain("example.com").unwrap()));
    let tracked = SessionCodec::new(&ring()).track_start(true);
    let track = ("track_start", SessionManager::new(tracked, options("sessionid")));
    match words {
        "none" => vec![("no setting", manager())],
        "`refresh_after`, and the token is older" => vec![refresh],
        "`reissue_under_primary`" => vec![reissue],
        "`retire`" => vec![retire],
        "`retire` with other attributes" => vec![attributes],
        "`save_every_request`" => vec![save],
        "`track_start`" => vec![track],
        "any but `retire` with other attributes" => vec![refresh, reissue, retire, save, track],
        "any" => vec![refresh, reissue, retire, save, track, attributes],
        other => panic!("no such setting: {other}"),
    }
}

fn program(words: &str) -> fn(&mut Session) {
    match words {
        "does nothing" => |_| (),
        "reads" => |session| drop(session.get::<String>("user")),
        "writes" => |session| session.insert("cart", ["pears"]).unwrap(),
        "flushes" => Session::flush,
        other => panic!("no such program: {other}"),
    }
}

/// What a reply sends, in the words of the table.
fn sent(reply: &Reply) -> String {
    let removals = reply.removals.iter().inspect(|cookie| {
        let is_former = cookie.name() == "sid" || cookie.domain() == Some("example.com");
        assert!(is_former && cookie.value().is_empty(), "{cookie}");
    });
    let former = removals.map(|_| "a removal of the former");
    let ours = reply.set_cookie.iter().map(|cookie| {
        assert_eq!(cookie.name(), "sessionid");
        if cookie.value().is_empty() { "a removal" } else { "the session" }
    });
    ours.chain(former).collect::<Vec<_>>().join(", and ")
}

#[test]
fn the_table_of_the_manager_is_true() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manager.rs");
    let source = fs::read_to_string(source).unwrap();
    let mut rows = source
        .lines()
        .filter_map(|line| line.strip_prefix("/// | ")?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    assert_eq!(rows.next().unwrap(), ["cookie", "program", "setting", "`Set-Cookie`", "`Vary`"]);
    let rows: Vec<Vec<&str>> = rows.collect();
    assert!(rows.len() >= 12, "the table has become short: {rows:?}");
    for row in &rows {
        let [cookie, does, setting, set_cookie, vary] = row[..] else { panic!("{row:?}") };
        for (what, header) in cookies(cookie) {
            for (name, manager) in managers(setting) {
                let at = format!("{row:?}: {what}, {name}: {header:.60}");
                let run = |status| {
                    let mut session = manager.load_at([&header], NOW);
                    program(does)(&mut session);
                    let is_asked = session.is_modified();
                    let reply = manager.commit_at(&session, status, NOW);
                    let reply = reply.unwrap_or_else(|error| panic!("{at}: {error}"));
                    assert_eq!(reply.omitted, None, "{at}");
                    let is_unasked = !sent(&reply).is_empty() && !is_asked;
                    assert_eq!(reply.is_unasked, is_unasked, "{at}");
                    reply
                };
                for status in [200, 302, 404] {
                    let reply = run(status);
                    assert_eq!(sent(&reply), set_cookie, "{at}");
                    assert_eq!(reply.vary_on_cookie, vary == "`Cookie`", "{at}");
                }
                for status in [500, 503] {
                    let reply = run(status);
                    let kept = if does == "flushes" { set_cookie } else { "" };
                    assert_eq!(sent(&reply), kept, "{at}, {status}");
                }
            }
        }
    }
}
