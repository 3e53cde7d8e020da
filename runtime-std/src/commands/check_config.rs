//! `check-config`: says whether a front would take a configuration; on its own machine, also
//! whether it could be used there, and whether the front that runs there would take it at a
//! reload.
//!
//! What never lives here: the checks of a reload (`settings` has them, which a front itself uses).

use crate::commands::admin::http;
use crate::commands::admin::pages::Pages;
use crate::commands::stdout;
use crate::exit::Outcome;
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
    #[arg(required_unless_present = "schema")]
    file: Option<PathBuf>,
    /// It is for this machine: refuse it if what it names cannot be used here: group key, addresses, log
    /// file, folder of the usage history, passwords, certificate.
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

/// Says whether a front would take a configuration; without one, what configurations are.
///
/// # Errors
/// It would not; or what it names cannot be used here, where it is for this machine.
pub fn check_config(options: &CheckConfig) -> Outcome {
    let Some(path) = options.file.as_deref() else { return stdout::line(SCHEMA.trim_end()) };
    let (_, config) = files::config(path)?;
    if options.reload {
        let before = in_force(path, &options.state);
        settings::check((path, &options.state), &config, before.as_ref())?;
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
        // The machine that a configuration is checked on need not be the one it is for.
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

/// Whether this machine has what the configuration names.
fn here((path, state): (&Path, &Path), config: &Config) -> Outcome {
    let before = in_force(path, state);
    settings::check((path, state), config, before.as_ref())?;
    let reserved = settings::reserved((path, state), config);
    log::check(&settings::logging(path, config), &reserved)?;
    if before.is_none() {
        // A front that runs here and cannot be asked may have them itself.
        for failure in settings::listen_at(config)
            .iter()
            .filter_map(|it| listen::could_listen(it, false).err())
        {
            note!("warning: {failure}");
        }
    }
    Ok(())
}

/// What is in force in the front that runs here with this file; `None`: none does, or it cannot be asked.
fn in_force(path: &Path, state: &Path) -> Option<Config> {
    let answer = http::get(&Pages::beside(state), "/api/config").ok()?;
    let shown: Value = serde_json::from_str(&answer.body).ok()?;
    let same =
        Path::new(shown["path"].as_str()?).canonicalize().ok()? == path.canonicalize().ok()?;
    let text = shown["text"].as_str().filter(|_| same)?;
    Config::parse(text).ok()
}
