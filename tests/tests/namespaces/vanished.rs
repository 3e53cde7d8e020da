//! Clients whose machine is gone without a message: no FIN, no RST. Their connections end within
//! the two minutes that the manual states, whether they were silent or an answer was under way.

use crate::{one_at_a_time, told};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};
use tmr_tests::harness::{FIRM_CODE, Runtime, give_back, take, until, within};
use tmr_tests::independent_client::error::INVALID_HANDLE;
use tmr_tests::independent_client::{AccessRequest, get_version};
use tmr_tests::netns::licences::LONELY;
use tmr_tests::netns::{FRONT, Fault, Pair, connect, tell};

/// The bound that the manual states.
const NOTICED: Duration = Duration::from_secs(120);
/// The tolerance: one round of the system's timers, and the interval of looks at the front.
const SLACK: Duration = Duration::from_secs(10);
/// Wrong handles after which the next call of that address waits for a second.
const SLIPS: u32 = 24;

/// Both runtimes are tested at once, because most of the time is spent waiting.
#[test]
fn the_connections_of_a_machine_that_vanished_end_within_two_minutes() {
    let _one = one_at_a_time();
    thread::scope(|scope| {
        for runtime in [Runtime::Smol, Runtime::Threads] {
            scope.spawn(move || vanished(runtime));
        }
    });
}

fn vanished(runtime: Runtime) {
    let Some(pair) = Pair::start_patient(runtime) else { return };
    let before = pair.settled();
    let (leader, _) = before;
    let server = pair.virtual_address();
    let (lost, here) = (pair.host(1), pair.host(0));
    let dial = || connect(server).expect("it takes a client");
    // One client is silent and holds a seat; one waits for an answer, which comes after its machine
    // is gone.
    let (mut silent, mut asking) = (lost.inside(dial), lost.inside(dial));
    let ask = AccessRequest::new(FIRM_CODE, LONELY.0);
    let seat = take(&mut silent, &ask).expect("an answer").expect("the seat is free");
    for slip in 1..=SLIPS {
        let answer = asking.call(&get_version(seat ^ slip)).expect("an answer");
        assert_eq!(answer.status, INVALID_HANDLE);
    }
    assert_eq!(pair.client_links(leader), 2);
    asking.send(&get_version(seat ^ SLIPS)).expect("it is sent");
    pair.network().cut("client-1", FRONT);
    let gone = Instant::now();

    // The seat is not given to another client while the connection may exist, and is free when it
    // has ended.
    let named = || {
        until("an answer", || {
            let mut client = here.inside(|| connect(server)).ok()?;
            Some(client.call(&get_version(seat)).ok()?.status)
        })
    };
    // On a busy machine keepalived may have moved the address, and all clients with it.
    let stayed = || pair.settled() == before;
    let refused = named() == INVALID_HANDLE;
    assert!(refused || !stayed(), "the seat has moved already");
    within(NOTICED + SLACK, "both connections to end", || {
        (pair.client_links(leader) == 0).then_some(())
    });
    let noticed = gone.elapsed();
    let patient = noticed >= Duration::from_secs(60);
    assert!(patient || !stayed(), "a machine that is away for a moment: {noticed:?}");
    assert_eq!(named(), 0);
    let mut next = here.inside(dial);
    assert_eq!(give_back(&mut next, seat).expect("an answer"), Ok(0));
    let holds = "its connections end within two minutes, and its seat is another address's then";
    let more = told(json!({ "noticed_ms": noticed.as_millis() as u64 }));
    tell(Fault { name: "client machine gone without a word", holds }, runtime, more);
}
