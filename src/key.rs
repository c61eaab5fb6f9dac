//! Contains the secret that signs, and retired secrets that are still accepted.

use std::sync::Arc;
use std::{fmt, iter};

use zeroize::{Zeroize, Zeroizing};

use crate::environment;
use crate::error::ConfigError;
#[cfg(feature = "random")]
use crate::{random, wiped::wiping_stack};

/// The secrets of a site: the first signs, all of them verify, newest first.
///
/// Corresponds to Django's `SECRET_KEY` and `SECRET_KEY_FALLBACKS`. A secret can be any bytes;
/// Django's text secrets are used as UTF-8. Secrets are never printed or compared, and are wiped
/// from memory when the last ring or signer that contains them is dropped, as far as a program can
/// guarantee that. Cloning a ring does not copy its secrets.
///
/// # Examples
///
/// In a rotation, the new secret signs from now on. Tokens signed with the old secret are still
/// accepted until the line with `fallback` is removed. If several processes serve the site, first
/// add the new secret as a fallback in all of them, and exchange the two only afterwards: otherwise
/// a process that does not have the new secret yet refuses the tokens of one that does.
///
/// ```
/// use signed_session::{Keyring, TimestampSigner};
///
/// let old = Keyring::new("example-only-winter-correct-horse-battery-staple")?;
/// let token = TimestampSigner::new(&old, "invitation").sign("ada");
///
/// let ring = Keyring::new("example-only-summer-a-wholly-different-passphrase")?
///     .fallback("example-only-winter-correct-horse-battery-staple")?;
/// let stamped = TimestampSigner::new(&ring, "invitation").unsign(&token, None).unwrap();
/// assert_eq!((stamped.value, stamped.key_index), ("ada", 1));
/// # Ok::<(), signed_session::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Keyring {
    secret: Secret,
    fallbacks: Vec<Secret>,
    /// The positions of the empty fallbacks in the original list.
    empty_fallbacks: Vec<usize>,
}

/// Shared by the clones of a ring, and wiped with the last clone.
type Secret = Arc<Zeroizing<Vec<u8>>>;

impl Keyring {
    /// Creates a ring with one secret, which signs.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EmptySecret`] if the secret is empty or contains only white space, so that an
    /// unset variable never becomes a key.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let secret = check(secret.as_ref())?;
        Ok(Self { secret, fallbacks: Vec::new(), empty_fallbacks: Vec::new() })
    }

    /// Creates a ring with a random secret.
    ///
    /// The secret is lost when the program ends. Use this for tests and demonstrations: after a
    /// restart, every session is refused, and a second process refuses the sessions of the first. For
    /// a service, see [`from_env`](Self::from_env).
    ///
    /// # Panics
    ///
    /// If the operating system has no random source.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{Keyring, Session, SessionCodec};
    ///
    /// let codec = SessionCodec::new(&Keyring::generate());
    /// let token = codec.encode(&Session::new())?;
    /// assert!(codec.decode(&token).is_ok());
    /// assert!(SessionCodec::new(&Keyring::generate()).decode(&token).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "random")]
    #[cfg_attr(docsrs, doc(cfg(feature = "random")))]
    #[must_use]
    pub fn generate() -> Self {
        let secret = wiping_stack(|| Arc::new(Zeroizing::new(random::bytes::<32>().to_vec())));
        Self { secret, fallbacks: Vec::new(), empty_fallbacks: Vec::new() }
    }

    /// Creates a ring with the secrets in the environment.
    ///
    /// `SIGNED_SESSION_KEY` is the secret that signs. `SIGNED_SESSION_FALLBACK_KEYS` contains the
    /// retired secrets, if there are any: one per line, the most recently retired first. A byte
    /// order mark and the line ends are not part of a secret; everything else is, including spaces
    /// and commas. The command line reads the same variables in the same way.
    ///
    /// # Errors
    ///
    /// [`ConfigError::MissingKey`] if `SIGNED_SESSION_KEY` is not set; [`ConfigError::EmptyKey`] if
    /// it is empty or contains only white space, or if a line of the fallbacks contains only white
    /// space. Empty lines are skipped.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use signed_session::{CookieOptions, Keyring, SessionCodec, SessionManager};
    ///
    /// // export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
    /// let codec = SessionCodec::new(&Keyring::from_env()?);
    /// let manager = SessionManager::new(codec, CookieOptions::new("sessionid")?);
    /// # Ok::<(), signed_session::ConfigError>(())
    /// ```
    pub fn from_env() -> Result<Self, ConfigError> {
        let named = |line: Option<usize>| ConfigError::EmptyKey {
            variable: if line.is_some() { environment::FALLBACK_KEYS } else { environment::KEY },
        };
        let mut secrets = environment::secrets().into_iter().flatten();
        let missing = ConfigError::MissingKey { variable: environment::KEY };
        let first = secrets.next().ok_or(missing)?;
        let ring = Self::new(first.bytes).map_err(|_| named(first.line))?;
        secrets.try_fold(ring, |ring, secret| {
            ring.fallback(secret.bytes).map_err(|_| named(secret.line))
        })
    }

    /// Adds a retired secret, which verifies but does not sign.
    ///
    /// Add the most recently retired secret first. Each one costs an additional HMAC for every
    /// token that was not signed with a secret before it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EmptySecret`], as for [`new`](Self::new).
    pub fn fallback(mut self, retired: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.fallbacks.push(check(retired.as_ref())?);
        Ok(self)
    }

    /// Returns the weaknesses of the secrets, each with the secret's index.
    ///
    /// The index is the position in the ring or, for an empty fallback, which is not in the ring,
    /// in the original list.
    ///
    /// A weak secret is used anyway, because a site may have no choice; a program should log a
    /// warning when it starts. An empty result does not mean that the secrets are strong: a long
    /// secret can be public.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{Keyring, Weakness};
    ///
    /// let ring = Keyring::new("hunter2")?;
    /// assert_eq!(ring.weaknesses(), [(0, Weakness::Short)]);
    /// # Ok::<(), signed_session::ConfigError>(())
    /// ```
    #[must_use]
    pub fn weaknesses(&self) -> Vec<(usize, Weakness)> {
        let faults = |(index, secret)| Weakness::of(secret).map(move |fault| (index, fault));
        let empty = self.empty_fallbacks.iter().map(|index| (*index, Weakness::Empty));
        self.secrets().enumerate().flat_map(faults).chain(empty).collect()
    }

    /// Adds a retired secret, like [`fallback`](Self::fallback), unless blank.
    ///
    /// A blank secret is only reported. It must not reach [`prefixed`](Self::prefixed), because the
    /// prefix alone is a publicly known key.
    pub(crate) fn fallback_unless_empty(mut self, retired: &[u8]) -> Self {
        if let Ok(secret) = check(retired) {
            self.fallbacks.push(secret);
        } else {
            let before = self.fallbacks.len().saturating_add(self.empty_fallbacks.len());
            self.empty_fallbacks.push(before.saturating_add(1));
        }
        self
    }

    /// Returns a ring with only the first secret.
    pub(crate) fn without_fallbacks(&self) -> Self {
        let secret = Arc::clone(&self.secret);
        Self { secret, fallbacks: Vec::new(), empty_fallbacks: Vec::new() }
    }

    /// Adds the fallbacks of a different ring.
    pub(crate) fn fallbacks_of(mut self, other: &Self) -> Self {
        self.fallbacks.extend_from_slice(&other.fallbacks);
        self.empty_fallbacks.extend_from_slice(&other.empty_fallbacks);
        self
    }

    /// Returns a ring with `prefix` before every secret, in the same order.
    pub(crate) fn prefixed(&self, prefix: &[u8]) -> Self {
        let prefixed = |secret| Arc::new(Zeroizing::new([prefix, secret].concat()));
        Self {
            secret: prefixed(self.secret()),
            fallbacks: self.fallbacks().map(prefixed).collect(),
            empty_fallbacks: self.empty_fallbacks.clone(),
        }
    }

    /// Returns the secrets in the order in which they are tried.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        iter::once(self.secret()).chain(self.fallbacks())
    }

    /// Returns the secret that signs.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Returns the retired secrets in the order in which they are tried.
    pub(crate) fn fallbacks(&self) -> impl Iterator<Item = &[u8]> {
        self.fallbacks.iter().map(|secret| secret.as_slice())
    }
}

