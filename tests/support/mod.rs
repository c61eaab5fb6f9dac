//! What several test files share: `mod support;`.

#![allow(dead_code, reason = "no test file uses all of it")]

pub mod django;
pub mod secret;
pub mod tree;
#[cfg(any(feature = "tower", feature = "actix"))]
pub mod web;
