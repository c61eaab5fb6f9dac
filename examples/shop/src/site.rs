//! Answers requests: who is logged in, and the ways in which sessions end.
//!
//! Three rules, which a program that copies this should keep:
//!
//! - A login and an explicit end catch up with the carrier first, so that they are ordered after
//!   every end that is known anywhere.
//! - An explicit end, such as "sign out everywhere", is answered with success only after it was
//!   published. Until then it may be known in this process alone.
//! - Only authentication calls `begin`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use signed_session::{
    DecodeError, Revocation, Revocations, SessionHandle, SessionLayer, SessionManager, Silence,
};
use signed_session_example_shop::Failure;

use crate::carrier::Carrier;
use crate::clock;
use crate::page::{self, Said, View};
use crate::users::{User, Users};

/// How long a browser that watches its session waits for an answer, and how often it is looked up.
const WATCH: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(250);

/// What the handlers share.
pub struct Site {
    pub revocations: Revocations,
    pub carrier: Carrier,
    pub silence: Silence,
    pub users: Users,
    pub address: SocketAddr,
}

type Shared = State<Arc<Site>>;

impl Site {
    pub fn router(self, manager: SessionManager) -> Router {
        Router::new()
            .route("/", get(home))
            .route("/watch", get(watch))
            .route("/login", post(login))
            .route("/logout", post(logout))
            .route("/sign-out-everywhere", post(sign_out_everywhere))
            .route("/sign-out-others", post(sign_out_others))
            .route("/password", post(change_password))
            .route("/end", post(end_of_user))
            .route("/end-everyone", post(end_everyone))
            .with_state(Arc::new(self))
            .layer(SessionLayer::new(manager))
            .route("/style.css", get(|| asset("text/css", page::STYLE)))
            .route("/watch.js", get(|| asset("text/javascript", include_str!("watch.js"))))
            .layer(middleware::from_fn(refuse_forms_from_elsewhere))
            .layer(middleware::map_response(protect))
    }

    /// Returns who is logged in.
    async fn user(&self, session: &SessionHandle) -> Result<Option<User>, Oops> {
        if session.with(|session| session.refusal() == Some(&DecodeError::Unheard)) {
            return Err(Oops::Silence);
        }
        let Some(id) = session.get("user_id")? else { return Ok(None) };
        Ok(self.users.by_id(id).await?)
    }

    /// Returns who is logged in, to be asked where nobody else has anything to do.
    async fn somebody(&self, session: &SessionHandle) -> Result<User, Oops> {
        self.user(session).await?.ok_or(Oops::Nobody)
    }

    async fn administrator(&self, session: &SessionHandle) -> Result<User, Oops> {
        Some(self.somebody(session).await?).filter(|user| user.is_admin).ok_or(Oops::Nobody)
    }

    /// Reads what was ended until now. Without it this process does what it can.
    async fn try_to_catch_up(&self) {
        if let Err(error) = self.carrier.catch_up().await {
            tracing::warn!(%error, "not everything that was ended is known");
        }
    }

    /// Returns once every process can know that this was ended.
    async fn publish(&self, revocation: &Revocation) -> Result<(), Oops> {
        // If it fails it was ended here, and waits in the queue.
        self.carrier.publish(revocation).await.map_err(Oops::Unpublished)
    }
}

async fn asset(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, media_type)], text)
}

#[derive(Deserialize)]
struct HomeQuery {
    said: Option<Said>,
}

async fn home(
    State(site): Shared,
    session: SessionHandle,
    Query(query): Query<HomeQuery>,
) -> Result<Response, Oops> {
    // Of what is written into the stand-in of a session that is refused nothing is saved.
    let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
    session.insert("visits", visits)?;
    let user = site.user(&session).await?;
    let others = match &user {
        Some(user) if user.is_admin => site.users.all().await?,
        _ => Vec::new(),
    };
    let view = View {
        user: user.as_ref(),
        users: &others,
        visits,
        id: session.id(),
        began: session.started_at(),
        said: query.said,
        address: site.address,
        carrier: site.carrier.name(),
        subjects: site.revocations.len(),
        is_silent: site.revocations.is_silent(),
    };
    Ok(page::home(&view).into_response())
}

/// Answers as soon as the session has ended, as a WebSocket would be closed.
async fn watch(State(site): Shared, session: SessionHandle) -> &'static str {
    let session = session.with(|session| session.clone());
    for _ in 0..WATCH.as_millis() / LOOK.as_millis() {
        if site.revocations.has_ended(&session) {
            return "ended";
        }
        tokio::time::sleep(LOOK).await;
    }
    "there"
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

