//! Shares the session of a request between middleware and handlers.

use std::any::type_name;
use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use crate::error::{DecodeError, EncodeError, ValueError};
use crate::expiry::Expiry;
use crate::key::Keyring;
use crate::live::LiveManager;
use crate::manager::SessionManager;
use crate::reply::{self, Reply};
use crate::session::Session;

/// The session of a request, as the middleware provides it to handlers.
///
/// The cookie is decoded on first access: a request that never uses the session pays nothing.
/// Clones share one session. All methods of [`Session`] are here too. To make several steps atomic,
/// combine them in a call of [`with`](Self::with).
///
/// The session is written with the head of the response. Changes made later, while a body streams,
/// cannot be saved: methods that return a `Result` then return [`ValueError::TooLate`], and the
/// others log a warning. A warning is also logged if the session is first read at that time,
/// because `Vary: Cookie` is then missing and caches may share the response.
///
/// A request can have more than one session. The marker type `M` distinguishes them: it is the type
/// that was passed to `marked` when the layer was created, or `()` for a layer without a marker.
///
/// # Examples
///
/// A handler, the same for axum and actix-web:
///
/// ```
/// use signed_session::{SessionHandle, ValueError};
///
/// async fn visits(session: SessionHandle) -> Result<String, ValueError> {
///     let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
///     session.insert("visits", visits)?;
///     Ok(format!("You have visited {visits} times."))
/// }
/// ```
pub struct SessionHandle<M = ()> {
    shared: Arc<Shared>,
    // A function type keeps the handle `Send` and `Sync` for every marker.
    marker: PhantomData<fn() -> M>,
}

struct Shared {
    /// The id of the layer's `LiveManager`, as chosen for this request.
    source: u64,
    /// The manager of this request, even if the source has changed since.
    manager: Arc<SessionManager>,
    /// The session of the next outer layer with the same marker.
    outer: Option<Arc<Shared>>,
    state: Mutex<State>,
    /// The thread that uses the session ([`this_thread`]), or 0 if none does.
    user: AtomicUsize,
}

struct State {
    /// The request's `Cookie:` headers.
    cookies: Vec<u8>,
    /// `None` until the session is first accessed.
    /// Boxed, because most requests do not use it, and all of them move the state.
    session: Option<Box<Session>>,
    /// Whether a layer with another manager is between this and the handlers.
    is_hidden: bool,
    /// Whether the response has begun.
    is_sent: bool,
}

