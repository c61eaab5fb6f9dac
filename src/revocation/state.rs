//! Holds the ended sessions of one subject: a cut-off, and single sessions.
//!
//! A session of the subject survives if it began after the cut-off and is not listed. Merging two
//! states keeps only the sessions that survive in both. So it makes no difference in which order
//! and how often revocations arrive, and an ended session never becomes valid again.

use crate::identity::Identity;

/// The maximum number of ended sessions that are listed for one subject.
///
/// If there are more, the oldest of them becomes the cut-off. This ends only sessions of this
/// subject, and only those that began before its 1,000 newest ended sessions.
const MAX_IDS: usize = 1_000;

/// The ended sessions of one subject.
///
/// Most subjects have one entry, which takes no memory other than this.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// All sessions that began up to this moment; zero for none.
    By(i64),
    /// One session.
    One(Identity),
    /// Both.
    Many(Box<Many>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Many {
    by: i64,
    /// In ascending order, all of them after `by`.
    ids: Vec<Identity>,
}

impl Default for State {
    fn default() -> Self {
        Self::By(0)
    }
}

impl State {
    /// Returns the moment up to which all sessions were ended, or zero.
    pub(crate) fn by(&self) -> i64 {
        match self {
            Self::By(by) => *by,
            Self::One(_) => 0,
            Self::Many(many) => many.by,
        }
    }

    /// Returns the sessions that were ended one by one.
    pub(crate) fn ids(&self) -> &[Identity] {
        match self {
            Self::By(_) => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(many) => &many.ids,
        }
    }

    /// Returns `true` if the session was ended.
    pub(crate) fn covers(&self, id: Identity) -> bool {
        id.began <= self.by() || self.ids().binary_search(&id).is_ok()
    }

    /// Ends one session. Returns `true` if it was not ended before.
    pub(crate) fn end(&mut self, id: Identity) -> bool {
        if self.covers(id) {
            return false;
        }
        let Many { mut by, mut ids } = self.take();
        let place = ids.binary_search(&id).unwrap_or_else(|place| place);
        ids.insert(place, id);
        // The oldest, one too many, ends all sessions that began no later than it.
        if let Some(oldest) = ids.len().checked_sub(MAX_IDS + 1).and_then(|at| ids.get(at)) {
            by = oldest.began;
            ids.retain(|id| id.began > by);
        }
        self.put(Many { by, ids });
        true
    }

    /// Ends all sessions that began up to `by`; returns `true` if that is new.
    pub(crate) fn end_by(&mut self, by: i64) -> bool {
        let is_news = by > self.by();
        if is_news {
            let Many { mut ids, .. } = self.take();
            ids.retain(|id| id.began > by);
            self.put(Many { by, ids });
        }
        is_news
    }

    /// Forgets revocations from before a moment; returns `true` if any are left.
    pub(crate) fn forget_before(&mut self, moment: i64) -> bool {
        match self {
            Self::By(by) if *by < moment => *by = 0,
            Self::One(id) if id.began < moment => *self = Self::default(),
            // The cut-off lies before all of the sessions.
            Self::Many(many) if many.by < moment => {
                let Many { mut ids, .. } = self.take();
                ids.retain(|id| id.began >= moment);
                self.put(Many { by: 0, ids });
            }
            Self::By(_) | Self::One(_) | Self::Many(_) => {}
        }
        *self != Self::default()
    }

    fn take(&mut self) -> Many {
        match std::mem::take(self) {
            Self::By(by) => Many { by, ids: Vec::new() },
            Self::One(id) => Many { by: 0, ids: vec![id] },
            Self::Many(many) => *many,
        }
    }

    /// Stores this in the smallest variant.
    fn put(&mut self, mut many: Many) {
        *self = match (many.by, many.ids.as_slice()) {
            (by, []) => Self::By(by),
            (0, [id]) => Self::One(*id),
            _ => {
                many.ids.shrink_to(many.ids.len().saturating_mul(2));
                Self::Many(Box::new(many))
            }
        };
    }
}
