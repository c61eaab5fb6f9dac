//! Which of several cookies is read, in which wrapping, and what becomes of former ones.

use std::collections::BTreeMap;
use std::time::Duration;

use signed_session::{
    Candidates, Compress, Cookie, CookieOptions, DecodeError, Keyring, Reply, Session,
    SessionCodec, SessionManager,
};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);
const MINUTE: Duration = Duration::from_secs(60);

fn codec() -> SessionCodec {
    SessionCodec::new(&Keyring::new("a passphrase of the tests of candidates").unwrap())
}

fn options(name: &str) -> CookieOptions {
    CookieOptions::new(name).unwrap()
}

fn manager() -> SessionManager {
    SessionManager::new(codec(), options("sessionid"))
}

fn session(user: &str) -> Session {
    let mut session = Session::new();
    session.insert("user", user).unwrap();
    session
}

fn token(user: &str, age: Duration) -> String {
    codec().compress(Compress::Never).encode_at(&session(user), NOW - age).unwrap()
}

fn user(session: &Session) -> Option<String> {
    session.get("user").unwrap()
}

// Wrapping.

#[test]
fn a_token_is_read_in_quotes_and_with_its_colons_encoded() {
    let plain = token("ada", MINUTE);
    let compressed = codec().encode_at(&session(&"ada".repeat(100)), NOW).unwrap();
    assert!(compressed.starts_with('.'));
    for token in [plain, compressed] {
        let expected = codec().decode_at(&token, NOW).unwrap().to_json();
        let first = token.replacen(':', "%3A", 1);
        for value in [
            format!("\"{token}\""),
            token.replace(':', "%3A"),
            token.replace(':', "%3a"),
            format!("\"{}\"", token.replace(':', "%3A")),
            first.clone(),
            first.replacen(':', "%3a", 1),
        ] {
            for header in
                [format!("sessionid={value}"), format!("a=1; sessionid=\t{value} ; sessionid=x")]
            {
                let session = manager().load_at([&header], NOW);
                assert_eq!((session.refusal(), session.to_json()), (None, expected.clone()));
            }
        }
    }
}

#[test]
fn nothing_else_is_undone_around_a_token() {
    let token = token("ada", MINUTE);
    let encoded = token.replace(':', "%3A");
    for value in [
        format!("\"{token}"),
        format!("{token}\""),
        format!("\"\"{token}\"\""),
        format!("'{token}'"),
        format!("\" {token}\""),
        format!("%22{token}%22"),
        token.replace(':', "%253A"),
        token.replace(':', "%3"),
        token.replacen('e', "%65", 1),
        encoded.replacen('e', "%65", 1),
        format!("{encoded}%"),
        format!("{encoded}%3D"),
        format!("\"{token}\\\""),
    ] {
        let header = format!("sessionid={value}");
        let session = manager().load_at([&header], NOW);
        assert!(session.is_empty() && session.refusal().is_some(), "{value}");
    }
}

#[test]
fn one_token_in_two_wrappings_is_one_session() {
    let (ada, eve) = (token("ada", MINUTE), token("eve", MINUTE));
    let quoted = format!("sessionid=\"{ada}\"; sessionid={}", ada.replace(':', "%3a"));
    assert_eq!(user(&manager().load_at([&quoted], NOW)).as_deref(), Some("ada"));
    let two = format!("sessionid=\"{ada}\"; sessionid={eve}");
    let refused = manager().load_at([&two], NOW);
    assert_eq!(refused.refusal(), Some(&DecodeError::Ambiguous));
}

