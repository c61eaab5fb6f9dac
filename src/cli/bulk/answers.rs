//! Formats verdicts.

use serde::Serialize;
use time::OffsetDateTime;

use crate::cli::form::Shape;
use crate::cli::json;
use crate::cli::moment;
use crate::cli::say;
use crate::cli::tally::Tally;
use crate::cli::verdict::{Payload, Status, Verdict};

/// How verdicts are printed.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) layout: Layout,
    /// The unit that messages number, if any: `line` or `token`.
    pub(crate) unit: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// The payload as one line of JSON.
    Json,
    /// The payload as several lines of JSON.
    Pretty,
    /// A JSON object for each token, valid or not.
    Records,
    /// The text, unchanged.
    Text,
    /// The text, escaped for a terminal.
    EscapedText,
}

/// The output for a block of tokens, and the counts by status and form.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
    pub(crate) tally: Tally,
}

impl Answers {
    pub(crate) fn add(
        &mut self,
        style: Style,
        number: u64,
        verdict: &Verdict,
        shape: Shape,
        now: OffsetDateTime,
    ) {
        self.tally.add(verdict.status(), shape);
        if style.layout == Layout::Records {
            self.add_record(number, verdict, now);
            return;
        }
        let place = style.unit.map_or(String::new(), |unit| format!("{unit} {number}: "));
        if !shape.is_bare() {
            self.err.push_str(&say::line("note", format_args!("{place}found {shape}")));
        }
        match &verdict.result {
            Ok(payload) => self.add_payload(style.layout, payload),
            Err(refusal) => {
                self.err.push_str(&say::line("error", format_args!("{place}{refusal}")));
            }
        }
    }

    fn add_payload(&mut self, layout: Layout, payload: &Payload) {
        let out = &mut self.out;
        match (payload, layout) {
            (Payload::Json(text), Layout::Pretty) => out.extend(json::pretty(text).as_bytes()),
            (Payload::Text(text), Layout::Text) => out.extend(text.as_bytes()),
            (Payload::Text(text), Layout::EscapedText) => out.extend(say::escape(text).as_bytes()),
            (payload, _) => json::append(out, payload),
        }
        out.push(b'\n');
    }

    fn add_record(&mut self, line: u64, verdict: &Verdict, now: OffsetDateTime) {
        let record = Record {
            line,
            status: verdict.status(),
            signed_at: verdict.signed_at.map(moment::rfc3339),
            signed_at_unix: verdict.signed_at.map(OffsetDateTime::unix_timestamp),
            age: verdict.signed_at.map(|moment| moment::seconds(moment, now)),
            key_index: verdict.key_index,
            payload: verdict.result.as_ref().ok(),
        };
        json::append(&mut self.out, &record);
        self.out.push(b'\n');
    }
}

/// The output for a token with [`Layout::Records`].
#[derive(Serialize)]
struct Record<'v> {
    line: u64,
    status: Status,
    signed_at: Option<String>,
    signed_at_unix: Option<i64>,
    /// In seconds.
    age: Option<i64>,
    key_index: Option<usize>,
    payload: Option<&'v Payload>,
}
