//! The adapters for tower, axum and actix-web, as layers among others and in servers on a real socket.

#[cfg(feature = "actix")]
mod actix;
#[cfg(feature = "axum")]
mod axum;
#[cfg(all(feature = "axum", feature = "actix"))]
mod beginnings;
#[cfg(any(feature = "tower", feature = "actix"))]
mod common;
#[cfg(all(feature = "axum", feature = "actix"))]
mod csrf;
#[cfg(all(feature = "axum", feature = "actix"))]
mod endings;
#[cfg(all(feature = "axum", feature = "actix"))]
mod logged_in;
#[cfg(any(feature = "tower", feature = "actix"))]
mod middleware;
#[cfg(all(feature = "axum", feature = "actix"))]
mod live;
#[cfg(all(feature = "axum", feature = "actix"))]
mod nested;
#[cfg(any(feature = "axum", feature = "actix"))]
mod servers;
#[cfg(all(feature = "axum", feature = "actix"))]
mod several;
#[cfg(feature = "tower")]
mod tower;
