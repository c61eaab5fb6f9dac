//! The project as a whole: its modules, its dependencies, its examples and the fuzzer's inputs.

mod architecture;
mod dependencies;
mod examples;
mod fuzz_corpus;
