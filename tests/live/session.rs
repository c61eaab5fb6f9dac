//! Tells the same stories to our session and to Django's, and compares what each notes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use signed_session::{Expiry, Keyring, Session, SessionCodec};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::random::Random;
use crate::run::on_every_django;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);
const COOKIE_AGE: Duration = Duration::from_secs(1000);
const SECRET: &str = "test-secret-key-0123456789";

/// One thing done with a session: its name and arguments, as the worker knows them.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Step {
    Plain((&'static str,)),
    Key(&'static str, &'static str),
    Entry(&'static str, &'static str, Value),
    Argument(&'static str, Value),
}

const KEYS: &[&str] = &["a", "b", "é", "testcookie", ""];

impl Step {
    fn random(random: &mut Random) -> Self {
        let key = *random.pick(KEYS);
        let value =
            random.pick(&[json!(1), json!(null), json!("é"), json!([1.5, {"x": true}])]).clone();
        let seconds = random.pick(&[json!(null), json!(300), json!(0)]).clone();
        match random.below(20) {
            0 | 1 => Self::Key("get", key),
            2 => Self::Key("contains_key", key),
            3 => Self::Plain(("keys",)),
            4..=6 => Self::Entry("insert", key, value),
            7 => Self::Key("remove", key),
            8 => Self::Key("pop", key),
            9 => Self::Entry("get_or_insert", key, value),
            10 => Self::Argument("extend", json!({ key: value })),
            11 => Self::Argument("extend", json!({})),
            12 => Self::Plain((*random.pick(&["clear", "flush"]),)),
            13 => Self::Plain(("cycle_key",)),
            14 => Self::Argument("set_expiry", seconds),
            15 => Self::Plain(("expiry_age",)),
            16 => Self::Plain(("at_browser_close",)),
            17 => Self::Plain(("set_test_cookie",)),
            18 => Self::Plain(("test_cookie_worked",)),
            _ => Self::Plain(("delete_test_cookie",)),
        }
    }

    /// Does it, and returns Python's answer to the same: nothing where Rust has none.
    fn take(&self, session: &mut Session) -> Value {
        match self {
            Self::Plain((what,)) => match *what {
                "keys" => return json!(session.keys().collect::<Vec<_>>()),
                "expiry_age" => {
                    return json!(session.expiry_age(COOKIE_AGE, NOW).unwrap().whole_seconds());
                }
                "at_browser_close" => {
                    return json!(session.expires_at_browser_close(false).unwrap());
                }
                "test_cookie_worked" => return json!(session.test_cookie_worked()),
                "delete_test_cookie" => return json!(session.delete_test_cookie()),
                "clear" => session.clear(),
                "flush" => session.flush(),
                "cycle_key" => session.cycle_key(),
                "set_test_cookie" => session.set_test_cookie(),
                other => panic!("{other}"),
            },
            Self::Key("get", key) => return session.get(key).unwrap().unwrap_or_default(),
            Self::Key("contains_key", key) => return json!(session.contains_key(key)),
            Self::Key("remove", key) => return json!(session.remove(key)),
            Self::Key(_, key) => return session.pop(key).unwrap().unwrap_or_default(),
            Self::Entry("insert", key, value) => session.insert(key, value).unwrap(),
            Self::Entry(_, key, value) => {
                return session.get_or_insert(key, value.clone()).unwrap();
            }
            Self::Argument("extend", entries) => {
                session.extend(entries.as_object().unwrap()).unwrap()
            }
            Self::Argument(_, seconds) => session.set_expiry(match seconds.as_u64() {
                None => Expiry::Default,
                Some(0) => Expiry::AtBrowserClose,
                Some(seconds) => Expiry::After(Duration::from_secs(seconds)),
            }),
        }
        Value::Null
    }
}

#[derive(Debug, Serialize)]
struct Story {
    now: i64,
    secrets: [Value; 1],
    max_age: u64,
    token: String,
    story: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Told {
    /// The answer as JSON, accessed, modified.
    steps: Vec<(String, bool, bool)>,
    data: String,
}

#[test]
fn a_session_notes_what_django_s_notes_whatever_is_done_with_it() {
    let codec = SessionCodec::new(&Keyring::new(SECRET).unwrap()).max_age(COOKIE_AGE);
    on_every_django(7, |worker, cases| {
        let stories: Vec<Story> = cases
            .iter_mut()
            .map(|case| {
                let random = &mut case.random;
                let mut before = Session::new();
                (0..random.below(4)).for_each(|_| drop(Step::random(random).take(&mut before)));
                Story {
                    now: NOW.unix_timestamp() * 1000,
                    secrets: [json!({ "text": SECRET })],
                    max_age: COOKIE_AGE.as_secs() * 1000,
                    token: codec.encode_at(&before, NOW).unwrap(),
                    story: (0..random.below(8)).map(|_| Step::random(random)).collect(),
                }
            })
            .collect();
        let told: Vec<Told> = worker.ask("story", &stories);
        for (case, (story, told)) in cases.iter().zip(stories.iter().zip(told)) {
            let mut session = codec.decode_at(&story.token, NOW).unwrap();
            for (step, (answer, accessed, modified)) in story.story.iter().zip(told.steps) {
                let answer: Value = serde_json::from_str(&answer).unwrap();
                case.equal("the answer", step.take(&mut session), answer, &(step, story));
                let noted = (session.is_accessed(), session.is_modified());
                case.equal("accessed, modified", noted, (accessed, modified), &(step, story));
            }
            let entries: Vec<String> =
                session.iter().map(|(key, json)| format!("{}:{json}", quoted(key))).collect();
            let data = format!("{{{}}}", entries.join(","));
            case.equal("the data", data, told.data, story);
        }
    });
}

/// A key of these stories as JSON.
fn quoted(key: &str) -> String {
    let text: Box<RawValue> = serde_json::value::to_raw_value(key).unwrap();
    text.get().replace('é', "\\u00e9")
}
