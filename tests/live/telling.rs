//! Runs stories on both sides, visit by visit, and compares the responses.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signed_session::{EncodeError, SessionManager};

use crate::clock::moment;
use crate::difference::{Difference, Instead, Reading};
use crate::jar::{Jar, SetCookie};
use crate::site::{Content, Request, Site};
use crate::step::Step;
use crate::story::{Sent, Story, Visit, object};
use crate::worker::Worker;

/// A story, and what to call it when it fails.
pub struct Telling {
    pub title: String,
    pub story: Story,
}

/// What Django's middleware adds to a response, or the error that it raises.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Raised {
        raised: String,
        /// Whether the view changed the session.
        modified: bool,
    },
    Response {
        /// Each as Python's JSON.
        answers: Vec<String>,
        accessed: bool,
        modified: bool,
        set_cookie: Vec<String>,
        vary: Option<String>,
        cache_control: Option<String>,
    },
}

/// What a visit comes to, as both sides say it in the same words.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    /// What the handler saw.
    answers: Vec<Value>,
    accessed: bool,
    cookie: Option<SetCookie>,
    /// What the token holds that the cookie sets.
    content: Option<Content>,
    /// Sorted, in lower case.
    vary: Vec<String>,
    cache_control: Option<String>,
    /// Whether the handler did not ask for the cookie.
    is_unasked: bool,
    /// Why a cookie that it did not ask for could not be written.
    omitted: Option<Failure>,
}

/// Why there is no response, or no cookie.
#[derive(Clone, Debug, PartialEq)]
enum Failure {
    Oversized,
    BadExpiry,
    Other(String),
}

/// What is to come back by an answer of Django's.
struct Expected {
    outcome: Result<Outcome, Failure>,
    /// The differences that change it.
    seen: BTreeSet<Difference>,
    /// The token that Django sets.
    token: Option<String>,
}

/// A story under way.
struct State<'s> {
    telling: &'s Telling,
    manager: SessionManager,
    now: i64,
    here: Jar,
    django: Jar,
    differences: BTreeSet<Difference>,
}

/// A visit to be answered, and what Django is asked for it.
struct Asked<'s> {
    visit: &'s Visit,
    pairs: Vec<Vec<u8>>,
    reading: Reading,
    /// The request as it is.
    plain: Place,
    /// The same where nothing becomes of the cookie that nobody asked for, if that may differ.
    left_alone: Option<Place>,
    /// The request to which this crate is to answer as Django does, if that is another one.
    instead: Option<Place>,
}

/// The places of Django's answers to a request.
#[derive(Clone, Copy)]
struct Place {
    answer: usize,
    /// The answer of a site that saves no session unless it was changed.
    unsaved: Option<usize>,
}

/// Tells stories and returns the differences that were seen in each.
pub fn tell(worker: &mut Worker, tellings: &[Telling]) -> Vec<BTreeSet<Difference>> {
    let forgets_vary = forgets_vary(&worker.about.django);
    let mut states: Vec<State<'_>> = tellings.iter().map(State::new).collect();
    let longest = tellings.iter().map(|telling| telling.story.visits.len()).max();
    for number in 0..longest.unwrap_or(0) {
        let mut requests = Vec::new();
        let asked: Vec<Option<Asked<'_>>> =
            states.iter_mut().map(|state| state.ask(number, &mut requests)).collect();
        let answers: Vec<Answer> = worker.ask("respond", &requests);
        let mut tokens = Vec::new();
        for (state, asked) in states.iter_mut().zip(&asked) {
            if let Some(asked) = asked
                && let Some((token, json)) = state.compare(asked, &answers, forgets_vary)
            {
                tokens.push((state.telling, token, json));
            }
        }
        django_reads(worker, &tokens);
    }
    for state in &states {
        state.compare_jars();
    }
    states.into_iter().map(|state| state.differences).collect()
}

/// Before 5.2.14 and 6.0.5 the cookie of a session that nobody read came without `Vary`.
pub fn forgets_vary(version: &str) -> bool {
    let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    match numbers[..] {
        [5, 2, patch] => patch < 14,
        [6, 0, patch] => patch < 5,
        [major, ..] => major < 6,
        [] => panic!("no version: {version:?}"),
    }
}

