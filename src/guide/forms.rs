//! Protects forms, and other requests that change something, against other sites.
//!
//! A browser sends the session's cookie with every request, even if a page of another site causes
//! it. That page can therefore submit a form to your site, which acts for the logged-in user.
//! `SameSite=Lax` prevents most of that, but neither a page on another port or subdomain of the
//! site nor a form that logs a visitor in to the attacker's account. [`Csrf`] prevents all of it,
//! as Django's middleware does, and both sides accept each other's forms.
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
//!     // As the browser shows it. For development: `http://localhost:3000`.
//!     let csrf = Csrf::new("https://shop.example.com")?;
//!     Ok(Router::new()
//!         .route("/", get(page))
//!         .route("/add", post(add))
//!         .layer(CsrfLayer::new(csrf))
//!         // Outside of the CSRF layer: what other servers call, with signatures of their own.
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
//! else is the same. Both sides then render tokens of the same secret, and check them by the same
//! rules. With actix-web the layer is [`CsrfMiddleware`].
//!
//! Put the layer inside the session's layer, so that a login [replaces the
//! secret](#login-forms-and-logged-out-visitors). To exempt a route, add it outside the layer.
//!
//! # Forms
//!
//! A form needs the hidden field, and nothing else: the layer reads the field, and the handler gets
//! the body as it came. A form of more than 64 KiB is a 413; [`Csrf::form_limit`] sets another limit.
//! Put the token into forms that submit to your own site only: another site that gets it can use it.
//!
//! A page that shows a token sets the cookie of the secret and is `Cache-Control: private`. A page
//! without a form does neither, and can be cached.
//!
//! A refused request gets a 403 without a body, and the reason is logged. To show visitors more
//! than their browser's own page, map that status in an outer layer.
//!
//! # Login forms and logged-out visitors
//!
//! They are protected like everything else. The secret does not belong to a login: it is in a
//! separate cookie or, with [`Csrf::in_session`], in the session of a visitor who is not logged in.
//! A login form without a token would let another site log a visitor in to the attacker's account,
//! where the attacker then reads everything that the visitor enters. So a request without a secret
//! is always refused.
//!
//! A login replaces the secret: an attacker who planted one in the visitor's browser before the
//! login does not know the new one. This happens automatically if the session
//! [begins](crate::Session::begin), also in [`AuthUser::login`]. Otherwise call
//! [`CsrfHandle::rotate`]. Two consequences:
//!
//! - A form in another tab, loaded before the login, is refused. Reloading the page helps.
//! - A page that is rendered by the login itself has to request its token *after* the login.
//!
//! # JSON and single-page applications
//!
//! Scripts send the token in the header `X-CSRFToken`, with every method other than GET, HEAD,
//! OPTIONS and TRACE. No body is read then. The script gets the token:
//!
//! - **From the cookie**, if the secret is in a cookie that is not `HttpOnly`, as by default. The
//!   cookie's value is accepted unchanged. It exists once any response has shown a token: let the
//!   page that loads the script, or a first GET, call [`CsrfHandle::token`].
//! - **From the page**, in a `<meta>` element, or **from a response** in JSON. Read it again after a
//!   login, which replaces the secret; let the login's own response contain the new token.
//!
//! ```js
//! const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
//! await fetch("/add", { method: "POST", headers: { "X-CSRFToken": token }, body: "{}" });
//! ```
//!
//! Do not exempt JSON on the grounds that forms cannot send it: a form of the type `text/plain` can
//! contain JSON, and many handlers accept it. If the script is served from another origin, add that
//! with [`Csrf::trusted_origin`], or to `CSRF_TRUSTED_ORIGINS`. Cookies then need CORS with
//! credentials, which this crate does not set, and the script reads the token from a response.
//!
//! # Mobile applications and other clients
//!
//! Another site cannot make a client that is not a browser send a request. What matters is whether
//! browsers could use the same routes.
//!
//! - **Without the cookie**: the client sends the session's token, or any other, in a header such
//!   as `Authorization`. Browsers do not send that by themselves, so these routes need no CSRF
//!   protection. Put them outside the layer, *and do not read the cookie there*.
//! - **With the cookie**: the routes accept what browsers send, so they are inside the layer. The
//!   client does what a page does: it gets a token with a GET, keeps both cookies, sends the token
//!   in `X-CSRFToken`, and gets another token after the login. On https it also sends `Origin` (or
//!   `Referer`) with the site's own origin, which browsers add by themselves.
//!
//! # File uploads
//!
//! A `multipart/form-data` body is not read, because it can be of any length and is often streamed.
//! Either a script sends the form with the header, or the handler checks the field. For the latter,
//! give the route a separate layer, [`CsrfLayer::unchecked`], and no other around it. Put the field
//! first in the form, so that no file is processed before the check:
//!
//! ```
//! # #[cfg(any(feature = "tower", feature = "actix"))]
//! # mod service {
//! use signed_session::django::{CsrfError, CsrfHandle};
//!
//! /// `first_field` is the first part of the body, which must be the token's.
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
//! | [`CsrfError::Origin`], and the log shows the same host with `http` and `https` | a proxy terminates TLS. With [`Csrf::new`], state the origin that browsers show. With Django's settings, set `SECURE_PROXY_SSL_HEADER`, and have the proxy set that header and drop what visitors send |
//! | [`CsrfError::Origin`], and the log shows another host or none | the proxy does not pass `Host` on, or `ALLOWED_HOSTS` does not list it |
//! | [`CsrfError::NoReferer`] on https | the pages say `Referrer-Policy: no-referrer`; use `same-origin` |
//! | [`CsrfError::NoSecret`] | the cookie does not come back: it is `Secure` and the site is on http, or its domain is another one |
//! | [`CsrfError::NoToken`] | the field is missing, or the form is multipart |
//! | [`CsrfError::WrongToken`] | the page was loaded before a login, or comes from a cache that heeds neither `private` nor `Vary` |
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
