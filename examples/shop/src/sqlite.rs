//! Carries revocations through a table of SQLite, for processes that share a disk.
//!
//! SQLite has one writer at a time, so the order of `seq` is the order of the commits: whoever has
//! read up to a number has missed nothing below it. **In Postgres this is not so.** There, read again
//! what is up to a minute old, because reading a line twice is harmless; `LISTEN` can wake the
//! reader but does not replace it, because it loses what is sent while nobody listens.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use signed_session::{ApplyError, Revocation, Revocations};
use time::OffsetDateTime;
use tokio::task::spawn_blocking;

use crate::Failure;
use crate::queue::Queue;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS ended(
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        line TEXT NOT NULL UNIQUE
    )";

/// How often the table is read.
const INTERVAL: Duration = Duration::from_millis(250);

/// How often it is tried again at least, if it cannot be read or written.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// How often all of it is read and compared with the list of the process.
const WHOLE: Duration = Duration::from_secs(60 * 60);

/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(2);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps a list in step with the table.
pub struct Follower {
    path: PathBuf,
    revocations: Revocations,
    /// How long a line is kept: a day longer than any session that it can end.
    retention: Duration,
    now: fn() -> OffsetDateTime,
    place: Mutex<Place>,
}

/// Up to where the table was read.
#[derive(Default)]
struct Place {
    /// Nothing before the first read, and after a failure: then all of it is read.
    table: Option<Table>,
    /// The last row before which nothing is left to be applied.
    last: i64,
    /// The last row that was logged as bad.
    reported: i64,
}

struct Table {
    connection: Connection,
    /// Which file it is, in case another one takes its place.
    file: Option<u64>,
    read_whole_at: Instant,
}

impl Follower {
    /// Creates a follower of the table in a file, for sessions of this lifetime.
    ///
    /// `now` is `OffsetDateTime::now_utc`, except in tests.
    pub fn new(
        path: impl Into<PathBuf>,
        revocations: Revocations,
        lifetime: Duration,
        now: fn() -> OffsetDateTime,
    ) -> Arc<Self> {
        let retention = lifetime + DAY;
        Arc::new(Self { path: path.into(), revocations, retention, now, place: Mutex::default() })
    }

    /// Writes what was ended. Returns when it is on the disk.
    ///
    /// # Errors
    ///
    /// If the table cannot be written.
    pub async fn publish(self: &Arc<Self>, revocation: &Revocation) -> Result<(), Failure> {
        let batch = vec![revocation.clone()];
        self.blocking(move |follower, place| follower.write(follower.table(place)?, &batch)).await
    }

    /// Reads all that was written until now: before the first request, a login, and an explicit end.
    ///
    /// # Errors
    ///
    /// If the table cannot be read.
    pub async fn catch_up(self: &Arc<Self>) -> Result<(), Failure> {
        self.blocking(Self::read).await
    }

    /// Reads and writes the table for as long as the program runs.
    pub async fn run(self: Arc<Self>, mut queue: Queue) {
        let (mut batch, mut delay) = (Vec::new(), INTERVAL);
        loop {
            tokio::select! {
                () = queue.next(&mut batch), if batch.is_empty() => {}
                () = tokio::time::sleep(delay) => {}
            }
            let (written, compare) = (batch.clone(), queue.take_overflow());
            let result = self.blocking(move |follower, place| {
                if compare {
                    place.table = None;
                }
                if !written.is_empty() {
                    follower.write(follower.table(place)?, &written)?;
                }
                follower.read(place)
            });
            match result.await {
                Ok(()) => {
                    if delay != INTERVAL {
                        tracing::info!("the list of ended sessions can be read again");
                    }
                    (batch, delay) = (Vec::new(), INTERVAL);
                }
                Err(error) => {
                    if delay == INTERVAL {
                        tracing::error!(%error, "the list of ended sessions cannot be read");
                    }
                    delay = MAX_DELAY.min(delay * 2);
                }
            }
        }
    }

