//! A program that times something itself, and answers while the others wait.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::race::{Lane, Race};

/// It takes a question a line, as JSON, and gives an answer a line.
#[derive(Clone)]
pub struct Child(Rc<RefCell<Pipes>>);

struct Pipes {
    child: process::Child,
    /// Closed, the child ends.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Child {
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the program can be run");
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self(Rc::new(RefCell::new(Pipes { child, questions, answers })))
    }

    pub fn ask<T: DeserializeOwned>(&self, question: &Value) -> T {
        let pipes = &mut *self.0.borrow_mut();
        let questions = pipes.questions.as_mut().expect("open until dropped");
        writeln!(questions, "{question}").expect("the child reads");
        let mut answer = String::new();
        pipes.answers.read_line(&mut answer).expect("the child answers");
        serde_json::from_str(&answer).expect("the child answers what it was asked")
    }

    /// Enters one of the child's functions, over the inputs that it has under a name.
    pub fn enter(&self, race: &mut Race, function: &'static str, name: &str) -> Lane {
        let (child, name) = (self.clone(), name.to_owned());
        race.enter_timed(move |inputs| {
            let seconds = child.ask(&json!([function, name, inputs.start, inputs.end]));
            Duration::from_secs_f64(seconds)
        })
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}
