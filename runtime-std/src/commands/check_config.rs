//! `check-config`: reports whether a front would accept a configuration; on its own machine, also
//! whether it could be used there, and whether the front that runs there would accept it at a
//! reload.
//!
//! What never lives here: the checks of a reload (`settings`, which a front uses too).

use crate::commands::admin::http;
use crate::commands::admin::pages::Pages;
use crate::commands::stdout;
use crate::exit::{Failure, Outcome};
use crate::host::admin_files::AdminFilePaths;
use crate::host::{files, log, settings};
use crate::reactor::listen;
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tmr_core::config::Config;

/// Every key of a configuration, what it means and what it may be.
const SCHEMA: &str = include_str!("../../dist/tmrconf.schema.json");

/// `check-config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tmrd check-config tmrconf.json\n  \
    tmrd check-config --here /etc/wibu/CodeMeter/tmrconf.json\n  \
    tmrd check-config --schema >tmrconf.schema.json\n\nThe machine that a file is checked on need \
    not be the one it is for: what is missing here is a warning\nwithout --here. --reload is for the \
    reload of a service: the front that runs is asked what is in force, and\nwhat it does without \
    already is no reason to refuse. 0: a front would take it, 2: it would not.")]
pub struct CheckConfig {
    /// The configuration.
    #[arg(required_unless_present_any = ["schema", "config"])]
    file: Option<PathBuf>,
    /// The same, as serve and doctor take it.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// It is for this machine: refuse it if what it names cannot be used here: group key, addresses, ports,
    /// log file, folder of the usage history, passwords, certificate.
    #[arg(long)]
    here: bool,
    /// It is for the front that runs here: refuse what that would refuse at a reload.
    #[arg(long, conflicts_with = "here")]
    reload: bool,
    /// The state folder of that front.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/tmrd/front")]
    state: PathBuf,
    /// Print the JSON Schema of such files: every key, what it means and what it may be.
    #[arg(long, exclusive = true)]
    schema: bool,
}

/// Reports whether a front would accept a configuration, or prints the schema.
///
/// # Errors
/// It would not; or with `--here`, what it names cannot be used on this machine.
pub fn check_config(options: &CheckConfig) -> Outcome {
    let file = options.file.as_deref().or(options.config.as_deref());
    let Some(path) = file else { return stdout::line(SCHEMA.trim_end()) };
    let (_, config) = files::config(path)?;
    settings::check_paths(path, &options.state, &config)?;
    if options.reload {
        let running = Running::ask(&options.state);
        settings::check((path, &options.state), &config, running.with(path))?;
        note!("{}: a reload would take this", path.display());
    } else {
        note!("{}: a front would take this", path.display());
    }
    for doubt in config.doubts(listen::is_here) {
        note!("warning: {doubt}");
    }
    let papers = AdminFilePaths::of(path, &config).check();
    if options.here {
        here((path, &options.state), &config)?;
        return papers;
    }
    if !options.reload {
        // The configuration may be for another machine.
        let key = files::group_key(&files::beside(path, &config.group_key_file));
        if let Err(failure) = key {
            note!("warning: on this machine it would not start: {failure}");
        }
    }
    if let Err(failure) = papers {
        note!("warning: on this machine it would do without: {failure}");
    }
    Ok(())
}

/// Checks that this machine has what the configuration names.
fn here((path, state): (&Path, &Path), config: &Config) -> Outcome {
    let running = Running::ask(state);
    settings::check((path, state), config, running.with(path))?;
    let reserved = settings::reserved((path, state), config);
    log::check(&settings::logging(path, config), &reserved)?;
    // A front that runs here would release its ports.
    let own = match &running {
        Running::Front { config, .. } => settings::listen_at(config).map(|it| it.at.port).to_vec(),
        Running::Unknown | Running::None => Vec::new(),
    };
    for spot in settings::listen_at(config).iter().filter(|it| !own.contains(&it.at.port)) {
        match listen::could_listen(spot, false) {
            Ok(()) => {}
            Err(failure) if running == Running::Unknown => {
                note!("warning: {failure} (the front that runs here may have it itself)");
            }
            Err(failure) => {
                let text = format!("{failure} (--state names the folder of a front that has it)");
                return Err(Failure::usage(text));
            }
        }
    }
    Ok(())
}

/// The front that runs on this machine.
#[derive(Debug, PartialEq)]
enum Running {
    /// A front with this configuration file, and the configuration in force.
    Front { path: PathBuf, config: Box<Config> },
    /// There may be one, but it cannot be asked.
    Unknown,
    /// There is none.
    None,
}

impl Running {
    /// Asks the front with this state folder.
    fn ask(state: &Path) -> Self {
        let pages = Pages::beside(state);
        let asked = || {
            let answer = http::get(&pages, "/api/config").ok()?;
            let shown: Value = serde_json::from_str(&answer.body).ok()?;
            let path = PathBuf::from(shown["path"].as_str()?);
            let config = Box::new(Config::parse(shown["text"].as_str()?).ok()?);
            Some(Self::Front { path, config })
        };
        asked().unwrap_or_else(|| if pages.may_be_there() { Self::Unknown } else { Self::None })
    }

    /// Returns the configuration in force, if it comes from this file.
    fn with(&self, file: &Path) -> Option<&Config> {
        let Self::Front { path, config } = self else { return None };
        let same = path.canonicalize().ok()? == file.canonicalize().ok()?;
        same.then_some(config)
    }
}
