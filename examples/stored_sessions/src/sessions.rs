//! Loads the session that a visitor's cookie names, and saves what a handler made of it.
//!
//! As Django's `SessionMiddleware` over its session engine `db`. The session itself is the one of
//! the library: what Rust does not touch goes back byte for byte.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use signed_session::{Reply, Session};
use time::OffsetDateTime;
use tokio::sync::OnceCell;

use crate::database::Database;
use crate::key::Key;
use crate::settings::Settings;
use crate::{Failure, Oops};

/// What Django says with the status 400, and what is answered here.
const INTERRUPTED: &str = "The request's session was deleted before the request completed. The \
                           user may have logged out in a concurrent request, for example.";

/// Where the sessions are, and by which settings.
pub struct Sessions {
    pub settings: Settings,
    pub database: Database,
}

/// A handler's access to the session of its request; it is loaded before the handler runs.
///
/// A handler that does not ask for it costs no statement, and its answer can be cached for all.
#[derive(Clone)]
pub struct StoredSession(Arc<Visit>);

struct Visit {
    sessions: Arc<Sessions>,
    /// The key in the cookie, if there is one that can be a key.
    key: Option<Key>,
    has_cookie: bool,
    loaded: OnceCell<Mutex<Loaded>>,
}

#[derive(Default)]
struct Loaded {
    /// The row that the session is from.
    key: Option<Key>,
    session: Session,
}

impl StoredSession {
    /// Runs `function` with the session. Everything that the library's `Session` can do is saved.
    ///
    /// The row gets a new key, and the old one is deleted, if the session is begun again: by
    /// `AuthUser::login`, which calls `Session::begin`, and by `Session::flush`. Anyone who had
    /// planted or seen the former key has a key to nothing.
    ///
    /// # Panics
    ///
    /// If the session was not loaded, which the extractor does.
    pub fn with<R>(&self, function: impl FnOnce(&mut Session) -> R) -> R {
        let loaded = self.0.loaded.get().expect("the extractor has loaded it");
        function(&mut lock(loaded).session)
    }

    async fn load(&self) -> Result<(), Failure> {
        let Visit { sessions, key, loaded, .. } = &*self.0;
        loaded.get_or_try_init(|| sessions.load(key.as_ref())).await?;
        Ok(())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for StoredSession {
    type Rejection = Oops;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Oops> {
        let session = parts.extensions.get::<Self>().cloned();
        let session = session.ok_or("no layer of sessions is around this handler")?;
        session.load().await?;
        Ok(session)
    }
}

/// Is the layer: `middleware::from_fn_with_state(sessions, sessions::middleware)`.
pub async fn middleware(
    State(sessions): State<Arc<Sessions>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Oops> {
    let value = sessions.cookie(request.headers());
    let visit = Visit {
        key: value.as_deref().and_then(Key::parse),
        has_cookie: value.is_some(),
        sessions: Arc::clone(&sessions),
        loaded: OnceCell::new(),
    };
    let session = StoredSession(Arc::new(visit));
    if sessions.settings.save_every_request {
        session.load().await?;
    }
    request.extensions_mut().insert(session.clone());
    let response = next.run(request).await;
    Ok(sessions.commit(&session.0, response).await?)
}

impl Sessions {
    /// Returns the cookie's value. Of several, it is the last, as in Django: both sides have to
    /// take the same visitor for the same user.
    fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        let headers = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        headers.flat_map(|header| self.settings.cookie.find(header)).last().map(str::to_owned)
    }

    /// Loads a session; without a row that can be read it is empty, and will get another key.
    async fn load(&self, key: Option<&Key>) -> Result<Mutex<Loaded>, Failure> {
        let Some(key) = key else { return Ok(Mutex::default()) };
        let Some(data) = self.database.session(key, OffsetDateTime::now_utc()).await? else {
            return Ok(Mutex::default());
        };
        Ok(match self.settings.codec.decode(&data) {
            Ok(session) => Mutex::new(Loaded { key: Some(key.clone()), session }),
            Err(reason) => {
                // Signed with a secret that this service does not have yet, for example. The row
                // stays, for whoever can read it.
                eprintln!("warning: the data of a session cannot be read: {reason}");
                Mutex::default()
            }
        })
    }

    /// Saves the session if it was changed, and returns the response with what its cookie needs.
    async fn commit(&self, visit: &Visit, mut response: Response) -> Result<Response, Failure> {
        let Some(loaded) = visit.loaded.get() else { return Ok(response) };
        let Loaded { key, session } = mem::take(&mut *lock(loaded));
        let mut reply = Reply::default();
        reply.vary_on_cookie = session.is_accessed();

        // It has come from the row, unless it was begun again or flushed since.
        let is_from_row = session.key_index().is_some();
        let is_void = session.is_empty() && !is_from_row;
        let is_due = session.is_modified() || self.settings.save_every_request && is_from_row;
        if is_void {
            // A logout, whatever its status. A cookie that names nothing is left alone by reading:
            // it may have been replaced in the meantime.
            if let Some(key) = &key {
                self.database.delete_session(key).await?;
            }
            if session.is_modified() && visit.has_cookie {
                reply.set_cookie = Some(self.settings.cookie.removal());
            }
        } else if is_due && !response.status().is_server_error() {
            let now = OffsetDateTime::now_utc();
            let former = key.as_ref().filter(|_| !is_from_row);
            let current = key.as_ref().filter(|_| is_from_row);
            let Some(key) = self.save(current, &session, now).await? else {
                return Ok((StatusCode::BAD_REQUEST, INTERRUPTED).into_response());
            };
            if let Some(former) = former {
                self.database.delete_session(former).await?;
            }
            let at_browser_close =
                session.expires_at_browser_close(self.settings.expire_at_browser_close)?;
            let age = session.expiry_age(self.settings.cookie_age, now)?;
            let max_age = (!at_browser_close).then_some(age);
            reply.set_cookie = Some(self.settings.cookie.cookie(key.as_str(), max_age, now)?);
            reply.vary_on_cookie = true;
        }

        let present =
            response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        for (name, value) in reply.headers(present) {
            response.headers_mut().append(HeaderName::from_static(name), value.try_into()?);
        }
        Ok(response)
    }

    /// Writes a session and returns its key, or `None` if the row is gone: somebody has deleted it
    /// since it was read, and it must not come back.
    async fn save(
        &self,
        key: Option<&Key>,
        session: &Session,
        now: OffsetDateTime,
    ) -> Result<Option<Key>, Failure> {
        let data = self.settings.codec.encode_at(session, now)?;
        // Each write moves it, as in Django. Of two requests at once the last one's data stay.
        let expires = session.expiry_date(self.settings.cookie_age, now)?;
        if let Some(key) = key {
            let is_there = self.database.update_session(key, &data, expires).await?;
            return Ok(is_there.then(|| key.clone()));
        }
        loop {
            let key = Key::generate()?;
            if self.database.insert_session(&key, &data, expires).await? {
                return Ok(Some(key));
            }
        }
    }
}

/// Locks the session; what a handler left that panicked is still a session.
fn lock(loaded: &Mutex<Loaded>) -> MutexGuard<'_, Loaded> {
    loaded.lock().unwrap_or_else(PoisonError::into_inner)
}
