//! Logs go to standard error, one line an event: what `TMR_LOG` lets through, `info` if it says
//! nothing. Never coloured; without a time where the journal puts its own.

use super::exit::Failure;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// The variable that says what is logged.
pub const VARIABLE: &str = "TMR_LOG";

/// Starts logging, and makes a panic end the process: a broken invariant must not be served on.
///
/// # Errors
/// `TMR_LOG` cannot be understood.
pub fn start() -> Result<(), Failure> {
    let wanted = std::env::var(VARIABLE).unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        Failure::usage(format!(
            "{VARIABLE}={wanted}: {error}; right would be info, debug, or tmr_core::front=debug,info"
        ))
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    if journal && !std::io::stderr().is_terminal() {
        lines.without_time().init();
    } else {
        lines.init();
    }
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    Ok(())
}
