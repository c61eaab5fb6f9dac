//! Turns the command line into an exit status.

#![deny(unreachable_pub)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]
#![warn(clippy::pedantic)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os())
}
