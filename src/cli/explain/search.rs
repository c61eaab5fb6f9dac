//! Searches for what happened to a token that no key signed as it stands.

use signed_session::CookieOptions;
use time::OffsetDateTime;

use crate::cli::args::{From, Rules};
use crate::cli::explain::causes::{Cause, Findings, inside};
use crate::cli::explain::guess::guess;
use crate::cli::explain::repairs::{REPAIRS, Repair};
use crate::cli::explain::suspects::{self, Suspect};
use crate::cli::form::{self, Found};
use crate::cli::keys::Keys;
use crate::cli::verdict::{Refusal, Status};
use crate::cli::verify::Verifier;

/// How many cookies of other names are tried.
const MAX_OTHER_COOKIES: usize = 16;

/// A search for the way in which a token was signed, and for what happened to it since.
pub(crate) struct Search<'a> {
    suspects: Vec<Suspect>,
    verifier: &'a Verifier,
    now: OffsetDateTime,
    /// What all was tried on each text.
    tried: String,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        keys: &Keys,
        rules: &Rules,
        verifier: &'a Verifier,
        now: OffsetDateTime,
    ) -> Self {
        let (suspects, tried) = suspects::list(keys, &rules.purpose.salt, verifier.cookie_name());
        Self { suspects, verifier, now, tried }
    }

    /// Returns what happened to a line that was refused, if it is found, and else a guess.
    pub(crate) fn run(&self, line: &str, refusal: &Refusal) -> Findings {
        let mut findings = Findings::default();
        if refusal.status() == Status::TooLong {
            findings.causes.push(self.too_long(line, refusal));
            return findings;
        }
        for (place, token) in self.tokens(line) {
            self.examine(&token, place, &mut findings);
            if !findings.causes.is_empty() {
                return findings;
            }
        }
        findings.ruled_out.push(format!("another salt, hash or spelling of a key: {}", self.tried));
        let accidents = REPAIRS.map(|(_, says, _)| says).join(", ");
        findings.ruled_out.push(format!("{accidents}: without them no key matches either"));
        findings
            .ruled_out
            .push("cut off in its signature: it is not the beginning of one".to_owned());
        guess(line, refusal, &mut findings);
        findings
    }

    /// Lists what in a line may be a token, and what is odd about its place.
    fn tokens(&self, line: &str) -> Vec<(Option<Cause>, String)> {
        let Ok(cookie) = CookieOptions::new(self.verifier.cookie_name()) else { return Vec::new() };
        let mut tokens = vec![(None, line.to_owned())];
        let (found, shape) = form::find(line, From::Auto, &cookie);
        let place = || {
            let cause = Cause::new("form", format_args!("it stands {shape}"), "each form of token");
            Some(cause.hint("--from auto finds it there"))
        };
        match found {
            Found::Token(token) => tokens.push((place(), token.into_owned())),
            Found::Tokens(found) => {
                tokens.extend(found.values().iter().map(|token| (place(), token.clone())));
            }
            Found::NoCookie => {
                let pairs = line.split(';').filter_map(|pair| pair.split_once('='));
                let named = pairs.map(|(name, value)| {
                    let name = name.rsplit(':').next().unwrap_or(name).trim();
                    let says = format!("it stands in the cookie {name}");
                    let cause = Cause::new("cookie_name", says, "each cookie of the header");
                    (Some(cause.hint(format_args!("--cookie-name {name}"))), value.to_owned())
                });
                tokens.extend(named.take(MAX_OTHER_COOKIES));
            }
        }
        tokens
    }

    fn too_long(&self, line: &str, refusal: &Refusal) -> Cause {
        let is_whole = line.len() <= self.verifier.max_line_len();
        let is_genuine = is_whole && self.suspects.iter().any(|suspect| suspect.signed(line));
        let also =
            if is_genuine { "; apart from that it is genuine" } else { "; nor does a key match" };
        let tried = "its length against the limits, and the keys";
        Cause::new("too_long", format_args!("{refusal}{also}"), tried)
            .hint("--max-token-len BYTES, if it is to be read")
    }

    /// Repairs a token step by step until a key matches the whole of it, or at least a part.
    fn examine<'s>(&'s self, token: &str, place: Option<Cause>, findings: &mut Findings) {
        let mut text = token.to_owned();
        let mut repaired: Vec<Repair> = Vec::new();
        let mut stages = vec![(text.clone(), repaired.clone())];
        for repair in REPAIRS {
            let better = (repair.2)(&text);
            if better != text {
                text = better;
                repaired.push(repair);
                stages.push((text.clone(), repaired.clone()));
            }
        }
        for (text, repaired) in &stages {
            if let Some(suspect) = self.suspects.iter().find(|suspect| suspect.signed(text)) {
                return self.conclude(text, place, repaired, suspect, None, findings);
            }
        }
        for (text, repaired) in &stages {
            let part = |suspect: &'s Suspect| Some((suspect, suspect.signed_part_of(text)?));
            if let Some((suspect, damage)) = self.suspects.iter().find_map(part) {
                return self.conclude(text, place, repaired, suspect, Some(damage), findings);
            }
        }
    }

    /// Notes what is proved by a key that matches the repaired text.
    fn conclude(
        &self,
        text: &str,
        place: Option<Cause>,
        repaired: &[Repair],
        suspect: &Suspect,
        damage: Option<(&str, String)>,
        findings: &mut Findings,
    ) {
        findings.causes.extend(place);
        if !repaired.is_empty() {
            let mut names: Vec<&str> = repaired.iter().map(|repair| repair.0).collect();
            names.dedup();
            let says: Vec<&str> = repaired.iter().map(|repair| repair.1).collect();
            let says = format!("it is genuine without {}", says.join(", and "));
            findings.causes.push(Cause::new(
                &names.join(","),
                says,
                "to take these off, one by one",
            ));
        }
        if let Some((name, says)) = damage {
            let tried = "to make the signature anew and to compare";
            findings.causes.push(Cause::new(name, says, tried));
        }
        findings.causes.extend(suspect.causes(&self.tried));
        // A repaired token may have come too late as well.
        if let Err(Refusal::Token(error)) = &self.verifier.check(text, self.now).result
            && error.is_authentic()
        {
            findings.causes.push(inside(self.verifier, text.as_bytes(), error, self.now));
        }
    }
}
