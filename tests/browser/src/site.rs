//! Starts a server on a port that the system chooses, and ends it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// A running server.
pub struct Site {
    url: String,
    server: Child,
}

impl Site {
    /// Starts a server that prints `listening on URL` once it is ready.
    ///
    /// # Panics
    ///
    /// If it does not start, or ends without that line.
    pub fn start(command: &mut Command) -> Self {
        let mut server = command
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut lines = BufReader::new(server.stdout.take().expect("the output is piped")).lines();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.strip_prefix("listening on ").map(|url| url.trim_end_matches('/').to_owned())
        });
        let Some(url) = url else {
            let _ = server.kill();
            panic!("{command:?} ended without saying where it listens");
        };
        // A server that writes on must not be stopped by a full pipe.
        thread::spawn(move || lines.for_each(drop));
        Self { url, server }
    }

    /// Returns the address of a page; the path begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Has cargo build an example of the root package, and returns where it is.
///
/// # Panics
///
/// If it cannot be built.
pub fn build_example(name: &str, features: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .current_dir(&root)
        .args(["build", "--package", "signed-session", "--features", features])
        .args(["--example", name, "--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the example {name} cannot be built");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .unwrap_or_else(|| panic!("cargo does not say where the example {name} is"))
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
