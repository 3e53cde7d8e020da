//! One executor on smol and async-io for the TMR licence server.
pub mod run;
