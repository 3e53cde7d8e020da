//! The std floor that both daemons stand on: what is alike in them, line for line.
//!
//! What lives here: the command line, the clock, entropy, the disk, sockets, logs, exit codes, and
//! from files to a running node. What never lives here: threads and tasks that wait for links (that is
//! each runtime's `run`), and any decision about licences (that is core).

pub mod address;
pub mod clerk;
pub mod cli;
pub mod clock;
pub mod create;
pub mod dial;
pub mod disk;
#[cfg(test)]
mod disk_test;
pub mod doors;
pub mod entropy;
pub mod exit;
pub mod files;
pub mod greetings;
pub mod history;
pub mod journal;
pub mod keys;
pub mod licences;
pub mod links;
#[cfg(test)]
mod links_test;
pub mod listeners;
pub mod log;
pub mod log_file;
pub mod machine;
mod names;
pub mod net;
pub mod notify;
pub mod number;
pub mod out;
pub mod passwords;
pub mod plan;
pub mod roles;
pub mod settings;
pub mod signals;
pub mod stamp;
mod talk;
#[cfg(test)]
mod talk_test;
mod timed;
pub mod tls;
#[cfg(test)]
mod tls_test;
pub mod tokens;
mod turns;
pub mod vip;
pub mod workers;

pub use exit::{Exit, Failure, Outcome};
pub use links::{Actions, Links, PollBuffer};
pub use plan::{Plan, Streams};
pub use roles::Runtime;

use crate::client;
use crate::demo;
use clap::{CommandFactory, FromArgMatches};
use cli::{Cli, Command};
use std::process::ExitCode;

/// The whole program, whichever runtime it is built on.
#[must_use]
pub fn main(runtime: Runtime) -> ExitCode {
    match perform(runtime, &command_line(runtime).command) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            eprintln!("{}error: {failure}", journal::prefix(tracing::Level::ERROR));
            failure.exit.into()
        }
    }
}

/// Reads the command line of this process, which ends if that is wrong. The version is told under the
/// program's own name.
fn command_line(runtime: Runtime) -> Cli {
    let matches = Cli::command().name(runtime.program).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn perform(runtime: Runtime, command: &Command) -> Outcome {
    match command {
        Command::Demo(options) => demo::run(options),
        Command::Keygen { file } => keys::keygen(file),
        Command::Issue(options) => keys::issue(options),
        Command::Backend(options) => roles::backend(runtime, options),
        Command::Serve(options) => roles::serve(runtime, options),
        Command::Password { role, file } => passwords::set(file, (*role).into()),
        Command::Token(options) => tokens::run(options),
        Command::CheckConfig(options) => client::check_config::check_config(options),
        Command::Status { admin, json } => client::status::status(&admin.server(), *json),
        Command::Activate { admin } => client::status::activate(&admin.front()),
        Command::Recover(options) => client::recover::recover(options),
        Command::Failover { admin, if_active } => {
            client::failover::failover(&admin.front(), *if_active)
        }
        Command::Release(options) => client::release::release(options),
        Command::Notify { admin, news } => client::role::notify(&admin.front(), news),
        Command::Track { what, admin } => client::role::track(&admin.front(), *what),
        Command::Report(options) => client::report::report(options),
        Command::Doctor(options) => client::doctor::doctor(options),
        Command::Client(options) => client::run(options),
        Command::Bench(options) => client::bench::run(options),
    }
}
