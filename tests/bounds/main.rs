//! Limits that are measured: heap, allocations, time and the depth of the stack.

mod allocations;
mod cookies;
#[cfg(feature = "random")]
mod endings;
mod entries;
mod kept;
mod limits;
mod stack;
