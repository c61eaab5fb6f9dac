//! Speaks with the real Django: one process of `worker.py` or another such program, asked in batches.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use support::django::Django;

pub struct Worker {
    process: Child,
    /// Closed, it ends the process.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    complaints: Option<JoinHandle<String>>,
    pub about: About,
}

/// What the worker says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct About {
    pub django: String,
    pub python: String,
    pub zlib: String,
    /// Whether it signs cookies under the salt with the length, of 5.2.15 and 6.0.6.
    pub v2_cookies: bool,
    /// Whether it reads those under the salt before that.
    pub reads_legacy_cookies: bool,
}

#[derive(Serialize)]
struct Request<'a, C> {
    r#do: &'a str,
    cases: &'a [C],
}

impl Worker {
    pub fn start(django: &Django, program: &str) -> Self {
        Self::start_with(django, program, &[])
    }

    pub fn start_with(django: &Django, program: &str, arguments: &[&OsStr]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live").join(program);
        let mut process = Command::new(&django.python)
            .args(["-I", "-B"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the environment's Python starts");
        let mut stderr = process.stderr.take().expect("piped");
        let complaints = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let mut worker = Self {
            requests: process.stdin.take(),
            answers: BufReader::new(process.stdout.take().expect("piped")),
            complaints: Some(complaints),
            process,
            about: About::default(),
        };
        worker.about = worker.ask("about", &[()]).remove(0);
        assert_eq!(worker.about.django, django.version);
        worker
    }

    /// Sends each case to the worker, and returns its answers in the same order.
    pub fn ask<C: Serialize, A: DeserializeOwned>(&mut self, what: &str, cases: &[C]) -> Vec<A> {
        if cases.is_empty() {
            return Vec::new();
        }
        let request = Request { r#do: what, cases };
        let mut line = serde_json::to_vec(&request).expect("cases can be written as JSON");
        line.push(b'\n');
        let mut answer = String::new();
        let sent = match &mut self.requests {
            Some(requests) => requests.write_all(&line).is_ok(),
            None => false,
        };
        if !sent || !matches!(self.answers.read_line(&mut answer), Ok(1..)) {
            self.died(what);
        }
        let answers: Vec<A> = serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("the worker's answer to {what:?}: {error}"));
        assert_eq!(answers.len(), cases.len(), "one answer a case");
        answers
    }

    fn died(&mut self, what: &str) -> ! {
        self.requests = None;
        let _ = self.process.kill();
        let status = self.process.wait();
        let said = self.complaints.take().and_then(|thread| thread.join().ok());
        panic!("the worker died of {what:?} ({status:?}) and said:\n{}", said.unwrap_or_default());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.requests = None;
        // Its standard input is at an end: it has nothing left to do.
        let _ = self.process.wait();
    }
}
