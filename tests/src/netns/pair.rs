//! Two fronts with keepalived, three backends and two client hosts, each a machine of its own.

mod orders;

use super::keepalived::{Adapted, Keepalived, put_scripts};
use super::licences::ALL;
use super::load::{Group, IMPATIENCE, connect};
use super::space::{Network, Space};
use crate::harness::{
    BackendLine, CM_ACT_ID, Cluster, Program, Runtime, Server, Workshop, get, get_json, give_back,
    is_whole, kill_all, missing, poll, post, specification, until, within,
};
use crate::independent_client::{Client, Fault, INFO_VERSION, get_info};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Load;

/// The virtual address, as in the blueprint.
pub const VIRTUAL: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 42);
/// The interface for clients, as in the blueprint, and the name of its network.
pub const FRONT: &str = "front";
/// The interface for backends, as in the blueprint.
pub(super) const BACK: &str = "back";
const LICENCE_PORT: u16 = 22350;
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 22352);
/// Longer than any step here takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn front_name(front: usize) -> String {
    format!("front-{front}")
}

fn backend_name(part: usize) -> String {
    format!("backend-{part}")
}

/// Returns a front's address for clients.
fn own(front: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 11 + last(front))
}

/// Returns a front's address for backends and its twin.
pub(super) fn behind(front: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, 11 + last(front))
}

fn last(index: usize) -> u8 {
    u8::try_from(index).expect("a few machines")
}

fn backend_address(part: usize) -> SocketAddr {
    (Ipv4Addr::new(198, 51, 100, 20 + last(part)), LICENCE_PORT).into()
}

/// All machines and processes. Dropping it ends the processes and removes the machines.
#[derive(Debug)]
pub struct Pair {
    /// Ended first, so that no log reports dying neighbours.
    keepers: Vec<Keepalived>,
    fronts: Vec<Server>,
    backends: Vec<Server>,
    spaces: BTreeMap<String, Space>,
    network: Network,
    workshop: Workshop,
}

impl Pair {
    /// Starts it, and waits until one front leads with three matching parts and the other one
    /// stands by. `None` where a machine cannot have it.
    ///
    /// # Panics
    /// It does not come up, or cannot be had and `TMR_REQUIRE_ALL=1` is set.
    #[must_use]
    pub fn start(runtime: Runtime) -> Option<Self> {
        Self::start_as(runtime, &Program::of(runtime))
    }

    /// As [`start`](Self::start), with another program on all five machines.
    ///
    /// # Panics
    /// As of [`start`](Self::start).
    #[must_use]
    pub fn start_as(runtime: Runtime, program: &Program) -> Option<Self> {
        Self::start_with(runtime, program, advert_interval())
    }

    /// As [`start`](Self::start), with an address that stays where it is also on a machine that does other
    /// things: keepalived is patient.
    ///
    /// # Panics
    /// As of [`start`](Self::start).
    #[must_use]
    pub fn start_patient(runtime: Runtime) -> Option<Self> {
        Self::start_with(runtime, &Program::of(runtime), "3".into())
    }

    fn start_with(runtime: Runtime, program: &Program, advert: String) -> Option<Self> {
        let network = possible()?;
        let workshop = Workshop::new(runtime, &specification(&ALL));
        let mut pair = Self {
            keepers: Vec::new(),
            fronts: Vec::new(),
            backends: Vec::new(),
            spaces: BTreeMap::new(),
            network,
            workshop,
        };
        pair.lay_cables().unwrap_or_else(|error| panic!("{error}"));
        for part in 1..=3 {
            let name = backend_name(part);
            let server = pair.server(&name, program, &pair.backend_arguments(part));
            pair.backends.push(server);
        }
        let scripted = pair.own_program();
        put_scripts(pair.network.folder(), &scripted);
        for front in 0..2 {
            let arguments = pair.front_arguments(front);
            let server = pair.server(&front_name(front), program, &arguments);
            pair.fronts.push(server);
            let adapted = Adapted {
                name: front_name(front),
                priority: 250 - 10 * last(front),
                advert: advert.clone(),
                program: scripted.clone(),
                scripts: pair.network.folder().into(),
                state: pair.front_state(front),
            };
            let space = pair.front(front).clone();
            pair.keepers.push(Keepalived::start(&space, pair.network.folder(), &adapted));
        }
        pair.settled();
        Some(pair)
    }

    fn lay_cables(&mut self) -> Result<(), String> {
        for front in 0..2 {
            let name = front_name(front);
            self.machine(&name)?;
            self.network.plug(&name, FRONT, "clients", own(front))?;
            self.network.plug(&name, BACK, "backends", behind(front))?;
        }
        for part in 1..=3 {
            let SocketAddr::V4(address) = backend_address(part) else { unreachable!("IPv4") };
            self.machine(&backend_name(part))?;
            self.network.plug(&backend_name(part), BACK, "backends", *address.ip())?;
        }
        for host in 0..2 {
            let name = format!("client-{host}");
            self.machine(&name)?;
            self.network.plug(&name, FRONT, "clients", [192, 0, 2, 101 + last(host)].into())?;
        }
        Ok(())
    }

