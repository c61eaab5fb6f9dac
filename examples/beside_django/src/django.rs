//! Starts the Django of `site/`, asks it for its settings, and stops it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Failure, random};

/// Prints the settings as JSON: the line that `DjangoSettings::from_json` shows.
const SETTINGS: &str = "import json; from django.conf import settings as s; \
    print(json.dumps({n: getattr(s, n) for n in \"SECRET_KEY SECRET_KEY_FALLBACKS \
    SESSION_COOKIE_AGE SESSION_COOKIE_NAME SESSION_COOKIE_DOMAIN SESSION_COOKIE_PATH \
    SESSION_COOKIE_SECURE SESSION_COOKIE_HTTPONLY SESSION_COOKIE_SAMESITE \
    SESSION_SAVE_EVERY_REQUEST SESSION_EXPIRE_AT_BROWSER_CLOSE SESSION_ENGINE \
    SESSION_SERIALIZER MESSAGE_STORAGE MESSAGE_LEVEL MESSAGE_TAGS\".split() \
    if hasattr(s, n)}, default=lambda key: {\"hex\": key.hex()}))";

/// Django's project, with what it keeps in a folder: its secrets and its database.
pub struct Project {
    python: PathBuf,
    folder: PathBuf,
}

impl Project {
    /// Makes a new secret and an empty database.
    pub fn new(python: PathBuf, folder: &Path) -> Result<Self, Failure> {
        let project = Self { python, folder: folder.to_owned() };
        fs::write(project.secrets(), random()? + "\n")?;
        project.manage(&["migrate", "--verbosity", "0"], "")?;
        Ok(project)
    }

    /// Returns the file of the secrets, a line each: the first signs, all are accepted.
    pub fn secrets(&self) -> PathBuf {
        self.folder.join("secret_keys")
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("db.sqlite3")
    }

    /// Makes somebody who may do all that the admin can, and returns the password.
    pub fn create_user(&self, name: &str) -> Result<String, Failure> {
        let mut password = random()?;
        password.truncate(16);
        let email = format!("{name}@example.com");
        let arguments = ["createsuperuser", "--noinput", "--username", name, "--email", &email];
        self.manage(&arguments, &password)?;
        Ok(password)
    }

    /// Asks Django for its settings, as JSON.
    ///
    /// The secrets come through a pipe: what is in arguments, anybody on the machine can read.
    pub fn settings(&self) -> Result<String, Failure> {
        self.manage(&["shell", "--verbosity", "0", "--command", SETTINGS], "")
    }

    /// Starts a server of its own, which reads the secrets as they are now.
    pub fn serve(&self) -> Result<Server, Failure> {
        let mut process = self
            .python(["serve.py"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map(Process)?;
        let mut port = String::new();
        BufReader::new(process.0.stdout.take().ok_or("it is piped")?).read_line(&mut port)?;
        let port = port.trim().parse().map_err(|_| "Django did not start")?;
        Ok(Server { address: (Ipv4Addr::LOCALHOST, port).into(), _process: process })
    }

    fn manage(&self, arguments: &[&str], password: &str) -> Result<String, Failure> {
        let output = self
            .python([&["manage.py"], arguments].concat())
            .env("DJANGO_SUPERUSER_PASSWORD", password)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("manage.py {} failed", arguments[0]).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn python(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(&self.python);
        command
            .args(arguments)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("site"))
            .env("SHOP_FOLDER", &self.folder)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// A running Django; it is stopped when this is dropped.
pub struct Server {
    address: SocketAddr,
    _process: Process,
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

struct Process(Child);

/// Stops Django at once. It would stop by itself: its input closes with this program, however that ends.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
