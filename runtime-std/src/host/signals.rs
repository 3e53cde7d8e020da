//! Signals: SIGTERM, SIGINT and the end of the parent end the process, SIGHUP has it read its
//! files.

use crate::exit::{Exit, Failure};
use rustix::process::{Signal, set_parent_process_death_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

/// Calls `stop` once, on a thread of its own, when SIGTERM or SIGINT arrives. The second signal
/// ends the process at once.
///
/// # Errors
/// The system refuses a handler, a socket pair or a thread.
pub fn on_stop(stop: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let watch = || {
        let (mut signalled, handler) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGTERM, handler.try_clone()?)?;
        signal_hook::low_level::pipe::register(SIGINT, handler)?;
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            // The handlers hold the other end for as long as the process lives.
            if signalled.read_exact(&mut [0]).is_ok() {
                stop();
                let _ = signalled.read_exact(&mut [0]);
                std::process::exit(Exit::Failed as i32);
            }
        })?;
        Ok(())
    };
    watch().map_err(|error: std::io::Error| {
        Failure::failed(format!("cannot watch for SIGTERM and SIGINT: {error}"))
    })
}

/// Makes a write beyond the limit on file sizes (`ulimit -f`) fail like one on a full disk. Without
/// a handler, SIGXFSZ ends the process without a message.
///
/// # Errors
/// The system refuses a handler.
pub fn survive_file_limit() -> Result<(), Failure> {
    let registered = signal_hook::flag::register(SIGXFSZ, Arc::default());
    registered.map(drop).map_err(|error| Failure::failed(format!("cannot handle SIGXFSZ: {error}")))
}

/// Returns a stream that receives a byte with every SIGHUP.
///
/// # Errors
/// The system refuses a handler or a socket pair.
pub fn hang_up() -> Result<UnixStream, Failure> {
    let watch = || {
        let (hang_up, handler) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGHUP, handler)?;
        Ok(hang_up)
    };
    watch().map_err(|error: std::io::Error| {
        Failure::failed(format!("cannot watch for SIGHUP: {error}"))
    })
}

/// Ends this process, after `last`, when the holder of the other end of standard input is gone for
/// any reason.
///
/// # Errors
/// The system refuses a thread.
pub fn die_with_parent(last: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    // A stopped process (SIGSTOP) does not see the end of its input, so the system continues it
    // when its parent is gone.
    if let Err(error) = set_parent_process_death_signal(Some(Signal::CONT)) {
        tracing::warn!(
            target: "tmr_runtime_std::daemon::signals",
            "a parent that is gone does not wake this process: {error}"
        );
    }
    let watch = || {
        let mut input = std::io::stdin().lock();
        // Nothing is ever written there: a read returns only at the end.
        let _ = std::io::copy(&mut input, &mut std::io::sink());
        tracing::info!(target: "tmr_runtime_std::daemon::signals", "the parent is gone: stopping");
        last();
        std::process::exit(0);
    };
    match thread::Builder::new().name("parent".to_owned()).spawn(watch) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::failed(format!("cannot watch standard input: {error}"))),
    }
}
