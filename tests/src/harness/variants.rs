//! What operators do to a cluster: backends that start with other options, configurations that are
//! reloaded, state folders that are copied and put back.

use super::cluster::{BackendLine, Cluster};
use super::process::{kill_all, signal};
use super::{Program, until};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

impl Cluster {
    /// Kills every running process at the same moment, as a power cut does.
    pub fn kill_everything_that_runs(&mut self) {
        let all = self.backends.iter_mut().chain(&mut self.fronts);
        kill_all(all.filter_map(|server| server.runs().then_some(server)));
    }

    /// Starts backend 0, 1 or 2 again with something else in its command line.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn restart_backend_with(&mut self, index: usize, change: impl FnOnce(&mut BackendLine)) {
        let port = self.backends[index].licence().port();
        let admin = self.backends[index].admin().port();
        let mut line = self.backend_line(index + 1, port, admin);
        change(&mut line);
        let started = self.backends[index].restart(&line.arguments());
        started.unwrap_or_else(|end| panic!("{end:?}"));
    }

    /// Stops backend 0, 1 or 2 and starts it as another program, at its old address.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn replace_backend(&mut self, index: usize, program: &Program) {
        let port = self.backends[index].licence().port();
        let admin = self.backends[index].admin().port();
        let arguments = self.backend_arguments(index + 1, port, admin);
        let replaced = self.backends[index].become_program(program, &arguments, || ());
        replaced.unwrap_or_else(|end| panic!("{end:?}"));
    }

    /// Has a front that runs read another configuration, and waits until it is in force.
    ///
    /// # Panics
    /// It is not within a minute.
    #[track_caller]
    pub fn reload_front_with(&self, index: usize, change: impl FnOnce(&mut Value)) {
        let front = &self.fronts[index];
        let ports = (front.licence().port(), front.admin().port());
        let mut value = self.configuration(index, ports.0, ports.1);
        change(&mut value);
        let lines = || front.log_text().matches("is in force").count();
        let before = lines();
        self.front_arguments(index, &value);
        signal("HUP", &[front.pid()]);
        until("the configuration to be in force", || (lines() > before).then_some(()));
    }

    /// A copy of the state folder of backend 0, 1 or 2 as it is now, as a machine's snapshot has
    /// it: what runs is frozen meanwhile.
    ///
    /// # Panics
    /// It cannot be copied.
    #[must_use]
    pub fn snapshot(&mut self, index: usize, name: &str) -> PathBuf {
        let copy = self.workshop().folder().join(format!("{name}-{}", index + 1));
        let runs = self.backends[index].runs();
        if runs {
            self.backends[index].freeze();
        }
        replace_folder(&self.workshop().state(index + 1), &copy);
        if runs {
            self.backends[index].resume();
        }
        copy
    }

    /// Puts a folder in the place of the state folder of backend 0, 1 or 2, which does not run.
    ///
    /// # Panics
    /// It runs, or the folder cannot be copied.
    pub fn put_back(&mut self, index: usize, copy: &Path) {
        assert!(!self.backends[index].runs(), "a disk is exchanged while nobody uses it");
        replace_folder(copy, &self.workshop().state(index + 1));
    }

    /// Empties the state folder of backend 0, 1 or 2, which does not run.
    ///
    /// # Panics
    /// It runs, or there is no folder.
    pub fn wipe(&mut self, index: usize) {
        assert!(!self.backends[index].runs(), "a disk is exchanged while nobody uses it");
        fs::remove_dir_all(self.workshop().state(index + 1)).expect("it has a state folder");
    }
}

/// Sets the list of servers in a front's configuration.
pub fn list_servers(configuration: &mut Value, servers: &[SocketAddr]) {
    let row = |at: &SocketAddr| json!({ "Ip": at.ip(), "Port": at.port() });
    configuration["CmServer"]["Server"] = servers.iter().map(row).collect();
}

/// Copies the files of a folder, without sockets, and replaces those that were there.
fn replace_folder(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("a folder can be made among our own");
    for file in fs::read_dir(from).expect("there is such a folder") {
        let file = file.expect("our own files can be listed");
        if file.file_type().is_ok_and(|kind| kind.is_socket()) {
            continue;
        }
        assert!(file.path().is_file(), "a state folder has files only: {:?}", file.path());
        fs::copy(file.path(), to.join(file.file_name())).expect("a file can be copied");
    }
}
