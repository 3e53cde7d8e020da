//! The machine of a node: files, the disk, logs, signals, keepalived's address, systemd, and a
//! worker for each kind of request.
//!
//! What never lives here: links and their sockets (`reactor`), and the command line (`commands`).

pub mod admin_files;
pub mod certificate;
pub mod container;
pub mod create;
pub mod disk;
#[cfg(test)]
mod disk_test;
pub mod files;
pub mod history;
pub mod journald;
pub(crate) mod key_kind;
pub mod licences;
pub mod log;
pub mod log_file;
pub mod machine;
pub mod names;
pub mod node_setup;
pub mod passwords;
pub mod process_limits;
pub mod settings;
pub mod signals;
pub mod stamp;
mod storage;
pub mod systemd;
pub mod vip;
pub mod workers;
