//! Starts a server on a port that the system chooses, talks with it, and ends it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::PATIENCE;

/// A running server.
pub struct Site {
    url: String,
    server: Child,
    first_lines: Vec<String>,
    lines: Receiver<String>,
}

impl Site {
    /// Starts a server that prints `listening on URL` once it is ready.
    ///
    /// # Panics
    ///
    /// If it does not start, or ends without that line.
    pub fn start(command: &mut Command) -> Self {
        let mut server = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut lines = BufReader::new(server.stdout.take().expect("the output is piped")).lines();
        let mut first_lines = Vec::new();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let url = line.strip_prefix("listening on ");
            let url = url.map(|url| url.trim_end_matches('/').to_owned());
            first_lines.push(line);
            url
        });
        let Some(url) = url else {
            let _ = server.kill();
            panic!("{command:?} ended without saying where it listens");
        };
        // A server that writes on must not be stopped by a full pipe.
        let (sender, receiver) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { url, server, first_lines, lines: receiver }
    }

    /// Returns the address of a page; the path begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Returns all that it said until it listened.
    pub fn first_lines(&self) -> &[String] {
        &self.first_lines
    }

    /// Returns what it said behind these words until it listened.
    ///
    /// # Panics
    ///
    /// If it said nothing of the kind.
    pub fn said(&self, words: &str) -> &str {
        let mut rests = self.first_lines.iter().filter_map(|line| line.split_once(words));
        let (_, rest) = rests.next().unwrap_or_else(|| {
            panic!("{words:?} is not in {:?}", self.first_lines);
        });
        rest
    }

    /// Types a line where the server was started, and returns the line that it answers.
    ///
    /// # Panics
    ///
    /// If it does not answer in time.
    pub fn tell(&self, line: &str) -> String {
        let mut input = self.server.stdin.as_ref().expect("the input is piped");
        writeln!(input, "{line}").expect("the server listens");
        let answer = self.lines.recv_timeout(PATIENCE);
        answer.unwrap_or_else(|_| panic!("told {line:?}, the server says nothing"))
    }

    /// Ends the server as the system does when there is no more memory: with no time for anything.
    pub fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Builds an example of the root package, and returns where it is.
///
/// # Panics
///
/// If it cannot be built.
pub fn build_example(name: &str, features: &str) -> PathBuf {
    build(name, &["--package", "signed-session", "--features", features, "--example", name])
}

/// Builds the program of another package of the workspace, and returns where it is.
///
/// # Panics
///
/// If it cannot be built.
pub fn build_package(name: &str) -> PathBuf {
    build(name, &["--package", name])
}

fn build(name: &str, arguments: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .current_dir(&root)
        .arg("build")
        .args(arguments)
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{name} cannot be built");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .unwrap_or_else(|| panic!("cargo does not say where {name} is"))
}

/// Answers every request with one page until the test ends, and returns its address.
///
/// # Panics
///
/// If there is no port for it.
pub fn serve(page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    format!("http://{address}/")
}
