//! Configures the two sessions of the site: the visitors' and the administrators'.

use std::time::Duration;

use signed_session::{
    ConfigError, CookieOptions, Keyring, Revocations, SameSite, SessionCodec, SessionManager,
};
use time::OffsetDateTime;

/// The entry that names the user, in both sessions.
pub const USER_ID: &str = "user_id";

/// How long a session lasts from its login, whatever is done with it.
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a login lasts that the visitor asked to be remembered, from the last visit.
pub const REMEMBERED: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How long an administrator can be idle.
pub const ADMIN_IDLE: Duration = Duration::from_secs(30 * 60);

/// The age after which a session that is in use is signed again.
const REFRESH: Duration = Duration::from_secs(60);

/// Marks the administrators' session: handlers take a `SessionHandle<Admin>`.
pub struct Admin;

/// Tells the time: `OffsetDateTime::now_utc`, except in tests.
pub type Clock = fn() -> OffsetDateTime;

/// Returns the manager of the visitors' session, which has a cart, messages, and the login.
///
/// # Errors
///
/// None, unless a name or a path is changed to one that browsers do not accept.
pub fn of_visitors(
    ring: &Keyring,
    revocations: &Revocations,
    clock: Clock,
) -> Result<SessionManager, ConfigError> {
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("shop_session")?.secure(false);
    SessionManager::new(SessionCodec::named(ring, "shop"), options)
        .refresh_after(REFRESH)
        .clock(clock)
        .revocations(revocations.clone(), USER_ID)
        .login_page("/login")
}

/// Returns the manager of the administrators' session.
///
/// The codec's name keeps it apart: the cookie of a visitor is not valid here under any name. Both
/// sessions have one list of what was ended, so whoever signs out everywhere leaves both.
///
/// # Errors
///
/// See [`of_visitors`].
pub fn of_administrators(
    ring: &Keyring,
    revocations: &Revocations,
    clock: Clock,
) -> Result<SessionManager, ConfigError> {
    let options =
        CookieOptions::new("shop_admin")?.path("/admin")?.same_site(SameSite::Strict).secure(false);
    SessionManager::new(SessionCodec::named(ring, "admin").max_age(ADMIN_IDLE), options)
        .expire_at_browser_close(true)
        .refresh_after(REFRESH)
        .clock(clock)
        .revocations(revocations.clone(), USER_ID)
        .login_page("/admin/login")
}
