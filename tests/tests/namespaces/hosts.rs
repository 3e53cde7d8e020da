//! The hosts of clients: cut off without a message.

use crate::{one_at_a_time, told};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};
use tmr_tests::harness::{FIRM_CODE, Runtime, give_back, licence_row, take, within};
use tmr_tests::independent_client::AccessRequest;
use tmr_tests::netns::licences::LONELY;
use tmr_tests::netns::{FRONT, Fault, Pair, connect, tell, use_it};

/// Both runtimes are tested at once, because most of the time is spent waiting.
#[test]
fn the_seat_of_a_cut_off_client_comes_back_in_time() {
    let _one = one_at_a_time();
    thread::scope(|scope| {
        for runtime in [Runtime::Smol, Runtime::Threads] {
            scope.spawn(move || cut_off(runtime));
        }
    });
}

fn cut_off(runtime: Runtime) {
    const CLEANUP: Duration = Duration::from_secs(30);
    let Some(pair) = Pair::start(runtime) else { return };
    let (leader, _) = pair.settled();
    let mut ask = AccessRequest::new(FIRM_CODE, LONELY.0);
    ask.cleanup = 30;
    let (host, server) = (pair.host(1), pair.virtual_address());
    let mut lost = host.inside(|| connect(server)).expect("it takes a client");
    let handle = take(&mut lost, &ask).expect("an answer").expect("the seat is free");
    let last_word = Instant::now();
    assert_eq!(use_it(&mut lost, handle), 0);
    pair.network().cut("client-1", FRONT);

    within(CLEANUP * 3, "the seat to come back", || {
        let row = licence_row(&pair.status(leader)?, LONELY.0)?;
        (row["used"] == 0).then_some(())
    });
    let back = last_word.elapsed();
    assert!(back >= CLEANUP, "the seat was taken away after {back:?}");
    let holds = "its seat comes back after its clean-up time of 30 s, not before";
    let more = told(json!({ "seat_back_ms": back.as_millis() as u64 }));
    tell(Fault { name: "client host cut off", holds }, runtime, more);
    let mut next = pair.host(0).inside(|| connect(server)).expect("it takes a client");
    let seat = take(&mut next, &ask).expect("an answer").expect("the seat is free");
    assert_ne!(seat, handle);
    assert_eq!(give_back(&mut next, seat).expect("an answer"), Ok(0));
}
