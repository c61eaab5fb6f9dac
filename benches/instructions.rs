//! Counts instructions, and compares with the figures on record: `.ci/instructions`.
//!
//! Times change from run to run; counts do not. Valgrind counts on a processor of its own, which
//! is the same wherever the real one has AVX2; it has no SHA-NI, so that the HMAC is most of each
//! count. It is subtracted: a figure is what a function takes beyond the bare HMAC of the same
//! bytes, and `hmac` stands in lines of its own.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use signed_session::{Compress, Keyring, SessionCodec, TimestampSigner, django};
use support::sample::{self, Auth, COUNT, K1, Sample};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);

/// The floor comes first: the others are counted from it.
const FUNCTIONS: [&str; 6] =
    ["hmac", "verify", "decode-struct", "decode-session", "encode-struct", "encode-session"];
const SESSIONS: [&str; 4] = ["auth-plain", "auth-compressed", "k1-plain", "k1-compressed"];

/// By how much a figure may change unrecorded, in percent.
const TOLERANCE: u64 = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["run", session, function, rotations] => {
            run(session, function, rotations.parse().expect("a number"));
            ExitCode::SUCCESS
        }
        ["record", file] => {
            fs::write(file, record()).expect("the file can be written");
            ExitCode::SUCCESS
        }
        ["compare", file] => compare(&fs::read_to_string(file).expect("there is a record")),
        ["conditions"] => {
            println!("{}", conditions());
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("error: use .ci/instructions");
            ExitCode::from(2)
        }
    }
}

/// Runs a function on all sessions, so many times: this is what Valgrind looks at.
fn run(session: &str, function: &str, rotations: usize) {
    match session {
        "auth-plain" => run_on::<Auth>(Compress::Never, function, rotations),
        "auth-compressed" => run_on::<Auth>(Compress::IfShorter, function, rotations),
        "k1-plain" => run_on::<K1>(Compress::Never, function, rotations),
        "k1-compressed" => run_on::<K1>(Compress::IfShorter, function, rotations),
        _ => panic!("no session {session}"),
    }
}

fn run_on<S: Sample>(compress: Compress, function: &str, rotations: usize) {
    let ring = Keyring::new(sample::SECRET).expect("not empty");
    let codec = SessionCodec::new(&ring).compress(compress);
    let signer = TimestampSigner::new(&ring, django::SESSION_SALT);
    let key = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length");
    let values = S::all();
    let tokens: Vec<String> =
        values.iter().map(|value| codec.encode_as_at(value, NOW).expect("fits")).collect();
    let sessions: Vec<_> =
        tokens.iter().map(|token| codec.decode_at(token, NOW).expect("good")).collect();
    for index in (0..rotations).flat_map(|_| 0..COUNT) {
        let token = black_box(tokens[index].as_str());
        match function {
            "hmac" => {
                let message = &token.as_bytes()[..token.len() - 44];
                black_box(key.clone().chain_update(message).finalize());
            }
            "verify" => {
                black_box(signer.unsign_at(token, None, NOW).expect("good"));
            }
            "decode-struct" => {
                black_box(codec.decode_as_at::<S>(token, NOW).expect("good"));
            }
            "decode-session" => {
                let session = codec.decode_at(token, NOW).expect("good");
                for key in S::READ {
                    black_box(session.get::<String>(key).expect("a text"));
                }
            }
            "encode-struct" => {
                black_box(codec.encode_as_at(black_box(&values[index]), NOW).expect("fits"));
            }
            "encode-session" => {
                black_box(codec.encode_at(black_box(&sessions[index]), NOW).expect("fits"));
            }
            _ => panic!("no function {function}"),
        }
    }
}

/// Counts the instructions of one call: twice the calls less once, so that starting is left out.
fn count(session: &str, function: &str) -> u64 {
    let collect = |rotations: usize| -> u64 {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe().expect("a program has a file"))
            .args(["run", session, function, &rotations.to_string()])
            .output()
            .expect("valgrind is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "valgrind failed: {said}");
        let counted = said.split_once("Collected :").expect("callgrind says so").1;
        counted.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
    };
    (collect(2) - collect(1)) / COUNT as u64
}

/// Returns what the figures depend on beside this crate.
fn conditions() -> String {
    let rust = Command::new("rustc").arg("--version").output().expect("rustc runs");
    let rust = String::from_utf8_lossy(&rust.stdout);
    let rust = rust.split(' ').nth(1).expect("a version").to_owned();
    let mut features = Vec::new();
    #[cfg(target_arch = "x86_64")]
    for (name, is_there) in [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
    ] {
        if is_there {
            features.push(name);
        }
    }
    format!("{} {} Rust {rust}", env::consts::ARCH, features.join(" "))
}

/// Counts everything.
fn record() -> String {
    let mut out = format!(
        "# Instructions of one call beyond the bare HMAC; written by .ci/instructions --record.\n# {}\n",
        conditions(),
    );
    for session in SESSIONS {
        let mut floor = 0;
        for function in FUNCTIONS {
            let counted = count(session, function);
            let figure = counted.saturating_sub(floor);
            if function == "hmac" {
                floor = counted;
            }
            let _ = writeln!(out, "{session} {function} {figure}");
        }
    }
    out
}

/// Compares with what is on record, and says which figures have changed.
fn compare(recorded: &str) -> ExitCode {
    let figures = |text: &str| -> Vec<(String, u64)> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (name, figure) = line.rsplit_once(' ').expect("a name and a figure");
                (name.to_owned(), figure.parse().expect("a number"))
            })
            .collect()
    };
    let (before, now) = (figures(recorded), figures(&record()));
    let names = |figures: &[(String, u64)]| -> Vec<String> {
        figures.iter().map(|(name, _)| name.clone()).collect()
    };
    if names(&before) != names(&now) {
        eprintln!("error: the record has other lines; hint: .ci/instructions --record");
        return ExitCode::FAILURE;
    }
    let mut has_changed = false;
    for ((name, before), (_, now)) in before.iter().zip(&now) {
        let changed = before.abs_diff(*now) * 100 > before * TOLERANCE;
        has_changed |= changed;
        let percent = (*now as f64 / *before as f64 - 1.0) * 100.0;
        let mark = if changed { "  <- changed" } else { "" };
        println!("{name:<32} {before:>8} {now:>8} {percent:>+7.1} %{mark}");
    }
    if has_changed {
        eprintln!("error: figures have changed by more than {TOLERANCE} %");
        eprintln!("hint: if that is meant, .ci/instructions --record, and say why in the commit");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
