//! Generates the shipped files of the command line: man pages and shell completion.
//!
//!     cargo run -p tmr-runtime-std --example manual -- FOLDER
//!
//! puts `usr/share/man/man1/tmrd*.1` and completion for bash, zsh and fish into FOLDER, where a
//! Debian package has them.

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use std::path::Path;
use std::{env, fs, io};
use tmr_runtime_std::commands::cli::Cli;

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1) else {
        return Err(io::Error::other("usage: manual FOLDER"));
    };
    let share = Path::new(&folder).join("usr/share");
    let manual = share.join("man/man1");
    fs::create_dir_all(&manual)?;
    clap_mangen::generate_to(Cli::command().name("tmrd"), manual)?;
    for (shell, place) in [
        (Shell::Bash, "bash-completion/completions"),
        (Shell::Zsh, "zsh/vendor-completions"),
        (Shell::Fish, "fish/vendor_completions.d"),
    ] {
        let place = share.join(place);
        fs::create_dir_all(&place)?;
        let made = generate_to(shell, &mut Cli::command(), "tmrd", &place)?;
        if shell == Shell::Bash {
            // bash looks for a file with the name of the command.
            fs::rename(made, place.join("tmrd"))?;
        }
    }
    Ok(())
}
