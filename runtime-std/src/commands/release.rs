//! `release`: an operator releases a handle, or all handles of an address.

use crate::commands::admin::http::{self, PATIENCE};
use crate::commands::admin::pages::Admin;
use crate::commands::{address, number};
use crate::exit::{Failure, Outcome};
use crate::host::passwords;
use clap::Args;
use serde_json::json;
use std::io::{self, IsTerminal};
use std::net::IpAddr;

const PATH: &str = "/api/release";

/// `release`.
#[derive(Debug, Args)]
#[command(after_help = "Examples, at the front that leads:\n  \
    tmrd release --handle 19857\n  \
    tmrd release --address 192.0.2.66 <operator-password\n\n\
    Their seats are free at once; the program that holds one is refused at its next call. By the \
    socket of the\nfront's machine it needs no password; elsewhere it asks for the operator's, or reads \
    it from standard input.\nWhat is taken back stands in the record of changes.")]
pub struct Release {
    /// Which front.
    #[command(flatten)]
    pub admin: Admin,
    /// What is taken back.
    #[command(flatten)]
    pub what: What,
}

/// What is taken back: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct What {
    /// This handle.
    #[arg(long, value_parser = number::within(0..=u32::MAX))]
    pub handle: Option<u32>,
    /// Every handle that this address holds.
    #[arg(long, value_name = "IP", value_parser = address::ip)]
    pub address: Option<IpAddr>,
}

/// Has a front release handles, and prints its answer.
///
/// # Errors
/// It cannot be reached, does not lead, the password is wrong, or there is no such handle.
pub fn release(options: &Release) -> Outcome {
    let body = match (options.what.address, options.what.handle) {
        (Some(address), _) => json!({ "address": address }),
        (None, handle) => json!({ "handle": handle }),
    };
    let (at, body) = (&options.admin.front(), body.to_string());
    let mut answer = http::post_json(at, PATH, &body, PATIENCE)?;
    // A password from a file or the terminal was already sent.
    if answer.status == 401 && !at.credentials().given() && !io::stdin().is_terminal() {
        let password = passwords::once("Password of the operator: ")?;
        if password.is_empty() {
            let text = "no password was read: standard input has none".to_owned();
            return Err(Failure::failed(text));
        }
        answer = http::post_signed(at, PATH, &body, &password)?;
    }
    if answer.status != 202 {
        return Err(Failure::failed(format!("{}: {}", answer.at, answer.body.trim_end())));
    }
    note!("{}: {}", answer.at, answer.body.trim_end());
    Ok(())
}
