//! A thousand clients lose their front, and all of them connect to the other one at the same
//! moment.

use crate::{SOME, many, play, told};
use serde_json::{Value, json};
use std::time::Instant;
use tmr_tests::harness::Runtime;
use tmr_tests::netns::{CLIENTS, Crowd, Fault, Pair, load_average};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(a_thousand_clients_come_back);

/// The whole crowd, where times are measured. Elsewhere servers and clients are debug builds that
/// share their processors with other tests; fewer clients then test the same properties.
fn clients() -> u32 {
    if many().is_some() { 1000 } else { 200 }
}

fn a_thousand_clients_come_back(runtime: Runtime) {
    let holds = "all are served with the handles they had; the front stays in its epoch, loses no \
                 backend, and takes its twin back meanwhile";
    play(
        runtime,
        Fault { name: "1,000 clients come back at once", holds },
        1,
        |pair, load, leader| {
            let other = 1 - leader;
            let busy = load_average().is_some_and(|load| load > BUSY);
            if busy {
                eprintln!(
                    "this machine is busy with other things: only that all are served is tested"
                );
            }
            let crowd = Crowd::seated(pair.host(1), pair.virtual_address(), clients());
            let (struck, led, served) = load.during(&[pair.group(0, CLIENTS)], |load| {
                load.wait_for(0, SOME);
                let struck = Instant::now();
                pair.front_process(leader).kill();
                pair.wait_leads(other);
                let led = struck.elapsed();
                let mut watch = (!busy).then(|| Watch::new(pair, other));
                crowd.come_back();
                pair.restart_front(leader);
                let served = crowd.served(|| {
                    if let Some(watch) = &mut watch {
                        watch.look(pair);
                    }
                });
                load.wait_for(0, SOME);
                (struck, led, served)
            });
            crowd.leave();
            pair.wait_in_sync();
            let last = served.iter().map(|one| one.after).max().expect("there are clients");
            let again = served.iter().filter(|one| one.tries > 1).count();
            let most = served.iter().map(|one| one.tries).max();
            let more = json!({
                "led_ms": led.as_millis() as u64, "served_ms": last.as_millis() as u64,
                "clients": clients(), "again": again, "most_tries": most,
            });
            (struck, told(more))
        },
    );
}

/// With a load of other programs above this, servers and keepalived's scripts wait seconds for a
/// processor, and lose each other whatever the clients do.
const BUSY: f64 = 10.0;

/// The status of the leading front, read repeatedly.
struct Watch {
    front: usize,
    epoch: u64,
    /// The peers that were connected once: three backends and the twin.
    seen: [bool; 4],
}

impl Watch {
    fn new(pair: &Pair, front: usize) -> Self {
        Self { front, epoch: pair.epoch(front), seen: [false; 4] }
    }

    /// Checks that the front still leads, and has lost no peer.
    #[track_caller]
    fn look(&mut self, pair: &Pair) {
        let status = pair.status(self.front).expect("the front's status");
        // The role may be "starting" for a moment if other programs had the processors.
        assert!(status["role"] != "standby" && status["epoch"] == self.epoch, "{status:#}");
        let backends = status["backends"].as_array().expect("a list of backends");
        let up = backends.iter().map(|row| row["state"] == "up");
        let there = up.chain([status["twin"]["connected"] == Value::Bool(true)]);
        for (seen, there) in self.seen.iter_mut().zip(there) {
            assert!(there || !*seen, "somebody that was there is lost: {status:#}");
            *seen |= there;
        }
    }
}
