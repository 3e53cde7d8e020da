//! `release`: an operator takes a handle back, or all handles of an address.

use super::http;
use super::pages::Admin;
use crate::daemon::passwords;
use crate::daemon::{Failure, Outcome};
use clap::Args;
use serde_json::json;
use std::net::IpAddr;

/// `release`.
#[derive(Debug, Args)]
#[command(after_help = "Examples, at the front that leads:\n  \
    tmrd release --handle 19857\n  \
    tmrd release --address 192.0.2.66 <operator-password\n\n\
    Their seats are free at once; the program that holds one is refused at its next call. It asks \
    for the\noperator's password, or reads it from standard input. What is taken back stands in the \
    record of changes.")]
pub struct Release {
    /// Which front.
    #[command(flatten)]
    pub admin: Admin,
    /// This handle.
    #[arg(long, required_unless_present = "address", conflicts_with = "address")]
    pub handle: Option<u32>,
    /// Every handle that this address holds.
    #[arg(long, value_name = "IP")]
    pub address: Option<IpAddr>,
}

/// Has a front take handles back, and says what it answered.
///
/// # Errors
/// It cannot be reached, does not lead, the password is not right, or there is no such handle.
pub fn release(options: &Release) -> Outcome {
    let body = match (options.address, options.handle) {
        (Some(address), _) => json!({ "address": address }),
        (None, handle) => json!({ "handle": handle }),
    };
    let at = &options.admin.front();
    let password = match at.password()? {
        Some(password) => password,
        None => passwords::once("Password of the operator: ")?,
    };
    if password.is_empty() {
        return Err(Failure::failed("no password was read: standard input has none".to_owned()));
    }
    let answer = http::post_signed(at, "/api/release", &body.to_string(), &password)?;
    if answer.status != 202 {
        return Err(Failure::failed(format!("{}: {}", answer.at, answer.body.trim_end())));
    }
    eprintln!("{}: {}", answer.at, answer.body.trim_end());
    Ok(())
}
