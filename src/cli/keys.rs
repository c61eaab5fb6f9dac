//! Reads the secrets of a ring, and warns about weak ones.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use signed_session::environment::{self, FALLBACK_KEYS, KEY, without_line_end, without_mark};
use signed_session::{ConfigError, Keyring};
use zeroize::Zeroizing;

use crate::cli::args::KeyFiles;
use crate::cli::failure::Failure;
use crate::cli::say;
use crate::cli::shell;
use crate::cli::text::from_utf16;

/// The maximum size of a key file in bytes.
///
/// A wrong path, such as that of a device, may have no end.
const MAX_LEN: usize = 64 * 1024;

/// The secrets and their sources.
pub(crate) struct Keys {
    /// The ring of all secrets.
    pub(crate) ring: Keyring,
    /// One for each secret, in the ring's order.
    pub(crate) secrets: Vec<Secret>,
}

pub(crate) struct Secret {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// A description of what was removed from the file, other than a line end.
    pub(crate) taken_off: Option<&'static str>,
    source: Source,
}

enum Source {
    File(PathBuf),
    Variable,
    /// A line of the variable for fallbacks, counted from one.
    Line(usize),
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::File(path) => write!(f, "the key in {}", path.display()),
            Source::Variable => write!(f, "the key in {KEY}"),
            Source::Line(number) => write!(f, "the key in line {number} of {FALLBACK_KEYS}"),
        }
    }
}

impl Keys {
    /// Reads the files or, without files, the environment.
    ///
    /// Warns about weak secrets.
    pub(crate) fn read(files: &KeyFiles) -> Result<Self, Failure> {
        match files.paths.as_slice() {
            [] => Self::new(from_environment()?),
            paths => Self::from_files(paths),
        }
    }

    /// Reads the files, and warns about weak secrets.
    pub(crate) fn from_files(paths: &[PathBuf]) -> Result<Self, Failure> {
        Self::new(paths.iter().map(|path| from_file(path)).collect::<Result<_, _>>()?)
    }

    fn new(secrets: Vec<Secret>) -> Result<Self, Failure> {
        let mut ring = None;
        for secret in &secrets {
            let added = match ring.take() {
                None => Keyring::new(&secret.bytes),
                Some(ring) => Keyring::fallback(ring, &secret.bytes),
            };
            ring = Some(added.map_err(|fault| match fault {
                ConfigError::EmptySecret => {
                    Failure::new(format_args!("{secret} is empty or contains only white space"))
                }
                fault => Failure::new(fault),
            })?);
        }
        let ring = ring.ok_or_else(missing)?;
        let weaknesses = ring.weaknesses();
        for (index, weakness) in &weaknesses {
            if let Some(secret) = secrets.get(*index) {
                say::warning(format_args!("{secret} {weakness}"));
            }
        }
        if !weaknesses.is_empty() {
            say::hint(
                "signed-session keygen --out new.key creates a strong secret; see signed-session \
                 rotate --help for how to deploy it",
            );
        }
        for secret in &secrets {
            if let Some(oddity) = oddity(&secret.bytes) {
                say::warning(format_args!("{secret} {oddity}"));
            }
        }
        Ok(Self { ring, secrets })
    }
}

fn missing() -> Failure {
    Failure::new("no key was given").hint(format_args!(
        "create one with signed-session keygen --out site.key, and pass --key-file site.key or set {KEY}"
    ))
}

/// Returns a warning if a key seems to contain more than the secret.
///
/// The key is used unchanged.
fn oddity(secret: &[u8]) -> Option<&'static str> {
    let quoted = |quote| secret.len() > 1 && secret.starts_with(quote) && secret.ends_with(quote);
    if quoted(b"\"") || quoted(b"'") {
        return Some("is in quotes, which are used as part of the key");
    }
    let equals = secret.iter().position(|byte| *byte == b'=')?;
    let (name, _) = secret.split_at_checked(equals)?;
    let name = name.trim_ascii();
    let name = name.strip_prefix(b"export ").unwrap_or(name).trim_ascii();
    let is_name = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'_';
    let is_setting = name.iter().all(is_name)
        && (name.ends_with(b"KEY") || name.ends_with(b"SECRET") || name.ends_with(b"KEYS"));
    is_setting
        .then_some("looks like a settings line, NAME = value; the whole line is used as the key")
}

fn from_environment() -> Result<Vec<Secret>, Failure> {
    let secret = |secret: environment::Secret| Secret {
        bytes: secret.bytes,
        taken_off: None,
        source: secret.line.map_or(Source::Variable, Source::Line),
    };
    let secrets = environment::secrets().ok_or_else(missing)?;
    Ok(secrets.into_iter().map(secret).collect())
}

fn from_file(path: &Path) -> Result<Secret, Failure> {
    let (bytes, taken_off) = read_file("key", path)?;
    Ok(Secret { bytes, taken_off, source: Source::File(path.to_owned()) })
}

/// Reads the secret in a file, without a byte order mark and one line end.
///
/// Also returns a description of a byte order mark or encoding that was removed. `what` is the name
/// of the secret in messages, such as `key`.
pub(crate) fn read_file(
    what: &str,
    path: &Path,
) -> Result<(Zeroizing<Vec<u8>>, Option<&'static str>), Failure> {
    let file_name = path.display();
    let unreadable = |error: io::Error| {
        // A secret that was passed instead of its path must not be printed.
        let could_be_secret = path.as_os_str().len() >= 32
            && path.extension().is_none()
            && path.components().count() == 1;
        if error.kind() == io::ErrorKind::NotFound && could_be_secret {
            return Failure::new(format_args!("the {what} file does not exist"))
                .hint(format_args!("the option takes the path of a file, not the {what} itself"));
        }
        Failure::new(format_args!("cannot read the {what} file {file_name}: {error}"))
    };
    let file = File::open(path).map_err(unreadable)?;
    warn_if_open_to_others(what, path, &file);
    // Allocated at once: a vector that grew would leave a copy of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN + 64));
    let limit = u64::try_from(MAX_LEN).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_LEN {
        return Err(Failure::new(format_args!(
            "the {what} file {file_name} has more than {MAX_LEN} bytes"
        )));
    }
    let taken_off = if let Some(text) = from_utf16(&bytes) {
        bytes = text;
        Some("is encoded in UTF-16, as written by PowerShell; it was converted to UTF-8")
    } else if without_mark(&bytes).len() < bytes.len() {
        Some("begins with a byte order mark, which is ignored")
    } else {
        None
    };
    if let Some(taken_off) = taken_off {
        say::warning(format_args!("the {what} file {file_name} {taken_off}"));
    }
    let secret = without_line_end(without_mark(&bytes));
    Ok((Zeroizing::new(secret.to_vec()), taken_off))
}

/// Warns about a file that users other than its owner can read or change.
#[cfg(unix)]
fn warn_if_open_to_others(what: &str, path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt as _;

    let Ok(metadata) = file.metadata() else { return };
    let mode = metadata.permissions().mode();
    let open = match (mode & 0o006, mode & 0o060) {
        _ if !metadata.is_file() => return,
        (0, 0) => return,
        (0, 0o040) => "can be read by its group",
        (0, 0o020) => "can be changed by its group",
        (0, _) => "can be read and changed by its group",
        _ => "is open to every user of this machine",
    };
    say::warning(format_args!("the {what} file {} {open}", path.display()));
    say::hint(format_args!("chmod 600 {}", shell::quote_path(path)));
}

#[cfg(not(unix))]
fn warn_if_open_to_others(_: &str, _: &Path, _: &File) {}
