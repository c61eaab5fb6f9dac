//! The real Django, in a Python of its own.

use std::process::Command;

use serde_json::json;

use crate::child::Child;
use crate::race::{Lane, Race};
use support::django as environment;
use support::sample::SECRET;

/// A Django that runs.
pub struct Django {
    child: Child,
    /// Such as `Django 5.2.15 on Python 3.11.7`.
    pub title: String,
}

/// Django's two functions.
pub struct Lanes {
    pub loads: Lane,
    pub dumps: Lane,
}

impl Django {
    /// Starts the newest that `python3` runs, in an environment under `target/`.
    pub fn start() -> Self {
        let environments = environment::environments();
        let django = environments.last().expect("it is Django that is measured against");
        let child = Child::start(Command::new(&django.python).args([
            "-I",
            "-c",
            include_str!("django.py"),
        ]));
        let python: String = child.ask(&json!(["configure", SECRET]));
        Self { child, title: format!("Django {} on Python {python}", django.version) }
    }

    /// Creates the tokens of sessions, given as JSON, and keeps both under a name.
    pub fn tokens(&self, name: &str, compress: bool, sessions: &[String]) -> Vec<String> {
        self.child.ask(&json!(["tokens", name, compress, sessions]))
    }

    /// Enters reading and making the tokens of that name.
    pub fn enter(&self, race: &mut Race, name: &str) -> Lanes {
        let loads = self.child.enter(race, "loads", name);
        Lanes { loads, dumps: self.child.enter(race, "dumps", name) }
    }
}
