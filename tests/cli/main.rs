//! Holds the command line to its transcripts, and to what it promises scripts.
#![cfg(all(feature = "cli", unix))]

mod pasted;
mod transcript;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use signed_session::{DecodeError, Keyring, Session, SessionCodec, Signer, django};
use time::OffsetDateTime;
use transcript::Scratch;

const SECRET: &str = "of-the-tests-of-the-command-line-summer-horse-battery";

/// The time at which the tests sign, in Unix seconds.
const NOON: i64 = 1_700_000_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn transcripts() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("tests/cli")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension() == Some(OsStr::new("md"))).collect();
    files.sort();
    files
}

fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(NOON).unwrap()
}

fn codec() -> SessionCodec {
    SessionCodec::new(&Keyring::new(SECRET).unwrap()).max_token_len(65_536).max_payload_len(1 << 20)
}

fn token(user_id: usize) -> String {
    let mut session = Session::new();
    session.insert("user_id", user_id).unwrap();
    codec().encode_at(&session, noon()).unwrap()
}

/// The program with the secret in its environment and nothing on standard input.
fn program<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signed-session"));
    command
        .args(arguments)
        .env("SIGNED_SESSION_KEY", SECRET)
        .env_remove("SIGNED_SESSION_FALLBACK_KEYS")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program with this on standard input.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = program(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // It may end before it has read all.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    })
}

const BULK: [&str; 5] = ["decode", "--at", "1700000010", "--format", "jsonl"];

#[test]
fn every_command_prints_what_its_transcript_shows() {
    for file in transcripts() {
        for ran in transcript::check(&file, |_| true) {
            let is_message = |line: &str| {
                ["error: ", "hint: ", "warning: ", "note: "]
                    .iter()
                    .any(|kind| line.starts_with(kind))
            };
            let command = &ran.command;
            assert!(ran.err.lines().all(is_message), "{command}: {}", ran.err);
            assert!(!ran.out.lines().any(is_message), "{command}: {}", ran.out);
            assert!(!ran.err.lines().any(|line| line.ends_with('.')), "{command}: {}", ran.err);
        }
    }
}

#[test]
fn every_option_of_every_command_is_in_a_transcript() {
    let help = fs::read_to_string(root().join("tests/cli/help.md")).unwrap();
    let shown: String = transcripts()
        .iter()
        .filter(|file| file.file_stem() != Some(OsStr::new("help")))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let mut options = 0;
    for page in help.split("$ signed-session ").filter(|page| page.contains(" --help\n")) {
        let (command, page) = page.split_once(' ').unwrap();
        let names = page.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
        let names = names.map(|line| line.split(' ').next().unwrap());
        for name in names.filter(|name| !["help", "version"].contains(name)) {
            let uses = |line: &str| {
                let mut words = line.split([' ', '"']).skip_while(|word| *word != command);
                words.any(|word| word == format!("--{name}"))
            };
            assert!(shown.lines().any(uses), "no transcript has {command} --{name}");
            options += 1;
        }
    }
    assert!(options > 40, "found {options} options in the help");
}

/// The blocks of the documentation that need jq, which is not part of Rust or Python, run where this is set.
const JQ: &str = "SIGNED_SESSION_JQ";

#[test]
fn the_sessions_in_the_readme_print_what_stands_there() {
    let with_jq = std::env::var(JQ).as_deref() == Ok("1");
    let check = |page: &str| {
        transcript::check(&root().join(page), |command| with_jq || !command.contains("jq "))
    };
    assert!(!check("README.md").is_empty());
    let ran = check("docs/command-line.md");
    if !with_jq {
        eprintln!("note: the session with jq is run where {JQ}=1");
    }
    assert!(ran.len() > 10);
}

