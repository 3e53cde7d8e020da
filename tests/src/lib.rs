//! What the tests stand on.
//!
//! What lives here: [`independent_client`], a licence client written from the protocol facts alone, which
//! shares no line with the server; [`stock_server`], a stock licence server written likewise;
//! [`harness`], which starts the real programs as processes, kills, freezes and restarts them;
//! [`netns`], which gives them machines and cables of their own, and real keepalived; [`sim`],
//! which runs the real nodes on a virtual network; [`browser`], a real one; and [`fuzzed`], what
//! the fuzz targets do with their bytes. What never lives here: an assertion about the server;
//! those stand in `tests/`, in the checkers of the simulator and in the fuzz targets.

pub mod browser;
pub mod fuzzed;
pub mod harness;
pub mod independent_client;
pub mod netns;
pub mod sim;
pub mod stock_server;
