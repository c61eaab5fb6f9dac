//! Turns a token that no key signed into what may have happened to it.

use signed_session::{Algorithm, CookieOptions, Keyring, TimestampSigner, Unverified, django};
use time::OffsetDateTime;

use crate::cli::args::{From, Rules};
use crate::cli::causes::{Cause, Findings, inside};
use crate::cli::form::{self, Found, kind};
use crate::cli::keys::Keys;
use crate::cli::salt::Salt;
use crate::cli::verify::{Refusal, Status, Verifier};

/// A way in which a token may have been signed.
struct Suspect {
    signer: TimestampSigner,
    key_index: usize,
    /// What is odd about each part; nothing for what was asked for.
    key: Option<&'static str>,
    salt: Option<(String, String)>,
    algorithm: Option<&'static str>,
}

/// A repair: its name, what it finds, and the repair itself.
type Repair = (&'static str, &'static str, fn(&str) -> String);

/// In the order in which accidents are undone, the outermost first.
const REPAIRS: [Repair; 10] = [
    ("white_space", "white space around it", |text| text.trim().to_owned()),
    ("quotes", "quotes around it", unquote),
    ("percent_encoding", "percent-encoding", percent_decode),
    ("percent_encoding", "percent-encoding a second time", percent_decode),
    ("quotes", "quotes inside the encoding", unquote),
    ("line_breaks", "white space or line breaks inside it", |text| {
        text.split_whitespace().collect()
    }),
    ("backslashes", "backslashes", |text| text.replace('\\', "")),
    ("punctuation", "punctuation after it", |text| {
        text.trim_end_matches([';', ',', '.']).to_owned()
    }),
    ("padding", "the padding of base64", |text| text.replace('=', "")),
    ("alphabet", "the + and / of the other base64", |text| {
        text.replace('+', "-").replace('/', "_")
    }),
];

