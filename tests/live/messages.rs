//! Leaves and shows the same messages in Django and here, and compares what either says.
//!
//! The browser's cookie and the session that one side left are what the next
//! request brings to both.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signed_session::django::{self, DjangoSettings, Level, Message, StoredMessages};
use signed_session::{Session, SessionCodec};
use time::OffsetDateTime;

use crate::NOW;
use crate::random::Random;
use crate::run::{BESIDE, Case};

const REQUESTS: usize = 6;
const SECRET: &str = "test-secret-key-0123456789";

/// As Django's `add` takes it: safe, level, text, extra tags.
type Added = (bool, i64, String, Option<String>);

#[derive(Clone, Debug, Serialize)]
struct Request {
    now: i64,
    secrets: Vec<String>,
    settings: Value,
    cookies: Option<String>,
    session: String,
    /// What is left, or, for none, that all are shown.
    steps: Vec<Option<Added>>,
}

/// A message as it is shown: with the tags of a template at the end.
type Shown = (bool, i64, String, Option<String>, String);

#[derive(Debug, Deserialize)]
struct Outcome {
    shown: Vec<Vec<Shown>>,
    unstored: Vec<Shown>,
    set_cookie: Vec<String>,
    session: String,
    modified: bool,
}

/// What the stories came to, so that none of it can go missing.
#[derive(Debug, Default)]
struct Seen {
    shown: usize,
    unstored: usize,
    in_both: usize,
    deleted: usize,
}

#[test]
fn messages_that_one_side_leaves_the_other_shows_and_clears() {
    BESIDE.on_every_django(2, |worker, cases| {
        let mut requests: Vec<Request> =
            cases.iter_mut().map(|case| Request::first(&mut case.random)).collect();
        let mut seen = Seen::default();
        for _ in 0..REQUESTS {
            let outcomes: Vec<Outcome> = worker.ask("messages", &requests);
            for ((case, request), outcome) in cases.iter_mut().zip(&mut requests).zip(&outcomes) {
                let (cookies, session) = request.compare(case, outcome, &mut seen);
                request.next(&mut case.random, cookies, session);
            }
        }
        if cases.len() > 100 {
            let Seen { shown, unstored, in_both, deleted } = seen;
            assert!(shown > 100 && unstored > 5 && in_both > 5 && deleted > 20, "{seen:?}");
        }
    });
}