impl<M> SessionHandle<M> {
    /// Returns the session of a request with these `Cookie:` headers.
    ///
    /// `outer` is the session that the request already has. The second value is a handle of the
    /// same session if this middleware must commit it. It is `None` if the session belongs to the
    /// same middleware further out, which commits it.
    pub(crate) fn enter<'h>(
        source: &LiveManager,
        outer: Option<&Self>,
        cookie_headers: impl Iterator<Item = &'h [u8]>,
    ) -> (Self, Option<SessionHandle>) {
        let outer = outer.map(|outer| &outer.shared);
        let mut next = outer;
        while let Some(shared) = next {
            let handle = Self { shared: Arc::clone(shared), marker: PhantomData };
            let is_same = shared.source == source.id() && !handle.lock().is_sent;
            // The innermost layer serves the handlers; the layers in between are hidden from them.
            handle.lock().is_hidden = !is_same;
            if is_same {
                return (handle, None);
            }
            next = shared.outer.as_ref();
        }
        let handle = Self::new(source, outer.cloned(), cookie_headers);
        let commits = handle.unmarked();
        (handle, Some(commits))
    }

    fn new<'h>(
        source: &LiveManager,
        outer: Option<Arc<Shared>>,
        cookie_headers: impl Iterator<Item = &'h [u8]>,
    ) -> Self {
        let mut cookies = Vec::new();
        for header in cookie_headers {
            // Allocated for this header alone: nearly every request has only one.
            cookies.reserve_exact(header.len().saturating_add(1));
            cookies.extend_from_slice(header);
            // Several headers are joined with semicolons, as in RFC 9113, section 8.2.3.
            cookies.push(b';');
        }
        let state = Mutex::new(State { cookies, session: None, is_hidden: false, is_sent: false });
        let user = AtomicUsize::new(0);
        let (source, manager) = (source.id(), source.get());
        let shared = Arc::new(Shared { source, manager, outer, state, user });
        Self { shared, marker: PhantomData }
    }

    /// Returns a handle without a marker to the same session, for middleware.
    pub(crate) fn unmarked(&self) -> SessionHandle {
        SessionHandle { shared: Arc::clone(&self.shared), marker: PhantomData }
    }

    /// Returns the session of a request, from the request's extensions.
    ///
    /// Use this in services without extractors, such as those of plain hyper.
    ///
    /// # Errors
    ///
    /// [`MissingSession`] if no [`SessionLayer`](crate::SessionLayer) with this marker is around
    /// the service.
    #[cfg(feature = "tower")]
    pub fn from_extensions(extensions: &http::Extensions) -> Result<Self, MissingSession>
    where
        M: 'static,
    {
        extensions.get::<Self>().cloned().ok_or_else(|| MissingSession::new::<M>(Asker::Service))
    }

    /// Returns the manager of this request's session.
    #[cfg(any(feature = "axum", feature = "actix"))]
    pub(crate) fn manager(&self) -> &SessionManager {
        &self.shared.manager
    }

    /// Runs a function with exclusive access to the session.
    ///
    /// Other uses of the session wait. Inside the function, use its argument and not a handle.
    ///
    /// # Panics
    ///
    /// If the function uses a handle of the same session, which would deadlock.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{SessionHandle, ValueError};
    ///
    /// async fn order(session: SessionHandle) -> Result<String, ValueError> {
    ///     session.with(|session| {
    ///         let cart: Vec<String> = session.pop("cart")?.unwrap_or_default();
    ///         session.insert("order", &cart)?;
    ///         Ok(format!("You ordered {} things.", cart.len()))
    ///     })
    /// }
    /// ```
    pub fn with<R>(&self, function: impl FnOnce(&mut Session) -> R) -> R {
        self.share(|session| {
            // A login in the function begins now, not when the request arrived.
            session.set_now(self.shared.manager.now());
            let (has_cookie, ending) = (session.has_cookie(), session.ending());
            let result = function(session);
            if has_cookie && !session.has_cookie() {
                // The session was moved out and another one is in its place.
                session.replace_moved(ending);
            }
            result
        })
    }

    /// Returns the entry's value, if there is one; see [`Session::get`].
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if the entry does not fit `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ValueError> {
        self.share(|session| session.get(key))
    }

    /// Sets an entry; see [`Session::insert`].
    ///
    /// # Errors
    ///
    /// [`ValueError::NotFinite`], [`ValueError::Unserializable`], [`ValueError::Reserved`] and
    /// [`ValueError::TooLate`].
    pub fn insert<T: Serialize>(&self, key: &str, value: T) -> Result<(), ValueError> {
        self.change(|session| session.insert(key, value))
    }

    /// Removes an entry and returns `true` if there was one.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn remove(&self, key: &str) -> bool {
        self.share(|session| session.remove(key))
    }

    /// Removes an entry and returns its value, if any; see [`Session::pop`].
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if the value does not fit `T`; the entry is then not removed.
    /// [`ValueError::TooLate`] if the response has begun.
    pub fn pop<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ValueError> {
        self.change(|session| session.pop(key))
    }

    /// Returns `true` if there is an entry with this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.share(|session| session.contains_key(key))
    }

    /// Removes all entries and ends the session; see [`Session::flush`].
    ///
    /// Call this at logout.
    pub fn flush(&self) {
        self.share(Session::flush);
    }

    /// Starts a new session, with the entries to keep; see [`Session::begin`].
    ///
    /// Call this at login.
    pub fn begin(&self, keep: impl Fn(&str) -> bool) {
        // Called while the session is not locked, so that `keep` can use it too.
        let kept: HashSet<String> =
            self.share(|session| session.names()).into_iter().filter(|key| keep(key)).collect();
        self.share(|session| {
            session.set_now(self.shared.manager.now());
            session.begin(|key| kept.contains(key));
        });
    }

    /// Returns the session's id; see [`Session::id`].
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.share(|session| session.id().map(str::to_owned))
    }

    /// Returns when the session began, if that is recorded.
    ///
    /// See [`Session::started_at`].
    #[must_use]
    pub fn started_at(&self) -> Option<OffsetDateTime> {
        self.share(|session| session.started_at())
    }

    /// Re-signs the session with a new timestamp; see [`Session::cycle_key`].
    pub fn cycle_key(&self) {
        self.share(Session::cycle_key);
    }

    /// Sets when this session ends; see [`Session::set_expiry`].
    pub fn set_expiry(&self, expiry: Expiry) {
        self.share(|session| session.set_expiry(expiry));
    }

    /// Returns the key ring of this request's manager.
    ///
    /// Use it for everything that is bound to the session's keys, such as
    /// [`AuthUser`](crate::django::AuthUser). A ring in a handler's own state does not change when
    /// the keys of a [`LiveManager`] are replaced; using it would then log everybody out.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        self.shared.manager.ring()
    }

    /// Returns an error if the session, as it is now, could not be written.
    ///
    /// See [`SessionManager::check`].
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLarge`], [`EncodeError::BadExpiry`] and the other errors of
    /// [`SessionManager::commit_at`].
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{EncodeError, SessionHandle, ValueError};
    ///
    /// async fn write_note(session: SessionHandle, note: String) -> Result<&'static str, ValueError> {
    ///     session.insert("note", note)?;
    ///     if let Err(EncodeError::TooLarge { .. }) = session.check() {
    ///         session.remove("note");
    ///         return Ok("That note is too long.");
    ///     }
    ///     Ok("The note was saved.")
    /// }
    /// ```
    pub fn check(&self) -> Result<(), EncodeError> {
        self.share(|session| self.shared.manager.check(session))
    }

    /// Returns an entry's JSON text, unchanged, if there is one.
    ///
    /// See [`Session::get_json`].
    #[must_use]
    pub fn get_json(&self, key: &str) -> Option<String> {
        self.share(|session| session.get_json(key).map(str::to_owned))
    }

    /// Sets an entry to a JSON text; see [`Session::insert_json`].
    ///
    /// # Errors
    ///
    /// [`ValueError::NotJson`], [`ValueError::Reserved`] and [`ValueError::TooLate`].
    pub fn insert_json(&self, key: &str, json: &str) -> Result<(), ValueError> {
        self.change(|session| session.insert_json(key, json))
    }

    /// Returns the entry's value, after inserting `value` if there was none.
    ///
    /// See [`Session::get_or_insert`].
    ///
    /// # Errors
    ///
    /// The errors of [`get`](Self::get) and [`insert`](Self::insert).
    pub fn get_or_insert<T>(&self, key: &str, value: T) -> Result<T, ValueError>
    where
        T: Serialize + DeserializeOwned,
    {
        self.change(|session| session.get_or_insert(key, value))
    }

    /// Changes an entry with a function, and returns the function's result.
    ///
    /// See [`Session::update`]. Other uses of the session wait until the function returns, so that
    /// none of their changes are lost.
    ///
    /// # Errors
    ///
    /// The errors of [`get`](Self::get) and [`insert`](Self::insert).
    ///
    /// # Panics
    ///
    /// If the function uses a handle of the same session, as for [`with`](Self::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{SessionHandle, ValueError};
    ///
    /// async fn add_to_cart(session: SessionHandle) -> Result<String, ValueError> {
    ///     let count = session.update("cart", |cart: &mut Vec<String>| {
    ///         cart.push("pears".to_owned());
    ///         cart.len()
    ///     })?;
    ///     Ok(format!("There are {count} things in the cart."))
    /// }
    /// ```
    pub fn update<T, R>(&self, key: &str, change: impl FnOnce(&mut T) -> R) -> Result<R, ValueError>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        self.change(|session| session.update(key, change))
    }

    /// Returns the entry's value, and removes the entry if it does not fit `T`.
    ///
    /// See [`Session::get_or_discard`].
    #[must_use]
    pub fn get_or_discard<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.share(|session| session.get_or_discard(key))
    }

    /// Returns all entries as one struct or map, without the reserved ones.
    ///
    /// See [`Session::read`].
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] with the key of the entry that does not fit.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        self.share(|session| session.read())
    }

    /// Replaces all entries except the reserved ones with those of `value`.
    ///
    /// See [`Session::replace`].
    ///
    /// # Errors
    ///
    /// [`ValueError::NotAnObject`], [`ValueError::Reserved`], [`ValueError::NotFinite`],
    /// [`ValueError::Unserializable`] and [`ValueError::TooLate`].
    pub fn replace<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), ValueError> {
        self.change(|session| session.replace(value))
    }

    /// Returns the keys in order; see [`Session::keys`].
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.share(|session| session.keys().map(str::to_owned).collect())
    }

    /// Returns the keys, in order, with the JSON text of their values.
    ///
    /// See [`Session::iter`].
    pub fn iter(&self) -> impl Iterator<Item = (String, String)> + use<M> {
        let owned = |(key, json): (&str, &str)| (key.to_owned(), json.to_owned());
        self.share(|session| session.iter().map(owned).collect::<Vec<_>>()).into_iter()
    }

    /// Returns all entries as one JSON object; see [`Session::to_json`].
    #[must_use]
    pub fn to_json(&self) -> String {
        self.share(|session| session.to_json())
    }

    /// Returns the number of entries, reserved ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.share(|session| session.len())
    }

    /// Returns `true` if there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.share(|session| session.is_empty())
    }

    /// Sets several entries; see [`Session::extend`].
    ///
    /// # Errors
    ///
    /// The errors of [`insert`](Self::insert). On error the session is unchanged.
    pub fn extend<K, V, I>(&self, entries: I) -> Result<(), ValueError>
    where
        K: AsRef<str>,
        V: Serialize,
        I: IntoIterator<Item = (K, V)>,
    {
        self.change(|session| session.extend(entries))
    }

    /// Removes all entries without ending the session; see [`Session::clear`].
    pub fn clear(&self) {
        self.share(Session::clear);
    }

    /// Returns the expiry that this session sets; see [`Session::expiry`].
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if `_session_expiry` is not a valid expiry.
    pub fn expiry(&self) -> Result<Expiry, ValueError> {
        self.share(|session| session.expiry())
    }

    /// Returns how long the session lasts; see [`Session::expiry_age`].
    ///
    /// # Errors
    ///
    /// See [`expiry`](Self::expiry).
    pub fn expiry_age(
        &self,
        cookie_age: Duration,
        modification: OffsetDateTime,
    ) -> Result<time::Duration, ValueError> {
        self.share(|session| session.expiry_age(cookie_age, modification))
    }

    /// Returns when the session ends; see [`Session::expiry_date`].
    ///
    /// # Errors
    ///
    /// See [`expiry`](Self::expiry).
    pub fn expiry_date(
        &self,
        cookie_age: Duration,
        modification: OffsetDateTime,
    ) -> Result<OffsetDateTime, ValueError> {
        self.share(|session| session.expiry_date(cookie_age, modification))
    }

    /// Returns `true` if the session ends when the browser is closed.
    ///
    /// See [`Session::expires_at_browser_close`].
    ///
    /// # Errors
    ///
    /// See [`expiry`](Self::expiry).
    pub fn expires_at_browser_close(&self, setting: bool) -> Result<bool, ValueError> {
        self.share(|session| session.expires_at_browser_close(setting))
    }

    /// Sets a test entry; see [`Session::set_test_cookie`].
    pub fn set_test_cookie(&self) {
        self.share(Session::set_test_cookie);
    }

    /// Returns `true` if the session has the test entry.
    #[must_use]
    pub fn test_cookie_worked(&self) -> bool {
        self.share(|session| session.test_cookie_worked())
    }

    /// Removes the test entry and returns `true` if there was one.
    pub fn delete_test_cookie(&self) -> bool {
        self.share(Session::delete_test_cookie)
    }

    /// Returns `true` if the session was changed; see [`Session::is_modified`].
    #[must_use]
    pub fn is_modified(&self) -> bool {
        self.lock().session.as_deref().is_some_and(Session::is_modified)
    }

    /// Returns `true` if the session was read or changed.
    ///
    /// See [`Session::is_accessed`].
    #[must_use]
    pub fn is_accessed(&self) -> bool {
        self.lock().session.as_deref().is_some_and(Session::is_accessed)
    }

    /// Returns when the session's token was signed, if it had one.
    #[must_use]
    pub fn signed_at(&self) -> Option<OffsetDateTime> {
        self.share(|session| session.signed_at())
    }

    /// Returns the index in the ring of the secret that signed the token.
    ///
    /// See [`Session::key_index`].
    #[must_use]
    pub fn key_index(&self) -> Option<usize> {
        self.share(|session| session.key_index())
    }

    /// Returns why the token was refused, if it was; see [`Session::refusal`].
    #[must_use]
    pub fn refusal(&self) -> Option<DecodeError> {
        self.share(|session| session.refusal().cloned())
    }

    /// Runs `function` with the session if it was accessed; never decodes it.
    pub(crate) fn with_loaded<R>(&self, function: impl FnOnce(&mut Session) -> R) -> Option<R> {
        self.lock().session.as_deref_mut().map(function)
    }

    /// Returns what the session adds to the response, or `None` if nothing.
    ///
    /// The response begins now.
    pub(crate) fn commit(&self, status: u16) -> Result<Option<Reply>, EncodeError> {
        let mut state = self.lock();
        let State { cookies, session, is_hidden, is_sent } = &mut *state;
        *is_sent = true;
        let manager = &self.shared.manager;
        let reply = match session {
            None if !manager.saves_every_request() => return Ok(None),
            None => manager.commit(&manager.load([&*cookies]), status),
            Some(session) => {
                let reply = manager.commit(session, status);
                if session.is_asked() && session.is_held_back() {
                    tracing::debug!(
                        "a session was changed after it had been ended: the change is not saved"
                    );
                }
                session.set_saved();
                reply
            }
        };
        let mut reply = reply
            .inspect_err(|reason| tracing::error!(%reason, "the session could not be written"))?;
        if let Some(reason) = &reply.omitted {
            tracing::warn!(%reason, "the session could not be renewed: no cookie is sent");
        }
        if *is_hidden && reply.is_unasked {
            reply.removals.clear();
            reply.set_cookie = None;
        }
        Ok((reply != Reply::default()).then_some(reply))
    }

    fn share<R>(&self, function: impl FnOnce(&mut Session) -> R) -> R {
        self.share_locked(self.lock(), function)
    }

    /// Runs a function that changes the session, unless the response has begun.
    fn change<R>(
        &self,
        function: impl FnOnce(&mut Session) -> Result<R, ValueError>,
    ) -> Result<R, ValueError> {
        let state = self.lock();
        if state.is_sent {
            return Err(ValueError::TooLate);
        }
        self.share_locked(state, function)
    }

    fn share_locked<R>(
        &self,
        mut state: Locked<'_>,
        function: impl FnOnce(&mut Session) -> R,
    ) -> R {
        let State { cookies, session, is_sent, .. } = &mut *state;
        let session = session.get_or_insert_with(|| {
            let session = Box::new(self.shared.manager.load([&*cookies]));
            session.reason().inspect(|reason| log_refusal(reason));
            if self.shared.manager.is_silence_news() {
                tracing::warn!(
                    "news of the sessions that other processes ended is overdue: see \
                     `Revocations::expect_news_within`"
                );
            }
            session
        });
        let was_read = session.is_accessed();
        if session.origin().is_none() {
            // Entries written into it are from now, not from when the request arrived.
            session.set_now(self.shared.manager.now());
        }
        let result = function(session);
        if *is_sent {
            warn_of_late_use(session, was_read);
        }
        result
    }

    /// Locks the state. A handler that panicked leaves a valid session.
    ///
    /// # Panics
    ///
    /// If this thread has locked it already.
    fn lock(&self) -> Locked<'_> {
        let Shared { state, user, .. } = &*self.shared;
        let thread = this_thread();
        // Only this thread writes its own id there, so that no other can be mistaken for it.
        assert!(
            user.load(Ordering::Relaxed) != thread,
            "a session was used again inside `SessionHandle::with` or `update`: use the session that \
             the function is given"
        );
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        user.store(thread, Ordering::Relaxed);
        Locked { state, user }
    }
}