/// As few characters of a signature as are no coincidence.
const MIN_PREFIX: usize = 4;

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
        let salts = salts(&rules.purpose.salt, verifier.cookie_name());
        let mut suspects = Vec::new();
        for (key_index, secret) in keys.secrets.iter().enumerate() {
            for (key, bytes) in spellings(&secret.bytes) {
                let Ok(ring) = Keyring::new(&bytes) else { continue };
                for (salt, make) in &salts {
                    for (algorithm, hash) in [
                        (None, Algorithm::Sha256),
                        (Some("SHA-384"), Algorithm::Sha384),
                        (Some("SHA-512"), Algorithm::Sha512),
                    ] {
                        let signer = make(&ring).algorithm(hash);
                        let salt = salt.clone();
                        suspects.push(Suspect { signer, key_index, key, salt, algorithm });
                    }
                }
            }
        }
        let count = keys.secrets.len();
        let tried = format!(
            "{count} {}, also with and without newline, spaces and quotes, {} salts, 3 hashes",
            if count == 1 { "key" } else { "keys" },
            salts.len()
        );
        Self { suspects, verifier, now, tried }
    }

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
                tokens.extend(found.into_iter().map(|token| (place(), token.into_owned())));
            }
            Found::NoCookie => {
                let pairs = line.split(';').filter_map(|pair| pair.split_once('='));
                let named = pairs.map(|(name, value)| {
                    let name = name.rsplit(':').next().unwrap_or(name).trim();
                    let says = format!("it stands in the cookie {name}");
                    let cause = Cause::new("cookie_name", says, "each cookie of the header");
                    (Some(cause.hint(format_args!("--cookie-name {name}"))), value.to_owned())
                });
                tokens.extend(named.take(form::MAX_COOKIES));
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

impl Suspect {
    /// Tells whether this is how the token was signed.
    fn signed(&self, token: &str) -> bool {
        match self.signer.unsign(token, None) {
            Ok(_) => true,
            Err(error) => error.is_authentic(),
        }
    }

    /// Tells whether the token is the beginning of one signed so, or has one as its beginning.
    fn signed_part_of(&self, token: &str) -> Option<(&'static str, String)> {
        let parts = Unverified::new(token).ok()?;
        let whole = self.signer.sign_at(parts.payload(), parts.signed_at().ok()?);
        if parts.signature().len() >= MIN_PREFIX && whole.starts_with(token) {
            let missing = whole.len().saturating_sub(token.len());
            return Some((
                "truncated",
                format!("it was cut off: characters missing at its end: {missing}"),
            ));
        }
        if token.starts_with(&whole) {
            let more = token.len().saturating_sub(whole.len());
            return Some((
                "trailing",
                format!("something follows it: characters too many at its end: {more}"),
            ));
        }
        None
    }

    fn causes(&self, tried: &str) -> Vec<Cause> {
        let mut causes = Vec::new();
        let index = self.key_index;
        if let Some(key) = self.key {
            let says = format!("it is signed by key {index} {key}");
            causes.push(Cause::new("key", says, tried).hint("compare how the secret is stored"));
        }
        if let Some((salt, hint)) = &self.salt {
            let says = format!("it is signed by key {index} as {salt}");
            causes.push(Cause::new("salt", says, tried).hint(hint));
        }
        if let Some(algorithm) = self.algorithm {
            let says = format!("it is signed by key {index} with {algorithm}");
            let hint = "the library's Signer::algorithm reads it";
            causes.push(Cause::new("hash", says, tried).hint(hint));
        }
        causes
    }
}

type MakeSigner = Box<dyn Fn(&Keyring) -> TimestampSigner>;

/// Lists the salts: the one asked for, and the well-known ones with how to read their tokens.
fn salts(asked: &Salt, cookie: &str) -> Vec<(Option<(String, String)>, MakeSigner)> {
    let mut salts: Vec<(Option<(String, String)>, MakeSigner)> = Vec::new();
    let the_one = asked.clone();
    salts.push((None, Box::new(move |ring| the_one.signer(ring))));
    let text = |text: &str| Salt::Text(text.to_owned());
    for (salt, what, hint) in [
        (Salt::Session, "a session in a cookie", "--salt session"),
        (Salt::DbSession, "session_data of a session table, cache or file", "--salt db-session"),
        (Salt::Dumps, "signing.dumps does", "--salt dumps"),
        (Salt::Messages, "the messages cookie", "--salt messages"),
        (text(django::SIGNER_SALT), "text of Signer", "signed-session unsign --no-timestamp"),
        (text(django::TIMESTAMP_SIGNER_SALT), "text of TimestampSigner", "signed-session unsign"),
    ] {
        if salt != *asked {
            let named = Some((what.to_owned(), hint.to_owned()));
            salts.push((named, Box::new(move |ring| salt.signer(ring))));
        }
    }
    let hint = "the library's module django has the signers of single cookies";
    let what = format!("the signed cookie {cookie}");
    let name = cookie.to_owned();
    salts.push((
        Some((what.clone(), hint.to_owned())),
        Box::new(move |ring| django::signed_cookie_signer(ring, &name, "")),
    ));
    let name = cookie.to_owned();
    salts.push((
        Some((what + " of older releases", hint.to_owned())),
        Box::new(move |ring| django::legacy_signed_cookie_signer(ring, &name, "")),
    ));
    salts
}

/// Lists a secret as it stands and as it may have been stored elsewhere.
fn spellings(secret: &[u8]) -> Vec<(Option<&'static str>, zeroize::Zeroizing<Vec<u8>>)> {
    let mut spellings = vec![(None, secret.to_vec())];
    let quoted = [(b"\"", b"\""), (b"'", b"'")];
    let unquoted = quoted.iter().find_map(|(open, close)| {
        secret.strip_prefix(open.as_slice())?.strip_suffix(close.as_slice())
    });
    for (says, bytes) in [
        ("with a newline at its end", [secret, b"\n"].concat()),
        ("with CR and LF at its end", [secret, b"\r\n"].concat()),
        ("without the white space around it", secret.trim_ascii().to_vec()),
        ("without the quotes around it", unquoted.unwrap_or(secret).to_vec()),
    ] {
        if bytes != secret {
            spellings.push((Some(says), bytes));
        }
    }
    spellings.into_iter().map(|(says, bytes)| (says, zeroize::Zeroizing::new(bytes))).collect()
}

/// Says what a token that nothing verifies looks like; last of all, that it is forged.
fn guess(line: &str, refusal: &Refusal, findings: &mut Findings) {
    let looks = looks_like(line.trim(), refusal);
    let is_certain = looks.is_some();
    findings.causes.extend(looks);
    if !is_certain {
        let says = "it is forged, or signed with another key";
        let hint = "is this the secret of the site that made it, also before it was rotated?";
        findings.causes.push(Cause::new("forged_or_other_key", says, "all below").hint(hint));
    }
}

fn looks_like(text: &str, refusal: &Refusal) -> Option<Cause> {
    if text.is_empty() {
        return Some(Cause::new("empty", "there is nothing: is a variable unset?", "its length"));
    }
    if *refusal == Refusal::NoCookie {
        let says = "there is no cookie of this name, and no other holds a genuine token";
        return Some(Cause::new("cookie_name", says, "each cookie").hint("--cookie-name NAME"));
    }
    if !text.is_ascii() {
        let says = "it holds characters beyond ASCII, which no token does";
        return Some(Cause::new("not_ascii", says, "to find them"));
    }
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let Ok(parts) = Unverified::new(text) else {
        let fields: Vec<&str> = text.split('.').collect();
        if fields.len() == 3 && text.starts_with("eyJ") && fields.iter().all(|part| is_word(part)) {
            let says = "it is a JSON Web Token, which is signed in another way";
            return Some(Cause::new("jwt", says, "its three parts"));
        }
        let is_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if text.len() == 32 && text.bytes().all(is_key) {
            let says = "it is a session key, which points into a session table, and no token";
            return Some(Cause::new("session_key", says, "its length and letters"));
        }
        let says = "it was cut off, or is no token: there is no separator";
        return Some(Cause::new("truncated", says, "to find a :"));
    };
    let letters = || text.bytes().filter(u8::is_ascii_alphabetic);
    if text.len() >= 20
        && (letters().all(|b| b.is_ascii_uppercase()) || letters().all(|b| b.is_ascii_lowercase()))
    {
        let says = "all its letters were made upper or lower case, which cannot be undone";
        return Some(Cause::new("case", says, "to find letters of both cases"));
    }
    let len = parts.signature().len();
    if len == 27 {
        let says =
            "it has the length of a SHA-1 signature, of Django 3.0 or older, which is refused";
        return Some(
            Cause::new("sha1", says, "the length of its signature, 27 characters")
                .hint("have Django 3.2 or later sign it anew"),
        );
    }
    if len < 43 {
        let says = format!("it was cut off: its signature has {len} characters of 43");
        return Some(Cause::new("truncated", says, "the length of its signature"));
    }
    if kind(parts.signature()).is_none() {
        let says = format!("its signature has {len} characters, which is no known length");
        return Some(Cause::new("trailing", says, "the length of its signature"));
    }
    None
}

fn unquote(text: &str) -> String {
    let pairs = [("\"", "\""), ("'", "'"), ("`", "`"), ("\u{201c}", "\u{201d}"), ("b'", "'")];
    let inner = |(open, close): (&str, &str)| text.strip_prefix(open)?.strip_suffix(close);
    match form::unquote(text) {
        Some(inner) => inner,
        None => pairs.into_iter().find_map(inner).unwrap_or(text).to_owned(),
    }
}

fn percent_decode(text: &str) -> String {
    form::percent_decode(text).unwrap_or_else(|| text.to_owned())
}
