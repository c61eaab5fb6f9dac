//! The example for Rocket holds the conversation of all examples with real visitors.

#[path = "../../../tests/support/conversation.rs"]
mod conversation;
#[path = "../../../tests/support/visitor.rs"]
mod visitor;

conversation::conversation!(env!("CARGO_BIN_EXE_signed-session-example-rocket"));
