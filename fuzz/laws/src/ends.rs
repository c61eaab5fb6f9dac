//! What was ended, by the definition: a second implementation of the list, of sets and of sorting.
//!
//! Written from the specification of `Revocations`, with no thought of speed: everything that was
//! ever said is kept, and each question goes through all of it.

use std::collections::BTreeSet;

use super::django;

/// The clocks' disagreement, in microseconds: a constant of the format.
pub const SKEW: i64 = 300_000_000;

/// How many sessions of a subject are remembered one by one.
const MOST_IDS: usize = 1_000;

/// Who there is: what JSON escapes, what is not ASCII, and the longest that there can be.
pub const SUBJECTS: [&str; 5] = [
    "42",
    "4",
    "\"\\\u{0}\u{7f}",
    "\u{e9}\u{20ac}\u{1f600} of fifteen",
    "000000000000000000000000000000000000000000000000000000000000000\
     000000000000000000000000000000000000000000000000000000000000000\
     000000000000000000000000000000000000000000000000000000000000000\
     000000000000000000000000000000000000000000000000000000000000000\
     000",
];

/// An identity: when the session began, and what tells it from others of that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub began: i64,
    pub random: [u8; 8],
}

impl Id {
    pub fn text(&self) -> String {
        django::base64(&[self.began.to_be_bytes(), self.random].concat())
    }
}

/// Something that was ended; a subject is its place in `SUBJECTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    One(usize, Id),
    All(usize, i64),
    Everyone(i64),
}

impl Ended {
    pub fn moment(&self) -> i64 {
        match *self {
            Self::One(_, Id { began: moment, .. })
            | Self::All(_, moment)
            | Self::Everyone(moment) => moment,
        }
    }

    pub fn line(&self) -> String {
        let subject = |subject| django::quote(SUBJECTS[subject]);
        match self {
            Self::One(who, id) => {
                let id = id.text();
                format!("{{\"v\":1,\"subject\":{},\"session\":\"{id}\"}}", subject(*who))
            }
            Self::All(who, by) => format!("{{\"v\":1,\"subject\":{},\"by\":{by}}}", subject(*who)),
            Self::Everyone(by) => format!("{{\"v\":1,\"by\":{by}}}"),
        }
    }
}

/// What becomes of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    NotYetValid,
    Expired,
    Revoked,
    Good,
}

/// All that a process ended or heard of.
#[derive(Clone)]
pub struct Facts {
    pub lifetime: i64,
    pub said: BTreeSet<Ended>,
}

impl Facts {
    fn everyone(&self) -> i64 {
        let moments = self.said.iter().map(|ended| match ended {
            Ended::Everyone(by) => *by,
            _ => 0,
        });
        moments.max().unwrap_or(0)
    }

    /// The moment up to which all sessions of a subject are ended, and those ended one by one.
    fn state(&self, subject: usize) -> (i64, Vec<Id>) {
        let (mut by, mut ids) = (0, Vec::new());
        for ended in &self.said {
            match *ended {
                Ended::All(of, moment) if of == subject => by = by.max(moment),
                Ended::One(of, id) if of == subject => ids.push(id),
                _ => {}
            }
        }
        ids.sort_by_key(|id| std::cmp::Reverse(id.began));
        ids.retain(|id| id.began > by);
        if let Some(first_too_many) = ids.get(MOST_IDS) {
            by = first_too_many.began;
            ids.retain(|id| id.began > by);
        }
        (by, ids)
    }

    /// What is listed at a moment: all of the states but what can be forgotten.
    pub fn list(&self, now: i64) -> BTreeSet<Ended> {
        let mut list = BTreeSet::from([Ended::Everyone(self.everyone())]);
        for subject in 0..SUBJECTS.len() {
            let (by, ids) = self.state(subject);
            list.insert(Ended::All(subject, by));
            list.extend(ids.iter().map(|id| Ended::One(subject, *id)));
        }
        list.retain(|ended| ended.moment() != 0 && self.is_remembered(ended, now));
        list
    }

    fn is_remembered(&self, ended: &Ended, now: i64) -> bool {
        now <= ended.moment() + self.lifetime + SKEW
    }

    /// Nothing is ever forgotten here: what a list may forget has to be refused for its age.
    pub fn judge(&self, subject: usize, id: Id, now: i64) -> Verdict {
        let (by, ids) = self.state(subject);
        if id.began > now + 3 * SKEW {
            Verdict::NotYetValid
        } else if now > id.began + self.lifetime {
            Verdict::Expired
        } else if id.began <= self.everyone() || id.began <= by || ids.contains(&id) {
            Verdict::Revoked
        } else {
            Verdict::Good
        }
    }

    pub fn end_all(&self, subject: usize, now: i64) -> Ended {
        let by = (now + SKEW).max(self.state(subject).0 + 1).max(self.everyone() + 1);
        Ended::All(subject, by)
    }

    pub fn end_everyone(&self, now: i64) -> Ended {
        let greatest = (0..SUBJECTS.len()).map(|subject| self.state(subject).0 + 1).max();
        Ended::Everyone((now + SKEW).max(self.everyone() + 1).max(greatest.unwrap_or(0)))
    }
}
