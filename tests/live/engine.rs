//! Judges each token twice: here, and by a Django with the session engine of the guide.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signed_session::{Compress, DecodeError, Session, SessionCodec, Signer, django};
use support::secret::Secret;
use time::UtcOffset;

use crate::clock::moment;
use crate::data;
use crate::question::{Call, Question, json_of};
use crate::random::Random;
use crate::run::ENGINE;

/// A token and the site that it comes to; times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
struct Case {
    secrets: Vec<Secret>,
    now: i64,
    cookie_age: i64,
    absolute: Option<i64>,
    token: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    data: Option<String>,
    /// Whether the session is sent again although nothing was changed.
    is_written: bool,
}

impl Case {
    fn codec(&self) -> SessionCodec {
        let codec = SessionCodec::new(&data::ring(&self.secrets))
            .max_age(milliseconds(self.cookie_age))
            .naive_offset(UtcOffset::UTC);
        match self.absolute {
            Some(age) => codec.absolute_max_age(milliseconds(age)),
            None => codec,
        }
    }

    fn judge(&self) -> Result<Session, DecodeError> {
        self.codec().decode_at(&self.token, moment(self.now))
    }
}

fn milliseconds(age: i64) -> Duration {
    Duration::from_millis(age.try_into().expect("no age is negative"))
}

#[test]
fn both_sides_refuse_the_same_cookies() {
    ENGINE.on_every_django(1, |worker, cases| {
        let asked: Vec<Case> = cases.iter_mut().map(|case| case.random.case()).collect();
        let answers: Vec<Answer> = worker.ask("judge", &asked);
        let (mut good, mut refused) = (0, 0);
        for (case, (asked, answer)) in cases.iter().zip(asked.iter().zip(answers)) {
            let ours = asked.judge();
            let refusal = ours.as_ref().err();
            case.equal("the verdict", ours.is_ok(), answer.data.is_some(), &(asked, refusal));
            let (Ok(session), Some(data)) = (ours, answer.data) else {
                refused += 1;
                continue;
            };
            good += 1;
            let read = |text: &str| serde_json::from_str::<Value>(text).ok().map(as_floats);
            let is_due = asked.absolute.is_some() && !session.contains_key("_session_started");
            let mut django = read(&data);
            if let Some(Value::Object(entries)) = django.as_mut().filter(|_| is_due) {
                entries.remove("_session_started");
            }
            case.equal("the data", read(&json_of(&session)), django, asked);
            let is_former = session.key_index() != Some(0);
            case.equal("written again", is_due || is_former, answer.is_written, asked);
        }
        // Neither verdict is rare.
        assert!(good * 10 > refused && refused * 10 > good, "{good} good, {refused} refused");
    });
}

/// What came of Django's own tests.
#[derive(Debug, Deserialize)]
struct Results {
    run: usize,
    skipped: usize,
    failed: Vec<String>,
    failed_as_expected: Vec<String>,
    succeeded_unexpectedly: Vec<String>,
}

#[test]
fn the_engine_passes_djangos_own_tests_and_the_one_expected_to_fail() {
    for django in support::django::environments() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new(&django.python)
            .args(["-I", "-B"])
            .arg(here.join("tests/live/engine_tests.py"))
            .arg(here.join("examples/beside_django/site"))
            .arg(support::django::session_tests(&django))
            .output()
            .expect("the environment's Python starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let results: Vec<Results> = serde_json::from_slice(&output.stdout).expect("JSON");
        let [by_django, by_engine, with_absolute_age] = &results[..] else { panic!("{results:?}") };

        // Tickets 19201 and 27775.
        let expiry = ["test_actual_expiry"];
        assert_eq!(by_django.failed_as_expected, expiry, "{by_django:?}");
        println!("Django {}: {by_engine:?}", django.version);
        for results in [by_engine, with_absolute_age] {
            assert_eq!(results.failed, [""; 0], "{said}");
            assert_eq!(results.failed_as_expected, [""; 0]);
            assert_eq!(results.succeeded_unexpectedly, expiry);
            assert_eq!((results.run, results.skipped), (by_django.run, by_django.skipped));
        }
        assert!(by_engine.run >= 38, "{by_engine:?}");
    }
}

