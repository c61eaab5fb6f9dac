//! Sessions in a signed cookie, byte for byte those of Django's `signed_cookies` backend.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs, unreachable_pub)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]
#![warn(clippy::pedantic)]

// One line a room, in the order of the floors: imports point up this list only.
mod error;
mod base62;
mod finite;
mod age;
mod json;
mod key;
mod payload;
mod signer;
mod timestamp;
mod expiry;
mod session;
mod codec;
mod cookie;
pub mod django;

pub use self::cookie::CookieOptions;
pub use ::cookie::{Cookie, SameSite};
pub use codec::SessionCodec;
pub use error::{ConfigError, DecodeError, EncodeError, ValueError};
pub use expiry::{Expiry, ExpiryRule};
pub use key::{Keyring, Weakness};
pub use payload::Compress;
pub use session::Session;
pub use signer::{Algorithm, Signer};
pub use timestamp::{Stamped, TimestampSigner};
