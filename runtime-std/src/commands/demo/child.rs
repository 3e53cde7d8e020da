//! One server of the demo: a process that ends with this one.

use super::program;
use crate::commands::admin::pages::Pages;
use crate::exit::Failure;
use crate::host::{create, machine};
use crate::sync::lock;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tmr_core::base::network::Address;

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(30);
/// How long a server may take to end.
const END: Duration = Duration::from_secs(3);
/// The pause between two looks at a process that is to end.
const LOOK: Duration = Duration::from_millis(10);

/// The command line of a server.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) arguments: Vec<OsString>,
    pub(super) licence: SocketAddr,
    pub(super) admin: SocketAddr,
    /// Its state folder.
    pub(super) state: PathBuf,
    /// The file that its log is appended to; `None`: it goes to standard error, under its name.
    pub(super) log: Option<PathBuf>,
}

/// A server process.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) line: Line,
    process: std::process::Child,
    output: Receiver<String>,
    log: Option<JoinHandle<()>>,
    reported: bool,
    held: Arc<Held>,
}

/// Log lines of a server that are held back.
#[derive(Debug, Default)]
struct Held {
    /// `None`: lines are shown as they come.
    lines: Mutex<Option<Vec<String>>>,
}

impl Held {
    /// Begins to hold lines back.
    fn new() -> Self {
        Self { lines: Mutex::new(Some(Vec::new())) }
    }

    fn take(&self, name: &str, line: String) {
        match &mut *lock(&self.lines) {
            Some(lines) => lines.push(line),
            None => note!("{name:<9} | {line}"),
        }
    }

    /// Shows the lines that were held back and are `wanted`, and from now on all.
    fn end(&self, name: &str, wanted: impl Fn(&str) -> bool) {
        let mut held = lock(&self.lines);
        for line in held.take().into_iter().flatten().filter(|line| wanted(line)) {
            note!("{name:<9} | {line}");
        }
    }
}

impl Child {
    /// Starts a server.
    pub(super) fn start(line: Line) -> Result<Self, Failure> {
        let start = || {
            let mut command = Command::new(std::env::current_exe()?);
            // The folder that systemd gave to this process is not for its children.
            command.env_remove(machine::RUNTIME_FOLDER);
            command.args(&line.arguments).arg("--die-with-parent");
            // Standard input is never written to: its end ends the child.
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(match &line.log {
                Some(log) => {
                    let options = File::options().append(true).clone();
                    create::open_or_create(log, 0o640, &options)?.into()
                }
                None => Stdio::piped(),
            });
            command.spawn()
        };
        let name = line.name.clone();
        let mut process = start().map_err(|error: io::Error| {
            Failure::failed(format!("{name} does not start: {error}"))
        })?;
        let (sender, output) = mpsc::channel();
        each_line(process.stdout.take(), move |line| sender.send(line).unwrap_or_default());
        let held = Arc::new(Held::new());
        let keep = Arc::clone(&held);
        let log = each_line(process.stderr.take(), move |line| keep.take(&name, line));
        Ok(Self { line, process, output, log, reported: false, held })
    }

    /// Waits until the server reports that it listens.
    pub(super) fn wait_until_it_listens(&mut self) -> Result<(), Failure> {
        match self.output.recv_timeout(START) {
            Ok(line) if line.starts_with("listening") => Ok(()),
            _ => {
                self.end();
                // The last log lines are read before the error is reported.
                let _ = self.log.take().map(JoinHandle::join);
                self.held.end(&self.line.name, |_| true);
                let name = &self.line.name;
                let place = match &self.line.log {
                    Some(log) => format!("in {}", log.display()),
                    None => "above".to_owned(),
                };
                Err(Failure::failed(format!("{name} does not start; it said why, {place}")))
            }
        }
    }

    /// Starts a server again that has ended.
    pub(super) fn start_again(&mut self) -> Result<(), Failure> {
        *self = Self::start(self.line.clone())?;
        self.wait_until_it_listens()?;
        self.let_speak();
        Ok(())
    }

    /// Shows its lines from now on, and those that were held back and are more than information.
    pub(super) fn let_speak(&self) {
        self.held.end(&self.line.name, |line| !line.contains(" INFO "));
    }

    /// Sends a signal to the server.
    pub(super) fn signal(&mut self, signal: Signal) -> Result<(), Failure> {
        let name = self.line.name.clone();
        // No other process can have its number before it was waited for.
        let sent = match Pid::from_raw(i32::try_from(self.process.id()).unwrap_or_default()) {
            Some(pid) if self.runs() => kill_process(pid, signal).map_err(io::Error::from),
            _ => Err(io::Error::other("it has ended")),
        };
        sent.map_err(|error| Failure::failed(format!("{name} takes no signal: {error}")))
    }

    /// Kills the server (SIGKILL).
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        self.signal(Signal::KILL)?;
        let ended = self.process.wait().map(drop);
        let name = &self.line.name;
        ended.map_err(|error| Failure::failed(format!("{name} does not end: {error}")))
    }

    /// Returns where its admin pages are.
    pub(super) fn admin(&self) -> Pages {
        let at = self.line.admin;
        let at = Address { host: at.ip().to_string(), port: at.port() };
        Pages::started(&self.line.state, at)
    }

    /// Returns the option for a command line: its socket, which needs no password.
    pub(super) fn admin_option(&self) -> String {
        let socket = std::path::absolute(self.line.state.join(machine::SOCKET));
        match socket.ok().filter(|path| path.exists()) {
            Some(path) => path.display().to_string(),
            None => format!("http://{}", self.line.admin),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn runs(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Reports, once, that it has ended, with the command to start it again.
    pub(super) fn report_end(&mut self) {
        if self.reported || self.runs() {
            return;
        }
        self.reported = true;
        let mut command = program();
        for argument in &self.line.arguments {
            let _ = write!(command, " {}", argument.to_string_lossy());
        }
        note!("{:<9} | has ended. To start it again:\n  {command}", self.line.name);
    }

    /// Closes its standard input, waits, and kills it if it does not end.
    fn end(&mut self) {
        drop(self.process.stdin.take());
        let told = Instant::now();
        while self.runs() {
            if told.elapsed() > END {
                let _ = self.process.kill();
                let _ = self.process.wait();
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads a server's lines to their end, so that it never blocks at a full pipe.
fn each_line(
    from: Option<impl Read + Send + 'static>,
    mut take: impl FnMut(String) + Send + 'static,
) -> Option<JoinHandle<()>> {
    let lines = BufReader::new(from?).lines();
    Some(thread::spawn(move || lines.map_while(Result::ok).for_each(&mut take)))
}
