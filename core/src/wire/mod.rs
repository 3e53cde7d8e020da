//! The wire format: calls, replies, SDK structures, error codes, and the project's own messages
//! between front and backend. Bytes and values only; what is answered is decided elsewhere.

pub mod error;
mod error_table;
pub mod group;
pub mod structs;

pub use error::CmError;
