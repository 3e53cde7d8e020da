//! The commands of clients: a licence client for people and scripts, and the commands that use
//! admin pages.
//!
//! The licence client speaks the protocol through core's own client, so it shows what a program
//! gets, not what the server believes.

pub mod access;
mod list;
pub(super) mod listing;
mod replay;
pub mod session;

use crate::commands::cli::{Ask, Client};
use crate::commands::stdout;
use crate::exit::Outcome;
use session::Session;
use tmr_core::wire::Request;
use tmr_core::wire::constants::servers;

/// Bytes asked for where an answer has no fixed size.
const LIST_BYTES: u32 = 64 * 1024;

/// Asks what the command line says.
///
/// # Errors
/// No server can be reached, or it refuses.
pub fn run(options: &Client) -> Outcome {
    let session = &mut Session::new(&options.server);
    match &options.ask {
        Ask::Version => version(session),
        Ask::Servers => names(session),
        Ask::List { json } => list::list(session, *json),
        Ask::Access(access) => access::access(session, access),
        Ask::Replay { file } => replay::replay(session, file),
    }
}

fn version(session: &mut Session) -> Outcome {
    let version = session.call(&Request::GetVersion { handle: 0 })?.result;
    stdout::line(format!("{}.{}.{}", version >> 24, version >> 16 & 0xff, version & 0xffff))
}

fn names(session: &mut Session) -> Outcome {
    let ctrl = servers::LIST | servers::NAME | servers::ALL_SERVERS;
    let reply = session.call(&Request::GetServers { ctrl, size: LIST_BYTES })?;
    // The number of servers stands before the list of names, each with its NUL.
    let list = reply.body.get(4..).unwrap_or_default();
    let filled = list.get(..reply.result as usize).unwrap_or(list);
    for name in filled.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        stdout::line(String::from_utf8_lossy(name))?;
    }
    Ok(())
}
