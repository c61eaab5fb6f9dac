//! Lists the ways in which a token may have been signed, other than asked for, and tries one on it.

use signed_session::{Algorithm, Keyring, TimestampSigner, Unverified, django};

use crate::cli::explain::causes::Cause;
use crate::cli::keys::Keys;
use crate::cli::salt::Salt;

/// A way in which a token may have been signed.
pub(crate) struct Suspect {
    signer: TimestampSigner,
    key_index: usize,
    /// What is odd about each part; nothing for what was asked for.
    key: Option<&'static str>,
    salt: Option<(String, String)>,
    algorithm: Option<&'static str>,
}

/// As few characters of a signature as are no coincidence.
const MIN_PREFIX: usize = 4;

/// Returns every way in which a token may have been signed, and says what these are.
///
/// That which was asked for comes first, for each key.
pub(crate) fn list(keys: &Keys, asked: &Salt, cookie: &str) -> (Vec<Suspect>, String) {
    let salts = salts(asked, cookie);
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
    (suspects, tried)
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

impl Suspect {
    /// Returns `true` if this is how the token was signed.
    pub(crate) fn signed(&self, token: &str) -> bool {
        match self.signer.unsign(token, None) {
            Ok(_) => true,
            Err(error) => error.is_authentic(),
        }
    }

    /// Returns what was cut off or added to a token that was signed in this way.
    pub(crate) fn signed_part_of(&self, token: &str) -> Option<(&'static str, String)> {
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

    /// Returns what is odd about this way of signing; nothing for what was asked for.
    pub(crate) fn causes(&self, tried: &str) -> Vec<Cause> {
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