/// Whether a text holds the secret, as it is or in the encodings at hand.
fn gives_away(text: &[u8]) -> bool {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    // A part will do: an error may quote the beginning.
    let parts = [SECRET[..12].to_owned(), SECRET[30..].to_owned(), hex];
    let encoded = [STANDARD_NO_PAD.encode(SECRET), URL_SAFE_NO_PAD.encode(SECRET)];
    let holds = |part: &String| text.windows(part.len()).any(|bytes| bytes == part.as_bytes());
    parts.iter().chain(&encoded).any(holds)
}

#[test]
fn the_secret_is_in_no_output_no_error_and_no_help() {
    assert!(gives_away(format!("key: {SECRET}\n").as_bytes()), "the test finds what it looks for");
    let scratch = Scratch::new("secret");
    let key = scratch.0.join("site.key");
    // Wrong ways of storing it, each of which is an error or a warning.
    fs::write(&key, [SECRET.as_bytes(), &[b'\n'; 70_000]].concat()).unwrap();
    let long = key.to_str().unwrap();
    let good = token(1);
    let cut = &good[..60];
    let mut runs: Vec<Vec<&str>> = vec![vec![], vec!["--help"], vec!["--version"], vec!["nothing"]];
    for command in ["encode", "decode", "sign", "unsign", "inspect", "explain"] {
        for rest in [
            &["--help"][..],
            &["-h"],
            &["--nothing"],
            &["{}"],
            &[&good],
            &[cut],
            &["--at", "1700000010", &good],
            &["--salt", "dumps", &good],
            &["--format", "json", &good],
            &["--key-file", long, &good],
            &["--key-file", "nothing", &good],
        ] {
            runs.push([&[command], rest].concat());
        }
    }
    let old = scratch.0.join("old.key");
    fs::write(&old, format!("SECRET_KEY = \"{SECRET}\"\n")).unwrap();
    let old = old.to_str().unwrap();
    runs.extend([
        vec!["explain", "--key-file", old, &good],
        vec!["explain", "--verbose", "--key-file", old, cut],
        vec!["decode", "--key-file", SECRET, &good],
        vec!["decode", "--key", SECRET, &good],
        vec!["rotate", "--old", old, "--new", old],
        vec!["rotate", "--old", old, "--new", long],
        vec!["rotate", "--old", old, "--new", "nothing"],
        vec!["login", "--user", "1", "--password-hash-file", old],
        vec!["encode", "--cookie", "sessionid", "{}"],
    ]);
    runs.extend([vec!["keygen"], vec!["completions", "zsh"], vec!["man"], vec!["man", "decode"]]);
    for arguments in runs {
        let output = program(&arguments).output().unwrap();
        assert!(!gives_away(&output.stdout), "{arguments:?}");
        assert!(!gives_away(&output.stderr), "{arguments:?}");
    }
}

