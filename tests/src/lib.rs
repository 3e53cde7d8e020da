//! What the tests stand on.
//!
//! What lives here: [`foreign`], a licence client written from the fact sheet alone, which shares
//! no line with the server; [`plainserver`], a stock licence server written likewise; [`harness`],
//! which starts the real programs as processes, kills, freezes and restarts them; [`netns`], which
//! gives them machines and cables of their own, and real keepalived; and [`sim`], which runs the
//! real nodes on a virtual network. What never lives here: an assertion about the server; those
//! stand in `tests/`, and in the checkers of the simulator.

pub mod foreign;
pub mod harness;
pub mod netns;
pub mod plainserver;
#[path = "../sim/mod.rs"]
pub mod sim;
