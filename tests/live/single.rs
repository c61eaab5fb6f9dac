//! Exchanges signed cookies with Django, in both directions and in both forms.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use signed_session::django::SignedCookie;
use signed_session::{CookieOptions, DecodeError, EncodeError, Keyring};
use time::OffsetDateTime;

use crate::NOW;
use crate::random::Random;
use crate::run::BESIDE;

#[derive(Clone, Debug, Serialize)]
struct Case {
    now: i64,
    secrets: Vec<String>,
    name: String,
    salt: String,
    value: String,
    cookies: String,
    max_age: Option<u64>,
    /// Whether the side that reads also takes the old form.
    legacy: bool,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok(String),
    Error(String),
}

impl Case {
    fn random(random: &mut Random) -> Self {
        let names = ["c", "theme", "a!#$%&'*+-.^_`|~0"];
        let salts = ["", "s", "größe", "5:x"];
        Self {
            now: NOW,
            secrets: (0..=random.below(2))
                .map(|_| format!("a-test-key-{:016x}", random.next()))
                .collect(),
            name: (*random.pick(&names)).to_owned(),
            salt: (*random.pick(&salts)).to_owned(),
            value: value(random),
            cookies: String::new(),
            max_age: *random.pick(&[None, Some(60), Some(3600)]),
            legacy: random.once_in(2),
        }
    }

    fn cookie(&self) -> SignedCookie {
        let (first, rest) = self.secrets.split_first().unwrap();
        let ring = rest
            .iter()
            .fold(Keyring::new(first).unwrap(), |ring, secret| ring.fallback(secret).unwrap());
        let cookie = SignedCookie::new(&ring, CookieOptions::new(&self.name).unwrap(), &self.salt);
        let cookie = cookie.legacy_fallback(self.legacy);
        match self.max_age {
            Some(seconds) => cookie.max_age(Duration::from_secs(seconds)),
            None => cookie,
        }
    }

    fn read(&self) -> Verdict {
        let now = OffsetDateTime::from_unix_timestamp(self.now).unwrap();
        match self.cookie().read_at([&self.cookies], now) {
            Ok(Some(value)) => Verdict::Ok(value),
            Ok(None) => Verdict::Error("KeyError".to_owned()),
            Err(DecodeError::Expired { .. }) => Verdict::Error("SignatureExpired".to_owned()),
            Err(_) => Verdict::Error("BadSignature".to_owned()),
        }
    }
}

#[test]
fn django_writes_the_same_signed_cookie_and_each_reads_both() {
    BESIDE.on_every_django(3, |worker, cases| {
        let signs_v2 = worker.about.v2_cookies;
        let mut made: Vec<Case> =
            cases.iter_mut().map(|case| Case::random(&mut case.random)).collect();
        let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();

        // Written: the same, and refused where Django's server could not send it.
        let theirs: Vec<Option<String>> = worker.ask("set_cookie", &made);
        for ((case, made), theirs) in cases.iter_mut().zip(&mut made).zip(&theirs) {
            let ours = made.cookie().cookie_at(&made.value, now);
            let pair = |cookie: &str| cookie.split("; ").next().unwrap().to_owned();
            let ours_or_none = ours.as_ref().ok().map(|cookie| pair(&cookie.to_string()));
            case.equal("can be written", ours.is_ok(), theirs.is_some(), made);
            if let Err(error) = &ours {
                case.equal("why not", error, &EncodeError::CookieValue, made);
            }
            if signs_v2 {
                case.equal("the cookie", &ours_or_none, &theirs.as_deref().map(pair), made);
            }
            made.cookies = ours_or_none.unwrap_or_else(|| "other=1".to_owned());
            made.now += *case.random.pick(&[0, 60, 61, 4000]);
            if case.random.once_in(4) {
                let (name, value) = made.cookies.split_once('=').unwrap();
                made.cookies = alter(&mut case.random, name, value);
            }
        }

        // Read: ours by both.
        let verdicts: Vec<Verdict> = worker.ask("get_cookie", &made);
        for ((case, made), verdict) in cases.iter().zip(&made).zip(verdicts) {
            let ours = made.read();
            if signs_v2 {
                case.equal("what is read", ours, verdict, made);
            }
        }

        // And Django's in the old form.
        let mut legacy: Vec<Case> = cases
            .iter_mut()
            .map(|case| Case { value: plain(&mut case.random), ..Case::random(&mut case.random) })
            .collect();
        let written: Vec<String> = worker.ask("legacy_cookie", &legacy);
        for ((case, made), cookie) in cases.iter_mut().zip(&mut legacy).zip(written) {
            made.cookies = cookie;
            made.now += *case.random.pick(&[0, 60, 61]);
            // A Django before the new form reads the old one whatever is set.
            made.legacy |= !signs_v2;
        }
        let verdicts: Vec<Verdict> = worker.ask("get_cookie", &legacy);
        for ((case, made), verdict) in cases.iter().zip(&legacy).zip(verdicts) {
            case.equal("what is read in the old form", made.read(), verdict, made);
        }
    });
}

/// Changes a character of a value, takes one away, adds one, or puts quotes around all.
fn alter(random: &mut Random, name: &str, value: &str) -> String {
    let mut characters: Vec<char> = value.chars().collect();
    let at = random.below(characters.len());
    match random.below(4) {
        0 => characters[at] = *random.pick(&['a', '"', '\\', ':', ' ']),
        1 => drop(characters.remove(at)),
        2 => characters.insert(at, *random.pick(&['a', '"', '\\', ':', '1'])),
        _ => {
            characters.insert(0, '"');
            characters.push('"');
        }
    }
    format!("{name}={}", characters.into_iter().collect::<String>())
}

fn value(random: &mut Random) -> String {
    let letters = [
        "a", "0", ":", " ", "/", "=", "@", "\"", "\\", "\\1", ",", ";", "~", "{", "é", "ÿ",
        "\u{80}",
    ];
    let mut text: String = (0..random.below(8)).map(|_| *random.pick(&letters)).collect();
    if random.once_in(10) {
        text.push(*random.pick(&['€', 'ā', '🦀']));
    }
    text
}

fn plain(random: &mut Random) -> String {
    (0..random.below(8)).map(|_| *random.pick(&["a", "0", ":", " ", "é"])).collect()
}
