//! Counts tokens by status and by form, and returns the exit status.

use crate::cli::form::{Holder, Shape};
use crate::cli::verdict::{Status, Verdict};

/// The number of tokens, by status and by form.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    statuses: [u64; Status::ALL.len()],
    in_cookies: u64,
    spaced: u64,
    quoted: u64,
    encoded: u64,
}

impl Tally {
    /// Returns the tally of a single token.
    pub(crate) fn of(verdict: &Verdict) -> Self {
        let mut tally = Self::default();
        tally.add(verdict.status(), Shape::default());
        tally
    }

    pub(crate) fn add(&mut self, status: Status, shape: Shape) {
        for (count, counted) in self.statuses.iter_mut().zip(Status::ALL) {
            *count = count.saturating_add(u64::from(status == counted));
        }
        for (count, found) in [
            (&mut self.in_cookies, shape.holder != Holder::None),
            (&mut self.spaced, shape.spaced),
            (&mut self.quoted, shape.quoted),
            (&mut self.encoded, shape.encoded),
        ] {
            *count = count.saturating_add(u64::from(found));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.statuses.iter_mut().zip(other.statuses) {
            *count = count.saturating_add(more);
        }
        for (count, more) in [
            (&mut self.in_cookies, other.in_cookies),
            (&mut self.spaced, other.spaced),
            (&mut self.quoted, other.quoted),
            (&mut self.encoded, other.encoded),
        ] {
            *count = count.saturating_add(more);
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.statuses.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns `true` if any token had this status.
    pub(crate) fn has_any(&self, status: Status) -> bool {
        self.count(status) > 0
    }

    fn count(&self, status: Status) -> u64 {
        let counted = self.statuses.iter().zip(Status::ALL).find(|(_, other)| *other == status);
        counted.map_or(0, |(count, _)| *count)
    }

    /// Returns the exit status of a command that verifies tokens.
    ///
    /// 0 if all tokens are valid, 3 if those that were refused have only expired, 1 otherwise.
    pub(crate) fn exit_status(&self) -> u8 {
        let expired = self.count(Status::Expired);
        let refused = self.total().saturating_sub(self.count(Status::Ok));
        match refused {
            0 => 0,
            _ if refused == expired => 3,
            _ => 1,
        }
    }

    /// Returns `true` if a verdict on a refused token does not name the cause.
    pub(crate) fn has_unexplained(&self) -> bool {
        let explained = [Status::Ok, Status::Expired, Status::Revoked].map(|it| self.count(it));
        self.total() > explained.into_iter().fold(0, u64::saturating_add)
    }

    /// Returns the counts by status, such as `3 ok, 1 expired`.
    pub(crate) fn by_status(&self) -> String {
        let counts = Status::ALL.iter().zip(self.statuses);
        let named = counts.filter(|(_, count)| *count > 0);
        let named = named.map(|(status, count)| format!("{count} {}", status.name()));
        named.collect::<Vec<_>>().join(", ")
    }

    /// Returns the counts by form, such as `2 in cookies, 1 in quotes`.
    ///
    /// `None` if all tokens were bare.
    pub(crate) fn by_form(&self) -> Option<String> {
        let counts = [
            (self.in_cookies, "in cookies"),
            (self.spaced, "with surrounding spaces"),
            (self.quoted, "in quotes"),
            (self.encoded, "percent-encoded"),
        ];
        let named = counts.iter().filter(|(count, _)| *count > 0);
        let named: Vec<_> = named.map(|(count, form)| format!("{count} {form}")).collect();
        (!named.is_empty()).then(|| named.join(", "))
    }
}
