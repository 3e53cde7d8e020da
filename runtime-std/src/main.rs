//! `tmrd-std`: the licence server on a few threads.

use std::process::ExitCode;
use tmr_runtime_std::daemon::{self, Runtime};
use tmr_runtime_std::run;

fn main() -> ExitCode {
    daemon::main(Runtime { program: env!("CARGO_BIN_NAME"), name: "threads", run: run::run })
}
