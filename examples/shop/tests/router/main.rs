//! The router of the shop, asked without a socket or a process: start here for tests of your own.

#[path = "../common/accounts.rs"]
mod accounts;
mod admin;
mod browser;
mod forms;
mod visitors;