#[test]
fn the_secret_is_in_no_process_listing() {
    let scratch = Scratch::new("listing");
    let key = scratch.0.join("site.key");
    fs::write(&key, SECRET).unwrap();
    let mut child = program(["decode", "--at", "1700000010", "--key-file"])
        .arg(&key)
        .env_remove("SIGNED_SESSION_KEY")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // Once it has answered it has read the key.
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", token(1)).unwrap();
    let mut answer = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    assert_eq!(answer, "{\"user_id\":1}\n");
    for file in ["cmdline", "environ"] {
        let listed = fs::read(format!("/proc/{}/{file}", child.id())).unwrap();
        assert!(!listed.is_empty() && !gives_away(&listed), "{file}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_could_steer_a_terminal_is_printed_as_escapes() {
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\r\u{8}\u{7f}é";
    let scratch = Scratch::new("hostile");
    let key = scratch.0.join(format!("no{hostile}key"));
    let open = scratch.0.join(format!("open{hostile}key"));
    fs::write(&open, "weak").unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
    let (key, open) = (key.to_str().unwrap(), open.to_str().unwrap());
    // Genuine, and hostile all the same: JSON may hold this character as it is.
    let json = "{\"\x7f\":\"\x7f\"}";
    let signed = {
        use base64::Engine as _;
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
        let ring = Keyring::new(SECRET).unwrap();
        Signer::new(&ring, django::SESSION_SALT).sign(&format!("{payload}:1r31eq"))
    };
    let pair = format!("{hostile}={hostile}; a{hostile}={}", token(1));
    let option = format!("--{hostile}");
    let text = format!("{hostile}:{hostile}:{hostile}");
    for arguments in [
        &["decode", "--at", "1700000010", &signed][..],
        &["decode", "--at", "1700000010", "--format", "pretty", &signed],
        &["decode", "--at", "1700000010", "--format", "jsonl", &signed, hostile],
        &["decode", hostile],
        &["decode", &pair],
        &["decode", &option],
        &["decode", "--max-age", hostile, "x"],
        &["decode", "--at", hostile, "x"],
        &["decode", "--salt", hostile, "x"],
        &["decode", "--from", hostile, "x"],
        &["decode", "--cookie-name", hostile, "x"],
        &["decode", "--key-file", key, "x"],
        &["decode", "--key-file", open, "x"],
        &["unsign", hostile],
        &["unsign", &text],
        &["encode", hostile],
        &["inspect", &signed],
        &["inspect", &text],
        &["inspect", "--format", "json", &signed],
        &["inspect", "--format", "json", &text],
        &["explain", hostile],
        &["explain", &text],
        &["explain", &pair],
        &["explain", "--format", "json", &pair],
        &["explain", "--cookie-name", "b", &format!("a\u{1b}[2J={}", token(1))],
        &["man", hostile],
        &["completions", hostile],
        &[hostile],
    ] {
        let output = program(arguments).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        assert!(!printed.is_empty(), "{arguments:?}");
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
        assert!(printed.iter().all(is_plain), "{arguments:?}: {}", printed.escape_ascii());
    }
}

/// What a run shows on a terminal of its own, which python3 makes: standard error; the output
/// too for `both`; with the input `typed`, not read from the file.
fn on_a_terminal(how: &str, arguments: &[&str], input: &Path) -> String {
    let script = "
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
out = theirs if sys.argv[1] == 'both' else subprocess.DEVNULL
with open(sys.argv[2], 'rb') as input:
    if sys.argv[1] == 'typed':
        os.write(ours, input.read() + b'\x04')
        input = theirs
    child = subprocess.Popen(sys.argv[3:], stdin=input, stdout=out, stderr=theirs)
os.close(theirs)
shown = b''
while True:
    try:
        part = os.read(ours, 65536)
    except OSError:
        break
    if not part:
        break
    shown += part
child.wait()
sys.stdout.buffer.write(shown)
";
    let output = Command::new("python3")
        .args(["-c", script, how])
        .arg(input)
        .arg(env!("CARGO_BIN_EXE_signed-session"))
        .args(arguments)
        .env("SIGNED_SESSION_KEY", SECRET)
        .env("TERM", "xterm")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn on_a_terminal_text_is_escaped_and_a_file_has_a_progress_bar() {
    let scratch = Scratch::new("terminal");
    let text = scratch.0.join("text");
    let ring = Keyring::new(SECRET).unwrap();
    let signed = Signer::new(&ring, django::SIGNER_SALT).sign("a\u{1b}[2J");
    fs::write(&text, format!("{signed}\n")).unwrap();
    let shown = on_a_terminal("both", &["unsign", "--no-timestamp"], &text);
    assert_eq!(shown, "a\\u{1b}[2J\r\n");
    let piped = run(&["unsign", "--no-timestamp"], signed.as_bytes());
    assert_eq!(piped.stdout, b"a\x1b[2J\n");

    let tokens = scratch.0.join("tokens");
    fs::write(&tokens, format!("{}\n", token(1)).repeat(20_000)).unwrap();
    let shown = on_a_terminal("stderr", &BULK, &tokens);
    assert!(shown.contains("tokens per second, ") && shown.contains(" left"), "{shown:?}");
    let both = on_a_terminal("both", &BULK, &text);
    assert!(!both.contains("tokens per second"), "{both:?}");
    let typed = on_a_terminal("typed", &BULK, &text);
    assert!(
        typed.contains("note: reading tokens from the terminal, one per line\r\n"),
        "{typed:?}"
    );
}

/// Lines of every kind, and what the library says of each as a token.
fn lines(count: usize) -> Vec<String> {
    let retired = Keyring::new("of-the-tests-a-key-that-is-not-in-the-ring").unwrap();
    let ring = Keyring::new(SECRET).unwrap();
    (0..count)
        .map(|index| {
            let good = token(index);
            match index % 9 {
                0 => SessionCodec::new(&retired).encode_at(&Session::new(), noon()).unwrap(),
                1 => good[..good.len() - 1].to_owned(),
                2 => "no token".to_owned(),
                3 => "x".repeat(70_000),
                4 => Signer::new(&ring, django::SESSION_SALT).sign("W10:1r31eq"),
                5 => Signer::new(&ring, django::SESSION_SALT).sign("e30:1000"),
                _ => good,
            }
        })
        .collect()
}

fn status_of(result: &Result<Session, DecodeError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(DecodeError::Expired { .. }) => "expired",
        Err(DecodeError::NotYetValid { .. }) => "not_yet_valid",
        Err(DecodeError::BadSignature) => "bad_signature",
        Err(DecodeError::Malformed | DecodeError::BadTimestamp) => "malformed",
        Err(DecodeError::TooLong { .. }) => "too_long",
        Err(_) => "bad_payload",
    }
}

/// Checks a bulk answer, record by record, against the library.
fn assert_agrees(lines: &[impl AsRef<str>], answers: &str) {
    assert_eq!(answers.lines().count(), lines.len());
    let now = noon() + time::Duration::seconds(10);
    for ((line, number), answer) in lines.iter().zip(1..).zip(answers.lines()) {
        let expected = codec().decode_at(line.as_ref(), now);
        let (head, payload) = answer.split_once(",\"payload\":").unwrap();
        let record: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(record["line"], number);
        assert_eq!(record["status"], status_of(&expected), "line {number}: {head}");
        match expected {
            Ok(session) => {
                assert_eq!(payload.strip_suffix('}'), Some(session.to_json().as_str()));
                let signed_at = session.signed_at().unwrap().unix_timestamp();
                assert_eq!(record["signed_at_unix"], signed_at);
                assert_eq!(record["age"], NOON + 10 - signed_at);
                assert_eq!(record["key_index"], session.key_index().unwrap());
            }
            Err(error) => {
                assert_eq!(payload, "null}");
                assert_eq!(record["key_index"].is_null(), !error.is_authentic(), "{head}");
            }
        }
    }
}

#[test]
fn many_cores_answer_as_one_in_order_and_as_the_library_does() {
    let lines = lines(2_000);
    let input = lines.join("\n");
    let alone = run(&[&BULK[..], &["--threads", "1"]].concat(), input.as_bytes());
    let answers = String::from_utf8(alone.stdout).unwrap();
    assert_agrees(&lines, &answers);
    assert_eq!(alone.status.code(), Some(1));
    for threads in ["2", "3", "16"] {
        let arguments = [&BULK[..], &["--threads", threads, "--summary"]].concat();
        let many = run(&arguments, input.as_bytes());
        assert!(many.stdout == answers.as_bytes(), "{threads} threads answer otherwise");
        let summary = String::from_utf8(many.stderr).unwrap();
        for status in ["ok", "expired", "bad_signature", "malformed", "too_long", "bad_payload"] {
            let count = answers.matches(&format!("\"status\":\"{status}\"")).count();
            assert!(count > 100, "{status}");
            assert!(summary.contains(&format!(" {count} {status}")), "{status}: {summary}");
        }
        assert!(summary.starts_with("note: 2000 tokens: "), "{summary}");
    }
}

#[test]
fn any_line_is_judged_as_the_library_judges_it() {
    let alter = |(mut token, at, with): (String, prop::sample::Index, char)| {
        let at = at.index(token.len());
        token.replace_range(at..=at, &with.to_string());
        token
    };
    let good = (0_usize..1000).prop_map(token);
    let altered =
        (good.clone(), any::<prop::sample::Index>(), prop::char::range('>', 'z')).prop_map(alter);
    let line = prop_oneof![good, altered, "[A-Za-z0-9_.:-]{1,80}"];
    let mut runner =
        TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    let batch = proptest::collection::vec(line, 100..200);
    runner
        .run(&batch, |lines| {
            // As they stand, for what is recognised is more than the library takes.
            let arguments = [&BULK[..], &["--from", "token"]].concat();
            let output = run(&arguments, lines.join("\n").as_bytes());
            assert_agrees(&lines, str::from_utf8(&output.stdout).unwrap());
            // What stands bare is recognised as such.
            let recognised = run(&BULK, lines.join("\n").as_bytes());
            prop_assert!(output.stdout == recognised.stdout);
            Ok(())
        })
        .unwrap();
}

#[test]
fn standard_input_and_arguments_are_judged_alike() {
    let lines = lines(18);
    let input = run(&BULK, lines.join("\n").as_bytes());
    let arguments = program(BULK).arg("--").args(&lines).output().unwrap();
    assert_eq!(input.stdout, arguments.stdout);
    assert_eq!(input.status, arguments.status);
    for line in &lines {
        let decode = ["decode", "--at", "1700000010"];
        let argument = program(decode).arg("--").arg(line).output().unwrap();
        let input = run(&decode, line.as_bytes());
        assert_eq!(argument.stdout, input.stdout);
        assert_eq!(argument.status, input.status);
        let message = String::from_utf8(input.stderr).unwrap().replace("line 1: ", "");
        assert_eq!(String::from_utf8(argument.stderr).unwrap(), message);
    }
}

/// The most memory that a process has held, in KiB.
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_line_of_a_gibibyte_is_too_long_and_takes_no_memory() {
    for line_end in ["\n", "\r\n"] {
        let mut child = program(BULK).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        write!(stdin, "{}{line_end}", token(1)).unwrap();
        // A CR where lines are cut must not make a shorter line of it.
        let part = [b'\r'; 1 << 20];
        for _ in 0..1024 {
            stdin.write_all(&part).unwrap();
        }
        write!(stdin, "{line_end}{}{line_end}", token(3)).unwrap();
        let mut statuses = Vec::new();
        for number in 1..=3 {
            let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
            assert_eq!(answer["line"], number);
            statuses.push(answer["status"].as_str().unwrap().to_owned());
        }
        assert_eq!(statuses, ["ok", "too_long", "ok"]);
        let peak = peak(&child);
        assert!(peak < 48 * 1024, "{peak} KiB");
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
}

#[test]
fn a_line_that_is_too_long_is_never_judged_by_its_beginning() {
    // The longest that is looked at: three times a token, for percent-encoding, and 64 KiB.
    let limit = 4 * 65_536;
    let begin = format!("sessionid={}; x=", token(1));
    let line = |len: usize| format!("{begin}{}", "a".repeat(len - begin.len()));
    // So much more that the line is cut before its end is known.
    let more = format!("\r{}\n", "; more".repeat(100_000));
    for (rest, status) in [
        ("\n", "ok"),
        ("\r\n", "ok"),
        ("a\n", "too_long"),
        ("\r\r\n", "too_long"),
        (&more, "too_long"),
    ] {
        let output = run(&BULK, format!("{}{rest}", line(limit)).as_bytes());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["status"], status, "{:.9}", rest.escape_debug().to_string());
    }
}

#[test]
fn tokens_that_inflate_to_much_are_held_back_in_pieces() {
    let session = |index: usize| {
        let mut session = Session::new();
        session.insert("a", format!("{index}{}", "x".repeat(1_000_000))).unwrap();
        codec().encode_at(&session, noon()).unwrap()
    };
    let lines: Vec<String> = (0..4).map(session).collect();
    let lines = format!("{}\n", lines.join("\n")).repeat(100);
    let mut child = program(BULK).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).map(|()| stdin));
    let mut read = 0;
    let mut stdout = child.stdout.take().unwrap();
    let mut part = vec![0; 1 << 16];
    // All but the end, so that the process is still there to be measured.
    while read < 400_000_000 {
        read += stdout.read(&mut part).unwrap();
    }
    let peak = peak(&child);
    assert!(peak < 100 * 1024, "{peak} KiB");
    std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    drop(writer.join().unwrap().unwrap());
    assert!(child.wait().unwrap().success());
}

