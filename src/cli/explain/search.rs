//! Searches for what happened to a token whose signature matches no key.

use signed_session::CookieOptions;
use time::OffsetDateTime;

use crate::cli::args::{From, Rules};
use crate::cli::explain::causes::{Cause, Findings, inside};
use crate::cli::explain::foreign;
use crate::cli::explain::guess::guess;
use crate::cli::explain::repairs::{REPAIRS, Repair, without_entities, without_escapes};
use crate::cli::explain::suspects::{self, Suspect, Suspects};
use crate::cli::form::{self, Found};
use crate::cli::keys::Keys;
use crate::cli::shell;
use crate::cli::verdict::{Refusal, Status};
use crate::cli::verify::Verifier;

/// The maximum number of cookies with other names that are tried.
const MAX_OTHER_COOKIES: usize = 16;

/// The maximum number of parts of a string that are tried with unchanged keys.
const MAX_PIECES: usize = 4096;
/// The maximum number that are also tried with every other form of the keys.
const MAX_SPELLED_PIECES: usize = 64;

/// A search for how a token was signed, and for what happened to it since.
pub(crate) struct Search<'a> {
    suspects: Suspects,
    verifier: &'a Verifier,
    now: OffsetDateTime,
}

/// A candidate for the token, and what is unusual about its place in the line.
struct Place {
    cause: Option<Cause>,
    text: String,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        keys: &Keys,
        rules: &Rules,
        verifier: &'a Verifier,
        now: OffsetDateTime,
        line: &str,
    ) -> Self {
        let mut names = vec![verifier.cookie_name().to_owned()];
        for (name, _) in pairs(line) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        let suspects = suspects::list(keys, &rules.purpose.salt, &names);
        Self { suspects, verifier, now }
    }

    /// Returns what happened to a line that was refused, or a guess.
    ///
    /// `outside` is what is unusual about the whole line.
    pub(crate) fn run(&self, line: &str, refusal: &Refusal, outside: Option<&Cause>) -> Findings {
        let mut findings = Findings::default();
        if refusal.status() == Status::TooLong {
            if line.len() <= self.verifier.max_line_len() {
                self.examine_pieces(line, &mut findings);
            }
            if !findings.causes.is_empty() {
                return findings;
            }
            findings.causes.push(self.too_long(line, refusal));
            return findings;
        }
        let mut places = self.places(line);
        for place in places.iter_mut().filter(|place| place.cause.is_none()) {
            place.cause = outside.cloned();
        }
        for Place { cause, text } in &places {
            self.examine(text, cause.as_ref(), &mut findings);
            if !findings.causes.is_empty() {
                return findings;
            }
        }
        self.examine_pieces(line, &mut findings);
        if !findings.causes.is_empty() {
            return findings;
        }
        let tried = &self.suspects.tried;
        findings.ruled_out.push(format!("another salt, hash or form of a key: {tried}"));
        let damage = REPAIRS.map(|(_, says, _)| says).join(", ");
        findings.ruled_out.push(format!("{damage}: without these, no key matches either"));
        findings
            .ruled_out
            .push("a truncated signature: it is not the beginning of a valid one".to_owned());
        findings.ruled_out.push("a token inside other text: no part is genuine".to_owned());
        guess(line, places.iter().map(|place| place.text.as_str()), refusal, &mut findings);
        findings
    }

    /// Returns the candidates for the token in a line: the line itself first.
    fn places(&self, line: &str) -> Vec<Place> {
        let Ok(cookie) = CookieOptions::new(self.verifier.cookie_name()) else { return Vec::new() };
        let mut places = vec![Place { cause: None, text: line.to_owned() }];
        let (found, shape) = form::find(line, From::Auto, &cookie);
        let place = |text: String| {
            // Otherwise this form was already found, and is reported.
            let is_overlooked = self.verifier.from() != From::Auto;
            let cause = is_overlooked.then(|| {
                Cause::new(
                    "form",
                    format_args!("it was found {shape}"),
                    "reading each form of token",
                )
                .hint("--from auto finds it")
            });
            Place { cause, text }
        };
        match found {
            Found::Token(token) if token != line => places.push(place(token.into_owned())),
            Found::Token(_) => {}
            Found::Tokens(found) => places.extend(found.values().iter().cloned().map(place)),
            Found::NoCookie => {
                let named = pairs(line).map(|(name, value)| {
                    let says = format!("it is in the cookie {name}");
                    let cause =
                        Cause::new("cookie_name", says, "reading each cookie of the header");
                    let hint = format!("--cookie-name {}", shell::quote(name));
                    Place { cause: Some(cause.hint(hint)), text: value.to_owned() }
                });
                places.extend(named.take(MAX_OTHER_COOKIES));
            }
        }
        places
    }

    fn too_long(&self, line: &str, refusal: &Refusal) -> Cause {
        let is_whole = line.len() <= self.verifier.max_line_len();
        let is_genuine = is_whole && self.suspects.list.iter().any(|suspect| suspect.signed(line));
        let also = if is_genuine { "; otherwise it is genuine" } else { "; no key matches either" };
        let tried = "comparing its length with the limits, and the keys";
        Cause::new("too_long", format_args!("{refusal}{also}"), tried)
            .hint("--max-token-len BYTES sets the limit")
    }

    /// Repairs a token step by step until a key matches it, or a part of it.
    fn examine<'s>(&'s self, token: &str, place: Option<&Cause>, findings: &mut Findings) {
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
            if let Some(suspect) = self.suspects.list.iter().find(|suspect| suspect.signed(text)) {
                return self.conclude(text, place, repaired, suspect, None, findings);
            }
            let foreign = foreign::signed(text, &self.suspects.keys, &self.suspects.tried);
            if !foreign.is_empty() {
                findings.causes.extend(place.cloned());
                findings.causes.extend(repairs(repaired));
                findings.causes.extend(foreign);
                return;
            }
        }
        for (text, repaired) in &stages {
            let part = |suspect: &'s Suspect| Some((suspect, suspect.signed_part_of(text)?));
            if let Some((suspect, damage)) = self.suspects.list.iter().find_map(part) {
                return self.conclude(text, place, repaired, suspect, Some(damage), findings);
            }
        }
    }

    /// Searches for an authentic token in other text, such as a command line.
    fn examine_pieces(&self, text: &str, findings: &mut Findings) {
        let escaped = without_escapes(text);
        let plain = without_entities(&escaped);
        let decoded = form::percent_decode(&plain);
        let texts = [Some(text), Some(&escaped), Some(&plain), decoded.as_deref()];
        for text in texts.into_iter().flatten() {
            for (place, piece) in pieces(text).take(MAX_PIECES).enumerate() {
                let is_tried =
                    |suspect: &&Suspect| place < MAX_SPELLED_PIECES || suspect.is_of_key_as_given();
                let mut suspects = self.suspects.list.iter().filter(is_tried);
                let matched = suspects.find(|suspect| piece != text && suspect.signed(piece));
                if let Some(suspect) = matched {
                    let says = "it is surrounded by other text; alone, it is genuine";
                    let cause =
                        Cause::new("inside", says, "verifying each part that could be a token")
                            .hint("pass the token alone, or the whole header line");
                    return self.conclude(piece, Some(&cause), &[], suspect, None, findings);
                }
            }
        }
    }

    /// Adds what a key that matches the repaired text proves to the findings.
    fn conclude(
        &self,
        text: &str,
        place: Option<&Cause>,
        repaired: &[Repair],
        suspect: &Suspect,
        damage: Option<(&str, String)>,
        findings: &mut Findings,
    ) {
        findings.causes.extend(place.cloned());
        findings.causes.extend(repairs(repaired));
        if let Some((name, says)) = damage {
            let tried = "computing the signature again and comparing it";
            findings.causes.push(Cause::new(name, says, tried));
        }
        findings.causes.extend(suspect.causes(&self.suspects.tried));
        // A repaired token may have expired as well.
        if let Err(Refusal::Token(error)) = &self.verifier.check(text, self.now).result
            && error.is_authentic()
        {
            findings.causes.push(inside(self.verifier, text.as_bytes(), error, self.now));
        }
    }
}

