//! `token`: makes the tokens of the admin pages, lists them, and revokes them.
//!
//! What never lives here: the format of a line in the password file (core's `admin::tokens`).

use crate::clock::Clock;
use crate::commands::{cli, number, stdout};
use crate::entropy;
use crate::exit::{Failure, Outcome};
use crate::host::files;
use crate::host::passwords::Passwords;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use tmr_core::base::credentials::Rights;
use tmr_core::base::credentials::tokens::{self, NoToken};
use tmr_core::base::time::Wall;

const DAY: u64 = 24 * 60 * 60;

/// `token`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    tmrd token --name grafana --days 365 --out grafana.token\n  \
    tmrd token --name nightly --role operator --days 30\n  \
    tmrd token --list\n  \
    tmrd token --revoke grafana\n\n\
    A token comes with each request: Authorization: Bearer TOKEN, or --token-file FILE of every tmrd \
    command that\ntakes --admin. It is shown once; the password file has its hash. A front that runs takes \
    what is changed\nwithin seconds.")]
pub struct Token {
    /// What it is called, in lists and in the record of changes.
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "revoke"], value_parser = name)]
    name: Option<String>,
    /// What it may do.
    #[arg(long, value_enum, default_value = "reader")]
    role: cli::Role,
    /// When it ends: so many days from now.
    #[arg(long, value_name = "N", default_value = "90", value_parser = number::within(1..=3653u64))]
    days: u64,
    /// Write it to this new file, which its owner alone may read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show all tokens instead: names, roles and ends.
    #[arg(long, conflicts_with_all = ["name", "out", "revoke"])]
    list: bool,
    /// Show them as one JSON value.
    #[arg(long, requires = "list")]
    json: bool,
    /// Take the token of this name back instead.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["name", "out"])]
    revoke: Option<String>,
    /// The password file, as WebAdmin.PasswordFile of tmrconf.json names it.
    #[arg(value_name = "FILE", default_value = "/etc/wibu/CodeMeter/tmr-admin.passwd")]
    file: PathBuf,
}

fn name(text: &str) -> Result<String, String> {
    tokens::new_name(text).map(str::to_owned).map_err(|NoToken(what)| what.to_owned())
}

/// Makes a token, lists all, or revokes one.
///
/// # Errors
/// The password file cannot be read or written, the token exists already, or does not exist.
pub fn run(options: &Token) -> Outcome {
    let now = Clock::start().now().wall;
    match (&options.revoke, &options.name) {
        (Some(name), _) => revoke(&options.file, name, now),
        (None, Some(name)) => make(options, name, now),
        (None, None) => list(&options.file, options.json, now),
    }
}

fn make(options: &Token, name: &str, now: Wall) -> Outcome {
    let file = &options.file;
    let refused = |NoToken(what)| files::wrong(file, format!("{name}: {what}"));
    let (rights, ends) = (Rights::from(options.role), Wall(now.0 + options.days * DAY));
    let made = tokens::Token::make(name, rights, ends, entropy::fresh());
    let (token, shown) = made.map_err(refused)?;
    let mut written = None;
    let added = Passwords::change(file, |passwords| {
        tokens::add(passwords.tokens_mut(), token, now).map_err(refused)?;
        // The token is written first: a line in the password file without its token would be
        // useless.
        if let Some(out) = &options.out {
            files::make_secret(out, format!("{shown}\n").as_bytes())?;
            written = Some(out);
        }
        Ok(rights == Rights::Reader && !passwords.reader())
    });
    let everybody = added.inspect_err(|_| {
        if let Some(out) = written {
            let _ = std::fs::remove_file(out);
        }
    })?;
    match &options.out {
        Some(out) => stdout::line(out.display())?,
        None => stdout::line(&shown)?,
    }
    note!(
        "{}: token {name} for the role {} until {ends}; a front that runs takes it within seconds",
        file.display(),
        rights.name()
    );
    if everybody {
        note!(
            "There is no password for readers, so everybody may look: tmrd password --role reader"
        );
    }
    Ok(())
}

fn revoke(file: &Path, name: &str, now: Wall) -> Outcome {
    Passwords::change(file, |passwords| {
        let token = passwords.tokens_mut().iter_mut().find(|it| it.name == name && it.holds(now));
        let Some(token) = token else {
            let what = format!("no token {name} that gives anything; tmrd token --list shows all");
            return Err(files::wrong(file, what));
        };
        token.revoked = true;
        Ok(())
    })?;
    note!(
        "{}: token {name} is revoked; a front that runs refuses it within seconds",
        file.display()
    );
    Ok(())
}

fn list(file: &Path, as_json: bool, now: Wall) -> Outcome {
    let passwords = Passwords::of_command(file)?;
    let state = |token: &tokens::Token| match (token.revoked, token.holds(now)) {
        (true, _) => "revoked",
        (false, true) => "holds",
        (false, false) => "ended",
    };
    if as_json {
        let one = |token: &tokens::Token| {
            json!({
                "name": token.name,
                "role": token.rights.name(),
                "ends": token.ends.to_string(),
                "state": state(token),
            })
        };
        let all: Vec<_> = passwords.tokens().iter().map(one).collect();
        return stdout::line(format!("{:#}", json!(all)));
    }
    if passwords.tokens().is_empty() {
        note!("{}: no tokens", file.display());
        return Ok(());
    }
    let width = passwords.tokens().iter().map(|token| token.name.len()).max().unwrap_or_default();
    let width = width.max("NAME".len());
    stdout::line(format!("{:width$}  {:8}  {:20}  STATE", "NAME", "ROLE", "ENDS"))?;
    for token in passwords.tokens() {
        let (role, ends) = (token.rights.name(), token.ends.to_string());
        stdout::line(format!("{:width$}  {role:8}  {ends:20}  {}", token.name, state(token)))?;
    }
    Ok(())
}

impl Passwords {
    /// Reads the file that a command is to change. A link is not followed, because root writes in a
    /// folder of the server's user, who must not choose which file is read and written.
    ///
    /// # Errors
    /// As of [`Passwords::of_server`], but an empty file is valid.
    pub fn of_command(path: &Path) -> Result<Self, Failure> {
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
            let what = "it is a link, which is not followed; right would be a file";
            return Err(files::wrong(path, what));
        }
        Self::read(path)
    }
}
