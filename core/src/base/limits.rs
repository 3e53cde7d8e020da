//! Every bound of the server, by name. A queue, buffer, table, retry or time-out whose limit is not
//! defined here is a mistake.
//!
//! The files only group them: each bound is used as `limits::NAME`, whichever file defines it.

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
