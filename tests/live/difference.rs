//! The deliberate differences from Django's middleware, each with what it makes of a request.
//!
//! Where what comes in is judged differently, a second request is put to Django
//! that should have it act as this crate does with the first: with the one good
//! cookie of several, with a forged one, and so on.

use serde_json::Value;
use signed_session::ExpiryRule;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use crate::clock::moment;
use crate::site::{Content, Site};

/// A named difference; the numbers are those of `SECURITY.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// D6: a session that is over by its own word is refused.
    OverByItsOwnWord,
    /// D6: a session whose own word is longer than the site's age is read.
    OutlivesTheSite,
    /// D10: a cookie too large for browsers is an error.
    Oversized,
    /// D11: two good cookies that differ are refused.
    TwoAreGood,
    /// D11: of several cookies the good one is taken, not the last.
    NotTheLast,
    /// D11: so many cookies are not looked at.
    TooMany,
    /// D12, also with D5 and D7: what is genuine and cannot be read is left when only read.
    LeftAlone,
    /// D13: the removal of a `Secure` cookie is `Secure`.
    SecureRemoval,
    /// D13: what browsers insist on holds whatever is set.
    BrowsersInsist,
    /// D14: a response with a cookie is private unless it says otherwise.
    Private,
    /// D15: quotes belong to the value.
    Quotes,
    /// D16: the very token that the browser holds is not sent to it again.
    SameSecond,
    /// D15: only spaces and tabs are trimmed, not all that Unicode calls white space.
    OtherSpace,
    /// D18: a domain's leading dot, which means nothing, is not written.
    LeadingDot,
    /// D18: a date before 1970 is written as 1970.
    BeforeItAll,
    /// D17: Django forgets that it has replaced a session if the first thing asked is to `pop` an entry.
    ForgottenByPop,
    /// Before 5.2.14 and 6.0.5 Django sent a cookie that nobody had asked for without `Vary`.
    VaryForgotten,
}

impl Difference {
    pub const ALL: [Self; 17] = [
        Self::OverByItsOwnWord,
        Self::OutlivesTheSite,
        Self::Oversized,
        Self::TwoAreGood,
        Self::NotTheLast,
        Self::TooMany,
        Self::LeftAlone,
        Self::SecureRemoval,
        Self::BrowsersInsist,
        Self::Private,
        Self::Quotes,
        Self::SameSecond,
        Self::OtherSpace,
        Self::LeadingDot,
        Self::BeforeItAll,
        Self::ForgottenByPop,
        Self::VaryForgotten,
    ];

    /// Tells whether the browser holds something else for it.
    pub fn is_of_the_jar(self) -> bool {
        !matches!(
            self,
            Self::SecureRemoval
                | Self::BrowsersInsist
                | Self::Private
                | Self::LeadingDot
                | Self::BeforeItAll
                | Self::VaryForgotten
        )
    }
}

/// What the session's cookies of a request come to.
#[derive(Debug)]
pub struct Reading {
    /// What to ask Django instead, and why.
    pub instead: Option<(Instead, Difference)>,
    /// The one good token.
    pub good: Option<Content>,
}

/// A request that Django should answer as this crate answers another.
#[derive(Debug, PartialEq)]
pub enum Instead {
    /// The same, with the session loaded before the handler does anything; as also in the others.
    LoadedFirst,
    Nothing,
    Cookie(String),
    /// An empty session, and nothing saved that was not changed.
    LeftAlone(String),
}

/// Long enough for a token, and signed by nobody.
pub const FORGED: &str = "forged:1r31eq:forged";

/// What one value of the cookie is.
struct Judged<'v> {
    value: &'v [u8],
    here: Here,
    /// Whether Django's backend would take the same text for a session.
    django_reads: bool,
}

#[derive(PartialEq)]
enum Here {
    TooShort,
    Refused,
    LeftAlone,
    Good(Content),
}

