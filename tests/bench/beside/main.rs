//! What `tmrd` is measured beside: the loop that puts load on it speaks to other servers here.
//!
//! ```text
//! tmr-beside etcd  --server IP:PORT --clients N --seconds N [--data BYTES]   Put, over gRPC
//! tmr-beside relay --server IP:PORT --clients N --seconds N [--data BYTES]   frames that come back
//! tmr-beside echo  --server IP:PORT                                          the peer behind a relay
//! ```
//!
//! The loop, the clock and the table of times are those of `tmrd bench`.

mod echo;
mod etcd;
mod relay;

use clap::{Parser, ValueEnum};
use std::cell::Cell;
use std::process::ExitCode;
use std::time::Duration;
use tmr_core::base::network::Address;
use tmr_runtime_std::commands::address;
use tmr_runtime_std::commands::bench::asked;
use tmr_runtime_std::exit::Failure;

#[derive(Debug, Parser)]
struct Cli {
    #[arg(value_enum)]
    work: Work,
    #[arg(long, value_parser = address::admin)]
    server: Address,
    #[arg(long, default_value_t = 64)]
    clients: usize,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Bytes of the value, or of the frame.
    #[arg(long, default_value_t = 256)]
    data: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Work {
    Etcd,
    Relay,
    Echo,
}

fn main() -> ExitCode {
    let options = Cli::parse();
    let Cli { server, clients, data, .. } = &options;
    let (measured, number) = (Duration::from_secs(options.seconds), Cell::new(0));
    let done: Result<_, Failure> = match options.work {
        Work::Etcd => {
            let caller = || etcd::Etcd::new(number.replace(number.get() + 1), *data);
            asked("etcd put", server, *clients, measured, caller)
        }
        Work::Relay => asked("relay", server, *clients, measured, || relay::Relay::new(*data)),
        Work::Echo => echo::serve(&server.to_string()).map(|never| match never {}),
    };
    match done {
        Ok(result) => {
            println!("{result:#}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit.into()
        }
    }
}
