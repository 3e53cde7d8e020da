//! Logs go to standard error, and to a file if one is configured, one line for each event. They are
//! never coloured; where standard error is the journal, they have a priority and no time.
//!
//! The level is that of `TMR_LOG` at the start, else that of the configuration; a configuration
//! that comes into force later has precedence. The file is opened in append mode, so it may be
//! truncated (logrotate's `copytruncate`), or moved away, until SIGHUP opens a new one.

use crate::exit::{Failure, Outcome};
use crate::host::files;
use crate::host::journald::{self, Prioritised};
use crate::host::log_file::{LogFile, Reserved};
use crate::sync::lock;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use tmr_core::base::server_files::FileTrouble;
use tmr_core::config::Log;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// The variable with the levels.
pub const VARIABLE: &str = "TMR_LOG";

/// A layer for each destination of lines.
type Lines = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// How logging is changed while it is in use.
struct Control {
    lines: reload::Handle<Lines, Registry>,
    levels: reload::Handle<EnvFilter, Layered<reload::Layer<Lines, Registry>, Registry>>,
    /// What is in force.
    now: Mutex<Option<Now>>,
}

#[derive(Clone, Debug)]
struct Now {
    log: Log,
    reserved: Reserved,
}

static CONTROL: OnceLock<Control> = OnceLock::new();
/// Why the log file is not written.
static TROUBLE: Mutex<Option<FileTrouble>> = Mutex::new(None);
/// How an operator mends that.
const TODO: &str = "name a file of its own, in a folder that the user that tmrd runs as may write, in \
                    Log.File (a backend: --log-file), and reload";

/// Starts logging to standard error, and makes a panic end the process: after a broken invariant
/// nothing may be served. A `TMR_LOG` that cannot be parsed is ignored, with a warning.
pub fn start() {
    let wanted = variable().map(|wanted| (EnvFilter::try_new(&wanted), wanted));
    let (filter, aside) = match wanted {
        None => (EnvFilter::new("info"), None),
        Some((Ok(filter), _)) => (filter, None),
        Some((Err(error), wanted)) => (EnvFilter::new("info"), Some((error, wanted))),
    };
    let (outer, levels) = reload::Layer::new(filter);
    let (inner, lines) = reload::Layer::new(vec![standard_error(false)]);
    tracing_subscriber::registry().with(inner).with(outer).init();
    let _ = CONTROL.set(Control { lines, levels, now: Mutex::default() });
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if journald::is_standard_error() {
            // The standard report has several lines, which cannot have a priority each.
            note!("<2>{}", panic.to_string().replace('\n', " "));
        }
        report(panic);
        std::process::abort();
    }));
    if let Some((error, wanted)) = aside {
        tracing::error!(
            target: "tmr_runtime_std::daemon::log",
            "{VARIABLE}={wanted}: {error}; logging as if it were info; right would be info, debug, or \
             tmr_core::front=debug,info"
        );
    }
}

fn variable() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// A way of logging that can be put into force.
#[derive(Debug)]
pub struct Prepared {
    now: Now,
    levels: EnvFilter,
    sink: Option<Arc<LogFile>>,
}

/// Opens the log file, anew if it is in use already, so that a file that was moved away is not
/// written any more. `reserved`: files that must not be used.
///
/// # Errors
/// The file cannot be opened or is something else, or the levels are not valid.
pub fn prepare(log: &Log, reserved: &Reserved) -> Result<Prepared, Failure> {
    let levels = EnvFilter::try_new(&log.level)
        .map_err(|error| Failure::usage(format!("Log.Level {}: {error}", log.level)))?;
    let open = |path: &String| LogFile::open(path.into(), reserved).map(Arc::new);
    let sink = log.file.as_ref().map(open).transpose()?;
    Ok(Prepared { now: Now { log: log.clone(), reserved: reserved.clone() }, levels, sink })
}

/// Checks that a log could be put into force, without creating a file.
///
/// # Errors
/// As of [`prepare`].
pub fn check(log: &Log, reserved: &Reserved) -> Outcome {
    prepare(&Log { file: None, ..log.clone() }, reserved)?;
    log.file.as_ref().map_or(Ok(()), |path| LogFile::check(path.as_ref(), reserved))
}

/// Puts a way of logging into force.
pub fn apply(prepared: Prepared) {
    *lock(&TROUBLE) = None;
    let Prepared { now: new, levels, sink } = prepared;
    let log = &new.log;
    let Some(control) = CONTROL.get() else { return };
    let mut now = lock(&control.now);
    let same = now.as_ref().map(|now| now.log.level == log.level);
    match (same, variable()) {
        // The level of the start is kept until another one is configured.
        (None, Some(variable)) => {
            if log.level != "info" {
                tracing::info!(
                    target: "tmr_runtime_std::daemon::log",
                    "{VARIABLE}={variable} is set: Log.Level is left aside"
                );
            }
        }
        (Some(true), _) => {}
        _ => control.levels.reload(levels).expect("logging lasts as long as the process"),
    }
    let file = sink.map(|sink| lines(log.json, sink));
    let lines: Lines = [standard_error(log.json)].into_iter().chain(file).collect();
    control.lines.reload(lines).expect("logging lasts as long as the process");
    *now = Some(new);
}

/// Logs as configured at the start. A log file that cannot be written does not prevent the start.
pub fn begin(log: &Log, reserved: &Reserved) {
    match prepare(log, reserved) {
        Ok(prepared) => apply(prepared),
        Err(failure) => {
            match prepare(&Log { file: None, ..log.clone() }, reserved) {
                Ok(prepared) => apply(prepared),
                Err(failure) => tracing::error!(
                    target: "tmr_runtime_std::daemon::log",
                    "{failure}"
                ),
            }
            complain(&failure, "logging to standard error only");
        }
    }
}

/// Logs and records why there is no log file, or why the earlier one is kept.
pub fn complain(failure: &Failure, otherwise: &str) {
    tracing::error!(target: "tmr_runtime_std::daemon::log", "{failure}; {otherwise}");
    *lock(&TROUBLE) = Some(files::trouble(failure, TODO));
}

/// Returns why the log file is not written; `None`: it is written, or there is none.
#[must_use]
pub fn trouble() -> Option<FileTrouble> {
    lock(&TROUBLE).clone()
}

/// Opens the log file anew, if there is one.
pub fn reopen() {
    let now = CONTROL.get().and_then(|control| lock(&control.now).clone());
    if let Some(now) = now.filter(|now| now.log.file.is_some()) {
        match prepare(&now.log, &now.reserved) {
            Ok(prepared) => apply(prepared),
            Err(failure) => complain(&failure, "going on with the file that is open"),
        }
    }
}

fn standard_error(json: bool) -> Box<dyn Layer<Registry> + Send + Sync> {
    if !journald::is_standard_error() {
        return lines(json, io::stderr);
    }
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(false);
    if json {
        let lines = lines.json().flatten_event(true).with_current_span(false);
        lines.map_event_format(Prioritised).boxed()
    } else {
        lines.with_target(false).without_time().map_event_format(Prioritised).boxed()
    }
}

fn lines<W>(json: bool, to: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(to).with_ansi(false);
    if json {
        lines.json().flatten_event(true).with_current_span(false).boxed()
    } else {
        lines.with_target(false).boxed()
    }
}
