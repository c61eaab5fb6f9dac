//! Sessions and their cookies: what counts as a change, and what is sent to the browser.

mod candidates;
mod cookies;
mod manager;
mod session;
mod table;
mod typed;
