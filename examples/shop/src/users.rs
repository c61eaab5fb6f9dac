//! Keeps who has an account, in a database that all processes share.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tokio::task::spawn_blocking;

use crate::Failure;

/// As OWASP advises for PBKDF2 with SHA-256.
const ROUNDS: u32 = 600_000;

/// What is compared with a password for nobody, so that it takes as long as for somebody.
const NOBODY: &str = "600000$salt$";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS users(
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        is_admin INTEGER NOT NULL,
        password TEXT NOT NULL
    )";

/// The accounts.
#[derive(Clone)]
pub struct Users {
    path: PathBuf,
}

/// Somebody who has an account.
pub struct User {
    /// The subject of their sessions: it stays the same, and is not given to anybody else.
    pub id: i64,
    pub name: String,
    pub is_admin: bool,
    /// As `rounds$salt$hash`.
    password: String,
}

impl User {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (id, name, is_admin, password) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(Self { id, name, is_admin, password })
    }
}

impl Users {
    /// Opens the accounts. If there are none, creates those of the example, who have one password.
    pub async fn open(path: PathBuf) -> Result<(Self, Option<String>), Failure> {
        let users = Self { path };
        let none = "SELECT NOT EXISTS(SELECT 1 FROM users)";
        let is_new: bool = users
            .ask(move |connection| {
                connection.execute_batch(SCHEMA)?;
                connection.query_row(none, [], |row| row.get(0))
            })
            .await?;
        if !is_new {
            return Ok((users, None));
        }
        let password = random()?;
        let hash = hash(password.clone()).await?;
        let is_new: bool = users
            .ask(move |connection| {
                let behavior = TransactionBehavior::Immediate;
                let transaction = connection.transaction_with_behavior(behavior)?;
                // Another process may have created them meanwhile.
                let is_new = transaction.query_row(none, [], |row| row.get(0))?;
                let insert = "INSERT INTO users(name, is_admin, password) VALUES (?1, ?2, ?3)";
                for (name, is_admin) in [("ada", false), ("grace", false), ("root", true)] {
                    if is_new {
                        transaction.execute(insert, (name, is_admin, &hash))?;
                    }
                }
                transaction.commit()?;
                Ok(is_new)
            })
            .await?;
        Ok((users, is_new.then_some(password)))
    }

    pub async fn by_id(&self, id: i64) -> Result<Option<User>, Failure> {
        let query = "SELECT id, name, is_admin, password FROM users WHERE id = ?1";
        self.ask(move |connection| connection.query_row(query, [id], User::from_row).optional())
            .await
    }

    pub async fn all(&self) -> Result<Vec<User>, Failure> {
        let query = "SELECT id, name, is_admin, password FROM users ORDER BY id";
        self.ask(move |connection| {
            connection.prepare(query)?.query_map([], User::from_row)?.collect()
        })
        .await
    }

    /// Finds the user of this name and password.
    pub async fn authenticate(&self, name: &str, password: &str) -> Result<Option<User>, Failure> {
        let (name, password) = (name.to_owned(), password.to_owned());
        let query = "SELECT id, name, is_admin, password FROM users WHERE name = ?1";
        let user = self
            .ask(move |connection| connection.query_row(query, [name], User::from_row).optional())
            .await?;
        let stored = user.as_ref().map_or(NOBODY, |user| &user.password).to_owned();
        let is_right = spawn_blocking(move || is_password_of(&stored, &password)).await?;
        Ok(user.filter(|_| is_right))
    }

    pub async fn set_password(&self, id: i64, password: String) -> Result<(), Failure> {
        let hash = hash(password).await?;
        let update = "UPDATE users SET password = ?2 WHERE id = ?1";
        self.ask(move |connection| connection.execute(update, (id, hash)).map(drop)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let path = self.path.clone();
        Ok(spawn_blocking(move || question(&mut Connection::open(path)?)).await??)
    }
}

/// Creates a text of 16 random bytes.
pub fn random() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(STANDARD_NO_PAD.encode(bytes))
}

async fn hash(password: String) -> Result<String, Failure> {
    let salt = random()?;
    Ok(spawn_blocking(move || {
        let derived = derive(&password, &salt, ROUNDS);
        format!("{ROUNDS}${salt}${}", STANDARD_NO_PAD.encode(derived))
    })
    .await?)
}

fn derive(password: &str, salt: &str, rounds: u32) -> [u8; 32] {
    pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.as_bytes(), rounds)
}

fn is_password_of(stored: &str, password: &str) -> bool {
    let mut parts = stored.split('$');
    let (Some(rounds), Some(salt), Some(hash)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(rounds) = rounds.parse() else { return false };
    let derived = STANDARD_NO_PAD.encode(derive(password, salt, rounds));
    derived.as_bytes().ct_eq(hash.as_bytes()).into()
}
