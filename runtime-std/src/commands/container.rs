//! `container`: shows, backs up and restores the identity of a backend's container.
//!
//! What never lives here: how the file is made, read and locked (`host/container`).

use crate::commands::stdout;
use crate::exit::Outcome;
use crate::host::container::{self, Imported};
use crate::host::files;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// The container folder of the packaged backend.
const FOLDER: &str = "/var/lib/tmrd/backend-container";

/// `container`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tmrd container show\n  \
    tmrd container export /media/safe/backend-1.container\n\n\
    A backend makes its container once, in a folder beside its state. Licences are issued for it: who \
    has the\nfile has the container, so a copy belongs in a safe, and on no second machine.")]
pub struct Container {
    /// What to do.
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Shows the serial and the public keys of a container.
    #[command(after_help = "Example:\n  \
        tmrd container show --container /var/lib/tmrd/backend-container")]
    Show {
        /// See [`Folder`].
        #[command(flatten)]
        folder: Folder,
        /// Print one JSON value.
        #[arg(long)]
        json: bool,
    },
    /// Writes a copy of a container, for a safe; the copy is as secret as a key.
    #[command(after_help = "Example:\n  tmrd container export /media/safe/backend-1.container")]
    Export {
        /// See [`Folder`].
        #[command(flatten)]
        folder: Folder,
        /// The file to make; never overwritten.
        copy: PathBuf,
    },
    /// Puts a copy of a container on a new disk, before the backend starts there.
    #[command(after_help = "Example:\n  tmrd container import /media/safe/backend-1.container\n\n\
        No backend may run with the folder, and another container that is there is not replaced.")]
    Import {
        /// See [`Folder`].
        #[command(flatten)]
        folder: Folder,
        /// The copy that `tmrd container export` has made.
        copy: PathBuf,
    },
}

/// Which container.
#[derive(Debug, Args)]
struct Folder {
    /// The container folder of the backend, as its --container says.
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    container: PathBuf,
}

/// Shows, exports or imports a container.
///
/// # Errors
/// The identity cannot be read, a file is there already, or the backend runs.
pub fn run(options: &Container) -> Outcome {
    match &options.what {
        What::Show { folder, json } => show(folder, *json),
        What::Export { folder, copy } => {
            let identity = container::read(&container::key_of(&folder.container))?;
            files::make_secret(copy, identity.to_text().as_bytes())?;
            stdout::line(copy.display())?;
            note!(
                "A copy of container 130-{}. Keep it like a key: who has it has the container.",
                identity.keys().serial()
            );
            Ok(())
        }
        What::Import { folder, copy } => {
            let identity = container::read(copy)?;
            let key = container::key_of(&folder.container);
            let serial = identity.keys().serial();
            match container::import(&identity, &folder.container)? {
                Imported::Created => {
                    note!("{}: container 130-{serial} is there now", key.display());
                }
                Imported::Same => {
                    note!("{}: container 130-{serial} is there already", key.display());
                }
            }
            stdout::line(key.display())
        }
    }
}

fn show(folder: &Folder, as_json: bool) -> Outcome {
    let path = container::key_of(&folder.container);
    let keys = container::read(&path)?.keys();
    let (signing, sealing) = (hex::encode(keys.signing()), hex::encode(keys.sealing()));
    if as_json {
        let value = json!({
            "serial": format!("130-{}", keys.serial()),
            "signing": signing,
            "sealing": sealing,
            "machine_bound": false,
            "file": path.display().to_string(),
        });
        return stdout::line(format!("{value:#}"));
    }
    stdout::line(format!("container      130-{}", keys.serial()))?;
    stdout::line(format!("signing key    {signing}"))?;
    stdout::line(format!("sealing key    {sealing}"))?;
    stdout::line("machine-bound  no: it works on each machine that has the file")?;
    stdout::line(format!("file           {}", files::shown(&path)))
}
