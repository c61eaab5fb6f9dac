//! Explains how to run a Rust service alongside a Django site, and what to watch out for.
//!
//! Suppose that a Django site is in production, and that one part of it, such as the cart, will be
//! served by Rust. A visitor who logged in on one side is known on the other, until they log out.
//! Both sides share the session cookie and the secret that signs it; they do not call each other.
//!
//! 1. [In fifteen minutes](#in-fifteen-minutes)
//! 2. [Log in and out in Rust](#log-in-and-out-in-rust)
//! 3. [End sessions on both sides](#end-sessions-on-both-sides)
//! 4. [The order of key rotation](#the-order-of-key-rotation)
//! 5. [What differs](#what-differs)
//! 6. [What to watch](#what-to-watch)
//! 7. [Changing what is in a session](#changing-what-is-in-a-session)
//!
//! Separate chapters:
//!
//! - [`from_django`], which lists Django's calls and settings and those of this library;
//! - [`log_in_and_out`], [`forms`] and [`testing`], for applications without Django too;
//! - [`coming_from`], which moves an application here from axum-login and tower-sessions;
//! - [`sessions_in_the_database`], for a site that keeps its sessions there;
//! - [`one_rule_on_both_sides`], an engine with which Django refuses the cookies that Rust refuses.
//!
//! # In fifteen minutes
//!
//! ## Django keeps its sessions in a signed cookie
//!
//! ```python
//! # settings.py
//! SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
//! SESSION_COOKIE_SECURE = True  # requires https
//! ```
//!
//! Everybody has to log in again after this change. From now on the visitor's browser holds the
//! session: the visitor cannot change it but can read it, it has to fit 4,096 bytes, and a copy of
//! it stays valid after the logout until it expires. If you do not want that, leave the engine as
//! it is: [`sessions_in_the_database`] compares the two.
//!
//! ## Django writes its settings, Rust reads them
//!
//! The package contains a script for this, `src/django/write_settings.py`; it is also shown in the
//! documentation of [`DjangoSettings::from_json`]. Copy it to the folder of `manage.py`:
//!
//! ```sh
//! python manage.py shell -c "exec(open('write_settings.py').read())"
//! ```
//!
//! It writes `django-settings.json`, or the file named by the variable `SETTINGS_JSON`. A run that
//! fails leaves the file unchanged.
//!
//! - **In which environment.** Settings read environment variables, `.env` files and
//!   `DJANGO_SETTINGS_MODULE`. Run the script where Django itself is started: in the same
//!   container, with the same variables. With other variables it may write another secret, and Rust
//!   then refuses every cookie.
//! - **As which user.** The file holds the site's secret, so only the user who ran the script can
//!   read it. That must be the user who runs the Rust service; otherwise `chown` the file.
//! - **When.** Whenever these settings change, in the same deployment.
//!
//! ## Rust knows who is there
//!
//! ```sh
//! cargo add signed-session --features axum
//! ```
//!
//! This is a page for visitors who are logged in. Django's session names the user. Whether the
//! password was changed since, and whether the user still exists and is active, only the database
//! knows. Query it with any database library:
//! `select password, is_active, username from auth_user where id = …`. The session also names the
//! backend that logged the user in. It counts only if it is among the site's
//! `AUTHENTICATION_BACKENDS`, as in Django.
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # mod service {
//! use axum::extract::State;
//! use axum::{Router, routing::get};
//! use signed_session::django::{AuthUser, DjangoSettings, SettingsError};
//! use signed_session::{SessionHandle, SessionLayer, ValueError};
//!
//! struct Row {
//!     password: String,
//!     is_active: bool,
//!     username: String,
//! }
//!
//! /// Django's row of this id, if there is one.
//! async fn find_user(id: &str) -> Option<Row> {
//! #   let password = "pbkdf2_sha256$1000000$salt$hash".to_owned();
//! #   return Some(Row { password, is_active: true, username: id.to_owned() });
//!     // …
//! }
//!
//! async fn hello(
//!     State(settings): State<DjangoSettings>,
//!     session: SessionHandle,
//! ) -> Result<String, ValueError> {
//!     Ok(match who(&settings, &session).await? {
//!         Some(row) => format!("Hello, {}.", row.username),
//!         None => "Hello, stranger.".to_owned(),
//!     })
//! }
//!
//! /// The user who is logged in, by the rules of Django's `get_user`.
//! async fn who(
//!     settings: &DjangoSettings,
//!     session: &SessionHandle,
//! ) -> Result<Option<Row>, ValueError> {
//!     let Some(user) = session.with(|session| AuthUser::from_session(session))? else { return Ok(None) };
//!     if !settings.authentication_backends().iter().any(|known| known == user.backend()) {
//!         return Ok(None);
//!     }
//!     let Some(row) = find_user(user.id()).await else { return Ok(None) };
//!     if !row.is_active {
//!         return Ok(None);
//!     }
//!     // Nobody is logged in unless the hash matches. If it does not, the session stays.
//!     let matched = session.with(|entries| user.resume(entries, session.keyring(), &row.password));
//!     Ok(matched.map(|_| row))
//! }
//!
//! pub fn app(settings: &str) -> Result<Router, SettingsError> {
//!     let settings = DjangoSettings::from_json(settings)?;
//!     Ok(Router::new()
//!         .route("/rust/hello", get(hello))
//!         .layer(SessionLayer::new(settings.session_manager()?))
//!         .with_state(settings))
//! }
//! # }
//! ```
//!
//! ### When the hash does not match
//!
//! Rust does not accept the visitor as logged in, and the visitor stays logged in to Django. This
//! is intended, because a mismatch has several possible causes:
//!
//! - The user model overrides `get_session_auth_hash`. Then no hash ever matches. Compute the hash
//!   as the model does, and call [`AuthUser::resume_with`] and [`AuthUser::with_hash`] instead.
//! - The row is **stale**: it comes from a replica or a cache that has not seen a change of the
//!   password. The visitor has just set the new one, so ending the session would log out the owner.
//!   Read this row from the primary database.
//! - The password was changed, and this session is older. Django ends it at the visitor's next
//!   request there.
//!
//! Rust may end the session too only if you know that the third is the cause:
//!
//! ```
//! # use signed_session::{Keyring, Session, django::AuthUser};
//! # fn end(user: &AuthUser, session: &mut Session, ring: &Keyring, password: &str) {
//! // The row is from the primary database, and the hash is Django's own.
//! if user.resume(session, ring, password).is_none() {
//!     session.flush();
//! }
//! # }
//! ```
//!
//! ## Both stand behind one origin
//!
//! A browser sends the cookie to the host that set it, so serve Rust under a path of the same host.
//! With nginx, for example:
//!
//! ```text
//! proxy_set_header Host $http_host;  # by which Django knows its own forms
//! location /rust/ { proxy_pass http://127.0.0.1:3000; }
//! location /      { proxy_pass http://127.0.0.1:8000; }
//! ```
//!
//! If Rust has another host, such as `cart.example.com`, set
//! `SESSION_COOKIE_DOMAIN = "example.com"`; every host below that name then gets the cookie, and can
//! set one.
//!
//! Log in at Django's `/admin/` and open `/rust/hello`: it greets you. The example `beside_django`
//! of the repository has all of this in operation, with the login, the cart and the messages below.
//!
//! ## They share a cart, and messages
//!
//! Entries of the session are JSON, on both sides. Rust writes entries that it did not change back
//! byte for byte.
//!
//! ```python
//! def cart(request):
//!     return render(request, "cart.html", {"cart": request.session.get("cart", [])})
//! ```
//!
//! A message that Rust adds is shown by the next page, on either side:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # mod service {
//! use axum::extract::State;
//! use axum::http::{HeaderMap, header::COOKIE};
//! use axum::response::{AppendHeaders, IntoResponse, Redirect};
//! use signed_session::SessionHandle;
//! use signed_session::django::{Level, Message, MessageStorage, MessagesError};
//!
//! /// Puts pears into the cart; the storage is `settings.message_storage()?`.
//! pub async fn add_pears(
//!     State(storage): State<MessageStorage>,
//!     session: SessionHandle,
//!     headers: HeaderMap,
//! ) -> Result<impl IntoResponse, MessagesError> {
//!     session.update("cart", |cart: &mut Vec<String>| cart.push("pears".to_owned()))?;
//!
//!     let mut messages = storage.load(headers.get_all(COOKIE));
//!     messages.add(Message::new(Level::SUCCESS, "The pears are in the cart."));
//!     let stored = session.with(|session| messages.commit(session))?;
//!     Ok((AppendHeaders(stored.reply.headers([])), Redirect::to("/cart/")))
//! }
//! # }
//! ```
//!
//! # Log in and out in Rust
//!
//! Leave logging in to Django if you can: it knows how passwords are hashed and what else is
//! required of a visitor. If Rust does it, [`AuthUser::login`] changes the session as
//! `django.contrib.auth.login` does. The backend that it names must be one of the site's
//! `AUTHENTICATION_BACKENDS`, or Django ignores the login; and a user model with [its own
//! hash](#when-the-hash-does-not-match) needs [`AuthUser::with_hash`].
//!
//! ```
//! use signed_session::django::{self, AuthUser};
//! use signed_session::{Keyring, Session};
//!
//! /// `id` and `password` are the row's; what was typed has been checked against it.
//! fn login(session: &mut Session, ring: &Keyring, id: u64, password: &str) {
//!     let user = AuthUser::new(ring, id, "django.contrib.auth.backends.ModelBackend", password);
//!     // Of what a stranger had put into the session only the cart stays.
//!     user.login(session, |key| key == "cart");
//! }
//!
//! let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
//! let mut session = Session::new();
//! session.insert("cart", ["pears"])?;
//! login(&mut session, &ring, 42, "pbkdf2_sha256$1000000$salt$hash");
//! assert_eq!(AuthUser::from_session(&session)?.unwrap().id(), "42");
//!
//! // And out, in Django too.
//! django::logout(&mut session);
//! assert!(session.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Django's signals are not sent: the work of handlers of `user_logged_in`, above all `last_login`
//! in the database, is up to you. Packages that guard Django's login do not see yours either:
//! `django-axes`, for example, neither counts wrong passwords that are entered in Rust nor locks
//! anyone out there. Limit the attempts yourself. When a password is changed in Rust,
//! [`AuthUser::rebind`] keeps the session in which that was done; every other session of the user
//! ends, in Django as well.
//!
//! # End sessions on both sides
//!
//! A logout removes the cookie from one browser. A copy of it stays valid until it expires, in Django
//! and here, unless a list of ended sessions is kept. [`Revocations`] is that list:
//!
//! ```
//! # #[cfg(feature = "random")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use signed_session::django::{DjangoSettings, SettingsError};
//! use signed_session::{Revocations, SessionManager};
//!
//! fn manager(settings: &DjangoSettings) -> Result<(SessionManager, Revocations), SettingsError> {
//!     // How long a session lasts from its login, whatever is done with it.
//!     let revocations = Revocations::new(Duration::from_secs(30 * 24 * 60 * 60));
//!     let manager = settings.session_manager()?.revocations(revocations.clone(), "_auth_user_id");
//!     Ok((manager, revocations))
//! }
//! # let settings = DjangoSettings::from_json(r#"{
//! #     "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
//! #     "SECRET_KEY": "example-only-correct-horse-battery-staple",
//! #     "SESSION_COOKIE_SECURE": true
//! # }"#)?;
//! # manager(&settings)?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "random"))]
//! # fn main() {}
//! ```
//!
//! The list is in memory. A table shares it between processes and preserves it after a restart. In the
//! repository, `examples/revocation/src/sqlite.rs` synchronizes a list with a table; copy it, and
//! create the table in a Django migration:
//!
//! ```sql
//! CREATE TABLE ended(
//!     seq INTEGER PRIMARY KEY AUTOINCREMENT,
//!     at INTEGER NOT NULL,
//!     line TEXT NOT NULL UNIQUE
//! )
//! ```
//!
//! Django queries the same table. This is the file `src/django/ended.py` of the package; copy it to
//! the folder of `manage.py`, and set `LIFETIME` to the argument of `Revocations::new`:
//!
//! ```python
#![doc = include_str!("django/ended.py")]
//! ```
//!
//! ```python
//! # settings.py
//! MIDDLEWARE = [
//!     # ...
//!     "django.contrib.sessions.middleware.SessionMiddleware",
//!     "ended.EndedSessions",
//!     # ...
//! ]
//! ```
//!
//! From then on a session that was ended on either side is refused on both sides in the next request,
//! or within the quarter of a second in which Rust reads the table. A login is ordered after every
//! end that its side knows, so let a login in Rust call `catch_up` first. The example `beside_django`
//! uses both parts.
//!
//! Without the receiver and the middleware Django does not know the list:
//!
//! - It accepts sessions that were ended in Rust, until they expire.
//! - A logout in Django ends nothing in Rust: copies of the cookie stay valid.
//! - A login in Django in a session that was ended in Rust keeps the ended session's identity. Rust
//!   refuses it until a logout in Django.
//! - Rust dates a session that began in Django by its timestamp, which is in whole seconds and which
//!   Django renews with every write. A login in the same second as [`Revocations::end_all`] is
//!   refused in Rust; a copy that Django re-signed after that, before its first visit to Rust, is
//!   not.
//!
//! # The order of key rotation
//!
//! `SECRET_KEY` signs, and `SECRET_KEY_FALLBACKS` are accepted. A process that gets a token under a
//! secret that it does not have treats the visitor as a new one, *and replaces the cookie*: Rust when
//! the program writes to the session, Django as soon as the session is read. So no process, in Python
//! or in Rust, may sign with a secret before every other process accepts it:
//!
//! | step | on every machine, Django's and Rust's | before the next |
//! |---|---|---|
//! | 1 | `SECRET_KEY = old`, `SECRET_KEY_FALLBACKS = [new]` | all processes have been restarted or reloaded, Rust's with the settings written again |
//! | 2 | `SECRET_KEY = new`, `SECRET_KEY_FALLBACKS = [old]`, one after the other | `SESSION_COOKIE_AGE` has passed, or the longest that any session asked for |
//! | 3 | `SECRET_KEY = new`, without a fallback | |
//!
//! Nobody is signed out. The hash of the password in a session depends on the secret too: in step 2
//! the first request of a visitor writes it again, in Django by `get_user` and in Rust by
//! [`AuthUser::resume`]. Two processes at different steps each rewrite it under their own key,
//! which does no harm.
//!
//! Rust does not have to restart for this. Give the layer a [`LiveManager`], keep a clone, and
//! replace the manager after the settings were written again:
//!
//! ```
//! use signed_session::LiveManager;
//! use signed_session::django::{DjangoSettings, SettingsError};
//!
//! fn reload(live: &LiveManager, settings: &str) -> Result<(), SettingsError> {
//!     let manager = DjangoSettings::from_json(settings)?.session_manager()?;
//!     live.update(|_| manager);
//!     Ok(())
//! }
//! ```
//!
//! Handlers then take the key ring from [`SessionHandle::keyring`] and not from their own copy of
//! the settings: with the hash of a password under a ring other than the request's, a visitor is
//! not logged in.
//!
//! Replace a secret that has leaked at once, everywhere, without a fallback. This signs everyone
//! out, which is necessary.
//!
//! # What differs
//!
//! Every difference from Django has a number and a test; docs/differences.md lists them. These are
//! visible in a service alongside Django:
//!
//! - A session's own `set_expiry` ends it when it is read, even if Django would still accept it
//!   (D6), unless Django has [the engine of the guide](one_rule_on_both_sides). With
//!   `SESSION_COOKIE_AGE` alone there is no difference. With `USE_TZ = False` a date is enforced
//!   only if `TIME_ZONE` is UTC or a fixed offset such as `Etc/GMT+5`, and [`Expiry::At`] is an
//!   error, because Django would answer 500.
//! - Two valid session cookies of one name that differ are refused; Django takes the last (D11).
//! - A change that makes a session too large is an error; Django sends a cookie that
//!   browsers drop (D10).
//! - A response that sets the cookie is marked `Cache-Control: private` (D14), and
//!   one that shows messages from their cookie says `Vary: Cookie` (D20).
//! - A login drops what an anonymous visitor had put in the session (D19).
//! - A session whose hash does not match the password stays (D22). Django ends it.
//! - Timestamps more than five minutes in the future are refused (D5).
//!
//! # What to watch
//!
//! - **The secret, to the byte.** In Python it is text or bytes; here text means its UTF-8. A
//!   newline at the end of a file is part of it. If Rust refuses every cookie with
//!   [`DecodeError::BadSignature`], run `signed-session explain` of the command line, which says
//!   what is wrong.
//! - **The engine.** Take [`SettingsError::SessionEngine`] literally: without a setting Django's
//!   sessions are in its database. `PickleSerializer` and custom serializers are refused as well.
//!   If yours is a subclass that writes the same tokens and the same JSON, say so:
//!   `.set("SESSION_ENGINE", "django.contrib.sessions.backends.signed_cookies")` and
//!   `.set("SESSION_SERIALIZER", "django.contrib.sessions.serializers.JSONSerializer")`.
//! - **Stored sessions of your own class.** The name of the class is in the salt. For
//!   `class MyStore(SessionStore)` in a database or in files, add
//!   `.salt("django.contrib.sessions.MyStore")` to [`stored_session_codec`].
//! - **The signer.** `SIGNING_BACKEND` signs messages and signed cookies, and not sessions. With
//!   any backend other than Django's own, [`DjangoSettings::message_storage`] and
//!   [`DjangoSettings::signed_cookie`] return [`SettingsError::SigningBackend`].
//! - **Impersonation.** Packages differ in the user that the session names. `django-hijack` and
//!   `django-loginas` log in as the other user; with hijack, `hijack_history` lists the real one.
//!   `django-impersonate` keeps the real user and names the other in `_impersonate`, so that Rust
//!   and Django act for different users. Decide for which user Rust acts, and what it must not do
//!   during an impersonation.
//! - **Name, domain and path of the cookie** must be the same on both sides, or browsers keep two.
//!   After a change of one of them browsers keep the former cookie as well until it expires: pass
//!   it to [`SessionManager::retire`].
//! - **`Secure`.** Django's default is off, and [`DjangoSettings`] follows it. Turn it on in
//!   Django.
//! - **Clocks.** The timestamp comes from the machine that signed. Synchronize all of them with
//!   NTP; [`SessionCodec::max_clock_skew`] is the tolerated difference.
//! - **CSRF.** Django's middleware protects Django's views only. A form that Rust accepts needs the
//!   protection of [`forms`], with which either side accepts the other's; `SameSite=Lax` alone does
//!   not stop pages of sibling hosts.
//! - **The password's hash.** Without [`AuthUser::resume`] a session outlives a change of password.
//!   It needs a row from the database for each request that checks the user, as in Django; and that
//!   has to be the [current row](#when-the-hash-does-not-match).
//! - **The last cookie wins.** The whole session is in it: of two concurrent requests, one on each
//!   side, only the changes of the response that arrives last are kept.
//! - **Logout** removes the cookie. A copy stays valid until it expires, unless you
//!   [end sessions on both sides](#end-sessions-on-both-sides).
//! - **The order of deployment.** First deploy a Rust service that only reads, then one that
//!   writes. Each side preserves entries that it does not know.
//! - **Caches.** Responses that depend on the session have `Vary: Cookie`. Keep caches that ignore
//!   it away from these paths.
//! - **Messages** are committed before the session, inside the layer, because two of Django's
//!   storages may put them into it. If the messages cookie is nearly full, one message fewer may
//!   fit than in Django, because zlib in Rust compresses a little differently; the feature `zlib`
//!   compresses as Django does.
//!
//! # Changing what is in a session
//!
//! A session outlives a release: for two weeks visitors return with sessions that the previous
//! release wrote. A handler that expects the new structure must not answer them with an error.
//!
//! | the release | what to do |
//! |---|---|
//! | adds an entry | Read it with a default: `get("cart")?.unwrap_or_default()`, or [`Session::update`]. |
//! | drops an entry | Nothing has to be done. It is preserved until the session ends; [`Session::replace`] drops it. |
//! | renames an entry | Read both keys until the longest lifetime of a session has passed. |
//! | changes an entry's type | Read it with [`Session::get_or_discard`], or give it a new key. [`Session::get`] is an error, which names the key. |
//!
//! One struct for the whole session needs a default for every field. serde then fills in what an
//! older release did not write, and ignores what a newer one added:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use signed_session::Session;
//!
//! #[derive(Serialize, Deserialize, Default)]
//! #[serde(default)] // at the struct: for every field, the ones to come included
//! struct Visitor {
//!     user_id: Option<u64>,
//!     #[serde(alias = "basket")] // its name in the last release
//!     cart: Vec<String>,
//!     language: String, // new in this one
//! }
//!
//! let mut session = Session::new();
//! session.insert("basket", ["pears"])?;
//! session.insert("survey", true)?; // of the last release, which nobody reads any more
//!
//! let mut visitor: Visitor = session.read()?;
//! visitor.language = "fr".to_owned();
//! session.replace(&visitor)?;
//! assert_eq!(session.to_json(), r#"{"user_id":null,"cart":["pears"],"language":"fr"}"#);
//! # Ok::<(), signed_session::ValueError>(())
//! ```
//!
//! - **Never `deny_unknown_fields`**: it turns a returning visitor of an older release, or of a
//!   newer one while two releases run side by side, into an error.
//! - **`replace` writes exactly the struct**, and keeps the entries whose keys begin with `_`. While
//!   two releases run side by side, the older one drops what the newer one added, so the first
//!   release that has a new field should only read it. A Django that shares the
//!   session has its own entries in it, which `replace` would drop: there, change single entries with
//!   [`Session::update`].
//! - **A type cannot change twice under one key** while sessions with the first type are still valid.
//!   A new key, such as `cart2`, costs nothing.
//!
//! [`stored_session_codec`]: crate::django::stored_session_codec
//! [`AuthUser::resume_with`]: crate::django::AuthUser::resume_with
//! [`AuthUser::with_hash`]: crate::django::AuthUser::with_hash
//! [`AuthUser::login`]: crate::django::AuthUser::login
//! [`AuthUser::rebind`]: crate::django::AuthUser::rebind
//! [`AuthUser::resume`]: crate::django::AuthUser::resume
//! [`DjangoSettings`]: crate::django::DjangoSettings
//! [`DjangoSettings::from_json`]: crate::django::DjangoSettings::from_json
//! [`DjangoSettings::message_storage`]: crate::django::DjangoSettings::message_storage
//! [`DjangoSettings::signed_cookie`]: crate::django::DjangoSettings::signed_cookie
//! [`Revocations`]: crate::Revocations
//! [`Revocations::end_all`]: crate::Revocations::end_all
//! [`Expiry::At`]: crate::Expiry::At
//! [`DecodeError::BadSignature`]: crate::DecodeError::BadSignature
//! [`SettingsError::SessionEngine`]: crate::django::SettingsError::SessionEngine
//! [`LiveManager`]: crate::LiveManager
//! [`SessionHandle::keyring`]: crate::SessionHandle::keyring
//! [`Session::get`]: crate::Session::get
//! [`Session::get_or_discard`]: crate::Session::get_or_discard
//! [`Session::replace`]: crate::Session::replace
//! [`Session::update`]: crate::Session::update
//! [`SessionManager::retire`]: crate::SessionManager::retire
//! [`SettingsError::SigningBackend`]: crate::django::SettingsError::SigningBackend
//! [`SessionCodec::max_clock_skew`]: crate::SessionCodec::max_clock_skew

pub mod coming_from;
pub mod forms;
// Its examples need both frameworks.
#[cfg(any(not(doctest), all(feature = "axum", feature = "actix")))]
pub mod from_django;
pub mod log_in_and_out;
pub mod one_rule_on_both_sides;
pub mod sessions_in_the_database;
pub mod testing;
