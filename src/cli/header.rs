//! Prints a token as it stands or as the header that sets its cookie, and warns of one too long.

use std::time::Duration;

use signed_session::{CookieOptions, SessionCodec};
use time::OffsetDateTime;

use crate::cli::failure::Failure;
use crate::cli::say;

/// What browsers keep of a cookie at most: its name and its value, in bytes.
const MAX_COOKIE_LEN: usize = 4096;

/// How long a session's cookie lasts if the session does not say: as Django and the library.
const COOKIE_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// In what a token is printed.
pub(crate) struct Header {
    cookie: Option<CookieOptions>,
    /// The name that counts for the length; nothing if the token is never in a cookie.
    name: Option<String>,
}

impl Header {
    /// `asked` is the name of the cookie to print, `usual` the one that such tokens stand in.
    ///
    /// # Errors
    ///
    /// If no cookie can have the name.
    pub(crate) fn new(asked: Option<&str>, usual: Option<&str>) -> Result<Self, Failure> {
        let cookie = asked.map(CookieOptions::new).transpose().map_err(Failure::new)?;
        Ok(Self { cookie, name: asked.or(usual).map(str::to_owned) })
    }

    /// Returns what is to be printed for a token.
    ///
    /// `reader` is the codec of sessions, which may say themselves how long they last.
    ///
    /// # Errors
    ///
    /// If the time is beyond what a cookie can carry.
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
        // Set afterwards: what is too long for a browser is warned of, and printed all the same.
        let mut cookie = options.cookie("", max_age, now).map_err(Failure::new)?;
        cookie.set_value(token);
        Ok(format!("Set-Cookie: {cookie}"))
    }

    /// Returns a warning if browsers drop the cookie without a word.
    pub(crate) fn warning(&self, token: &str) -> Option<String> {
        let name = self.name.as_deref()?;
        let len = name.len().saturating_add(token.len());
        (len > MAX_COOKIE_LEN).then(|| {
            format!(
                "browsers drop this cookie: its name ({name}) and the token have {len} bytes, \
                 more than {MAX_COOKIE_LEN}"
            )
        })
    }

    /// Warns if browsers drop the cookie without a word.
    pub(crate) fn warn(&self, token: &str) {
        if let Some(warning) = self.warning(token) {
            say::warning(warning);
        }
    }
}
