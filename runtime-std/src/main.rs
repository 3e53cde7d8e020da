//! `tmrd-std`: the licence server on blocking threads.

use std::process::ExitCode;
use tmr_runtime_std::{daemon, run};

fn main() -> ExitCode {
    daemon::main("threads", run::run)
}