    /// Runs a function where it may wait for the disk. After a failure all is read again.
    async fn blocking(
        self: &Arc<Self>,
        function: impl FnOnce(&Self, &mut Place) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let follower = Arc::clone(self);
        spawn_blocking(move || {
            let mut place = follower.lock();
            function(&follower, &mut place).inspect_err(|_| place.table = None)
        })
        .await?
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the table, opened if it was not or if another file took its place.
    fn table<'p>(&self, place: &'p mut Place) -> Result<&'p mut Table, Failure> {
        let file = file_number(&self.path);
        let table = place.table.take().filter(|table| table.file == file);
        let table = match table {
            Some(table) => table,
            None => {
                place.last = 0;
                self.open()?
            }
        };
        Ok(place.table.insert(table))
    }

    fn open(&self) -> Result<Table, Failure> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(SCHEMA)?;
        let (file, read_whole_at) = (file_number(&self.path), Instant::now());
        Ok(Table { connection, file, read_whole_at })
    }

    fn read(&self, place: &mut Place) -> Result<(), Failure> {
        self.table(place)?;
        let last = place.last;
        let table = self.table(place)?;
        let is_there = "SELECT EXISTS(SELECT 1 FROM ended WHERE seq = ?1)";
        let is_there: bool =
            table.connection.prepare(is_there)?.query_row([last], |row| row.get(0))?;
        // Without the last row, others are gone as well: it was lost, or a copy was restored.
        if is_there && table.read_whole_at.elapsed() < WHOLE {
            return self.read_on(place, None);
        }
        place.last = 0;
        let mut found = HashSet::new();
        self.read_on(place, Some(&mut found))?;
        let list = self.revocations.list_at((self.now)());
        let is_missing = |revocation: &Revocation| !found.contains(&revocation.to_string());
        let missing: Vec<Revocation> = list.into_iter().filter(is_missing).collect();
        let table = self.table(place)?;
        if !missing.is_empty() {
            tracing::warn!(lines = missing.len(), "the list of ended sessions had lost some");
            self.write(table, &missing)?;
        }
        if !found.is_empty() {
            let before = seconds((self.now)() - self.retention);
            table.connection.execute("DELETE FROM ended WHERE at < ?1", [before])?;
        }
        table.read_whole_at = Instant::now();
        Ok(())
    }

    /// Applies what follows the last row.
    fn read_on(
        &self,
        place: &mut Place,
        mut found: Option<&mut HashSet<String>>,
    ) -> Result<(), Failure> {
        let Place { table: Some(table), last, reported } = place else { return Ok(()) };
        let mut select =
            table.connection.prepare("SELECT seq, line FROM ended WHERE seq > ?1 ORDER BY seq")?;
        let mut rows = select.query([*last])?;
        let mut is_good = true;
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            match row.get(1).map_err(Failure::from).and_then(|line: String| self.apply(line)) {
                Ok(line) => {
                    if let Some(found) = &mut found {
                        found.insert(line);
                    }
                }
                Err(error) => {
                    // Once, and not with every read.
                    if is_good && *reported != seq {
                        tracing::error!(seq, %error, "a line of ended sessions cannot be read");
                        *reported = seq;
                    }
                    is_good = false;
                }
            }
            // A bad line is read again until it is gone, or understood by a later release.
            if is_good {
                *last = seq;
            }
        }
        if is_good {
            self.revocations.heard();
        }
        Ok(())
    }

    fn apply(&self, line: String) -> Result<String, Failure> {
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

    fn write(&self, table: &mut Table, batch: &[Revocation]) -> Result<(), Failure> {
        let at = seconds((self.now)());
        let behavior = TransactionBehavior::Immediate;
        let transaction = table.connection.transaction_with_behavior(behavior)?;
        let mut insert =
            transaction.prepare("INSERT OR IGNORE INTO ended(at, line) VALUES (?1, ?2)")?;
        for revocation in batch {
            insert.execute((at, revocation.to_string()))?;
        }
        drop(insert);
        Ok(transaction.commit()?)
    }
}

fn seconds(moment: OffsetDateTime) -> i64 {
    moment.unix_timestamp()
}

/// Returns which file is at a path, if there is one.
#[cfg(unix)]
fn file_number(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}

/// Returns whether there is a file at a path: an open one cannot be replaced here.
#[cfg(not(unix))]
fn file_number(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|_| 0)
}
