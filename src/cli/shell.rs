//! Quotes words for a shell, so that a hint can be pasted into it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

/// Returns a word quoted for a shell.
///
/// A character that is not printable ASCII becomes an octal escape in `$'…'`, which bash, zsh, ksh
/// and POSIX 2024 support. Messages would otherwise escape it in a way that no shell decodes.
pub(crate) fn quote(word: impl AsRef<OsStr>) -> String {
    let bytes = word.as_ref().as_encoded_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return format!("'{}'", String::from_utf8_lossy(bytes).replace('\'', "'\\''"));
    }
    let mut quoted = String::from("$'");
    for byte in bytes {
        match byte {
            b'\'' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted.push('\'');
    quoted
}

/// Returns a path quoted for a shell, which is never read as an option.
pub(crate) fn quote_path(path: &Path) -> String {
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        return quote(Path::new(".").join(path));
    }
    quote(path)
}
