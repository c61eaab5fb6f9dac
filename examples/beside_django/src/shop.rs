//! Is the shop of `site/shop.py` again, in Rust: the same visitors, carts and messages.

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::State;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use signed_session::django::{
    self, AuthUser, Csrf, CsrfHandle, CsrfLayer, DjangoSettings, Level, Message, MessageStorage,
    Messages,
};
use signed_session::{LiveManager, SessionHandle, SessionLayer, SessionManager};

use crate::Failure;
use crate::cookie::{self, Shown};
use crate::ending::Ending;
use crate::page::{self, View};
use crate::users::{User, Users};

/// How a password is checked here, as Django does it: each session names this.
const BACKEND: &str = "django.contrib.auth.backends.ModelBackend";

/// Whose cookies the site's sessions are in.
const ENGINE: &str = "django.contrib.sessions.backends.signed_cookies";

/// What the handlers share.
///
/// The key ring is not here: each request has its own, which [`SessionHandle::keyring`] returns.
pub struct Shop {
    sessions: LiveManager,
    /// Does not depend on the secrets.
    csrf: Csrf,
    site: RwLock<Arc<Site>>,
    /// The password of `ada`, which the page shows.
    password: String,
    users: Users,
    ending: Ending,
}

/// What else comes from the settings of the Django project.
struct Site {
    /// Its `AUTHENTICATION_BACKENDS`.
    backends: Vec<String>,
    messages: MessageStorage,
    /// What the keys are called on the page.
    keys: Vec<String>,
}

impl Site {
    /// Reads the settings of the Django project, which are JSON, and creates what reads its sessions.
    fn read(text: &str) -> Result<(Arc<Self>, SessionManager), Failure> {
        // The site's own engine writes the cookies of this one.
        let settings = DjangoSettings::from_json(text)?.set("SESSION_ENGINE", ENGINE)?;
        let backends = settings.authentication_backends().to_owned();
        let (messages, keys) = (settings.message_storage()?, cookie::key_names(text)?);
        // As the site's engine does: so a key that leaves the file is soon out of all cookies.
        let manager = settings.session_manager()?.reissue_under_primary(true);
        Ok((Arc::new(Self { backends, messages, keys }), manager))
    }
}

type Shared = State<Arc<Shop>>;

impl Shop {
    /// Creates the shop from the settings of the Django project.
    pub fn new(
        settings: &str,
        password: String,
        users: Users,
        ending: Ending,
    ) -> Result<Arc<Self>, Failure> {
        let (site, manager) = Site::read(settings)?;
        let csrf = DjangoSettings::from_json(settings)?.set("SESSION_ENGINE", ENGINE)?.csrf()?;
        let (site, sessions) = (RwLock::new(site), ending.watch(manager).into());
        Ok(Arc::new(Self { sessions, csrf, site, password, users, ending }))
    }

    /// Takes other settings, such as another secret, for the requests that arrive from now on.
    ///
    /// If they are not valid, the former ones stay.
    pub fn reload(&self, settings: &str) -> Result<(), Failure> {
        let (site, manager) = Site::read(settings)?;
        let manager = self.ending.watch(manager);
        *self.site.write().unwrap_or_else(PoisonError::into_inner) = site;
        self.sessions.update(|_| manager);
        Ok(())
    }

    pub fn router(self: Arc<Self>) -> Router {
        let sessions = SessionLayer::new(self.sessions.clone());
        let csrf = CsrfLayer::new(self.csrf.clone());
        Router::new()
            .route("/rust/", get(home))
            .route("/rust/add", post(add))
            .route("/rust/leave", post(leave))
            .route("/rust/login", post(login))
            .route("/rust/logout", post(logout))
            .with_state(self)
            .layer(csrf)
            .layer(sessions)
            .layer(middleware::map_response(protect))
    }

    fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Finds out who is logged in, on whichever side that was done.
    ///
    /// As `request.user`: a session made before the password was changed ends here.
    async fn user(&self, session: &SessionHandle) -> Result<Option<User>, Failure> {
        let named = session.with(|session| AuthUser::from_session(session))?;
        let site = self.site();
        let named =
            named.filter(|named| site.backends.iter().any(|known| known == named.backend()));
        let Some(named) = named else { return Ok(None) };
        let Some(user) = self.users.by_id(named.id()).await? else { return Ok(None) };
        let ring = session.keyring();
        let matched = session.with(|session| named.resume(session, ring, &user.password));
        if matched.is_none() {
            // The row is current, since there is no other database, and the user model is Django's
            // own: the password has been changed.
            session.flush();
        }
        Ok(matched.map(|_| user))
    }

