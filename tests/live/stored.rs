//! Reads and writes what Django's database and file sessions store, beside Django.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signed_session::{Expiry, Keyring, Session, django};
use time::OffsetDateTime;

use crate::NOW;
use crate::random::Random;
use crate::run::BESIDE;

const COOKIE_AGE: Duration = Duration::from_secs(1_209_600);

#[derive(Clone, Debug, Serialize)]
struct Case {
    now: i64,
    secrets: Vec<String>,
    backend: &'static str,
    data: String,
    key: String,
    text: String,
    /// In milliseconds.
    expires: i128,
}

#[derive(Debug, Deserialize)]
struct Stored {
    key: String,
    text: String,
    expires: Option<i128>,
}

impl Case {
    fn random(random: &mut Random) -> Self {
        Self {
            now: NOW,
            secrets: (0..=random.below(2))
                .map(|_| format!("a-test-key-{:016x}", random.next()))
                .collect(),
            backend: *random.pick(&["db", "cached_db", "file"]),
            data: data(random).to_string(),
            key: String::new(),
            text: String::new(),
            expires: 0,
        }
    }

    fn ring(&self) -> Keyring {
        let (first, rest) = self.secrets.split_first().unwrap();
        rest.iter()
            .fold(Keyring::new(first).unwrap(), |ring, secret| ring.fallback(secret).unwrap())
    }
}

#[test]
fn stored_sessions_are_read_and_written_as_django_does() {
    BESIDE.on_every_django(4, |worker, cases| {
        let mut made: Vec<Case> =
            cases.iter_mut().map(|case| Case::random(&mut case.random)).collect();
        let stored: Vec<Stored> = worker.ask("write_stored", &made);
        let mut expected = Vec::new();
        for ((case, made), stored) in cases.iter_mut().zip(&mut made).zip(stored) {
            let written = OffsetDateTime::from_unix_timestamp(made.now).unwrap();
            // The stamp does not end it: a year later it is read as ever.
            let now = written + Duration::from_secs(*case.random.pick(&[0, 60, 31_536_000]));
            let codec = django::stored_session_codec(&made.ring());
            let mut session: Session = codec.decode_at(&stored.text, now).unwrap();
            let read: Value = serde_json::from_str(&session.to_json()).unwrap();
            case.equal("the data", read, serde_json::from_str(&made.data).unwrap(), made);
            if let Some(expires) = stored.expires {
                let date = session.expiry_date(COOKIE_AGE, written).unwrap();
                case.equal("expire_date", milliseconds(date), expires, made);
            }

            session.insert("visits_to_rust", 1).unwrap();
            session.set_expiry(*case.random.pick(&[
                Expiry::Default,
                Expiry::After(Duration::from_secs(300)),
                Expiry::At(now + Duration::from_secs(600)),
            ]));
            made.now = now.unix_timestamp();
            made.key = stored.key;
            made.text = codec.encode_at(&session, now).unwrap();
            made.expires = milliseconds(session.expiry_date(COOKIE_AGE, now).unwrap());
            // The codec of the cookie takes no stored session, nor the other way.
            let cookies = signed_session::SessionCodec::new(&made.ring());
            assert!(cookies.decode_at(&made.text, now).is_err());
            expected.push(session.to_json());
        }
        let read: Vec<String> = worker.ask("read_stored", &made);
        for ((case, (made, expected)), read) in
            cases.iter().zip(made.iter().zip(expected)).zip(read)
        {
            case.equal("what Django reads", expected, read, made);
        }
    });
}

fn milliseconds(moment: OffsetDateTime) -> i128 {
    moment.unix_timestamp_nanos() / 1_000_000
}

fn data(random: &mut Random) -> Value {
    let large: String = (0..random.below(1000)).map(|_| format!("{:x}", random.next())).collect();
    let all = [
        json!({}),
        json!({"cart": ["äpfel", "🦀"], "_auth_user_id": "1"}),
        json!({"large": large}),
        json!({"floats": [1.5, 1e16, -0.0]}),
        json!({"number": 7, "_session_expiry": 300}),
    ];
    random.pick(&all).clone()
}
