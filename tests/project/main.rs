//! The project as a whole: its modules, its dependencies, its examples, the fuzzer's inputs, and the
//! programs that it is built into.

mod architecture;
mod dependencies;
mod examples;
mod fuzz_corpus;
mod guide;
mod neighbour;
