//! Turns verdicts into what is printed.

use time::OffsetDateTime;

use crate::cli::form::Shape;
use crate::cli::json;
use crate::cli::moment;
use crate::cli::say;
use crate::cli::tally::Tally;
use crate::cli::verdict::{Payload, Verdict};

/// How verdicts are printed.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) layout: Layout,
    /// What is numbered in messages, if anything is: `line` or `token`.
    pub(crate) unit: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// The payload as one line of JSON.
    Json,
    /// The payload as several lines of JSON.
    Pretty,
    /// An object for each token, good or not.
    Records,
    /// The text as it was signed.
    Text,
    /// The text for a terminal.
    EscapedText,
}

/// What is to be printed for some tokens, and their numbers.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) out: String,
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
        match (payload, layout) {
            (Payload::Json(text), Layout::Pretty) => self.out.push_str(&json::pretty(text)),
            (Payload::Json(text), _) => json::append(&mut self.out, text),
            (Payload::Text(text), Layout::Text) => self.out.push_str(text),
            (Payload::Text(text), Layout::EscapedText) => self.out.push_str(&say::escape(text)),
            (Payload::Text(text), _) => self.out.push_str(&json::string(text)),
        }
        self.out.push('\n');
    }

    fn add_record(&mut self, number: u64, verdict: &Verdict, now: OffsetDateTime) {
        let out = &mut self.out;
        out.push_str(r#"{"line":"#);
        moment::append_number(out, i64::try_from(number).unwrap_or(i64::MAX));
        out.push_str(r#","status":""#);
        out.push_str(verdict.status().name());
        if let Some(moment) = verdict.signed_at {
            out.push_str(r#"","signed_at":""#);
            moment::append_rfc3339(out, moment);
            out.push_str(r#"","signed_at_unix":"#);
            moment::append_number(out, moment.unix_timestamp());
            out.push_str(r#","age":"#);
            moment::append_number(out, moment::seconds(moment, now));
        } else {
            out.push_str(r#"","signed_at":null,"signed_at_unix":null,"age":null"#);
        }
        out.push_str(r#","key_index":"#);
        match verdict.key_index.map(i64::try_from) {
            Some(Ok(index)) => moment::append_number(out, index),
            _ => out.push_str("null"),
        }
        out.push_str(r#","payload":"#);
        match &verdict.result {
            Ok(Payload::Json(text)) => json::append(out, text),
            Ok(Payload::Text(text)) => out.push_str(&json::string(text)),
            Err(_) => out.push_str("null"),
        }
        out.push_str("}\n");
    }
}
