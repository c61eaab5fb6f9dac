//! What the tests share with the benchmarks, the examples and the fuzz targets.

pub mod conversation;
pub mod django;
pub mod json;
pub mod sample;
pub mod secret;
pub mod set_cookie;
pub mod visitor;
