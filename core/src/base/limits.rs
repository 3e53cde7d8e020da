//! Every bound of the server, by name. A queue, buffer, table, retry or time-out whose limit does
//! not stand here is a mistake.
//!
//! The files are for reading: each bound is named as `limits::NAME`, wherever it stands.

mod admin;
mod client;
mod files;
mod group;
mod handles;
mod history;
mod links;
mod stock;
mod twin;
mod virtual_address;

pub use admin::*;
pub use client::*;
pub use files::*;
pub use group::*;
pub use handles::*;
pub use history::*;
pub use links::*;
pub use stock::*;
pub use twin::*;
pub use virtual_address::*;
