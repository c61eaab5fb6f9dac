//! Stories: a site, and the visits of one browser to it.

use std::fmt;

use serde_json::{Value, json};

use crate::difference::FORGED;
use crate::jar::Jar;
use crate::random::Random;
use crate::site::Site;
use crate::step::Step;

/// When the stories begin that do not say, in milliseconds.
pub const NOW: i64 = 1_700_000_000_500;

#[derive(Clone, Debug)]
pub struct Story {
    pub site: Site,
    /// In milliseconds since 1970.
    pub begins: i64,
    pub visits: Vec<Visit>,
}

/// One request, and what the handler does with it.
#[derive(Clone, Debug)]
pub struct Visit {
    /// How long after the visit before, in milliseconds.
    pub wait: i64,
    /// Whether the browser was closed meanwhile.
    pub closed: bool,
    /// Whether the two sides change their cookies: Django is sent ours, and we are sent Django's.
    pub handed_over: bool,
    pub cookies: Vec<Sent>,
    /// Whether the cookies come in a header each.
    pub apart: bool,
    pub steps: Vec<Step>,
    pub status: u16,
    /// Headers that the response already has.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// What a request sends in its `Cookie` header.
#[derive(Clone, Debug)]
pub enum Sent {
    /// What the browser holds.
    Jar,
    /// The last token that the browser held, be it over, or deleted.
    Copy,
    /// That with the character at this place, from the end, altered.
    Altered(usize),
    /// A session that one of the keys, or another, signed so many milliseconds ago.
    Signed { json: &'static str, key: usize, ago: i64 },
    /// Any text with a stamp and a signature.
    Payload(&'static str),
    /// Any text with a signature.
    Body(&'static str),
    /// A value as it stands.
    Value(Vec<u8>),
    /// A value with these texts around it.
    Around(&'static str, Box<Sent>, &'static str),
    /// A value in which the first text is replaced by the second, so many times at most.
    Respelled(Box<Sent>, &'static str, &'static str, usize),
    /// A session in a compressed token of this length, or a little more.
    Sized(usize),
    /// Any pair of another name.
    Other(&'static str),
    /// A token under the session's name, which is followed by white space of Unicode's.
    AfterOtherSpace,
}

impl Sent {
    pub const GOOD: Self = Self::Signed { json: r#"{"a":1}"#, key: 0, ago: 60_000 };

    /// The value in double quotes.
    pub fn quoted(self) -> Self {
        Self::Around("\"", Box::new(self), "\"")
    }

    /// The value with all its colons spelled otherwise.
    pub fn colons(self, spelled: &'static str) -> Self {
        Self::Respelled(Box::new(self), ":", spelled, usize::MAX)
    }

    /// The value, if there is one and its name is the session's.
    pub fn value(&self, site: &Site, jar: &Jar, now: i64) -> Option<Vec<u8>> {
        let text = match self {
            Self::Jar => jar.token()?.to_owned(),
            Self::Copy => jar.copy()?.to_owned(),
            Self::Altered(place) => altered(jar.copy().unwrap_or(FORGED), *place),
            Self::Signed { json, key, ago } => site.sign(json, *key, now - ago),
            Self::Payload(payload) => site.sign_payload(payload, now - 1000),
            Self::Body(body) => site.sign_body(body),
            Self::Value(bytes) => return Some(bytes.clone()),
            Self::Around(before, sent, after) => {
                let value = sent.value(site, jar, now)?;
                return Some([before.as_bytes(), &value, after.as_bytes()].concat());
            }
            Self::Respelled(sent, from, to, times) => {
                let value = sent.value(site, jar, now)?;
                // What is not text is not respelled.
                return Some(match str::from_utf8(&value) {
                    Ok(text) => text.replacen(from, to, *times).into_bytes(),
                    Err(_) => value,
                });
            }
            Self::Sized(len) => sized(site, *len, now - 60_000),
            Self::Other(_) | Self::AfterOtherSpace => return None,
        };
        Some(text.into_bytes())
    }

    /// The pair as it stands in the header.
    pub fn pair(&self, site: &Site, jar: &Jar, now: i64) -> Option<Vec<u8>> {
        match self {
            Self::Other(pair) => Some(pair.as_bytes().to_vec()),
            Self::AfterOtherSpace => {
                let token = Self::GOOD.value(site, jar, now)?;
                Some([site.name.as_bytes(), "\u{a0}=".as_bytes(), &token].concat())
            }
            _ => Some([site.name.as_bytes(), b"=", &self.value(site, jar, now)?].concat()),
        }
    }

    fn random(random: &mut Random, site: &Site) -> Self {
        let age = i64::try_from(site.age).expect("no site is that old") * 1000;
        let json = *random.pick(&[
            "{}",
            r#"{"a":1}"#,
            r#"{"b":"\u00e9","a":[1.5,{"x":true}]}"#,
            r#"{"a":2,"_session_expiry":60}"#,
            r#"{"a":3,"_session_expiry":5184000}"#,
            r#"{"a":4,"_session_expiry":"2011-11-11T11:11:11+00:00"}"#,
            r#"{"long":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
        ]);
        let key = random.below(4);
        let ages = [0, 500, 1000, 60_000, age - 1000, age, age + 1, age + 1000, 5_000_000_000];
        let future = [-1000, -299_000, -300_000, -302_000, -1_000_000_000];
        match random.below(20) {
            0..=2 => Self::Jar,
            3 => Self::Copy,
            4 | 5 => Self::Altered(random.below(60)),
            6..=8 => Self::Signed { json, key, ago: *random.pick(&ages) },
            9 => Self::Signed { json, key, ago: *random.pick(&future) },
            10 => Self::Payload(random.pick::<&str>(UNREADABLE)),
            11 => Self::Body(random.pick::<&str>(&[
                "unstamped",
                "e30:",
                "e30:-1",
                "e30:\u{e9}",
                "e30",
            ])),
            12 | 13 => Self::Value(random.pick(&VALUES).to_vec()),
            14 => Self::random(random, site).quoted(),
            15 | 16 => {
                let sent = match random.once_in(2) {
                    true => Self::Jar,
                    false => Self::random(random, site),
                };
                let (from, to) = *random.pick(RESPELLINGS);
                let times = *random.pick(&[1, usize::MAX, usize::MAX]);
                let respelled = Self::Respelled(Box::new(sent), from, to, times);
                if random.once_in(2) { respelled.quoted() } else { respelled }
            }
            17 => {
                let around = ["", "\"", " ", "\\", "%22", "%3A", ":"];
                let [before, after] = [(); 2].map(|()| *random.pick(&around));
                Self::Around(before, Box::new(Self::random(random, site)), after)
            }
            // How far another zlib makes it smaller is not known to a few bytes.
            18 if cfg!(feature = "zlib") => {
                let longest = 4096 - site.name.len();
                Self::Sized(*random.pick(&[longest - 40, longest - 4, longest + 3, 4090]))
            }
            _ => Self::AfterOtherSpace,
        }
    }
}

/// Values that are not sessions when they are signed. Only Django accepts the last one.
pub const UNREADABLE: &[&str] = &["!", "bm90IGpzb24", ".bm90IHpsaWI", "W10", "MQ", "eyJhIjpOYU59"];

/// How clients spell what is in a token, and how none should. Of some Python's quotes make it again.
const RESPELLINGS: &[(&str, &str)] = &[
    (":", "%3A"),
    (":", "%3a"),
    (":", "%253A"),
    (":", "%3"),
    (":", "\\072"),
    (":", "\\:"),
    (":", "\":"),
    (".", "%2E"),
    ("e", "%65"),
];

/// Around the eight characters from which a value counts; some are of several bytes, or of none.
pub const VALUES: [&[u8]; 18] = [
    b"",
    b"a",
    b"1234567",
    b"12345678",
    b"123456789",
    b" 1234567\t",
    b"\"1234567\"",
    b"\"12345678",
    b"%3A34567",
    b"%3A3a%3a678",
    b"a b c d e",
    "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}".as_bytes(),
    "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}".as_bytes(),
    b"\xff\xff\xff\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xe2\x82\xe2\x82\xe2\x82\xe2\x82\xf0\x9f\x98",
    b"no-separator-at-all",
    b"a=b=c:d=e",
];

/// Cookies that are not the session's, though some look like it.
const OTHERS: &[&str] = &[
    "theme=dark",
    "sessionid",
    "=sessionid",
    "SessionID=another-cookie",
    "xsessionid=another-cookie",
    "sessionid.=another-cookie",
    "q=\"a; b\"",
    "",
    "\u{e9}=\u{e9}",
];

/// Signs a session of text that hardly gets smaller, in the shortest token of at least this length.
fn sized(site: &Site, len: usize, at: i64) -> String {
    let mut random = Random::new(1, 1, 1);
    let mut text = String::new();
    loop {
        let token = site.sign(&format!(r#"{{"a":"{text}"}}"#), 0, at);
        if token.len() >= len {
            return token;
        }
        // A character adds about one to the token.
        for _ in 0..(len - token.len()).div_ceil(2) {
            text.push(char::from(b'#' + (random.next() % 56) as u8));
        }
    }
}

/// Changes one character, counted from the end, into another one that may stand there.
fn altered(token: &str, place: usize) -> String {
    let mut bytes = token.as_bytes().to_vec();
    let place = bytes.len() - 1 - place % bytes.len();
    bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).expect("a token is ASCII")
}

impl Story {
    pub fn new(site: Site, visits: Vec<Visit>) -> Self {
        Self { site, begins: NOW, visits }
    }

    pub fn random(random: &mut Random) -> Self {
        let site = Site::random(random);
        let mut now = random.within(1_000_000_000, 1 << 31) * 1000;
        now += *random.pick(&[0, 0, 125, 500, 999]);
        let begins = now;
        let visits = (0..random.below(5) + 1)
            .map(|number| {
                let visit = Visit::random(random, &site, now, number == 0);
                now += visit.wait;
                visit
            })
            .collect();
        Self { site, begins, visits }
    }
}

impl Visit {
    /// A visit with what the browser holds, a minute after the one before; its response is not private.
    pub fn new(steps: Vec<Step>) -> Self {
        Self {
            wait: 60_000,
            closed: false,
            handed_over: false,
            cookies: vec![Sent::Jar],
            apart: false,
            steps,
            status: 200,
            headers: vec![("Cache-Control", "no-store")],
        }
    }

    fn random(random: &mut Random, site: &Site, before: i64, is_first: bool) -> Self {
        let age = i64::try_from(site.age).expect("no site is that old") * 1000;
        let waits = [0, 0, 1, 300, 1000, 60_000, 61_000, 3_600_000, age, age + 1, 6_000_000_000];
        let wait = if is_first { 0 } else { *random.pick(&waits) };
        let mut cookies = match random.below(10) {
            0 => Vec::new(),
            1..=5 => vec![Sent::Jar],
            6 | 7 => vec![Sent::random(random, site)],
            8 => {
                let one = Sent::random(random, site);
                let other =
                    if random.once_in(3) { one.clone() } else { Sent::random(random, site) };
                vec![one, other]
            }
            _ => (0..random.below(4)).map(|_| Sent::random(random, site)).collect(),
        };
        if random.once_in(100) {
            cookies.extend(vec![Sent::Jar; random.below(20)]);
        }
        while random.once_in(3) {
            let place = random.below(cookies.len() + 1);
            cookies.insert(place, Sent::Other(random.pick::<&str>(OTHERS)));
        }
        let mut steps: Vec<Step> =
            (0..random.below(5)).map(|_| Step::random(random, before + wait)).collect();
        if random.once_in(60) {
            steps.push(large(random));
        }
        let headers = [
            (
                "Vary",
                *random.pick(&["Accept-Encoding", "cookie", "*", "Accept, Cookie", "Cookies"]),
            ),
            ("Cache-Control", *random.pick(&["no-store", "public, max-age=60"])),
        ];
        Self {
            wait,
            closed: random.once_in(6),
            handed_over: random.once_in(4),
            cookies,
            apart: random.once_in(4),
            steps,
            status: *random.pick(&[200, 200, 200, 302, 404, 499, 500, 503]),
            headers: headers.into_iter().filter(|_| random.once_in(4)).collect(),
        }
    }
}

/// Sets an entry that does not fit a cookie, compressed or not.
pub fn large(random: &mut Random) -> Step {
    let text: String = (0..600).map(|_| format!("{:016x}", random.next())).collect();
    Step::Entry("insert", "a", json!(text))
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.site)?;
        let mut now = self.begins;
        for (number, visit) in self.visits.iter().enumerate() {
            let Visit { wait, closed, handed_over, cookies, apart, steps, status, headers } = visit;
            now += wait;
            write!(f, "visit {number} at {now} ms, {wait} ms later:")?;
            for (is_so, said) in [
                (closed, " browser closed,"),
                (handed_over, " cookies handed over,"),
                (apart, " a header each,"),
            ] {
                f.write_str(if *is_so { said } else { "" })?;
            }
            writeln!(f, " status {status}, response has {headers:?}\n  sends {cookies:?}")?;
            let steps: Vec<String> = steps.iter().map(Step::to_string).collect();
            writeln!(f, "  does {}", steps.join(" "))?;
        }
        Ok(())
    }
}

/// The headers that a response has, for the worker.
pub fn object(headers: &[(&'static str, &'static str)]) -> Value {
    headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}
