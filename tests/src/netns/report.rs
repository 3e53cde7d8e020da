//! Reports what was measured: a line of JSON for each round, and a table over many rounds.
//! `tests/faults/run` makes the table of `runtime-std/docs/measurements.md` from these lines.
//! Nothing here is asserted, because every gap is longer on a machine that is busy.

use super::pair::advert_interval;
use crate::harness::Runtime;
use serde_json::{Map, Value, json};
use std::fs;
use std::time::Duration;

/// The faults, and what is promised during each.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The fault, in words.
    pub name: &'static str,
    /// The assertions of the test, beside those of all tests: no acknowledged seat is lost, and
    /// none is given twice.
    pub holds: &'static str,
}

/// One round of a fault.
#[derive(Clone, Debug)]
pub struct Row {
    /// The fault.
    pub fault: Fault,
    /// The daemon.
    pub runtime: Runtime,
    /// The longest time without an acknowledged access.
    pub gap: Duration,
    /// Further values to report.
    pub more: Map<String, Value>,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The value below which so many of a thousand values lie, which are sorted.
///
/// # Panics
/// There is no value.
#[must_use]
pub fn quantile<T: Copy>(sorted: &[T], per_mille: usize) -> T {
    sorted[(sorted.len() - 1) * per_mille / 1000]
}

/// Prints a row as JSON.
pub fn report(row: &Row) {
    let mut more = row.more.clone();
    more.insert("gap_ms".into(), millis(row.gap).into());
    tell(row.fault, row.runtime, more);
}

/// Returns the load average of the last minute.
#[must_use]
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// Prints the values of a fault as JSON, with the load average of the machine.
pub fn tell(fault: Fault, runtime: Runtime, more: Map<String, Value>) {
    let mut line = json!({
        "fault": fault.name, "must_hold": fault.holds, "advert": advert_interval(),
        "runtime": runtime.status_name(), "load_average": load_average(),
    });
    let object = line.as_object_mut().expect("it was made as one");
    object.extend(more);
    println!("{line}");
}

/// Prints the median and the worst gap of rows of one fault and runtime, as a row of a table.
pub fn table(rows: &[Row]) {
    let mut gaps: Vec<u64> = rows.iter().map(|row| millis(row.gap)).collect();
    gaps.sort_unstable();
    if let (Some(row), Some(worst)) = (rows.first(), gaps.last()) {
        let (runtime, median, rounds) =
            (row.runtime.status_name(), gaps[gaps.len() / 2], gaps.len());
        println!("| {} | {runtime} | {rounds} | {median} ms | {worst} ms |", row.fault.name);
    }
}

#[cfg(test)]
mod test {
    use super::quantile;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<u32> = (1..=200).collect();
        assert_eq!([0, 500, 990, 1000].map(|at| quantile(&values, at)), [1, 100, 198, 200]);
        assert_eq!(quantile(&[7], 990), 7);
    }
}
