//! The sans-IO core of the TMR licence server.
//!
//! What lives here: everything that decides. The wire format ([`wire`]), the secured stream
//! ([`link::channel`]), signed licences ([`licence`]), the replicated log ([`log`]), what clients ask
//! for ([`service`]), the two roles, [`front`] and [`backend`], with their [`admin`] pages, and the
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
//! client ══bytes══▶ runtime ─▶ Connection::received ─▶ Hub ─▶ Node::step ─▶ service ─▶ log
//!                                                                                       │
//! backends ◀═bytes═ runtime ◀─ Connection::send ◀─ Hub ◀─ Intent::Send ×3 ◀─────────────┘
//! ```
//!
//! # The loop of a runtime
//!
//! A runtime *mutates* the hub with whatever happened, *drains* what that leads to, and *waits* for the
//! next event or the deadline. `examples/drive.rs` in this crate is a complete program of that kind.
//!
//! ```
//! use std::collections::BTreeMap;
//! use tmr_core::link::{Connection, LinkId};
//! use tmr_core::node::hub::{Hub, Output};
//! use tmr_core::base::time::{Deadline, Now};
//!
//! /// Takes bytes that arrived on a link; `write` takes those that go out. Returns the deadline.
//! fn turn(
//!     hub: &mut Hub,
//!     connections: &mut BTreeMap<LinkId, Connection>,
//!     now: Now,
//!     link: LinkId,
//!     bytes: &[u8],
//!     mut write: impl FnMut(LinkId, &[u8]),
//! ) -> Option<Deadline> {
//!     // Mutate: bytes become frames outside of the hub's lock, and frames change the node.
//!     let connection = connections.get_mut(&link)?;
//!     let mut frames = Vec::new();
//!     let broken = connection.received(bytes, &mut frames).err();
//!     let mut out = Vec::new();
//!     hub.received(now, [connection.arrived(link, frames)], &mut out);
//!     if let Some(why) = broken {
//!         hub.closed(now, link, why, false, &mut out);
//!     }
//!     // Drain: every output is done, in its order.
//!     for output in out {
//!         match output {
//!             Output::Wake(link) | Output::End(link) => {
//!                 let Some(connection) = connections.get_mut(&link) else { continue };
//!                 if connection.wants_frames() {
//!                     connection.send(hub.outbox(link));
//!                 }
//!                 write(link, connection.unsent());
//!                 connection.sent(connection.unsent().len());
//!             }
//!             Output::Dial(_) | Output::Drop { .. } | Output::Listen(_) | Output::Host(_) => {
//!                 // Connect, close, accept again, or hand the request to the machine's worker.
//!             }
//!         }
//!     }
//!     // Wait: until more bytes arrive, or for this long.
//!     hub.deadline()
//! }
//! ```
//!
//! Specifications for authors of other implementations: [the wire format](link::channel#the-wire-format) and [how fronts
//! and backends agree](log#consistency).
//!
//! Errors are for input, panics are for broken invariants: no byte from a network, a file or a
//! person may panic, overflow, or grow memory without the bound that [`base::limits`] names.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod admin;
pub mod backend;
pub mod base;
pub mod client;
pub mod config;
mod crypt;
pub mod front;
pub mod history;
pub mod io;
pub mod licence;
pub mod link;
pub mod log;
pub mod messages;
pub mod node;
pub mod service;
pub mod status;
#[cfg(test)]
mod testing;
pub mod verdict;
pub mod wire;
