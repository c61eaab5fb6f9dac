//! Tells the same stories to our session and to Django's, and compares what each notes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signed_session::{ExpiryRule, Keyring, Session, SessionCodec};

use crate::clock::moment;
use crate::run::TOKENS;
use crate::step::{Setting, Step};

const COOKIE_AGE: Duration = Duration::from_secs(1000);
const SETTING: Setting =
    Setting { now: 1_700_000_000_000, cookie_age: COOKIE_AGE, browser_close: false };
const SECRET: &str = "test-secret-key-0123456789";

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
    // Some of the wishes are over at once.
    let codec = SessionCodec::new(&Keyring::new(SECRET).unwrap())
        .max_age(COOKIE_AGE)
        .expiry_rule(ExpiryRule::Django);
    let now = moment(SETTING.now);
    TOKENS.on_every_django(7, |worker, cases| {
        let stories: Vec<Story> = cases
            .iter_mut()
            .map(|case| {
                let random = &mut case.random;
                let mut before = Session::new();
                for _ in 0..random.below(4) {
                    Step::random(random, SETTING.now).take(&mut before, SETTING);
                }
                Story {
                    now: SETTING.now,
                    secrets: [json!({ "text": SECRET })],
                    max_age: COOKIE_AGE.as_secs() * 1000,
                    token: codec.encode_at(&before, now).unwrap(),
                    story: (0..random.below(8))
                        .map(|_| Step::random(random, SETTING.now))
                        .collect(),
                }
            })
            .collect();
        let told: Vec<Told> = worker.ask("story", &stories);
        for (case, (story, told)) in cases.iter().zip(stories.iter().zip(told)) {
            let mut session = codec.decode_at(&story.token, now).unwrap();
            for (step, (answer, accessed, modified)) in story.story.iter().zip(told.steps) {
                let answer: Value = serde_json::from_str(&answer).unwrap();
                case.equal("the answer", step.take(&mut session, SETTING), answer, &(step, story));
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
    json!(key).to_string().replace('é', "\\u00e9")
}
