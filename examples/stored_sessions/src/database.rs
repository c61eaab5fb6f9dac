//! Reads and writes Django's tables, in SQLite or in PostgreSQL, with the same statements.
//!
//! A program of your own has one database: keep the half that you need.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use time::{OffsetDateTime, UtcOffset};
use tokio::task::spawn_blocking;
use tokio_postgres::NoTls;

use crate::Failure;
use crate::key::Key;

/// A connection to the site's database, or several.
#[derive(Clone)]
pub enum Database {
    Sqlite(Arc<Mutex<Connection>>),
    Postgres(Pool),
}

/// A parameter of a statement.
///
/// A statement names them `$1`, `$2`, … in the order in which they first appear: PostgreSQL goes by
/// the number, SQLite by the order.
#[derive(Clone)]
enum Value {
    Text(String),
    Integer(i64),
    Moment(OffsetDateTime),
}

/// A user who is active.
pub struct User {
    pub id: i64,
    pub name: String,
    /// The column of that name, to which Django binds a session.
    pub password: String,
}

impl Database {
    /// Opens `sqlite:PATH` or `postgres://…`, as `DATABASES` in Django's settings names it.
    pub fn open(url: &str) -> Result<Self, Failure> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Self::open_sqlite(Path::new(path));
        }
        // Without TLS: for a server on the same machine or in a network of your own.
        // A connection that the server has closed is noticed before a request depends on it.
        let verified = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let manager = Manager::from_config(url.parse()?, NoTls, verified);
        Ok(Self::Postgres(Pool::builder(manager).build()?))
    }

    fn open_sqlite(path: &Path) -> Result<Self, Failure> {
        // Not created where there is none: Django does that.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        Ok(Self::Sqlite(Arc::new(Mutex::new(connection))))
    }

    // Sessions.

    /// Returns the `session_data` of a session that is not over.
    pub async fn session(&self, key: &Key, now: OffsetDateTime) -> Result<Option<String>, Failure> {
        let row = self.row(
            "SELECT session_data FROM django_session WHERE session_key = $1 AND expire_date > $2",
            vec![key.into(), now.into()],
        );
        Ok(row.await?.map(|[data]| data))
    }

    /// Adds a session and returns `true`, or returns `false` if there is one of this key.
    pub async fn insert_session(
        &self,
        key: &Key,
        data: &str,
        expires: OffsetDateTime,
    ) -> Result<bool, Failure> {
        let inserted = self.execute(
            "INSERT INTO django_session (session_key, session_data, expire_date) \
             VALUES ($1, $2, $3) ON CONFLICT (session_key) DO NOTHING",
            vec![key.into(), data.into(), expires.into()],
        );
        Ok(inserted.await? == 1)
    }

    /// Changes a session and returns `true`, or returns `false` if there is none of this key.
    pub async fn update_session(
        &self,
        key: &Key,
        data: &str,
        expires: OffsetDateTime,
    ) -> Result<bool, Failure> {
        let updated = self.execute(
            "UPDATE django_session SET session_data = $1, expire_date = $2 WHERE session_key = $3",
            vec![data.into(), expires.into(), key.into()],
        );
        Ok(updated.await? == 1)
    }

    /// Deletes a session, if it is there.
    pub async fn delete_session(&self, key: &Key) -> Result<(), Failure> {
        let statement = "DELETE FROM django_session WHERE session_key = $1";
        self.execute(statement, vec![key.into()]).await?;
        Ok(())
    }

    // Users.

    /// Returns the active user of this id.
    pub async fn user(&self, id: i64) -> Result<Option<User>, Failure> {
        // The column has 32 bits or 64, which depends on the site.
        self.find_user("id = CAST($1 AS BIGINT)", Value::Integer(id)).await
    }

    /// Returns the active user of this name.
    pub async fn user_of_name(&self, name: &str) -> Result<Option<User>, Failure> {
        self.find_user("username = $1", name.into()).await
    }

    async fn find_user(&self, condition: &str, value: Value) -> Result<Option<User>, Failure> {
        let statement = format!(
            "SELECT CAST(id AS TEXT), username, password FROM auth_user \
             WHERE {condition} AND is_active"
        );
        let Some([id, name, password]) = self.row(&statement, vec![value]).await? else {
            return Ok(None);
        };
        Ok(Some(User { id: id.parse()?, name, password }))
    }

    /// Records a login, as Django's `update_last_login`.
    pub async fn set_last_login(&self, id: i64, now: OffsetDateTime) -> Result<(), Failure> {
        let statement = "UPDATE auth_user SET last_login = $1 WHERE id = CAST($2 AS BIGINT)";
        self.execute(statement, vec![now.into(), Value::Integer(id)]).await?;
        Ok(())
    }

    // How it is done.

    /// Returns the first row, whose columns are text.
    async fn row<const N: usize>(
        &self,
        statement: &str,
        values: Vec<Value>,
    ) -> Result<Option<[String; N]>, Failure> {
        let row: Option<Vec<String>> = match self {
            Self::Sqlite(connection) => {
                let find = |connection: &Connection, statement: &str, values: Vec<Value>| {
                    let mut statement = connection.prepare(statement)?;
                    let columns = |row: &rusqlite::Row<'_>| (0..N).map(|n| row.get(n)).collect();
                    statement.query_row(rusqlite::params_from_iter(values), columns).optional()
                };
                blocking(connection, statement, values, find).await?
            }
            Self::Postgres(pool) => {
                let client = pool.get().await?;
                let prepared = client.prepare_cached(statement).await?;
                let row = client.query_opt(&prepared, &parameters(&values)).await?;
                row.map(|row| (0..N).map(|n| row.try_get(n)).collect()).transpose()?
            }
        };
        Ok(row.and_then(|columns| columns.try_into().ok()))
    }

    /// Executes a statement and returns how many rows it has changed.
    async fn execute(&self, statement: &str, values: Vec<Value>) -> Result<u64, Failure> {
        match self {
            Self::Sqlite(connection) => {
                let execute = |connection: &Connection, statement: &str, values: Vec<Value>| {
                    let mut statement = connection.prepare(statement)?;
                    statement.execute(rusqlite::params_from_iter(values))
                };
                Ok(u64::try_from(blocking(connection, statement, values, execute).await?)?)
            }
            Self::Postgres(pool) => {
                let client = pool.get().await?;
                let prepared = client.prepare_cached(statement).await?;
                Ok(client.execute(&prepared, &parameters(&values)).await?)
            }
        }
    }
}

