//! Turns a text into a separate signed cookie, and reads it from a request.
//!
//! Corresponds to `HttpResponse.set_signed_cookie` and `HttpRequest.get_signed_cookie`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::time::Duration;

use ::cookie::Cookie;
use time::OffsetDateTime;

use crate::candidates::Candidates;
use crate::cookie::{self, CookieOptions};
use crate::error::{DecodeError, EncodeError, sure};
use crate::key::Keyring;
use crate::timestamp::TimestampSigner;

/// A cookie of Django's `set_signed_cookie`: its visitor can read but not change it.
///
/// The value is signed for this name and this salt. There are two forms:
///
/// | Django | writes | reads the old form |
/// |---|---|---|
/// | before 5.2.15 and 6.0.6 (4.2 among them) | the old form | yes, and no other |
/// | 5.2.15 and later, 6.0.6 and later | the new form | unless `SIGNED_COOKIE_LEGACY_SALT_FALLBACK` is `False` |
/// | 6.1 | the new form | if `SIGNED_COOKIE_LEGACY_SALT_FALLBACK` is `True` |
///
/// [`new`](Self::new) writes and reads only the new form. Set
/// [`legacy_fallback`](Self::legacy_fallback) to read the old form too, and
/// [`write_legacy`](Self::write_legacy) for a Django that supports only the old form.
/// [`DjangoSettings::signed_cookie`](crate::django::DjangoSettings::signed_cookie) sets both as the
/// site needs them.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use signed_session::{CookieOptions, Keyring, django::SignedCookie};
///
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// let year = Duration::from_secs(31_536_000);
/// let theme = SignedCookie::new(&ring, CookieOptions::new("theme")?, "").max_age(year);
///
/// // In Django: response.set_signed_cookie("theme", "light grey", max_age=31536000)
/// let cookie = theme.cookie("light grey")?;
/// assert!(cookie.value().starts_with(r#""light grey:"#));
///
/// // In Django: request.get_signed_cookie("theme", default=None, max_age=31536000)
/// let header = format!("sessionid=…; {}", cookie.stripped());
/// assert_eq!(theme.read([&header])?, Some("light grey".to_owned()));
/// assert_eq!(theme.read(["sessionid=…"])?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SignedCookie {
    options: CookieOptions,
    signer: TimestampSigner,
    legacy: TimestampSigner,
    reads_legacy: bool,
    writes_legacy: bool,
    max_age: Option<Duration>,
}

impl SignedCookie {
    /// Creates a cookie with these options, for a purpose that the salt names.
    ///
    /// The salt may be empty.
    #[must_use]
    pub fn new(ring: &Keyring, options: CookieOptions, salt: &str) -> Self {
        Self {
            signer: signed_cookie_signer(ring, options.name(), salt),
            legacy: legacy_signed_cookie_signer(ring, options.name(), salt),
            options,
            reads_legacy: false,
            writes_legacy: false,
            max_age: None,
        }
    }

    /// Sets how long the cookie and its value last. Defaults to a browser session.
    ///
    /// Without it, the browser drops the cookie when it closes, and the value never expires. The
    /// age is sent to the browser, and enforced when the cookie is read.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Sets whether the old form is read as well. Defaults to `false`.
    ///
    /// Django's `SIGNED_COOKIE_LEGACY_SALT_FALLBACK`. In that form the cookie `ab` without a salt
    /// is also valid as `a` with the salt `b` (CVE-2026-6873). The old form is not tried for a
    /// value that is merely too old.
    #[must_use]
    pub fn legacy_fallback(mut self, read: bool) -> Self {
        self.reads_legacy = read;
        self
    }

    /// Sets whether the old form is written, and read as well. Defaults to `false`.
    ///
    /// Use this for a Django before 5.2.15 or 6.0.6, which cannot read the new form. Remove it as
    /// soon as that Django is upgraded: the old form has the flaw of CVE-2026-6873.
    #[must_use]
    pub fn write_legacy(mut self, write: bool) -> Self {
        self.writes_legacy = write;
        self
    }

