//! Chooses, among the values that came under one cookie name, the one that is valid.

use std::fmt;

use crate::error::DecodeError;

/// How many values of one name are decoded.
const MAX_CANDIDATES: usize = 16;

/// The values that a request brings under one cookie name.
///
/// There can be several: browsers send the cookies of all matching paths and domains, and anyone
/// who can set cookies for a sibling domain can add one. At most 16 are decoded.
///
/// [`SessionManager`](crate::SessionManager) chooses by itself. This is for programs that decode
/// the cookie in their own way, such as to a struct.
///
/// # Examples
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use signed_session::{Candidates, CookieOptions, Keyring, SessionCodec};
///
/// #[derive(Serialize, Deserialize)]
/// struct Visitor {
///     user_id: u64,
/// }
///
/// let codec = SessionCodec::new(&Keyring::new("example-only-correct-horse-battery-staple")?);
/// let options = CookieOptions::new("sessionid")?;
/// let header = format!("sessionid=forged; sessionid={}", codec.encode_as(&Visitor { user_id: 42 })?);
///
/// let candidates: Candidates<_> = options.find(&header).collect();
/// let visitor = candidates.choose(|token| codec.decode_as::<Visitor>(token))?;
/// assert_eq!(visitor.map(|visitor| visitor.user_id), Some(42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Candidates<V> {
    values: Vec<V>,
}

impl<V> FromIterator<V> for Candidates<V> {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        // One more than are decoded shows that there are too many.
        let values = values.into_iter().take(MAX_CANDIDATES.saturating_add(1)).collect();
        Self { values }
    }
}

impl<V: AsRef<[u8]>> Candidates<V> {
    /// Returns `true` if there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the values that were collected, in order: one more than 16 if there are too many.
    #[must_use]
    pub fn values(&self) -> &[V] {
        &self.values
    }

    /// Returns what the one valid value decodes to, or `None` if there are no values.
    ///
    /// A value that occurs several times counts as one.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooManyCookies`] if there are more than 16 values, and
    /// [`DecodeError::Ambiguous`] if two that differ are valid. If none is valid, the last error
    /// of `decode`; an authentic one comes first, above all if the value may be valid elsewhere.
    pub fn choose<T>(
        &self,
        mut decode: impl FnMut(&str) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.values.len() > MAX_CANDIDATES {
            return Err(DecodeError::TooManyCookies { limit: MAX_CANDIDATES });
        }
        let mut valid: Option<(&[u8], T)> = None;
        let mut refusal: Option<DecodeError> = None;
        for value in &self.values {
            let value = value.as_ref();
            let decoded = match str::from_utf8(value) {
                Ok(text) => decode(text),
                Err(_) => Err(DecodeError::BadSignature),
            };
            match (decoded, &valid) {
                (Ok(_), Some((first, _))) if *first != value => return Err(DecodeError::Ambiguous),
                (Ok(content), _) => valid = Some((value, content)),
                // Of equals the last, because it is the one that Django reads.
                (Err(error), _) if refusal.as_ref().is_none_or(|r| rank(r) <= rank(&error)) => {
                    refusal = Some(error);
                }
                (Err(_), _) => {}
            }
        }
        match (valid, refusal) {
            (Some((_, content)), _) => Ok(Some(content)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}

/// Returns how much an error tells, compared with others.
fn rank(error: &DecodeError) -> (bool, bool) {
    (is_worth_keeping(error), error.is_authentic())
}

/// Returns `true` if a token that was refused may be valid for another program, or later.
pub(crate) fn is_worth_keeping(reason: &DecodeError) -> bool {
    match reason {
        DecodeError::TooManyCookies { .. } => true,
        DecodeError::SignedTooEarly { .. } | DecodeError::Expired { .. } => false,
        reason => reason.is_authentic(),
    }
}

/// Shows nothing: values can be tokens.
impl<V> fmt::Debug for Candidates<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidates").finish_non_exhaustive()
    }
}
