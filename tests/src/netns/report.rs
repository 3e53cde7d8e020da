//! What was measured: a line of JSON a round, and a table over many rounds. Nothing here is
//! asserted: a machine that does other things too makes every gap longer.

use crate::harness::Runtime;
use serde_json::{Map, Value, json};
use std::fs;
use std::time::Duration;

/// One fault, once.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which fault.
    pub fault: &'static str,
    /// In which daemon.
    pub runtime: Runtime,
    /// The longest time without an acknowledged access.
    pub gap: Duration,
    /// What else there is to tell.
    pub more: Map<String, Value>,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Prints a row as JSON, with the load that the machine had.
pub fn report(row: &Row) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|text| text.parse::<f64>().ok());
    let mut line = json!({
        "fault": row.fault, "runtime": row.runtime.status_name(), "gap_ms": millis(row.gap),
        "load_average": load,
    });
    let object = line.as_object_mut().expect("it was made as one");
    object.extend(row.more.clone());
    println!("{line}");
}

/// Prints the median and the worst gap of rows of one fault and runtime, as a row of a table.
pub fn table(rows: &[Row]) {
    let mut gaps: Vec<u64> = rows.iter().map(|row| millis(row.gap)).collect();
    gaps.sort_unstable();
    if let (Some(row), Some(worst)) = (rows.first(), gaps.last()) {
        let (runtime, median, rounds) =
            (row.runtime.status_name(), gaps[gaps.len() / 2], gaps.len());
        println!("| {} | {runtime} | {rounds} | {median} ms | {worst} ms |", row.fault);
    }
}
