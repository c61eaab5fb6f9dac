//! Explains how to run a Rust service alongside a Django site.
//!
//! Suppose that a Django site is in production, and that one part of it, such as the cart, will be
//! served by Rust. A visitor who logs in on one side is also logged in on the other, until they log
//! out. Both sides share the session cookie and the secret that signs it; they do not call each
//! other.
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
//! - [`from_django`], which lists Django's calls and settings and their equivalents in this crate;
//! - [`log_in_and_out`], [`forms`] and [`testing`], for applications without Django too;
//! - [`coming_from`], which shows how to migrate from axum-login and tower-sessions;
//! - [`sessions_in_the_database`], for a site that keeps its sessions in the database;
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
//! Everybody has to log in again after this change. From then on the session is in the visitor's
//! browser. The visitor can read it but cannot change it, and the cookie's name and value must not
//! exceed 4,096 bytes. A copy of the cookie stays valid after a logout until it expires, unless you
//! [end sessions on both sides](#end-sessions-on-both-sides). If that is not acceptable, keep your
//! engine: [`sessions_in_the_database`] compares both.
//!
//! ## Django writes its settings, Rust reads them
//!
//! The package contains a script for this, `src/django/write_settings.py`; it is also shown in the
//! documentation of [`DjangoSettings::from_json`]. Save it next to `manage.py` and run it there:
//!
//! ```sh
//! python manage.py shell -c "exec(open('write_settings.py').read())"
//! ```
//!
//! It writes `django-settings.json`, or the file named by the variable `SETTINGS_JSON`. A run that
//! fails leaves the file unchanged.
//!
//! - **In which environment.** Settings can depend on environment variables, `.env` files and
//!   `DJANGO_SETTINGS_MODULE`. Run the script where Django itself is started: in the same
//!   container, with the same variables. With other variables it may write another secret, and Rust
//!   then refuses every cookie.
//! - **As which user.** The file contains the site's secret, so only the user who ran the script
//!   can read it. Run the script as the user of the Rust service, or `chown` the file afterwards.
//!   Add the file to `.gitignore`.
//! - **When.** Whenever these settings change, in the same deployment.
//!
//! ## Rust identifies the logged-in user
//!
//! ```sh
//! cargo add signed-session --features axum
//! cargo add axum
//! cargo add tokio --features macros,net,rt-multi-thread
//! ```
//!
//! This handler greets the logged-in user. Django's session contains the user's id. Only the
//! database knows whether the password has been changed since, and whether the user still exists
//! and is active. Query it with any database library:
//! `select password, is_active, username from auth_user where id = …`. The session also names the
//! backend that logged the user in. As in Django, the login is valid only if the site's
//! `AUTHENTICATION_BACKENDS` list that backend.
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
//! /// Returns the user's row in Django's table, if there is one.
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
//! /// Returns the logged-in user, by the rules of Django's `get_user`.
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
//!     // The user is logged in only if the hash matches. Otherwise the session stays unchanged.
//!     let ring = session.keyring();
//!     let matched = session.with(|session| user.resume(session, ring, &row.password));
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
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let settings = std::fs::read_to_string("django-settings.json")?;
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     Ok(axum::serve(listener, app(&settings)?).await?)
//! }
//! # }
//! ```
//!
//! With actix-web, `who` is the same. A handler takes `web::Data<DjangoSettings>` and the session, and
//! [`SessionMiddleware`](crate::SessionMiddleware) is the middleware.
//!
//! ### When the hash does not match
//!
//! Rust does not accept the visitor as logged in, and the visitor stays logged in to Django. This
//! is intended, because a mismatch has several possible causes:
//!
//! - The user model overrides `get_session_auth_hash`. Then no hash ever matches. Compute the hash
//!   as the model does, and call [`AuthUser::resume_with`] instead of `resume`, and
//!   [`AuthUser::with_hash`] instead of `new`.
//! - The row is **stale**: it comes from a replica or a cache that does not have the new password
//!   yet. The user has just changed it, so ending the session would log out its rightful owner.
//!   Read this row from the primary database.
//! - The password was changed, and this session is older. Django ends it at the visitor's next
//!   request to Django.
//!
//! End the session in Rust only if you know that the third cause applies:
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
//! ## Serve both from one origin
//!
//! A browser sends the cookie to the host that set it, so serve Rust under a path of the same host.
//! With nginx, for example:
//!
//! ```text
//! proxy_set_header Host $http_host;  # Django compares it with a form's origin
//! location /rust/ { proxy_pass http://127.0.0.1:3000; }
//! location /      { proxy_pass http://127.0.0.1:8000; }
//! ```
//!
//! If Rust has a host of its own, such as `cart.example.com`, set
//! `SESSION_COOKIE_DOMAIN = "example.com"`. Every host under that domain then receives the cookie
//! and can set it.
//!
//! Start Rust in the directory of `django-settings.json`. Log in at Django's `/admin/` and open
//! `/rust/hello`: it greets you. The example `beside_django` in the repository is a complete
//! application, with the login, the cart and the messages below.
//!
//! ## Share a cart and messages
//!
//! Session entries are JSON on both sides. Entries that Rust did not change are written back byte
//! for byte.
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
//! use axum::Extension;
//! use axum::http::{HeaderMap, header::COOKIE};
//! use axum::response::{AppendHeaders, IntoResponse, Redirect};
//! use signed_session::SessionHandle;
//! use signed_session::django::{Level, Message, MessageStorage, MessagesError};
//!
//! /// Puts pears into the cart. The router needs `.layer(Extension(settings.message_storage()?))`.
//! pub async fn add_pears(
//!     Extension(storage): Extension<MessageStorage>,
//!     session: SessionHandle,
//!     headers: HeaderMap,
//! ) -> Result<impl IntoResponse, MessagesError> {
//!     session.update("cart", |cart: &mut Vec<String>| cart.push("pears".to_owned()))?;
//!
//!     let mut messages = storage.load(headers.get_all(COOKIE));
//!     messages.add(Message::new(Level::SUCCESS, "The pears are in the cart."));
//!     // Before the session is written: the messages may be stored in it.
//!     let stored = session.with(|session| messages.commit(session))?;
//!     Ok((AppendHeaders(stored.reply.headers([])), Redirect::to("/cart/")))
//! }
//! # }
//! ```
//!
//! # Log in and out in Rust
//!
//! Let Django handle logins if you can: it knows how passwords are hashed and what else a login
//! requires. For a login in Rust, [`AuthUser::login`] changes the session as
//! `django.contrib.auth.login` does. The backend that you pass must be one of the site's
//! `AUTHENTICATION_BACKENDS`, or Django ignores the login; and a user model with [its own
//! hash](#when-the-hash-does-not-match) needs [`AuthUser::with_hash`].
//!
//! ```
//! use signed_session::django::{self, AuthUser};
//! use signed_session::{Keyring, Session};
//!
//! /// `id` and `password` are columns of the user's row; the entered password has been verified.
//! fn login(session: &mut Session, ring: &Keyring, id: u64, password: &str) {
//!     let user = AuthUser::new(ring, id, "django.contrib.auth.backends.ModelBackend", password);
//!     // Of an anonymous visitor's entries, only the cart is kept.
//!     user.login(session, |key| key == "cart");
//! }
//!
//! let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
//! let mut session = Session::new();
//! session.insert("cart", ["pears"])?;
//! login(&mut session, &ring, 42, "pbkdf2_sha256$1000000$salt$hash");
//! assert_eq!(AuthUser::from_session(&session)?.unwrap().id(), "42");
//!
//! // Logs the user out, in Django too.
//! django::logout(&mut session);
//! assert!(session.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Django's signals are not sent: do what the receivers of `user_logged_in` do, in particular
//! update `last_login` in the database. Packages that protect Django's login do not see logins in
//! Rust: `django-axes`, for example, neither counts wrong passwords that are entered in Rust nor
//! locks anyone out because of them. Limit the attempts yourself. When a password is changed in
//! Rust, [`AuthUser::rebind`] keeps the current session logged in. The user's other sessions are
//! then no longer logged in, in Django as well.
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
//!     // The maximum lifetime of a session, counted from its login.
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
//! The list is in memory. To share it between processes and to keep it after a restart, synchronize
//! it with a database table. In the repository, `examples/shop/src/sqlite.rs` does that; copy it with
//! `queue.rs`. It writes to Django's database, and sets its journal to WAL. Create the table in a
//! Django migration:
//!
//! ```sql
//! CREATE TABLE IF NOT EXISTS ended(
//!     seq INTEGER PRIMARY KEY AUTOINCREMENT,
//!     at INTEGER NOT NULL,
//!     line TEXT NOT NULL UNIQUE
//! )
//! ```
//!
//! Django uses the same table, with a signal receiver and a middleware. They are in the file
//! `src/django/ended.py` of the package. Save it next to `manage.py`, and set `LIFETIME` to the
//! argument of `Revocations::new`, in microseconds:
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
//! Deploy `ended.py` before Rust gets its list: until then Rust records the id of each session that
//! Django began, and such a response can bring back a session that was logged out in Django
//! meanwhile. Call `ended.end_all(user.pk)` to sign a user out everywhere from Django.
//!
//! From then on a session that was ended on either side is refused on both: Django queries the
//! table in each request of a logged-in user, and Rust reads it every quarter of a second. A login
//! counts as later than every revocation that is known on its side. So before a login in Rust, call
//! `catch_up` of the copied file, which reads the table. The example `beside_django` uses both
//! files.
//!
//! Without `ended.py` Django does not know the list:
//!
//! - It accepts sessions that were ended in Rust, until they expire.
//! - A logout in Django ends nothing in Rust: copies of the cookie stay valid.
//! - A change of the password in Django keeps the session's id. If Rust then ends an older copy,
//!   whose hash does not match, it ends the session with the new password too.
//! - If a user logs in to Django with a session that was ended in Rust, the session keeps its id,
//!   and Rust refuses it until the user logs out of Django.
//! - For a session that began in Django, Rust uses the token's timestamp as its start. Timestamps
//!   are in whole seconds, and Django renews them with every write. So Rust refuses a login in the
//!   same second as [`Revocations::end_all`], and accepts a copy of an older session that Django
//!   re-signed afterwards, if Rust had not read that session before.
//!
//! # The order of key rotation
//!
//! `SECRET_KEY` signs, and `SECRET_KEY_FALLBACKS` are accepted. A process that gets a token signed
//! with a secret that it does not have treats the visitor as a new one, *and replaces the cookie*.
//! Rust replaces it when the program writes to the session, and Django as soon as the session is
//! read. So no process, in Python or in Rust, may sign with a secret before every other process
//! accepts it:
//!
//! | step | on every machine, Django's and Rust's | before the next step |
//! |---|---|---|
//! | 1 | `SECRET_KEY = old`, `SECRET_KEY_FALLBACKS = [new]` | all processes have been restarted or reloaded, Rust's after the settings were written again |
//! | 2 | `SECRET_KEY = new`, `SECRET_KEY_FALLBACKS = [old]`, one machine after the other | `SESSION_COOKIE_AGE` has passed, or the longest expiry set by `set_expiry` if that is longer |
//! | 3 | `SECRET_KEY = new`, without a fallback | |
//!
//! Nobody is signed out. The hash of the password in a session depends on the secret too. In step 2
//! it is rewritten in the visitor's first request, in Django by `get_user` and in Rust by
//! [`AuthUser::resume`]. Two processes at different steps each rewrite it with their own key, which
//! does no harm.
//!
//! Rust does not have to restart for this. Give the layer a [`LiveManager`], keep a clone, and
//! replace the keys after the settings were written again. Everything else that you set on the
//! manager stays. Messages and signed cookies are signed with the same secrets, so replace their
//! settings as well, or messages get lost:
//!
//! ```
//! use std::sync::{Arc, PoisonError, RwLock};
//!
//! use signed_session::LiveManager;
//! use signed_session::django::{DjangoSettings, MessageStorage, SettingsError};
//!
//! /// Shared by the handlers, which take a clone of the storage in each request.
//! #[derive(Clone)]
//! struct Live {
//!     manager: LiveManager,
//!     messages: Arc<RwLock<MessageStorage>>,
//! }
//!
//! fn reload(live: &Live, settings: &str) -> Result<(), SettingsError> {
//!     let settings = DjangoSettings::from_json(settings)?;
//!     let messages = settings.message_storage()?;
//!     live.manager.update(|manager| manager.keyring(settings.keyring()));
//!     *live.messages.write().unwrap_or_else(PoisonError::into_inner) = messages;
//!     Ok(())
//! }
//! ```
//!
//! Handlers must then take the key ring from [`SessionHandle::keyring`], not from their own copy of
//! the settings: if the hash is checked with a ring other than the request's, the visitor is not
//! logged in.
//!
//! If a secret has leaked, replace it everywhere at once, without a fallback. This signs everyone
//! out, which is necessary.
//!
//! # What differs
//!
//! Every difference from Django has a number and a test, and is listed in [docs/differences.md].
//! The following differences are visible in a service alongside Django:
//!
//! - An expiry that was set with `set_expiry` is enforced when the session is read, even if Django
//!   would still accept the session (D6). Django enforces it too with [the engine of this
//!   guide](one_rule_on_both_sides). With `SESSION_COOKIE_AGE` alone there is no difference. With
//!   `USE_TZ = False` an expiry date is enforced only if `TIME_ZONE` is UTC or a fixed offset such
//!   as `Etc/GMT+5`. Otherwise a response of Rust that writes such a session keeps its cookie for
//!   `SESSION_COOKIE_AGE`: use a number of seconds instead of a date. [`Expiry::At`] is then an
//!   error, because Django would respond with 500.
//! - An expiry longer than `SESSION_COOKIE_AGE` is accepted here; Django refuses the session after
//!   `SESSION_COOKIE_AGE` (D6).
//! - Two valid session cookies with one name that differ are refused; Django uses the last (D11).
//! - A change that makes a session too large is an error; Django sends a cookie that
//!   browsers drop (D10).
//! - A response that sets the cookie is marked `Cache-Control: private` (D14), and
//!   one that shows messages from their cookie gets `Vary: Cookie` (D20).
//! - A login drops what an anonymous visitor had put into the session (D19).
//! - A session whose hash does not match the password is kept (D22). Django ends it.
//! - Timestamps more than five minutes in the future are refused (D5).
//!
//! # What to watch
//!
//! - **The secret must be the same byte for byte.** In Python it is `str` or `bytes`; here a `str`
//!   is its UTF-8 encoding. A newline at the end of a file is part of a secret that you read
//!   yourself; [`Keyring::from_env`] and the command line drop one. If Rust refuses every cookie
//!   with [`DecodeError::BadSignature`], run the command `signed-session explain`, which says what
//!   is wrong. The middlewares log each refusal, at the level `DEBUG`, because anyone can send a
//!   forged cookie.
//! - **The engine.** [`SettingsError::SessionEngine`] means that the site does not use Django's
//!   `signed_cookies` engine: without `SESSION_ENGINE`, Django keeps sessions in its database.
//!   `PickleSerializer` and custom serializers are refused as well. If your engine or serializer is
//!   a subclass that writes the same tokens and the same JSON, set Django's own:
//!   `.set("SESSION_ENGINE", "django.contrib.sessions.backends.signed_cookies")` and
//!   `.set("SESSION_SERIALIZER", "django.contrib.sessions.serializers.JSONSerializer")`.
//! - **Stored sessions of your own class.** The name of the class is in the salt. For
//!   `class MyStore(SessionStore)` in a database or in files, add
//!   `.salt("django.contrib.sessions.MyStore")` to [`stored_session_codec`].
//! - **The signer.** `SIGNING_BACKEND` applies to messages and signed cookies, not to sessions.
//!   With any backend other than Django's own, [`DjangoSettings::message_storage`] and
//!   [`DjangoSettings::signed_cookie`] return [`SettingsError::SigningBackend`].
//! - **Impersonation.** Packages differ in which user's id the session contains. `django-hijack`
//!   and `django-loginas` log in as the other user; with hijack, `hijack_history` lists the real
//!   user. `django-impersonate` keeps the real user and names the other user in `_impersonate`;
//!   Rust and Django then act for different users. Decide for which user Rust acts, and what it
//!   must not do during an impersonation.
//! - **Name, domain and path of the cookie** must be the same on both sides, or browsers keep two
//!   cookies. After one of them was changed, browsers keep the former cookie as well until it
//!   expires: pass its options to [`SessionManager::retire`]. Django never removes that cookie, so
//!   after a logout in Django it would log the visitor in again: have the view of the logout delete
//!   it, with `response.delete_cookie`.
//! - **`Secure`.** Django's default is off, and [`DjangoSettings`] follows it. Turn it on in
//!   Django.
//! - **Clocks.** The timestamp comes from the machine that signed. Synchronize all of them with
//!   NTP; [`SessionCodec::max_clock_skew`] is the tolerated difference.
//! - **CSRF.** Django's middleware protects Django's views only. A form that Rust accepts needs the
//!   protection of [`forms`], with which either side accepts the other's forms; `SameSite=Lax`
//!   alone does not stop pages of sibling hosts.
//! - **The password's hash.** Without [`AuthUser::resume`] a session outlives a change of password.
//!   `resume` needs the user's row from the database in each request that checks the user, as in
//!   Django; and that must be the [current row](#when-the-hash-does-not-match).
//! - **The last cookie wins.** A cookie contains the whole session: of two concurrent requests, one
//!   on each side, only the changes of the response that arrives last are kept.
//! - **Logout** removes the cookie. A copy stays valid until it expires, unless you
//!   [end sessions on both sides](#end-sessions-on-both-sides).
//! - **The order of deployment.** First deploy a Rust service that only reads, then one that
//!   writes. Each side preserves entries that it does not know.
//! - **Caches.** Responses that depend on the session have `Vary: Cookie`. Do not put a cache that
//!   ignores `Vary` in front of these paths.
//! - **Messages** must be committed before the session, inside the session's layer: two of Django's
//!   storages may write them to the session. If the messages cookie is nearly full, one message
//!   fewer may fit than in Django, because the Rust implementation of zlib compresses a little
//!   differently; the feature `zlib` compresses as Django does.
//!
//! # Changing what is in a session
//!
//! A session outlives a release: for two weeks visitors return with sessions that the previous
//! release wrote. A handler that expects the new structure must not fail for these visitors.
//!
//! | the release | what to do |
//! |---|---|
//! | adds an entry | Read it with a default: `get("cart")?.unwrap_or_default()`, or [`Session::update`]. |
//! | drops an entry | Nothing. The entry stays in existing sessions until they end, or until [`Session::replace`] removes it. |
//! | renames an entry | Read both keys until the longest lifetime of a session has passed. |
//! | changes an entry's type | Read it with [`Session::get_or_discard`], or give it a new key. [`Session::get`] returns an error that names the key. |
//!
//! One struct for the whole session needs a default for every field. serde then fills in what an
//! older release did not write, and ignores what a newer one added:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use signed_session::Session;
//!
//! #[derive(Serialize, Deserialize, Default)]
//! #[serde(default)] // on the struct: applies to every field, also to future ones
//! struct Visitor {
//!     user_id: Option<u64>,
//!     #[serde(alias = "basket")] // its name in the last release
//!     cart: Vec<String>,
//!     language: String, // new in this one
//! }
//!
//! let mut session = Session::new();
//! session.insert("basket", ["pears"])?;
//! session.insert("survey", true)?; // written by the last release, and no longer used
//!
//! let mut visitor: Visitor = session.read()?;
//! visitor.language = "fr".to_owned();
//! session.replace(&visitor)?;
//! assert_eq!(session.to_json(), r#"{"user_id":null,"cart":["pears"],"language":"fr"}"#);
//! # Ok::<(), signed_session::ValueError>(())
//! ```
//!
//! - **Do not use `deny_unknown_fields`**: a session of an older release, or of a newer one while
//!   two releases run side by side, would then be an error.
//! - **`replace` keeps nothing but the struct** and the entries whose keys begin with `_`. While
//!   two releases run side by side, the older one drops what the newer one added, so the first
//!   release that has a new field should only read it. If Django shares the session, `replace`
//!   would drop what the site put into it, such as `hijack_history`: change single entries with
//!   [`Session::update`] instead.
//! - **A type cannot change twice under one key** while sessions with the first type are still valid.
//!   A new key, such as `cart2`, costs nothing.
//!
//! [docs/differences.md]: https://docs.rs/crate/signed-session/latest/source/docs/differences.md
//! [`Keyring::from_env`]: crate::Keyring::from_env
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
