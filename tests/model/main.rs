//! Plays every order of events, up to a bound, in the core's own nodes: no promise may break in
//! any.
//!
//! Two fronts and three backends of `tmr-core` go from one state to another by the possible next
//! events of the network, the disks, the clocks and the clients ([`action`]). stateright visits
//! all states within the bounds of a [`plan`]. `README.md` in this folder lists the bounds and
//! what they leave out.
//!
//! By default the plans that end within seconds are run. `TMR_MODEL=full` runs those that CI has
//! time for, `TMR_MODEL=all` also those that take hours, `TMR_MODEL=NAME` the plan of that name.
//! `TMR_THREADS=N` sets the number of threads (1).

mod action;
mod alike;
mod backend;
mod front;
mod memo;
mod node;
mod plan;
mod watch;
mod world;

use plan::Plan;
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::collections::BTreeSet;
use std::env;
use std::process::ExitCode;
use std::time::Instant;

/// The result of one plan, or of all plans that were run.
#[derive(Debug, Default)]
struct Sum {
    states: usize,
    unique: usize,
    depth: usize,
    /// Names of promises that were broken.
    broken: BTreeSet<&'static str>,
    /// Names of what must happen in some state, and did.
    seen: BTreeSet<&'static str>,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.states += other.states;
        self.unique += other.unique;
        self.depth = self.depth.max(other.depth);
        self.broken.extend(other.broken);
        self.seen.extend(other.seen);
    }

    fn line(&self, start: Instant) -> String {
        let Self { states, unique, depth, broken, seen } = self;
        let [promises, sights] =
            [Expectation::Always, Expectation::Sometimes].map(|wanted| names(&wanted).len());
        format!(
            "states {states} (unique {unique}), depth {depth}, seconds {}, properties: {} of \
             {promises} hold, {} of {sights} seen",
            start.elapsed().as_secs(),
            promises - broken.len(),
            seen.len(),
        )
    }
}

/// Returns the names of all properties of a kind.
fn names(wanted: &Expectation) -> Vec<&'static str> {
    let all = Plan::default().properties().into_iter();
    all.filter(|property| property.expectation == *wanted).map(|property| property.name).collect()
}

/// Visits every state of a plan.
fn check(plan: Plan, threads: usize) -> Sum {
    let (name, start) = (plan.name, Instant::now());
    let builder = plan.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    let checker = builder.spawn_dfs().join();
    let found: BTreeSet<_> = checker.discoveries().into_keys().collect();
    let these = |wanted| names(&wanted).into_iter().filter(|name| found.contains(name)).collect();
    let sum = Sum {
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: checker.max_depth(),
        broken: these(Expectation::Always),
        seen: these(Expectation::Sometimes),
    };
    println!("{name}: {}", sum.line(start));
    if !sum.broken.is_empty() {
        explain(name);
    }
    sum
}

/// Shows the shortest way to break a promise; to look for it takes more memory than to find any.
fn explain(name: &str) {
    let plans = Plan::full().into_iter().chain(Plan::short());
    let Some(plan) = plans.into_iter().find(|plan| plan.name == name) else { return };
    let checker = plan.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    for (broken, path) in checker.discoveries() {
        if checker.model().property(broken).expectation == Expectation::Always {
            let actions = path.into_actions();
            println!("{name}: broken in {} steps: {broken}", actions.len());
            for action in actions {
                println!("  {action:?}");
            }
        }
    }
}

fn main() -> ExitCode {
    let Ok(threads) = env::var("TMR_THREADS").map_or(Ok(1), |text| text.parse()) else {
        eprintln!("error: TMR_THREADS must be a whole number");
        return ExitCode::from(2);
    };
    let chosen = env::var("TMR_MODEL").ok();
    let plans = match chosen.as_deref() {
        None => Plan::short(),
        Some("full") => Plan::full().into_iter().filter(|plan| !plan.long).collect(),
        Some("all") => Plan::full(),
        Some(name) => Plan::full().into_iter().filter(|plan| plan.name == name).collect(),
    };
    if plans.is_empty() {
        let names: Vec<_> = Plan::full().iter().map(|plan| plan.name).collect();
        eprintln!(
            "error: TMR_MODEL names no plan; right would be full, all, or one of: {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    }
    let all = plans.len() > 1;
    let (start, mut sum) = (Instant::now(), Sum::default());
    for plan in plans {
        sum.add(check(plan, threads));
    }
    println!("model: {}", sum.line(start));
    let mut failed = !sum.broken.is_empty();
    // A model without events would break no promise, so each event must be seen. A single plan need
    // not show all of them.
    for never in names(&Expectation::Sometimes).iter().filter(|name| !sum.seen.contains(*name)) {
        if all {
            println!("model: never seen: {never}");
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
