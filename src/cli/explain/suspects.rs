//! Lists the ways in which a token may have been signed, and verifies them.

use std::rc::Rc;

use signed_session::{Algorithm, Keyring, TimestampSigner, Unverified, django};
use zeroize::Zeroizing;

use crate::cli::explain::causes::Cause;
use crate::cli::explain::spellings::{self, Spelling};
use crate::cli::keys::Keys;
use crate::cli::mac;
use crate::cli::salt::Salt;

/// A way in which a token may have been signed.
pub(crate) struct Suspect {
    signer: Mac,
    key_index: usize,
    /// What differs from the requested key, salt and hash; `None` if nothing.
    key: Option<Rc<str>>,
    salt: Option<Rc<Purpose>>,
    algorithm: Option<&'static str>,
}

enum Mac {
    /// The signer and the length of its signatures.
    Library(Box<TimestampSigner>, usize),
    /// The key of an HMAC-SHA1.
    Sha1(Zeroizing<Vec<u8>>),
}

/// A purpose of tokens.
struct Purpose {
    /// The purpose after `signed for`.
    says: String,
    hint: String,
}

/// The minimum length of a part of a signature.
///
/// Fewer characters could match by coincidence.
const MIN_PREFIX: usize = 4;

/// The ways in which a token may have been signed.
pub(crate) struct Suspects {
    pub(crate) list: Vec<Suspect>,
    /// The keys, unchanged and in other forms, with their indices in the ring.
    pub(crate) keys: Vec<(usize, Spelling)>,
    /// A description of the list.
    pub(crate) tried: String,
}

/// Returns the ways in which a token may have been signed.
///
/// For each key, the requested way is the first. `cookies` are the names of the cookies that may
/// contain the token, the requested name first.
pub(crate) fn list(keys: &Keys, asked: &Salt, cookies: &[String]) -> Suspects {
    let salts = salts(asked, cookies);
    let mut spelled = Vec::new();
    for (key_index, secret) in keys.secrets.iter().enumerate() {
        let all = spellings::list(&secret.bytes);
        spelled.extend(all.into_iter().map(|spelling| (key_index, spelling)));
    }
    // All unchanged keys are tried before any other form.
    spelled.sort_by_key(|(_, spelling)| spelling.says.is_some());
    let mut suspects = Vec::new();
    for (key_index, spelling) in &spelled {
        let Ok(ring) = Keyring::new(&spelling.bytes) else { continue };
        let is_own = spelling.says.is_none();
        for salt in salts.iter().filter(|salt| is_own || !salt.is_rare) {
            let suspect = |signer, algorithm| Suspect {
                signer,
                key_index: *key_index,
                key: spelling.says.clone(),
                salt: salt.purpose.clone(),
                algorithm,
            };
            let hashes = [
                (None, Algorithm::Sha256, 43),
                (Some("SHA-384"), Algorithm::Sha384, 64),
                (Some("SHA-512"), Algorithm::Sha512, 86),
            ];
            for (name, hash, len) in hashes {
                let signer = Mac::Library(Box::new((salt.make)(&ring).algorithm(hash)), len);
                suspects.push(suspect(signer, name));
            }
            if let Some((prefix, salt)) = &salt.old {
                let key = [prefix.as_bytes(), &spelling.bytes].concat();
                let key = [salt.as_bytes(), b"signer", &key].concat();
                suspects.push(suspect(Mac::Sha1(Zeroizing::new(key)), Some("SHA-1")));
            }
        }
    }
    let count = keys.secrets.len();
    let tried = format!(
        "{count} {} (unchanged and in other forms), {} salts, 4 hashes",
        if count == 1 { "key" } else { "keys" },
        salts.len()
    );
    Suspects { list: suspects, keys: spelled, tried }
}

