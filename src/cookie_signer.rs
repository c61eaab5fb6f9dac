//! Turns a cookie's name and salt into what signs its value in Django.

use crate::key::Keyring;
use crate::timestamp::TimestampSigner;

/// Makes the signer of Django's own cookies other than the session.
///
/// As `django.core.signing.get_cookie_signer`: each secret begins with
/// `django.http.cookies`, so that it signs nothing else.
#[must_use]
pub fn cookie_signer(ring: &Keyring, salt: &str) -> TimestampSigner {
    TimestampSigner::new(&ring.prefixed(b"django.http.cookies"), salt)
}

/// Makes the signer of one cookie: that of `set_signed_cookie` and `get_signed_cookie`.
///
/// As Django has it since 5.2.15 and 6.0.6: the salt's length stands before
/// it, so that no two pairs of name and salt share a signer. The value is plain
/// text, and Django puts it in quotes where a cookie needs them.
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

/// Makes the signer of one cookie as older Django releases have it.
///
/// The salt is the name and the salt run together, so that the cookie `ab`
/// without a salt is also good as `a` with the salt `b`
/// (CVE-2026-6873). For reading what is still out there.
#[must_use]
pub fn legacy_signed_cookie_signer(ring: &Keyring, name: &str, salt: &str) -> TimestampSigner {
    cookie_signer(ring, &format!("{name}{salt}"))
}
