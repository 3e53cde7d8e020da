//! What the tests of the whole share.

#[path = "../sim/mod.rs"]
pub mod sim;
