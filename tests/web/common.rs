//! What tests of the middlewares share: a manager, answers, and what was logged.

use std::cell::RefCell;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Once;
use std::time::Duration;

use signed_session::{CookieOptions, Keyring, Session, SessionCodec, SessionManager};
use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// Whoever waits for longer waits for ever.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Long and not from the documentation: nothing is to be logged of it.
const SECRET: &str = "a passphrase of the tests of the middlewares";

pub fn codec() -> SessionCodec {
    listen();
    SessionCodec::new(&Keyring::new(SECRET).unwrap())
}

pub fn options() -> CookieOptions {
    CookieOptions::new("sessionid").unwrap()
}

pub fn manager() -> SessionManager {
    SessionManager::new(codec(), options())
}

/// A token signed a minute ago, so that one written now differs from it.
pub fn token(fill: impl FnOnce(&mut Session)) -> String {
    let mut session = Session::new();
    fill(&mut session);
    codec().encode_at(&session, OffsetDateTime::now_utc() - Duration::from_secs(60)).unwrap()
}

/// The `Cookie:` header of a visitor with one entry, `user`.
pub fn cookie(user: &str) -> String {
    format!("sessionid={}", token(|session| session.insert("user", user).unwrap()))
}

/// What a handler answers, and what arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub fn body(mut self, body: impl fmt::Display) -> Self {
        self.body = body.to_string();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The values of all headers of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// What it sets the session's cookie to, as a `Cookie:` header would say.
    pub fn cookie(&self) -> Option<&str> {
        let cookies = self.all("set-cookie");
        let ours: Vec<_> = cookies.iter().filter(|it| it.starts_with("sessionid=")).collect();
        assert!(ours.len() <= 1, "the cookie is set more than once: {ours:?}");
        ours.first()?.split(';').next()
    }

    /// The session of the cookie that it sets.
    pub fn session(&self) -> Option<Session> {
        let token = self.cookie()?.strip_prefix("sessionid=")?;
        Some(codec().decode(token).unwrap_or_else(|refused| panic!("{token}: {refused}")))
    }

    /// Asserts that nothing says that there are sessions.
    pub fn assert_no_trace(&self) {
        for name in ["set-cookie", "vary", "cache-control"] {
            assert_eq!(self.all(name), [""; 0], "{name}");
        }
    }
}

// What was logged.

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Runs a function and returns what the library logged on this thread meanwhile.
pub fn logged<R>(function: impl FnOnce() -> R) -> (R, Vec<String>) {
    listen();
    LOG.take();
    let result = function();
    (result, LOG.take())
}

/// Installs one subscriber for the whole process, before anything can be logged.
///
/// Those of single threads would decide for one another which lines are wanted at all.
fn listen() {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| tracing::subscriber::set_global_default(Listener).unwrap());
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("signed_session")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LOG.with_borrow_mut(|log| log.push(line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// `LEVEL message field=value`.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => write!(self.0, " {value:?}").unwrap(),
            name => write!(self.0, " {name}={value:?}").unwrap(),
        }
    }
}
