//! A program reads the same JSON with this library in it as without it, but for floats, which are
//! read exactly.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const MANIFEST: &str = r#"
[package]
name = "neighbour"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[features]
with = ["dep:signed-session"]
raw = ["serde_json/raw_value"]
order = ["serde_json/preserve_order"]
precision = ["serde_json/arbitrary_precision"]

[dependencies]
serde_json = "1"
signed-session = { path = "LIBRARY", optional = true }
"#;

/// Prints what `serde_json` makes of each line.
const PROGRAM: &str = r#"
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use serde_json::{Map, Number, Value, from_str};

#[cfg(feature = "with")]
use signed_session as _;

fn show<T: Debug>(read: serde_json::Result<T>) -> String {
    read.map_or_else(|error| format!("{error}"), |value| format!("{value:?}"))
}

fn main() {
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let value = from_str::<Value>(&line);
        let written = value.as_ref().map_or(String::new(), Value::to_string);
        println!(
            "{} | {written} | {} | {} | {} | {} | {} | {} | {} | {}",
            show(value),
            show(from_str::<BTreeMap<String, Value>>(&line)),
            show(from_str::<Map<String, Value>>(&line)),
            show(from_str::<HashMap<String, Vec<Value>>>(&line)),
            show(from_str::<Vec<Value>>(&line)),
            show(from_str::<Number>(&line)),
            show(from_str::<(i64, u128)>(&line)),
            show(from_str::<Option<String>>(&line)),
            show(from_str::<f64>(&line).map(f64::to_bits)),
        );
    }
}
"#;

const TEXTS: [&str; 24] = [
    r#"{"$serde_json::private::RawValue":"[1,2]"}"#,
    r#"{"$serde_json::private::RawValue":"not JSON"}"#,
    r#"{"$serde_json::private::RawValue":1,"a":2}"#,
    r#"{"a":[{"$serde_json::private::RawValue":"{\"b\":1}"}]}"#,
    r#"[{"$serde_json::private::RawValue":"{\"$serde_json::private::RawValue\":\"[[[]]]\"}"}]"#,
    r#"{"$serde_json::private::Number":"12"}"#,
    r#"{"$serde_json::private::Number":"1e999"}"#,
    r#"{"a":{"$serde_json::private::Number":"x"}}"#,
    r#"{"z":1,"a":2,"m":{"y":1,"b":2}}"#,
    r#"{"a":1,"a":2}"#,
    "123456789012345678901234567890",
    "-123456789012345678901234567890",
    "18446744073709551616",
    "[1,340282366920938463463374607431768211455]",
    "1e400",
    "-0",
    "1.0",
    "[0.5,-0.25,1e3]",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "null",
    "[true,false,[],{}]",
    "{\"a\":}",
    "NaN",
];

/// Those that an ordinary `serde_json` reads inexactly are among them.
const FLOATS: [&str; 5] = [
    "2.638344616030823e-256",
    "1.4324934882506264e+178",
    "0.1000000000000000055511151231257827",
    "31.245270191439438",
    "5e-324",
];

/// Returns what the program prints for these lines, built with these features.
fn printed(features: &str, lines: &[&str]) -> Vec<String> {
    let library = env!("CARGO_MANIFEST_DIR");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("neighbour");
    fs::create_dir_all(program.join("src")).unwrap();
    // The versions of this project, so that nothing is to be fetched.
    fs::copy(Path::new(library).join("Cargo.lock"), program.join("Cargo.lock")).unwrap();
    fs::write(program.join("Cargo.toml"), MANIFEST.replace("LIBRARY", library)).unwrap();
    fs::write(program.join("src/main.rs"), PROGRAM).unwrap();
    let mut child = Command::new(env::var_os("CARGO").expect("cargo runs the tests"))
        .args(["run", "--quiet", "--offline", "--features", features])
        .env("CARGO_TARGET_DIR", program.join("target"))
        .current_dir(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{features}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed: Vec<String> = printed.lines().map(str::to_owned).collect();
    assert_eq!(printed.len(), lines.len());
    printed
}

#[test]
fn a_program_reads_the_same_json_with_the_library_as_without() {
    let without = printed("", &TEXTS);
    let with = printed("with", &TEXTS);
    for ((text, with), without) in TEXTS.iter().zip(&with).zip(&without) {
        assert_eq!(with, without, "{text}");
    }
    // Floats are the exception: with the library they are read exactly.
    for (text, with) in FLOATS.iter().zip(printed("with", &FLOATS)) {
        let bits = text.parse::<f64>().unwrap().to_bits();
        assert_eq!(with.rsplit(" | ").next(), Some(&*bits.to_string()), "{text}");
    }

    // The controls: the features that the library must not turn on are found out.
    for feature in ["raw", "order", "precision"] {
        assert_ne!(printed(feature, &TEXTS), without, "{feature}");
    }
    assert_ne!(printed("", &FLOATS), printed("with", &FLOATS));
}

#[test]
fn no_feature_of_the_library_turns_on_another_of_serde_json() {
    let output = Command::new(env::var_os("CARGO").expect("cargo runs the tests"))
        .args(["tree", "--locked", "--package", "signed-session", "--all-features"])
        .args(["--edges", "normal,features", "--prefix", "none", "--format", "{p} {f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let mut lines = tree.lines().filter(|line| line.starts_with("serde_json v")).peekable();
    assert!(lines.peek().is_some());
    for line in lines {
        assert!(
            !["raw_value", "preserve_order", "arbitrary_precision"]
                .iter()
                .any(|f| line.contains(f)),
            "{line}"
        );
    }
}
