//! A whole cluster: the bytes describe it and its faults, and the simulator's checkers report
//! broken promises.

use crate::sim::run_drawn;

/// The number of events while faults occur: about ten seconds of a cluster's time.
const STEPS: u64 = 3_000;

pub(super) fn run(bytes: &[u8]) {
    let outcome = run_drawn(bytes, STEPS, None);
    let found = outcome.violations.first();
    assert!(found.is_none(), "{found:?}");
}
