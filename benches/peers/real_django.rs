//! The real Django, in a Python of its own that answers while the others wait.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::environment;
use crate::race::{Lane, Race};
use crate::sample::SECRET;

/// A Django that runs.
#[derive(Clone)]
pub struct Django {
    worker: Rc<RefCell<Worker>>,
    /// Such as `Django 5.2.15 on Python 3.11.7`.
    pub title: String,
}

struct Worker {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Django's two functions.
#[derive(Clone, Copy)]
pub struct Lanes {
    pub loads: Lane,
    pub dumps: Lane,
}

impl Django {
    /// Starts the newest that `python3` runs, in an environment under `target/`.
    pub fn start() -> Self {
        let environments = environment::environments();
        let Some(django) = environments.last() else {
            panic!("it is Django that is measured against")
        };
        let mut child = Command::new(&django.python)
            .args(["-I", "-c", include_str!("django.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python that was found runs");
        let questions = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut worker = Worker { child, questions, answers };
        let python: String = worker.ask(&json!(["configure", SECRET]));
        let title = format!("Django {} on Python {python}", django.version);
        Self { worker: Rc::new(RefCell::new(worker)), title }
    }

    /// Makes the tokens of sessions, given as JSON, and keeps both under a name.
    pub fn tokens(&self, name: &str, compress: bool, sessions: &[String]) -> Vec<String> {
        self.worker.borrow_mut().ask(&json!(["tokens", name, compress, sessions]))
    }

    /// Enters reading and making the tokens of that name.
    pub fn enter(&self, race: &mut Race, name: &str) -> Lanes {
        let mut lane = |function: &'static str| {
            let (worker, name) = (Rc::clone(&self.worker), name.to_owned());
            race.enter_timed(move |inputs| {
                let question = json!([function, name, inputs.start, inputs.end]);
                Duration::from_secs_f64(worker.borrow_mut().ask(&question))
            })
        };
        Lanes { loads: lane("loads"), dumps: lane("dumps") }
    }
}

impl Worker {
    fn ask<T: DeserializeOwned>(&mut self, question: &Value) -> T {
        writeln!(self.questions, "{question}").expect("Django reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("Django answers");
        serde_json::from_str(&answer).expect("Django answers what it was asked")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
