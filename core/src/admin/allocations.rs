//! Who holds what, and who would like to, as `/api/status` and `/api/allocations` say it.

use super::status::as_text;
use crate::base::time::Wall;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use serde::Serialize;
use serde_json::Value;

/// What a wrong query is told.
pub(super) const PAGES: &str = "Right would be /api/allocations?from=1000.";

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
    /// Its licence is gone ([`GoneStatus`](super::status::GoneStatus)).
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

/// How many rows a query leaves out: those of the pages before.
pub(super) fn from(query: &str) -> Option<usize> {
    let mut parts = query.split('&').filter_map(|pair| pair.strip_prefix("from="));
    parts.next().map_or(Some(0), |number| number.parse().ok())
}

/// Takes out of a status, or of a page of allocations, what only operators and the machine itself
/// are told: handles, and the names of groups and disks.
pub(super) fn conceal(value: &mut Value) {
    let Some(fields) = value.as_object_mut() else { return };
    for secret in ["cluster", "group", "disk"] {
        fields.remove(secret);
    }
    if let Some(rows) = fields.get_mut("allocations").and_then(Value::as_array_mut) {
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.remove("handle");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_query_says_where_its_page_begins() {
        assert_eq!([from(""), from("x=1&from=1000")], [Some(0), Some(1000)]);
        assert_eq!([from("from="), from("from=-1")], [None, None]);
    }

    #[test]
    fn who_reads_is_told_no_handle_and_no_group() {
        let mut status = json!({ "cluster": "00ff", "group": "1", "disk": "2", "handles": 1,
            "allocations": [ { "handle": 7, "id": 5 } ] });
        conceal(&mut status);
        assert_eq!(status, json!({ "handles": 1, "allocations": [ { "id": 5 } ] }));
    }
}
