//! Stores messages in the session for the next page that a visitor sees.

use std::fmt;

use crate::django::{Level, Message, MessageStorage, MessagesError};
use crate::handle::SessionHandle;

/// Messages for the next page that the visitor sees.
///
/// This is an argument of handlers for axum and actix-web. [`add`](Self::add) stores a message,
/// such as "Your order was saved.", in the session; [`take`](Self::take) returns the stored
/// messages and removes them. The format is that of Django's `SessionStorage`: a Django site that
/// shares the session and uses `SessionStorage` shows the messages too. For a site that keeps
/// messages in a cookie see [`django::MessageStorage`](crate::django::MessageStorage).
///
/// A logout removes stored messages with the rest of the session, so call
/// [`flush`](SessionHandle::flush) before you add "You are logged out." A message for an anonymous
/// visitor creates a session, so the response sets a cookie.
///
/// The messages are in the cookie, so only a few short ones fit.
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
    /// Creates a `FlashMessages` for a session, without an extractor.
    #[must_use]
    pub fn new(session: SessionHandle<M>) -> Self {
        Self { session }
    }

    /// Adds a message.
    ///
    /// # Errors
    ///
    /// [`MessagesError::Value`] if the session's entry `_messages` does not contain messages in
    /// Django's format.
    pub fn add(&self, level: Level, text: impl Into<String>) -> Result<(), MessagesError> {
        self.add_message(Message::new(level, text))
    }

    /// Adds a [`Message`], which can have its own tags or be safe HTML.
    ///
    /// # Errors
    ///
    /// See [`add`](Self::add).
    pub fn add_message(&self, message: Message) -> Result<(), MessagesError> {
        let mut messages = MessageStorage::session().level(Level(i64::MIN)).load([] as [&str; 0]);
        messages.add(message);
        // No cookie is involved, and the session stores all messages.
        self.session.with(|session| messages.commit(session)).map(drop)
    }

    /// Removes and returns the stored messages, oldest first.
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

/// Omits the messages, which are private data.
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
