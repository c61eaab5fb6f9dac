//! Reads what this service shares with the Django project, from the JSON that the project writes.

use std::time::Duration;

use serde::Deserialize;
use signed_session::django::{DjangoSettings, stored_session_codec};
use signed_session::{CookieOptions, Keyring, SameSite, SessionCodec};

use crate::Failure;

/// What the sessions of the site need.
pub struct Settings {
    pub ring: Keyring,
    pub codec: SessionCodec,
    pub cookie: CookieOptions,
    pub cookie_age: Duration,
    pub expire_at_browser_close: bool,
    pub save_every_request: bool,
    /// The site's `AUTHENTICATION_BACKENDS`.
    pub backends: Vec<String>,
}

/// The settings of the file under Django's names.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct File {
    session_engine: String,
    session_serializer: String,
    session_cookie_name: String,
    session_cookie_age: f64,
    session_cookie_domain: Option<String>,
    session_cookie_path: String,
    session_cookie_secure: bool,
    session_cookie_httponly: bool,
    /// `false` leaves it to the browser.
    session_cookie_samesite: serde_json::Value,
    session_expire_at_browser_close: bool,
    session_save_every_request: bool,
    use_tz: bool,
}

impl Settings {
    /// Reads the file that the script `write_settings.py` writes.
    pub fn from_json(text: &str) -> Result<Self, Failure> {
        let secrets = DjangoSettings::from_json(text)?;
        let file: File = serde_json::from_str(text)?;
        // With `cached_db` Django looks into its cache first and would not see what is written here.
        if file.session_engine != "django.contrib.sessions.backends.db" {
            return Err("SESSION_ENGINE must be Django's default, the database".into());
        }
        if file.session_serializer != "django.contrib.sessions.serializers.JSONSerializer" {
            return Err("SESSION_SERIALIZER must be Django's default, JSON".into());
        }
        // Without it the dates in SQLite are in the site's local time.
        if !file.use_tz {
            return Err("USE_TZ must be True".into());
        }
        let same_site = match &file.session_cookie_samesite {
            serde_json::Value::Bool(false) => None,
            name if name == "Lax" => Some(SameSite::Lax),
            name if name == "Strict" => Some(SameSite::Strict),
            name if name == "None" => Some(SameSite::None),
            _ => return Err("SESSION_COOKIE_SAMESITE must be Lax, Strict, None or False".into()),
        };
        let cookie = CookieOptions::new(&file.session_cookie_name)?
            .path(&file.session_cookie_path)?
            .secure(file.session_cookie_secure)
            .http_only(file.session_cookie_httponly)
            .same_site(same_site);
        let cookie = match &file.session_cookie_domain {
            Some(domain) => cookie.domain(domain)?,
            None => cookie,
        };
        let ring = secrets.keyring().clone();
        Ok(Self {
            codec: stored_session_codec(&ring),
            ring,
            cookie,
            cookie_age: Duration::try_from_secs_f64(file.session_cookie_age)?,
            expire_at_browser_close: file.session_expire_at_browser_close,
            save_every_request: file.session_save_every_request,
            backends: secrets.authentication_backends().to_owned(),
        })
    }
}
