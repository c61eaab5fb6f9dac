//! Defines the report of `explain`, and formats it for people.

use std::fmt::Write as _;

use serde::Serialize;
use time::OffsetDateTime;

use crate::cli::explain::causes::{Cause, Findings};
use crate::cli::form::Shape;
use crate::cli::keys::Keys;
use crate::cli::moment;
use crate::cli::say;
use crate::cli::verdict::{Status, Verdict};

/// The JSON output of `explain`.
#[derive(Serialize)]
pub(crate) struct Report<'f> {
    status: Status,
    /// The verdict as a sentence.
    says: String,
    /// The form in which the token was found, unless it was bare.
    found: Option<String>,
    /// What was removed from the file of the matching key, if anything was.
    key: Option<String>,
    causes: &'f [Cause],
    ruled_out: &'f [String],
}

impl<'f> Report<'f> {
    pub(crate) fn new(
        verdict: &Verdict,
        shape: Shape,
        findings: &'f Findings,
        keys: &Keys,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            status: verdict.status(),
            says: match &verdict.result {
                Ok(_) => good(verdict, now),
                Err(refusal) => refusal.to_string(),
            },
            found: (!shape.is_bare()).then(|| shape.to_string()),
            key: verdict
                .key_index
                .and_then(|index| keys.secrets.get(index))
                .and_then(|secret| Some(format!("{secret} {}", secret.taken_off?))),
            causes: &findings.causes,
            ruled_out: &findings.ruled_out,
        }
    }

    /// Returns the report as lines for people.
    ///
    /// With `verbose`, these also contain what was ruled out.
    pub(crate) fn text(&self, verbose: bool) -> String {
        let mut out = String::new();
        let mut line = |name: &str, text: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{name}: {}", say::escape(text));
        };
        let is_good = self.status == Status::Ok;
        if is_good {
            line("valid", &self.says);
        } else {
            line("refused", &format!("{}, {}", self.status.name(), self.says));
        }
        if let Some(found) = &self.found {
            let only = if is_good { "; the text as a whole is not a valid token" } else { "" };
            line("found", &format!("{found}{only}"));
        }
        if let Some(key) = &self.key {
            line("key", key);
        }
        for cause in self.causes {
            let kind = if cause.guess { "perhaps" } else { "cause" };
            line(kind, &format!("{}: {}", cause.name, cause.says));
            line("  tried", &cause.tried);
            if let Some(hint) = &cause.hint {
                line("  hint", hint);
            }
        }
        for tried in self.ruled_out.iter().filter(|_| verbose) {
            line("not", tried);
        }
        out
    }
}

/// Formats when and with which key an authentic token was signed.
fn good(verdict: &Verdict, now: OffsetDateTime) -> String {
    let signed = verdict.signed_at.map_or(String::new(), |moment| {
        format!(", signed at {}, {}", moment::both(moment), moment::ago(moment, now))
    });
    let key = verdict.key_index.map_or(String::new(), |index| format!(", with key {index}"));
    format!("the token is genuine{signed}{key}")
}