/// The state of a session while one thread uses it.
struct Locked<'a> {
    state: MutexGuard<'a, State>,
    user: &'a AtomicUsize,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // This runs before the guard is dropped, which is a field.
        self.user.store(0, Ordering::Relaxed);
    }
}

/// Returns a number that identifies this thread: a thread-local's address.
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// Returns the headers to append to a response that has the headers `present`.
pub(crate) fn headers<'a, I: IntoIterator<Item = (&'a str, &'a [u8])>>(
    reply: &Reply,
    present: impl Fn() -> I,
) -> Vec<(&'static str, String)> {
    let headers = reply.headers(present());
    if headers.iter().any(|(name, _)| *name == "set-cookie") && reply::is_public(present()) {
        tracing::warn!(
            "a response that sets the session's cookie says `Cache-Control: public`: caches may \
             give the cookie to other visitors"
        );
    }
    headers
}

/// Logs why a cookie was refused, as a warning if the cause persists.
fn log_refusal(reason: &DecodeError) {
    let code = reason.code();
    match reason {
        DecodeError::Ambiguous => tracing::warn!(
            code,
            %reason,
            "a session cookie was refused: if the cookie's domain or path was changed, name the \
             former ones with `SessionManager::retire`; if not, a host of the same site sets \
             cookies of this name"
        ),
        DecodeError::TooManyCookies { .. } => tracing::warn!(
            code,
            %reason,
            "a session cookie was refused: a host of the same site sets cookies of this name; \
             choose another name, if possible one that begins with `__Host-`"
        ),
        reason => tracing::debug!(code, %reason, "a session cookie was refused"),
    }
}

