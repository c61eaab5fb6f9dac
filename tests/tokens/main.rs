//! Signing and reading tokens: what a token proves, what is in it, and what refuses it.

mod authenticity;
mod compression;
mod debug;
mod environment;
mod errors;
mod expiry;
mod lines;
mod lossless;
mod tree;
mod unverified;
mod vectors;
mod wycheproof;
