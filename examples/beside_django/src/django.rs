//! Starts the Django of `site/`, asks it for its settings, and stops it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Failure, random};

/// The script of the documentation, which writes the settings as JSON.
const WRITE_SETTINGS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../src/django/write_settings.py");

/// The folder of the documentation's middleware, which ends sessions together with Rust.
const ENDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../src/django");

/// Django's project, with what it keeps in a folder: its secrets and its database.
pub struct Project {
    python: PathBuf,
    folder: PathBuf,
}

impl Project {
    /// Creates a new secret and an empty database.
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

    /// Creates a superuser and returns the password.
    pub fn create_user(&self, name: &str) -> Result<String, Failure> {
        let mut password = random()?;
        password.truncate(16);
        let email = format!("{name}@example.com");
        let arguments = ["createsuperuser", "--noinput", "--username", name, "--email", &email];
        self.manage(&arguments, &password)?;
        // For the pages to show, which nobody should do anywhere else.
        fs::write(self.folder.join("password"), &password)?;
        Ok(password)
    }

    /// Asks Django for its settings, as JSON.
    ///
    /// They come through a file that nobody else can read.
    pub fn settings(&self) -> Result<String, Failure> {
        let file = self.folder.join("django-settings.json");
        let status = self
            .python(["manage.py", "shell", "--verbosity", "0"])
            .env("SETTINGS_JSON", &file)
            .stdin(File::open(WRITE_SETTINGS)?)
            .status()?;
        if !status.success() {
            return Err("manage.py shell failed".into());
        }
        Ok(fs::read_to_string(file)?)
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

    fn manage(&self, arguments: &[&str], password: &str) -> Result<(), Failure> {
        let status = self
            .python([&["manage.py"], arguments].concat())
            .env("DJANGO_SUPERUSER_PASSWORD", password)
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("manage.py {} failed", arguments[0]).into());
        }
        Ok(())
    }

    fn python(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(&self.python);
        command
            .args(arguments)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("site"))
            .env("SHOP_FOLDER", &self.folder)
            .env("PYTHONPATH", ENDED)
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
