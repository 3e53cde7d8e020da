//! Three backends and a front, started by the documented command line.

mod servers;

use super::build::{Program, Runtime};
use super::http::{get, get_json};
use super::process::{Finished, Server, kill_all};
use super::wait::{status_until, until};
use super::workshop::{CM_ACT_ID, SEATS, TMR, Workshop, specification};
use crate::independent_client::{Client, Secrets};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

/// The number of attempts to start a front before its ports are given up.
const TRIES: usize = 5;

/// The options of a cluster.
#[derive(Clone, Debug)]
pub struct Builder {
    runtime: Runtime,
    licences: Vec<(u32, u32)>,
    products: Vec<Value>,
    retry: u32,
    serial: u32,
    /// Of each front.
    fronts: Vec<Runtime>,
    second: Option<Value>,
    virtuals: Vec<Value>,
    own: Option<OwnPart>,
    group_key: Option<PathBuf>,
    before: Option<&'static str>,
}

/// Makes the specification of part 1, 2 or 3 from the common one.
type OwnPart = fn(usize, &mut Value);

impl Builder {
    /// Replaces the sample licence by these TMR licences: product code and seats.
    #[must_use]
    pub fn licences(mut self, licences: &[(u32, u32)]) -> Self {
        self.licences = licences.to_vec();
        self
    }

    /// Adds a product, as in a specification.
    #[must_use]
    pub fn product(mut self, product: Value) -> Self {
        self.products.push(product);
        self
    }

    /// Starts each process by a shell that runs this first, such as a limit.
    #[must_use]
    pub fn after(mut self, before: &'static str) -> Self {
        self.before = Some(before);
        self
    }

    /// `NetworkRetryIntervalInSeconds`.
    #[must_use]
    pub fn retry(mut self, seconds: u32) -> Self {
        self.retry = seconds;
        self
    }

    /// Adds a second front that stands by.
    #[must_use]
    pub fn twin(mut self) -> Self {
        self.fronts = vec![self.runtime; 2];
        self
    }

    /// Adds a second front that stands by, on a runtime of its own.
    #[must_use]
    pub fn twin_on(mut self, runtime: Runtime) -> Self {
        self.fronts = vec![self.runtime, runtime];
        self
    }

    /// Adds a second container to each backend, issued from this into [`Cluster::SECOND`].
    #[must_use]
    pub fn second(mut self, specification: Value) -> Self {
        self.second = Some(specification);
        self
    }

    /// Adds an entry of `VirtualContainers`.
    #[must_use]
    pub fn virtual_container(mut self, entry: Value) -> Self {
        self.virtuals.push(entry);
        self
    }

    /// Issues each part from a specification of its own, so that parts may disagree.
    #[must_use]
    pub fn parts(mut self, own: OwnPart) -> Self {
        self.own = Some(own);
        self
    }

    /// Uses the group key of another set-up.
    #[must_use]
    pub fn group_key(mut self, key: PathBuf) -> Self {
        self.group_key = Some(key);
        self
    }

    /// Starts it, and waits until front 0 is active with all three backends, and, unless parts
    /// have specifications of their own, all licences are whole.
    ///
    /// # Panics
    /// It does not come up.
    #[must_use]
    pub fn start(self) -> Cluster {
        let cluster = self.launch();
        cluster.activate(0);
        if cluster.builder.own.is_none() {
            cluster.wait_whole(0);
        } else {
            cluster.wait_up(0);
        }
        cluster
    }

    /// Starts its processes; no front is told to lead.
    ///
    /// # Panics
    /// One of them does not start.
    #[must_use]
    pub fn launch(self) -> Cluster {
        let mut specification = specification(&self.licences);
        let products = specification["Products"].as_array_mut().expect("a list of products");
        products.extend(self.products.iter().cloned());
        let mut workshop = Workshop::new(self.runtime, &specification);
        if let Some(before) = self.before {
            workshop.start_after(before);
        }
        if let Some(key) = &self.group_key {
            fs::copy(key, workshop.group_key()).expect("a key can be copied");
        }
        if let Some(second) = &self.second {
            workshop.issue(second, "issuer", Cluster::SECOND);
        }
        if let Some(own) = self.own {
            for part in 1..=3 {
                let mut specification = specification.clone();
                own(part, &mut specification);
                workshop.issue_part(&specification, part);
            }
        }
        let (backends, fronts) = (Vec::new(), Vec::new());
        let secrets = Secrets::new();
        let mut cluster = Cluster { workshop, builder: self, backends, fronts, secrets };
        for part in 1..=3 {
            let arguments = cluster.backend_arguments(part, 0, 0);
            let program = cluster.program().clone();
            let started = cluster.server(&format!("backend-{part}"), &program, &arguments);
            cluster.backends.push(started.unwrap_or_else(|end| panic!("{end:?}")));
        }
        for front in 0..cluster.builder.fronts.len() {
            cluster.start_front(front);
        }
        cluster.keep_secrets();
        cluster
    }
}

