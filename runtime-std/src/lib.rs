//! Blocking threads for the TMR licence server, and the std floor that both daemons stand on.
pub mod daemon;
mod peer;
pub mod run;
mod threads;
