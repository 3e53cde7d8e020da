//! `bench`: the load generator for all figures in the manual's measurements.
//!
//! One thread serves all clients, so that on a small machine the load takes little from the
//! measured servers. Handshakes, and seats that are held all the time, come before the first
//! counted call. Durations are measured at the client, from its request to the reply.

pub mod histogram;
mod licence;
pub mod load;

use crate::commands::cli::{Bench, BenchWork};
use crate::commands::stdout;
use crate::exit::{Failure, Outcome};
use crate::host::process_limits;
use histogram::Histogram;
use licence::{LicenceClient, Work};
use load::{Caller, Counted, Load};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use tmr_core::base::network::Address;

/// Measures as the command line states, and prints the result as JSON.
///
/// # Errors
/// The server cannot be reached, or does not serve all clients.
pub fn run(options: &Bench) -> Outcome {
    process_limits::raise_file_limit();
    let (server, clients) = (&options.server, options.clients);
    let work = match options.work {
        BenchWork::Access => Work::Cycle,
        BenchWork::Crypt => Work::Crypt(options.data),
        BenchWork::Idle => Work::Idle,
    };
    let caller = || LicenceClient::new(work, (options.firm_code, options.product_code));
    let measured = Duration::from_secs(options.seconds);
    let result = match options.work {
        BenchWork::Idle => idle(server, clients, measured, caller)?,
        BenchWork::Access => asked("access", server, clients, measured, caller)?,
        BenchWork::Crypt => asked("crypt", server, clients, measured, caller)?,
    };
    stdout::line(format_args!("{result:#}"))
}

/// Has `clients` clients call for the time `measured`, and returns the figures.
///
/// # Errors
/// The server cannot be reached, or does not serve all clients.
pub fn asked<C: Caller>(
    name: &str,
    server: &Address,
    clients: usize,
    measured: Duration,
    caller: impl Fn() -> C,
) -> Result<Value, Failure> {
    let mut load = Load::open(server, clients, caller)?;
    let counted = load.ask(measured)?;
    let mut all = Histogram::default();
    let mut kinds = Map::new();
    for (kind, times) in &counted.kinds {
        all.add(times);
        kinds.insert((*kind).to_owned(), figures(times, measured).into());
    }
    let mut result = head(name, server, clients, &counted);
    result.extend(figures(&all, measured));
    if kinds.len() > 1 {
        result.insert("calls".to_owned(), kinds.into());
    }
    Ok(result.into())
}

fn idle<C: Caller>(
    server: &Address,
    clients: usize,
    measured: Duration,
    caller: impl Fn() -> C,
) -> Result<Value, Failure> {
    let begin = Instant::now();
    let mut load = Load::open(server, clients, caller)?;
    let opening = begin.elapsed();
    // A script that measures the server's memory waits for this line.
    note!("{clients} links are idle");
    let counted = load.idle(measured)?;
    let mut result = head("idle", server, clients, &counted);
    result.insert("opened_in_seconds".to_owned(), json!(opening.as_secs_f64()));
    result.insert("still_open".to_owned(), json!(load.connected()));
    Ok(result.into())
}

fn head(name: &str, server: &Address, clients: usize, counted: &Counted) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("work".to_owned(), json!(name));
    head.insert("server".to_owned(), json!(server.to_string()));
    head.insert("clients".to_owned(), json!(clients));
    head.insert("seconds".to_owned(), json!(counted.lasted.as_secs_f64()));
    head.insert("errors".to_owned(), json!(counted.errors));
    head
}

/// Returns the number of calls, calls per second, the median and the 99th percentile.
fn figures(times: &Histogram, measured: Duration) -> Map<String, Value> {
    let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
    let mut figures = Map::new();
    figures.insert("count".to_owned(), json!(times.total()));
    figures.insert("rate".to_owned(), json!(times.total() as f64 / measured.as_secs_f64()));
    figures.insert("p50_us".to_owned(), json!(micros(times.permille(500))));
    figures.insert("p99_us".to_owned(), json!(micros(times.permille(990))));
    figures.insert("max_us".to_owned(), json!(micros(times.longest())));
    figures
}
