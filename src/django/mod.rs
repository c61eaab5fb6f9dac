//! Reads and writes other data that is shared with a Django site.
//!
//! These are logins, messages, signed cookies, CSRF secrets and settings.

// As in `lib.rs`: a module imports only from lower layers.

// Layer 0
mod auth;
mod signed_cookie;
// Layer 1
mod csrf;
mod messages;
// Layer 2
mod settings;

use std::time::Duration;

use crate::codec::{self, SessionCodec};
use crate::expiry::ExpiryRule;
use crate::key::Keyring;

pub use auth::{AuthUser, logout};
#[cfg(feature = "actix")]
pub use csrf::CsrfMiddleware;
#[cfg(feature = "random")]
pub use csrf::{Csrf, CsrfError, CsrfRequest};
#[cfg(feature = "tower")]
pub use csrf::{CsrfBody, CsrfFuture, CsrfLayer, CsrfService};
#[cfg(any(feature = "tower", feature = "actix"))]
pub use csrf::{CsrfHandle, MissingCsrf};
pub use messages::{Level, Message, MessageStorage, Messages, MessagesError, StoredMessages};
pub use settings::{DjangoSettings, SettingsError};
pub use signed_cookie::{
    SignedCookie, cookie_signer, legacy_signed_cookie_signer, signed_cookie_signer,
};

/// The salt of the `signed_cookies` session backend, and of [`SessionCodec`].
pub const SESSION_SALT: &str = codec::SESSION_SALT;

/// The salt of `session_data` in database, cached-database and file sessions.
///
/// [`stored_session_codec`] uses it.
pub const DB_SESSION_SALT: &str = "django.contrib.sessions.SessionStore";

/// The salt of `django.core.signing.dumps` and `loads`.
pub const DUMPS_SALT: &str = "django.core.signing";

/// The salt of `django.core.signing.Signer`.
pub const SIGNER_SALT: &str = "django.core.signing.Signer";

/// The salt of `django.core.signing.TimestampSigner`.
pub const TIMESTAMP_SIGNER_SALT: &str = "django.core.signing.TimestampSigner";

/// The salt of the messages cookie, to be used with [`cookie_signer`].
pub const MESSAGES_SALT: &str = messages::MESSAGES_SALT;

/// The maximum size of a stored session's JSON in bytes.
const STORED_PAYLOAD_LEN: usize = 1024 * 1024;

/// Creates the codec of sessions in a database or in files.
///
/// This is the format of `session_data` in rows of the backends `db` and `cached_db`, and of the
/// content of files of the backend `file`.
///
/// The codec enforces neither the timestamp nor the session's own expiry. A row has expired if its
/// `expire_date` is not in the future. A file has expired if the time since its last modification
/// exceeds the session's own expiry or, without one, `SESSION_COOKIE_AGE`. Check that first. When
/// you write a row, set `expire_date` again, to [`Session::expiry_date`]. Otherwise the codec works
/// as for cookies, except that tokens may have up to 2 MiB and their JSON up to 1 MiB.
///
/// Sessions that are only in a cache are pickled, and cannot be read here. A site with `cached_db`
/// reads its cache first, and sees a change of the row only when the cache has dropped the session.
///
/// If the site has `USE_TZ = False`, add [`use_tz(false)`](SessionCodec::use_tz): Django then
/// cannot compare an expiry date that has an offset, wherever the session is stored.
///
/// The session key in the cookie is user input. A key has 8 to 40 characters `a-z` and `0-9`;
/// Django creates keys of 32. Refuse anything else, because as a file name it could refer to a
/// different folder.
///
/// [`Session::expiry_date`]: crate::Session::expiry_date
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use signed_session::{Keyring, django};
/// use time::OffsetDateTime;
///
/// let ring = Keyring::new("test-secret-key-0123456789")?;
/// let codec = django::stored_session_codec(&ring);
/// let row = "eyJhIjoxfQ:1r31eq:-erKf6X8XuUqGwrV8KEYexjqNCph05oz8-C135MZMYM";
/// let mut session = codec.decode(row)?;
/// assert_eq!(session.get::<u32>("a")?, Some(1));
///
/// session.insert("a", 2)?;
/// let (cookie_age, now) = (Duration::from_secs(1_209_600), OffsetDateTime::now_utc());
/// let (session_data, expire_date) = (codec.encode(&session)?, session.expiry_date(cookie_age, now)?);
/// # assert!(session_data.starts_with("eyJhIjoyfQ:") && expire_date > now);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn stored_session_codec(ring: &Keyring) -> SessionCodec {
    SessionCodec::new(ring)
        .salt(DB_SESSION_SALT)
        .max_age(Duration::MAX)
        .expiry_rule(ExpiryRule::Django)
        .max_payload_len(STORED_PAYLOAD_LEN)
        .max_token_len(2 * STORED_PAYLOAD_LEN)
}
