//! Starts a Redis of the tests' own, on a port of loopback that the system chooses.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::visitor::PATIENCE;
use tempfile::TempDir;

/// A Redis that writes what it is told to a folder, and is stopped when this is dropped.
pub struct RedisServer {
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    pub fn start() -> Self {
        // Another program may take the port between its choice and its use.
        for _ in 0..10 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let folder = tempfile::tempdir().unwrap();
            let mut server = Self { port, folder, process: None };
            if server.try_to_start() {
                return server;
            }
        }
        panic!("redis-server starts on no port");
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again, with what is in its folder.
    pub fn restart(&mut self) {
        assert!(self.try_to_start(), "redis-server does not start again");
    }

    fn try_to_start(&mut self) -> bool {
        let port = self.port.to_string();
        let process = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--maxmemory-policy", "noeviction", "--dir"])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let mut process = match process {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("redis-server is needed for this test: apt-get install redis-server")
            }
            Err(error) => panic!("redis-server does not start: {error}"),
        };
        let deadline = Instant::now() + PATIENCE;
        while process.try_wait().unwrap().is_none() && Instant::now() < deadline {
            let pid: Result<String, _> = self
                .try_to_connect()
                .and_then(|mut connection| redis::cmd("INFO").arg("server").query(&mut connection));
            if pid.is_ok_and(|info| info.contains(&format!("process_id:{}\r\n", process.id()))) {
                self.process = Some(process);
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = process.kill();
        let _ = process.wait();
        false
    }

    fn try_to_connect(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(self.url())?.get_connection_with_timeout(PATIENCE)
    }

    pub fn connect(&self) -> redis::Connection {
        self.try_to_connect().unwrap()
    }

    /// Ends it as the system does when there is no more memory: with no time for anything.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Stops and continues it, as a machine that hangs.
    pub fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(status.success());
    }

    /// Copies what is on its disk, as a replica that does not get what follows.
    pub fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_files(&self.files(), copy.path());
        copy
    }

    /// Starts it with what was copied.
    pub fn restart_with(&mut self, copy: &TempDir) {
        self.kill();
        fs::remove_dir_all(self.files()).unwrap();
        copy_files(copy.path(), &self.files());
        self.restart();
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("appendonlydir")
    }
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
