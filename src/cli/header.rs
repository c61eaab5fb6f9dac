//! Formats a token, bare or as a `Set-Cookie` header, and warns about its size.

use std::time::Duration;

use signed_session::{CookieOptions, SessionCodec};
use time::OffsetDateTime;

use crate::cli::failure::Failure;
use crate::cli::say;

/// The maximum size of a cookie's name and value together, in bytes.
///
/// Browsers drop larger cookies.
const MAX_COOKIE_LEN: usize = 4096;

/// How long a session's cookie lasts by default, as in Django and the library.
const COOKIE_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The form in which a token is printed.
pub(crate) struct Header {
    cookie: Option<CookieOptions>,
    /// The name of the token's cookie, to compute the cookie's size.
    ///
    /// `None` if such tokens are never in a cookie.
    name: Option<String>,
}

impl Header {
    /// Creates the form with the requested cookie name and the usual one.
    ///
    /// Tokens are printed bare if no name was requested.
    ///
    /// # Errors
    ///
    /// If the name is not valid for a cookie.
    pub(crate) fn new(asked: Option<&str>, usual: Option<&str>) -> Result<Self, Failure> {
        let cookie = asked.map(CookieOptions::new).transpose().map_err(Failure::new)?;
        Ok(Self { cookie, name: asked.or(usual).map(str::to_owned) })
    }

    /// Returns the text to print for a token.
    ///
    /// `reader` is the codec if tokens are sessions, which can set their own expiry.
    ///
    /// # Errors
    ///
    /// The errors of [`CookieOptions::cookie`].
    pub(crate) fn line(
        &self,
        token: String,
        reader: Option<&SessionCodec>,
        now: OffsetDateTime,
    ) -> Result<String, Failure> {
        let Some(options) = &self.cookie else { return Ok(token) };
        let session = reader.and_then(|codec| codec.decode_at(&token, now).ok());
        let max_age = session.and_then(|session| {
            let ends_with_browser = session.expires_at_browser_close(false).unwrap_or(false);
            let age = session.expiry_age(COOKIE_AGE, now).ok();
            age.filter(|_| !ends_with_browser)
        });
        // Set afterwards: a cookie that is too large causes a warning, but is still printed.
        let mut cookie = options.cookie("", max_age, now).map_err(Failure::new)?;
        cookie.set_value(token);
        Ok(format!("Set-Cookie: {cookie}"))
    }

    /// Returns a warning if browsers silently drop the cookie.
    pub(crate) fn warning(&self, token: &str) -> Option<String> {
        let name = self.name.as_deref()?;
        let len = name.len().saturating_add(token.len());
        (len > MAX_COOKIE_LEN).then(|| {
            format!(
                "browsers drop this cookie: its name ({name}) and the token have {len} bytes \
                 together, more than {MAX_COOKIE_LEN}"
            )
        })
    }

    /// Prints a warning if browsers silently drop the cookie.
    pub(crate) fn warn(&self, token: &str) {
        if let Some(warning) = self.warning(token) {
            say::warning(warning);
        }
    }
}
