//! One executor on smol and async-io for the TMR licence server.
mod peer;
pub mod run;
