//! Turns key files, or the environment, into the secrets of a ring, and warns of weak ones.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use signed_session::{ConfigError, Keyring};
use zeroize::Zeroizing;

use crate::cli::args::KeyFiles;
use crate::cli::failure::Failure;
use crate::cli::say;

const KEY: &str = "SIGNED_SESSION_KEY";
const FALLBACK_KEYS: &str = "SIGNED_SESSION_FALLBACK_KEYS";

/// The most that a key file may hold, in bytes: a wrong path may be endless.
const MAX_LEN: usize = 64 * 1024;

/// The secrets, and where they come from.
pub(crate) struct Keys {
    /// All of them.
    pub(crate) ring: Keyring,
    /// One a secret, in the ring's order.
    pub(crate) secrets: Vec<Secret>,
}

pub(crate) struct Secret {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    source: Source,
}

enum Source {
    File(PathBuf),
    Variable,
    /// A line of the other variable, counted from one.
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
    /// Reads the files or, if none is named, the environment; warns of what is weak.
    pub(crate) fn read(files: &KeyFiles) -> Result<Self, Failure> {
        let secrets = match files.paths.as_slice() {
            [] => from_environment()?,
            paths => paths.iter().map(|path| from_file(path)).collect::<Result<_, _>>()?,
        };
        let mut ring = None;
        for secret in &secrets {
            let added = match ring.take() {
                None => Keyring::new(&secret.bytes),
                Some(ring) => Keyring::fallback(ring, &secret.bytes),
            };
            ring = Some(added.map_err(|fault| match fault {
                ConfigError::EmptySecret => {
                    Failure::new(format_args!("{secret} is empty or only white space"))
                }
                fault => Failure::new(fault),
            })?);
        }
        let ring = ring.ok_or_else(missing)?;
        for (index, weakness) in ring.weaknesses() {
            if let Some(secret) = secrets.get(index) {
                say::warning(format_args!("{secret} {weakness}"));
            }
        }
        Ok(Self { ring, secrets })
    }
}

fn missing() -> Failure {
    Failure::new("there is no key").hint(format_args!(
        "(umask 077 && signed-session keygen > site.key) makes one: give --key-file site.key, \
         or set {KEY}"
    ))
}

fn from_environment() -> Result<Vec<Secret>, Failure> {
    let variable = |name| Some(Zeroizing::new(std::env::var_os(name)?.into_encoded_bytes()));
    let bytes = variable(KEY).ok_or_else(missing)?;
    let mut secrets = vec![Secret { bytes, source: Source::Variable }];
    let retired = variable(FALLBACK_KEYS).unwrap_or_default();
    for (line, number) in retired.split(|byte| *byte == b'\n').zip(1..) {
        if !line.is_empty() {
            let bytes = Zeroizing::new(line.to_vec());
            secrets.push(Secret { bytes, source: Source::Line(number) });
        }
    }
    Ok(secrets)
}

fn from_file(path: &Path) -> Result<Secret, Failure> {
    let unreadable = |error| {
        Failure::new(format_args!("the key file {} cannot be read: {error}", path.display()))
    };
    let file = File::open(path).map_err(unreadable)?;
    warn_if_open_to_all(path, &file);
    // Capacity for all of it: a vector that grew would leave a copy of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN + 64));
    let limit = u64::try_from(MAX_LEN).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_LEN {
        let path = path.display();
        return Err(Failure::new(format_args!(
            "the key file {path} has more than {MAX_LEN} bytes"
        )));
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    Ok(Secret { bytes, source: Source::File(path.to_owned()) })
}

/// Warns of a file that any user of the machine may read or change.
#[cfg(unix)]
fn warn_if_open_to_all(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt as _;

    let open = file
        .metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o006 != 0);
    if open {
        let path = path.display();
        say::warning(format_args!("the key file {path} is open to every user of this machine"));
        say::hint(format_args!("chmod 600 {path}"));
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_all(_: &Path, _: &File) {}