#[test]
fn answers_come_as_soon_as_their_tokens() {
    let mut child = program(BULK).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for index in 0..20 {
        writeln!(stdin, "{}", token(index)).unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.contains(&format!("{{\"user_id\":{index}}}")), "{answer}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_leaves_ends_it_in_silence_and_not_with_0() {
    let input = format!("{}\n", token(1)).repeat(100_000);
    let mut child = program(BULK).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with(r#"{"line":1,"status":"ok""#));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(141), Vec::new()));
    assert!(writer.join().unwrap().is_err(), "it did not read to the end");
}

fn interrupt(child: &Child) {
    let status = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(status.unwrap().success());
}

#[test]
fn ctrl_c_ends_it_behind_a_whole_line() {
    let arguments = [&BULK[..], &["--summary"]].concat();
    // While there is more to read, and while it waits for more.
    for is_busy in [true, false] {
        let mut child = program(&arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let line = format!("{}\n", token(1));
        stdin.write_all(line.as_bytes()).unwrap();
        let mut answers = String::new();
        stdout.read_line(&mut answers).unwrap();
        let writer = std::thread::spawn(move || {
            let block = line.repeat(1000);
            while is_busy && stdin.write_all(block.as_bytes()).is_ok() {}
            stdin
        });
        if is_busy {
            for _ in 0..5_000 {
                stdout.read_line(&mut answers).unwrap();
            }
        }
        interrupt(&child);
        stdout.read_to_string(&mut answers).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(writer.join().unwrap());
        assert_eq!(output.status.code(), Some(130));
        assert!(answers.ends_with("}\n"), "{}", answers.lines().last().unwrap());
        let count = answers.lines().count();
        let unit = if count == 1 { "token" } else { "tokens" };
        let summary = String::from_utf8(output.stderr).unwrap();
        assert!(summary.starts_with(&format!("note: {count} {unit}: {count} ok; ")), "{summary}");
        assert!(answers.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    }
}

#[test]
fn completions_are_what_bash_reads() {
    let output = program(["completions", "bash"]).output().unwrap();
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(&output.stdout).unwrap();
    assert!(bash.wait().unwrap().success());
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["--expiry-rule", "--key-file", "explain", "jsonl"] {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn the_manual_pages_hold_the_whole_help() {
    for command in [None, Some("decode"), Some("unsign"), Some("explain")] {
        let page = program(["man"]).args(command).output().unwrap();
        let page = String::from_utf8(page.stdout).unwrap();
        for section in
            [".TH ", ".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n", ".SH OPTIONS\n"]
        {
            assert!(page.contains(section), "{command:?} lacks {section}");
        }
        // Every line is text or a request that roff knows.
        let known =
            [".TH", ".SH", ".TP", ".RS", ".RE", ".br", ".ie", ".el", ".PP", ".IP", ".nf", ".fi"];
        for line in page.lines().filter(|line| line.starts_with('.')) {
            assert!(known.iter().any(|request| line.starts_with(request)), "{line}");
        }
        let unescaped = page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "");
        let help = program(command).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        for option in help.lines().filter_map(|line| line.trim_start().strip_prefix("--")) {
            let name = option.split(' ').next().unwrap();
            assert!(unescaped.contains(&format!("--{name}")), "{command:?} lacks --{name}");
        }
    }
    let page = String::from_utf8(program(["man"]).output().unwrap().stdout).unwrap();
    assert!(page.contains("SIGNED_SESSION_FALLBACK_KEYS"));
}

#[test]
fn arguments_that_are_not_text_are_refused() {
    let output = program(["decode"]).arg(OsStr::from_bytes(b"\xff:1:x")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty() && output.stderr.starts_with(b"error: "));
}

/// The short help of a command, as a terminal of this width shows it.
fn short_help(command: Option<&str>, columns: &str) -> String {
    let output = program(command.into_iter().chain(["-h"])).env("COLUMNS", columns).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// The commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = short_help(None, "100");
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let names = list.lines().map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

#[test]
fn the_short_help_fits_a_screen_and_every_command_has_a_page() {
    let commands = commands();
    assert!(commands.len() >= 11, "{commands:?}");
    let shown = fs::read_to_string(root().join("tests/cli/help.md")).unwrap();
    for columns in ["80", "100", "200"] {
        for command in std::iter::once(None).chain(commands.iter().map(|name| Some(&**name))) {
            let help = short_help(command, columns);
            assert!(help.lines().count() <= 40, "{command:?} at {columns}: {help}");
            assert!(
                help.lines().all(|line| line.len() <= columns.parse::<usize>().unwrap()),
                "{help}"
            );
        }
    }
    for command in &commands {
        assert!(shown.contains(&format!("$ signed-session {command} --help\n")), "{command}");
        let page = program([command, "--help"]).output().unwrap();
        let helped = program(["help", command]).output().unwrap();
        assert_eq!(page.stdout, helped.stdout, "{command}");
        assert!(page.status.success() && helped.status.success());
    }
}

/// The commands in a help text that begin with the program's name, each in one line.
fn examples(help: &str) -> Vec<String> {
    let mut examples: Vec<String> = Vec::new();
    for line in help.lines().filter_map(|line| line.strip_prefix("  ")) {
        match examples.last_mut().filter(|example| example.ends_with(['|', '\\'])) {
            Some(example) => {
                *example = format!("{} {}", example.trim_end_matches('\\'), line.trim())
            }
            None if line.starts_with("signed-session ") || line.starts_with("source ") => {
                examples.push(line.to_owned());
            }
            None => {}
        }
    }
    examples
}

#[test]
fn every_example_in_the_help_runs() {
    let scratch = Scratch::new("examples");
    let write = |name: &str, content: &str| {
        let path = scratch.0.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let fresh = codec().encode(&Session::new()).unwrap();
    let session = {
        let mut session = Session::new();
        session.insert("user_id", 42).unwrap();
        session
    };
    write("token.txt", &format!("{fresh}\n"));
    write("tokens.txt", &format!("{fresh}\n{}\n", codec().encode(&session).unwrap()));
    write("objects.jsonl", "{\"user_id\": 1}\n{\"user_id\": 2}\n");
    write("text.txt", "hello\n");
    write("ended.jsonl", "{\"v\":1,\"subject\":\"43\",\"by\":1764158824123456}\n");
    write("hash.txt", "pbkdf2_sha256$1000$salt$hash\n");
    let ring = Keyring::new(SECRET).unwrap();
    let text = signed_session::TimestampSigner::new(&ring, "reset").sign("ada");
    let mut count = 0;
    let names = commands();
    for command in std::iter::once(None).chain(names.iter().map(|name| Some(&**name))) {
        let page = program(command.into_iter().chain(["--help"])).output().unwrap();
        let page = String::from_utf8(page.stdout).unwrap();
        for short in examples(&short_help(command, "100")) {
            assert!(examples(&page).contains(&short), "{command:?} has no {short}");
        }
        for example in examples(&page) {
            // `keygen` is to make the files.
            let _ = fs::remove_file(scratch.0.join("new.key"));
            if example.contains("--out site.key") {
                let _ = fs::remove_file(scratch.0.join("site.key"));
            } else {
                write("site.key", SECRET);
            }
            if !example.contains("--out new.key") {
                write("new.key", "of-the-tests-of-the-command-line-a-new-key-for-all");
            }
            write("old.key", SECRET);
            let token = if command == Some("unsign") { &text } else { &fresh };
            let directory = Path::new(env!("CARGO_BIN_EXE_signed-session")).parent().unwrap();
            let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
            let output = Command::new("bash")
                .args(["-c", &format!("set -o pipefail; {example}")])
                .current_dir(&scratch.0)
                .env("PATH", path)
                .env("TOKEN", token)
                .env_remove("SIGNED_SESSION_KEY")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let err = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{example}: {err}");
            assert!(!err.contains("error: "), "{example}: {err}");
            count += 1;
        }
    }
    assert!(count > 20, "{count} examples were run");
}

const ENCODE: [&str; 3] = ["encode", "--at", "1700000000"];

#[test]
fn many_cores_encode_as_one_in_order_and_as_the_library_does() {
    let mut input = String::new();
    let mut expected = String::new();
    for index in 0..5_000 {
        let mut session = Session::new();
        session.insert("user_id", index).unwrap();
        // Some are compressed, some have what JSON may hold, some are empty lines.
        session.insert("cart", "apples ".repeat(index % 20)).unwrap();
        session.insert("name", ["Ada", "Zoë", "\u{1F600}", "\"\\"][index % 4]).unwrap();
        input += &session.to_json();
        input += ["\n", "\r\n", "\n\n"][index % 3];
        expected += &codec().encode_at(&session, noon()).unwrap();
        expected += "\n";
    }
    for threads in ["1", "2", "3", "16"] {
        let arguments = [&ENCODE[..], &["--threads", threads, "--summary"]].concat();
        let output = run(&arguments, input.as_bytes());
        assert!(output.stdout == expected.as_bytes(), "{threads} threads encode otherwise");
        let summary = String::from_utf8(output.stderr).unwrap();
        assert!(summary.starts_with("note: 5000 tokens: 5000 ok; "), "{summary}");
        assert!(output.status.success());
    }
    let back = run(&["decode", "--at", "1700000010"], expected.as_bytes());
    let lines = input.replace('\r', "").replace("\n\n", "\n");
    assert!(back.stdout == lines.as_bytes(), "what was encoded is decoded");
}

#[test]
fn tokens_come_as_soon_as_their_lines() {
    let mut child = program(ENCODE).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for index in 0..20 {
        writeln!(stdin, "{{\"user_id\": {index}}}").unwrap();
        assert_eq!(answers.next().unwrap().unwrap(), token(index));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_line_of_a_gibibyte_is_not_encoded_and_takes_no_memory() {
    let mut child = program(ENCODE).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(stdin, "{{\"user_id\": 1}}").unwrap();
    let part = [b' '; 1 << 20];
    for _ in 0..1024 {
        stdin.write_all(&part).unwrap();
    }
    writeln!(stdin, "{{}}\n{{\"user_id\": 3}}").unwrap();
    for index in [1, 3] {
        assert_eq!(answers.next().unwrap().unwrap(), token(index));
    }
    let peak = peak(&child);
    assert!(peak < 48 * 1024, "{peak} KiB");
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = "error: line 2: the line is too long (see --max-payload-len)\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), error);
}
