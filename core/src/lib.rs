//! The sans-IO core of the TMR licence server.
//!
//! What lives here: everything that decides. The wire format ([`wire`]), the secured stream
//! ([`link::channel`]), signed licences ([`licence`]), the replicated log ([`log`]), what clients ask
//! for ([`desk`]), the two roles, [`front`] and [`backend`], with their [`admin`] pages, and the
//! other side: the [`client`].
//!
//! What never lives here: a clock, a socket, a file, a random number, a thread. Time and entropy
//! are arguments, what happens comes in as [`io::Input`], and what is to be done goes out as
//! [`io::Intent`]. `std` does not resolve in this crate.
//!
//! A runtime has one [`node::hub::Hub`] and, for each socket, one [`link::Connection`]. It accepts,
//! dials, reads, writes, waits until the hub's deadline, and hands requests to its machine on.
//!
//! ```text
//! client ══bytes══▶ runtime ─▶ Connection::received ─▶ Hub ─▶ Node::step ─▶ Desk ─▶ Flight
//!                                                                              │
//! backends ◀═bytes═ runtime ◀─ Connection::send ◀─ Hub ◀─ Intent::Send ×3 ◀────┘
//! ```
//!
//! Written up for who makes another one: [the wire format](link::channel#the-wire-format) and [how fronts
//! and backends agree](log#consistency).
//!
//! Errors are for input, panics are for broken invariants: no byte from a network, a file or a
//! person may panic, overflow, or grow memory without the bound that [`limits`] names.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod admin;
pub mod backend;
pub mod client;
pub mod config;
pub mod counts;
mod crypt;
pub mod desk;
pub mod front;
pub mod history;
pub mod io;
mod json;
pub mod licence;
pub mod limits;
pub mod link;
pub mod log;
mod nearest;
pub mod network;
pub mod node;
mod random;
mod seldom;
#[cfg(test)]
mod testing;
pub mod time;
pub mod verdict;
pub mod wire;
