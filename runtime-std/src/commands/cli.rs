//! The command line. What a command does stands elsewhere.

mod client;

pub use client::{Access, AccessMode, Ask, Bench, BenchWork, Client};

use crate::commands::admin::pages::Admin;
use crate::commands::{address, number, report};
use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::PathBuf;
use tmr_core::base::credentials::Rights;
use tmr_core::base::network::Address;
use tmr_core::base::time::Wall;
use tmr_core::config::Log;

/// An open Triple Mode Redundancy (TMR) licence server.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 the licence server \
                  said no, 4 no server could be reached.\n\
                  TMR_LOG=debug says more on standard error.\n\nStart here:\n  tmrd demo"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole five-server set-up on this machine, with sample licences.
    #[command(after_help = "Examples:\n  tmrd demo --dir ./demo --port 22350\n  \
        tmrd demo --drill --port 0\n\nThe drill takes some 20 seconds and ends by itself: 0 if no \
        acknowledged seat was lost and none was\ngranted twice, else 1.")]
    Demo(Demo),
    /// Makes a new group key: what fronts prove to backends.
    #[command(after_help = "Example:\n  tmrd keygen group.key")]
    Keygen {
        /// The file to make; never overwritten.
        file: PathBuf,
    },
    /// Signs the licences of a specification: into a bundle for a customer's three containers, or into
    /// three open files.
    Issue(crate::commands::issue::Issue),
    /// Runs a backend: it holds one of the three parts of every licence.
    #[command(after_help = "Example:\n  tmrd backend --listen [::]:22350 --license 1.cmlic \
        --issuer issuer.pub \\\n      --group-key group.key --state /var/lib/tmrd/backend\n\n\
        A licence file that is replaced, or comes into a folder, is taken within seconds, or at once \
        on SIGHUP. One\nthat is not right changes nothing, and the log says what is wrong with it.")]
    Backend(Backend),
    /// Shows, backs up or restores the container of a backend, for which licences are issued.
    Container(crate::commands::container::Container),
    /// Shows licence files, bundles and requests, checks them, and takes bundles apart.
    Licence(crate::commands::licence::Licence),
    /// Keeps what a vendor has issued to whom, and issues again: renewed, raised, one part, revoked.
    Vendor(crate::commands::vendor::Vendor),
    /// Runs a front: it serves clients.
    #[command(after_help = "Example:\n  \
        tmrd serve --config tmrconf.json --state /var/lib/tmrd/front\n\n\
        SIGHUP has it read its configuration again. One that is not right changes nothing, and the \
        log says\nwhat is wrong with it; one that is comes into force, ports included.")]
    Serve(Serve),
    /// Says whether a front would take a configuration.
    CheckConfig(crate::commands::check_config::CheckConfig),
    /// Sets the password of the admin page; asks for it, or reads it from standard input.
    #[command(after_help = "Examples:\n  \
        tmrd password /etc/wibu/CodeMeter/tmr-admin.passwd\n  \
        tmrd password --role reader /etc/wibu/CodeMeter/tmr-admin.passwd\n\n\
        The operator changes things. Without a password for readers, everybody who reaches the port \
        may look;\nwith one, only who is signed in. A front that runs takes it within seconds, and \
        who is signed in\nhas to sign in again.")]
    Password {
        /// Whose password.
        #[arg(long, value_enum, default_value = "operator")]
        role: Role,
        /// The file, as WebAdmin.PasswordFile of tmrconf.json names it.
        file: PathBuf,
    },
    /// Makes a token, with which scripts and monitors ask for the admin pages; lists tokens; takes them
    /// back.
    Token(crate::commands::tokens::Token),
    /// Shows what a server says of itself.
    #[command(after_help = "Example:\n  tmrd status --admin http://127.0.0.1:22352")]
    Status {
        /// Whom to ask.
        #[command(flatten)]
        admin: Admin,
        /// Print what it says as it is.
        #[arg(long)]
        json: bool,
    },
    /// Gives a front the active role, and waits until it has it.
    #[command(after_help = "Example:\n  tmrd activate --admin http://127.0.0.1:22352")]
    Activate {
        /// Which front.
        #[command(flatten)]
        admin: Admin,
    },
    /// After the group's memory was lost on two disks or on all: shows what is left and what may be
    /// lost, asks, and makes a group that serves from it.
    #[command(after_help = "Examples:\n  tmrd recover --admin http://127.0.0.1:22352\n  \
        tmrd recover --json\n  tmrd recover --confirm recover\n\n\
        Put the missing disks back instead if there is any way to: then nothing is lost. Run it first at \
        both\nfronts without confirming, and confirm it at the one that has the higher slot. Journals that \
        are replaced\nare kept in their state folders as journal.old.\n\
        0: it serves, 1: nothing is lost, or it could not be done, 2: nobody has confirmed it.")]
    Recover(Recover),
    /// Has a front give the active role to the other one, in good order, and waits until that leads:
    /// calls on their way end before, and the virtual address follows.
    #[command(after_help = "Example, at the front that leads:\n  \
        tmrd failover --admin http://127.0.0.1:22352\n\n\
        Where it cannot give the role away it says why, and keeps it. tmrd activate at the other \
        front takes the\nrole in any case; calls on their way may then end without an answer.")]
    Failover {
        /// Which front.
        #[command(flatten)]
        admin: Admin,
        /// Where that front does not lead, do nothing, and call it done.
        #[arg(long)]
        if_active: bool,
    },
    /// Takes handles back from whoever holds them, as an operator.
    Release(crate::commands::release::Release),
    /// Tells a front that the virtual address may have moved; for keepalived's `notify`.
    #[command(after_help = "Example, in keepalived.conf:\n  notify \"/usr/bin/tmrd notify\"")]
    Notify {
        /// Which front.
        #[command(flatten)]
        admin: Admin,
        /// What keepalived adds by itself: kind, name, state, priority.
        #[arg(value_name = "NEWS")]
        news: Vec<String>,
    },
    /// Says, by its exit code, whether this machine should have the virtual address; for
    /// keepalived's `track_script`.
    #[command(after_help = "Example, in keepalived.conf:\n  \
        vrrp_script tmr_status { script \"/usr/bin/tmrd track status\" }")]
    Track {
        /// What is asked.
        #[arg(value_enum)]
        what: Track,
        /// Which front.
        #[command(flatten)]
        admin: Admin,
    },
    /// Sums up the usage history of a front, or of both: accesses, refusals, seats in use at most,
    /// and hours.
    #[command(after_help = "Examples:\n  tmrd report --from 2026-11-01 --to 2026-12-01\n  \
        tmrd report --by user --format csv --history one/history --history other/history\n\n\
        Two folders are read as one: what both fronts have recorded counts once. Files that are \
        still written\nmay be read. Of a licence, and with --by day, seats that linger count as \
        in use.")]
    Report(Report),
    /// Looks at a front, its machine and the other four, and says what is wrong and what to do.
    #[command(after_help = "Example:\n  tmrd doctor --config /etc/wibu/CodeMeter/tmrconf.json\n\n\
        It changes nothing, and works when the front does not run. Without root it sees less, and says \
        so.\n0: no problem (there may be warnings), 1: problems.")]
    Doctor(Doctor),
    /// Asks a licence server as a program would.
    #[command(after_help = "Example:\n  tmrd client --server 127.0.0.1:22350 list")]
    Client(Client),
    /// Puts load on a licence server and prints what came of it as JSON: calls, calls a second,
    /// and how long they took.
    #[command(after_help = "Example:\n  tmrd bench crypt --server 127.0.0.1:22350 --firm-code \
        6000010 --product-code 201 \\\n      --clients 64 --seconds 10")]
    Bench(Bench),
}

