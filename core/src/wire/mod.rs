//! The format of the licence port: calls, replies, SDK structures and error codes. It has bytes and
//! values only; other modules decide about answers.
//!
//! | module | contents | protocol facts |
//! |---|---|---|
//! | [`request`] | every call with its arguments: [`Request`] | 3.1, 3.4, 3.6 |
//! | [`argument`] | the encoding of arguments: [`Buffer`]; bad frames: [`Malformed`] | 3.1 |
//! | [`reply`] | status, result, output and the buffer rule: [`Reply`] | 3.2 |
//! | [`structs`] | SDK structures, one table each: [`Layout`](structs::Layout) | 4 |
//! | [`constants`] | flags, selectors and masks by topic | 5.1 to 5.9 |
//! | [`inferred`] | contents that no capture has shown yet, in one table | 3.2, 5.3 |
//! | [`error`] | the status codes: [`CmError`] | 5.10 |

pub mod argument;
pub mod constants;
pub mod error;
mod error_table;
pub mod inferred;
pub mod reply;
pub mod request;
#[cfg(test)]
mod request_test;
pub mod structs;

pub use argument::{Buffer, Fault, Malformed};
pub use error::CmError;
pub use reply::Reply;
pub use request::Request;
