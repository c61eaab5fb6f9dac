//! Writes what `explain` found out, for people or as JSON.

use std::fmt::Write as _;

use time::OffsetDateTime;

use crate::cli::explain::causes::Findings;
use crate::cli::form::Shape;
use crate::cli::json;
use crate::cli::moment;
use crate::cli::say;
use crate::cli::verdict::Verdict;

pub(crate) fn for_people(
    verdict: &Verdict,
    shape: Shape,
    findings: &Findings,
    now: OffsetDateTime,
) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name}: {}", say::escape(text));
    };
    match &verdict.result {
        Ok(_) => line("good", &good(verdict, now)),
        Err(refusal) => line("refused", &format!("{}, {refusal}", verdict.status().name())),
    }
    if !shape.is_bare() {
        let only = if verdict.result.is_ok() { "; as it stands it is refused" } else { "" };
        line("found", &format!("{shape}{only}"));
    }
    for cause in &findings.causes {
        line("cause", &format!("{}: {}", cause.name, cause.says));
        line("  tried", &cause.tried);
        if let Some(hint) = &cause.hint {
            line("  hint", hint);
        }
    }
    for tried in &findings.ruled_out {
        line("not", tried);
    }
    out
}

fn good(verdict: &Verdict, now: OffsetDateTime) -> String {
    let signed = verdict.signed_at.map_or(String::new(), |moment| {
        format!(", signed at {}, {}", moment::both(moment), moment::ago(moment, now))
    });
    let key = verdict.key_index.map_or(String::new(), |index| format!(", by key {index}"));
    format!("the token is genuine{signed}{key}")
}

pub(crate) fn as_object(
    verdict: &Verdict,
    shape: Shape,
    findings: &Findings,
    now: OffsetDateTime,
) -> String {
    let reason = match &verdict.result {
        Ok(_) => good(verdict, now),
        Err(refusal) => refusal.to_string(),
    };
    let found = (!shape.is_bare()).then(|| shape.to_string());
    let string = |text: Option<&str>| text.map_or("null".to_owned(), json::string);
    let causes: Vec<String> = findings
        .causes
        .iter()
        .map(|cause| {
            format!(
                r#"{{"cause":{},"says":{},"tried":{},"hint":{}}}"#,
                json::string(&cause.name),
                json::string(&cause.says),
                json::string(&cause.tried),
                string(cause.hint.as_deref())
            )
        })
        .collect();
    let ruled_out: Vec<String> = findings.ruled_out.iter().map(|text| json::string(text)).collect();
    format!(
        r#"{{"status":{},"says":{},"found":{},"causes":[{}],"ruled_out":[{}]}}"#,
        json::string(verdict.status().name()),
        json::string(&reason),
        string(found.as_deref()),
        causes.join(","),
        ruled_out.join(",")
    )
}
