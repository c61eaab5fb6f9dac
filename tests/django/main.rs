//! What else a Django site shares: logins, messages, settings and signed cookies.

mod auth;
#[cfg(feature = "random")]
mod csrf;
mod messages;
mod settings;
mod signed_cookie;
