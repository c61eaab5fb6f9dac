//! Stores messages in the session for the next page that a visitor sees.

use std::fmt;

use crate::django::{Level, Message, MessageStorage, MessagesError};
use crate::handle::SessionHandle;

/// Messages for the next page that the visitor sees, such as "Your order was saved."
///
/// This is an argument of handlers for axum and actix-web. [`add`](Self::add) stores a message in
/// the session; [`take`](Self::take) returns the stored messages and removes them. The format is
/// that of Django's `SessionStorage`: a Django site that shares the session and has it as its
/// `MESSAGE_STORAGE` shows the messages too. For a site that keeps messages in a cookie see
/// [`django::MessageStorage`](crate::django::MessageStorage).
///
/// A logout removes messages with everything else: call [`flush`](SessionHandle::flush) first, and
/// then add "You are logged out." A message to an anonymous visitor is an entry of their session,
/// so they get a cookie.
///
/// Messages take space in the cookie: only a few short ones fit.
///
/// # Examples
///
/// ```
/// use signed_session::django::{MessagesError, Level};
/// use signed_session::{FlashMessages, SessionHandle};
///
/// async fn log_out(session: SessionHandle, flash: FlashMessages) -> Result<(), MessagesError> {
///     session.flush();
///     flash.add(Level::SUCCESS, "You are logged out.")
/// }
///
/// async fn home(flash: FlashMessages) -> Result<String, MessagesError> {
///     let messages = flash.take()?;
///     Ok(messages.iter().map(|message| format!("{}\n", message.text)).collect())
/// }
/// ```
pub struct FlashMessages<M = ()> {
    session: SessionHandle<M>,
}

impl<M> FlashMessages<M> {
    /// Creates the messages of a session, for services without extractors.
    #[must_use]
    pub fn new(session: SessionHandle<M>) -> Self {
        Self { session }
    }

    /// Adds a message.
    ///
    /// # Errors
    ///
    /// [`MessagesError::Value`] if the session's entry for messages holds anything else.
    pub fn add(&self, level: Level, text: impl Into<String>) -> Result<(), MessagesError> {
        self.add_message(Message::new(level, text))
    }

    /// Adds a message that has its own tags, or is safe HTML.
    ///
    /// # Errors
    ///
    /// See [`add`](Self::add).
    pub fn add_message(&self, message: Message) -> Result<(), MessagesError> {
        let mut messages = MessageStorage::session().level(Level(i64::MIN)).load([] as [&str; 0]);
        messages.add(message);
        // No cookie is involved, and the session takes all messages.
        self.session.with(|session| messages.commit(session)).map(drop)
    }

    /// Removes the stored messages from the session and returns them, oldest first.
    ///
    /// # Errors
    ///
    /// See [`add`](Self::add).
    pub fn take(&self) -> Result<Vec<Message>, MessagesError> {
        self.session.with(|session| {
            let mut messages = MessageStorage::session().load([] as [&str; 0]);
            let shown = messages.show(session)?;
            if !shown.is_empty() {
                let _in_the_session = messages.commit(session)?;
            }
            Ok(shown)
        })
    }
}

impl<M> Clone for FlashMessages<M> {
    fn clone(&self) -> Self {
        Self { session: self.session.clone() }
    }
}

/// Shows no message: they belong to the visitor.
impl<M> fmt::Debug for FlashMessages<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlashMessages").finish_non_exhaustive()
    }
}

#[cfg(feature = "axum")]
impl<S: Sync, M: 'static> axum_core::extract::FromRequestParts<S> for FlashMessages<M> {
    type Rejection = crate::handle::MissingSession;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        state: &S,
    ) -> Result<Self, Self::Rejection> {
        use axum_core::extract::FromRequestParts;
        <SessionHandle<M> as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map(Self::new)
    }
}

#[cfg(feature = "actix")]
impl<M: 'static> actix_web::FromRequest for FlashMessages<M> {
    type Error = crate::handle::MissingSession;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(
        request: &actix_web::HttpRequest,
        payload: &mut actix_web::dev::Payload,
    ) -> Self::Future {
        let session = SessionHandle::<M>::from_request(request, payload);
        std::future::ready(session.into_inner().map(Self::new))
    }
}
