//! Stores the ended sessions of all subjects, shared by all threads.
//!
//! Its memory is bounded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use crate::identity::{Identity, Subject};
use crate::revocation::state::State;

/// The number of shards, each of which is locked, grown and swept separately.
///
/// With a million subjects no pause is then longer than a millisecond.
const SHARDS: usize = 64;

/// How often a shard that is written to is swept: once an hour (microseconds).
const SWEEP_INTERVAL: i64 = 3_600_000_000;

/// The ended sessions of all subjects.
pub(crate) struct Table {
    /// How long a revocation is kept, in microseconds.
    memory: i64,
    /// The hasher, with a random key: users could make subjects collide.
    hasher: RandomState,
    shards: [RwLock<Shard>; SHARDS],
    /// The shard to sweep next.
    next_swept: AtomicUsize,
    /// Whether anything was ever ended: until then nothing else is read.
    has_any: AtomicBool,
    /// Everyone's sessions that began up to this moment were ended.
    everyone: AtomicI64,
    /// The latest cut-off of any subject.
    latest: AtomicI64,
}

#[derive(Default)]
struct Shard {
    states: HashMap<Subject, State>,
    swept_at: i64,
}

impl Table {
    #[cfg(feature = "random")]
    pub(crate) fn new(memory: i64) -> Self {
        Self {
            memory,
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
            next_swept: AtomicUsize::new(0),
            has_any: AtomicBool::new(false),
            everyone: AtomicI64::new(0),
            latest: AtomicI64::new(0),
        }
    }

    /// Returns `true` if the session was ended.
    pub(crate) fn covers(&self, subject: &Subject, id: Identity) -> bool {
        if !self.has_any.load(Ordering::Acquire) {
            return false;
        }
        id.began <= self.everyone()
            || self.read(subject).states.get(subject).is_some_and(|state| state.covers(id))
    }

    /// Returns the moment up to which everyone's sessions were ended, or zero.
    pub(crate) fn everyone(&self) -> i64 {
        self.everyone.load(Ordering::Acquire)
    }

    /// Returns the first moment that is after all known cut-offs.
    ///
    /// These are everyone's cut-off and the subject's.
    pub(crate) fn first_moment(&self, subject: Option<&Subject>) -> i64 {
        let by = subject.and_then(|subject| Some(self.read(subject).states.get(subject)?.by()));
        by.unwrap_or(0).max(self.everyone()).saturating_add(1)
    }

    /// Ends one session. Returns `true` if that is new.
    pub(crate) fn end(&self, subject: &Subject, id: Identity, now: i64) -> bool {
        id.began >= self.horizon(now) && self.change(subject, now, |state| state.end(id))
    }

    /// Ends a subject's sessions that began up to `by`.
    ///
    /// Returns `true` if that is new.
    pub(crate) fn end_by(&self, subject: &Subject, by: i64, now: i64) -> bool {
        by >= self.horizon(now) && self.change(subject, now, |state| state.end_by(by))
    }

    /// Ends a subject's sessions up to a new cut-off, and returns the cut-off.
    ///
    /// It is at least `at_least`, and after all known cut-offs.
    pub(crate) fn end_all(&self, subject: &Subject, at_least: i64, now: i64) -> i64 {
        let mut by = at_least;
        self.change(subject, now, |state| {
            by = by.max(state.by().max(self.everyone()).saturating_add(1));
            state.end_by(by)
        });
        by
    }

    /// Ends everyone's sessions that began up to `by`.
    ///
    /// Returns `true` if that is new.
    pub(crate) fn end_everyone_by(&self, by: i64, now: i64) -> bool {
        let is_news = by >= self.horizon(now) && by > self.everyone.fetch_max(by, Ordering::AcqRel);
        if is_news {
            self.has_any.store(true, Ordering::Release);
        }
        is_news
    }

    /// Ends everyone's sessions up to a new cut-off, and returns the cut-off.
    ///
    /// It is at least `at_least`, and after all known cut-offs.
    pub(crate) fn end_everyone(&self, at_least: i64) -> i64 {
        let known = self.latest.load(Ordering::Acquire);
        let next = |everyone: i64| at_least.max(everyone.max(known).saturating_add(1));
        let set = self
            .everyone
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |everyone| Some(next(everyone)));
        self.has_any.store(true, Ordering::Release);
        next(set.unwrap_or_else(|everyone| everyone))
    }

    /// Calls `found` with each subject, its cut-off and its ended sessions.
    ///
    /// Omits revocations that have expired by `now`.
    pub(crate) fn for_each(&self, now: i64, mut found: impl FnMut(&Subject, i64, &[Identity])) {
        let horizon = self.horizon(now);
        for shard in &self.shards {
            for (subject, state) in &read(shard).states {
                let by = if state.by() < horizon { 0 } else { state.by() };
                let forgotten = state.ids().partition_point(|id| id.began < horizon);
                found(subject, by, state.ids().get(forgotten..).unwrap_or_default());
            }
        }
    }

    /// Returns the number of subjects that take memory.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).states.len()).sum()
    }

    /// Returns the moment before which nothing is kept.
    ///
    /// A session that began before it has expired anyway: see `Revocations::new`.
    pub(crate) fn horizon(&self, now: i64) -> i64 {
        now.saturating_sub(self.memory)
    }

    fn change(&self, subject: &Subject, now: i64, change: impl FnOnce(&mut State) -> bool) -> bool {
        let mut shard = write(self.shard(subject));
        let change = |state: &mut State| {
            let is_news = change(state);
            // This includes a cut-off caused by too many single sessions: logins come after it.
            self.latest.fetch_max(state.by(), Ordering::AcqRel);
            is_news
        };
        let is_news = match shard.states.entry(subject.clone()) {
            Entry::Occupied(mut entry) => change(entry.get_mut()),
            Entry::Vacant(entry) => {
                let mut state = State::default();
                let is_news = change(&mut state);
                if is_news {
                    entry.insert(state);
                }
                is_news
            }
        };
        drop(shard);
        if is_news {
            self.has_any.store(true, Ordering::Release);
        }
        self.sweep_next(now);
        is_news
    }

    /// Forgets revocations from before the horizon, in one shard, at intervals.
    fn sweep_next(&self, now: i64) {
        let next = self.next_swept.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let interval = self.memory.checked_div(64).unwrap_or(0).min(SWEEP_INTERVAL);
        let Some(shard) = self.shards.get(next) else { return };
        // The thread that holds the lock will sweep later.
        let mut shard = match shard.try_write() {
            Ok(shard) => shard,
            Err(TryLockError::Poisoned(shard)) => shard.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // It is earlier only if the clock was set back.
        if (shard.swept_at..shard.swept_at.saturating_add(interval)).contains(&now) {
            return;
        }
        shard.swept_at = now;
        let horizon = self.horizon(now);
        let states = &mut shard.states;
        states.retain(|_, state| state.forget_before(horizon));
        if states.len() < states.capacity() / 4 {
            states.shrink_to(states.len().saturating_mul(2));
        }
    }

    fn read(&self, subject: &Subject) -> RwLockReadGuard<'_, Shard> {
        read(self.shard(subject))
    }

    fn shard(&self, subject: &Subject) -> &RwLock<Shard> {
        // The map in the shard hashes with another key, so all bits of this hash are independent of
        // it.
        let hash = self.hasher.hash_one(subject).to_le_bytes();
        let [index, ..] = hash;
        self.shards.get(usize::from(index) % SHARDS).unwrap_or(&self.shards[0])
    }
}

/// Locks a shard to read. A panic in a thread leaves it valid.
fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}