/// Asks SQLite on a thread that may wait: another connection may be writing.
async fn blocking<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    statement: &str,
    values: Vec<Value>,
    ask: impl FnOnce(&Connection, &str, Vec<Value>) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let (connection, statement) = (Arc::clone(connection), statement.to_owned());
    let ask =
        move || ask(&connection.lock().unwrap_or_else(PoisonError::into_inner), &statement, values);
    Ok(spawn_blocking(ask).await??)
}

fn parameters(values: &[Value]) -> Vec<&(dyn tokio_postgres::types::ToSql + Sync)> {
    let parameters = values.iter().map(|value| match value {
        Value::Text(text) => text as _,
        Value::Integer(integer) => integer as _,
        Value::Moment(moment) => moment as _,
    });
    parameters.collect()
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Text(text) => text.as_str().into(),
            Self::Integer(integer) => (*integer).into(),
            Self::Moment(moment) => django_text(*moment).into(),
        })
    }
}

/// Returns a moment as Django writes it into SQLite, in UTC: dates are compared as text there.
fn django_text(moment: OffsetDateTime) -> String {
    let utc = moment.to_offset(UtcOffset::UTC);
    let (hour, minute, second, microsecond) = utc.to_hms_micro();
    let date_and_time = format!("{} {hour:02}:{minute:02}:{second:02}", utc.date());
    // Python leaves out a fraction of zero.
    if microsecond == 0 { date_and_time } else { format!("{date_and_time}.{microsecond:06}") }
}

impl From<&Key> for Value {
    fn from(key: &Key) -> Self {
        key.as_str().into()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<OffsetDateTime> for Value {
    fn from(moment: OffsetDateTime) -> Self {
        Self::Moment(moment)
    }
}
