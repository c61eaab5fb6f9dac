//! Holds what was ended here until the carrier has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signed_session::Revocation;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many revocations wait at most: what finds no room is in the list of the process all the same.
const MAX_LEN: usize = 10_000;

/// How many are written at once.
const BATCH_LEN: usize = 1_000;

/// The end of the queue at which [`Revocations::on_revocation`] adds.
///
/// [`Revocations::on_revocation`]: signed_session::Revocations::on_revocation
#[derive(Clone)]
pub struct Sending {
    sender: Sender<Revocation>,
    has_overflowed: Arc<AtomicBool>,
}

/// The end of the queue from which a carrier is written.
pub struct Queue {
    receiver: Receiver<Revocation>,
    has_overflowed: Arc<AtomicBool>,
}

/// Creates a queue.
#[must_use]
pub fn queue() -> (Sending, Queue) {
    let (sender, receiver) = channel(MAX_LEN);
    let has_overflowed = Arc::default();
    (
        Sending { sender, has_overflowed: Arc::clone(&has_overflowed) },
        Queue { receiver, has_overflowed },
    )
}

impl Sending {
    /// Adds a revocation, without waiting: a response may depend on it.
    pub fn add(&self, revocation: &Revocation) {
        if self.sender.try_send(revocation.clone()).is_err() {
            self.has_overflowed.store(true, Ordering::Relaxed);
        }
    }
}

impl Queue {
    /// Waits for revocations and appends them. Nothing is lost if it is cancelled.
    pub async fn next(&mut self, batch: &mut Vec<Revocation>) {
        if self.receiver.recv_many(batch, BATCH_LEN).await == 0 {
            // Nobody is left who could add one.
            std::future::pending::<()>().await;
        }
    }

    /// Returns `true` if something found no room since this was last asked.
    ///
    /// Then the carrier has to be compared with the list of the process.
    pub fn take_overflow(&mut self) -> bool {
        self.has_overflowed.swap(false, Ordering::Relaxed)
    }
}
