//! Tables of Markdown: every goal with its bound, and what each peer takes.

use std::fmt::{self, Display, Write as _};

/// What is measured against what, and how far apart they must be.
pub struct Row {
    pub session: String,
    pub what: &'static str,
    pub ns: f64,
    pub against: String,
    pub other_ns: f64,
    pub bound: Bound,
}

/// What a ratio must be.
#[derive(Clone, Copy)]
pub enum Bound {
    /// Ours is at most so many times the other.
    AtMost(f64),
    /// The other is at least so many times ours.
    AtLeast(f64),
}

/// By how much a bound may be missed before it is an error.
const TOLERANCE: f64 = 1.1;

impl Row {
    fn ratio(&self) -> f64 {
        match self.bound {
            Bound::AtMost(_) => self.ns / self.other_ns,
            Bound::AtLeast(_) => self.other_ns / self.ns,
        }
    }

    /// Returns by what factor the bound is missed; up to 1 it is met.
    fn excess(&self) -> f64 {
        match self.bound {
            Bound::AtMost(bound) => self.ratio() / bound,
            Bound::AtLeast(bound) => bound / self.ratio(),
        }
    }

    /// Returns `true` if the bound is missed by more than a tenth.
    pub fn is_missed(&self) -> bool {
        // NaN counts as missed.
        self.excess().is_nan() || self.excess() > TOLERANCE
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "≤ {bound}"),
            Self::AtLeast(bound) => write!(f, "≥ {bound}"),
        }
    }
}

/// Writes all goals as a table.
pub fn goals(rows: &[Row]) -> String {
    let mut out = String::from(
        "| session | what | ns | against | ns | ratio | bound | |\n|---|---|---:|---|---:|---:|---:|---|\n",
    );
    for row in rows {
        let verdict = match row.excess() {
            excess if excess <= 1.0 => "met",
            _ if row.is_missed() => "**missed**",
            _ => "missed by less than a tenth",
        };
        let Row { session, what, ns, against, other_ns, bound } = row;
        let (ns, other_ns, ratio) = (number(*ns), number(*other_ns), row.ratio());
        let _ = writeln!(
            out,
            "| {session} | {what} | {ns} | {against} | {other_ns} | {ratio:.2} | {bound} | {verdict} |",
        );
    }
    out
}

/// Writes nanoseconds, with commas between the thousands.
pub fn number(ns: f64) -> String {
    if ns < 50.0 {
        return format!("{ns:.1}");
    }
    let digits = format!("{ns:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