/// Running servers and their files. Dropping it kills the servers.
#[derive(Debug)]
pub struct Cluster {
    builder: Builder,
    /// The fronts; the first one is active after the start. They are dropped first, so that their
    /// logs do not report dying backends.
    pub fronts: Vec<Server>,
    /// The three backends.
    pub backends: Vec<Server>,
    /// What no reply of a front may reveal.
    secrets: Arc<Secrets>,
    /// Dropped after the servers, so that the folder is removed last.
    workshop: Workshop,
}

impl Cluster {
    /// The configured serial of the virtual container.
    pub const SERIAL: u32 = 59_885_682;

    /// The folder of second containers in the workshop.
    pub const SECOND: &str = "second";

    /// Returns the options of a cluster with the sample licence.
    #[must_use]
    pub fn of(runtime: Runtime) -> Builder {
        let licences = vec![(TMR, SEATS)];
        Builder {
            runtime,
            licences,
            products: Vec::new(),
            retry: 2,
            serial: Self::SERIAL,
            fronts: vec![runtime],
            second: None,
            virtuals: Vec::new(),
            own: None,
            group_key: None,
            before: None,
        }
    }

    /// Starts a cluster with the sample licence.
    #[must_use]
    pub fn start(runtime: Runtime) -> Self {
        Self::of(runtime).start()
    }

    /// Returns the program that it runs.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.workshop.program()
    }

    /// Returns its folder with keys and licences.
    #[must_use]
    pub fn workshop(&self) -> &Workshop {
        &self.workshop
    }

    /// Returns what every reply of a front is searched for.
    #[must_use]
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Makes clients search every reply of the fronts for what the backends reveal about
    /// themselves.
    fn keep_secrets(&self) {
        for backend in &self.backends {
            self.secrets.backend(backend.licence());
            let status = get_json(backend.admin(), "/api/status").expect("a backend's status");
            for container in status["containers"].as_array().expect("a list of containers") {
                let serial =
                    container["serial"].as_str().and_then(|text| text.strip_prefix("130-"));
                let serial = serial.and_then(|digits| digits.parse().ok());
                self.secrets.serial(serial.expect("a backend's container is 130-number"));
            }
        }
        for front in &self.fronts {
            self.secrets.guard(front.licence());
        }
    }

    /// The first front.
    #[must_use]
    pub fn front(&self) -> &Server {
        &self.fronts[0]
    }

    /// A client of the first front.
    ///
    /// # Panics
    /// It does not come to a key.
    #[must_use]
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.front().licence()).expect("the front takes a client")
    }

    /// Returns the address at which a front listens for its twin.
    #[must_use]
    pub fn twin_listener(&self, front: usize) -> SocketAddr {
        (self.workshop.ip(), TWIN_PORTS[front]).into()
    }

    /// `/api/status` of the first front.
    ///
    /// # Panics
    /// It does not answer.
    #[must_use]
    #[track_caller]
    pub fn status(&self) -> Value {
        get_json(self.front().admin(), "/api/status").expect("the front's status")
    }

    /// The row of a licence in `/api/status` of the first front.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn licence(&self, product_code: u32) -> Value {
        licence_row(&self.status(), product_code).expect("the licence is in the status")
    }

    /// How many seats of a licence are in use, as the first front says.
    ///
    /// # Panics
    /// It does not say it.
    #[must_use]
    #[track_caller]
    pub fn used(&self, product_code: u32) -> u64 {
        self.licence(product_code)["used"].as_u64().expect("used is a number")
    }

    /// `tmrd activate` for a front, and waits until it is active.
    ///
    /// # Panics
    /// It is not.
    #[track_caller]
    pub fn activate(&self, front: usize) {
        let admin = self.fronts[front].admin();
        let socket = self.workshop.folder().join(format!("front-{front}/admin.sock"));
        // The previous version has none.
        let at =
            if socket.exists() { socket.display().to_string() } else { format!("http://{admin}") };
        self.program().run(["activate", "--admin", &at]).expect(0);
        status_until(admin, "the front to be active", |status| {
            (status["role"] == "active").then_some(())
        });
    }

    /// Waits until a front sees three backends up and its licences whole.
    ///
    /// # Panics
    /// It does not within a minute.
    #[track_caller]
    pub fn wait_whole(&self, front: usize) {
        let admin = self.fronts[front].admin();
        status_until(admin, "three backends and three matching parts", |status| {
            is_whole(status).then_some(())
        });
        until("the front to be ready", || {
            matches!(get(admin, "/readyz"), Ok((200, _))).then_some(())
        });
    }

    /// Waits until a front sees three backends up, whatever their licences are.
    ///
    /// # Panics
    /// It does not within a minute.
    #[track_caller]
    pub fn wait_up(&self, front: usize) {
        status_until(self.fronts[front].admin(), "three backends", |status| {
            let rows = status["backends"].as_array()?;
            rows.iter().all(|row| row["state"] == "up").then_some(())
        });
    }

    /// Kills all processes at the same moment.
    pub fn kill_everything(&mut self) {
        kill_all(self.backends.iter_mut().chain(&mut self.fronts));
    }

    /// Starts backend 0, 1 or 2 again, at its old address.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn restart_backend(&mut self, index: usize) {
        let port = self.backends[index].licence().port();
        let admin = self.backends[index].admin().port();
        let arguments = self.backend_arguments(index + 1, port, admin);
        self.backends[index].restart(&arguments).unwrap_or_else(|end| panic!("{end:?}"));
    }

    /// Starts a front again, at its old addresses.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn restart_front(&mut self, index: usize) {
        self.restart_front_with(index, |_| ());
    }

    /// Starts a front again, with something else in its configuration.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn restart_front_with(&mut self, index: usize, change: impl FnOnce(&mut Value)) {
        let (licence, admin) = (self.fronts[index].licence(), self.fronts[index].admin());
        let mut value = self.configuration(index, licence.port(), admin.port());
        change(&mut value);
        let arguments = self.front_arguments(index, &value);
        self.fronts[index].restart(&arguments).unwrap_or_else(|end| panic!("{end:?}"));
    }

    /// Stops a front and starts it as another program, at its old addresses.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn replace_front(&mut self, index: usize, program: &Program) {
        let (licence, admin) = (self.fronts[index].licence(), self.fronts[index].admin());
        let value = self.configuration(index, licence.port(), admin.port());
        let arguments = self.front_arguments(index, &value);
        let replaced = self.fronts[index].become_program(program, &arguments, || ());
        replaced.unwrap_or_else(|end| panic!("{end:?}"));
    }
}