/// A salt and how to verify its tokens.
struct Known {
    purpose: Option<Rc<Purpose>>,
    make: Box<dyn Fn(&Keyring) -> TimestampSigner>,
    /// The prefix of the secret and the salt, for releases that use SHA-1.
    old: Option<(&'static str, String)>,
    /// Whether it is tried only with unchanged keys.
    is_rare: bool,
}

const COOKIE_PREFIX: &str = "django.http.cookies";

/// Returns the requested salt and the well-known ones.
fn salts(asked: &Salt, cookies: &[String]) -> Vec<Known> {
    let known = |salt: Salt, named: Option<(&str, &str)>| {
        let old = (salt != Salt::Messages).then(|| ("", salt.as_str().to_owned()));
        let purpose = |(says, hint): (&str, &str)| {
            Rc::new(Purpose { says: says.to_owned(), hint: hint.to_owned() })
        };
        Known {
            purpose: named.map(purpose),
            make: Box::new(move |ring| salt.signer(ring)),
            old,
            is_rare: false,
        }
    };
    let mut salts = vec![known(asked.clone(), None)];
    let text = |text: &str| Salt::Text(text.to_owned());
    for (salt, what, hint) in [
        (Salt::Session, "a session in a cookie", "--salt session"),
        (Salt::DbSession, "session_data of a session table or file", "--salt db-session"),
        (Salt::Dumps, "signing.dumps", "--salt dumps"),
        (Salt::Messages, "the messages cookie", "--salt messages"),
        (text(django::SIGNER_SALT), "Django's Signer", "signed-session unsign --no-timestamp"),
        (text(django::TIMESTAMP_SIGNER_SALT), "Django's TimestampSigner", "signed-session unsign"),
    ] {
        if salt != *asked {
            salts.push(known(salt, Some((what, hint))));
        }
    }
    let own = match asked {
        Salt::Text(text) => Some(text.as_str()),
        _ => None,
    };
    for (place, cookie) in cookies.iter().enumerate() {
        for salt in [Some(""), own].into_iter().flatten() {
            salts.extend(signed_cookie(cookie, salt, place > 0));
        }
    }
    salts
}

/// Returns both salts of a cookie that `set_signed_cookie` sets.
fn signed_cookie(cookie: &str, salt: &str, is_rare: bool) -> [Known; 2] {
    let hint = "to read it, use the library's django::SignedCookie";
    let with = if salt.is_empty() { String::new() } else { format!(" with the salt {salt}") };
    let purpose = |of: &str| {
        let says = format!("the signed cookie {cookie}{with}{of}");
        Some(Rc::new(Purpose { says, hint: hint.to_owned() }))
    };
    let names = (cookie.to_owned(), salt.to_owned());
    let (name, own) = names.clone();
    let new = Known {
        purpose: purpose(""),
        make: Box::new(move |ring| django::signed_cookie_signer(ring, &name, &own)),
        old: None,
        is_rare,
    };
    let (name, own) = names;
    let old = Some((COOKIE_PREFIX, format!("{name}{own}")));
    let make =
        Box::new(move |ring: &Keyring| django::legacy_signed_cookie_signer(ring, &name, &own));
    [new, Known { purpose: purpose(" in older releases of Django"), make, old, is_rare }]
}

impl Suspect {
    /// Returns `true` if the token was signed in this way.
    pub(crate) fn signed(&self, token: &str) -> bool {
        let Some((value, signature)) = token.rsplit_once(':') else { return false };
        match &self.signer {
            // Most are excluded by the length, which costs nothing to compare.
            Mac::Library(_, len) if signature.len() != *len => false,
            Mac::Library(signer, _) => match signer.unsign(token, None) {
                Ok(_) => true,
                Err(error) => error.is_authentic(),
            },
            Mac::Sha1(key) => {
                signature.len() == 27
                    && mac::base64(&mac::salted_sha1(&[key], value.as_bytes())) == signature
            }
        }
    }

    /// Returns what was removed from or added to a token signed in this way.
    pub(crate) fn signed_part_of(&self, token: &str) -> Option<(&'static str, String)> {
        let Mac::Library(signer, _) = &self.signer else { return None };
        let parts = Unverified::new(token).ok()?;
        let whole = signer.sign_at(parts.payload(), parts.signed_at().ok()?);
        if parts.signature().len() >= MIN_PREFIX && whole.starts_with(token) {
            let missing = whole.len().saturating_sub(token.len());
            return Some((
                "truncated",
                format!("it was truncated (missing characters: {missing})"),
            ));
        }
        if token.starts_with(&whole) {
            let more = token.len().saturating_sub(whole.len());
            return Some(("trailing", format!("other text follows it (extra characters: {more})")));
        }
        None
    }

    /// Returns `true` if the key is unchanged, not in another form.
    pub(crate) fn is_of_key_as_given(&self) -> bool {
        self.key.is_none()
    }

    /// Returns `true` if the library supports tokens signed in this way.
    pub(crate) fn is_readable(&self) -> bool {
        matches!(self.signer, Mac::Library(..))
    }

    /// Returns what differs from the requested way; empty if nothing does.
    pub(crate) fn causes(&self, tried: &str) -> Vec<Cause> {
        let mut causes = Vec::new();
        let index = self.key_index;
        if let Some(key) = &self.key {
            causes.push(spelled(index, key, tried));
        }
        if let Some(purpose) = &self.salt {
            let says = format!("it was signed with key {index} for {}", purpose.says);
            causes.push(Cause::new("salt", says, tried).hint(&purpose.hint));
        }
        if let Some(algorithm) = self.algorithm {
            let says = format!("it was signed with key {index} and the hash {algorithm}");
            let (name, hint) = if self.is_readable() {
                ("hash", "to read it, use the library's Signer::algorithm")
            } else {
                (
                    "sha1",
                    "Django 3.0 and older create such tokens, 3.1 and 3.2 read them, later ones refuse them",
                )
            };
            causes.push(Cause::new(name, says, tried).hint(hint));
        }
        causes
    }
}

/// Returns the cause that a key is stored in another form.
pub(crate) fn spelled(index: usize, how: &str, tried: &str) -> Cause {
    let says = format!("it was signed with another form of key {index}: {how}");
    Cause::new("key", says, tried).hint("check how the secret is stored here and on the site")
}
