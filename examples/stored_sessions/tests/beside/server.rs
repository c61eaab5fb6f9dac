//! Starts a PostgreSQL of the tests' own, on a free port of loopback, which ends with them.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const PASSWORD: &str = "a password for a server that lives as long as a test";

/// Runs the server until its own input ends, which it does with the tests, however they end. Then
/// stops it at once, and removes its folder.
const UNTIL_THE_END: &str =
    r#""$@" & server=$!; read -r end; kill -QUIT $server; wait $server; rm -rf "$FOLDER""#;

pub struct Server {
    programs: PathBuf,
    port: u16,
    _process: Child,
}

impl Server {
    /// Returns the server of all tests.
    pub fn get() -> &'static Self {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        match SERVER.get_or_init(Self::start) {
            Ok(server) => server,
            Err(sentence) => panic!("PostgreSQL could not be started: {sentence}"),
        }
    }

    fn start() -> Result<Self, String> {
        let programs = programs().ok_or("no initdb was found; Debian's package is postgresql")?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?.keep();
        let account = account_for(&folder)?;
        let as_somebody = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir(&folder).env("FOLDER", &folder).stdout(Stdio::null());
            if let Some((user, group)) = account {
                command.uid(user).gid(group);
            }
            command
        };
        let password = folder.join("password");
        fs::write(&password, PASSWORD).map_err(|error| error.to_string())?;
        if let Some((user, group)) = account {
            chown(&password, Some(user), Some(group)).map_err(|error| error.to_string())?;
        }
        let initdb = as_somebody(&programs.join("initdb"))
            .args(["--pgdata", "data", "--username", "django", "--pwfile", "password"])
            .args(["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"])
            .output()
            .map_err(|error| error.to_string())?;
        if !initdb.status.success() {
            return Err(String::from_utf8_lossy(&initdb.stderr).into_owned());
        }
        let mut said = String::new();
        // Another program may take the port between the question for it and its use.
        for _ in 0..5 {
            let port = free_port().map_err(|error| error.to_string())?;
            let mut process = as_somebody(Path::new("sh"))
                .args(["-c", UNTIL_THE_END, "sh"])
                .arg(programs.join("postgres"))
                .args(["-D", "data", "-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
                .args(["-c", "unix_socket_directories=", "-c", "fsync=off"])
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(|error| error.to_string())?;
            let mut lines = BufReader::new(process.stderr.take().ok_or("it is piped")?).lines();
            for line in lines.by_ref().map_while(Result::ok) {
                if line.contains("ready to accept connections") {
                    // It must not be stopped by a full pipe.
                    std::thread::spawn(move || lines.for_each(drop));
                    return Ok(Self { programs, port, _process: process });
                }
                said += &(line + "\n");
                if said.contains("database system is shut down") || said.contains("FATAL") {
                    break;
                }
            }
        }
        Err(said)
    }

    /// Creates an empty database, and returns what Django's settings and a URL say of it.
    pub fn create_database(&self) -> (String, String) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("site_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        let port = self.port;
        let settings = format!(
            "\nDATABASES = {{'default': {{'ENGINE': 'django.db.backends.postgresql', 'NAME': \
             '{name}', 'USER': 'django', 'PASSWORD': '{PASSWORD}', 'HOST': '127.0.0.1', 'PORT': \
             {port}}}}}\n"
        );
        let password = PASSWORD.replace(' ', "%20");
        (settings, format!("postgres://django:{password}@127.0.0.1:{port}/{name}"))
    }

    /// Cuts all connections to a database, as a restart of the server does.
    pub fn cut_connections(&self, url: &str) {
        let (_, name) = url.rsplit_once('/').expect("a URL names the database");
        self.execute(
            "postgres",
            &format!(
                // Waits for each: without the number it returns once the signal is sent.
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                 WHERE datname = '{name}'"
            ),
        );
    }

    fn execute(&self, database: &str, statement: &str) {
        let psql = Command::new(self.programs.join("psql"))
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string(), "--username", "django"])
            .args(["--no-psqlrc", "--quiet", "--dbname", database, "--command", statement])
            .env("PGPASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .output()
            .expect("psql comes with the server");
        assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
    }
}

/// Returns the folder of the server's programs: one of the `PATH`, or where Debian puts them.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let has_all = |folder: &PathBuf| {
        ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).is_file())
    };
    folders.into_iter().find(has_all)
}

/// Gives the folder to somebody else if it is root's, as whom the server refuses to run.
fn account_for(folder: &Path) -> Result<Option<(u32, u32)>, String> {
    let owner = fs::metadata(folder).map_err(|error| error.to_string())?.uid();
    if owner != 0 {
        return Ok(None);
    }
    let accounts = File::open("/etc/passwd").map_err(|error| error.to_string())?;
    let accounts: Vec<String> = BufReader::new(accounts).lines().map_while(Result::ok).collect();
    let find = |name: &str| {
        let account = accounts.iter().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = account.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let (user, group) = find("postgres").or_else(|| find("nobody")).ok_or(
        "it refuses to run as root, and /etc/passwd has no postgres and no nobody instead",
    )?;
    chown(folder, Some(user), Some(group)).map_err(|error| error.to_string())?;
    Ok(Some((user, group)))
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
