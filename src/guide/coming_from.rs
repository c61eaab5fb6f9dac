//! Explains how to migrate from axum-login and tower-sessions.
//!
//! tower-sessions, on which axum-login is built, keeps the session in a store and its id in the
//! cookie. Here the session itself is in the cookie. There is no store to operate, and requests
//! need no database for their session. The disadvantages are:
//!
//! - The visitor can read the session, and the cookie's name and value must not exceed 4,096 bytes.
//! - Active sessions are not listed anywhere. A "Your devices" page needs a table of session ids,
//!   to which your login handler adds the new one ([`SessionHandle::id`], with [`Revocations`]).
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
//!    | `session.cycle_id().await?` at login | `session.begin(\|key\| ..)`, where the closure selects the entries to keep |
//!    | `session.flush().await?` | `session.flush()` |
//!
//! 2. Replace axum-login's backend. `AuthSession` loads the user from the backend in each request.
//!    Here the session contains the user's id, and [`LoggedIn`] passes it to the handler.
//!
//!    | axum-login | here |
//!    |---|---|
//!    | `auth.authenticate(credentials)` | your own function, which checks the password |
//!    | `auth.login(&user)` | `session.begin(\|_\| false); session.insert("user_id", user.id)?;` |
//!    | `auth.logout()` | `session.flush()` |
//!    | `auth.user` in a handler | `LoggedIn { id, .. }: LoggedIn<u64>`, and a query where the user's data is needed |
//!    | `login_required!(Backend, login_url = "/login")` | `manager.subject("user_id").login_page("/login")?`, and `LoggedIn` as an argument of each protected handler |
//!    | `session_auth_hash`, so that a new password ends sessions | [`Revocations::end_others`] after the password was changed |
//!
//! 3. Add [`Revocations`], so that a logout ends copies of the cookie, and users can be signed out
//!    everywhere: see [`log_in_and_out`](crate::guide::log_in_and_out).
//! 4. Replace axum-messages with [`FlashMessages`]: `messages.info("..")` becomes
//!    `flash.add(Level::INFO, "..")?`, and iterating becomes `flash.take()?`.
//!
//! Deleting or disabling a user does not end the user's sessions. End them when you disable the
//! account ([`Revocations::end_all`]), or load the user in the handlers that need one.
//!
//! In the repository, `examples/shop` is a whole application with all of this, and with tests.
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
//! [`SessionHandle::id`]: crate::SessionHandle::id
//! [`SessionHandle::set_expiry`]: crate::SessionHandle::set_expiry
//! [`SessionManager::refresh_after`]: crate::SessionManager::refresh_after
