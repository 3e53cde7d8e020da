//! `tmrd-std`: the licence server on blocking threads.

use std::process::ExitCode;
use tmr_runtime_std::daemon::{self, Runtime};
use tmr_runtime_std::{run, threads};

fn main() -> ExitCode {
    let clients_max = threads::CLIENTS_MAX;
    daemon::main(Runtime { name: "threads", clients_max, run: run::run })
}
