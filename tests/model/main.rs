//! Every order of events, up to a bound, in the core's own nodes: no promise may break in any.
//!
//! Two fronts and three backends, as they are in `tmr-core`, go from one state to another by what
//! the network, the disks, the clocks and the clients may do next ([`action`]); all states that can
//! be reached within the bounds of a [`plan`] are looked at, with stateright. Which bounds there
//! are and what they leave out is written up in `README.md` beside this.
//!
//! `TMR_MODEL=full` runs all plans, `TMR_MODEL=NAME` the one of that name; otherwise it is the
//! short ones without optimisation, and all with it. `TMR_THREADS=N` says how many threads (1).

mod action;
mod memo;
mod node;
mod plan;
mod watch;
mod world;

use plan::Plan;
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::env;
use std::process::ExitCode;
use std::time::Instant;

/// What was looked at.
#[derive(Default)]
struct Sum {
    states: usize,
    unique: usize,
    depth: usize,
    broken: usize,
}

/// Looks at every state of a plan.
fn check(plan: Plan, threads: usize, sum: &mut Sum) -> Vec<&'static str> {
    let (name, start) = (plan.name, Instant::now());
    let builder = plan.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    let checker = builder.spawn_dfs().join();
    let (states, unique) = (checker.state_count(), checker.unique_state_count());
    let (depth, seconds) = (checker.max_depth(), start.elapsed().as_secs());
    println!("{name}: states {states} (unique {unique}), depth {depth}, seconds {seconds}");
    (sum.states, sum.unique) = (sum.states + states, sum.unique + unique);
    sum.depth = sum.depth.max(depth);
    let found: Vec<_> = checker.discoveries().into_keys().collect();
    let wanted = |expectation: Expectation| {
        let all = checker.model().properties().into_iter();
        let these = all.filter(move |property| property.expectation == expectation);
        these.map(|property| property.name).filter(|name| found.contains(name)).collect::<Vec<_>>()
    };
    if !wanted(Expectation::Always).is_empty() {
        sum.broken += 1;
        explain(name);
    }
    wanted(Expectation::Sometimes)
}

/// Looks for the shortest way to break a promise, which takes more memory than to find any.
fn explain(name: &str) {
    let plans = Plan::full().into_iter().chain(Plan::short());
    let Some(plan) = plans.into_iter().find(|plan| plan.name == name) else { return };
    let checker = plan.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    for (broken, path) in checker.discoveries() {
        if checker.model().property(broken).expectation != Expectation::Always {
            continue;
        }
        println!("{name}: broken: {broken}");
        for action in path.into_actions() {
            println!("  {action:?}");
        }
    }
}

fn main() -> ExitCode {
    let threads = env::var("TMR_THREADS").map_or(1, |text| text.parse().expect("a number"));
    let plans = match env::var("TMR_MODEL").as_deref() {
        Ok("full") => Plan::full(),
        Ok(name) => Plan::full().into_iter().filter(|plan| plan.name == name).collect(),
        Err(_) if cfg!(debug_assertions) => Plan::short(),
        Err(_) => Plan::full(),
    };
    assert!(!plans.is_empty(), "there is no plan of that name");
    let all = plans.len() > 1;
    let (start, mut sum, mut seen) = (Instant::now(), Sum::default(), Vec::new());
    let properties = plans[0].properties();
    for plan in plans {
        seen.extend(check(plan, threads, &mut sum));
    }
    // A model in which nothing happens breaks nothing.
    for property in &properties {
        let never =
            property.expectation == Expectation::Sometimes && !seen.contains(&property.name);
        if all && never {
            println!("never: {}", property.name);
            sum.broken += 1;
        }
    }
    println!(
        "model: states {} (unique {}), depth {}, seconds {}, properties {}",
        sum.states,
        sum.unique,
        sum.depth,
        start.elapsed().as_secs(),
        properties.len()
    );
    if sum.broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
