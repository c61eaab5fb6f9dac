//! Lists Django's session calls and settings and their equivalents here.
//!
//! Each row has the Django code on the left and the same in Rust on the right. The handlers work
//! with both axum and actix-web.
//!
//! <table>
//! <tr><th>Django</th><th>here</th></tr>
//! <tr><td>
//!
//! Enable sessions
//!
//! ```py
//! # settings.py
//! SESSION_ENGINE = (
//!     "django.contrib.sessions"
//!     ".backends.signed_cookies"
//! )
//! MIDDLEWARE = [
//!     "django.contrib.sessions"
//!     ".middleware.SessionMiddleware",
//! ]
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use signed_session::{ConfigError, CookieOptions, Keyring, SessionCodec, SessionManager};
//!
//! fn sessions(secret_key: &str) -> Result<SessionManager, ConfigError> {
//!     let ring = Keyring::new(secret_key)?;
//!     let cookie = CookieOptions::new("sessionid")?;
//!     Ok(SessionManager::new(SessionCodec::new(&ring), cookie))
//! }
//!
//! // axum, and any tower or hyper stack: `.layer(..)` around the router
//! fn layer(manager: SessionManager) -> signed_session::SessionLayer {
//!     signed_session::SessionLayer::new(manager)
//! }
//!
//! // actix-web: `.wrap(..)` around the application
//! fn middleware(manager: SessionManager) -> signed_session::SessionMiddleware {
//!     signed_session::SessionMiddleware::new(manager)
//! }
//! ```
//!
//! </td></tr>
//! <tr><td>
//!
//! Set `user_id`
//!
//! ```py
//! def login(request):
//!     request.session["user_id"] = 42
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use signed_session::{SessionHandle, ValueError};
//!
//! async fn login(session: SessionHandle) -> Result<(), ValueError> {
//!     session.begin(|_| false); // drops what an anonymous visitor had put into the session
//!     session.insert("user_id", 42)
//! }
//! ```
//!
//! </td></tr>
//! <tr><td>
//!
//! Get `user_id`
//!
//! ```py
//! def who(request):
//!     user_id = request.session.get("user_id")
//!     return HttpResponse(f"user {user_id}")
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use signed_session::{SessionHandle, ValueError};
//!
//! async fn who(session: SessionHandle) -> Result<String, ValueError> {
//!     let user_id: Option<u64> = session.get("user_id")?;
//!     Ok(format!("user {user_id:?}"))
//! }
//! ```
//!
//! </td></tr>
//! <tr><td>
//!
//! Set the lifetime of sessions: an hour instead of two weeks
//!
//! ```py
//! SESSION_COOKIE_AGE = 3600
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use signed_session::{Keyring, SessionCodec};
//! use std::time::Duration;
//!
//! fn codec(ring: &Keyring) -> SessionCodec {
//!     SessionCodec::new(ring).max_age(Duration::from_secs(3600))
//! }
//! ```
//!
//! </td></tr>
//! <tr><td>
//!
//! End sessions when the browser is closed
//!
//! ```py
//! SESSION_EXPIRE_AT_BROWSER_CLOSE = True
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use signed_session::SessionManager;
//!
//! fn until_closed(manager: SessionManager) -> SessionManager {
//!     manager.expire_at_browser_close(true)
//! }
//! ```
//!
//! </td></tr>
//! <tr><td>
//!
//! Set the expiry of one session
//!
//! ```py
//! def remember(request):
//!     request.session.set_expiry(300)
//!
//! def forget(request):
//!     request.session.set_expiry(0)
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use signed_session::{Expiry, SessionHandle};
//! use std::time::Duration;
//!
//! async fn remember(session: SessionHandle) {
//!     session.set_expiry(Expiry::After(Duration::from_secs(300)));
//! }
//!
//! async fn forget(session: SessionHandle) {
//!     session.set_expiry(Expiry::AtBrowserClose);
//! }
//! ```
//!
//! </td></tr>
//! <tr><td>
//!
//! Log out
//!
//! ```py
//! def logout(request):
//!     request.session.flush()
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use signed_session::SessionHandle;
//!
//! async fn logout(session: SessionHandle) {
//!     session.flush();
//! }
//! ```
//!
//! </td></tr>
//! <tr><td>
//!
//! Protect a form from other sites
//!
//! ```html
//! <form method="post">
//!   {% csrf_token %}
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use signed_session::django::CsrfHandle;
//!
//! async fn form(csrf: CsrfHandle) -> String {
//!     format!(
//!         r#"<form method="post">
//!              <input type="hidden" name="csrfmiddlewaretoken" value="{}">"#,
//!         csrf.token()
//!     )
//! }
//! ```
//!
//! </td></tr>
//! <tr><td>
//!
//! Rotate the secret
//!
//! ```py
//! SECRET_KEY = "the new one"
//! SECRET_KEY_FALLBACKS = ["the old one"]
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use signed_session::{ConfigError, Keyring};
//!
//! fn ring(new: &str, old: &str) -> Result<Keyring, ConfigError> {
//!     Keyring::new(new)?.fallback(old)
//! }
//! ```
//!
//! </td></tr>
//! </table>
//!
//! # Settings and calls
//!
//! Further settings and calls:
//!
//! | Django | here |
//! |---|---|
//! | `SESSION_COOKIE_NAME`, `_PATH`, `_DOMAIN`, `_SAMESITE`, … | `CookieOptions::new(name)?.path(..)?.domain(..)?.same_site(..)` |
//! | `SESSION_SAVE_EVERY_REQUEST` | `manager.save_every_request(true)`; or `.refresh_after(age)`, which writes only sessions whose timestamp is older than `age` |
//! | `request.session.cycle_key()` | `session.cycle_key()` |
//! | `signing.dumps(obj)`, `signing.loads(s)` | `TimestampSigner::new(&ring, django::DUMPS_SALT).sign_object(..)`, `.unsign_object(..)` |
//! | `Signer(salt=s).sign(text)` | `Signer::new(&ring, s).sign(text)` |
//! | `response.set_signed_cookie(name, text)`, `request.get_signed_cookie(name)` | `settings.signed_cookie(CookieOptions::new(name)?, "")?`, its `.cookie(text)` and `.read(headers)`; without the settings `django::SignedCookie::new(&ring, ..)`, and for Django older than 5.2.15, and for 6.0.0 to 6.0.5, `.write_legacy(true)` |
//! | `get_user(request)`, `login(request, user)`, `logout(request)` | `django::AuthUser::from_session(&session)` and its `.resume(..)`, `.login(..)`; `django::logout(&mut session)` |
//! | `messages.success(request, text)`, `get_messages(request)` | `django::MessageStorage`, its `.load(headers)`, then `.add(..)` and `.show(..)` |
//! | `Session.objects.get(pk=key).session_data` | `django::stored_session_codec(&ring).decode(text)`; `examples/stored_sessions` is a complete service |
//! | all settings of a project | `django::DjangoSettings::from_json(text)`, with the JSON that the script `src/django/write_settings.py` writes |
