//! The example for warp holds the conversation of all examples with real visitors.

support::conversation!(env!("CARGO_BIN_EXE_signed-session-example-warp"));
