//! The shared parts of the tests.
//!
//! What lives here: [`independent_client`], a licence client written from the protocol facts alone,
//! which shares no line with the server; [`stock_server`], a stock licence server written likewise;
//! [`harness`], which starts the real programs as processes, kills, freezes and restarts them;
//! [`netns`], which gives them machines and cables of their own, and real keepalived; [`sim`],
//! which runs the real nodes on a virtual network; [`browser`], which drives a real one; and
//! [`fuzzed`], the properties that fuzz targets check. What never lives here: an assertion about
//! the server. Those are in `tests/`, in the checkers of the simulator and in the fuzz targets.

pub mod browser;
pub mod fuzzed;
pub mod harness;
pub mod independent_client;
pub mod netns;
pub mod sim;
pub mod stock_server;
