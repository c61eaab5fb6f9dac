//! Chooses between the two carriers. Your program has one, and calls it directly.

use std::sync::Arc;

use signed_session::Revocation;

use crate::queue::Queue;
use crate::{Failure, redis, sqlite};

#[derive(Clone)]
pub enum Carrier {
    Sqlite(Arc<sqlite::Follower>),
    Redis(Arc<redis::Follower>),
}

impl Carrier {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "a table of SQLite",
            Self::Redis(_) => "a stream of Redis",
        }
    }

    pub async fn publish(&self, revocation: &Revocation) -> Result<(), Failure> {
        match self {
            Self::Sqlite(follower) => follower.publish(revocation).await,
            Self::Redis(follower) => follower.publish(revocation).await,
        }
    }

    pub async fn catch_up(&self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(follower) => follower.catch_up().await,
            Self::Redis(follower) => follower.catch_up().await,
        }
    }

    pub async fn run(self, queue: Queue) {
        match self {
            Self::Sqlite(follower) => follower.run(queue).await,
            Self::Redis(follower) => follower.run(queue).await,
        }
    }
}
