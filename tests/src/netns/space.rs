//! Network namespaces: creating, joining by bridges, entering, cutting off, removing.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{process, thread};

/// The folder in which `ip netns` keeps its names.
const NAMES: &str = "/run/netns";
/// The beginning of every name, before the id of the process that made it.
const PREFIX: &str = "tmr-";
/// The namespace with the bridges.
const HUB: &str = "hub";

/// Runs `ip`.
fn ip(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } = output.map_err(|error| format!("ip: {error}"))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&stderr).trim()))
}

/// One machine: a namespace with its loopback interface.
#[derive(Clone, Debug)]
pub struct Space {
    name: String,
}

impl Space {
    fn make(name: String) -> Result<Self, String> {
        ip(&["netns", "add", &name])?;
        ip(&["-n", &name, "link", "set", "lo", "up"])?;
        Ok(Self { name })
    }

    /// Does something on this machine: sockets made meanwhile and processes started meanwhile
    /// belong to it, and stay there.
    ///
    /// # Panics
    /// The work does, or the namespace has gone.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let done = thread::scope(|scope| self.thread(scope, work).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Starts a thread on this machine.
    pub fn thread<'scope, T: Send + 'scope>(
        &self,
        scope: &'scope thread::Scope<'scope, '_>,
        work: impl FnOnce() -> T + Send + 'scope,
    ) -> thread::ScopedJoinHandle<'scope, T> {
        let link = File::open(Path::new(NAMES).join(&self.name)).expect("our namespace is there");
        scope.spawn(move || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(link.as_fd(), network).expect("root may enter a namespace");
            work()
        })
    }

    /// `ip` for this machine.
    ///
    /// # Panics
    /// It fails.
    pub fn ip(&self, arguments: &[&str]) -> String {
        let mut all = vec!["-n", &self.name];
        all.extend(arguments);
        ip(&all).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns whether one of its interfaces has this address.
    #[must_use]
    pub fn has(&self, interface: &str, address: Ipv4Addr) -> bool {
        self.ip(&["-4", "-o", "addr", "show", "dev", interface])
            .contains(&format!(" inet {address}/"))
    }

    /// The hardware address of an interface.
    ///
    /// # Panics
    /// It has none.
    #[must_use]
    pub fn hardware(&self, interface: &str) -> String {
        let text = self.ip(&["-o", "link", "show", "dev", interface]);
        let mut words = text.split_whitespace().skip_while(|word| *word != "link/ether");
        words.nth(1).expect("an interface of Ethernet has an address").to_owned()
    }
}

/// Machines and the cables between them, all in namespaces. Dropping it removes them.
#[derive(Debug)]
pub struct Network {
    /// The beginning of all its names.
    prefix: String,
    /// The folder of scripts and files that only root may write, as keepalived requires.
    folder: PathBuf,
    spaces: BTreeMap<String, Space>,
    /// The hub's end of a cable, by machine and interface.
    cables: BTreeMap<(String, String), String>,
}

impl Network {
    /// An empty one, with these bridges.
    ///
    /// # Errors
    /// What this machine cannot do.
    pub fn new(bridges: &[&str]) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        remove_left_over();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{PREFIX}{}-{number}-", process::id());
        let folder = Path::new("/run").join(format!("{prefix}files"));
        let (spaces, cables) = (BTreeMap::new(), BTreeMap::new());
        let mut network = Self { prefix, folder, spaces, cables };
        fs::create_dir(&network.folder).map_err(|error| format!("no folder in /run: {error}"))?;
        network.machine(HUB)?;
        let hub = network.spaces[HUB].name.clone();
        for bridge in bridges {
            ip(&["-n", &hub, "link", "add", "name", bridge, "type", "bridge"])?;
            ip(&["-n", &hub, "link", "set", bridge, "up"])?;
        }
        Ok(network)
    }

    /// Returns a folder that only root may write to, which is removed with the network.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a machine.
    ///
    /// # Errors
    /// What this machine cannot do.
    pub fn machine(&mut self, name: &str) -> Result<Space, String> {
        let space = Space::make(format!("{}{name}", self.prefix))?;
        self.spaces.insert(name.into(), space.clone());
        Ok(space)
    }

    /// Gives a machine an interface with an address, plugged into a bridge.
    ///
    /// # Errors
    /// What this machine cannot do.
    pub fn plug(
        &mut self,
        machine: &str,
        interface: &str,
        bridge: &str,
        address: Ipv4Addr,
    ) -> Result<(), String> {
        let (hub, space) = (&self.spaces[HUB].name, &self.spaces[machine].name);
        let port = format!("port-{}", self.cables.len());
        let address = format!("{address}/24");
        ip(&[
            "-n", hub, "link", "add", &port, "type", "veth", "peer", "name", interface, "netns",
            space,
        ])?;
        ip(&["-n", hub, "link", "set", &port, "master", bridge, "up"])?;
        ip(&["-n", space, "addr", "add", &address, "dev", interface])?;
        ip(&["-n", space, "link", "set", interface, "up"])?;
        self.cables.insert((machine.into(), interface.into()), port);
        Ok(())
    }

    /// Pulls a cable out.
    ///
    /// # Panics
    /// There is none.
    pub fn cut(&self, machine: &str, interface: &str) {
        self.set(machine, interface, "down");
    }

    /// Puts it in again.
    ///
    /// # Panics
    /// There is none.
    pub fn heal(&self, machine: &str, interface: &str) {
        self.set(machine, interface, "up");
    }

    fn set(&self, machine: &str, interface: &str, state: &str) {
        let port = &self.cables[&(machine.to_owned(), interface.to_owned())];
        self.spaces[HUB].ip(&["link", "set", port, state]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for space in self.spaces.values() {
            let _ = ip(&["netns", "del", &space.name]);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the namespaces of killed test processes: those with the id of a process that no longer
/// exists.
fn remove_left_over() {
    let theirs = |name: &str| {
        let pid = name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok()?;
        (!Path::new("/proc").join(pid.to_string()).exists()).then_some(())
    };
    let names = |folder: &str| -> Vec<String> {
        let all = fs::read_dir(folder).into_iter().flatten().flatten();
        let all = all.filter_map(|entry| entry.file_name().into_string().ok());
        all.filter(|name| theirs(name).is_some()).collect()
    };
    for name in names(NAMES) {
        let _ = ip(&["netns", "del", &name]);
    }
    for name in names("/run") {
        let _ = fs::remove_dir_all(Path::new("/run").join(name));
    }
}