/// Fails unless Django reads the tokens that were made here.
fn django_reads(worker: &mut Worker, tokens: &[(&Telling, ToRead, String)]) {
    #[derive(Debug, Deserialize)]
    struct Read {
        ok: Option<String>,
    }
    let questions: Vec<&ToRead> = tokens.iter().map(|(_, token, _)| token).collect();
    let read: Vec<Read> = worker.ask("judge", &questions);
    for ((telling, token, json), read) in tokens.iter().zip(read) {
        if read.ok.as_ref() != Some(json) {
            telling.fail(&format!("Django reads {read:?} in {token:?}, which holds {json}"));
        }
    }
}

/// A token for Django to read, as of the second of its stamp.
#[derive(Debug, Serialize)]
struct ToRead {
    call: &'static str,
    secrets: Vec<Value>,
    now: i64,
    max_age: u64,
    token: String,
}

impl Telling {
    fn fail(&self, what: &str) -> ! {
        panic!("{}\n{}{what}", self.title, self.story);
    }
}

impl<'s> State<'s> {
    fn new(telling: &'s Telling) -> Self {
        Self {
            telling,
            manager: telling.story.site.manager(),
            now: telling.story.begins,
            here: Jar::default(),
            django: Jar::default(),
            differences: BTreeSet::new(),
        }
    }

