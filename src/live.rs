//! Holds a session manager that can be replaced while requests are served.

use std::fmt;
#[cfg(any(feature = "tower", feature = "actix"))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::manager::SessionManager;

/// A session manager whose keys, policy and other settings can change while requests are served.
///
/// Clones share one manager. The layers are created with one: keep a clone, and
/// [`update`](Self::update) it. Each request keeps the manager that it began with, so that it is
/// read and written by the same rules.
///
/// # Examples
///
/// ```
/// use signed_session::{CookieOptions, Keyring, LiveManager, SessionCodec, SessionManager};
///
/// let old = Keyring::new("example-only-winter-correct-horse-battery-staple")?;
/// let manager = SessionManager::new(SessionCodec::new(&old), CookieOptions::new("sessionid")?);
/// let live = LiveManager::from(manager);
/// // SessionLayer::new(live.clone())
///
/// // Later, from a task that watches the file of the secrets.
/// let ring = Keyring::new("example-only-summer-a-wholly-different-passphrase")?
///     .fallback("example-only-winter-correct-horse-battery-staple")?;
/// live.update(|manager| manager.keyring(&ring));
/// # Ok::<(), signed_session::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct LiveManager {
    shared: Arc<Shared>,
}

struct Shared {
    #[cfg(any(feature = "tower", feature = "actix"))]
    id: u64,
    current: RwLock<Arc<SessionManager>>,
    /// Held while an update is computed, so that no other one is lost.
    update: Mutex<()>,
    /// Whether the secrets of the current manager were looked at by a layer.
    is_checked: AtomicBool,
}

impl From<SessionManager> for LiveManager {
    fn from(manager: SessionManager) -> Self {
        #[cfg(any(feature = "tower", feature = "actix"))]
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let shared = Shared {
            #[cfg(any(feature = "tower", feature = "actix"))]
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            current: RwLock::new(Arc::new(manager)),
            update: Mutex::default(),
            is_checked: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl LiveManager {
    /// Returns the manager as it is now.
    ///
    /// This costs no more than cloning an `Arc`. A later [`update`](Self::update) does not change
    /// what was returned.
    #[must_use]
    pub fn get(&self) -> Arc<SessionManager> {
        // A manager is replaced as a whole: no panic leaves it half changed.
        Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the manager by what a function makes of it, for the requests that arrive afterwards.
    ///
    /// The function is given the current one: [`SessionManager::keyring`] replaces its keys and
    /// nothing else. It can return another one that was built anew. The list of
    /// [`Revocations`](crate::Revocations) stays the same whichever it returns: another list would
    /// not know what was ended. What can fail, such as reading a file, belongs before the call.
    ///
    /// Updates happen one after the other, and requests do not wait for them. The function must not
    /// call `update` of the same manager itself. If it panics, the manager stays as it is.
    pub fn update(&self, change: impl FnOnce(SessionManager) -> SessionManager) {
        let Shared { current, update, is_checked, .. } = &*self.shared;
        let _one_at_a_time = update.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.get();
        let new = change(SessionManager::clone(&old)).with_revocations_of(&old);
        *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        is_checked.store(false, Ordering::Relaxed);
    }

    /// Returns a number that its clones have, and no other in this process.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn id(&self) -> u64 {
        self.shared.id
    }

    /// Returns `true` once for each manager that this has held.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn is_news(&self) -> bool {
        let is_checked = &self.shared.is_checked;
        // Read first, because every request asks.
        !is_checked.load(Ordering::Relaxed) && !is_checked.swap(true, Ordering::Relaxed)
    }
}

impl fmt::Debug for LiveManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveManager").finish_non_exhaustive()
    }
}
