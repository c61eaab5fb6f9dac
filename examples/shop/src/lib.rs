//! A shop: a complete application to copy from.
//!
//! | what | where |
//! |---|---|
//! | the two sessions, with every setting | [`sessions`] |
//! | the router and its layers | [`site`] |
//! | an anonymous cart, and an order that needs a login | [`cart`] |
//! | login with "remember me" and `?next=`, logout | [`login`] |
//! | sign out elsewhere and everywhere, a new password | [`account`] |
//! | the admin area, which ends sessions of others | [`admin`] |
//! | the frame of every page, forms, and errors | [`page`], [`oops`] |
//!
//! The rest tells every process of a site which sessions were ended: [`queue`], and the [`sqlite`]
//! or the [`redis`] carrier. A carrier is a list to which lines are appended, read by position. It
//! gives three promises:
//!
//! - What was ended is in it at most some milliseconds later, or waits until it can be written.
//! - A process that follows it knows all that it holds, or does not call
//!   [`Revocations::heard`](signed_session::Revocations::heard).
//! - What it has lost, any process that remembers writes again.
//!
//! Anyone who can write to it can end sessions, but neither begin nor revive one.

pub mod account;
pub mod admin;
pub mod carrier;
pub mod cart;
pub mod clock;
pub mod login;
pub mod oops;
pub mod page;
pub mod queue;
pub mod redis;
pub mod sessions;
pub mod site;
pub mod sqlite;
pub mod users;

/// Why a carrier cannot be read or written, or anything else failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
