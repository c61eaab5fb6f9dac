//! Carries revocations through a stream of Redis 6.2 or later.
//!
//! A stream is read by position, so that nobody misses what is written while they do not listen, as
//! they would with `PUBLISH`. There are no consumer groups, because every process reads everything.
//!
//! Redis forgets more easily than a disk: configure `appendonly yes` and
//! `maxmemory-policy noeviction`. The user of the program needs no more than
//! `~signed-session:ended:* +xadd +xrange +xread +time`.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamRangeReply};
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, Value, cmd, pipe};
use signed_session::{ApplyError, Revocation, Revocations};
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::Failure;
use crate::queue::Queue;

/// The position before every entry.
const START: &str = "0-0";

/// How many entries are read at once, and how many lost ones are written before it is read again.
const BATCH_LEN: usize = 1_000;

/// How long the connection that waits for news waits. That there is none is news, too.
const WAIT: Duration = Duration::from_secs(1);

/// How long Redis may take to answer, after which it counts as dead.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How soon it is tried again when Redis is dead, at first and at most.
const DELAYS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// How often the whole stream is read and compared with the list of the process.
const WHOLE: Duration = Duration::from_secs(60 * 60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps a list in step with the stream.
pub struct Follower {
    client: Client,
    key: String,
    revocations: Revocations,
    /// How long an entry is kept: a day longer than any session that it can end.
    retention: Duration,
    now: fn() -> OffsetDateTime,
    place: Mutex<Place>,
    writing: Mutex<Option<MultiplexedConnection>>,
}

/// Up to where the stream was read.
struct Place {
    /// Nothing before the first read, and after a failure: then the whole stream is read.
    connection: Option<MultiplexedConnection>,
    /// The last entry before which nothing is left to be applied.
    last: String,
    /// The last entry.
    newest: String,
    /// The last entry that was logged as bad.
    reported: String,
    read_whole_at: Instant,
}

impl Follower {
    /// Creates a follower of a site's stream, for sessions of this lifetime.
    ///
    /// `now` is `OffsetDateTime::now_utc`, except in tests.
    ///
    /// # Errors
    ///
    /// If the URL is not one of Redis, such as `redis://127.0.0.1:6379`.
    pub fn new(
        url: impl IntoConnectionInfo,
        site: &str,
        revocations: Revocations,
        lifetime: Duration,
        now: fn() -> OffsetDateTime,
    ) -> Result<Arc<Self>, Failure> {
        let place = Place {
            connection: None,
            last: START.to_owned(),
            newest: START.to_owned(),
            reported: START.to_owned(),
            read_whole_at: Instant::now(),
        };
        Ok(Arc::new(Self {
            client: Client::open(url)?,
            key: format!("signed-session:ended:{site}"),
            revocations,
            retention: lifetime + DAY,
            now,
            place: Mutex::new(place),
            writing: Mutex::new(None),
        }))
    }

    /// Writes what was ended. Returns when Redis has it.
    ///
    /// # Errors
    ///
    /// If Redis does not answer, or refuses to write.
    pub async fn publish(self: &Arc<Self>, revocation: &Revocation) -> Result<(), Failure> {
        let (follower, batch) = (Arc::clone(self), vec![revocation.clone()]);
        tokio::spawn(async move { follower.write_batch(&batch).await }).await?
    }

    /// Reads all that was written until now: before the first request, a login, and an explicit end.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn catch_up(self: &Arc<Self>) -> Result<(), Failure> {
        let follower = Arc::clone(self);
        // In a task of its own: the visitor may hang up, and the read goes on.
        tokio::spawn(async move { follower.read(&mut *follower.place.lock().await).await }).await?
    }

    /// Reads and writes the stream for as long as the program runs.
    pub async fn run(self: Arc<Self>, queue: Queue) {
        tokio::join!(self.follow(), self.pass_on(queue));
    }

    async fn follow(self: &Arc<Self>) {
        let mut delay = Duration::ZERO;
        loop {
            let Err(error) = self.follow_connection(&mut delay).await;
            if delay.is_zero() {
                tracing::error!(%error, "the list of ended sessions cannot be read");
            }
            delay = (delay * 2).clamp(DELAYS[0], DELAYS[1]);
            // Whoever reads next connects again, and reads all.
            self.place.lock().await.connection = None;
            sleep(delay).await;
        }
    }

    async fn follow_connection(
        self: &Arc<Self>,
        delay: &mut Duration,
    ) -> Result<Infallible, Failure> {
        // A connection of its own, on which nobody else waits.
        let mut connection = self.connect(WAIT + TIMEOUT).await?;
        loop {
            self.catch_up().await?;
            if !delay.is_zero() {
                tracing::info!("the list of ended sessions can be read again");
                *delay = Duration::ZERO;
            }
            let newest = self.place.lock().await.newest.clone();
            let mut wait = cmd("XREAD");
            wait.arg("BLOCK").arg(WAIT.as_millis() as usize).arg("COUNT").arg(1);
            wait.arg("STREAMS").arg(&self.key).arg(newest);
            // It only wakes: what there is to read is read in one place.
            wait.query_async::<Value>(&mut connection).await?;
        }
    }

    /// Writes what is ended here, and tries again until Redis has it.
    async fn pass_on(self: &Arc<Self>, mut queue: Queue) {
        loop {
            let (mut batch, mut delay) = (Vec::new(), DELAYS[0]);
            queue.next(&mut batch).await;
            while let Err(error) = self.write_batch(&batch).await {
                if delay == DELAYS[0] {
                    tracing::error!(%error, "what was ended waits until it can be written");
                }
                sleep(delay).await;
                delay = DELAYS[1].min(delay * 2);
            }
            if queue.take_overflow() {
                // What found no room is in the list, with which the whole stream is compared.
                self.place.lock().await.connection = None;
            }
        }
    }

    async fn connect(&self, timeout: Duration) -> Result<MultiplexedConnection, Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(timeout));
        Ok(self.client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    async fn read(&self, place: &mut Place) -> Result<(), Failure> {
        let mut connection = match place.connection.take() {
            Some(connection) => connection,
            None => {
                place.last = START.to_owned();
                self.connect(TIMEOUT).await?
            }
        };
        // Without the last entry, others are gone as well: a server took over that did not have
        // them, or the stream was deleted. The positions of new ones may then be any.
        let is_there = place.last != START
            && !self.range(&mut connection, &place.last, &place.last).await?.is_empty();
        if is_there && place.read_whole_at.elapsed() < WHOLE {
            self.read_on(&mut connection, place, None).await?;
        } else {
            place.last = START.to_owned();
            self.read_whole(&mut connection, place).await?;
            place.read_whole_at = Instant::now();
        }
        place.connection = Some(connection);
        Ok(())
    }

    /// Reads the stream from its start, and writes again what it has lost.
    ///
    /// Every process that remembers does so at the same time. Each writes some of it, in the order of
    /// its own hash table, and looks what the others wrote before it goes on.
    async fn read_whole(
        &self,
        connection: &mut MultiplexedConnection,
        place: &mut Place,
    ) -> Result<(), Failure> {
        let mut found = HashSet::new();
        loop {
            self.read_on(connection, place, Some(&mut found)).await?;
            let list = self.revocations.list_at((self.now)());
            let is_missing = |revocation: &Revocation| !found.contains(&revocation.to_string());
            let missing: Vec<Revocation> =
                list.into_iter().filter(is_missing).take(BATCH_LEN).collect();
            if missing.is_empty() {
                return Ok(());
            }
            tracing::warn!(lines = missing.len(), "the list of ended sessions had lost some");
            self.write(connection, &missing).await?;
        }
    }

    /// Applies what follows the last entry.
    async fn read_on(
        &self,
        connection: &mut MultiplexedConnection,
        place: &mut Place,
        mut found: Option<&mut HashSet<String>>,
    ) -> Result<(), Failure> {
        let mut is_good = true;
        place.newest.clone_from(&place.last);
        loop {
            let entries = self.range(connection, &format!("({}", place.newest), "+").await?;
            for entry in &entries {
                match self.apply(entry) {
                    Ok(line) => {
                        if let Some(found) = &mut found {
                            found.insert(line);
                        }
                    }
                    Err(error) => {
                        // Once, and not with every read.
                        if is_good && place.reported != entry.id {
                            tracing::error!(entry.id, %error, "a line of ended sessions is bad");
                            place.reported.clone_from(&entry.id);
                        }
                        is_good = false;
                    }
                }
                // A bad line is read again until it is gone, or understood by a later release.
                if is_good {
                    place.last.clone_from(&entry.id);
                }
                place.newest.clone_from(&entry.id);
            }
            if entries.len() < BATCH_LEN {
                break;
            }
        }
        if is_good {
            self.revocations.heard();
        }
        Ok(())
    }

    async fn range(
        &self,
        connection: &mut MultiplexedConnection,
        from: &str,
        to: &str,
    ) -> Result<Vec<StreamId>, Failure> {
        let mut range = cmd("XRANGE");
        range.arg(&self.key).arg(from).arg(to).arg("COUNT").arg(BATCH_LEN);
        Ok(range.query_async::<StreamRangeReply>(connection).await?.ids)
    }

    fn apply(&self, entry: &StreamId) -> Result<String, Failure> {
        let line: String = entry.get("r").ok_or("there is no line in it")?;
        match self.revocations.apply_at(&line.parse()?, (self.now)()) {
            // From a machine whose clock is wrong. Everything else is known, so this is not a silence.
            Err(error @ ApplyError::Ahead) => {
                tracing::error!(%error, "a line of ended sessions is left out");
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        Ok(line)
    }

    async fn write_batch(&self, batch: &[Revocation]) -> Result<(), Failure> {
        let mut writing = self.writing.lock().await;
        let mut connection = match writing.take() {
            Some(connection) => connection,
            None => self.connect(TIMEOUT).await?,
        };
        self.write(&mut connection, batch).await?;
        *writing = Some(connection);
        Ok(())
    }

    async fn write(
        &self,
        connection: &mut MultiplexedConnection,
        batch: &[Revocation],
    ) -> Result<(), Failure> {
        // By the clock that numbers the entries.
        let (seconds, _): (u64, u64) = cmd("TIME").query_async(connection).await?;
        let kept_since = 1000 * seconds.saturating_sub(self.retention.as_secs());
        let mut add = pipe();
        for revocation in batch {
            add.cmd("XADD").arg(&self.key).arg("MINID").arg("~").arg(kept_since).arg("*");
            add.arg("r").arg(revocation.to_string()).ignore();
        }
        Ok(add.query_async(connection).await?)
    }
}
