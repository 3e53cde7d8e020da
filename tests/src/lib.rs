//! What the tests stand on.
//!
//! What lives here: [`foreign`], a licence client written from the fact sheet alone, which shares
//! no line with the server; and [`harness`], which starts the real programs as processes, kills,
//! freezes and restarts them. What never lives here: an assertion about the server; those stand in
//! `tests/`.

pub mod foreign;
pub mod harness;
