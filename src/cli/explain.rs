//! Runs `explain`: why a token is refused, most likely cause first, and what was tried to find out.

use std::fmt::Write as _;
use std::process::ExitCode;

use time::OffsetDateTime;

use crate::cli::answer::Tally;
use crate::cli::args::{Explain, ReportFormat};
use crate::cli::causes::{Findings, inside};
use crate::cli::failure::Failure;
use crate::cli::form::Shape;
use crate::cli::json;
use crate::cli::keys::Keys;
use crate::cli::moment;
use crate::cli::pipe::{print, text};
use crate::cli::say;
use crate::cli::suspects::Search;
use crate::cli::verify::{Refusal, Verdict, Verifier};

pub(crate) fn explain(args: Explain) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.rules.keys)?;
    let verifier = Verifier::new(&args.rules, &keys.ring)?;
    let text = text(args.token, verifier.max_line_len())?;
    let now = verifier.clock.now();
    let (verdict, shape) = verifier.check_line(&text, now);
    let findings = match &verdict.result {
        Ok(_) => Findings::default(),
        Err(Refusal::Token(error)) if error.is_authentic() => {
            Findings { causes: vec![inside(&verifier, &text, error, now)], ruled_out: Vec::new() }
        }
        Err(refusal) => {
            let search = Search::new(&keys, &args.rules, &verifier, now);
            search.run(&String::from_utf8_lossy(&text), refusal)
        }
    };
    print(
        match args.format {
            ReportFormat::Text => for_people(&verdict, shape, &findings, now),
            ReportFormat::Json => as_object(&verdict, shape, &findings, now),
        }
        .trim_end(),
    )?;
    Ok(ExitCode::from(Tally::of(&verdict).exit_status()))
}

fn for_people(verdict: &Verdict, shape: Shape, findings: &Findings, now: OffsetDateTime) -> String {
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

fn as_object(verdict: &Verdict, shape: Shape, findings: &Findings, now: OffsetDateTime) -> String {
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