/// The ports at which each of two fronts awaits the other, on the address of their workshop: each
/// must know the other's port before either runs. They are below those that systems choose, so no
/// other program has them there.
pub const TWIN_PORTS: [u16; 2] = [29_354, 29_355];

/// The command line of a backend.
#[derive(Clone, Debug)]
pub struct BackendLine {
    /// `--listen`
    pub listen: SocketAddr,
    /// `--admin`
    pub admin: Option<SocketAddr>,
    /// `--license`
    pub licence: PathBuf,
    /// Another `--license`
    pub second: Option<PathBuf>,
    /// `--issuer`
    pub issuer: PathBuf,
    /// `--group-key`
    pub group_key: PathBuf,
    /// `--state`
    pub state: PathBuf,
}

impl BackendLine {
    /// Returns the command line for part 1, 2 or 3, at a port that the system chooses, without an
    /// admin port.
    #[must_use]
    pub fn of(workshop: &Workshop, part: usize) -> Self {
        Self {
            listen: SocketAddr::new(workshop.backend_ip(part), 0),
            admin: None,
            licence: workshop.licence(part),
            second: None,
            issuer: workshop.issuer(),
            group_key: workshop.group_key(),
            state: workshop.state(part),
        }
    }

    /// Returns the arguments of the program.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["backend".into()];
        for (name, value) in [
            ("--listen", self.listen.to_string().as_ref()),
            ("--license", self.licence.as_os_str()),
            ("--issuer", self.issuer.as_os_str()),
            ("--group-key", self.group_key.as_os_str()),
            ("--state", self.state.as_os_str()),
        ] {
            arguments.extend([name.into(), value.to_owned()]);
        }
        if let Some(second) = &self.second {
            arguments.extend(["--license".into(), second.into()]);
        }
        if let Some(admin) = self.admin {
            arguments.extend(["--admin".into(), admin.to_string().into()]);
        }
        arguments
    }
}

/// Returns whether three backends are up and every licence has three matching parts.
#[must_use]
pub fn is_whole(status: &Value) -> bool {
    let all = |list: &str, is: &dyn Fn(&Value) -> bool| {
        status[list].as_array().is_some_and(|rows| !rows.is_empty() && rows.iter().all(is))
    };
    all("backends", &|row| row["state"] == "up")
        && status["backends"].as_array().is_some_and(|rows| rows.len() == 3)
        && all("licenses", &|row| row["matching"] == 3)
}

/// Returns the row of a licence in a status.
#[must_use]
pub fn licence_row(status: &Value, product_code: u32) -> Option<Value> {
    let rows = status["licenses"].as_array()?;
    rows.iter().find(|row| row["product_code"] == product_code).cloned()
}
