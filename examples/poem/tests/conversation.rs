//! The example for poem holds the conversation of all examples with real visitors.

support::conversation!(env!("CARGO_BIN_EXE_signed-session-example-poem"));
