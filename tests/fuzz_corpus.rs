//! Replays the fuzzer's corpora: every law of `fuzz/` holds for every input that was kept.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::{Path, PathBuf};

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
    for (name, law) in fuzz::LAWS {
        let inputs = entries(&corpus().join(name));
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            // A law that is broken panics: the last line names the input.
            println!("{}", input.display());
            law(&fs::read(&input).unwrap());
        }
    }
}

#[test]
fn every_law_holds_for_no_input_and_for_a_single_byte() {
    for (_, law) in fuzz::LAWS {
        law(&[]);
        (0..=u8::MAX).for_each(|byte| law(&[byte]));
    }
}

#[test]
fn every_corpus_and_every_target_has_its_law() {
    let names = fuzz::LAWS.map(|(name, _)| name);
    let found = |directory: &Path| {
        let mut found: Vec<String> = entries(directory)
            .iter()
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        found.sort();
        found
    };
    assert_eq!(found(&corpus()), names);
    assert_eq!(found(&corpus().with_file_name("fuzz_targets")), names);
}
