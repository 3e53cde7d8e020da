//! Many simulated clusters, one a seed: no promise may break in any of them.
//!
//! `TMR_SEED=N` replays one seed, `TMR_SEEDS=N` runs so many, `TMR_STEPS=N` bounds the events of
//! each one's faulty part, `TMR_FROM=N` is the first seed, `TMR_TAIL=N` how many of the last events
//! of the first broken run are shown.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::env;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tmr_tests::sim::{Outcome, run};

/// Seeds that broke a promise: 1077, a leader stood by for good because of a claim that led nowhere;
/// 28, a leader took back a seat that a client of its twin had been told of.
const PINNED: &[u64] = &[1077, 28];
/// Events of the part where things go wrong.
const STEPS: u64 = 20_000;
/// Lines of the trace that are shown.
const SHOWN: usize = 80;
/// A long sweep says so often how far it is.
const PROGRESS: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}")))
}

/// Runs a seed again, this time with its last events written down.
fn explain(seed: u64, steps: u64) {
    let tail = Rc::new(RefCell::new(VecDeque::new()));
    let again = run(seed, steps, Some(Rc::clone(&tail)));
    let shown = number("TMR_TAIL").map_or(SHOWN, |n| usize::try_from(n).unwrap_or(SHOWN));
    let tail = tail.borrow();
    for line in tail.iter().skip(tail.len().saturating_sub(shown)) {
        println!("{line}");
    }
    for violation in &again.violations {
        println!("seed {seed}: {} at {} us: {}", violation.check, violation.at, violation.what);
    }
    println!(
        "replay with: TMR_SEED={seed} TMR_STEPS={steps} cargo test --release -p tmr-tests --test cluster"
    );
}

fn main() -> ExitCode {
    let steps = number("TMR_STEPS").unwrap_or(STEPS);
    let first = number("TMR_FROM").unwrap_or(1);
    let seeds: Vec<u64> = match (number("TMR_SEED"), number("TMR_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, count) => {
            let count = count.unwrap_or(if cfg!(debug_assertions) { 40 } else { 300 });
            PINNED.iter().copied().chain(first..first + count).collect()
        }
    };
    let (mut sum, mut broken) = (Outcome::default(), Vec::new());
    let begun = Instant::now();
    let mut said = begun;
    let so_far = |done: usize, sum: &Outcome, broken: usize| {
        format!(
            "simulated: seeds {done}, events {}, seconds {}, real seconds {}, violations {broken}",
            sum.events,
            sum.micros / 1_000_000,
            begun.elapsed().as_secs(),
        )
    };
    for (done, &seed) in seeds.iter().enumerate() {
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            println!("{} so far, of seeds {}", so_far(done, &sum, broken.len()), seeds.len());
        }
        let outcome = run(seed, steps, None);
        sum.events += outcome.events;
        sum.micros += outcome.micros;
        if !outcome.violations.is_empty() {
            let violation = &outcome.violations[0];
            println!("seed {seed}: {}: {}", violation.check, violation.what);
            if broken.is_empty() {
                explain(seed, steps);
            }
            broken.push(seed);
        }
    }
    println!("{}", so_far(seeds.len(), &sum, broken.len()));
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
