//! Defines the names that Django's CSRF protection uses by default.

use std::time::Duration;

/// The session entry that contains the secret.
pub(crate) const SESSION_KEY: &str = "_csrftoken";

/// The cookie that contains the secret.
pub(crate) const COOKIE_NAME: &str = "csrftoken";

/// How long the cookie lasts: 52 weeks.
pub(crate) const COOKIE_AGE: Duration = Duration::from_secs(31_449_600);

/// The header that contains the token.
pub(crate) const HEADER: &str = "x-csrftoken";
