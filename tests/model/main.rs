//! Every order of events, up to a bound, in the core's own nodes.

mod action;
mod memo;
mod node;
mod plan;
mod watch;
mod world;

use plan::Plan;
use stateright::{Checker, Model};
use std::process::ExitCode;
use std::time::Instant;

fn env(name: &str, default: u8) -> u8 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn main() -> ExitCode {
    let plan = Plan {
        name: "probe",
        quantity: usize::from(env("Q", 1)),
        product: 200 + u32::from(env("Q", 1)),
        odd: env("ODD", 0) == 1,
        claims: env("CLAIMS", 1),
        held: env("HELD", 0),
        accesses: env("ACCESSES", 2),
        breaks: env("BREAKS", 0),
        backend_crashes: env("BCRASH", 0),
        front_crashes: env("FCRASH", 0),
        timeouts: env("TIMEOUTS", 0),
        silences: env("SILENCES", 0),
        hangups: env("HANGUPS", 0),
        heartbeats: env("HEARTBEATS", 0),
        ..Plan::default()
    };
    let start = Instant::now();
    let builder = plan.checker().threads(env("THREADS", 1).into());
    if env("BFS", 0) == 1 {
        tell(builder.spawn_bfs().report(&mut stateright::report::WriteReporter::new(&mut std::io::stderr())), start)
    } else {
        tell(builder.spawn_dfs().report(&mut stateright::report::WriteReporter::new(&mut std::io::stderr())), start)
    }
}

fn tell(checker: impl Checker<Plan>, start: Instant) -> ExitCode {
    let mut fine = true;
    for (name, path) in checker.discoveries() {
        let wrong = checker.discovery_classification(name).to_string() == "counterexample";
        if wrong {
            fine = false;
            println!("{name}: {} steps", path.clone().into_actions().len());
            for action in path.into_actions() {
                println!("  {action:?}");
            }
        }
    }
    println!(
        "model: states {} (unique {}), depth {}, seconds {}",
        checker.state_count(), checker.unique_state_count(), checker.max_depth(), start.elapsed().as_secs()
    );
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
