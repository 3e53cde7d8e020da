//! `tmrd`: the licence server on one executor.

use std::process::ExitCode;
use tmr_runtime_smol::run;
use tmr_runtime_std::daemon;

fn main() -> ExitCode {
    daemon::main("smol", run::run)
}
