//! One process: a server that runs, or a command that has ended.

use super::build::Program;
use super::{guardian, http, until};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// A server is up within this time, even in a debug build on a loaded machine.
const START: Duration = Duration::from_secs(60);

/// A command that ran to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The command line.
    pub command: String,
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Finished {
    pub(super) fn new(command: String, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        Self { command, code: output.status.code(), out, err }
    }

    /// Fails the test unless the exit code is this.
    ///
    /// # Panics
    /// It is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        let Self { command, out, err, .. } = &self;
        assert_eq!(self.code, Some(code), "{command}\nout: {out}\nerr: {err}");
        self
    }

    /// Fails the test unless standard error is one clear error: no panic, exactly one line that
    /// names everything in `names`.
    ///
    /// # Panics
    /// It is not.
    #[track_caller]
    pub fn one_clear_error(&self, names: &[&str]) {
        let Self { command, err, .. } = self;
        assert!(!err.contains("panicked"), "{command}\n{err}");
        let lines = err.lines().filter(|line| names.iter().all(|name| line.contains(name)));
        assert_eq!(lines.count(), 1, "not one line that names {names:?}\n{command}\n{err}");
    }
}

/// A server process and its addresses.
#[derive(Debug)]
pub struct Server {
    name: String,
    program: Program,
    log: PathBuf,
    child: Option<Child>,
    licence: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Server {
    /// Starts it and waits until it says where it listens. What it writes to standard error is
    /// appended to `FOLDER/NAME.log`.
    ///
    /// # Errors
    /// It ended instead: its exit status and what it wrote.
    pub fn start(
        name: &str,
        folder: &Path,
        program: &Program,
        arguments: &[OsString],
    ) -> Result<Self, Finished> {
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self {
            name: name.into(),
            program: program.clone(),
            log: folder.join(format!("{name}.log")),
            child: None,
            licence: unspecified,
            admin: None,
        };
        server.restart(arguments)?;
        Ok(server)
    }

    /// Starts it again after [`kill`](Self::kill).
    ///
    /// # Errors
    /// It ended instead.
    ///
    /// # Panics
    /// It runs already, or says nothing for a minute.
    pub fn restart(&mut self, arguments: &[OsString]) -> Result<(), Finished> {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log);
        let mut command = self.program.command(arguments);
        command.stdout(Stdio::piped()).stderr(log.expect("the log of a server can be written"));
        let mut child = command.spawn().expect("the program was built, so it starts");
        guardian::watch(child.id());
        let out = child.stdout.take().expect("its output is a pipe");
        self.child = Some(child);
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            // The output is read to the end, so that the server never blocks on it.
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut said = String::new();
        loop {
            match lines.recv_timeout(START) {
                Ok(line) => {
                    if let Some((licence, admin)) = listening(&line) {
                        self.licence = licence;
                        self.admin = admin;
                        let state = arguments.iter().skip_while(|word| *word != "--state").nth(1);
                        if let (Some(admin), Some(state)) = (admin, state) {
                            http::started(admin, Path::new(state));
                        }
                        return Ok(());
                    }
                    said.push_str(&line);
                    said.push('\n');
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} says nothing: {}", self.name, self.log_text())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.wait();
                    let (command, err) = (format!("{command:?}"), self.log_text());
                    return Err(Finished { command, code: status.code(), out: said, err });
                }
            }
        }
    }

    /// Stops it as systemd does, has something done meanwhile, and starts it again as another
    /// program.
    ///
    /// # Errors
    /// That one ended instead.
    ///
    /// # Panics
    /// It does not run.
    pub fn become_program(
        &mut self,
        program: &Program,
        arguments: &[OsString],
        meanwhile: impl FnOnce(),
    ) -> Result<(), Finished> {
        signal("TERM", &[self.pid()]);
        self.wait();
        meanwhile();
        self.program = program.clone();
        self.restart(arguments)
    }

    /// Returns the program that it runs.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Returns its name in this test.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its address for clients.
    #[must_use]
    pub fn licence(&self) -> SocketAddr {
        self.licence
    }

    /// Where its admin side is.
    ///
    /// # Panics
    /// It has none.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin.expect("this server was started with an admin side")
    }

    /// Its process id.
    ///
    /// # Panics
    /// It does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name)).id()
    }

    /// Kills it with SIGKILL and waits for its end, if it runs.
    pub fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().expect("a process of our own can be killed");
            self.wait();
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It does not run.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let status = child.wait().expect("a child of our own can be waited for");
        guardian::forget(child.id());
        status
    }

    /// Returns whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Freezes it, and waits until the kernel reports that.
    pub fn freeze(&self) {
        freeze(self.pid());
    }

    /// Lets it continue.
    pub fn resume(&self) {
        signal("CONT", &[self.pid()]);
    }

    /// Resident memory in bytes.
    ///
    /// # Panics
    /// It does not run.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory_row("VmRSS:")
    }

    /// The most resident memory it ever had, in bytes.
    ///
    /// # Panics
    /// It does not run.
    #[must_use]
    pub fn memory_peak(&self) -> u64 {
        self.memory_row("VmHWM:")
    }

    /// The most resident memory that it ever had is what it has now.
    ///
    /// # Panics
    /// It does not run.
    pub fn forget_peak(&self) {
        let told = fs::write(format!("/proc/{}/clear_refs", self.pid()), "5");
        told.expect("a process of our own can be told so");
    }

    fn memory_row(&self, row: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("a running process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix(row));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kilobytes.and_then(|text| text.trim().parse::<u64>().ok()).expect("a row in kB") * 1024
    }

    /// Returns everything that it wrote to standard error, over all its starts.
    #[must_use]
    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = self.log_text();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            eprintln!("--- {} ({}):\n{}", self.name, self.log.display(), tail.join("\n"));
        }
    }
}