/// Returns the secret, or an error if it is empty or contains only white space.
fn check(secret: &[u8]) -> Result<Secret, ConfigError> {
    if str::from_utf8(secret).is_ok_and(|text| text.trim().is_empty()) {
        return Err(ConfigError::EmptySecret);
    }
    Ok(Arc::new(Zeroizing::new(secret.to_vec())))
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

/// A property that makes a secret easy to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weakness {
    /// The secret has fewer than 32 bytes.
    Short,
    /// The secret has fewer than five different bytes.
    FewCharacters,
    /// It begins with `django-insecure-`, so it was generated for development.
    DjangoInsecure,
    /// It begins with `example-only-`, like the samples in this documentation.
    Sample,
    /// The secret is an empty or blank fallback of a Django site.
    ///
    /// It is not used.
    ///
    /// `SECRET_KEY_FALLBACKS = os.environ.get("OLD_KEYS", "").split(",")` is `[""]` if the
    /// variable is not set. Django then accepts messages and signed cookies that anyone can sign.
    Empty,
}

/// Writes a sentence without its subject, the name of the secret.
impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "has fewer than 32 bytes, and can be guessed",
            Self::FewCharacters => "has fewer than five different bytes, and can be guessed",
            Self::DjangoInsecure => {
                "begins with django-insecure-, so it was generated for development"
            }
            Self::Sample => "begins with example-only-, so it is a publicly known sample",
            Self::Empty => "is empty and is not used; remove it from SECRET_KEY_FALLBACKS",
        })
    }
}

impl Weakness {
    fn of(secret: &[u8]) -> impl Iterator<Item = Self> {
        let mut has = [false; 256];
        for byte in secret {
            if let Some(has) = has.get_mut(usize::from(*byte)) {
                *has = true;
            }
        }
        let few = has.iter().filter(|has| **has).count() < 5;
        has.zeroize();
        [
            (secret.len() < 32, Self::Short),
            (few, Self::FewCharacters),
            (secret.starts_with(b"django-insecure-"), Self::DjangoInsecure),
            (secret.starts_with(b"example-only-"), Self::Sample),
        ]
        .into_iter()
        .filter_map(|(found, fault)| found.then_some(fault))
    }
}
