//! Keeps in step with Django which sessions were ended, through a table in its database.
//!
//! The follower is that of the example `shop`; Django's half is the receiver and
//! the middleware of the guide, `src/django/ended.py`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signed_session::{Revocations, SessionManager};
use signed_session_example_shop::queue::queue;
use signed_session_example_shop::sqlite::Follower;
use time::OffsetDateTime;

use crate::Failure;

/// How long a session lasts from its login, as in `ended.py`.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The list of ended sessions, and what keeps it in step.
pub struct Ending {
    revocations: Revocations,
    follower: Arc<Follower>,
}

impl Ending {
    /// Creates the table if there is none, and knows what is in it.
    pub async fn start(database: PathBuf) -> Result<Self, Failure> {
        let (sending, queue) = queue();
        let revocations =
            Revocations::new(LIFETIME).on_revocation(move |revocation| sending.add(revocation));
        let follower =
            Follower::new(database, revocations.clone(), LIFETIME, OffsetDateTime::now_utc);
        follower.catch_up().await?;
        tokio::spawn(Arc::clone(&follower).run(queue));
        Ok(Self { revocations, follower })
    }

    /// Returns a manager that refuses the sessions that were ended.
    pub fn watch(&self, manager: SessionManager) -> SessionManager {
        manager.revocations(self.revocations.clone(), "_auth_user_id")
    }

    /// Reads what was ended until now.
    pub async fn catch_up(&self) -> Result<(), Failure> {
        self.follower.catch_up().await
    }
}
