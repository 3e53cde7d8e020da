//! The end of a demo and of a drill: no server process remains, whatever the cause of the end is.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tmr_tests::harness::{Program, Runtime, freeze, signal, until, within};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_demo_that_is_killed_takes_a_server_along_that_is_stopped,
    ctrl_c_ends_a_demo_while_it_starts_and_while_it_runs,
    ctrl_c_ends_a_drill,
);

/// The number of servers of a demo.
const SERVERS: usize = 5;

/// A demo in a process group of its own, as a shell starts it, and its folder. Dropping this value
/// kills the demo.
struct Demo {
    process: Child,
    folder: PathBuf,
    /// The thread that reads the demo's standard error.
    said: Option<JoinHandle<String>>,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Demo {
    fn start(runtime: Runtime, more: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = format!("tmrd-demo-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let dir = folder.to_str().expect("a plain name");
        let line = ["demo", "--port", "0", "--admin-port", "0", "--dir", dir];
        let mut command = Program::of(runtime).command(line.iter().chain(more));
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program was built, so it starts");
        let mut error = process.stderr.take().expect("a pipe");
        let said = thread::spawn(move || {
            let mut said = String::new();
            let _ = error.read_to_string(&mut said);
            said
        });
        Self { process, folder, said: Some(said) }
    }

    /// Returns the demo's servers so far, which are its child processes.
    fn servers(&self) -> Vec<u32> {
        let own = self.process.id().to_string();
        let pids = fs::read_dir("/proc").expect("there is /proc").flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| {
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                let rest = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
                rest.is_some_and(|rest| rest.split(' ').nth(1) == Some(&own))
            })
            .collect()
    }

    fn wait_for_servers(&self, least: usize) -> Vec<u32> {
        until("servers of the demo", || {
            let servers = self.servers();
            (servers.len() >= least).then_some(servers)
        })
    }

    /// Sends the signal of Ctrl-C as a terminal does: to all processes of the group.
    fn interrupt(&self) {
        let group = format!("-{}", self.process.id());
        let status = std::process::Command::new("kill").args(["-INT", "--", &group]).status();
        assert!(status.expect("there is a kill command").success());
    }

    /// Waits until the demo prints that it serves.
    fn wait_until_it_serves(&mut self) {
        let out = self.process.stdout.as_mut().expect("a pipe");
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("listening")), "it has ended");
    }

    /// Waits until the demo ends by itself. Returns its exit code and its output.
    fn end(&mut self) -> (Option<i32>, String) {
        let said = self.said.take().expect("it ends once").join().expect("it only reads");
        let code = until("the demo to end", || self.process.try_wait().expect("it is ours"));
        (code.code(), said)
    }
}

/// Waits until none of these processes exists.
fn gone(pids: &[u32]) {
    within(Duration::from_secs(20), "the servers to be gone", || {
        let there = |pid: &u32| {
            let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
            // A zombie, for which no process has waited yet, has ended as well.
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        (!pids.iter().any(there)).then_some(())
    });
}

fn a_demo_that_is_killed_takes_a_server_along_that_is_stopped(runtime: Runtime) {
    let demo = Demo::start(runtime, &[]);
    let servers = demo.wait_for_servers(SERVERS);
    // A server that listens has asked the system for a signal at its parent's end.
    until("the servers to listen", || {
        let listens = |pid: &u32| {
            let sockets = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
            let links = sockets.filter_map(|fd| fs::read_link(fd.path()).ok());
            Some(links.filter(|link| link.to_string_lossy().starts_with("socket:")).count() >= 2)
        };
        servers.iter().all(|pid| listens(pid) == Some(true)).then_some(())
    });
    freeze(servers[1]);
    signal("KILL", &[demo.process.id()]);
    gone(&servers);
}

fn ctrl_c_ends_a_demo_while_it_starts_and_while_it_runs(runtime: Runtime) {
    for serves in [false, true] {
        let mut demo = Demo::start(runtime, &[]);
        let servers = demo.wait_for_servers(1);
        if serves {
            demo.wait_until_it_serves();
        }
        let servers = if serves { demo.wait_for_servers(SERVERS) } else { servers };
        demo.interrupt();
        let (code, said) = demo.end();
        assert_eq!(code, Some(0), "{serves}: {said}");
        assert!(!said.contains("said why") && !said.contains("error:"), "{serves}: {said}");
        gone(&servers);
    }
}

fn ctrl_c_ends_a_drill(runtime: Runtime) {
    let mut demo = Demo::start(runtime, &["--drill"]);
    let servers = demo.wait_for_servers(SERVERS);
    demo.interrupt();
    let (code, said) = demo.end();
    assert_ne!(code, Some(0), "nothing was shown by it: {said}");
    assert!(!said.contains("panicked"), "{said}");
    gone(&servers);
}