/// Returns the addresses in `listening licence=IP:PORT admin=IP:PORT …`.
fn listening(line: &str) -> Option<(SocketAddr, Option<SocketAddr>)> {
    let words = line.strip_prefix("listening ")?.split(' ').map(|word| word.split_once('='));
    let (mut licence, mut admin) = (None, None);
    for word in words {
        match word? {
            ("licence", at) => licence = Some(at.parse().ok()?),
            ("admin", at) => admin = Some(at.parse().ok()?),
            _ => {}
        }
    }
    Some((licence?, admin))
}

/// Sends a signal, by name, to processes at once.
///
/// # Panics
/// One of them is not there.
pub fn signal(name: &str, pids: &[u32]) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).args(pids.iter().map(u32::to_string));
    let status = kill.status().expect("there is a kill command");
    assert!(status.success(), "{kill:?}");
}

/// Stops a process where it is, and waits until the kernel says so.
///
/// # Panics
/// It is not there.
pub fn freeze(pid: u32) {
    signal("STOP", &[pid]);
    until("a frozen process", || (state(pid)? == 'T').then_some(()));
}

/// Returns the state letter of `/proc/PID/stat`.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Kills all these servers at the same moment, and waits for their ends.
pub fn kill_all<'a>(servers: impl IntoIterator<Item = &'a mut Server>) {
    let mut servers: Vec<&mut Server> = servers.into_iter().collect();
    let pids: Vec<u32> = servers.iter().map(|server| server.pid()).collect();
    signal("KILL", &pids);
    for server in &mut servers {
        server.wait();
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_line_of_a_ready_server_is_understood() {
        let (licence, admin) = listening("listening licence=127.0.0.1:5 admin=[::1]:6").unwrap();
        assert_eq!((licence.port(), admin.unwrap().port()), (5, 6));
        let (licence, admin) = listening("listening licence=127.0.0.1:5").unwrap();
        assert_eq!((licence.port(), admin), (5, None));
        let (licence, _) = listening("listening licence=[::1]:5 twin=[::1]:7").unwrap();
        assert_eq!(licence.port(), 5);
        assert!(listening("listening").is_none());
        assert!(listening("listening twin=[::1]:7").is_none());
    }
}
