//! `client list`: the licences of a server and how many of each are in use, as the API tells it.

use super::LIST_BYTES;
use super::session::Session;
use super::table::Table;
use crate::daemon::{Failure, Outcome, out};
use serde_json::{Value, json};
use tmr_core::wire::Request;
use tmr_core::wire::constants::{access, info};
use tmr_core::wire::structs::{CmAccess2, CmNetInfoCluster, Layout};

/// Prints the licences.
///
/// # Errors
/// The server is gone, or refuses.
pub(super) fn list(session: &mut Session, json: bool) -> Outcome {
    let wanted = CmAccess2 { ctrl: access::SUBSYSTEM, ..CmAccess2::default() };
    let access = Request::Access2 { ctrl: access::LAN, access: Box::new(wanted), tail: Vec::new() };
    let handle = session.call(&access)?.result;
    let ctrl = info::NETINFO_CLUSTER;
    let asked = session.call(&Request::GetInfo { handle, ctrl, size: LIST_BYTES });
    session.call(&Request::Release { handle })?;
    let reply = asked?;
    let filled = reply.body.get(..reply.result as usize);
    let rows = filled.and_then(rows).ok_or_else(|| {
        Failure::failed(format!("{}: a list of licences that cannot be read", session.server))
    })?;
    if json {
        out::line(Value::from_iter(rows.iter().map(as_json)))?;
    } else if rows.is_empty() {
        eprintln!("no licences");
    } else {
        out::line(as_table(&rows).to_string().trim_end())?;
    }
    Ok(())
}

fn rows(mut bytes: &[u8]) -> Option<Vec<CmNetInfoCluster>> {
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        let (rest, row) = CmNetInfoCluster::parse(bytes).ok()?;
        rows.push(row);
        bytes = rest;
    }
    Some(rows)
}

fn as_json(row: &CmNetInfoCluster) -> Value {
    json!({
        "container": format!("{}-{}", row.mask, row.serial),
        "firm_code": row.firm_code,
        "product_code": row.product_code,
        "feature_map": row.feature_map,
        "quantity": row.license_quantity,
        "used": row.used_licenses,
        "free": row.free_licenses,
    })
}

fn as_table(rows: &[CmNetInfoCluster]) -> Table {
    let mut table = Table::new(&["container", "firm", "product", "seats", "used", "free"]);
    for row in rows {
        table.row([
            format!("{}-{}", row.mask, row.serial),
            row.firm_code.to_string(),
            row.product_code.to_string(),
            row.license_quantity.to_string(),
            row.used_licenses.to_string(),
            row.free_licenses.to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_to_the_last_byte() {
        let row = CmNetInfoCluster { serial: 7, mask: 131, ..CmNetInfoCluster::default() };
        let bytes = [row.to_bytes(), row.to_bytes()].concat();
        assert_eq!(rows(&bytes), Some(vec![row.clone(), row.clone()]));
        assert_eq!(rows(&bytes[1..]), None);
        assert_eq!(as_json(&row)["container"], "131-7");
    }
}