async fn login(
    State(site): Shared,
    session: SessionHandle,
    Form(form): Form<Credentials>,
) -> Result<Redirect, Oops> {
    let Some(user) = site.users.authenticate(form.name, form.password).await? else {
        return Ok(home_saying(Said::Wrong));
    };
    // A session that begins now would be refused in the next request if the list is silent.
    match site.carrier.catch_up().await {
        Err(_) if site.silence == Silence::Refuse => return Err(Oops::Silence),
        Err(error) => tracing::warn!(%error, "not everything that was ended is known"),
        Ok(()) => {}
    }
    session.begin(|_| false);
    session.insert("user_id", user.id)?;
    Ok(Redirect::to("/"))
}

/// Ends this session at once, whatever the status of the response; the queue passes it on.
async fn logout(session: SessionHandle) -> Redirect {
    session.flush();
    home_saying(Said::Out)
}

async fn sign_out_everywhere(
    State(site): Shared,
    session: SessionHandle,
) -> Result<Redirect, Oops> {
    let user = site.somebody(&session).await?;
    site.try_to_catch_up().await;
    let revocation = site.revocations.end_all_at(user.id, clock::now())?;
    site.publish(&revocation).await?;
    session.flush();
    Ok(home_saying(Said::Everywhere))
}

async fn sign_out_others(State(site): Shared, session: SessionHandle) -> Result<Redirect, Oops> {
    site.somebody(&session).await?;
    site.end_others(&session).await?;
    Ok(home_saying(Said::Others))
}

impl Site {
    /// Ends all sessions of a user but this one, which goes on under another id.
    async fn end_others(&self, session: &SessionHandle) -> Result<(), Oops> {
        // A response of 503 after the end would not bring the cookie of the new session: then this
        // browser is signed out, too. So the carrier is asked before.
        self.carrier.catch_up().await.map_err(|_| Oops::Silence)?;
        let ended = session.with(|session| self.revocations.end_others(session));
        match ended {
            Some(revocation) => self.publish(&revocation).await,
            None => Err(Oops::Nobody),
        }
    }
}

#[derive(Deserialize)]
struct NewPassword {
    old: String,
    new: String,
}

async fn change_password(
    State(site): Shared,
    session: SessionHandle,
    Form(form): Form<NewPassword>,
) -> Result<Redirect, Oops> {
    let user = site.somebody(&session).await?;
    if form.new.len() < 8 {
        return Ok(home_saying(Said::Short));
    }
    if site.users.authenticate(user.name, form.old).await?.is_none() {
        return Ok(home_saying(Said::Wrong));
    }
    site.carrier.catch_up().await.map_err(|_| Oops::Silence)?;
    site.users.set_password(user.id, form.new).await?;
    // After the password was changed: who logs in between the two with the former one is out again.
    site.end_others(&session).await?;
    Ok(home_saying(Said::Password))
}

#[derive(Deserialize)]
struct Of {
    id: i64,
}

async fn end_of_user(
    State(site): Shared,
    session: SessionHandle,
    Form(form): Form<Of>,
) -> Result<Redirect, Oops> {
    site.administrator(&session).await?;
    site.try_to_catch_up().await;
    let revocation = site.revocations.end_all_at(form.id, clock::now())?;
    site.publish(&revocation).await?;
    Ok(home_saying(Said::User))
}

async fn end_everyone(State(site): Shared, session: SessionHandle) -> Result<Redirect, Oops> {
    site.administrator(&session).await?;
    site.try_to_catch_up().await;
    let revocation = site.revocations.end_everyone_at(clock::now());
    site.publish(&revocation).await?;
    Ok(home_saying(Said::Everyone))
}

fn home_saying(said: Said) -> Redirect {
    Redirect::to(&format!("/?said={}", said.name()))
}

/// Refuses a form that another site sent, which must not act for the visitor.
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

async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    response
}

/// Why a request was not done.
enum Oops {
    /// It is not known whether the session was ended: the cookie is kept, and the browser asks again.
    Silence,
    /// It was ended in this process, and waits until the carrier can be written.
    Unpublished(Failure),
    /// Only somebody who is logged in may do this, or only an administrator.
    Nobody,
    /// A fault, with the reason in the log.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Oops {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl IntoResponse for Oops {
    fn into_response(self) -> Response {
        match self {
            Self::Silence => retry_later(
                "It is not known at the moment which sessions were ended, so nobody can be logged \
                 in. Your session is kept. Please try again in a few seconds.",
            ),
            Self::Unpublished(error) => {
                tracing::error!(%error, "an explicit end could not be published");
                retry_later(
                    "The sessions were ended here, but other servers may not know it yet. Please \
                     repeat it in a few seconds.",
                )
            }
            Self::Nobody => {
                (StatusCode::FORBIDDEN, page::plain("You may not do this, or are not logged in."))
                    .into_response()
            }
            Self::Failed(error) => {
                tracing::error!(%error, "a request failed");
                let page = page::plain("Something went wrong.");
                (StatusCode::INTERNAL_SERVER_ERROR, page).into_response()
            }
        }
    }
}

fn retry_later(text: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], page::plain(text)).into_response()
}