/// Logs a warning about uses of a session whose response had begun.
fn warn_of_late_use(session: &mut Session, was_read: bool) {
    if session.is_modified() {
        if session.is_void() {
            tracing::warn!(
                "the session was ended after its response had begun: its cookie stays in the \
                 browser, and is refused from now on only with `SessionManager::revocations`"
            );
        } else {
            tracing::warn!("the session was changed after its response had begun: not saved");
        }
        // Logged once per change.
        session.set_saved();
    } else if !was_read && session.is_accessed() {
        tracing::warn!(
            "the session was read only after its response had begun: caches may share it"
        );
    }
}

// Implemented by hand, because `derive` would require the same of the marker.
impl<M> Clone for SessionHandle<M> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), marker: PhantomData }
    }
}

/// Omits the content, which is private data.
impl<M> fmt::Debug for SessionHandle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle").finish_non_exhaustive()
    }
}

/// The error for a handler or service without a session layer around it.
///
/// The message says which layer is missing, and where to add it. The response to this error has the
/// status 500 and the message as its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingSession {
    asker: Asker,
    /// The name of the marker's type.
    marker: &'static str,
}

/// The kind of caller that asked for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    #[cfg(feature = "tower")]
    Service,
    #[cfg(feature = "axum")]
    AxumHandler,
    #[cfg(feature = "actix")]
    ActixHandler,
}