/// Turns every number into a float: what is lost on the way is the same for both texts, and Python
/// reads `-0` as an integer.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => (number.as_f64().unwrap_or_default() + 0.0).into(),
        Value::Array(items) => items.into_iter().map(as_floats).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key, as_floats(value))).collect()
        }
        other => other,
    }
}

impl Random {
    fn case(&mut self) -> Case {
        let count = self.below(3) + 1;
        let mut case = Case {
            secrets: self.secrets(count),
            now: crate::NOW * 1000 + if self.once_in(2) { 0 } else { self.within(0, 999) },
            cookie_age: *self.pick(&[1_209_600_000, 60_000, 1_500]),
            absolute: *self.pick(&[None, None, Some(86_400_000), Some(90_000)]),
            token: String::new(),
        };
        case.token = match self.below(10) {
            0 | 1 => {
                let (token, other) = (self.genuine(&case), self.genuine(&case));
                self.alter(&token, &other)
            }
            2 => self.of_the_longest(&case),
            3..=5 => self.forged(&case),
            _ => self.genuine(&case),
        };
        case
    }

    /// Signs with one of the site's keys, most often the first, or with another.
    fn sign(&mut self, case: &Case, signed: &str) -> String {
        let key = match self.below(8) {
            0 => self.secrets(1),
            1..=3 => vec![self.pick(&case.secrets).clone()],
            _ => vec![case.secrets[0].clone()],
        };
        Signer::new(&data::ring(&key), django::SESSION_SALT).sign(signed)
    }

