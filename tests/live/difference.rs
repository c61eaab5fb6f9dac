//! The deliberate differences from Django's middleware, each with what it makes of a request.
//!
//! Where what comes in is judged differently, a second request is put to Django
//! that should have it act as this crate does with the first: with the one good
//! cookie of several, or with a forged one that is left alone.

use serde_json::Value;
use signed_session::ExpiryRule;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use crate::clock::moment;
use crate::site::{Content, Site};

/// A named difference; the numbers are those of `docs/differences.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// D6: a session that is over by its own word is refused.
    OverByItsOwnWord,
    /// D6: a session whose own word is longer than the site's age is read.
    OutlivesTheSite,
    /// D5, D7 and P7: a session that only Django reads is refused.
    OnlyDjangoReads,
    /// D10: a cookie too large for browsers is an error if the program changed the session.
    Oversized,
    /// D10: a cookie that nobody asked for and that cannot be written is left out.
    LeftOut,
    /// D11: two good cookies that differ are refused.
    TwoAreGood,
    /// D11: of several cookies the good one is taken, not the last.
    NotTheLast,
    /// D11: so many cookies are not looked at.
    TooMany,
    /// D12, D17: a refused, expired or too short cookie stays until the session is changed.
    LeftAlone,
    /// D13: the removal of a `Secure` cookie is `Secure`.
    SecureRemoval,
    /// D13: what browsers insist on holds whatever is set.
    BrowsersInsist,
    /// D14: a response with a cookie is private unless it says otherwise.
    Private,
    /// D15: quotes are undone around a token only, and nothing is decoded within them.
    Quotes,
    /// D15: `%3A` in a token is a colon.
    PercentColons,
    /// D16: the very token that the browser holds is not sent to it again.
    SameSecond,
    /// D15: only spaces and tabs are trimmed, not all that Unicode calls white space.
    OtherSpace,
    /// D18: a domain's leading dot, which means nothing, is not written.
    LeadingDot,
    /// D18: a date before 1970 is written as 1970.
    BeforeItAll,
    /// Before 5.2.14 and 6.0.5 Django sent a cookie that nobody had asked for without `Vary`.
    VaryForgotten,
}

impl Difference {
    pub const ALL: [Self; 19] = [
        Self::OverByItsOwnWord,
        Self::OutlivesTheSite,
        Self::OnlyDjangoReads,
        Self::Oversized,
        Self::LeftOut,
        Self::TwoAreGood,
        Self::NotTheLast,
        Self::TooMany,
        Self::LeftAlone,
        Self::SecureRemoval,
        Self::BrowsersInsist,
        Self::Private,
        Self::Quotes,
        Self::PercentColons,
        Self::SameSecond,
        Self::OtherSpace,
        Self::LeadingDot,
        Self::BeforeItAll,
        Self::VaryForgotten,
    ];

    /// Returns `true` if the browser has something else because of it.
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
    /// One without a cookie of the session's name.
    Nothing,
    /// One with this cookie.
    Cookie(String),
    /// One with this cookie, which Django refuses and leaves alone unless the view changes it.
    LeftAlone(&'static str),
}

/// Long enough for a token, and signed by nobody.
pub const FORGED: &str = "forged:1r31eq:forged";

/// Shorter than the eight characters from which Django takes a value for a session.
const TOO_SHORT: &str = "short";

/// The longest token that is read.
const MAX_TOKEN_LEN: usize = 4096;

/// What one value of the cookie is.
struct Judged<'v> {
    /// As it came.
    value: &'v [u8],
    /// What counts of it.
    token: Vec<u8>,
    here: Here,
}

#[derive(PartialEq)]
enum Here {
    TooShort,
    Refused,
    /// Genuine, and refused here alone.
    OnlyDjangoReads,
    /// Genuine, and refused here alone because it says itself that it is over.
    OverByItsOwnWord,
    Good {
        content: Content,
        /// Whether the site's age is not over, which is all that Django asks.
        is_young: bool,
    },
}