#[test]
fn every_cookie_is_read_in_quotes_and_with_its_colons_encoded() {
    use signed_session::django::{Level, Message, MessageStorage, SignedCookie};

    let ring = Keyring::new("a passphrase of the tests of candidates").unwrap();
    let wrapped = |token: &str| {
        [
            format!("\"{token}\""),
            token.replace(':', "%3A"),
            format!("\"{}\"", token.replace(':', "%3a")),
        ]
    };
    // Signed cookies. A text that holds `%3A` itself is still itself.
    for text in ["dark", "a%3Ab", "100%"] {
        let theme = SignedCookie::new(&ring, options("theme"), "");
        let token = theme.cookie(text).unwrap().value().to_owned();
        assert_eq!(theme.read([&format!("theme={token}")]), Ok(Some(text.to_owned())));
        if text == "dark" {
            for value in wrapped(&token) {
                let both = format!("theme={token}; theme={value}");
                for header in [format!("theme={value}"), both] {
                    assert_eq!(theme.read([&header]), Ok(Some(text.to_owned())), "{header}");
                }
            }
        }
    }
    // Messages.
    let storage = MessageStorage::cookie(&ring, options("messages"));
    let mut messages = storage.load(["a=b"]);
    messages.add(Message::new(Level::INFO, "Hello."));
    let stored = messages.commit(&mut Session::new()).unwrap();
    for value in wrapped(stored.reply.set_cookie.unwrap().value()) {
        let mut messages = storage.load([&format!("messages={value}")]);
        assert_eq!(messages.show(&Session::new()).unwrap().len(), 1, "{value}");
    }
    // A struct, with a codec alone.
    let token = token("ada", MINUTE);
    for value in wrapped(&token) {
        let header = format!("sessionid={value}; sessionid={token}; sessionid=forged");
        let candidates: Candidates<_> = options("sessionid").find(&header).collect();
        let visitor = candidates
            .choose(|token| codec().decode_as_at::<BTreeMap<String, String>>(token, NOW))
            .unwrap();
        assert_eq!(visitor.unwrap()["user"], "ada", "{value}");
    }
}

#[test]
fn a_token_of_the_greatest_length_is_read_in_a_wrapping() {
    let json = |len: usize| session(&"x".repeat(len));
    let plain = codec().compress(Compress::Never);
    let longest = (2900..3100).rev().find_map(|len| plain.encode_at(&json(len), NOW).ok());
    let longest = longest.unwrap();
    assert!(longest.len() > 4090);
    let wrapped = format!("\"{}\"", longest.replace(':', "%3A"));
    let session = manager().load_at([&format!("sessionid={wrapped}")], NOW);
    assert_eq!(session.refusal(), None);
    // Past the limit it stays what it is, and is not even looked through.
    let long = format!("\"{}\"", "x:".repeat(3000));
    let refused = manager().load_at([&format!("sessionid={long}")], NOW);
    let (len, limit) = (long.len(), 4096);
    assert_eq!(refused.refusal(), Some(&DecodeError::TooLong { len, limit }));
}

#[test]
fn candidates_take_the_one_that_decodes() {
    let decode = |token: &str| token.parse::<u8>().map_err(|_| DecodeError::BadSignature);
    let choose = |values: &[&str]| values.iter().collect::<Candidates<_>>().choose(decode);
    assert_eq!(choose(&[]), Ok(None));
    assert_eq!(choose(&["x", "7", "y", "7"]), Ok(Some(7)));
    assert_eq!(choose(&["x"]), Err(DecodeError::BadSignature));
    assert_eq!(choose(&["7", "8"]), Err(DecodeError::Ambiguous));
    assert_eq!(choose(&["7"; 16]), Ok(Some(7)));
    assert_eq!(choose(&["7"; 17]), Err(DecodeError::TooManyCookies { limit: 16 }));
    assert_eq!(["7"; 99].into_iter().collect::<Candidates<_>>().values().len(), 17);
    assert!(Candidates::<&str>::default().is_empty());
}

// Former cookies.

/// What RFC 6265 has a browser keep: cookies of one name, domain and path are one.
#[derive(Default)]
struct Jar(BTreeMap<(String, Option<String>, Option<String>), String>);

impl Jar {
    fn follow(&mut self, cookie: &Cookie<'_>) {
        let key = (
            cookie.name().to_owned(),
            cookie.domain().map(str::to_owned),
            cookie.path().map(str::to_owned),
        );
        if cookie.max_age() == Some(time::Duration::ZERO) {
            self.0.remove(&key);
        } else {
            self.0.insert(key, cookie.value().to_owned());
        }
    }

    fn take(&mut self, reply: &Reply) {
        reply.removals.iter().chain(&reply.set_cookie).for_each(|cookie| self.follow(cookie));
    }

