//! Explains how to move an application here from axum-login and tower-sessions.
//!
//! Both keep the session in a store and an id in the cookie. Here the session is the cookie. There
//! is no store to operate, and requests need no database for their session. The disadvantages are:
//!
//! - The visitor can read the session, and it has to fit into 4,096 bytes.
//! - Active sessions are not listed anywhere. A "Your devices" page needs a table of
//!   [ids](crate::SessionHandle::id), to which your login handler adds one.
//! - If two concurrent requests change the session, the cookie that arrives last wins.
//! - Everybody has to log in again: the ids in the old cookies refer to the old store.
//!
//! # Step by step
//!
//! 1. Replace `SessionManagerLayer::new(store)` with the layer of this crate. The store, its
//!    migration and the job that deletes expired rows are no longer needed.
//!
//!    | tower-sessions | here |
//!    |---|---|
//!    | `SessionManagerLayer::new(store)` | `SessionLayer::new(SessionManager::new(codec, options))` |
//!    | `.with_name("id")`, `.with_domain(..)`, `.with_path(..)` | [`CookieOptions`] |
//!    | `.with_secure(false)` | `options.secure(false)`, only for `http://localhost` |
//!    | `Expiry::OnInactivity(time)` | [`SessionCodec::max_age`], with [`SessionManager::refresh_after`] |
//!    | `Expiry::AtDateTime(moment)` | [`SessionHandle::set_expiry`] |
//!    | `session.insert(key, value).await?` | `session.insert(key, value)?` |
//!    | `session.get::<T>(key).await?` | `session.get::<T>(key)?` |
//!    | `session.cycle_id().await?` at login | `session.begin(\|key\| ..)`, which says what stays |
//!    | `session.flush().await?` | `session.flush()` |
//!
//! 2. Replace the backend of axum-login. `AuthSession` loads the user from its backend in each request.
//!    Here the session holds the user's id, and [`LoggedIn`] returns it.
//!
//!    | axum-login | here |
//!    |---|---|
//!    | `auth.authenticate(credentials)` | your own function, which checks the password |
//!    | `auth.login(&user)` | `session.begin(\|_\| false); session.insert("user_id", user.id)?;` |
//!    | `auth.logout()` | `session.flush()` |
//!    | `auth.user` in a handler | `LoggedIn { id, .. }: LoggedIn<u64>`, and a query where the user's data is needed |
//!    | `login_required!(Backend, login_url = "/login")` | `manager.subject("user_id").login_page("/login")?` |
//!    | `session_auth_hash`, so that a new password ends sessions | [`Revocations::end_others`] after the password was changed |
//!
//! 3. Add [`Revocations`], so that a logout ends copies of the cookie, and users can be signed out
//!    everywhere: see [`log_in_and_out`](crate::guide::log_in_and_out).
//! 4. Flash messages of axum-messages become [`FlashMessages`]: `messages.info("..")` is
//!    `flash.add(Level::INFO, "..")?`, and iterating is `flash.take()?`.
//!
//! A user who was deleted or disabled still has a session until it ends. End it when you disable the
//! account ([`Revocations::end_all`]), or load the user in the handlers that need one.
//!
//! # After a logout, Back shows the page
//!
//! Browsers keep pages in memory and show them again on *Back*, even after a logout. The session is
//! not involved: the next request to the server is refused. To prevent this, send `Cache-Control:
//! no-store` with the pages that require a login.
//!
//! [`CookieOptions`]: crate::CookieOptions
//! [`FlashMessages`]: crate::FlashMessages
//! [`LoggedIn`]: crate::LoggedIn
//! [`Revocations`]: crate::Revocations
//! [`Revocations::end_all`]: crate::Revocations::end_all
//! [`Revocations::end_others`]: crate::Revocations::end_others
//! [`SessionCodec::max_age`]: crate::SessionCodec::max_age
//! [`SessionHandle::set_expiry`]: crate::SessionHandle::set_expiry
//! [`SessionManager::refresh_after`]: crate::SessionManager::refresh_after
