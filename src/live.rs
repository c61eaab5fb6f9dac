//! Holds a session manager that can be replaced while requests are served.

use std::fmt;
#[cfg(any(feature = "tower", feature = "actix"))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::manager::SessionManager;

/// A session manager whose settings can change while requests are served.
///
/// The settings include the keys and the policy. Clones share one manager. Pass clones to the
/// layers, keep one, and [`update`](Self::update) it. Each request uses the manager with which it
/// began, so that its session is loaded and committed by the same rules.
///
/// # Examples
///
/// ```
/// use signed_session::{CookieOptions, Keyring, LiveManager, SessionCodec, SessionManager};
///
/// let old = Keyring::new("example-only-winter-correct-horse-battery-staple")?;
/// let manager = SessionManager::new(SessionCodec::new(&old), CookieOptions::new("sessionid")?);
/// let live = LiveManager::from(manager);
/// // let layer = SessionLayer::new(live.clone());
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
    /// Held while an update is computed, so that no other update is lost.
    update: Mutex<()>,
    /// Whether the secrets of the current manager were checked for weakness.
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
    /// Returns the current manager.
    ///
    /// This costs as much as cloning an `Arc`. A later [`update`](Self::update) does not change the
    /// manager that was returned.
    #[must_use]
    pub fn get(&self) -> Arc<SessionManager> {
        // A manager is replaced as a whole, so a panic cannot leave it half changed.
        Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the manager. Requests that arrive afterwards use the new one.
    ///
    /// `change` gets the current manager and returns the new one. To replace only the keys, call
    /// [`SessionManager::keyring`]. The list of [`Revocations`](crate::Revocations) always stays
    /// the same, because a new list would not contain the sessions that were ended. Do work that
    /// can fail, such as reading a file, before the call.
    ///
    /// Updates run one after the other, and requests do not wait for them. `change` must not call
    /// `update` of the same manager. If it panics, the manager stays unchanged.
    pub fn update(&self, change: impl FnOnce(SessionManager) -> SessionManager) {
        let Shared { current, update, is_checked, .. } = &*self.shared;
        let _one_at_a_time = update.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.get();
        let new = change(SessionManager::clone(&old)).with_revocations_of(&old);
        *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        is_checked.store(false, Ordering::Relaxed);
    }

    /// Returns a number that identifies this manager and its clones.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn id(&self) -> u64 {
        self.shared.id
    }

    /// Returns `true` in the first call, and in the first after each update.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn is_news(&self) -> bool {
        let is_checked = &self.shared.is_checked;
        // Read before it is written, because every request does this.
        !is_checked.load(Ordering::Relaxed) && !is_checked.swap(true, Ordering::Relaxed)
    }
}

impl fmt::Debug for LiveManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveManager").finish_non_exhaustive()
    }
}