/// `recover`.
#[derive(Debug, Args)]
pub struct Recover {
    /// Which front.
    #[command(flatten)]
    pub admin: Admin,
    /// Do it without asking; the word is recover.
    #[arg(long, value_name = "WORD")]
    pub confirm: Option<String>,
    /// Print what is known as one JSON value and change nothing; with --confirm, what came of it.
    #[arg(long)]
    pub json: bool,
}

/// What `track` asks; each is 0 while the address may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Track {
    /// Could this front serve: are two members of the group there?
    Status,
    /// Is the address to stay here: 1 when another front leads, or the role is given away.
    ManualFailover,
}

/// Who signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Looks, and changes.
    Operator,
    /// Looks.
    Reader,
}

impl From<Role> for Rights {
    fn from(role: Role) -> Self {
        match role {
            Role::Operator => Self::Operator,
            Role::Reader => Self::Reader,
        }
    }
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where keys, licences and state are kept, for the next time too [default: a new folder that
    /// is removed at the end].
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// The address clients reach.
    #[arg(long, default_value = "127.0.0.1", value_parser = address::ip)]
    pub ip: IpAddr,
    /// The port clients reach; 0: any free one.
    #[arg(long, default_value_t = 22_350, value_parser = number::within(0..=65_535u16))]
    pub port: u16,
    /// The port of the admin pages; 0: any free one.
    #[arg(long, default_value_t = 22_352, value_parser = number::within(0..=65_535u16))]
    pub admin_port: u16,
    /// Let clients work while servers are killed, frozen and started again, and say what they saw.
    #[arg(long)]
    pub drill: bool,
    /// Print one JSON value instead of a table.
    #[arg(long, requires = "drill")]
    pub json: bool,
}

/// `backend`.
#[derive(Debug, Args)]
pub struct Backend {
    /// Where fronts and clients come in; port 0: any free one.
    #[arg(long, value_name = "IP:PORT", value_parser = address::licence)]
    pub listen: Address,
    /// Signed licence files, each a container, or folders with such files (*.cmlic); read again when
    /// they change.
    #[arg(long, value_name = "FILE|DIR", required = true, num_args = 1..)]
    pub license: Vec<PathBuf>,
    /// Whose licences are trusted.
    #[arg(long, value_name = "ISSUER.pub", required = true, num_args = 1..)]
    pub issuer: Vec<PathBuf>,
    /// The group key that fronts must prove.
    #[arg(long, value_name = "FILE")]
    pub group_key: PathBuf,
    /// Its state folder; no other process may have it.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// The folder of its container: the keys that licences are issued for, made once. It is best on
    /// another disk than the state [default: the state folder's name with -container].
    #[arg(long, value_name = "DIR")]
    pub container: Option<PathBuf>,
    /// Where its admin pages are; none if not given.
    #[arg(long, value_name = "IP:PORT", value_parser = address::admin)]
    pub admin: Option<Address>,
    /// Networks whose clients may have handles of this backend's own, beside the machines of its
    /// fronts [default: everybody's]; what fronts ask for their clients is not among it.
    #[arg(long, value_name = "NETWORK", num_args = 1.., value_parser = tmr_core::config::network)]
    pub clients: Option<Vec<IpNet>>,
    /// See [`Logging`].
    #[command(flatten)]
    pub logging: Logging,
    /// See [`Watched`].
    #[command(flatten)]
    pub watched: Watched,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The configuration of this machine's front.
    #[arg(long, value_name = "tmrconf.json", default_value = "/etc/wibu/CodeMeter/tmrconf.json")]
    pub config: PathBuf,
    /// Its admin pages.
    #[command(flatten)]
    pub admin: Admin,
    /// Its state folder.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/tmrd/front")]
    pub state: PathBuf,
    /// What keepalived is told on this machine.
    #[arg(long, value_name = "FILE", default_value = "/etc/keepalived/keepalived.conf")]
    pub keepalived: PathBuf,
    /// Print one JSON value.
    #[arg(long)]
    pub json: bool,
}

/// Where a backend's log goes beside standard error, and how its lines look; a front's
/// configuration says the same of a front.
#[derive(Debug, Args)]
pub struct Logging {
    /// A file that the log is added to; SIGHUP opens it anew.
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// How its lines look, there and on standard error.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

impl Logging {
    /// As a configuration says it.
    #[must_use]
    pub fn log(&self) -> Log {
        let file = self.log_file.as_ref().map(|path| path.to_string_lossy().into_owned());
        Log { file, json: self.log_format == LogFormat::Json, level: "info".to_owned() }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON value a line.
    Json,
}

/// `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration.
    #[arg(long, value_name = "tmrconf.json")]
    pub config: PathBuf,
    /// Its state folder; no other process may have it.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// See [`Watched`].
    #[command(flatten)]
    pub watched: Watched,
}

/// For the demo's children.
#[derive(Debug, Args)]
pub struct Watched {
    /// End when standard input ends: whoever started this process holds the other end.
    #[arg(long, hide = true)]
    pub die_with_parent: bool,
}

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// The folder of the usage history; one of each front, or one.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/tmrd/front/history")]
    pub history: Vec<PathBuf>,
    /// From this day, or this second, on (UTC).
    #[arg(long, value_name = "TIME", value_parser = report::time)]
    pub from: Option<Wall>,
    /// Before this day, or this second [default: now].
    #[arg(long, value_name = "TIME", value_parser = report::time)]
    pub to: Option<Wall>,
    /// What a row is beside a licence.
    #[arg(long, value_enum, default_value = "licence")]
    pub by: ReportBy,
    /// How it is printed.
    #[arg(long, value_enum, default_value = "table")]
    pub format: ReportFormat,
}

/// What a row of a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportBy {
    /// A licence.
    Licence,
    /// A user of a licence.
    User,
    /// A host on which a licence was used.
    Host,
    /// A day of a licence (UTC).
    Day,
}

impl ReportBy {
    /// As it is said on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Licence => "licence",
            Self::User => "user",
            Self::Host => "host",
            Self::Day => "day",
        }
    }
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Columns.
    Table,
    /// RFC 4180.
    Csv,
    /// One JSON value.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command, above: &str) {
            for command in command.get_subcommands() {
                let name = format!("{above} {}", command.get_name());
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{name}: {help}");
                for word in name.split(' ') {
                    assert!(help.contains(word), "{name}: {help}");
                }
                check(command, &name);
            }
        }
        check(&Cli::command(), "tmrd");
    }

    #[test]
    fn servers_may_be_several() {
        let line = ["tmrd", "client", "--server", "127.0.0.1:1,h:2", "version"];
        let Command::Client(client) = Cli::try_parse_from(line).unwrap().command else {
            panic!("another command");
        };
        let shown: Vec<String> = client.server.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.1:1", "h:2"]);
    }
}