    fn machine(&mut self, name: &str) -> Result<(), String> {
        let space = self.network.machine(name)?;
        self.spaces.insert(name.into(), space);
        Ok(())
    }

    /// The path of the program, which scripts that run as `nobody` can reach.
    fn own_program(&self) -> std::path::PathBuf {
        let built = self.workshop.program().path();
        let copy = self.network.folder().join("tmrd");
        if fs::hard_link(built, &copy).is_err() {
            fs::copy(built, &copy).expect("the program can be copied");
        }
        copy
    }

    fn front_state(&self, front: usize) -> std::path::PathBuf {
        self.workshop.folder().join(format!("state-{}", front_name(front)))
    }

    fn server(&self, name: &str, program: &Program, arguments: &[OsString]) -> Server {
        let folder = self.workshop.folder();
        let started = self.spaces[name].inside(|| Server::start(name, folder, program, arguments));
        started.unwrap_or_else(|end| panic!("{name}: {end:?}"))
    }

    fn backend_arguments(&self, part: usize) -> Vec<OsString> {
        let mut line = BackendLine::of(&self.workshop, part);
        line.listen = backend_address(part);
        line.arguments()
    }

    fn front_arguments(&self, front: usize) -> Vec<OsString> {
        let servers: Vec<Value> = (1..=3)
            .map(backend_address)
            .map(|at| json!({ "Ip": at.ip(), "Port": at.port() }))
            .collect();
        let configuration = json!({
            "TmrServer": {
                "VirtualIp": [VIRTUAL],
                "TwinServer": { "Ip": behind(1 - front), "Port": 22354 },
                "GroupKeyFile": self.workshop.group_key(),
            },
            "CmServer": { "NetworkRetryIntervalInSeconds": 2, "Server": servers },
            "VirtualContainers": [{ "CmActId": CM_ACT_ID, "Serial": Cluster::SERIAL }],
        });
        let file = self.workshop.folder().join(format!("{}.json", front_name(front)));
        fs::write(&file, configuration.to_string()).expect("a configuration can be written");
        let state = self.front_state(front);
        ["serve".into(), "--config".into(), file.into(), "--state".into(), state.into()].into()
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The machine of a front.
    #[must_use]
    pub fn front(&self, front: usize) -> &Space {
        &self.spaces[&front_name(front)]
    }

    /// The keepalived of a front's machine.
    pub fn keepalived(&mut self, front: usize) -> &mut Keepalived {
        &mut self.keepers[front]
    }

    /// The process of a front.
    pub fn front_process(&mut self, front: usize) -> &mut Server {
        &mut self.fronts[front]
    }

    /// The process of backend 1, 2 or 3.
    #[must_use]
    pub fn backend_process(&self, part: usize) -> &Server {
        &self.backends[part - 1]
    }

    /// A client host.
    #[must_use]
    pub fn host(&self, host: usize) -> &Space {
        &self.spaces[&format!("client-{host}")]
    }

    /// Returns the virtual address, at which clients find the leading front.
    #[must_use]
    pub fn virtual_address(&self) -> SocketAddr {
        (VIRTUAL, LICENCE_PORT).into()
    }

    /// Returns the own address of a front.
    #[must_use]
    pub fn own_address(&self, front: usize) -> SocketAddr {
        (own(front), LICENCE_PORT).into()
    }

    /// Returns a group of clients of the virtual address on a host.
    #[must_use]
    pub fn group(&self, host: usize, clients: u32) -> Group {
        let (space, server) = (self.host(host).clone(), self.virtual_address());
        Group { space, server, clients, patience: IMPATIENCE }
    }

    /// Returns the status of a front.
    #[must_use]
    pub fn status(&self, front: usize) -> Option<Value> {
        self.front(front).inside(|| get_json(ADMIN, "/api/status").ok())
    }

    /// Connections of clients that a front has.
    ///
    /// # Panics
    /// It does not say.
    #[must_use]
    pub fn client_links(&self, front: usize) -> u64 {
        let answer = self.front(front).inside(|| get(ADMIN, "/metrics"));
        let (_, metrics) = answer.expect("the front's metrics");
        let mut lines = metrics.lines();
        let links = lines.find_map(|line| line.strip_prefix("tmrd_links{door=\"licence\"} "));
        links.expect("the links of the licence port").parse().expect("a number")
    }

    /// The epoch that a front is in.
    ///
    /// # Panics
    /// It does not say.
    #[must_use]
    pub fn epoch(&self, front: usize) -> u64 {
        self.status(front).expect("the front's status")["epoch"].as_u64().expect("a number")
    }

    /// Returns whether a front's machine has the virtual address.
    #[must_use]
    pub fn has_address(&self, front: usize) -> bool {
        self.front(front).has(FRONT, VIRTUAL)
    }

    /// Waits until this front says that it leads, and has the virtual address.
    ///
    /// # Panics
    /// It does not within a minute.
    pub fn wait_leads(&self, front: usize) {
        within(LIMIT, "a front to lead with the address", || {
            let leads = self.has_address(front) && self.status(front)?["role"] == "active";
            leads.then_some(())
        });
    }

    /// Waits until exactly one front leads, has the virtual address and sees three matching parts,
    /// the other one stands by and could serve, and keepalived on its machine would take the
    /// address; returns the one that leads, and its epoch.
    ///
    /// # Panics
    /// That does not come within a minute.
    #[track_caller]
    pub fn settled(&self) -> (usize, u64) {
        let mut last = None;
        let settled = poll(LIMIT, || {
            let (a, b) = last.insert((self.status(0)?, self.status(1)?));
            [[&*a, &*b], [b, a]].into_iter().enumerate().find_map(|(leader, [leads, other])| {
                let stands = leads["role"] == "active" && other["role"] == "standby";
                let here = self.has_address(leader) && !self.has_address(1 - leader);
                let settled =
                    stands && here && is_whole(leads) && self.keepers[1 - leader].is_backup();
                settled.then(|| (leader, leads["epoch"].as_u64().expect("an epoch")))
            })
        });
        let addresses = [0, 1].map(|front| self.has_address(front));
        settled.unwrap_or_else(|| panic!("one leads: waited in vain: {addresses:?} {last:#?}"))
    }

    /// The handles that a front says there are, and their licences.
    ///
    /// # Panics
    /// It does not answer.
    #[must_use]
    pub fn allocations(&self, front: usize) -> BTreeMap<u32, u32> {
        let mut rows = Vec::new();
        loop {
            let path = format!("/api/allocations?from={}", rows.len());
            let Ok(page) = self.front(front).inside(|| get_json(ADMIN, &path)) else {
                // The status of an older program shows everything.
                let status = self.status(front).expect("the front's status");
                rows = status["allocations"].as_array().expect("a list of allocations").clone();
                break;
            };
            rows.extend(page["allocations"].as_array().expect("a list of allocations").clone());
            if rows.len() as u64 >= page["total"].as_u64().expect("a number") {
                break;
            }
        }
        let number = |value: &Value| {
            value.as_u64().and_then(|number| u32::try_from(number).ok()).expect("a number")
        };
        rows.iter().map(|row| (number(&row["handle"]), number(&row["product_code"]))).collect()
    }

    /// Everything that was acknowledged is there, and answers; what answers were lost of is cleared
    /// away, and then the count is exact, and the other front has the same. The clients are at rest.
    ///
    /// # Panics
    /// A promise is broken.
    #[track_caller]
    pub fn verify(&self, load: &Load, leader: usize) {
        let mut history = load.history();
        assert!(history.broken().is_empty(), "broken: {:#?}", history.broken());
        let there = self.allocations(leader);
        let left = history.compare(&there).unwrap_or_else(|what| panic!("{what}"));
        let server = self.virtual_address();
        let held = history.held().clone();
        self.host(0).inside(|| {
            let mut client = until("a connection to who leads", || connect(server).ok());
            for handle in held.keys() {
                assert_eq!(use_it(&mut client, *handle), 0, "acknowledged seat {handle} answers");
            }
            for handle in left {
                // The link of the handle is gone, so the front may be releasing it itself.
                let answer = give_back(&mut client, handle).expect("an answer");
                assert!(matches!(answer, Ok(_) | Err(106)), "{handle}: {answer:?}");
            }
        });
        for (front, what) in [(leader, "the count"), (1 - leader, "the copy of the other front")] {
            let exact = || (self.allocations(front) == held).then_some(());
            until(&format!("{what} to be exact"), exact);
        }
        history.settled();
    }
}

/// The state folder that a backend finds when it starts as another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The one that it left.
    Kept,
    /// An empty one.
    Emptied,
}

