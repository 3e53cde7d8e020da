//! The wire format: envelope, calls, replies, SDK structures, error codes, and the project's own
//! messages between front and backend.

pub mod group;
#[cfg(test)]
mod group_test;
