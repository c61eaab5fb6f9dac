//! One module per command, with its options, its help and its function.

pub(crate) mod encode;
pub(crate) mod decode;
pub(crate) mod login;
pub(crate) mod sign;
pub(crate) mod unsign;
pub(crate) mod inspect;
pub(crate) mod explain;
pub(crate) mod keygen;
pub(crate) mod rotate;
pub(crate) mod completions;
pub(crate) mod man;
