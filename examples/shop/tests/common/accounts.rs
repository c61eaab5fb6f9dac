//! Creates the accounts of a test.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rusqlite::Connection;
use sha2::Sha256;

pub const PASSWORD: &str = "correct horse";

/// Creates accounts whose passwords take no time to check.
pub fn create(path: &Path) {
    let users = Connection::open(path).unwrap();
    let schema = "CREATE TABLE users(
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, is_admin INTEGER NOT NULL,
        password TEXT NOT NULL)";
    users.execute_batch(schema).unwrap();
    let derived = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(PASSWORD.as_bytes(), b"salt", 1);
    let password = format!("1$salt${}", STANDARD_NO_PAD.encode(derived));
    let names = ["ada", "grace", "root"].map(str::to_owned);
    let crowd = (0..20).map(|number| format!("user{number}"));
    for name in names.into_iter().chain(crowd) {
        let insert = "INSERT INTO users(name, is_admin, password) VALUES (?1, ?2, ?3)";
        users.execute(insert, (&name, name == "root", &password)).unwrap();
    }
}