impl Reading {
    /// Judges the values that a header has for the session's cookie, by the rules that are promised.
    pub fn of(site: &Site, values: &[Vec<u8>], now: i64) -> Self {
        let judged: Vec<Judged<'_>> = values.iter().map(|value| judge(site, value, now)).collect();
        let tokens = judged.iter().filter(|one| one.here != Here::TooShort);
        let mut good: Vec<(&Judged<'_>, &Content)> = Vec::new();
        for one in tokens.clone() {
            if let Here::Good(content) = &one.here
                && good.iter().all(|(other, _)| other.value != one.value)
            {
                good.push((one, content));
            }
        }
        // With a stamp that no site's age can refuse.
        let later = now + 1000;
        let left_alone = || Instead::LeftAlone(site.sign("{}", 0, later));
        let Some(last) = judged.last().filter(|_| tokens.clone().next().is_some()) else {
            return Self { instead: None, good: None };
        };
        let is_quoted = last.value.starts_with(b"\"") && last.value.ends_with(b"\"");
        let instead = match &good[..] {
            _ if tokens.clone().count() > 16 => Some((left_alone(), Difference::TooMany)),
            [] if tokens.clone().any(|one| one.here == Here::LeftAlone) => {
                Some((left_alone(), Difference::LeftAlone))
            }
            [] => {
                let why = if is_quoted {
                    Some(Difference::Quotes)
                } else if last.here == Here::TooShort {
                    Some(Difference::NotTheLast)
                } else {
                    last.django_reads.then_some(Difference::OverByItsOwnWord)
                };
                why.map(|why| (Instead::Cookie(FORGED.to_owned()), why))
            }
            [(one, content)] if !one.django_reads => {
                let fresh = site.sign(&content.json, content.key_index, later);
                Some((Instead::Cookie(fresh), Difference::OutlivesTheSite))
            }
            [(one, _)] if one.value != last.value => {
                let token = str::from_utf8(one.value).expect("a good token is text");
                Some((Instead::Cookie(token.to_owned()), Difference::NotTheLast))
            }
            [_] => None,
            _ => Some((left_alone(), Difference::TwoAreGood)),
        };
        let good = match (&good[..], &instead) {
            ([(_, content)], None | Some((Instead::Cookie(_), _))) => Some((*content).clone()),
            _ => None,
        };
        Self { instead, good }
    }

    /// Says the same of a handler that begins with a `pop`.
    pub fn with_pop(mut self) -> Self {
        self.instead.get_or_insert((Instead::LoadedFirst, Difference::ForgottenByPop));
        self
    }

    /// Says the same of a header in which only Django finds one cookie more.
    pub fn without_other_space(mut self, last: Option<&Vec<u8>>) -> Self {
        let rest = match last {
            None => Instead::Nothing,
            Some(value) => Instead::Cookie(value.iter().copied().map(char::from).collect()),
        };
        self.instead.get_or_insert((rest, Difference::OtherSpace));
        self
    }
}

fn judge<'v>(site: &Site, value: &'v [u8], now: i64) -> Judged<'v> {
    let text = String::from_utf8_lossy(value);
    let (here, django_reads) = if text.chars().count() < 8 {
        (Here::TooShort, false)
    } else if !site.is_authentic(&text) {
        (Here::Refused, false)
    } else {
        judge_authentic(site, &text, now)
    };
    Judged { value, here, django_reads }
}

fn judge_authentic(site: &Site, token: &str, now: i64) -> (Here, bool) {
    let Some(stamp) = site.stamp(token) else { return (Here::LeftAlone, false) };
    let age = now - stamp * 1000;
    let is_young = age <= i64::try_from(site.age * 1000).expect("no site is that old");
    let enforced = site.rule == ExpiryRule::Enforce;
    if enforced && age < -300_000 {
        return (Here::LeftAlone, true);
    }
    if !enforced && !is_young {
        return (Here::Refused, false);
    }
    let Some(content) = site.content(token) else { return (Here::LeftAlone, is_young) };
    let data: Value = serde_json::from_str(&content.json).expect("it was read");
    let is_over = match &data["_session_expiry"] {
        Value::Number(seconds) if enforced && seconds.as_f64() != Some(0.0) => {
            age.max(0) as f64 / 1000.0 > seconds.as_f64().expect("a number")
        }
        Value::String(date) if enforced => {
            let date = OffsetDateTime::parse(date, &Iso8601::PARSING).expect("a date");
            moment(now) > date
        }
        _ => !is_young,
    };
    (if is_over { Here::Refused } else { Here::Good(content) }, is_young)
}