    fn site(&self) -> &'s Site {
        &self.telling.story.site
    }

    /// Goes on to a visit, if the story has that many, and adds what Django is to be asked.
    fn ask(&mut self, number: usize, requests: &mut Vec<Request<'s>>) -> Option<Asked<'s>> {
        let visit = self.telling.story.visits.get(number)?;
        let site = self.site();
        self.now += visit.wait;
        if visit.handed_over {
            std::mem::swap(&mut self.here, &mut self.django);
        }
        for jar in [&mut self.here, &mut self.django] {
            jar.pass_time(self.now);
            if visit.closed {
                jar.close();
            }
        }
        let pairs = |jar: &Jar| -> Vec<Vec<u8>> {
            visit.cookies.iter().filter_map(|sent| sent.pair(site, jar, self.now)).collect()
        };
        let values: Vec<Vec<u8>> = visit
            .cookies
            .iter()
            .filter_map(|sent| sent.value(site, &self.here, self.now))
            .map(|value| value.trim_ascii().to_vec())
            .collect();
        let mut reading = Reading::of(site, &values, self.now);
        if visit.cookies.iter().any(|sent| matches!(sent, Sent::AfterOtherSpace)) {
            // What that is for Django must not be there: it asks the rest.
            reading = reading.without_other_space(values.last());
        }

        // WSGI has each byte of a header as a character.
        let header = pairs(&self.django).join(&b"; "[..]);
        let header: String = header.into_iter().map(char::from).collect();
        let header = (!visit.cookies.is_empty()).then_some(header);
        let mut request = |cookies: Option<String>, left_alone| {
            let mut ask = |saves_every_request| {
                requests.push(Request {
                    secrets: site.secrets(),
                    now: self.now,
                    max_age: site.age * 1000,
                    settings: site.settings(saves_every_request),
                    cookies: cookies.clone(),
                    left_alone,
                    steps: &visit.steps,
                    status: visit.status,
                    headers: object(&visit.headers),
                });
                requests.len() - 1
            };
            let saves = site.save_every_request;
            Place { answer: ask(saves), unsaved: saves.then(|| ask(false)) }
        };
        let cookie = |value: &str| Some(format!("{}={value}", site.name));
        let plain = request(header.clone(), false);
        let (left_alone, instead) = match reading.instead.as_ref().map(|(instead, _)| instead) {
            None => (None, None),
            Some(Instead::Nothing) => (None, Some(request(None, false))),
            Some(Instead::Cookie(value)) => (None, Some(request(cookie(value), false))),
            Some(Instead::LeftAlone(value)) => {
                (Some(request(header, true)), Some(request(cookie(value), true)))
            }
        };
        Some(Asked { visit, pairs: pairs(&self.here), reading, plain, left_alone, instead })
    }

    /// Compares the two sides' answers to a visit, and returns the token that was set here.
    fn compare(
        &mut self,
        asked: &Asked<'_>,
        answers: &[Answer],
        forgets_vary: bool,
    ) -> Option<(ToRead, String)> {
        let (site, now) = (self.site(), self.now);
        let fail = |what: &str, here: &dyn std::fmt::Debug, django: &dyn std::fmt::Debug| -> ! {
            let Asked { reading, pairs, .. } = asked;
            let pairs: Vec<_> = pairs.iter().map(|pair| String::from_utf8_lossy(pair)).collect();
            self.telling.fail(&format!(
                "at {now} ms: {what}\n  here: {here:#?}\nDjango: {django:#?}\n  sent: {pairs:?}\n\
                 {reading:?}\nDjango says {:?}, and instead {:?}",
                answers[asked.plain.answer],
                asked.instead.map(|place| &answers[place.answer]),
            ))
        };
        let (here, token) = self.respond(asked);
        let expected = |place| self.expected(asked, place, answers, forgets_vary);
        let plain = expected(asked.plain);
        let django_token = plain.token.clone();
        let Expected { outcome: wanted, seen: differs, .. } = match asked.instead.map(expected) {
            None => plain,
            Some(mut instead) if instead.outcome == plain.outcome => {
                // Django's browser has got what was left out here all the same.
                let left_out = plain.seen.into_iter().filter(|seen| *seen == Difference::LeftOut);
                instead.seen.extend(left_out);
                instead
            }
            Some(mut instead) => {
                let (_, why) = asked.reading.instead.as_ref().expect("it was asked");
                // Where the cookie is for Django what it is here, that explains all.
                let left_alone = asked.left_alone.map(expected);
                let is_left = left_alone.is_some_and(|left| left.outcome == instead.outcome);
                if *why == Difference::LeftAlone && !is_left {
                    fail("Django does not refuse it", &here, &instead.outcome);
                }
                instead.seen.insert(if is_left { Difference::LeftAlone } else { *why });
                instead
            }
        };
        if here != wanted {
            fail("not the same", &here, &wanted);
        }
        if let (Some(token), Some(django), None) = (&token, &django_token, asked.instead) {
            // Tokens of the same content are the same, unless one is compressed.
            if token != django && !token.starts_with('.') && !django.starts_with('.') {
                fail("not the same token", token, django);
            }
            if let Err(error) = site.read(django, now) {
                fail("Django's token is refused", &error, django);
            }
        }

        if let Ok(Outcome { cookie: Some(cookie), .. }) = &here {
            let value = token.clone().unwrap_or_default();
            self.here.follow(&SetCookie { value, ..cookie.clone() }, now);
        }
        if let Answer::Response { set_cookie, .. } = &answers[asked.plain.answer] {
            for cookie in set_cookie.iter().filter_map(|line| SetCookie::parse(line)) {
                self.django.follow(&cookie, now);
            }
        }
        // After a difference both go on with the same cookie.
        if differs.iter().any(|difference| difference.is_of_the_jar()) {
            self.django = self.here.clone();
        }
        self.differences.extend(differs);

        let json = here.ok()?.content?.json;
        let token = ToRead {
            call: "session",
            secrets: site.secrets(),
            now: now.div_euclid(1000) * 1000,
            max_age: site.age * 1000,
            token: token?,
        };
        Some((token, json))
    }

    /// Answers a visit with this crate.
    fn respond(&self, asked: &Asked<'_>) -> (Result<Outcome, Failure>, Option<String>) {
        let (site, visit, now) = (self.site(), asked.visit, moment(self.now));
        let mut headers = asked.pairs.clone();
        if !visit.apart {
            headers = vec![headers.join(&b"; "[..])];
        }
        let mut session = self.manager.load_at(&headers, now);
        let setting = site.setting(self.now);
        let answers = visit.steps.iter().map(|step| step.take(&mut session, setting)).collect();
        let accessed = session.is_accessed();
        let reply = match self.manager.commit_at(&session, visit.status, now) {
            Ok(reply) => reply,
            Err(error) => {
                return (Err(Failure::of(&error)), None);
            }
        };
        let present = visit.headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        let mut headers = visit
            .headers
            .clone()
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect::<Vec<_>>();
        headers.extend(
            reply.headers(present).into_iter().map(|(name, value)| (name.to_owned(), value)),
        );
        let all = |name: &str| -> Vec<String> {
            let of_name = headers.iter().filter(|(header, _)| header == name);
            of_name.map(|(_, value)| value.clone()).collect()
        };
        let mut outcome = Outcome {
            answers,
            accessed,
            cookie: None,
            content: None,
            vary: names(&all("vary").join(", ")),
            cache_control: Some(all("cache-control").join(", ")).filter(|text| !text.is_empty()),
            is_unasked: reply.is_unasked,
            omitted: reply.omitted.as_ref().map(Failure::of),
        };
        match outcome.set_cookies(site, &all("set-cookie")) {
            Err(failure) => (Err(failure), None),
            Ok(Some(token)) if outcome.content.is_none() => {
                (Err(Failure::Other(format!("a token that is none: {token:?}"))), None)
            }
            Ok(token) => (Ok(outcome), token),
        }
    }

    /// What is to come back by Django's answer, with the differences that change it.
    fn expected(
        &self,
        asked: &Asked<'_>,
        place: Place,
        all: &[Answer],
        forgets_vary: bool,
    ) -> Expected {
        let site = self.site();
        let mut seen = BTreeSet::new();
        let failed = |failure: Failure, modified: bool| {
            let Some(unsaved) = place.unsaved.filter(|_| !modified) else {
                return Expected { outcome: Err(failure), seen: BTreeSet::new(), token: None };
            };
            // As if that which failed had not been tried, because nobody asked for it.
            let unsaved = Place { answer: unsaved, unsaved: None };
            let mut expected = self.expected(asked, unsaved, all, forgets_vary);
            if let Ok(outcome) = &mut expected.outcome {
                outcome.omitted = Some(failure);
                expected.seen.insert(Difference::LeftOut);
            }
            expected
        };
        let (answers, accessed, modified, set_cookie, vary, cache_control) = match &all
            [place.answer]
        {
            Answer::Raised { raised, modified } => {
                let is_expiry = raised.starts_with("ValueError: Invalid isoformat");
                let failure =
                    if is_expiry { Failure::BadExpiry } else { Failure::Other(raised.clone()) };
                return failed(failure, *modified);
            }
            Answer::Response { answers, accessed, modified, set_cookie, vary, cache_control } => {
                (answers, *accessed, *modified, set_cookie, vary, cache_control)
            }
        };
        let mut outcome = Outcome {
            answers: answers.iter().map(|answer| value(answer)).collect(),
            accessed,
            cookie: None,
            content: None,
            vary: names(vary.as_deref().unwrap_or_default()),
            cache_control: cache_control.clone(),
            is_unasked: false,
            omitted: None,
        };
        let token = match outcome.set_cookies(site, set_cookie) {
            Ok(token) => token,
            Err(failure) => return Expected { outcome: Err(failure), seen, token: None },
        };
        let Some(cookie) = &mut outcome.cookie else {
            return Expected { outcome: Ok(outcome), seen, token };
        };

        // A session that was ended, or emptied at one blow, is written again whatever it holds.
        let is_ended = |step: &Step| matches!(step, Step::Plain(("flush" | "clear",)));
        let is_another = asked.visit.steps.iter().any(is_ended);
        if outcome.content.is_some() && outcome.content == asked.reading.good && !is_another {
            outcome.cookie = None;
            outcome.content = None;
            if !outcome.accessed {
                let present = asked.visit.headers.iter().find(|(name, _)| *name == "Vary");
                outcome.vary = names(present.map_or("", |(_, value)| value));
            }
            seen.insert(Difference::SameSecond);
            return Expected { outcome: Ok(outcome), seen, token };
        }
        if let Some(token) = &token
            && site.name.len() + token.len() > 4096
        {
            let mut expected = failed(Failure::Oversized, modified);
            if expected.outcome.is_err() {
                expected.seen.insert(Difference::Oversized);
            }
            return expected;
        }
        // Browsers remove it at once, and what they hold may be another one by then.
        let max_age = cookie.attributes.get("max-age").and_then(|age| age.parse::<i64>().ok());
        if token.is_some()
            && !modified
            && max_age.is_some_and(|seconds| seconds < 1)
            && let Some(answer) = place.unsaved
        {
            let unsaved = Place { answer, unsaved: None };
            let mut expected = self.expected(asked, unsaved, all, forgets_vary);
            expected.seen.insert(Difference::LeftOut);
            return expected;
        }
        outcome.is_unasked = !modified;

        let name = site.name.to_ascii_lowercase();
        let insists = site.same_site == Some("None")
            || ["__secure-", "__host-", "__http-"].iter().any(|prefix| name.starts_with(prefix));
        if !cookie.has("secure") && insists {
            cookie.set("secure", "");
            seen.insert(Difference::BrowsersInsist);
        }
        if !cookie.has("secure") && site.secure {
            assert!(token.is_none(), "Django's own is Secure");
            cookie.set("secure", "");
            seen.insert(Difference::SecureRemoval);
        }
        let is_for_http = name.starts_with("__http-") || name.starts_with("__host-http-");
        if !cookie.has("httponly") && is_for_http {
            cookie.set("httponly", "");
            seen.insert(Difference::BrowsersInsist);
        }
        if let Some(domain) = site.domain.and_then(|domain| domain.strip_prefix('.')) {
            cookie.set("domain", domain);
            seen.insert(Difference::LeadingDot);
        }
        if cookie.expires().is_some_and(|seconds| seconds < 0) {
            cookie.set("expires", "Thu, 01 Jan 1970 00:00:00 GMT");
            seen.insert(Difference::BeforeItAll);
        }
        if outcome.cache_control.is_none() {
            outcome.cache_control = Some("private".to_owned());
            seen.insert(Difference::Private);
        }
        if forgets_vary && !outcome.accessed && token.is_some() {
            let names_it = |name: &String| name == "*" || name == "cookie";
            if !outcome.vary.iter().any(names_it) {
                outcome.vary.push("cookie".to_owned());
                outcome.vary.sort();
                seen.insert(Difference::VaryForgotten);
            }
        }
        Expected { outcome: Ok(outcome), seen, token }
    }

    /// Fails unless the browser would hold the same of either side.
    fn compare_jars(&self) {
        let site = self.site();
        let held = |jar: &Jar| {
            let token = jar.token()?;
            Some((site.content(token).map(|content| content.json), jar.ends()))
        };
        let (here, django) = (held(&self.here), held(&self.django));
        if here != django {
            self.telling.fail(&format!("the browser holds {here:?}, and of Django's {django:?}"));
        }
    }
}

