//! Stateless signed-cookie sessions, byte-compatible with Django.
//!
//! The tokens are those of Django's `signed_cookies` backend. A *session* is a JSON object. Its
//! encoding is the *payload*. A *token* is a payload with a timestamp and a signature. A *cookie*
//! has a name, attributes, and a token as its value.
//!
//! ```text
//! sessionid=eyJ1c2VyX2lkIjo0Mn0:1r31eq:LiU8YAv1PND9KvRoXls35Yzj9bRllXH3a44cb4Ji8xw
//!           └─────────────────┘ └────┘ └─────────────────────────────────────────┘
//!                 payload     timestamp                signature
//! ```
//!
//! [`SessionManager`] reads the session from a request's cookies and returns the headers that the
//! response needs. It uses a [`SessionCodec`], which turns a [`Session`] into a token and back, and
//! [`CookieOptions`], which contain the cookie's attributes. A [`Keyring`] contains the secrets:
//! see [`Keyring::from_env`]. [`Signer`] and [`TimestampSigner`] sign and verify any text or
//! object. The module [`django`] covers what else can be shared with a Django site: logins,
//! messages, signed cookies, CSRF protection and settings.
//!
//! [`Revocations`] remembers which sessions were ended, so that a logout also ends all copies of
//! the cookie: see [`guide::log_in_and_out`].
//!
//! The [`guide`] explains how to run a Rust service alongside a Django site.
//!
//! Verifying a token returns its content, never just `true`. Tokens are signed, not encrypted:
//! anyone who has a token can read it.
//!
//! # Examples
//!
//! With axum, a handler takes the session as an argument, and a layer around the router loads and
//! saves it:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # mod application {
//! use axum::{Router, routing::{get, post}};
//! use signed_session::{
//!     ConfigError, CookieOptions, Keyring, SessionCodec, SessionHandle, SessionLayer, SessionManager,
//!     ValueError,
//! };
//!
//! async fn log_in(session: SessionHandle) -> Result<(), ValueError> {
//!     session.begin(|key| key == "cart"); // starts a new session and keeps only the cart
//!     session.insert("user_id", 42)
//! }
//!
//! async fn home(session: SessionHandle) -> Result<String, ValueError> {
//!     let user_id: Option<u64> = session.get("user_id")?;
//!     Ok(format!("user {user_id:?}"))
//! }
//!
//! fn app(secret: &str) -> Result<Router, ConfigError> {
//!     // The cookie is `Secure`. For http://localhost add `.secure(false)`.
//!     let cookie = CookieOptions::new("session")?;
//!     let manager = SessionManager::new(SessionCodec::new(&Keyring::new(secret)?), cookie);
//!     let routes = Router::new().route("/", get(home)).route("/login", post(log_in));
//!     Ok(routes.layer(SessionLayer::new(manager)))
//! }
//! # }
//! ```
//!
//! With actix-web the handlers are the same, and the middleware is a `SessionMiddleware`:
//!
//! ```
//! # #[cfg(feature = "actix")]
//! # mod application {
//! # use actix_web::{App, web};
//! # use signed_session::{SessionHandle, SessionManager, SessionMiddleware, ValueError};
//! # async fn home(session: SessionHandle) -> Result<String, ValueError> {
//! #     Ok(format!("user {:?}", session.get::<u64>("user_id")?))
//! # }
//! # fn app(manager: SessionManager) {
//! let app = App::new().wrap(SessionMiddleware::new(manager)).route("/", web::get().to(home));
//! # }
//! # }
//! ```
//!
//! Without a framework, use [`SessionManager`] directly:
//!
//! ```
//! use signed_session::{CookieOptions, Keyring, SessionCodec, SessionManager};
//!
//! let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
//! let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("session")?);
//!
//! // A request arrives, with a forged cookie.
//! let mut session = manager.load(["theme=dark; session=forged:1r31eq:signature"]);
//! assert!(session.is_empty() && session.refusal().is_some());
//!
//! // The visitor logs in, and the response sets the cookie.
//! session.begin(|_| false);
//! session.insert("user_id", 42)?;
//! let reply = manager.commit(&session, 200)?;
//! let cookie = reply.set_cookie.unwrap().to_string();
//! assert!(cookie.starts_with("session=eyJ1c2VyX2lkIjo0Mn0:"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The modules
//!
//! Six steps turn a session into a cookie, each in its own module (a file in `src/`). Reading a
//! cookie reverses them.
//!
//! | | module | step |
//! |---|---|---|
//! | 1 | `entries.rs`, `session.rs` | keep the entries as JSON text, and track whether they were read or changed |
//! | 2 | `json.rs` | writes the ASCII that Python's `json.dumps` writes: `{"user_id":42}` |
//! | 3 | `payload.rs` | compresses with zlib if that is shorter, then encodes as base64url: `eyJ1c2VyX2lkIjo0Mn0` |
//! | 4 | `timestamp.rs` | appends the Unix time in base 62: `eyJ1c2VyX2lkIjo0Mn0:1r31eq` |
//! | 5 | `signer.rs` | appends 43 characters of HMAC-SHA256: `eyJ1c2VyX2lkIjo0Mn0:1r31eq:LiU8YAv…` |
//! | 6 | `cookie.rs` | adds a name and attributes: `sessionid=eyJ1c2Vy…; HttpOnly; SameSite=Lax; …` |
//!
//! `codec.rs` combines steps 2 to 5 and checks the limits, `expiry.rs` computes when a session
//! ends, `key.rs` holds the secrets, and `unverified.rs` splits a token without its key. `typed.rs`
//! reads a session as one struct. `candidates.rs` chooses among several cookies; `manager.rs`
//! decides which cookie a response sets, and `reply.rs` formats it as headers. `live.rs` holds a
//! manager that can be replaced while requests are served, and `source.rs` chooses the manager of a
//! request.
//!
//! `revocation/` is the list of ended sessions. `identity.rs` identifies a session and its user,
//! and `ending.rs` tracks that identity during a request. `handle.rs` shares a session between
//! middleware and handlers, and `tower.rs`, `actix.rs` and `axum.rs` adapt it to their frameworks.
//! `logged_in.rs` and `flash.rs` provide the logged-in user and messages to handlers, and
//! `local_path.rs` recognizes paths of this site. `django/` covers what else can be shared with a
//! Django site. `main.rs` and `cli/` are the command line, which uses the public API and the parser
//! of keys in `environment.rs`. The other modules are helpers of these.
//!
//! The modules are in layers, and import only from lower ones: `tests/project/architecture.rs` has
//! the table.
//!
//! # Features
//!
//! No feature is enabled by default. Without features the crate depends on no framework and
//! contains no async code.
//!
//! - `tower` adds the layer for any tower or hyper service.
//! - `axum` enables `tower` and adds the extractors for axum's handlers.
//! - `actix` adds the middleware and the extractors for actix-web.
//! - `random` enables everything that needs the operating system's random source, such as
//!   [`Revocations`] and [`django::Csrf`]. `tower`, `axum` and `actix` enable it.
//! - `cli` builds the command line, a program that is not part of the library.
//! - `zlib` compresses with C zlib, to exactly the bytes that Django writes. Without it a Rust
//!   implementation of zlib is used, whose output every Django version can read. Cargo unifies
//!   features: if another crate enables flate2's C zlib, it is used here too.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs, unreachable_pub)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]
#![warn(clippy::pedantic)]