    /// Returns the cookie's value from the request's `Cookie:` headers, if there is one.
    ///
    /// # Errors
    ///
    /// See [`read_at`](Self::read_at).
    pub fn read<'h, H>(
        &self,
        cookie_headers: impl IntoIterator<Item = &'h H>,
    ) -> Result<Option<String>, DecodeError>
    where
        H: AsRef<[u8]> + ?Sized + 'h,
    {
        self.read_at(cookie_headers, OffsetDateTime::now_utc())
    }

    /// Returns the cookie's value, if there is one, as of `now`.
    ///
    /// Quotes that the cookie required are removed. If several cookies have the name, the valid one
    /// is used.
    ///
    /// # Errors
    ///
    /// See [`TimestampSigner::unsign_at`]. In addition, [`DecodeError::TooLong`] for more than
    /// 4,096 bytes, which no browser keeps; [`DecodeError::Ambiguous`] if two valid ones differ,
    /// and [`DecodeError::TooManyCookies`] if there are more than 16.
    pub fn read_at<'h, H>(
        &self,
        cookie_headers: impl IntoIterator<Item = &'h H>,
        now: OffsetDateTime,
    ) -> Result<Option<String>, DecodeError>
    where
        H: AsRef<[u8]> + ?Sized + 'h,
    {
        let values =
            cookie_headers.into_iter().flat_map(|header| self.options.find_bytes(header.as_ref()));
        values.collect::<Candidates<_>>().choose(|value| {
            // Longer than browsers keep: it is neither copied nor hashed.
            let (len, limit) = (value.len(), cookie::MAX_LEN);
            if len > limit {
                return Err(DecodeError::TooLong { len, limit });
            }
            self.unsign(&unquote(value), now)
        })
    }

    /// Returns the cookie that sets this value.
    ///
    /// # Errors
    ///
    /// See [`cookie_at`](Self::cookie_at).
    pub fn cookie(&self, value: &str) -> Result<Cookie<'static>, EncodeError> {
        self.cookie_at(value, OffsetDateTime::now_utc())
    }

    /// Returns the cookie that sets this value, signed at `now`.
    ///
    /// The value is put in quotes if Python's `http.cookies` does so, for example if it contains a
    /// space. Django removes the quotes.
    ///
    /// # Errors
    ///
    /// [`EncodeError::CookieValue`] for a character past U+00FF, which Django can neither write nor
    /// read; [`EncodeError::TooLarge`] if name and value exceed 4,096 bytes;
    /// [`EncodeError::BadTimestamp`].
    pub fn cookie_at(
        &self,
        value: &str,
        now: OffsetDateTime,
    ) -> Result<Cookie<'static>, EncodeError> {
        let signer = if self.writes_legacy { &self.legacy } else { &self.signer };
        let mut token = signer.start(value.len());
        token.extend_from_slice(value.as_bytes());
        let token = signer.stamp_readably(token, now.into())?;
        let max_age = self.max_age.map(|age| age.try_into().unwrap_or(time::Duration::MAX));
        self.options.quoted_cookie(&quote(&token)?, max_age, now)
    }

    /// Returns the cookie that makes browsers remove this one.
    #[must_use]
    pub fn removal(&self) -> Cookie<'static> {
        self.options.removal()
    }

    fn unsign(&self, token: &str, now: OffsetDateTime) -> Result<String, DecodeError> {
        let mut stamped = self.signer.unsign_at(token, self.max_age, now);
        let is_foreign = matches!(stamped, Err(DecodeError::BadSignature | DecodeError::Malformed));
        if is_foreign && (self.reads_legacy || self.writes_legacy) {
            stamped = self.legacy.unsign_at(token, self.max_age, now);
        }
        stamped.map(|stamped| stamped.value.to_owned())
    }
}

/// Puts a value in quotes if Python does, which quotes more characters than cookies require.
fn quote(value: &str) -> Result<Cow<'_, str>, EncodeError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:".contains(&byte);
    if value.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(value));
    }
    let mut quoted = String::with_capacity(value.len().saturating_mul(2));
    quoted.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ',' | ';' | '\0'..='\x1F' | '\x7F'..='\u{FF}' => {
                sure(write!(quoted, "\\{:03o}", u32::from(character)).ok());
            }
            ' '..='~' => quoted.push(character),
            _ => return Err(EncodeError::CookieValue),
        }
    }
    quoted.push('"');
    Ok(Cow::Owned(quoted))
}

/// Removes the quotes of Python's `http.cookies`, if there are any.
fn unquote(value: &str) -> Cow<'_, str> {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(mut rest) = inner else { return Cow::Borrowed(value) };
    let mut plain = String::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let octal =
            after.get(..3).filter(|digits| digits.bytes().all(|b| matches!(b, b'0'..=b'7')));
        let code = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let mut characters = after.chars();
        rest = match (code, characters.next()) {
            (Some(code), _) => {
                plain.push(char::from(code));
                sure(after.get(3..))
            }
            (None, Some(character)) => {
                plain.push(character);
                characters.as_str()
            }
            (None, None) => {
                plain.push('\\');
                ""
            }
        };
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

impl fmt::Debug for SignedCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedCookie").finish_non_exhaustive()
    }
}

/// Creates the signer of Django's own cookies other than the session's.
///
/// Corresponds to `django.core.signing.get_cookie_signer`: each secret is prefixed with
/// `django.http.cookies`, so that these keys sign nothing else.
#[must_use]
pub fn cookie_signer(ring: &Keyring, salt: &str) -> TimestampSigner {
    TimestampSigner::new(&ring.prefixed(b"django.http.cookies"), salt)
}

/// Creates the signer of one cookie of `set_signed_cookie` and `get_signed_cookie`.
///
/// This is Django's signer since 5.2.15 and 6.0.6: the salt begins with the name's length, so that
/// no two pairs of name and salt share a signer. The value is plain text, which Django puts in
/// quotes if a cookie requires them.
///
/// # Examples
///
/// ```
/// use signed_session::{Keyring, django};
///
/// let ring = Keyring::new("test-secret-key-0123456789")?;
/// let signer = django::signed_cookie_signer(&ring, "c", "");
/// let cookie = "v:1r31eq:kS8mze1FjAniMxUYCqGauXqbHk6RqPqu47Z8lyh4lsY";
/// assert_eq!(signer.unsign(cookie, None)?.value, "v");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn signed_cookie_signer(ring: &Keyring, name: &str, salt: &str) -> TimestampSigner {
    // Python counts characters.
    let len = salt.chars().count();
    cookie_signer(ring, &format!("django.http.cookies.v2:{len}:{salt}{name}"))
}

/// Creates the signer of one cookie in older Django releases.
///
/// The salt is the name directly followed by the salt, so that the cookie `ab` without a salt is
/// also valid as `a` with the salt `b` (CVE-2026-6873). Use it for a Django before 5.2.15 or 6.0.6,
/// and for cookies that such a Django left in browsers.
#[must_use]
pub fn legacy_signed_cookie_signer(ring: &Keyring, name: &str, salt: &str) -> TimestampSigner {
    cookie_signer(ring, &format!("{name}{salt}"))
}