    fn header(&self) -> String {
        let pairs = self.0.iter().map(|((name, ..), value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Returns the session of the next request, after a handler, and takes in the response.
    fn visit(
        &mut self,
        manager: &SessionManager,
        now: OffsetDateTime,
        handler: impl FnOnce(&mut Session),
    ) -> Session {
        let mut session = manager.load_at([&self.header()], now);
        handler(&mut session);
        self.take(&manager.commit_at(&session, 200, now).unwrap());
        session
    }
}

fn log_in(session: &mut Session) {
    session.flush();
    session.insert("user", "ada").unwrap();
}

fn read(session: &mut Session) {
    let _ = session.get::<String>("user");
}

/// A change of the cookie, from the options before to those after.
fn changes() -> Vec<(&'static str, CookieOptions, CookieOptions)> {
    let on = |domain: &str| options("sessionid").domain(domain).unwrap();
    let below = |path: &str| options("sessionid").path(path).unwrap();
    vec![
        ("name", options("sid"), options("sessionid")),
        ("name and path", options("sid").path("/app").unwrap(), options("sessionid")),
        ("to a domain", options("sessionid"), on("example.com")),
        ("from a domain", on("example.com"), options("sessionid")),
        ("of the domain", on("shop.example.com"), on("example.com")),
        ("path", below("/app"), options("sessionid")),
        ("to a path", options("sessionid"), below("/app")),
        ("name to a prefix", options("sessionid"), options("__Host-sessionid")),
    ]
}

#[test]
fn a_changed_cookie_locks_nobody_out() {
    for (what, before, after) in changes() {
        let former = SessionManager::new(codec(), before.clone());
        let manager = SessionManager::new(codec(), after).retire(before);
        for first in [read as fn(&mut Session), |s| s.insert("cart", 1).unwrap(), log_in] {
            let mut jar = Jar::default();
            jar.visit(&former, NOW, log_in);
            let visit = jar.visit(&manager, NOW + MINUTE, first);
            assert_eq!(user(&visit).as_deref(), Some("ada"), "{what}");
            for minutes in 2..5 {
                let now = NOW + MINUTE * minutes;
                let visit = jar.visit(&manager, now, |s| s.insert("page", minutes).unwrap());
                assert_eq!(user(&visit).as_deref(), Some("ada"), "{what}: {:?}", visit.refusal());
                assert_eq!(jar.0.len(), 1, "{what}: {:?}", jar.0.keys());
            }
            jar.visit(&manager, NOW + MINUTE * 6, Session::flush);
            assert_eq!(jar.header(), "", "{what}");
            assert_eq!(user(&jar.visit(&manager, NOW + MINUTE * 7, read)), None, "{what}");
        }
    }
}

#[test]
fn a_login_after_the_change_wins_over_the_former_cookie() {
    for (what, before, after) in changes() {
        let former = SessionManager::new(codec(), before.clone());
        let unaware = SessionManager::new(codec(), after.clone());
        let manager = SessionManager::new(codec(), after).retire(before);
        // For a while the change was out without `retire`, and eve logged in on ada's browser.
        let mut jar = Jar::default();
        jar.visit(&former, NOW, log_in);
        let eve = |session: &mut Session| {
            session.flush();
            session.insert("user", "eve").unwrap();
        };
        jar.visit(&unaware, NOW + MINUTE, eve);
        let visit = jar.visit(&manager, NOW + MINUTE * 2, read);
        if former_has_another_name(what) {
            assert_eq!(user(&visit).as_deref(), Some("eve"), "{what}");
        } else if jar.0.len() < 2 && visit.refusal().is_none() {
            panic!("{what}: which of two is meant cannot be told");
        } else {
            assert_eq!(visit.refusal(), Some(&DecodeError::Ambiguous), "{what}");
        }
        // The next request is clean.
        let visit = jar.visit(&manager, NOW + MINUTE * 3, read);
        assert_eq!(user(&visit).as_deref(), Some("eve"), "{what}");
        assert_eq!(jar.0.len(), 1, "{what}");
    }
}

fn former_has_another_name(what: &str) -> bool {
    what.starts_with("name")
}

#[test]
fn equal_entries_under_former_attributes_are_one_session() {
    let before = options("sessionid").domain("example.com").unwrap();
    let manager = manager().retire(before);
    let two = format!("sessionid={}; sessionid={}", token("ada", MINUTE), token("ada", MINUTE * 2));
    let session = manager.load_at([&two], NOW);
    assert_eq!(user(&session).as_deref(), Some("ada"));
    let reply = manager.commit_at(&session, 200, NOW).unwrap();
    assert_eq!(reply.removals[0].domain(), Some("example.com"));
    assert_eq!(reply.set_cookie.unwrap().domain(), None);
    // Without a former cookie nothing explains the second one.
    let refused = self::manager().load_at([&two], NOW);
    assert_eq!(refused.refusal(), Some(&DecodeError::Ambiguous));
}

#[test]
fn a_planted_token_never_wins_by_being_newer() {
    let manager = manager().retire(options("sessionid").domain("example.com").unwrap());
    for ages in [[MINUTE, MINUTE * 2], [MINUTE * 2, MINUTE]] {
        let [ada, eve] = [token("ada", ages[0]), token("eve", ages[1])];
        for header in [
            format!("sessionid={ada}; sessionid={eve}"),
            format!("sessionid={eve}; sessionid={ada}"),
        ] {
            let session = manager.load_at([&header], NOW);
            assert_eq!(session.refusal(), Some(&DecodeError::Ambiguous));
            let reply = manager.commit_at(&session, 200, NOW).unwrap();
            assert_eq!((reply.set_cookie, reply.removals.len()), (None, 1));
        }
    }
}

#[test]
fn retiring_the_current_cookie_changes_nothing() {
    let same = || options("sessionid").domain("Example.com").unwrap();
    let manager = SessionManager::new(codec(), options("sessionid").domain("example.COM").unwrap());
    let mut session = manager.clone().retire(same()).load_at(["a=b"], NOW);
    log_in(&mut session);
    let reply = manager.retire(same()).commit_at(&session, 200, NOW).unwrap();
    assert!(reply.removals.is_empty() && reply.set_cookie.is_some());
}

#[test]
fn reading_never_removes_the_cookie_that_holds_the_session() {
    let attributes = || options("sessionid").domain("example.com").unwrap();
    let (ada, eve) = (token("ada", MINUTE), token("eve", MINUTE));
    let both = manager().retire(attributes()).retire(options("sid"));
    let names = manager().retire(options("sid"));
    for (manager, header, expected) in [
        // Junk under a former name, and the session may be in the former domain.
        (&both, format!("sessionid={ada}; sid=xxxxxxxx"), Some("ada")),
        (&both, format!("sessionid={ada}; sessionid=xxxxxxxx"), Some("ada")),
        // Two of a former name, of which one can be planted, and so under the current name.
        (&names, format!("sid={ada}; sid={eve}"), None),
        (&names, format!("sessionid={ada}; sessionid={eve}; sid={ada}"), None),
    ] {
        let session = manager.load_at([&header], NOW);
        assert_eq!(user(&session).as_deref(), expected, "{header}");
        let reply = manager.commit_at(&session, 200, NOW).unwrap();
        let is_current = |cookie: &Cookie<'_>| cookie.name() == "sessionid";
        assert!(!reply.removals.iter().any(is_current), "{header}: {:?}", reply.removals);
        assert_eq!(reply.set_cookie, None, "{header}");
        if expected.is_none() {
            assert!(reply.removals.is_empty(), "{header}");
        }
    }
}

#[test]
fn the_removal_of_a_former_cookie_does_not_follow_one_of_its_name() {
    let manager = manager().retire(options("sid"));
    let mut session = manager.load_at([&format!("sid={}", token("ada", MINUTE))], NOW);
    session.insert("page", 1).unwrap();
    let reply = manager.commit_at(&session, 200, NOW).unwrap();
    assert_eq!((reply.removals.len(), reply.is_unasked), (1, false));
    let names = |present: &[(&str, &[u8])]| -> Vec<String> {
        let headers = reply.headers(present.iter().copied());
        let cookies = headers.into_iter().filter(|(name, _)| *name == "set-cookie");
        cookies.map(|(_, value)| value.split('=').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["sid", "sessionid"]);
    assert_eq!(names(&[("Set-Cookie", b"sid=login-of-the-site; Path=/")]), ["sessionid"]);
}

#[test]
fn a_session_that_ends_before_its_response_removes_nothing() {
    let short = SessionManager::new(codec().absolute_max_age(MINUTE * 10), options("sessionid"));
    for manager in [short.clone().refresh_after(MINUTE), short.save_every_request(true)] {
        let cookie = format!("sessionid={}", token("ada", MINUTE * 9));
        let session = manager.load_at([&cookie], NOW);
        let _ = user(&session);
        let reply = manager.commit_at(&session, 200, NOW + MINUTE * 2).unwrap();
        assert_eq!(reply.set_cookie, None);
    }
}