impl Reading {
    /// Judges the values that a header has for the session's cookie, by the rules that are promised.
    pub fn of(site: &Site, values: &[Vec<u8>], now: i64) -> Self {
        let judged: Vec<Judged<'_>> = values.iter().map(|value| judge(site, value, now)).collect();
        let Some(last) = judged.last() else { return Self { instead: None, good: None } };
        let tokens = || judged.iter().filter(|one| one.here != Here::TooShort);
        let mut good: Vec<(&[u8], &Content, bool)> = Vec::new();
        for one in tokens() {
            if let Here::Good { content, is_young } = &one.here
                && good.iter().all(|(token, ..)| *token != one.token)
            {
                good.push((&one.token, content, *is_young));
            }
        }
        let refused = |why| Self { instead: Some((Instead::LeftAlone(FORGED), why)), good: None };
        match good[..] {
            _ if tokens().count() > 16 => refused(Difference::TooMany),
            [] if tokens().next().is_some() => refused(match last.here {
                Here::TooShort => Difference::NotTheLast,
                _ => last.why_refused(),
            }),
            [] => Self {
                instead: Some((Instead::LeftAlone(TOO_SHORT), last.why_refused())),
                good: None,
            },
            [(token, content, is_young)] => {
                let token = str::from_utf8(token).expect("a good token is text");
                let cookie = |token: String, why| Some((Instead::Cookie(token), why));
                let instead = if !is_young {
                    // With a stamp that no site's age can refuse.
                    let fresh = site.sign(&content.json, content.key_index, now + 1000);
                    cookie(fresh, Difference::OutlivesTheSite)
                } else if last.token != token.as_bytes() {
                    cookie(token.to_owned(), Difference::NotTheLast)
                } else if last.value.contains(&b'%') {
                    cookie(token.to_owned(), Difference::PercentColons)
                } else {
                    // Django undoes quotes, too.
                    None
                };
                Self { instead, good: Some(content.clone()) }
            }
            _ => refused(Difference::TwoAreGood),
        }
    }

    /// Says the same of a header in which only Django finds one cookie more.
    pub fn without_other_space(mut self, last: Option<&Vec<u8>>) -> Self {
        let rest = match last {
            None => Instead::Nothing,
            Some(value) => Instead::Cookie(value.iter().copied().map(char::from).collect()),
        };
        let (_, why) = self.instead.get_or_insert((rest, Difference::OtherSpace));
        if *why == Difference::LeftAlone {
            *why = Difference::OtherSpace;
        }
        self
    }
}

impl Judged<'_> {
    /// Names why none of the cookies is good here if this is the last, which Django reads.
    fn why_refused(&self) -> Difference {
        let is_quoted = self.value.starts_with(b"\"") && self.value.ends_with(b"\"");
        match self.here {
            Here::OnlyDjangoReads => Difference::OnlyDjangoReads,
            Here::OverByItsOwnWord => Difference::OverByItsOwnWord,
            _ if is_quoted && self.token == self.value => Difference::Quotes,
            Here::TooShort if self.value.contains(&b'%') => Difference::PercentColons,
            _ => Difference::LeftAlone,
        }
    }
}

fn judge<'v>(site: &Site, value: &'v [u8], now: i64) -> Judged<'v> {
    let token = unwrapped(value);
    let text = String::from_utf8_lossy(&token);
    let here = if text.chars().count() < 8 {
        Here::TooShort
    } else if token.len() > MAX_TOKEN_LEN || !site.is_authentic(&text) {
        Here::Refused
    } else {
        judge_authentic(site, &text, now)
    };
    Judged { value, token, here }
}

/// Undoes one pair of quotes, then `%3A`, if only the characters of a token are left then.
fn unwrapped(value: &[u8]) -> Vec<u8> {
    let plain = || {
        let text = str::from_utf8(value).ok()?;
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let plain = inner.unwrap_or(text).replace("%3A", ":").replace("%3a", ":");
        let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        plain.chars().all(is_of_token).then(|| plain.into_bytes())
    };
    plain().unwrap_or_else(|| value.to_vec())
}

fn judge_authentic(site: &Site, token: &str, now: i64) -> Here {
    let Some(stamp) = site.stamp(token) else { return Here::OnlyDjangoReads };
    let age = now - stamp * 1000;
    let is_young = age <= i64::try_from(site.age * 1000).expect("no site is that old");
    // What is too old for Django is refused by both.
    let refused = |why| if is_young { why } else { Here::Refused };
    let enforced = site.rule == ExpiryRule::Enforce;
    if enforced && age < -300_000 || !enforced && !is_young {
        return refused(Here::OnlyDjangoReads);
    }
    let Some(content) = site.content(token) else { return refused(Here::OnlyDjangoReads) };
    let data: Value = serde_json::from_str(&content.json).expect("it was read");
    let is_over = match &data["_session_expiry"] {
        Value::Number(seconds) if enforced && seconds.as_f64() != Some(0.0) => {
            age.max(0) as f64 / 1000.0 > seconds.as_f64().expect("a number")
        }
        Value::String(date) if enforced => match OffsetDateTime::parse(date, &Iso8601::PARSING) {
            Ok(date) => moment(now) > date,
            Err(_) => return refused(Here::OnlyDjangoReads),
        },
        _ => !is_young,
    };
    if is_over { refused(Here::OverByItsOwnWord) } else { Here::Good { content, is_young } }
}
