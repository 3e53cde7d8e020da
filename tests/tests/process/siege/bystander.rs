//! The clients that work during the attacks, and how long their calls took.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tmr_tests::harness::{FIRM_CODE, Program, TMR, give_back, take};
use tmr_tests::independent_client::{AccessRequest, Client, Crypt};

/// The number of clients that work.
const CLIENTS: usize = 16;
/// The number of seats that they need.
pub(super) const SEATS: u32 = 32;
/// The pause between two calls of one client, because a real program does other work as well.
const PAUSE: Duration = Duration::from_millis(10);
/// The number of calls that use a seat each time that it is taken.
const CRYPTS: usize = 4;
/// The pause between two runs of the track script, which keepalived runs once a second or less
/// often.
const TRACK: Duration = Duration::from_millis(50);

/// The durations of calls in ascending order.
#[derive(Debug)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        Self(took)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the time within which this share of the calls ended, in thousandths.
    pub(super) fn at(&self, share: usize) -> Duration {
        self.0.get(self.0.len() * share / 1_000).copied().unwrap_or_default()
    }

    pub(super) fn p99_ms(&self) -> f64 {
        self.at(990).as_secs_f64() * 1e3
    }
}

impl fmt::Display for Times {
    /// Returns the median and the 99th percentile, in milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} / {:.1}", self.at(500).as_secs_f64() * 1e3, self.p99_ms())
    }
}

/// Takes a seat, uses it and releases it, repeatedly.
fn work(at: SocketAddr, over: &AtomicBool) -> Vec<Duration> {
    let mut client = Client::connect(at).expect("it takes a client");
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let mut timed = |call: &mut dyn FnMut()| {
            let begun = Instant::now();
            call();
            took.push(begun.elapsed());
            thread::sleep(PAUSE);
        };
        let mut seat = None;
        timed(&mut || {
            seat = Some(take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).expect("an answer"));
        });
        let seat = seat.expect("it was asked for").expect("a seat");
        let crypt = Crypt::firm_key(Crypt::ECB_ENCRYPT, 5).request(seat, &[7; 16]);
        for _ in 0..CRYPTS {
            timed(&mut || assert_eq!(client.call(&crypt).expect("an answer").status, 0));
        }
        timed(&mut || assert_eq!(give_back(&mut client, seat).expect("an answer"), Ok(0)));
    }
    took
}

/// Runs clients for this time, and checks that every call gets the right answer.
pub(super) fn worked(at: SocketAddr, time: Duration) -> Times {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| work(at, &over))).collect();
        let begun = Instant::now();
        while begun.elapsed() < time && workers.iter().all(|worker| !worker.is_finished()) {
            thread::sleep(Duration::from_millis(50));
        }
        over.store(true, Ordering::Relaxed);
        let took = workers.into_iter().map(|worker| worker.join().expect("no worker fails"));
        Times::of(took.flatten().collect())
    })
}

/// Runs the program that keepalived starts until the work is over, and checks that it is always
/// answered.
pub(super) fn tracked(program: &Program, socket: &str, over: &AtomicBool) -> Times {
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        program.run(["track", "status", "--admin", socket]).expect(0);
        took.push(begun.elapsed());
        thread::sleep(TRACK);
    }
    Times::of(took)
}
