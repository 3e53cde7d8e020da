//! The link between the two fronts is cut, and nothing else.

use crate::{SOME, play, told, undisturbed};
use serde_json::json;
use std::time::Instant;
use tmr_tests::harness::Runtime;
use tmr_tests::netns::{CLIENTS, Fault};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(the_twin_link_is_cut);

/// The link is cut until both fronts notice. Without a message that takes
/// `TransferTimeoutInSeconds`, and a little more.
fn the_twin_link_is_cut(runtime: Runtime) {
    let holds = "no connection breaks, nothing is refused; in sync again by itself";
    play(runtime, Fault { name: "twin link cut, healed", holds }, 1, |pair, load, _| {
        let before = pair.settled();
        pair.wait_in_sync();
        let (struck, more) = undisturbed(pair.group(0, CLIENTS), load, |load| {
            load.wait_for(0, SOME);
            let struck = Instant::now();
            pair.cut_twins();
            load.wait_for(0, SOME);
            pair.wait_twins_connected(false);
            let noticed = struck.elapsed();
            load.wait_for(0, SOME);
            let healed = Instant::now();
            pair.heal_twins();
            pair.wait_in_sync();
            let in_sync = healed.elapsed();
            load.wait_for(0, SOME);
            let more = json!({
                "noticed_ms": noticed.as_millis() as u64, "in_sync_ms": in_sync.as_millis() as u64,
            });
            (struck, told(more))
        });
        assert_eq!(pair.settled(), before, "the same front goes on to lead");
        (struck, more)
    });
}
