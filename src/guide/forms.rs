//! Explains how to protect forms against cross-site request forgery.
//!
//! A browser sends the session's cookie with every request to your site, even with one that a page
//! of another site triggers. Such a page could submit a form, or another request that changes
//! something, which your site then processes on behalf of the logged-in user. `SameSite=Lax`
//! prevents most of these attacks, but not those by a page on another port or subdomain of your
//! site, and not a form that logs a visitor in to the attacker's account. [`Csrf`] prevents all of
//! them, as Django's middleware does, and Django and Rust accept each other's forms.
//!
//! 1. [Put the layer around the application](#put-the-layer-around-the-application)
//! 2. [Forms](#forms)
//! 3. [Login forms and logged-out visitors](#login-forms-and-logged-out-visitors)
//! 4. [JSON and single-page applications](#json-and-single-page-applications)
//! 5. [Mobile applications and other clients](#mobile-applications-and-other-clients)
//! 6. [File uploads](#file-uploads)
//! 7. [When every form fails](#when-every-form-fails)
//!
//! # Put the layer around the application
//!
//! Without Django, the application states its own origin:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # mod application {
//! use axum::response::Html;
//! use axum::{Router, routing::get, routing::post};
//! use signed_session::django::{Csrf, CsrfHandle, CsrfLayer};
//! use signed_session::{
//!     ConfigError, CookieOptions, Keyring, SessionCodec, SessionHandle, SessionLayer,
//!     SessionManager, ValueError,
//! };
//!
//! pub fn app(secret: &str) -> Result<Router, ConfigError> {
//!     let codec = SessionCodec::new(&Keyring::new(secret)?);
//!     let manager = SessionManager::new(codec, CookieOptions::new("session")?);
//!     // The origin as the browser shows it. For development: `http://localhost:3000`.
//!     let csrf = Csrf::new("https://shop.example.com")?;
//!     Ok(Router::new()
//!         .route("/", get(page))
//!         .route("/add", post(add))
//!         .layer(CsrfLayer::new(csrf))
//!         // Outside the CSRF layer: called by other servers, which sign their requests.
//!         .route("/webhook", post(|| async { "noted" }))
//!         .layer(SessionLayer::new(manager)))
//! }
//!
//! async fn page(csrf: CsrfHandle) -> Html<String> {
//!     Html(format!(
//!         r#"<form method="post" action="/add">
//!              <input type="hidden" name="csrfmiddlewaretoken" value="{}">
//!              <input name="thing"><button>Add</button>
//!            </form>"#,
//!         csrf.token() // letters and digits: nothing to escape
//!     ))
//! }
//!
//! async fn add(session: SessionHandle) -> Result<&'static str, ValueError> {
//!     session.insert("has_cart", true)?;
//!     Ok("added")
//! }
//! # }
//! ```
//!
//! Alongside Django, use `DjangoSettings::from_json(…)?.csrf()?` instead of `Csrf::new`; everything
//! else is the same. Both sides then create tokens from the same secret, and check them by the same
//! rules. With actix-web the layer is [`CsrfMiddleware`].
//!
//! In the repository, `examples/shop` is a complete application with CSRF protection.
//!
//! Put the layer inside the session's layer, so that a login [replaces the
//! secret](#login-forms-and-logged-out-visitors). To exempt a route, add it outside the CSRF layer:
//! with axum after the call of `.layer`, as `/webhook` above.
//!
//! # Forms
//!
//! A form needs the hidden field, and nothing else: the layer reads the field, and the handler gets
//! the unchanged body. A form larger than 64 KiB gets a 413 response; [`Csrf::form_limit`] sets the
//! limit. Put the token only into forms that submit to your own site: another site that gets the
//! token can use it.
//!
//! A response with a token sets the cookie with the secret and is marked `Cache-Control: private`.
//! A page without a form does neither, and can be cached.
//!
//! A refused request gets a 403 response with an empty body, and the reason is logged. To show your
//! own error page, replace that response in an outer layer.
//!
//! # Login forms and logged-out visitors
//!
//! Login forms are protected like all others. The secret is independent of a login: it is in a
//! separate cookie or, with [`Csrf::in_session`], in the session, which then also exists for
//! visitors who are not logged in. A login form without a token would let another site log a
//! visitor in to the attacker's account, where the attacker then reads everything that the visitor
//! enters. So a request without a secret is always refused.
//!
//! A login replaces the secret: an attacker who planted a secret in the visitor's browser before
//! the login does not know the new one. This happens automatically if the login calls
//! [`Session::begin`](crate::Session::begin), as [`AuthUser::login`] does. Otherwise call
//! [`CsrfHandle::rotate`]. There are two consequences:
//!
//! - A form in another tab, loaded before the login, is refused. Reloading the page helps.
//! - A page that is rendered by the login itself must request its token *after* the login.
//!
//! # JSON and single-page applications
//!
//! Scripts send the token in the header `X-CSRFToken`, with every method other than GET, HEAD,
//! OPTIONS and TRACE. The body is then not read. The script gets the token:
//!
//! - **From the cookie**, if the secret is in a cookie that is not `HttpOnly` (the default). The
//!   cookie's value can be sent as the token. The cookie exists once any response has contained a
//!   token: let the page that loads the script, or a first GET, call [`CsrfHandle::token`].
//! - **From the page**, in a `<meta>` element, or **from a response** in JSON. Read it again after a
//!   login, which replaces the secret, or put the new token into the login's own response.
//!
//! ```js
//! const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
//! await fetch("/add", { method: "POST", headers: { "X-CSRFToken": token }, body: "{}" });
//! ```
//!
//! Do not exempt JSON on the grounds that forms cannot send it: a form with the type `text/plain`
//! can contain JSON, and many handlers accept it. If the script is served from a different origin,
//! add that origin with [`Csrf::trusted_origin`], or to `CSRF_TRUSTED_ORIGINS`. Requests with
//! cookies then need CORS with credentials, which this crate does not configure, and the script has
//! to read the token from a response.
//!
//! # Mobile applications and other clients
//!
//! Only browsers send requests on behalf of another site. So the routes of other clients need
//! protection only if browsers can use them too.
//!
//! - **Without the cookie**: the client sends a session token, or an API token of any kind, in a
//!   header such as `Authorization`. Browsers do not send that by themselves, so these routes need
//!   no CSRF protection. Put them outside the layer, *and do not read the cookie there*.
//! - **With the cookie**: the routes accept what browsers send, so put them inside the layer. The
//!   client does what a page does: it gets a token with a GET, keeps both cookies, sends the token
//!   in `X-CSRFToken`, and gets a new token after the login. On https it also sends `Origin` (or
//!   `Referer`) with the site's own origin, which browsers add by themselves.
//!
//! # File uploads
//!
//! A `multipart/form-data` body is not read, because it can be of any length and is often streamed.
//! Either a script sends the form with the header, or the handler checks the field. In the second
//! case, put [`CsrfLayer::unchecked`] around the route, and no other CSRF layer. Put the field
//! first in the form, so that no file is processed before the check:
//!
//! ```
//! # #[cfg(any(feature = "tower", feature = "actix"))]
//! # mod service {
//! use signed_session::django::{CsrfError, CsrfHandle};
//!
//! /// `first_field` is the value of the first field of the body, which must be the token.
//! async fn upload(csrf: CsrfHandle, first_field: String) -> Result<&'static str, CsrfError> {
//!     csrf.check(Some(&first_field))?;
//!     // … now the rest of the body.
//!     Ok("uploaded")
//! }
//! # }
//! ```
//!
//! # When every form fails
//!
//! The log names the reason.
//!
//! | reason | cause |
//! |---|---|
//! | [`CsrfError::Origin`], and the log shows the same host with `http` and `https` | a proxy terminates TLS. With [`Csrf::new`], state the origin that browsers show. With Django's settings, set `SECURE_PROXY_SSL_HEADER`, and let the proxy set that header and remove it from incoming requests |
//! | [`CsrfError::Origin`], and the log shows another host or none | the proxy does not pass `Host` on, or `ALLOWED_HOSTS` does not list it |
//! | [`CsrfError::NoReferer`] on https | the pages are sent with `Referrer-Policy: no-referrer`; use `same-origin` |
//! | [`CsrfError::NoSecret`] | the browser does not send the cookie: it is `Secure` and the site is on http, or its domain is a different one |
//! | [`CsrfError::NoToken`] | the field is missing, or the form is multipart |
//! | [`CsrfError::WrongToken`] | the page was loaded before a login, or comes from a cache that ignores `private` and `Vary` |
//!
//! [`AuthUser::login`]: crate::django::AuthUser::login
//! [`Csrf`]: crate::django::Csrf
//! [`Csrf::form_limit`]: crate::django::Csrf::form_limit
//! [`Csrf::in_session`]: crate::django::Csrf::in_session
//! [`Csrf::new`]: crate::django::Csrf::new
//! [`Csrf::trusted_origin`]: crate::django::Csrf::trusted_origin
//! [`CsrfError::NoReferer`]: crate::django::CsrfError::NoReferer
//! [`CsrfError::NoSecret`]: crate::django::CsrfError::NoSecret
//! [`CsrfError::NoToken`]: crate::django::CsrfError::NoToken
//! [`CsrfError::Origin`]: crate::django::CsrfError::Origin
//! [`CsrfError::WrongToken`]: crate::django::CsrfError::WrongToken
//! [`CsrfHandle::rotate`]: crate::django::CsrfHandle::rotate
//! [`CsrfHandle::token`]: crate::django::CsrfHandle::token
//! [`CsrfLayer::unchecked`]: crate::django::CsrfLayer::unchecked
//! [`CsrfMiddleware`]: crate::django::CsrfMiddleware
