//! Knows which session one is, as it came and as it is written next.

use std::sync::{Arc, OnceLock};

use time::OffsetDateTime;

use crate::age::Age;
use crate::error::DecodeError;
use crate::identity::{IdText, Identity, Subject, microseconds};
use crate::revocation::{CLOCK_SKEW, Revocations};

/// The list of ended sessions, and the entry that says whose a session is.
pub(crate) struct Watch {
    pub(crate) revocations: Revocations,
    pub(crate) subject_key: Box<str>,
}

/// What a session's entries say of whose it is, and whether it is another one than came.
pub(crate) struct Present {
    pub(crate) subject: Option<Subject>,
    pub(crate) is_another: bool,
}

/// Which session one is, apart from its entries: these are the program's to change.
#[derive(Clone)]
pub(crate) struct Ending {
    watch: Arc<Watch>,
    /// As it came; an anonymous session has no identity.
    came: Option<Came>,
    /// As it begins here, from when that was decided or asked for.
    begun: OnceLock<Named>,
    /// As it was written here, if it began here.
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

/// An identity, with its text to be borrowed.
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
    /// Returns what is known of a session that did not come in a token.
    pub(crate) fn new(watch: &Arc<Watch>) -> Self {
        let watch = Arc::clone(watch);
        Self { watch, came: None, begun: OnceLock::new(), sent: OnceLock::new() }
    }

    /// Returns what is known of a session by its entries: the identity, if there is one.
    pub(crate) fn of_entries(watch: &Arc<Watch>, subject: Option<&str>, id: Option<&str>) -> Self {
        let subject = Subject::read(subject).ok().flatten();
        let id = id.and_then(|id| Identity::read(id).ok());
        let came = subject.zip(id).map(|(subject, id)| {
            let owned = Owned { subject, named: id.into() };
            Came { owned, is_recorded: true }
        });
        Self { came, ..Self::new(watch) }
    }

    /// Returns what is known of a session that came in this token, unless it is over.
    ///
    /// `subject` and `id` are the JSON of its two entries.
    pub(crate) fn of_token(
        watch: &Arc<Watch>,
        subject: Option<&str>,
        id: Option<&str>,
        token: &str,
        age: Age,
        now: OffsetDateTime,
    ) -> Result<Self, DecodeError> {
        let mut ending = Self::new(watch);
        // 1: whose it is
        let Some(subject) = Subject::read(subject)? else { return Ok(ending) };
        // 2: which one it is
        let recorded = id.map(Identity::read).transpose()?;
        let id = recorded.unwrap_or_else(|| {
            // The latest moment at which it can have begun.
            let began = microseconds(age.signed_at).saturating_add(CLOCK_SKEW);
            Identity::adopted(token, began)
        });
        // 3: whether it can have begun
        let (now, revocations) = (microseconds(now), &watch.revocations);
        if Revocations::is_ahead(id.began, now) {
            return Err(DecodeError::NotYetValid { signed_at: age.signed_at });
        }
        // 4: whether its time is over, whatever its own expiry is
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

    /// Returns `true` if the list is silent and this session therefore refused.
    pub(crate) fn is_unheard(&self) -> bool {
        self.came.is_some() && self.watch.revocations.refuses()
    }

    /// Returns the identity that came, if the session is still the one that came.
    fn came(&self, present: &Present) -> Option<&Came> {
        let is_same = |came: &&Came| present.subject.as_ref() == Some(&came.owned.subject);
        self.came.as_ref().filter(|_| !present.is_another).filter(is_same)
    }

    /// Returns the text of the identity that the session has now.
    pub(crate) fn text(&self, present: &Present, now: OffsetDateTime) -> Option<&str> {
        Some(self.named(present, now)?.text.as_str())
    }

    /// Returns when the session began that it is now, in microseconds.
    pub(crate) fn began(&self, present: &Present, now: OffsetDateTime) -> Option<i64> {
        Some(self.named(present, now)?.id.began)
    }

    /// Returns the identity that the session has now. If it was begun it has one before its subject
    /// is known.
    fn named(&self, present: &Present, now: OffsetDateTime) -> Option<&Named> {
        if let Some(sent) = self.sent.get() {
            return Some(&sent.named);
        }
        let Some(subject) = &present.subject else { return self.begun.get() };
        Some(match self.came(present) {
            Some(came) => &came.owned.named,
            None => self.begun.get_or_init(|| self.draw(Some(subject), now)),
        })
    }

    /// Returns the identity that the session is written with, and how long it may still last, in
    /// microseconds. An anonymous session has none.
    pub(crate) fn written(&self, present: &Present, now: OffsetDateTime) -> Option<(IdText, i64)> {
        let subject = present.subject.as_ref()?;
        let named = if let Some(came) = self.came(present) {
            came.owned.named
        } else {
            let begun = self.begun.get_or_init(|| self.draw(Some(subject), now)).id;
            // What was ended since it began ended the sessions before it.
            let first = self.watch.revocations.first_moment(Some(subject));
            let named = Named::from(begun.at_or_after(first));
            self.sent.get_or_init(|| Owned { subject: subject.clone(), named });
            named
        };
        let lifetime = self.watch.revocations.lifetime();
        let left = named.id.began.saturating_add(lifetime).saturating_sub(microseconds(now));
        Some((named.text, left))
    }

    fn draw(&self, subject: Option<&Subject>, now: OffsetDateTime) -> Named {
        self.watch.revocations.begin(subject, microseconds(now)).into()
    }

    /// Gives the session another identity, at once, so that the program can note it.
    pub(crate) fn begin(&mut self, subject: Option<&Subject>, now: OffsetDateTime) {
        self.begun = self.draw(subject, now).into();
    }

    /// Has a session that was begun belong to this subject, whose earlier ends do not concern it.
    pub(crate) fn set_subject(&mut self, subject: &Subject) {
        if let Some(begun) = self.begun.take() {
            let first = self.watch.revocations.first_moment(Some(subject));
            self.begun = Named::from(begun.id.at_or_after(first)).into();
        }
    }

    /// Ends the session, as it came and as it was written: another one begins.
    pub(crate) fn flush(&mut self, now: OffsetDateTime) {
        let ended = Self::new(&self.watch);
        let Self { came, sent, .. } = std::mem::replace(self, ended);
        for owned in came.map(|came| came.owned).into_iter().chain(sent.into_inner()) {
            self.watch.revocations.end_session(owned.subject, owned.named.id, microseconds(now));
        }
    }

    /// Ends the session as it came, if what was written is another one.
    pub(crate) fn end_former(&self, present: &Present, now: OffsetDateTime) {
        if let (Some(Came { owned, .. }), None) = (&self.came, self.came(present)) {
            let Owned { subject, named } = owned.clone();
            self.watch.revocations.end_session(subject, named.id, microseconds(now));
        }
    }

    /// Returns `true` if a session that is still the one that came was ended since.
    pub(crate) fn has_ended_since(&self, present: &Present) -> bool {
        self.came(present).is_some_and(|Came { owned, .. }| {
            self.watch.revocations.covers(&owned.subject, owned.named.id)
        })
    }

    /// Returns `true` if the identity of a session that came was derived and is still to be recorded.
    pub(crate) fn is_adopted(&self, present: &Present) -> bool {
        self.came(present).is_some_and(|came| !came.is_recorded)
    }

    /// Returns whose session it is and which one, of one that browsers can have.
    pub(crate) fn current(&self, present: &Present) -> Option<(&Subject, Identity)> {
        let came = || self.came(present).map(|came| &came.owned);
        let Owned { subject, named } = self.sent.get().or_else(came)?;
        Some((subject, named.id))
    }
}
