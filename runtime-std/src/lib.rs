//! The daemon on threads of the TMR licence server, and what both daemons share.
//!
//! - [`threads`]: the adapter of the thread runtime
//! - [`reactor`]: links and their sockets, which both daemons share
//! - [`host`]: the machine under a node: files, disk, logs, signals, keepalived, systemd
//! - [`commands`]: the command line, and what each command does
//! - [`exit`], [`clock`], [`entropy`]: what all of these use
//!
//! Arrows run down only: commands use the host, the host uses the reactor.
//!
//! # Threads
//!
//! | name | how many | why |
//! |---|---|---|
//! | `main` | 1 | waits for the next deadline and ticks the hub |
//! | `links` | one for two CPUs, at most 4 | serves its share of the links and listeners; each of these belongs to one thread |
//! | `greetings` | 1 | accepted links, until their calls can be served |
//! | `agreements` | 1, at a lower priority | computes key agreements and TLS handshakes, which take long; holds no lock that calls wait for |
//! | `dial` | on a front, one for each connection that is being opened | connects, which blocks |
//! | `look-up` | on a front, one for each name that is being looked up | asks the system's resolver, which blocks and cannot be cancelled |
//! | `disk` | on a backend, 1 | appends to the journal and waits until it is on disk |
//! | `licences` | on a backend, 1 | watches the licence files |
//! | `configuration`, `hang-up` | on a front, 1 each | reads its configuration at SIGHUP, and writes it when the node requests that |
//! | `admin-files` | on a front, 1 | checks passwords, records changes, watches the password file and the certificate |
//! | `history` | on a front, 1 | writes the usage history and reads it back |
//! | `folder` | on a front, 1 | checks that the state folder is in place |
//! | `address` | on a front, 1 | looks for the virtual address |
//! | `machine` | 1 | watches the socket of the machine |
//! | `watchdog` | under systemd, 1 | notifies it while the node takes steps |
//! | `signals` | 1 | waits for SIGTERM and SIGINT |
//! | `parent` | with `--die-with-parent`, 1 | waits for the end of standard input |
//!
//! They share [`reactor::Reactor`]: the hub behind its lock, and each link's connection behind a
//! lock of its own. The thread that has stepped the hub writes its output without blocking, so no
//! other thread is woken.

// The standard macros panic if the stream cannot be written; `note!` and `commands::stdout::line`
// do not.
#![warn(clippy::print_stderr, clippy::print_stdout)]

/// Writes a line of formatted text to standard error; see [`stderr::line`].
macro_rules! note {
    ($($text:tt)*) => {
        $crate::stderr::line(format_args!($($text)*))
    };
}

pub mod clock;
pub mod commands;
pub mod entropy;
pub mod exit;
pub mod host;
pub mod reactor;
mod stderr;
pub mod sync;
pub mod threads;