    /// Creates a token that only a holder of the key could have made, and no site makes.
    fn forged(&mut self, case: &Case) -> String {
        let question = Question::random(self, &[Call::Session]);
        let mut question = Question { now: case.now, ..question };
        let current = crate::odd::base62(case.now.div_euclid(1000));
        if self.once_in(4) {
            // What it says of its end leaves the stamp alone to be judged.
            let payload = URL_SAFE_NO_PAD.encode(r#"{"_session_expiry":1e300,"a":1}"#);
            let prefix = *self.pick(&["", "-", "+", " ", "_", "0", "000000000000", "é", "\u{661}"]);
            let stamp = if self.once_in(2) { current } else { self.stamp(case.now / 1000) };
            return self.sign(case, &format!("{payload}:{prefix}{stamp}"));
        }
        let signed = self.forge(&mut question);
        let payload = signed.rsplit_once(':').map_or(&*signed, |(payload, _)| payload);
        match self.below(4) {
            0 => self.sign(case, &signed),
            _ => self.sign(case, &format!("{payload}:{current}")),
        }
    }

    /// Creates a token as a site could have made it, of any age and with any end.
    fn genuine(&mut self, case: &Case) -> String {
        let mut json = "{".to_owned();
        for (key, value) in self.session() {
            let question = Question::random(self, &[Call::Object]);
            let question = Question { separator: ":".to_owned(), ..question };
            let object = data::Value::Object(vec![(data::Key::Text(key), value)]);
            let entry = crate::question::payload(&question.sign_data(&object, Compress::Never));
            json += &format!("{},", &entry[1..entry.len() - 1]);
        }
        if self.once_in(2) {
            json += &format!("\"_session_expiry\":{},", self.expiry(case));
        }
        if self.once_in(3) {
            json += &format!("\"_session_started\":{},", self.started(case));
        }
        let json = format!("{}}}", json.trim_end_matches(','));
        let payload = match self.below(2) {
            0 => URL_SAFE_NO_PAD.encode(&json),
            _ => compressed(&json),
        };
        // Around every age at which something ends, to the second.
        let age = *self.pick(&[0, 0, 1, 2, 60, 61, 90, 91, 300, 1_500, 86_400, 1_209_600, -300])
            + self.within(-2, 2);
        let stamp = crate::odd::base62(case.now.div_euclid(1000) - age);
        self.sign(case, &format!("{payload}:{stamp}"))
    }

    fn expiry(&mut self, case: &Case) -> String {
        let numbers = [
            "null",
            "false",
            "true",
            "0",
            "-0",
            "0.0",
            "-0.0",
            "1",
            "60",
            "300",
            "-5",
            "1.5",
            "1e3",
            "1E-9",
            "-1e-9",
            "86400",
            "1209600",
            "99999999999999999999999",
            "1e300",
            "[]",
            "{}",
            "[60]",
            "{\"a\":1}",
        ];
        if self.once_in(2) {
            return (*self.pick(&numbers)).to_owned();
        }
        let shift = *self.pick(&[-3_000, -1, 0, 1, 3_000]);
        let moment = moment(case.now) + time::Duration::milliseconds(shift);
        let (hour, minute, second, microsecond) = moment.to_hms_micro();
        let (date, time) = (moment.date(), format!("{hour:02}:{minute:02}:{second:02}"));
        let forms = [
            format!("{date}T{time}.{microsecond:06}+00:00"),
            format!("{date}T{time}.{microsecond:06}"),
            format!("{date}T{time}+00:00"),
            format!("{date}T{time}-00:01"),
            format!("{date}T{time}+23:59:59"),
            format!("{date}T{time}+24:00"),
            format!("{date} {time}+00:00"),
            format!("{date}t{time}+00:00"),
            format!("{date}_{time}+00:00"),
            format!("{date}T{time}"),
            format!("{date}T{hour:02}:{minute:02}"),
            format!("{date}T{hour:02}"),
            format!("{date}"),
            format!("{date}T24:00:00+00:00"),
            format!("{date}T{time}+0000"),
            format!("{date}T{time}.123456789+00:00"),
            format!("{date}T{time}.1234567890+00:00"),
            format!("{date}T{time},5+00:00"),
            format!("{date}T{time}.+00:00"),
            format!("{date}T{time} +00:00"),
            format!(" {date}T{time}+00:00"),
            format!("{date}T{time}+00:00\\n"),
            "2999-01-01T00:00:00+00:00".to_owned(),
            "2999-W01-1".to_owned(),
            "29990101".to_owned(),
            "2999-02-30T00:00:00+00:00".to_owned(),
            "9999-12-31T23:59:59-23:00".to_owned(),
            "0001-01-01T00:00:00+23:00".to_owned(),
            "0000-01-01T00:00:00+00:00".to_owned(),
            "10000-01-01T00:00:00+00:00".to_owned(),
            "+2999-01-01T00:00:00+00:00".to_owned(),
            "\\u0662999-01-01".to_owned(),
            String::new(),
            "tomorrow".to_owned(),
        ];
        format!("\"{}\"", self.pick(&forms))
    }

    fn started(&mut self, case: &Case) -> String {
        let odd = [
            "null",
            "true",
            "\"1700000000000000\"",
            "1.7e15",
            "1700000000000000.0",
            "-1",
            "0",
            "[]",
            "253402300799999999",
            "253402300800000000",
            "99999999999999999999999999",
        ];
        if self.once_in(3) {
            return (*self.pick(&odd)).to_owned();
        }
        let age = self.pick(&[0, 90_000, 86_400_000]) + self.within(-2, 2);
        ((case.now - age) * 1000).to_string()
    }

    /// Creates a token around one of the limits, of the token's length or of what it inflates to.
    fn of_the_longest(&mut self, case: &Case) -> String {
        let stamp = crate::odd::base62(case.now.div_euclid(1000));
        let around = self.within(-3, 3);
        let json = |len: i64| {
            let len = usize::try_from(len).expect("a length");
            format!("{{\"a\":\"{}\"}}", "x".repeat(len - r#"{"a":""}"#.len()))
        };
        if self.once_in(2) {
            let payload = compressed(&json(65_536 + around));
            return self.sign(case, &format!("{payload}:{stamp}"));
        }
        // 4,096 less the stamp, the signature and the colons, in base64.
        let payload = URL_SAFE_NO_PAD.encode(json((4_096 - 6 - 43 - 2) * 3 / 4 + around));
        self.sign(case, &format!("{payload}:{stamp}"))
    }
}

fn compressed(json: &str) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(json.as_bytes()).expect("memory takes all");
    format!(".{}", URL_SAFE_NO_PAD.encode(encoder.finish().expect("memory takes all")))
}
