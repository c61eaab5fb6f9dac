//! Finds out why a token is refused: what the command `explain` alone needs.

pub(crate) mod causes;
mod repairs;
mod spellings;
pub(crate) mod report;
mod suspects;
mod foreign;
mod guess;
pub(crate) mod search;
