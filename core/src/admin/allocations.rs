//! The pages of `/api/allocations`, and the fields of a status that only operators see.

use serde_json::Value;

/// The hint in the answer to a wrong query.
pub(super) const PAGES: &str = "Right would be /api/allocations?from=1000.";

/// Returns the number of rows that a query skips: those of earlier pages.
pub(super) fn from(query: &str) -> Option<usize> {
    let mut parts = query.split('&').filter_map(|pair| pair.strip_prefix("from="));
    parts.next().map_or(Some(0), |number| number.parse().ok())
}

/// Removes from a status, or from a page of allocations, what only operators and the machine itself
/// may see: handles, and the names of groups and disks.
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
