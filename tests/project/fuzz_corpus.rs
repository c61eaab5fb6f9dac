//! Replays the fuzzer's corpora: every law of `fuzz/` holds for every input that was kept.

use std::fs;
use std::path::{Path, PathBuf};

/// The targets whose laws take more than the input: the program, and what only some features have.
const COMMAND_LINE: &str = "command_line";
const ENDED: &str = "ended";

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_law_holds_for_its_corpus() {
    for directory in entries(&corpus()) {
        let name = directory.file_name().unwrap().to_str().unwrap();
        if [COMMAND_LINE, ENDED].contains(&name) {
            continue;
        }
        let law = laws::LAWS.iter().find(|(known, _)| *known == name);
        let (_, law) = law.unwrap_or_else(|| panic!("no law is named {name}"));
        for input in entries(&directory) {
            // A law that is broken panics: the last line names the input.
            println!("{}", input.display());
            law(&fs::read(&input).unwrap());
        }
    }
}

#[test]
fn every_law_holds_for_no_input_and_for_a_single_byte() {
    for (_, law) in laws::LAWS {
        law(&[]);
        (0..=u8::MAX).for_each(|byte| law(&[byte]));
    }
}

#[cfg(feature = "random")]
#[test]
fn the_law_of_what_was_ended_holds_for_its_corpus() {
    use laws::ended;
    use signed_session::Revocations;

    let single_bytes = (0..=u8::MAX).map(|byte| vec![byte]);
    let inputs = entries(&corpus().join(ENDED)).into_iter().map(|input| {
        println!("{}", input.display());
        fs::read(&input).unwrap()
    });
    for input in inputs.chain([vec![]]).chain(single_bytes) {
        ended::law(&input, Revocations::new);
    }
}

#[cfg(all(feature = "cli", unix))]
#[test]
fn the_law_of_the_command_line_holds_for_its_corpus() {
    use std::ffi::OsStr;
    use std::io::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::{Command, Stdio};

    use laws::command_line::{self, Call, Ran};

    let key_file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-corpus.key");
    fs::write(&key_file, laws::SECRET).unwrap();
    let run = |call: &Call| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_signed-session"))
            .args(call.arguments.iter().map(|argument| OsStr::from_bytes(argument)))
            .env_remove("SIGNED_SESSION_KEY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It fits into a pipe, and may be left unread.
        let _ = child.stdin.take().unwrap().write_all(&call.input);
        let output = child.wait_with_output().unwrap();
        let status = output.status.code().and_then(|code| u8::try_from(code).ok());
        Ran { status: status.unwrap_or(u8::MAX), out: output.stdout, err: output.stderr }
    };
    for input in entries(&corpus().join(COMMAND_LINE)) {
        println!("{}", input.display());
        command_line::law(&fs::read(&input).unwrap(), key_file.to_str().unwrap(), run);
    }
}
