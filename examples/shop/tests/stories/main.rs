//! Four processes of one site, whose clocks are minutes apart, and what becomes of sessions there.
//!
//! Every story is told over both carriers, with real processes, a real file and a real Redis, which
//! are killed, emptied and brought back. `redis-server` has to be installed.

#[path = "../common/accounts.rs"]
mod accounts;
mod ends;
mod fleet;
mod lines;
mod outages;
mod proxy;
mod redis_server;
mod soak;
