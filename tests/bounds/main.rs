//! Limits that are measured: heap, allocations, time and the depth of the stack.

mod allocations;
mod limits;
