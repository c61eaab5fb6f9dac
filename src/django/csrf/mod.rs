//! Protects forms like Django's `CsrfViewMiddleware`.
//!
//! Django and this program accept each other's forms.

// As in `lib.rs`: a module imports only from lower layers.

// Layer 0
pub(crate) mod defaults;
#[cfg(feature = "random")]
mod error;
#[cfg(feature = "random")]
mod form;
#[cfg(feature = "random")]
mod secret;
// Layer 1
#[cfg(feature = "random")]
pub(crate) mod origin;
// Layer 2
#[cfg(feature = "random")]
pub(crate) mod policy;
// Layer 3
#[cfg(feature = "random")]
mod request;
// Layer 4
#[cfg(any(feature = "tower", feature = "actix"))]
mod handle;
// Layer 5
#[cfg(feature = "actix")]
mod actix;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "actix")]
pub use actix::CsrfMiddleware;
#[cfg(feature = "random")]
pub use error::CsrfError;
#[cfg(any(feature = "tower", feature = "actix"))]
pub use handle::{CsrfHandle, MissingCsrf};
#[cfg(feature = "random")]
pub use policy::Csrf;
#[cfg(feature = "random")]
pub use request::CsrfRequest;
#[cfg(feature = "tower")]
pub use tower::{CsrfBody, CsrfFuture, CsrfLayer, CsrfService};
