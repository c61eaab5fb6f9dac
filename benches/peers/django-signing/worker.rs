//! Times `django-signing` by itself; peers.rs asks, a line a question, and reads a line of answer.
//!
//! Cargo unites features: in one program with this crate it would be given this crate's zlib.

use std::collections::HashMap;
use std::hint::black_box;
use std::io;
use std::time::Instant;

use django_signing::{Signer as _, TimedSigner as _, TimestampSigner};
use serde_json::{Value, from_value, json};
use support::sample::{Auth, K1, K3, SECRET, Sample};
use time::Duration;

const SALT: &[u8] = b"django.contrib.sessions.backends.signed_cookies";

/// Runs a function, by its name, over the inputs from one to another.
type Run = Box<dyn Fn(&str, usize, usize)>;

fn main() {
    let mut entered: HashMap<String, Run> = HashMap::new();
    for line in io::stdin().lines() {
        let question: Vec<Value> = serde_json::from_str(&line.expect("text")).expect("JSON");
        let text = |index: usize| question[index].as_str().expect("a text");
        let number = |index: usize| question[index].as_u64().expect("a number") as usize;
        let name = text(1).to_owned();
        let answer = if text(0) == "enter" {
            let tokens = from_value(question[3].clone()).expect("tokens");
            let run = match text(2) {
                Auth::NAME => enter::<Auth>(tokens),
                K1::NAME => enter::<K1>(tokens),
                K3::NAME => enter::<K3>(tokens),
                other => panic!("no session {other}"),
            };
            entered.insert(name, run);
            json!(null)
        } else {
            let start = Instant::now();
            entered[&name](text(0), number(2), number(3));
            json!(start.elapsed().as_secs_f64())
        };
        println!("{answer}");
    }
}

/// Takes these tokens to read, and compresses what it makes.
fn enter<S: Sample>(tokens: Vec<String>) -> Run {
    let signer = TimestampSigner::new(SECRET.as_bytes(), SALT);
    let sessions = S::all();
    Box::new(move |function, start, end| {
        for index in start..end {
            if function == "loads" {
                let token = tokens[index].clone();
                let session = signer.unsign_object_with_age::<S>(token, Duration::WEEK * 2);
                black_box(session.expect("good"));
            } else {
                black_box(signer.sign_object(&sessions[index], true));
            }
        }
    })
}
