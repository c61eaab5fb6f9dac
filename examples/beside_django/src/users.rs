//! Reads Django's users from its database, and writes nothing there.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tokio::task::spawn_blocking;

use crate::Failure;

/// What is compared with a password for nobody, so that it takes as long as for somebody.
const NOBODY: &str = "pbkdf2_sha256$1000000$salt$";

/// Where the users are.
pub struct Users {
    database: PathBuf,
}

/// Somebody who has an account that is active.
pub struct User {
    pub id: i64,
    pub name: String,
    /// The field of the database, to which Django binds a session.
    pub password: String,
}

impl Users {
    pub fn new(database: PathBuf) -> Self {
        Self { database }
    }

    /// Finds the user whom a session names.
    pub async fn by_id(&self, id: &str) -> Result<Option<User>, Failure> {
        self.find("id", id).await
    }

    /// Finds the user of this name and password, as Django's `authenticate`.
    pub async fn authenticate(
        &self,
        name: String,
        password: String,
    ) -> Result<Option<User>, Failure> {
        let user = self.find("username", &name).await?;
        let field = user.as_ref().map_or(NOBODY, |user| &user.password).to_owned();
        let is_right = spawn_blocking(move || is_password_of(&field, &password)).await?;
        Ok(user.filter(|_| is_right))
    }

    async fn find(&self, column: &'static str, value: &str) -> Result<Option<User>, Failure> {
        let (database, value) = (self.database.clone(), value.to_owned());
        let query = format!(
            "SELECT id, username, password FROM auth_user WHERE is_active AND {column} = ?1"
        );
        let find = move || {
            Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?
                .query_row(&query, [value], |row| {
                    Ok(User { id: row.get(0)?, name: row.get(1)?, password: row.get(2)? })
                })
                .optional()
        };
        Ok(spawn_blocking(find).await??)
    }
}

/// Returns `true` if a password matches a field `pbkdf2_sha256$iterations$salt$hash`.
///
/// Any other field, such as that of a user without a password, is nobody's.
fn is_password_of(field: &str, password: &str) -> bool {
    let mut parts = field.split('$');
    let (Some("pbkdf2_sha256"), Some(iterations), Some(salt), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Ok(iterations) = iterations.parse() else { return false };
    let derived: [u8; 32] =
        pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.as_bytes(), iterations);
    STANDARD.encode(derived).as_bytes().ct_eq(hash.as_bytes()).into()
}
