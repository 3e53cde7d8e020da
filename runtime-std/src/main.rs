//! `tmrd-std`: the licence server on a few threads.

use std::process::ExitCode;
use tmr_runtime_std::{daemon, run};

fn main() -> ExitCode {
    daemon::main("threads", run::run)
}
