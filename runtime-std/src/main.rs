//! `tmrd-std`: the licence server on a few threads.

use std::process::ExitCode;
use tmr_runtime_std::commands::{self, startup::Runtime};
use tmr_runtime_std::threads;

fn main() -> ExitCode {
    commands::main(Runtime { program: env!("CARGO_BIN_NAME"), name: "threads", run: threads::run })
}