impl MissingSession {
    /// Creates the error for a caller that needs a session with the marker `M`.
    pub(crate) fn new<M>(asker: Asker) -> Self {
        Self { asker, marker: type_name::<M>() }
    }
}

impl fmt::Display for MissingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of, new) = match self.marker {
            "()" => (String::new(), "new".to_owned()),
            marker => (format!("<{marker}>"), format!("marked::<{marker}>")),
        };
        match self.asker {
            #[cfg(feature = "tower")]
            Asker::Service => write!(
                f,
                "no session layer is around a service that asks for a SessionHandle{of}: put \
                 SessionLayer::{new}(manager) around it, outside of every layer that uses the session"
            ),
            #[cfg(feature = "axum")]
            Asker::AxumHandler => write!(
                f,
                "no session layer is around a handler that takes a SessionHandle{of}: add \
                 .layer(SessionLayer::{new}(manager)) to the Router, below its routes and below \
                 every layer that uses the session, because a layer wraps only what stands above it"
            ),
            #[cfg(feature = "actix")]
            Asker::ActixHandler => write!(
                f,
                "no session middleware is around a handler that takes a SessionHandle{of}: add \
                 .wrap(SessionMiddleware::{new}(manager)) to the App or to the handler's scope, \
                 below every middleware that uses the session, because the last one is the outermost"
            ),
        }
    }
}

impl Error for MissingSession {}
