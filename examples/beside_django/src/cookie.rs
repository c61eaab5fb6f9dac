//! Says what the page shows of the cookie and of the keys, as `about_the_cookie` in `site/shop.py`.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use signed_session::{CookieOptions, Session, Unverified};
use time::OffsetDateTime;

use crate::Failure;
use crate::origin::SIGNED_BY;

/// The cookie that the browser sent.
pub struct Shown {
    pub payload: String,
    pub stamp: String,
    pub signature: String,
    /// Who sent it to the browser.
    pub signed_by: String,
    pub verdict: Verdict,
}

/// What was made of it.
pub enum Verdict {
    Refused,
    Verified { key: usize, signed_at: OffsetDateTime },
}

impl Shown {
    /// Returns the cookie of a request, and what the session of that request says of it.
    pub fn of(headers: &HeaderMap, session: &Session) -> Result<Option<Self>, Failure> {
        let options = CookieOptions::new("sessionid")?;
        let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        let Some(token) = cookies.flat_map(|header| options.find(header)).last() else {
            return Ok(None);
        };
        let parts = Unverified::new(token);
        let (payload, stamp, signature) = match &parts {
            Ok(parts) => (parts.payload(), parts.stamp().unwrap_or_default(), parts.signature()),
            Err(_) => (token, "", ""),
        };
        let verdict = match (session.key_index(), session.signed_at()) {
            (Some(key), Some(signed_at)) => Verdict::Verified { key, signed_at },
            _ => Verdict::Refused,
        };
        let signed_by = headers.get(SIGNED_BY).and_then(|name| name.to_str().ok());
        Ok(Some(Self {
            payload: payload.to_owned(),
            stamp: stamp.to_owned(),
            signature: signature.to_owned(),
            signed_by: signed_by.unwrap_or("somebody").to_owned(),
            verdict,
        }))
    }
}

/// Returns short names of the keys, by which two sides can be compared.
///
/// They are the beginning of a hash, which would help to guess a secret that can be guessed. These
/// are random.
pub fn key_names(settings: &str) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    struct Secrets {
        secret_key: String,
        secret_key_fallbacks: Vec<String>,
    }
    let secrets: Secrets = serde_json::from_str(settings)?;
    let name = |secret: &String| {
        let hash = Sha256::digest(secret.as_bytes());
        hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    };
    Ok([secrets.secret_key].iter().chain(&secrets.secret_key_fallbacks).map(name).collect())
}
