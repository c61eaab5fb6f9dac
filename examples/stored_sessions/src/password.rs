//! Compares a password with a column of `auth_user`, as Django's default hasher does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// The column of no user, so that an unknown name takes as long as a wrong password.
pub const NOBODY: &str = "pbkdf2_sha256$1000000$salt$";

/// Returns `true` if a password is that of a column `pbkdf2_sha256$iterations$salt$hash`.
///
/// Any other column, such as that of a user without a password, matches none.
pub fn matches(column: &str, password: &str) -> bool {
    let mut parts = column.split('$');
    let (Some("pbkdf2_sha256"), Some(iterations), Some(salt), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Ok(iterations) = iterations.parse() else { return false };
    let derived =
        pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.as_bytes(), iterations);
    STANDARD.encode(derived).as_bytes().ct_eq(hash.as_bytes()).into()
}
