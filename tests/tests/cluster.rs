//! Many simulated clusters, one for each seed: no promise may break in any of them.
//!
//! Variables: `TMR_SEED=N` replays one seed. `TMR_SEEDS=N` sets how many are run, `TMR_SECONDS=N`
//! for how long instead, `TMR_FROM=N` the first seed, `TMR_THREADS=N` how many run at a time, and
//! `TMR_STEPS=N` bounds the events of each one's part with faults. `TMR_TAIL=N` sets how many of
//! the last events are shown of the first broken run, or of the seed that is replayed. With
//! `TMR_STOP=1` nothing is run after the first broken run.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::env;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use tmr_tests::sim::{Outcome, run};

/// Seeds that broke a promise: 1077, a leader stood by for good because of a claim that led nowhere;
/// 28 and 5195, a leader took back a seat that a client of its twin had been told of; 254…, a front
/// whose usage history had a gap told its twin of a grant as of none; 179…, a broken line between
/// the fronts began the clean-up time of a vanished client anew; 300…, one claim after the other kept
/// a name that had led elsewhere from being looked up anew; 400_003_836 and 400_005_150, that such a name
/// led to a copied disk did so too; 400_002_692, a front left out for good a disk that another one had
/// made whole; 400_003_808, a twin was told no usage history any more; 178, a group was born with the
/// date of the front that founded it; 300_000_187, a call waited for a wrong handle beyond its end;
/// 300_000_707, a disk took the place of a member that was away for a moment; 520_002_056, a late word of a
/// disk that was reached twice made it look old; 620_000_300, the twin's older configuration was stored
/// over one that an operator had changed meanwhile.
const PINNED: &[u64] = &[
    1077,
    28,
    5195,
    254_090_310_447_550,
    1_795_336_441_002_135,
    300_004_303,
    400_002_692,
    400_003_808,
    400_003_836,
    400_005_150,
    178,
    300_000_187,
    300_000_707,
    520_002_472,
    520_002_056,
    620_000_300,
];
/// The most events of the part with faults.
const STEPS: u64 = 20_000;
/// The number of lines of the trace that are shown.
const SHOWN: usize = 80;
/// The interval at which a long sweep reports its progress.
const PROGRESS: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let Ok(number) = text.parse() else {
        eprintln!("error: {name} must be a whole number, not {text:?}");
        std::process::exit(2);
    };
    Some(number)
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
}

/// The progress and the results of runs over many seeds.
struct Sweep<'a> {
    seeds: &'a mut (dyn Iterator<Item = u64> + Send),
    until: Option<Instant>,
    begun: Instant,
    said: Instant,
    done: u64,
    events: u64,
    micros: u64,
    broken: u64,
}

impl Sweep<'_> {
    fn next(&mut self) -> Option<u64> {
        if self.broken > 0 && number("TMR_STOP").is_some() {
            return None;
        }
        if self.until.is_some_and(|until| until <= Instant::now()) {
            return None;
        }
        if self.said.elapsed() >= PROGRESS {
            self.said = Instant::now();
            println!("{} so far", self.line());
        }
        self.seeds.next()
    }

    fn add(&mut self, seed: u64, steps: u64, outcome: &Outcome) {
        self.done += 1;
        self.events += outcome.events;
        self.micros += outcome.micros;
        if let Some(violation) = outcome.violations.first() {
            println!("seed {seed}: {}: {}", violation.check, violation.what);
            println!(
                "replay with: TMR_SEED={seed} TMR_STEPS={steps} cargo test --release -p tmr-tests --test cluster"
            );
            if self.broken == 0 {
                explain(seed, steps);
            }
            self.broken += 1;
        } else if number("TMR_SEED").is_some() && number("TMR_TAIL").is_some() {
            explain(seed, steps);
        }
    }

    fn line(&self) -> String {
        format!(
            "simulated: seeds {}, events {}, seconds {}, real seconds {}, violations {}",
            self.done,
            self.events,
            self.micros / 1_000_000,
            self.begun.elapsed().as_secs(),
            self.broken,
        )
    }
}

fn main() -> ExitCode {
    let steps = number("TMR_STEPS").unwrap_or(STEPS);
    let first = number("TMR_FROM").unwrap_or(1);
    let seconds = number("TMR_SECONDS");
    let count = match (number("TMR_SEEDS"), seconds) {
        (Some(count), _) => count,
        (None, Some(_)) => u64::MAX - first,
        (None, None) => {
            if cfg!(debug_assertions) {
                40
            } else {
                300
            }
        }
    };
    let mut many = PINNED.iter().copied().chain(first..first + count);
    let mut one = number("TMR_SEED").into_iter();
    let begun = Instant::now();
    let sweep = Mutex::new(Sweep {
        seeds: if one.len() == 1 { &mut one } else { &mut many },
        until: seconds.map(|seconds| begun + Duration::from_secs(seconds)),
        begun,
        said: begun,
        done: 0,
        events: 0,
        micros: 0,
        broken: 0,
    });
    let lock = || sweep.lock().expect("no run panics");
    thread::scope(|scope| {
        for _ in 0..number("TMR_THREADS").unwrap_or(1) {
            scope.spawn(|| {
                loop {
                    let Some(seed) = lock().next() else { break };
                    let outcome = run(seed, steps, None);
                    lock().add(seed, steps, &outcome);
                }
            });
        }
    });
    println!("{}", lock().line());
    if lock().broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
