//! What the figures depend on: the machine, and the versions of everything.

use std::fs;
use std::process::Command;
use std::thread;

const LOCK: &str = include_str!("../../Cargo.lock");

const CRATES: [&str; 12] = [
    "hmac",
    "sha2",
    "base64",
    "flate2",
    "zlib-rs",
    "serde_json",
    "django-signing",
    "itsdangerous",
    "cookie",
    "actix-session",
    "tower-sessions-cookie-store",
    "jsonwebtoken",
];

/// Names the machine and the versions, in a sentence each.
pub fn describe(django: &str) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| {
        let line = cpu.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let family = field("cpu family").map(|family| format!(" (family {family})"));
    let has_sha = field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "sha_ni"));
    let sha = if has_sha { "with SHA-NI" } else { "without SHA-NI" };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let rust = Command::new("rustc").arg("--version").output().ok();
    let rust = rust.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let rust = rust.split(' ').nth(1).unwrap_or("unknown").to_owned();
    let crates = CRATES.map(|name| format!("{name} {}", version(name))).join(", ");
    let family = family.unwrap_or_default();
    format!("On {model}{family}, {sha}, {cores} cores; Rust {rust}; {crates}; {django}.")
}

/// Returns the version that was built; the newest where several were, which is this crate's.
fn version(name: &str) -> &'static str {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let rest = LOCK.rsplit_once(&entry).map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default()
}
