//! Shows how to test an application that has sessions.
//!
//! A test needs neither a browser nor a login page. It creates the cookie of a visitor, sends a
//! request with it, and reads the cookie in the response. The application's [`SessionManager`] can
//! create and read cookies, so build the application from a manager that the test can use too.
//!
//! In the repository, `examples/shop/tests/router` tests a whole application without a server: its
//! login, its guard and its forms.
//!
//! # Create a cookie, read a cookie
//!
//! ```
//! use signed_session::{CookieOptions, Keyring, Session, SessionCodec, SessionManager};
//!
//! /// Returns the `Cookie` header of a visitor with this session.
//! fn cookie_of(manager: &SessionManager, fill: impl FnOnce(&mut Session)) -> String {
//!     let mut session = manager.load(["other=1"]); // any request without a session cookie
//!     fill(&mut session);
//!     let reply = manager.commit(&session, 200).unwrap(); // as with a response of status 200
//!     reply.set_cookie.unwrap().stripped().to_string() // without attributes: `name=value`
//! }
//!
//! let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
//! let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("session")?);
//! let cookie = cookie_of(&manager, |session| session.insert("user_id", 42).unwrap());
//! assert!(cookie.starts_with("session=eyJ1c2VyX2lkIjo0Mn0:"));
//! // A cookie that the application has set is read in the same way.
//! assert_eq!(manager.load([&cookie]).get::<u64>("user_id")?, Some(42));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A request through axum
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::body::Body;
//! use axum::http::Request;
//! use axum::{Router, routing::post};
//! use signed_session::{
//!     CookieOptions, Keyring, SessionCodec, SessionHandle, SessionLayer, SessionManager, ValueError,
//! };
//! use tower::ServiceExt as _; // for `oneshot`; needs tower's feature `util`
//!
//! async fn count(session: SessionHandle) -> Result<(), ValueError> {
//!     session.update("visits", |visits: &mut u32| *visits += 1)
//! }
//!
//! let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
//! let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("session")?);
//! let app = Router::new().route("/", post(count)).layer(SessionLayer::new(manager.clone()));
//!
//! let request = Request::post("/").header("cookie", "theme=dark");
//! let response = app.oneshot(request.body(Body::empty())?).await?;
//! let cookie = response.headers()["set-cookie"].to_str()?;
//! assert_eq!(manager.load([cookie]).get::<u32>("visits")?, Some(1));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! # A request through actix-web
//!
//! ```
//! # #[cfg(feature = "actix")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use actix_web::test::{TestRequest, call_service, init_service};
//! use actix_web::{App, web};
//! use signed_session::{
//!     CookieOptions, Keyring, SessionCodec, SessionHandle, SessionManager, SessionMiddleware,
//!     ValueError,
//! };
//!
//! async fn count(session: SessionHandle) -> Result<&'static str, ValueError> {
//!     session.update("visits", |visits: &mut u32| *visits += 1)?;
//!     Ok("counted")
//! }
//!
//! let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
//! let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("session")?);
//! # actix_web::rt::System::new().block_on(async {
//! let app = App::new().wrap(SessionMiddleware::new(manager.clone())).route("/", web::post().to(count));
//! let app = init_service(app).await;
//!
//! let request = TestRequest::post().uri("/").insert_header(("cookie", "theme=dark"));
//! let response = call_service(&app, request.to_request()).await;
//! let cookie = response.headers().get("set-cookie").unwrap().to_str()?;
//! assert_eq!(manager.load([cookie]).get::<u32>("visits")?, Some(1));
//! # Ok(())
//! # })
//! # }
//! # #[cfg(not(feature = "actix"))]
//! # fn main() {}
//! ```
//!
//! # Stop the clock
//!
//! The middlewares get the time from [`SessionManager::clock`]. A test that sets its own clock does
//! not have to wait for a session to expire:
//!
//! ```
//! use std::sync::atomic::{AtomicI64, Ordering};
//! use std::sync::Arc;
//! use signed_session::{CookieOptions, DecodeError, Keyring, SessionCodec, SessionManager};
//! use time::OffsetDateTime; // needs `cargo add time`
//!
//! let seconds = Arc::new(AtomicI64::new(1_700_000_000));
//! let clock = Arc::clone(&seconds);
//! let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
//! let manager = SessionManager::new(SessionCodec::new(&ring), CookieOptions::new("session")?)
//!     .clock(move || OffsetDateTime::from_unix_timestamp(clock.load(Ordering::Relaxed)).unwrap());
//!
//! let mut session = manager.load(["other=1"]);
//! session.insert("user_id", 42)?;
//! let cookie = manager.commit(&session, 200)?.set_cookie.unwrap().stripped().to_string();
//!
//! seconds.fetch_add(15 * 24 * 60 * 60, Ordering::Relaxed);
//! let refused = manager.load([&cookie]);
//! assert!(matches!(refused.refusal(), Some(DecodeError::Expired { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! If the program ends sessions, give the list the same clock, with [`Revocations::clock`].
//!
//! # A form behind a `CsrfLayer`
//!
//! A secret of 32 letters and digits is valid both as the cookie and as the token. The origin must
//! be the one of [`Csrf::new`](crate::django::Csrf::new):
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::body::Body;
//! use axum::http::Request;
//! use axum::{Router, routing::post};
//! use signed_session::django::{Csrf, CsrfLayer};
//! use tower::ServiceExt as _;
//!
//! let app = Router::new()
//!     .route("/buy", post(|| async { "bought" }))
//!     .layer(CsrfLayer::new(Csrf::new("https://shop.example.com")?));
//!
//! let secret = "abcdefghijklmnopqrstuvwxyz012345";
//! let request = Request::post("/buy")
//!     .header("origin", "https://shop.example.com")
//!     .header("cookie", format!("csrftoken={secret}"))
//!     .header("x-csrftoken", secret);
//! let response = app.clone().oneshot(request.body(Body::empty())?).await?;
//! assert_eq!(response.status(), 200);
//!
//! // Without a token the request is refused.
//! let response = app.oneshot(Request::post("/buy").body(Body::empty())?).await?;
//! assert_eq!(response.status(), 403);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! A response can set two cookies, that of the session and that of the secret. Then look for
//! the session's name in all `Set-Cookie` headers.
//!
//! [`Revocations::clock`]: crate::Revocations::clock
//! [`SessionManager`]: crate::SessionManager
//! [`SessionManager::clock`]: crate::SessionManager::clock
