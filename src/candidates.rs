//! Chooses the valid value among several cookies of one name.

use std::borrow::Cow;
use std::fmt;

use crate::cookie;
use crate::error::DecodeError;

/// The maximum number of values that are decoded.
const MAX_CANDIDATES: usize = 16;

/// The values of the cookies of one name in a request.
///
/// There can be several: browsers send the cookies of all matching paths and domains, and anyone
/// who can set cookies for a sibling domain can add one. At most 16 are decoded.
///
/// [`SessionManager`](crate::SessionManager) uses this. It is public for programs that decode the
/// cookie themselves, for example into a struct.
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
        let mut candidates = Self::default();
        values.into_iter().take(MAX_CANDIDATES.saturating_add(1)).for_each(|v| candidates.add(v));
        candidates
    }
}

impl<V> Default for Candidates<V> {
    fn default() -> Self {
        Self { values: Vec::new() }
    }
}

impl<V> Candidates<V> {
    pub(crate) fn add(&mut self, value: V) {
        // One more than the limit shows that there are too many.
        let limit = MAX_CANDIDATES.saturating_add(1);
        if self.values.len() < limit {
            // Allocated at once, because a growing vector would take more memory.
            self.values.reserve_exact(limit.saturating_sub(self.values.len()));
            self.values.push(value);
        }
    }
}

impl<V: AsRef<[u8]>> Candidates<V> {
    /// Returns `true` if there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the values, in order: the first 17 if there are too many.
    #[must_use]
    pub fn values(&self) -> &[V] {
        &self.values
    }

    /// Returns the decoded valid value, or `None` if there are no values.
    ///
    /// A value that occurs several times counts as one. Some clients put quotes around a token or
    /// write `%3A` for its colons. If a value is not a token, one pair of quotes and `%3A` are
    /// undone.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooManyCookies`] if there are more than 16 values, and
    /// [`DecodeError::Ambiguous`] if two different values are valid. If none is valid, the last
    /// [authentic](DecodeError::is_authentic) error of `decode`, or else the last error;
    /// [`DecodeError::Revoked`] only if there is no other.
    pub fn choose<T>(
        &self,
        decode: impl FnMut(&str) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        self.choose_with(decode, |_, _| false)
    }

    /// Chooses a value like [`choose`](Self::choose).
    ///
    /// Two different values count as one if their contents are the `same`.
    pub(crate) fn choose_with<T>(
        &self,
        mut decode: impl FnMut(&str) -> Result<T, DecodeError>,
        same: impl Fn(&T, &T) -> bool,
    ) -> Result<Option<T>, DecodeError> {
        if self.values.len() > MAX_CANDIDATES {
            return Err(DecodeError::TooManyCookies { limit: MAX_CANDIDATES });
        }
        let mut valid: Option<(Cow<'_, [u8]>, T)> = None;
        let mut refusal: Option<DecodeError> = None;
        for value in &self.values {
            let value = value.as_ref();
            let token = unwrap_token(value, cookie::MAX_LEN);
            let mut decode = |value: &[u8]| match str::from_utf8(value) {
                Ok(text) => decode(text),
                Err(_) => Err(DecodeError::BadSignature),
            };
            let mut decoded = decode(value);
            let is_forged =
                matches!(decoded, Err(DecodeError::Malformed | DecodeError::BadSignature));
            if is_forged && *token != *value {
                decoded = decode(&token);
            }
            match (decoded, &valid) {
                (Ok(content), None) => valid = Some((token, content)),
                (Ok(content), Some((first, chosen))) => {
                    if *first != token && !same(chosen, &content) {
                        return Err(DecodeError::Ambiguous);
                    }
                }
                // An authentic error says more. Of two such errors the last is reported, as in
                // Django.
                (Err(error), _) => {
                    // `Revoked` counts least: it removes the cookie, and with it a different cookie
                    // of the name, which may be valid later.
                    let is_better = |known: &DecodeError| {
                        *known == DecodeError::Revoked
                            || error != DecodeError::Revoked
                                && (error.is_authentic() || !known.is_authentic())
                    };
                    if refusal.as_ref().is_none_or(is_better) {
                        refusal = Some(error);
                    }
                }
            }
        }
        match (valid, refusal) {
            (Some((_, content)), _) => Ok(Some(content)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}

/// Decodes a token that a client wrote in quotes or with `%3A` for colons.
///
/// The result is used only if it has only the characters of a token, so that no other value becomes
/// valid. A value is returned unchanged if its token would have more than `max_len` bytes.
pub(crate) fn unwrap_token(value: &[u8], max_len: usize) -> Cow<'_, [u8]> {
    let is_wrapped = value.first() == Some(&b'"') || value.contains(&b'%');
    // Two quotes, and two colons that are each two bytes longer.
    if !is_wrapped || value.len() > max_len.saturating_add(6) {
        return Cow::Borrowed(value);
    }
    let inner = match value {
        [b'"', inner @ .., b'"'] => inner,
        value => value,
    };
    let mut token = Cow::Borrowed(inner);
    if inner.contains(&b'%') {
        let mut decoded = Vec::with_capacity(inner.len());
        let mut rest = inner;
        while let [first, after @ ..] = rest {
            let (byte, after) = match rest {
                [b'%', b'3', b'A' | b'a', after @ ..] => (b':', after),
                _ => (*first, after),
            };
            decoded.push(byte);
            rest = after;
        }
        token = Cow::Owned(decoded);
    }
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    if token.iter().all(is_token) { token } else { Cow::Borrowed(value) }
}

/// Omits the values, which can be tokens.
impl<V> fmt::Debug for Candidates<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidates").finish_non_exhaustive()
    }
}
