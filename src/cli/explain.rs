//! Runs `explain`: why a token is refused, most likely cause first, and what was tried to find out.

use std::fmt::{Display, Write as _};
use std::process::ExitCode;

use signed_session::DecodeError;
use time::OffsetDateTime;

use crate::cli::answer::Tally;
use crate::cli::args::{Explain, ReportFormat};
use crate::cli::check::text;
use crate::cli::failure::Failure;
use crate::cli::form::Shape;
use crate::cli::json;
use crate::cli::keys::Keys;
use crate::cli::make::print;
use crate::cli::moment::{self, Span};
use crate::cli::say;
use crate::cli::suspects::Search;
use crate::cli::verify::{Refusal, Verdict, Verifier};

/// Something that explains the refusal.
pub(crate) struct Cause {
    /// A word for programs.
    pub(crate) name: String,
    pub(crate) says: String,
    /// What was tried to find it.
    pub(crate) tried: String,
    pub(crate) hint: Option<String>,
}

impl Cause {
    pub(crate) fn new(name: &str, says: impl Display, tried: impl Display) -> Self {
        let (says, tried) = (says.to_string(), tried.to_string());
        Self { name: name.to_owned(), says, tried, hint: None }
    }

    pub(crate) fn hint(self, hint: impl Display) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }
}

/// What was found out.
#[derive(Default)]
pub(crate) struct Findings {
    /// The most likely first.
    pub(crate) causes: Vec<Cause>,
    /// What was tried and explains nothing.
    pub(crate) ruled_out: Vec<String>,
}

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

/// Explains the refusal of a genuine token.
pub(crate) fn inside(
    verifier: &Verifier,
    line: &[u8],
    error: &DecodeError,
    now: OffsetDateTime,
) -> Cause {
    let key = "the signature, which a key did make";
    match error {
        DecodeError::Expired { signed_at, age } => {
            if let Some(end) = verifier.own_end(line, now).filter(|end| *end < now) {
                let over = Span(moment::seconds(end, now).unsigned_abs());
                let says = format!(
                    "it expired {over} ago: its own _session_expiry ended it at {}",
                    moment::both(end)
                );
                return Cause::new("own_expiry", says, "the expiry that the session holds")
                    .hint("--expiry-rule django has --max-age alone count");
            }
            let limit = verifier.max_age().duration();
            let over = Span(age.saturating_sub(limit).as_secs());
            let says = format!(
                "it expired {over} ago: it was signed at {} and may be {} old",
                moment::both(*signed_at),
                Span(limit.as_secs())
            );
            Cause::new("expired", says, "its age against --max-age")
                .hint("--max-age none accepts any age, --at TIME sets the clock back")
        }
        DecodeError::NotYetValid { signed_at } => {
            let ahead = Span(moment::seconds(now, *signed_at).unsigned_abs());
            let says = format!(
                "a clock is wrong: it was signed at {}, {ahead} from now; here it is {}",
                moment::both(*signed_at),
                moment::both(now)
            );
            Cause::new("clock", says, "its time against the clock, which may differ by 5 minutes")
                .hint("compare the clocks; --at TIME sets this one")
        }
        DecodeError::Revoked { signed_at } => {
            let says = format!("it was signed at {}", moment::both(*signed_at));
            Cause::new("revoked", says + ", before --not-before", "its time against --not-before")
        }
        DecodeError::BadTimestamp => {
            Cause::new("no_timestamp", "it is genuine and has no time: Signer made it", key)
                .hint("signed-session unsign --no-timestamp, with its salt")
        }
        DecodeError::Base64 => {
            let says = "it is genuine, but no object: its payload is not base64";
            Cause::new("base64", says, key).hint("signed-session unsign reads signed text")
        }
        DecodeError::Zlib => {
            let says = "it is genuine, but its compressed payload is not one whole zlib stream";
            Cause::new("zlib", says, "to inflate it")
        }
        DecodeError::TooLarge { limit } => {
            let says = format!("it is genuine, but holds more than {limit} bytes of JSON");
            Cause::new("too_large", says, "to read as much").hint("--max-payload-len BYTES")
        }
        DecodeError::Json => {
            let says = "it is genuine, but its payload is not JSON in ASCII: pickle, or NaN";
            Cause::new("json", says, "to read it as JSON")
        }
        DecodeError::NotAnObject => {
            let says = "it is genuine, but holds no object, as a session is";
            Cause::new("not_an_object", says, "to read it as a session")
                .hint("under a salt of your own --object reads any JSON")
        }
        DecodeError::BadExpiry => {
            let says = "it is genuine, but its _session_expiry says nothing usable";
            Cause::new("bad_expiry", says, "to read when it ends")
                .hint("--expiry-rule django does not look at it")
        }
        DecodeError::Ambiguous => {
            let says = "several cookies of the name are good, and differ: one may be planted";
            Cause::new("ambiguous", says, "each cookie of the name")
        }
        error => Cause::new("other", error, key),
    }
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
