//! Blocking threads for the TMR licence server, and the std floor that both daemons stand on.
//!
//! - [`run`]: the glue of the thread runtime
//! - [`daemon`]: the std floor: from a command line to a node with its files and sockets
//! - [`client`]: the licence client, and what reads admin pages
//! - [`demo`]: five servers on one machine
//!
//! # Threads
//!
//! | name | how many | why |
//! |---|---|---|
//! | `main` | 1 | waits for the next deadline and ticks the hub |
//! | `accept` | one a door | waits for connections |
//! | `client` | one a client link, and one an admin link | strict request and reply: it reads, steps, waits for its reply, writes |
//! | `backend` | on a front, one a dialled backend | looks up the name, connects, then reads |
//! | `client` and `writer` | on a backend, two a front | either end may speak at any time |
//! | `writer` | on a front, one a joined backend | the same |
//! | `disk` | on a backend, 1 | appends to the journal and waits until it is on disk |
//! | `signals` | 1 | waits for SIGTERM and SIGINT |
//!
//! They share the hub behind its lock, the bells by which they wake each other, and the queue to
//! the disk.

pub mod client;
pub mod daemon;
pub mod demo;
pub mod run;
pub mod threads;
