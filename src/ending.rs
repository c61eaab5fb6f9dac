//! Tracks a session's identity, in the request and as it is written next.

use std::sync::{Arc, OnceLock};

use crate::age::{Age, Moment};
use crate::error::DecodeError;
use crate::identity::{IdText, Identity, Subject};
use crate::revocation::{CLOCK_SKEW, Revocations};

/// The list of ended sessions, and the key of the entry that names the user.
pub(crate) struct Watch {
    pub(crate) revocations: Revocations,
    pub(crate) subject_key: Box<str>,
}

/// The subject in a session's present entries.
pub(crate) struct Present {
    pub(crate) subject: Option<Subject>,
    /// Whether the session is not, or is no longer, the request's session.
    pub(crate) is_another: bool,
}

/// A session's identity, apart from its entries, which the program can change.
#[derive(Clone)]
pub(crate) struct Ending {
    watch: Arc<Watch>,
    /// The identity of the request's session; an anonymous session has none.
    came: Option<Came>,
    /// The identity of a new session, set when it starts or is first needed.
    begun: OnceLock<Named>,
    /// The identity of a new session, as it was written.
    sent: OnceLock<Owned>,
}

#[derive(Clone)]
struct Came {
    owned: Owned,
    /// Whether the identity is in the token, and not derived from it.
    is_recorded: bool,
}

#[derive(Clone)]
struct Owned {
    subject: Subject,
    named: Named,
}

/// An identity and its text, so that the text can be borrowed.
#[derive(Clone, Copy)]
struct Named {
    id: Identity,
    text: IdText,
}

impl From<Identity> for Named {
    fn from(id: Identity) -> Self {
        Self { id, text: id.text() }
    }
}

impl Ending {
    /// Creates the identity of a session that was not in a token.
    pub(crate) fn new(watch: &Arc<Watch>) -> Self {
        let watch = Arc::clone(watch);
        Self { watch, came: None, begun: OnceLock::new(), sent: OnceLock::new() }
    }

    /// Creates the identity of a session from its entries, if they have one.
    pub(crate) fn of_entries(watch: &Arc<Watch>, subject: Option<&str>, id: Option<&str>) -> Self {
        let subject = Subject::read(subject).ok().flatten();
        let id = id.and_then(|id| Identity::read(id).ok());
        let came = subject.zip(id).map(|(subject, id)| {
            let owned = Owned { subject, named: id.into() };
            Came { owned, is_recorded: true }
        });
        Self { came, ..Self::new(watch) }
    }

    /// Creates the identity of a token's session, or returns why it is refused.
    ///
    /// `subject` and `id` are the JSON of its two entries.
    pub(crate) fn of_token(
        watch: &Arc<Watch>,
        subject: Option<&str>,
        id: Option<&str>,
        token: &str,
        age: Age,
        now: Moment,
    ) -> Result<Self, DecodeError> {
        let mut ending = Self::new(watch);
        // 1: its user
        let Some(subject) = Subject::read(subject)? else { return Ok(ending) };
        // 2: its identity
        let recorded = id.map(Identity::read).transpose()?;
        let id = recorded.unwrap_or_else(|| {
            // The latest moment at which it can have begun.
            let began = age.signed_at.microseconds().saturating_add(CLOCK_SKEW);
            Identity::adopted(token, began)
        });
        // 3: whether it can have begun
        let (now, revocations) = (now.microseconds(), &watch.revocations);
        if Revocations::is_ahead(id.began, now) {
            return Err(DecodeError::NotYetValid { signed_at: age.signed_at.date() });
        }
        // 4: whether its lifetime is over, whatever its own expiry is
        if now.saturating_sub(id.began) > revocations.lifetime() {
            return Err(age.expired());
        }
        // 5: whether it was ended
        if revocations.covers(&subject, id) {
            return Err(DecodeError::Revoked);
        }
        let owned = Owned { subject, named: id.into() };
        ending.came = Some(Came { owned, is_recorded: recorded.is_some() });
        Ok(ending)
    }

    pub(crate) fn subject_key(&self) -> &str {
        &self.watch.subject_key
    }

    /// Returns `true` if this is refused because the list is out of date.
    pub(crate) fn is_unheard(&self) -> bool {
        self.came.is_some() && self.watch.revocations.refuses()
    }

    /// Returns the request's identity, if the session was not replaced.
    fn came(&self, present: &Present) -> Option<&Came> {
        let is_same = |came: &&Came| present.subject.as_ref() == Some(&came.owned.subject);
        self.came.as_ref().filter(|_| !present.is_another).filter(is_same)
    }

    /// Returns the text of the session's present identity.
    pub(crate) fn text(&self, present: &Present, now: Moment) -> Option<&str> {
        Some(self.named(present, now)?.text.as_str())
    }