    fn messages(&self, headers: &HeaderMap) -> Messages {
        self.site().messages.load(headers.get_all(COOKIE))
    }

    /// Returns the visitor's messages, with one more that says what just happened.
    fn saying(&self, headers: &HeaderMap, text: String) -> Messages {
        let mut messages = self.messages(headers);
        messages.add(said(text));
        messages
    }
}

/// Shows who is there, what messages there are, and the cart.
async fn home(
    State(shop): Shared,
    session: SessionHandle,
    csrf: CsrfHandle,
    headers: HeaderMap,
) -> Result<Response, Oops> {
    let cookie = session.with(|session| Shown::of(&headers, session))?;
    let user = shop.user(&session).await?;
    let cart: Vec<String> = session.get("cart")?.unwrap_or_default();
    let (site, mut messages) = (shop.site(), shop.messages(&headers));
    let shown = session.with(|session| messages.show(session))?;
    let shown: Vec<(String, &str)> =
        shown.iter().map(|message| (site.messages.tags(message), &*message.text)).collect();
    let page = page::render(&View {
        user: user.as_ref().map(|user| &*user.name),
        messages: &shown,
        cart: &cart,
        cookie: cookie.as_ref(),
        keys: &site.keys,
        password: &shop.password,
        token: &|| csrf.token(),
    });
    answer(page, messages, session)
}

#[derive(Deserialize)]
struct Thing {
    thing: String,
}

async fn add(
    State(shop): Shared,
    session: SessionHandle,
    headers: HeaderMap,
    Form(form): Form<Thing>,
) -> Result<Response, Oops> {
    let text = format!("Rust put {} into the cart, and signed the cookie again.", form.thing);
    session.update("cart", |cart: &mut Vec<String>| cart.push(form.thing))?;
    answer(back(), shop.saying(&headers, text), session)
}

#[derive(Deserialize)]
struct Note {
    text: String,
}

async fn leave(
    State(shop): Shared,
    session: SessionHandle,
    headers: HeaderMap,
    Form(form): Form<Note>,
) -> Result<Response, Oops> {
    let mut messages = shop.messages(&headers);
    messages.add(Message::new(Level::SUCCESS, form.text).extra_tags("from-rust"));
    answer(Redirect::to("/"), messages, session)
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

async fn login(
    State(shop): Shared,
    session: SessionHandle,
    headers: HeaderMap,
    Form(form): Form<Credentials>,
) -> Result<Response, Oops> {
    let mut messages = shop.messages(&headers);
    match shop.users.authenticate(form.username, form.password).await? {
        Some(user) => {
            // The session begins after all that was ended, in Django too.
            shop.ending.catch_up().await?;
            let text =
                format!("Rust checked the password and logged {} in, for Django too.", user.name);
            let user = AuthUser::new(session.keyring(), user.id, BACKEND, &user.password);
            // Of what was there before, the cart alone is the visitor's for certain.
            session.with(|session| user.login(session, |key| key == "cart"));
            messages.add(said(text));
        }
        None => messages.add(Message::new(Level::ERROR, "No such name and password.")),
    }
    answer(back(), messages, session)
}

async fn logout(
    State(shop): Shared,
    session: SessionHandle,
    headers: HeaderMap,
) -> Result<Response, Oops> {
    session.with(django::logout);
    let text = "Rust ended the session and had the cookie removed. Django knows nobody either.";
    answer(back(), shop.saying(&headers, text.to_owned()), session)
}

/// Returns what just happened as a message, for the next page to say.
fn said(text: String) -> Message {
    Message::new(Level::INFO, text).extra_tags("from-rust")
}

fn back() -> Redirect {
    Redirect::to("/rust/")
}

/// Completes an answer by the messages that stay: some in the session, some in a cookie.
fn answer(
    body: impl IntoResponse,
    messages: Messages,
    session: SessionHandle,
) -> Result<Response, Oops> {
    let stored = session.with(|session| messages.commit(session))?;
    let mut response = body.into_response();
    stored.reply.append_to(response.headers_mut());
    Ok(response)
}

/// Sets the headers that Django's own middlewares set, so that no page is weaker than others.
async fn protect(mut response: Response) -> Response {
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// What should not happen: a 500, with the reason on the console.
struct Oops(Failure);

impl<E: Into<Failure>> From<E> for Oops {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Oops {
    fn into_response(self) -> Response {
        eprintln!("error: {}", self.0);
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
