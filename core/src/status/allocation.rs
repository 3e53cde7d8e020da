//! Handles that are held, and peers that name handles of others.

use super::as_text;
use crate::base::time::Wall;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use serde::Serialize;

/// A handle that is held, with a seat or without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Allocation {
    /// The handle; operators and this machine alone are told it.
    pub handle: u32,
    /// What it is called in front of everybody, as in the lists that clients get.
    pub id: u32,
    /// [`Held::kind`](crate::log::HandleScope::kind): what it stands for.
    pub kind: &'static str,
    /// Firm Code of its licence or firm item, or 0.
    pub firm_code: u32,
    /// Product Code of its licence, or 0.
    pub product_code: u32,
    /// [`Mode::name`](crate::log::Mode::name).
    pub mode: &'static str,
    /// The address its holder's connection came from.
    pub client: IpAddr,
    /// The holder's host name; may be empty.
    pub host: String,
    /// The holder's user name; may be empty.
    pub user: String,
    /// When it was granted.
    #[serde(serialize_with = "as_text")]
    pub since: Wall,
    /// Its licence is gone ([`GoneStatus`](super::GoneStatus)).
    pub gone: bool,
    /// Backends that have it on disk, or stock servers that have given it.
    pub backends: u32,
}

/// Somebody who names handles that are not theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StrangerStatus {
    /// An address, or a network of IPv6 addresses.
    pub address: String,
    /// How many such calls there were in the last minute.
    pub calls: u64,
    /// The same in a sentence.
    pub trouble: String,
}

impl StrangerStatus {
    /// So many calls in the last minute.
    #[must_use]
    pub fn new(address: String, calls: u64) -> Self {
        let trouble =
            format!("{address} names handles that are not his: {calls} in the last minute");
        Self { address, calls, trouble }
    }
}
