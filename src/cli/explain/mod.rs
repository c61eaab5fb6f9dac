//! Finds out why a token is refused: the modules that only the command `explain` needs.

pub(crate) mod causes;
mod repairs;
mod spellings;
pub(crate) mod report;
mod suspects;
mod foreign;
mod guess;
pub(crate) mod search;
