//! The things that a program can do with a session, each with its arguments and Python's answer.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use signed_session::{Expiry, Session};

use crate::clock::{microseconds, moment};
use crate::random::Random;

/// One thing done with a session: its name and arguments, as the worker knows them.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Step {
    Plain((&'static str,)),
    Key(&'static str, &'static str),
    Entry(&'static str, &'static str, Value),
    Argument(&'static str, Value),
}

/// What the answers of some steps depend on.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// In milliseconds since 1970.
    pub now: i64,
    pub cookie_age: Duration,
    pub browser_close: bool,
}

const KEYS: &[&str] = &["a", "b", "é", "testcookie", ""];

impl Step {
    pub fn random(random: &mut Random, now: i64) -> Self {
        let key = *random.pick(KEYS);
        let value =
            random.pick(&[json!(1), json!(null), json!("é"), json!([1.5, {"x": true}])]).clone();
        match random.below(25) {
            0 | 1 => Self::Key("get", key),
            2 => Self::Key("contains_key", key),
            3 => Self::Plain((*random.pick(&["keys", "len"]),)),
            4..=6 => Self::Entry("insert", key, value),
            7 => Self::Key("remove", key),
            8 => Self::Key("pop", key),
            9 => Self::Entry("get_or_insert", key, value),
            10 => Self::Argument("extend", json!({ key: value })),
            11 => Self::Argument("extend", json!({})),
            12 => Self::Plain((*random.pick(&["clear", "remove_all"]),)),
            13 => Self::Plain(("flush",)),
            14 => Self::Plain(("cycle_key",)),
            15..=18 => Self::Argument("set_expiry", random.wish_of_step(now)),
            19 => Self::Plain(("expiry_age",)),
            20 => Self::Plain(("expiry_date",)),
            21 => Self::Plain(("at_browser_close",)),
            22 => Self::Plain(("set_test_cookie",)),
            23 => Self::Plain(("test_cookie_worked",)),
            _ => Self::Plain(("delete_test_cookie",)),
        }
    }

    /// Does it, and returns Python's answer to the same: nothing where Rust has none.
    pub fn take(&self, session: &mut Session, setting: Setting) -> Value {
        let Setting { now, cookie_age, browser_close } = setting;
        match self {
            Self::Plain((what,)) => match *what {
                "keys" => return json!(session.keys().collect::<Vec<_>>()),
                "len" => return json!(session.len()),
                "expiry_age" => {
                    let age = session.expiry_age(cookie_age, moment(now)).expect("usable");
                    return json!(microseconds(age.whole_nanoseconds()));
                }
                "expiry_date" => {
                    let date = session.expiry_date(cookie_age, moment(now)).expect("usable");
                    return json!(microseconds(date.unix_timestamp_nanos()));
                }
                "at_browser_close" => {
                    return json!(session.expires_at_browser_close(browser_close).expect("usable"));
                }
                "test_cookie_worked" => return json!(session.test_cookie_worked()),
                "delete_test_cookie" => return json!(session.delete_test_cookie()),
                "remove_all" => {
                    let keys: Vec<String> = session.keys().map(str::to_owned).collect();
                    return json!(keys.iter().filter(|key| session.remove(key)).count());
                }
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
            Self::Argument(_, wish) => set_expiry(session, now, wish),
        }
        Value::Null
    }
}

/// Sets an expiry that the worker's `set_expiry` would set, with its own means where there are.
fn set_expiry(session: &mut Session, now: i64, wish: &Value) {
    let date = |microseconds: i64| {
        Expiry::At(moment(0).saturating_add(time::Duration::microseconds(microseconds)))
    };
    let (kind, value) = (wish[0].as_str().expect("a kind"), &wish[1]);
    session.set_expiry(match kind {
        "none" => Expiry::Default,
        "duration" => date(now * 1000 + value.as_i64().expect("microseconds")),
        "offset" => date(value[0].as_i64().expect("microseconds")),
        _ => match value.as_f64() {
            Some(seconds) if seconds > 0.0 => Expiry::After(Duration::from_secs_f64(seconds)),
            Some(0.0) if value.is_u64() => Expiry::AtBrowserClose,
            // What Django stores and `Expiry` cannot say.
            _ => return session.insert("_session_expiry", value).expect("JSON"),
        },
    });
}

impl Random {
    /// An argument of `set_expiry`, of which both sides write the same text.
    fn wish_of_step(&mut self, now: i64) -> Value {
        let day = 86_400_000;
        let milliseconds = *self.pick(&[-day, -1, 1, 500, 60_000, day, 400 * day]);
        match self.below(7) {
            0 => json!(["none", null]),
            1 => json!(["number", 0]),
            2 => json!(["number", *self.pick(&[json!(false), json!(0.0), json!(-5), json!(-1.5)])]),
            3 => json!(["number", *self.pick(&[1, 60, 3600, 86_400, 5_184_000])]),
            4 => json!(["number", *self.pick(&[0.25, 1.5, 59.75, 5_184_000.5])]),
            5 => json!(["duration", milliseconds * 1000]),
            _ => json!(["offset", [(now + milliseconds) * 1000, 0]]),
        }
    }
}

/// The step as JSON.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).expect("it can be written as JSON"))
    }
}
