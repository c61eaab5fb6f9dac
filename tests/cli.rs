//! Holds the command line to its transcripts, and to what it promises scripts.
#![cfg(all(feature = "cli", unix))]

#[path = "cli/transcript.rs"]
mod transcript;

use std::path::{Path, PathBuf};

fn transcripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|e| e == "md")).collect();
    files.sort();
    files
}

#[test]
fn every_command_prints_what_its_transcript_shows() {
    for file in transcripts() {
        transcript::check(&file, |_| true);
    }
}
