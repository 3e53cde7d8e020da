//! Blocking threads for the TMR licence server, and the std floor that both daemons stand on.
//!
//! - [`run`]: the glue of the thread runtime; the threads themselves are listed in `threads`
//! - [`daemon`]: the std floor: from a command line to a node with its files and sockets
//! - [`client`]: the licence client, and what reads admin pages
//! - [`demo`]: five servers on one machine
//!
//! No thread shares anything with another but the hub behind its lock, the bells by which they
//! wake each other, and the queue to the disk.

pub mod client;
pub mod daemon;
pub mod demo;
pub mod run;
mod threads;