    /// Returns when the present session began, in microseconds.
    pub(crate) fn began(&self, present: &Present, now: Moment) -> Option<i64> {
        Some(self.named(present, now)?.id.began)
    }

    /// Returns the session's present identity.
    ///
    /// A new session has an identity before its subject is known.
    fn named(&self, present: &Present, now: Moment) -> Option<&Named> {
        if let Some(sent) = self.sent.get() {
            return Some(&sent.named);
        }
        let Some(subject) = &present.subject else { return self.begun.get() };
        Some(match self.came(present) {
            Some(came) => &came.owned.named,
            None => self.begun.get_or_init(|| self.draw(Some(subject), now)),
        })
    }

    /// Returns the identity to write, and its remaining time in microseconds.
    ///
    /// An anonymous session has neither.
    pub(crate) fn written(&self, present: &Present, now: Moment) -> Option<(IdText, i64)> {
        let subject = present.subject.as_ref()?;
        let named = if let Some(came) = self.came(present) {
            came.owned.named
        } else {
            let begun = self.begun.get_or_init(|| self.draw(Some(subject), now)).id;
            // Revocations of other sessions since it began do not apply to it.
            let first = self.watch.revocations.first_moment(Some(subject));
            let named = Named::from(begun.at_or_after(first));
            self.sent.get_or_init(|| Owned { subject: subject.clone(), named });
            named
        };
        let lifetime = self.watch.revocations.lifetime();
        let left = named.id.began.saturating_add(lifetime).saturating_sub(now.microseconds());
        Some((named.text, left))
    }

    fn draw(&self, subject: Option<&Subject>, now: Moment) -> Named {
        self.watch.revocations.begin(subject, now.microseconds()).into()
    }

    /// Sets a new identity at once, so that the program can read it.
    pub(crate) fn begin(&mut self, subject: Option<&Subject>, now: Moment) {
        self.replace_sent();
        self.begun = self.draw(subject, now).into();
    }

    /// Sets the subject of a new session.
    ///
    /// Earlier revocations of the subject do not apply to the session.
    pub(crate) fn set_subject(&mut self, subject: &Subject) {
        if self.sent.get().is_some_and(|sent| sent.subject != *subject) {
            self.replace_sent();
            self.begun.take();
        }
        if let Some(begun) = self.begun.take() {
            let first = self.watch.revocations.first_moment(Some(subject));
            self.begun = Named::from(begun.id.at_or_after(first)).into();
        }
    }

    /// Treats the session that was written as the request's session.
    ///
    /// Called when a new session replaces it.
    fn replace_sent(&mut self) {
        let has_ended = |Came { owned, .. }: &Came| {
            self.watch.revocations.covers(&owned.subject, owned.named.id)
        };
        let is_gone = self.came.as_ref().is_none_or(has_ended);
        // If the request's session is still valid, the one that replaces it was never sent.
        if let Some(owned) = self.sent.take().filter(|_| is_gone) {
            self.came = Some(Came { owned, is_recorded: true });
        }
    }

    /// Ends the request's session and the written one; a new session starts.
    pub(crate) fn flush(&mut self, now: Moment) {
        let ended = Self::new(&self.watch);
        let Self { came, sent, .. } = std::mem::replace(self, ended);
        for owned in came.map(|came| came.owned).into_iter().chain(sent.into_inner()) {
            self.watch.revocations.end_session(owned.subject, owned.named.id, now.microseconds());
        }
    }

    /// Ends the request's session if a different session was written.
    pub(crate) fn end_former(&self, present: &Present, now: Moment) {
        if let (Some(Came { owned, .. }), None) = (&self.came, self.came(present)) {
            let Owned { subject, named } = owned.clone();
            self.watch.revocations.end_session(subject, named.id, now.microseconds());
        }
    }

    /// Returns `true` if the request's session was not replaced, but was ended.
    pub(crate) fn has_ended_since(&self, present: &Present) -> bool {
        self.came(present).is_some_and(|Came { owned, .. }| {
            self.watch.revocations.covers(&owned.subject, owned.named.id)
        })
    }

    /// Returns `true` if the identity was derived, and is not recorded yet.
    pub(crate) fn is_adopted(&self, present: &Present) -> bool {
        self.came(present).is_some_and(|came| !came.is_recorded)
    }

    /// Returns the subject and identity of the session that the browser has.
    pub(crate) fn current(&self, present: &Present) -> Option<(&Subject, Identity)> {
        let came = || self.came(present).map(|came| &came.owned);
        let Owned { subject, named } = self.sent.get().or_else(came)?;
        Some((subject, named.id))
    }
}
