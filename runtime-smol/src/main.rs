//! `tmrd`: the licence server on one executor.

use std::process::ExitCode;
use tmr_runtime_smol::run;
use tmr_runtime_std::commands::{self, startup::Runtime};

fn main() -> ExitCode {
    commands::main(Runtime { program: env!("CARGO_BIN_NAME"), name: "smol", run: run::run })
}
