//! Finds the cause of a refusal; only the command `explain` uses it.

pub(crate) mod causes;
mod repairs;
mod spellings;
pub(crate) mod report;
mod suspects;
mod foreign;
mod guess;
pub(crate) mod search;
