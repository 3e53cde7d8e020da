//! The commands of the program, for both runtimes.
//!
//! What lives here: the command line, a module for each command, and how commands reach servers.
//! What never lives here: sockets of a server (`reactor`), its machine (`host`), and any decision about
//! licences (core).

pub mod address;
pub mod admin;
pub mod bench;
pub mod check_config;
pub mod cli;
pub mod client;
mod colour;
pub mod container;
pub mod demo;
pub mod doctor;
pub mod failover;
pub mod issue;
pub mod keys;
pub mod licence;
pub mod number;
pub mod recover;
pub mod release;
pub mod report;
pub mod role;
pub mod startup;
pub mod status;
pub mod stdout;
pub mod table;
pub mod tokens;
pub mod vendor;

use crate::exit::{Exit, Outcome};
use crate::host::{journald, passwords};
use clap::{CommandFactory, FromArgMatches};
use cli::{Cli, Command};
use startup::Runtime;
use std::process::ExitCode;

/// Runs the program on this runtime.
#[must_use]
pub fn main(runtime: Runtime) -> ExitCode {
    match perform(runtime, &command_line(runtime).command) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            note!("{}error: {failure}", journald::prefix(tracing::Level::ERROR));
            failure.exit.into()
        }
    }
}

/// Parses the command line of this process, and ends the process if it is not valid. The version is
/// printed with the program's own name.
fn command_line(runtime: Runtime) -> Cli {
    let matches = Cli::command().name(runtime.program).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn perform(runtime: Runtime, command: &Command) -> Outcome {
    match command {
        Command::Demo(options) => demo::run(options),
        Command::Keygen { file } => keys::keygen(file),
        Command::Issue(options) => issue::issue(options),
        Command::Backend(options) => startup::backend(runtime, options),
        Command::Container(options) => container::run(options),
        Command::Licence(options) => licence::run(options),
        Command::Vendor(options) => vendor::run(options),
        Command::Serve(options) => startup::serve(runtime, options),
        Command::Password { role, file } => passwords::set(file, (*role).into()),
        Command::Token(options) => tokens::run(options),
        Command::CheckConfig(options) => check_config::check_config(options),
        Command::Status { admin, json } => status::status(&admin.server(), *json),
        Command::Activate { admin } => status::activate(&admin.front()),
        Command::Recover(options) => recover::recover(options),
        Command::Failover { admin, if_active } => failover::failover(&admin.front(), *if_active),
        Command::Release(options) => release::release(options),
        Command::Notify { admin, news } => role::notify(&admin.front(), news),
        Command::Track { what, admin } => role::track(&admin.front(), *what),
        Command::Report(options) => report::report(options),
        Command::Doctor(options) => doctor::doctor(options),
        Command::Client(options) => client::run(options),
        Command::Bench(options) => bench::run(options),
    }
}