/// Returns the damage that was removed as a cause, if there was any.
fn repairs(repaired: &[Repair]) -> Option<Cause> {
    if repaired.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = repaired.iter().map(|repair| repair.0).collect();
    names.dedup();
    let says: Vec<&str> = repaired.iter().map(|repair| repair.1).collect();
    let says = format!("it is genuine without {}", says.join(", and "));
    Some(Cause::new(&names.join(","), says, "removing common damage step by step"))
}

/// Returns the cookies of a header, or of a row with tabs between its fields.
fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_name = |name: &str| {
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$&+-.^_|~".contains(&b);
        !name.is_empty() && name.len() <= 256 && name.bytes().all(is_token)
    };
    let in_header = line.split(';').filter_map(|pair| pair.split_once('=')).map(|(name, value)| {
        let name = name.rsplit([':', ' ', '\t', '`', '\'', '"']).next().unwrap_or(name);
        (name.trim(), value.trim())
    });
    let fields = line.split('\t').map(str::trim);
    let in_row = fields.clone().zip(fields.skip(1));
    let in_row = in_row.filter(|(_, value)| value.contains(':'));
    in_header.chain(in_row).filter(move |(name, _)| is_name(name)).take(MAX_OTHER_COOKIES)
}

/// Returns the parts of a string that could be a token.
///
/// They contain a separator, and only characters of tokens.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let runs = text.split(move |c| !is_part(c)).filter(|run| run.len() > 27 && run.contains(':'));
    runs.flat_map(|run| {
        let run = run.trim_end_matches(['.', ':', '-']).trim_start_matches([':', '-']);
        // The last three parts, if a name and a colon precede them, and the last two.
        let last = |count: usize| {
            let at = run.rmatch_indices(':').nth(count).map(|(at, _)| at.saturating_add(1))?;
            run.get(at..)
        };
        [Some(run), last(2), last(1)].into_iter().flatten()
    })
}