impl Request {
    fn first(random: &mut Random) -> Self {
        let storages =
            ["cookie.CookieStorage", "session.SessionStorage", "fallback.FallbackStorage"];
        let mut settings = json!({
            "MESSAGE_STORAGE": format!("django.contrib.messages.storage.{}", random.pick(&storages)),
            "SESSION_COOKIE_DOMAIN": *random.pick(&[None, Some("example.com")]),
            "SESSION_COOKIE_PATH": "/app",
            "SESSION_COOKIE_SECURE": random.once_in(2),
            "SESSION_COOKIE_HTTPONLY": random.once_in(2),
            "SESSION_COOKIE_SAMESITE": *random.pick(&["Lax", "Strict"]),
            "MESSAGE_LEVEL": *random.pick(&[20, 20, 10, 30]),
        });
        if random.once_in(2) {
            settings["SESSION_COOKIE_SAMESITE"] = json!(false);
        }
        let mut first = Self {
            now: NOW,
            secrets: vec![SECRET.to_owned()],
            settings,
            cookies: None,
            session: "{}".to_owned(),
            steps: Vec::new(),
        };
        first.next(random, None, r#"{"cart":[1]}"#.to_owned());
        first
    }

    fn next(&mut self, random: &mut Random, cookies: Option<String>, session: String) {
        self.now += 10;
        (self.cookies, self.session) = (cookies, session);
        if let Some(cookies) = self.cookies.as_mut().filter(|_| random.once_in(12)) {
            // Nobody's signature.
            let last = cookies.pop();
            cookies.push(if last == Some('A') { 'B' } else { 'A' });
        }
        let count = *random.pick(&[0, 0, 1, 2, 5, 30]);
        let mut steps: Vec<Option<Added>> = (0..count).map(|_| Some(added(random))).collect();
        if random.once_in(2) {
            let at = random.below(steps.len() + 1);
            steps.insert(at, None);
        }
        self.steps = steps;
    }

    /// Runs the steps here, compares the outcome, and returns the resulting cookie and session.
    fn compare(
        &self,
        case: &mut Case,
        outcome: &Outcome,
        seen: &mut Seen,
    ) -> (Option<String>, String) {
        let mut settings = self.settings.clone();
        settings["SECRET_KEY"] = json!(self.secrets[0]);
        let settings = DjangoSettings::from_json(&settings.to_string()).unwrap();
        let storage = settings.message_storage().unwrap();
        let shown = |message: &Message| -> Shown {
            let Message { level, text, extra_tags, is_safe, .. } = message.clone();
            (is_safe, level.0, text, extra_tags, storage.tags(message))
        };
        let now = OffsetDateTime::from_unix_timestamp(self.now).unwrap();
        // Roomy: what matters here is not the size of the session.
        let codec =
            SessionCodec::new(settings.keyring()).max_token_len(1 << 20).max_payload_len(1 << 20);
        let token = codec.encode_json_at(&self.session, now).unwrap();
        let mut session = codec.decode_at(&token, now).unwrap();

        let mut messages = storage.load(&self.cookies);
        let mut all_shown = Vec::new();
        for step in &self.steps {
            match step {
                None => {
                    let messages = messages.show(&session).unwrap();
                    seen.shown += messages.len();
                    all_shown.push(messages.iter().map(shown).collect::<Vec<_>>());
                }
                Some((is_safe, level, text, tags)) => {
                    let mut message = Message::new(Level(*level), text).safe(*is_safe);
                    message.extra_tags.clone_from(tags);
                    messages.add(message);
                }
            }
        }
        let StoredMessages { reply, unstored, .. } = messages.commit_at(&mut session, now).unwrap();

        case.equal("shown", &all_shown, &outcome.shown, self);
        let ours = reply.set_cookie.as_ref().map(ToString::to_string);
        let django = match outcome.set_cookie.as_slice() {
            [] => None,
            [cookie] => Some(cookie.as_str()),
            more => panic!("{more:?}"),
        };
        let rows = |cookie: Option<&str>| {
            let value =
                cookie?.split(';').next().unwrap().split_once('=').unwrap().1.trim_matches('"');
            let signer = django::cookie_signer(settings.keyring(), django::MESSAGES_SALT);
            let rows = |value: &str| signer.unsign_object::<Vec<Value>>(value, None).unwrap();
            (!value.is_empty()).then(|| rows(value))
        };
        let rows = (rows(ours.as_deref()), rows(django));
        seen.in_both += usize::from(rows.1.is_some() && outcome.session.contains("_messages"));
        seen.unstored += unstored.len();
        seen.deleted += usize::from(django.is_some() && rows.1.is_none());
        let is_part = |rows: &Option<Vec<Value>>| {
            rows.as_ref().is_some_and(|rows| rows.last() == Some(&json!("__messagesnotfinished__")))
        };
        // How many fit depends on the zlib, by one or another message.
        if cfg!(feature = "zlib") || !is_part(&rows.0) && !is_part(&rows.1) {
            case.equal("in the cookie", &rows.0, &rows.1, self);
            let unstored: Vec<Shown> = unstored.iter().map(shown).collect();
            case.equal("unstored", &unstored, &outcome.unstored, self);
            case.equal("the session", session.to_json(), outcome.session.clone(), self);
            case.equal("modified", session.is_modified(), outcome.modified, self);
        }
        let attributes = |cookie: Option<&str>| {
            let mut all: Vec<String> = cookie?
                .split("; ")
                .skip(1)
                .map(str::to_ascii_lowercase)
                // The removal is as secure as the cookie: difference D13.
                .filter(|part| !(part == "secure" && rows.1.is_none()))
                .collect();
            all.sort();
            Some(all)
        };
        case.equal("attributes", attributes(ours.as_deref()), attributes(django), self);
        #[cfg(feature = "zlib")]
        if rows.1.is_some() {
            let pair =
                |cookie: Option<&str>| cookie.and_then(|c| c.split(';').next()).map(str::to_owned);
            case.equal("the cookie", pair(ours.as_deref()), pair(django), self);
        }
        self.left(case, django.map(str::to_owned), ours, &session, outcome)
    }

    /// What the browser and the session hold after one of the two answered.
    fn left(
        &self,
        case: &mut Case,
        django: Option<String>,
        ours: Option<String>,
        session: &Session,
        outcome: &Outcome,
    ) -> (Option<String>, String) {
        let (set_cookie, session) = if case.random.once_in(2) {
            (django, outcome.session.clone())
        } else {
            (ours, session.to_json())
        };
        let cookie = match set_cookie {
            Some(cookie) => Some(cookie.split(';').next().unwrap().to_owned())
                .filter(|pair| !matches!(pair.as_str(), "messages=" | "messages=\"\"")),
            None => self.cookies.clone(),
        };
        (cookie, session)
    }
}

fn added(random: &mut Random) -> Added {
    let words = ["", "Hello.", "Größe: 5 €", "<b>bold</b>", "quote \" and \\", "\u{7f}\n\t", "🦀"];
    let mut text = (*random.pick(&words)).to_owned();
    if random.once_in(3) {
        // Hardly to be compressed.
        text.extend((0..random.below(40)).map(|_| format!("{:x}", random.next())));
    }
    let tags = *random.pick(&[None, Some(""), Some("cart"), Some("a b"), Some("größer")]);
    let level = *random.pick(&[10, 20, 25, 30, 40, 33, 50]);
    (random.once_in(4), level, text, tags.map(str::to_owned))
}
