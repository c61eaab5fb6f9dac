//! Writes and reads signed cookies that are separate from the session.
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

/// A signed cookie, compatible with Django's `set_signed_cookie`.
///
/// The visitor can read the value, but not change it. It is signed for the cookie's name and a
/// salt. There are two formats:
///
/// | Django | writes | reads the old format |
/// |---|---|---|
/// | before 5.2.15 (including 4.2), and 6.0.0 to 6.0.5 | the old format | yes, and only that |
/// | 5.2 from 5.2.15, and 6.0 from 6.0.6 | the new format | unless `SIGNED_COOKIE_LEGACY_SALT_FALLBACK` is `False` |
/// | 6.1 | the new format | if `SIGNED_COOKIE_LEGACY_SALT_FALLBACK` is `True` |
///
/// [`new`](Self::new) writes and reads only the new format. Set
/// [`legacy_fallback`](Self::legacy_fallback) to read the old format too, and
/// [`write_legacy`](Self::write_legacy) for a Django version that supports only the old format.
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
    /// Creates a signed cookie with these options and this salt.
    ///
    /// The salt names the purpose of the value. It may be empty.
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

    /// Sets how long the cookie and its value are valid.
    ///
    /// The age is sent to the browser, and enforced when the cookie is read. By default the browser
    /// drops the cookie when it closes, and the value never expires.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Sets whether the old format is read as well. Defaults to `false`.
    ///
    /// This is Django's `SIGNED_COOKIE_LEGACY_SALT_FALLBACK`. The old format is ambiguous: a cookie
    /// `ab` without a salt is also valid as `a` with the salt `b` (CVE-2026-6873). It is not tried
    /// for a value that is valid in the new format but has expired.
    #[must_use]
    pub fn legacy_fallback(mut self, read: bool) -> Self {
        self.reads_legacy = read;
        self
    }

    /// Sets whether the old format is written and read. Defaults to `false`.
    ///
    /// The new format is still read as well. Use this for Django before 5.2.15, or 6.0.0 to 6.0.5,
    /// which cannot read the new format. Remove it as soon as Django is upgraded, because the old
    /// format has the flaw of CVE-2026-6873.
    #[must_use]
    pub fn write_legacy(mut self, write: bool) -> Self {
        self.writes_legacy = write;
        self
    }

    /// Returns the cookie's value, if the request has the cookie.
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
    /// Quotes around the value, as [`cookie_at`](Self::cookie_at) writes them, are removed. If
    /// several cookies have the name, the valid one is used.
    ///
    /// # Errors
    ///
    /// See [`TimestampSigner::unsign_at`]. In addition, [`DecodeError::TooLong`] for a value of
    /// more than 4,096 bytes, which no browser keeps; [`DecodeError::Ambiguous`] if two valid
    /// values differ, and [`DecodeError::TooManyCookies`] if there are more than 16.
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
            // A value longer than browsers keep is neither copied nor hashed.
            let (len, limit) = (value.len(), cookie::MAX_LEN);
            if len > limit {
                return Err(DecodeError::TooLong { len, limit });
            }
            self.unsign(&unquote(value), now)
        })
    }

    /// Returns a cookie with this value.
    ///
    /// # Errors
    ///
    /// See [`cookie_at`](Self::cookie_at).
    pub fn cookie(&self, value: &str) -> Result<Cookie<'static>, EncodeError> {
        self.cookie_at(value, OffsetDateTime::now_utc())
    }

    /// Returns a cookie with this value, signed at `now`.
    ///
    /// The value is quoted whenever Python's `http.cookies` quotes it, for example if it contains a
    /// space. Django removes the quotes.
    ///
    /// # Errors
    ///
    /// [`EncodeError::CookieValue`] for a character past U+00FF, which Django can neither write nor
    /// read; [`EncodeError::TooLarge`] if name and value exceed 4,096 bytes;
    /// [`EncodeError::BadTimestamp`] if `now` is before 1970 or after the year 9999.
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

/// Quotes a value if Python does.
///
/// Python quotes more characters than cookies require.
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

/// Creates the signer of Django's cookies other than the session cookie.
///
/// Corresponds to `django.core.signing.get_cookie_signer`: each secret is prefixed with
/// `django.http.cookies`, so that the derived keys are used for nothing else.
#[must_use]
pub fn cookie_signer(ring: &Keyring, salt: &str) -> TimestampSigner {
    TimestampSigner::new(&ring.prefixed(b"django.http.cookies"), salt)
}

/// Creates the signer of one cookie of `set_signed_cookie`.
///
/// `get_signed_cookie` uses the same signer. This is Django's signer since 5.2.15 and 6.0.6: the
/// effective salt begins with the length of `salt`, so that no two pairs of name and salt share a
/// signer. The value is plain text, which Django quotes if necessary.
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

/// Creates the signer of one cookie in older Django versions.
///
/// The effective salt is the name directly followed by `salt`, so a cookie `ab` without a salt is
/// also valid as `a` with the salt `b` (CVE-2026-6873). Use it for Django before 5.2.15, or 6.0.0
/// to 6.0.5, and for cookies of these versions that are still in browsers.
#[must_use]
pub fn legacy_signed_cookie_signer(ring: &Keyring, name: &str, salt: &str) -> TimestampSigner {
    cookie_signer(ring, &format!("{name}{salt}"))
}
