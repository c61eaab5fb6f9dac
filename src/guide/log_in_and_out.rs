//! Log in, log out, sign out everywhere.
//!
//! Explains what a Rust application calls when a user logs in, logs out, changes a password or is
//! signed out by an administrator. Nothing is stored about active sessions, and requests need no
//! database. Instead, the program keeps a list of the sessions that were *ended*, in memory, for as
//! long as a copy of an ended session's cookie could still be valid.
//!
//! | when | call |
//! |---|---|
//! | a user logs in | [`SessionHandle::begin`], then insert the entry that names the user |
//! | a user logs out | [`SessionHandle::flush`] |
//! | a password or another factor was changed | [`Revocations::end_others`] |
//! | a user signs out everywhere | [`Revocations::end_others`], then [`SessionHandle::flush`] |
//! | an administrator signs a user out everywhere, or disables the user | [`Revocations::end_all`] |
//! | everybody should be signed out | [`Revocations::end_everyone`] |
//! | one device should be signed out | [`Revocations::end_one`], with the [id] recorded at login |
//!
//! [`SessionHandle::begin`]: crate::SessionHandle::begin
//! [`SessionHandle::flush`]: crate::SessionHandle::flush
//! [`Revocations::end_others`]: crate::Revocations::end_others
//! [`Revocations::end_all`]: crate::Revocations::end_all
//! [`Revocations::end_everyone`]: crate::Revocations::end_everyone
//! [`Revocations::end_one`]: crate::Revocations::end_one
//! [id]: crate::SessionHandle::id
//!
//! In the repository, `examples/shop` is a complete application: with a cart, "remember me",
//! protected forms, an admin area with its own session, and several processes.
//!
//! # With axum
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # mod application {
//! use std::time::Duration;
//!
//! use axum::extract::{Form, Path, State};
//! use axum::http::StatusCode;
//! use axum::routing::{get, post};
//! use axum::Router;
//! use signed_session::{
//!     CookieOptions, Keyring, Revocations, SessionCodec, SessionHandle, SessionLayer,
//!     SessionManager, ValueError,
//! };
//!
//! const THIRTY_DAYS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
//!
//! pub fn app(secret: &str) -> Result<Router, signed_session::ConfigError> {
//!     // A session ends thirty days after its login at the latest.
//!     let revocations = Revocations::new(THIRTY_DAYS);
//!     let codec = SessionCodec::new(&Keyring::new(secret)?);
//!     let manager = SessionManager::new(codec, CookieOptions::new("session")?)
//!         .revocations(revocations.clone(), "user_id");
//!     Ok(Router::new()
//!         .route("/", get(home))
//!         .route("/login", post(log_in))
//!         .route("/logout", post(log_out))
//!         .route("/logout/everywhere", post(log_out_everywhere))
//!         .route("/password", post(change_password))
//!         .route("/admin/users/{id}/logout", post(sign_out_user))
//!         .layer(SessionLayer::new(manager))
//!         .with_state(revocations))
//! }
//!
//! async fn home(session: SessionHandle) -> Result<String, ValueError> {
//!     Ok(match session.get::<u64>("user_id")? {
//!         Some(id) => format!("You are user {id}."),
//!         None => "You are not logged in.".to_owned(),
//!     })
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Login {
//!     name: String,
//!     password: String,
//! }
//!
//! async fn log_in(
//!     session: SessionHandle,
//!     Form(login): Form<Login>,
//! ) -> Result<StatusCode, ValueError> {
//!     let Some(id) = check_password(&login.name, &login.password) else {
//!         return Ok(StatusCode::FORBIDDEN);
//!     };
//!     // Starts a new session that keeps only the cart of a visitor who was not logged in: an
//!     // attacker may have planted the rest.
//!     let was_anonymous = !session.contains_key("user_id");
//!     session.begin(|key| key == "cart" && was_anonymous);
//!     session.insert("user_id", id)?;
//!     Ok(StatusCode::NO_CONTENT)
//! }
//!
//! async fn log_out(session: SessionHandle) -> StatusCode {
//!     // Ends the session, and refuses every copy of its cookie.
//!     session.flush();
//!     StatusCode::NO_CONTENT
//! }
//!
//! async fn log_out_everywhere(
//!     State(revocations): State<Revocations>,
//!     session: SessionHandle,
//! ) -> StatusCode {
//!     session.with(|session| {
//!         revocations.end_others(session); // ends all other sessions of the user
//!         session.flush(); // logs this browser out
//!     });
//!     StatusCode::NO_CONTENT
//! }
//!
//! async fn change_password(
//!     State(revocations): State<Revocations>,
//!     session: SessionHandle,
//! ) -> StatusCode {
//!     // First store the new password (not shown). This browser stays logged in, in a new session.
//!     match session.with(|session| revocations.end_others(session)) {
//!         Some(_) => StatusCode::NO_CONTENT,
//!         None => StatusCode::UNAUTHORIZED,
//!     }
//! }
//!
//! async fn sign_out_user(
//!     State(revocations): State<Revocations>,
//!     session: SessionHandle,
//!     Path(id): Path<u64>,
//! ) -> Result<StatusCode, ValueError> {
//!     if !is_administrator(session.get::<u64>("user_id")?) {
//!         return Ok(StatusCode::FORBIDDEN);
//!     }
//!     Ok(match revocations.end_all(id) {
//!         Ok(_) => StatusCode::NO_CONTENT,
//!         Err(_) => StatusCode::BAD_REQUEST,
//!     })
//! }
//! # fn check_password(name: &str, password: &str) -> Option<u64> {
//! #     (password == "correct horse").then(|| if name == "root" { 1 } else { 42 })
//! # }
//! # fn is_administrator(id: Option<u64>) -> bool {
//! #     id == Some(1)
//! # }
//! # }
//! #
//! # #[cfg(feature = "axum")]
//! # #[tokio::main]
//! # async fn main() {
//! #     use axum::body::{Body, to_bytes};
//! #     use axum::http::Request;
//! #     use tower::ServiceExt as _;
//! #
//! #     let app = application::app("example-only-correct-horse-battery-staple").unwrap();
//! #     let send = async |path: &str, cookie: &str, form: &str| {
//! #         let request = if path == "/" { Request::get(path) } else { Request::post(path) };
//! #         let request = request
//! #             .header("cookie", cookie)
//! #             .header("content-type", "application/x-www-form-urlencoded")
//! #             .body(Body::from(form.to_owned()));
//! #         let response = app.clone().oneshot(request.unwrap()).await.unwrap();
//! #         let cookie = response.headers().get("set-cookie").map(|cookie| {
//! #             cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
//! #         });
//! #         let status = response.status().as_u16();
//! #         let body = to_bytes(response.into_body(), 1000).await.unwrap();
//! #         (status, cookie.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
//! #     };
//! #     let log_in = async |name: &str| {
//! #         let form = format!("name={name}&password=correct+horse");
//! #         let (status, cookie, _) = send("/login", "", &form).await;
//! #         assert_eq!(status, 204);
//! #         assert_eq!(send("/", &cookie, "").await.0, 200);
//! #         cookie
//! #     };
//! #     let is_in = async |cookie: &str| send("/", cookie, "").await.2 == "You are user 42.";
//! #
//! #     assert_eq!(send("/login", "", "name=ada&password=wrong").await.0, 403);
//! #     let [one, other] = [log_in("ada").await, log_in("ada").await];
//! #     assert!(is_in(&one).await && is_in(&other).await);
//! #     // Logged out, with a copy of the cookie.
//! #     assert_eq!(send("/logout", &one, "").await.1, "session=");
//! #     assert!(!is_in(&one).await && is_in(&other).await);
//! #     // A changed password: this browser stays in, under a new cookie.
//! #     let [one, third] = [log_in("ada").await, log_in("ada").await];
//! #     let (status, new, _) = send("/password", &one, "").await;
//! #     assert!(status == 204 && is_in(&new).await);
//! #     assert!(!is_in(&one).await && !is_in(&other).await && !is_in(&third).await);
//! #     assert_eq!(send("/password", "", "").await.0, 401);
//! #     // Everywhere.
//! #     let one = log_in("ada").await;
//! #     assert_eq!(send("/logout/everywhere", &one, "").await.1, "session=");
//! #     assert!(!is_in(&one).await && !is_in(&new).await);
//! #     // By an administrator, and by nobody else.
//! #     let [one, root] = [log_in("ada").await, log_in("root").await];
//! #     assert_eq!(send("/admin/users/42/logout", &one, "").await.0, 403);
//! #     assert!(is_in(&one).await);
//! #     assert_eq!(send("/admin/users/42/logout", &root, "").await.0, 204);
//! #     assert!(!is_in(&one).await);
//! #     assert!(is_in(&log_in("ada").await).await, "a user who logs in again is in");
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! # With actix-web
//!
//! ```
//! # #[cfg(feature = "actix")]
//! # mod application {
//! use std::time::Duration;
//!
//! use actix_web::web::{Data, Form, Path, ServiceConfig, get, post};
//! use actix_web::{HttpResponse, Responder};
//! use signed_session::{
//!     CookieOptions, Keyring, Revocations, SessionCodec, SessionHandle, SessionManager, ValueError,
//! };
//!
//! const THIRTY_DAYS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
//!
//! /// Returns what all workers share. Call this once, outside `HttpServer::new`.
//! pub fn sessions(
//!     secret: &str,
//! ) -> Result<(SessionManager, Revocations), signed_session::ConfigError> {
//!     // A session ends thirty days after its login at the latest.
//!     let revocations = Revocations::new(THIRTY_DAYS);
//!     let codec = SessionCodec::new(&Keyring::new(secret)?);
//!     let manager = SessionManager::new(codec, CookieOptions::new("session")?)
//!         .revocations(revocations.clone(), "user_id");
//!     Ok((manager, revocations))
//! }
//!
//! /// Adds the routes to an application that has
//! /// `.wrap(SessionMiddleware::new(manager)).app_data(Data::new(revocations))`.
//! pub fn routes(config: &mut ServiceConfig) {
//!     config
//!         .route("/", get().to(home))
//!         .route("/login", post().to(log_in))
//!         .route("/logout", post().to(log_out))
//!         .route("/logout/everywhere", post().to(log_out_everywhere))
//!         .route("/password", post().to(change_password))
//!         .route("/admin/users/{id}/logout", post().to(sign_out_user));
//! }
//!
//! async fn home(session: SessionHandle) -> Result<String, ValueError> {
//!     Ok(match session.get::<u64>("user_id")? {
//!         Some(id) => format!("You are user {id}."),
//!         None => "You are not logged in.".to_owned(),
//!     })
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Login {
//!     name: String,
//!     password: String,
//! }
//!
//! async fn log_in(
//!     session: SessionHandle,
//!     login: Form<Login>,
//! ) -> Result<HttpResponse, ValueError> {
//!     let Some(id) = check_password(&login.name, &login.password) else {
//!         return Ok(HttpResponse::Forbidden().finish());
//!     };
//!     // Starts a new session that keeps only the cart of a visitor who was not logged in: an
//!     // attacker may have planted the rest.
//!     let was_anonymous = !session.contains_key("user_id");
//!     session.begin(|key| key == "cart" && was_anonymous);
//!     session.insert("user_id", id)?;
//!     Ok(HttpResponse::NoContent().finish())
//! }
//!
//! async fn log_out(session: SessionHandle) -> impl Responder {
//!     // Ends the session, and refuses every copy of its cookie.
//!     session.flush();
//!     HttpResponse::NoContent()
//! }
//!
//! async fn log_out_everywhere(
//!     revocations: Data<Revocations>,
//!     session: SessionHandle,
//! ) -> impl Responder {
//!     session.with(|session| {
//!         revocations.end_others(session); // ends all other sessions of the user
//!         session.flush(); // logs this browser out
//!     });
//!     HttpResponse::NoContent()
//! }
//!
//! async fn change_password(
//!     revocations: Data<Revocations>,
//!     session: SessionHandle,
//! ) -> impl Responder {
//!     // First store the new password (not shown). This browser stays logged in, in a new session.
//!     match session.with(|session| revocations.end_others(session)) {
//!         Some(_) => HttpResponse::NoContent(),
//!         None => HttpResponse::Unauthorized(),
//!     }
//! }
//!
//! async fn sign_out_user(
//!     revocations: Data<Revocations>,
//!     session: SessionHandle,
//!     id: Path<u64>,
//! ) -> Result<HttpResponse, ValueError> {
//!     if !is_administrator(session.get::<u64>("user_id")?) {
//!         return Ok(HttpResponse::Forbidden().finish());
//!     }
//!     Ok(match revocations.end_all(id) {
//!         Ok(_) => HttpResponse::NoContent().finish(),
//!         Err(_) => HttpResponse::BadRequest().finish(),
//!     })
//! }
//! # fn check_password(name: &str, password: &str) -> Option<u64> {
//! #     (password == "correct horse").then(|| if name == "root" { 1 } else { 42 })
//! # }
//! # fn is_administrator(id: Option<u64>) -> bool {
//! #     id == Some(1)
//! # }
//! # }
//! #
//! # #[cfg(feature = "actix")]
//! # fn main() {
//! #     use actix_web::test::{TestRequest, call_service, init_service, read_body};
//! #     use actix_web::web::Data;
//! #     use actix_web::{App, rt::System};
//! #     use signed_session::SessionMiddleware;
//! #
//! #     System::new().block_on(async {
//! #         let (manager, revocations) =
//! #             application::sessions("example-only-correct-horse-battery-staple").unwrap();
//! #         let app = App::new()
//! #             .wrap(SessionMiddleware::new(manager))
//! #             .app_data(Data::new(revocations))
//! #             .configure(application::routes);
//! #         let app = init_service(app).await;
//! #         let send = async |path: &str, cookie: &str, form: &str| {
//! #             let request =
//! #                 if path == "/" { TestRequest::get() } else { TestRequest::post() };
//! #             let request = request
//! #                 .uri(path)
//! #                 .insert_header(("cookie", cookie))
//! #                 .insert_header(("content-type", "application/x-www-form-urlencoded"))
//! #                 .set_payload(form.to_owned());
//! #             let response = call_service(&app, request.to_request()).await;
//! #             let cookie = response.headers().get("set-cookie").map(|cookie| {
//! #                 cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
//! #             });
//! #             let status = response.status().as_u16();
//! #             let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
//! #             (status, cookie.unwrap_or_default(), body)
//! #         };
//! #         let log_in = async |name: &str| {
//! #             let form = format!("name={name}&password=correct+horse");
//! #             let (status, cookie, _) = send("/login", "", &form).await;
//! #             assert_eq!(status, 204);
//! #             cookie
//! #         };
//! #         let is_in = async |cookie: &str| send("/", cookie, "").await.2 == "You are user 42.";
//! #
//! #         assert_eq!(send("/login", "", "name=ada&password=wrong").await.0, 403);
//! #         let [one, other] = [log_in("ada").await, log_in("ada").await];
//! #         assert!(is_in(&one).await && is_in(&other).await);
//! #         assert_eq!(send("/logout", &one, "").await.1, "session=");
//! #         assert!(!is_in(&one).await && is_in(&other).await);
//! #         let one = log_in("ada").await;
//! #         let (status, new, _) = send("/password", &one, "").await;
//! #         assert!(status == 204 && is_in(&new).await);
//! #         assert!(!is_in(&one).await && !is_in(&other).await);
//! #         assert_eq!(send("/logout/everywhere", &new, "").await.1, "session=");
//! #         assert!(!is_in(&new).await);
//! #         let [one, root] = [log_in("ada").await, log_in("root").await];
//! #         assert_eq!(send("/admin/users/42/logout", &one, "").await.0, 403);
//! #         assert_eq!(send("/admin/users/42/logout", &root, "").await.0, 204);
//! #         assert!(!is_in(&one).await && is_in(&log_in("ada").await).await);
//! #     });
//! # }
//! # #[cfg(not(feature = "actix"))]
//! # fn main() {}
//! ```
//!
//! # What ending a session does
//!
//! - **The next request.** A session that was ended is refused in every later request that reads
//!   it, as [`DecodeError::Revoked`], and the response removes the cookie. A request in progress
//!   finishes, but its response sets no cookie. For connections that outlive their request, such
//!   as a WebSocket, call [`Revocations::has_ended`].
//! - **Copies.** The session ends, not just one token: a copy that was refreshed, signed with
//!   another key or written by another service has the same id, and is refused too.
//! - **A logout takes effect at once**, whatever happens to the response. The session that a login
//!   replaces ends with the response that sets the new cookie: if the handler's response has a
//!   status of 500 or above, the old session continues.
//! - **Logins are still possible.** [`Revocations::end_all`] does not prevent anyone from logging
//!   in again. Your login has to check whether an account is disabled. A login that is in progress
//!   when all sessions of its user are ended starts a valid session.
//! - **The lifetime** ends every session with a subject, even one with "remember me": after that
//!   time users log in again, however often the session was refreshed.
//! - **Do not use the time of signing**, [`Session::signed_at`], to end the sessions before a
//!   cut-off. It is the time of the last write: anyone who has a copy of the cookie can renew it.
//!
//! Call [`SessionHandle::begin`] only when a user has just been authenticated: it replaces the
//! session with a new one, which is valid even if all earlier sessions of the user were ended.
//!
//! # More than one process
//!
//! The list is in the memory of one process, which forgets it when it restarts. Send each
//! revocation ([`Revocations::on_revocation`]) through a table, a stream or a file, as one line of
//! JSON, and [`apply`](crate::Revocations::apply) it in the other processes. Lines can arrive in
//! any order and any number of times. Before a process serves its first request, it must apply all
//! lines of the last `lifetime` plus five minutes. Choose what happens while no update from the
//! other processes arrives: [`Revocations::expect_news_within`].
//!
//! The clocks of two machines may differ by up to five minutes: run NTP. A revocation dated more
//! than fifteen minutes in the future is an [error](crate::ApplyError), because it would lock users
//! out.
//!
//! [`DecodeError::Revoked`]: crate::DecodeError::Revoked
//! [`Revocations::has_ended`]: crate::Revocations::has_ended
//! [`Revocations::on_revocation`]: crate::Revocations::on_revocation
//! [`Revocations::expect_news_within`]: crate::Revocations::expect_news_within
//! [`Session::signed_at`]: crate::Session::signed_at