/// The status of a use of a handle.
///
/// # Panics
/// There is no answer.
#[track_caller]
pub fn use_it(client: &mut Client, handle: u32) -> u32 {
    try_use(client, handle).expect("an answer")
}

/// The status of a use of a handle.
///
/// # Errors
/// The conversation broke.
pub(super) fn try_use(client: &mut Client, handle: u32) -> Result<u32, Fault> {
    Ok(client.call(&get_info(handle, INFO_VERSION, 16))?.status)
}

/// Returns keepalived's `advert_int` in seconds: 0.1, or the value of `TMR_ADVERT`.
#[must_use]
pub(super) fn advert_interval() -> String {
    std::env::var("TMR_ADVERT").unwrap_or_else(|_| "0.1".into())
}

/// An empty network, if this machine can have one, and has keepalived.
///
/// # Panics
/// It cannot, and `TMR_REQUIRE_ALL=1` is set.
#[must_use]
pub fn possible() -> Option<Network> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let keepalived = std::env::split_paths(&paths)
        .chain([Path::new("/usr/sbin").into()])
        .any(|folder| folder.join("keepalived").is_file());
    if missing(keepalived, "keepalived (Debian: keepalived)") {
        return None;
    }
    match Network::new(&["clients", "backends"]) {
        Ok(network) => Some(network),
        Err(error) => {
            let _ = missing(false, &format!("root, network namespaces and iproute2: {error}"));
            None
        }
    }
}