impl Failure {
    fn of(error: &EncodeError) -> Self {
        match error {
            EncodeError::TooLarge { .. } => Self::Oversized,
            EncodeError::BadExpiry => Self::BadExpiry,
            error => Self::Other(error.to_string()),
        }
    }
}

impl Outcome {
    /// Takes in the `Set-Cookie` lines, of which there is one at most, and returns the token.
    fn set_cookies(&mut self, site: &Site, lines: &[String]) -> Result<Option<String>, Failure> {
        let line = match lines {
            [] => return Ok(None),
            [line] => line,
            _ => return Err(Failure::Other(format!("more than one cookie: {lines:?}"))),
        };
        let mut cookie = SetCookie::parse(line)
            .ok_or_else(|| Failure::Other(format!("no server may send {line:?}")))?;
        let token = Some(std::mem::take(&mut cookie.value)).filter(|token| !token.is_empty());
        // Django may go on with what only it can read.
        self.content = token.as_ref().and_then(|token| site.content(token));
        self.cookie = Some(cookie);
        Ok(token)
    }
}

/// The names in a `Vary` header, each as often as it is there.
fn names(vary: &str) -> Vec<String> {
    let names = vary.split(',').map(|name| name.trim().to_ascii_lowercase());
    let mut names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
    names.sort();
    names
}

/// An answer of Python's; what is no JSON, such as NaN, stays text.
fn value(answer: &str) -> Value {
    serde_json::from_str(answer).unwrap_or_else(|_| Value::from(answer))
}
