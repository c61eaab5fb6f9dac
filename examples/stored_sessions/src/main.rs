//! Reads and writes the sessions that a Django site keeps in its database, which is its default.
//!
//! A site of your own, as Django makes it:
//!
//! ```sh
//! python3 -m venv venv && . venv/bin/activate && pip install django
//! django-admin startproject mysite && cd mysite
//! python manage.py migrate && python manage.py createsuperuser
//! python manage.py shell -c "exec(open('…/src/django/write_settings.py').read())"
//! python manage.py runserver 8000
//! ```
//!
//! And this service beside it, from another terminal:
//!
//! ```sh
//! export DATABASE_URL=sqlite:…/mysite/db.sqlite3  # or postgres://user:password@host/name
//! cargo run --package signed-session-example-stored-sessions …/mysite/django-settings.json 3000
//! ```
//!
//! Log in at <http://127.0.0.1:8000/admin/>, then open <http://127.0.0.1:3000/>: a cookie counts for
//! all ports of a host. From a terminal it can be done the other way round:
//!
//! ```sh
//! curl -b jar -c jar -d thing=apples http://127.0.0.1:3000/cart
//! curl -b jar -c jar -d username=ada -d password=… http://127.0.0.1:3000/login
//! curl -b jar -c jar http://127.0.0.1:3000/
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `sessions.rs` | the layer and the extractor: load, save, a new key at login |
//! | `database.rs` | the statements, for SQLite and for PostgreSQL |
//! | `key.rs` | session keys |
//! | `settings.rs` | what is shared with Django's settings |
//! | `password.rs` | Django's password hasher, for a login in Rust |

mod database;
mod key;
mod password;
mod sessions;
mod settings;

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{HOST, ORIGIN};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use database::{Database, User};
use serde::Deserialize;
use sessions::{Sessions, StoredSession};
use settings::Settings;
use signed_session::django::{self, AuthUser};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

type Failure = Box<dyn Error + Send + Sync>;

type Site = State<Arc<Sessions>>;

/// The backend that a login in Rust names, because it checks passwords in the same way.
const BACKEND: &str = "django.contrib.auth.backends.ModelBackend";

fn router(sessions: Arc<Sessions>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/about", get(about))
        .route("/cart", post(add))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .with_state(Arc::clone(&sessions))
        .layer(middleware::from_fn_with_state(sessions, sessions::middleware))
        .layer(middleware::from_fn(refuse_forms_from_elsewhere))
}

/// Says who is there, and what is in the cart.
async fn home(State(site): Site, session: StoredSession) -> Result<String, Oops> {
    let name = who(&site, &session).await?.map_or("stranger".to_owned(), |user| user.name);
    let cart = session.with(|session| session.get::<Vec<String>>("cart"))?.unwrap_or_default();
    Ok(format!("hello, {name}\ncart: {}\n", cart.join(", ")))
}

/// Returns the user who is logged in, by the rules of Django's `get_user`.
async fn who(site: &Sessions, session: &StoredSession) -> Result<Option<User>, Failure> {
    let Some(named) = session.with(|session| AuthUser::from_session(session))? else {
        return Ok(None);
    };
    if !site.settings.backends.iter().any(|known| known == named.backend()) {
        return Ok(None);
    }
    let Ok(id) = named.id().parse() else { return Ok(None) };
    let Some(user) = site.database.user(id).await? else { return Ok(None) };
    let matched =
        session.with(|session| named.resume(session, &site.settings.ring, &user.password));
    if matched.is_none() {
        // The row is current, and the user model is Django's own: the password has been changed.
        session.with(|session| session.flush());
    }
    Ok(matched.map(|_| user))
}

/// Leaves the session alone: caches may keep this page for everybody.
async fn about() -> &'static str {
    "a cart beside Django\n"
}

#[derive(Deserialize)]
struct Thing {
    thing: String,
}

async fn add(session: StoredSession, Form(form): Form<Thing>) -> Result<Redirect, Oops> {
    session.with(|session| {
        let mut cart: Vec<String> = session.get("cart")?.unwrap_or_default();
        cart.push(form.thing);
        session.insert("cart", cart)
    })?;
    Ok(Redirect::to("/"))
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

async fn login(
    State(site): Site,
    session: StoredSession,
    Form(form): Form<Credentials>,
) -> Result<Response, Oops> {
    let user = site.database.user_of_name(&form.username).await?;
    let column = user.as_ref().map_or(password::NOBODY, |user| &user.password).to_owned();
    // It takes a good part of a second, in which this thread can serve others.
    let is_right = spawn_blocking(move || password::matches(&column, &form.password)).await?;
    let Some(user) = user.filter(|_| is_right) else {
        return Ok((StatusCode::FORBIDDEN, "no such name and password\n").into_response());
    };
    let named = AuthUser::new(&site.settings.ring, user.id, BACKEND, &user.password);
    // This gives the session a new key. Of what was there before only the cart stays.
    session.with(|session| named.login(session, |key| key == "cart"));
    site.database.set_last_login(user.id, OffsetDateTime::now_utc()).await?;
    Ok(Redirect::to("/").into_response())
}

async fn logout(session: StoredSession) -> Redirect {
    session.with(django::logout);
    Redirect::to("/")
}

/// Refuses a form that another site sent, which must not act for the visitor.
///
/// Django's token is not asked for. `SameSite=Lax` keeps the cookie from most of such forms; but
/// another port of this host is the same site.
async fn refuse_forms_from_elsewhere(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_from_here = match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin",
        // An older browser names the page's origin, and curl, which acts for nobody, does not.
        None => headers.get(ORIGIN).is_none_or(|origin| {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            origin == format!("http://{host}").as_str()
        }),
    };
    if is_from_here || request.method().is_safe() {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "This form was sent by another site.").into_response()
}

/// What should not happen: a 500, with the reason on the console.
pub struct Oops(Failure);

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

async fn run() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let usage = "the arguments are the settings that Django wrote, and a port";
    let text = fs::read_to_string(arguments.next().ok_or(usage)?)?;
    let port: u16 = arguments.next().map_or(Ok(0), |port| port.parse()).map_err(|_| usage)?;
    let url = env::var("DATABASE_URL").map_err(|_| {
        "the environment variable DATABASE_URL names no database\n\
         hint: export DATABASE_URL=sqlite:db.sqlite3"
    })?;
    let sessions =
        Sessions { settings: Settings::from_json(&text)?, database: Database::open(&url)? };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router(Arc::new(sessions))).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
