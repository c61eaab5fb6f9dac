//! Identifies the user of a session, and a session of that user.
//!
//! The *subject* is the value of an entry that the program chooses, such as a user's id. The
//! *identity* is the reserved entry `_session_id`: 22 characters of base64url. They encode eight
//! bytes of the moment at which the session began, in microseconds of Unix time, and eight random
//! bytes. The identity is not secret: without the token's signature it proves nothing.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::error::{DecodeError, sure};
use crate::expiry::LAST_MICROSECOND;
use crate::json;

/// The maximum length of a subject, in bytes.
pub(crate) const MAX_SUBJECT_LEN: usize = 255;

/// The number of characters in an identity.
pub(crate) const ID_LEN: usize = 22;

/// The maximum length of a subject that needs no allocation, in bytes.
const SHORT: usize = 22;

/// The user of a session.
///
/// The list of ended sessions may have a million subjects. Most of them are short, and need no
/// memory besides this.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

impl Subject {
    /// Returns the subject with this text; `None` if it is empty or too long.
    pub(crate) fn new(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_SUBJECT_LEN {
            return None;
        }
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(text.as_bytes());
                Some(Self::Short { len, bytes })
            }
            _ => Some(Self::Long(text.into())),
        }
    }

    /// Reads the entry of a subject: a JSON string or a whole number.
    ///
    /// Without the entry, or with `null`, the session is anonymous.
    ///
    /// `42` and `"42"` are one subject, as for `AuthUser::from_session`.
    pub(crate) fn read(entry: Option<&str>) -> Result<Option<Self>, DecodeError> {
        let json = entry.map_or("null", str::trim_ascii);
        let subject = match json {
            "null" => return Ok(None),
            // Python and JSON allow a negative zero, which is the same number.
            "-0" => Self::new("0"),
            _ if is_whole_number(json) => Self::new(json),
            _ if !json.contains('\\') => {
                let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                text.and_then(Self::new)
            }
            // An escape has at most six characters, so anything longer is too long.
            _ if json.len() <= 6 * MAX_SUBJECT_LEN + 2 => {
                json::unquote(json).and_then(|text| Self::new(str::from_utf8(&text).ok()?))
            }
            _ => None,
        };
        subject.map(Some).ok_or(DecodeError::BadSubject)
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Short { len, bytes } => {
                sure(bytes.get(..usize::from(*len)).and_then(|bytes| str::from_utf8(bytes).ok()))
            }
            Self::Long(text) => text,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => sure(bytes.get(..usize::from(*len))),
            Self::Long(text) => text.as_bytes(),
        }
    }
}

impl Borrow<[u8]> for Subject {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Hashes only the bytes, as `Borrow` requires.
impl Hash for Subject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Subject {}

/// Returns `true` for an integer in JSON, of any length.
fn is_whole_number(json: &str) -> bool {
    let digits = json.strip_prefix('-').unwrap_or(json);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The identity of a session, ordered by the moment at which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identity {
    /// When the session began, in microseconds of Unix time.
    ///
    /// This is later than all revocations that were known where it began.
    pub(crate) began: i64,
    random: [u8; 8],
}

impl Identity {
    pub(crate) fn new(began: i64, random: [u8; 8]) -> Self {
        Self { began, random }
    }

    /// Returns the identity of a session without one, from its token.
    ///
    /// Everyone who has the same token derives the same identity, without a key and without
    /// randomness: the owner's cookie and a stolen copy are one session.
    pub(crate) fn adopted(token: &str, began: i64) -> Self {
        let signed = token.rsplit_once(':').map_or(token, |(signed, _)| signed);
        let digest = Sha256::new().chain_update("signed-session adopt\0").chain_update(signed);
        Self { began, random: sure(digest.finalize().first_chunk().copied()) }
    }

    /// Returns the identity, moved to `moment` if it began before.
    pub(crate) fn at_or_after(self, moment: i64) -> Self {
        Self { began: self.began.max(moment), ..self }
    }

    /// Reads an identity from the program or a different process.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        // Only the canonical form is accepted: no set bits after the last byte, and no padding.
        let len = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (began, random) = bytes.split_first_chunk()?;
        let began = i64::from_be_bytes(*began);
        let is_whole = len == bytes.len() && (0..=LAST_MICROSECOND).contains(&began);
        is_whole.then_some(Self { began, random: *random.first_chunk()? })
    }

    /// Reads the reserved entry of a session that has a subject.
    pub(crate) fn read(json: &str) -> Result<Self, DecodeError> {
        let text = json.trim_ascii().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        text.and_then(Self::parse).ok_or(DecodeError::BadSessionId)
    }

    /// Returns the text of the identity.
    pub(crate) fn text(self) -> IdText {
        let mut bytes = [0; 16];
        let (began, random) = bytes.split_at_mut(8);
        began.copy_from_slice(&self.began.to_be_bytes());
        random.copy_from_slice(&self.random);
        let mut text = [0; ID_LEN];
        let len = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        debug_assert_eq!(len.ok(), Some(ID_LEN), "sixteen bytes are 22 characters");
        IdText(text)
    }
}

/// The text of an identity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdText([u8; ID_LEN]);

impl IdText {
    pub(crate) fn as_str(&self) -> &str {
        sure(str::from_utf8(&self.0).ok())
    }
}