// A module imports only from lower layers; a test enforces this list.

// Layer 0
#[doc(hidden)]
pub mod environment;
mod error;
mod finite;
mod kept;
mod plain_string;
#[cfg(feature = "random")]
mod random;
mod wiped;
// Layer 1
mod age;
mod base62;
mod cookie;
mod json;
mod key;
mod local_path;
mod payload;
// Layer 2
mod entries;
mod expiry;
mod reply;
mod signer;
mod typed;
// Layer 3
mod identity;
mod timestamp;
// Layer 4
mod revocation;
// Layer 5
mod ending;
// Layer 6
mod session;
mod unverified;
// Layer 7
mod candidates;
mod codec;
// Layer 8
mod manager;
// Layer 9
mod live;
// Layer 10
#[cfg(any(feature = "tower", feature = "actix"))]
mod handle;
#[cfg(any(feature = "tower", feature = "actix"))]
mod source;
// Layer 11
#[cfg(any(feature = "axum", feature = "actix"))]
mod logged_in;
// Layer 12: not public, because `use signed_session::*` would hide the crates that they adapt to
#[cfg(feature = "actix")]
mod actix;
#[cfg(feature = "tower")]
mod tower;
// Layer 13
#[cfg(feature = "axum")]
mod axum;
// Layer 14
pub mod django;
// Layer 15
#[cfg(any(feature = "axum", feature = "actix"))]
mod flash;
// Layer 16
pub mod guide;

#[cfg(feature = "actix")]
pub use self::actix::SessionMiddleware;
pub use self::cookie::CookieOptions;
#[cfg(feature = "tower")]
pub use self::tower::{SessionBody, SessionFuture, SessionLayer, SessionService};
pub use ::cookie::{Cookie, SameSite};
pub use candidates::Candidates;
pub use codec::SessionCodec;
pub use entries::Iter as SessionIter;
pub use error::{ApplyError, ConfigError, DecodeError, EncodeError, RevocationError, ValueError};
pub use expiry::{Expiry, ExpiryRule};
#[cfg(any(feature = "axum", feature = "actix"))]
pub use flash::FlashMessages;
#[cfg(any(feature = "tower", feature = "actix"))]
pub use handle::{MissingSession, SessionHandle};
pub use key::{Keyring, Weakness};
pub use live::LiveManager;
pub use local_path::local_path;
#[cfg(any(feature = "axum", feature = "actix"))]
pub use logged_in::{LoggedIn, NotLoggedIn};
pub use manager::SessionManager;
pub use payload::Compress;
pub use reply::Reply;
pub use revocation::line::Revocation;
pub use revocation::{Revocations, Silence};
pub use session::Session;
pub use signer::{Algorithm, Signer};
pub use timestamp::{Stamped, TimestampSigner};
pub use unverified::Unverified;

/// Runs the README's examples as doc tests.
#[cfg(all(doctest, feature = "actix", feature = "axum"))]
#[doc = include_str!("../README.md")]
mod readme {}
