//! `demo`: three backends and two fronts on this machine as separate processes, sample licences,
//! and one address that leads to the active front, as keepalived provides it elsewhere.
//!
//! What never lives here: anything that a server does. The five servers run `backend` and `serve`,
//! and end with this process, for whatever reason it ends.

mod child;
mod drill;
mod layout;
mod relay;

use crate::commands::admin::http;
use crate::commands::cli::Demo;
use crate::commands::{startup, status, stdout};
use crate::exit::{Failure, Outcome};
use crate::host::process_limits;
use crate::host::signals;
use crate::reactor::listen::{self, ListenAt};
use child::{Child, Line};
use layout::Layout;
use relay::Relay;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tmr_core::base::network::Address;
use tmr_core::link::Listener;

/// The pause between two looks at the fronts' roles.
const LOOK: Duration = Duration::from_millis(100);
/// How long the three backends may take to be up.
const START: Duration = Duration::from_secs(30);

/// Runs the demo until it is stopped, or its drill.
///
/// # Errors
/// A port is in use, a server does not start, or the drill found something.
pub fn run(options: &Demo) -> Outcome {
    let (stop, stopped) = mpsc::channel();
    let told = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&told);
    signals::on_stop(move || {
        tell.store(true, Ordering::SeqCst);
        stop.send(()).unwrap_or_default();
    })?;
    process_limits::raise_file_limit();
    let clients = listen(options.ip, options.port, "--port")?;
    let pages = listen(options.ip, options.admin_port, "--admin-port")?;
    let mut layout = Layout::prepare(options.dir.as_deref(), options.drill)?;
    let outcome = serve(options, &layout, clients, pages, &stopped);
    // Ctrl-C also reaches the servers, which may end before the signal is seen here.
    if outcome.is_err() && !options.drill {
        let _ = stopped.recv_timeout(LOOK);
        if told.load(Ordering::SeqCst) {
            note!("stopping");
            return Ok(());
        }
    }
    if options.drill && outcome.is_err() {
        layout.keep();
        note!("what the servers logged is in {}", layout.folder().display());
    }
    outcome
}

fn serve(
    options: &Demo,
    layout: &Layout,
    clients: TcpListener,
    pages: TcpListener,
    stopped: &Receiver<()>,
) -> Outcome {
    let servers = Servers::start(layout)?;
    status::activate(&servers.fronts[0].admin())?;
    servers.wait_until_whole(stopped)?;

    let at = (clients.local_addr(), pages.local_addr());
    let (Ok(to_clients), Ok(to_pages)) = at else {
        return Err(Failure::failed("a listener has no address"));
    };
    servers.let_speak();
    if !options.drill {
        stdout::line(servers.explain(layout, to_clients, to_pages))?;
    }
    let listeners = [(Listener::Licence, clients), (Listener::Admin, pages)];
    if !options.drill {
        startup::announce(&listeners);
    }
    let [(_, clients), (_, pages)] = listeners;
    let (clients, pages) = (Relay::start(clients)?, Relay::start(pages)?);
    let mut house = House { servers, clients, pages, ordered: None };
    if options.drill {
        return drill::run(&mut house, to_clients, stopped, options.json);
    }
    loop {
        house.servers.report_ends();
        house.look();
        if stopped.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
            note!("stopping");
            return Ok(());
        }
    }
}

/// The five servers, and the addresses that lead to the active front.
#[derive(Debug)]
struct House {
    servers: Servers,
    clients: Relay,
    pages: Relay,
    /// The front that was ordered to lead, until one leads.
    ordered: Option<usize>,
}

/// The result of a look at the fronts.
#[derive(Debug)]
struct Seen {
    active: Option<usize>,
    /// The status of each front; null if it does not answer.
    statuses: Vec<Value>,
}

impl House {
    /// Reads the status of both fronts, and moves the addresses to the one that leads. When the
    /// leading front has ended, orders the other one to lead, as keepalived does where there is a
    /// virtual address.
    fn look(&mut self) -> Seen {
        let fronts = &mut self.servers.fronts;
        let status = |front: &Child| http::status(&front.admin()).map_or(Value::Null, |(it, _)| it);
        let statuses: Vec<Value> = fronts.iter().map(status).collect();
        let active = statuses.iter().position(|status| status["role"] == "active");
        // The pages of a standby are shown if no front leads.
        let shown = active.or_else(|| statuses.iter().position(|status| !status.is_null()));
        let there = statuses.iter().zip(fronts.iter()).filter(|(status, _)| !status.is_null());
        let stays: Vec<SocketAddr> = there.map(|(_, front)| front.line.licence).collect();
        self.clients.follow(active.map(|index| fronts[index].line.licence), &stays);
        self.pages.follow(shown.map(|index| fronts[index].line.admin), &[]);
        let mut ended =
            statuses.iter().zip(fronts.iter_mut()).map(|(it, front)| it.is_null() && !front.runs());
        if active.is_some() {
            self.ordered = None;
        } else if self.ordered.is_none() && ended.any(|ended| ended) {
            let next = statuses.iter().position(|status| status["role"] == "standby");
            let told = |index: &usize| http::post(&fronts[*index].admin(), "/api/activate").is_ok();
            self.ordered = next.filter(told);
        }
        Seen { active, statuses }
    }
}

impl Seen {
    /// Returns the status of the front that leads.
    fn leader(&self) -> Option<&Value> {
        self.active.map(|index| &self.statuses[index])
    }

    fn role(&self, index: usize) -> &str {
        self.statuses[index]["role"].as_str().unwrap_or_default()
    }
}

fn listen(ip: IpAddr, port: u16, option: &str) -> Result<TcpListener, Failure> {
    let at = Address { host: ip.to_string(), port };
    let spot = ListenAt { kind: Listener::Licence, what: "the demo", at };
    listen::listen(&spot, &[]).map_err(|failure| Failure {
        text: format!("{failure} with {option} N ({option} 0: any free one)"),
        ..failure
    })
}

/// The five server processes.
#[derive(Debug)]
struct Servers {
    backends: Vec<Child>,
    fronts: Vec<Child>,
}

impl Servers {
    fn start(layout: &Layout) -> Result<Self, Failure> {
        let (backends, fronts) = layout.lines()?;
        let start = |lines: Vec<Line>| {
            let children: Result<Vec<Child>, Failure> =
                lines.into_iter().map(Child::start).collect();
            let mut children = children?;
            children.iter_mut().try_for_each(Child::wait_until_it_listens).map(|()| children)
        };
        Ok(Self { backends: start(backends)?, fronts: start(fronts)? })
    }

    /// Waits until the first front leads with three backends.
    fn wait_until_whole(&self, stopped: &Receiver<()>) -> Outcome {
        let (at, started) = (self.fronts[0].admin(), Instant::now());
        loop {
            let (status, _) = http::status(&at)?;
            let backends = status["backends"].as_array().map_or(&[][..], Vec::as_slice);
            if backends.iter().all(|backend| backend["state"] == "up") {
                return Ok(());
            }
            if started.elapsed() > START || stopped.recv_timeout(LOOK).is_ok() {
                return Err(Failure::failed("not all backends came up; they said why, above"));
            }
        }
    }

    /// Shows the servers' log lines from now on. Of those during the start, only more than
    /// information is shown, so that they do not bury what to try next.
    fn let_speak(&self) {
        self.backends.iter().chain(&self.fronts).for_each(Child::let_speak);
    }

    fn report_ends(&mut self) {
        self.backends.iter_mut().chain(&mut self.fronts).for_each(Child::report_end);
    }

    /// Returns a description of what runs, with what to try next.
    fn explain(&self, layout: &Layout, clients: SocketAddr, pages: SocketAddr) -> String {
        let mut out = String::from("\nFive servers are running:\n\n");
        for child in self.backends.iter().chain(&self.fronts) {
            let Line { name, licence, admin, .. } = &child.line;
            let pid = child.pid();
            out += &format!("  {name:<10} pid {pid:<8} {licence}  http://{admin}\n");
        }
        let kept = if layout.is_kept() { "kept" } else { "removed at the end" };
        out += &format!("\nTheir files: {} ({kept})\n", layout.folder().display());
        out += &format!("Clients reach whichever front is active at {clients},\n");
        out += &format!("and its admin pages at http://{pages}\n");
        let tmrd = program();
        let access = format!("{tmrd} client --server {clients} access --firm-code 6000010");
        let first = self.fronts[0].admin_option();
        out += &format!(
            "\nTry this in another terminal:\n\n  \
             # what there is\n  \
             {tmrd} client --server {clients} list\n\n  \
             # take a seat for a minute, and see who has it\n  \
             {access} --product-code 201 --hold 60\n  \
             {tmrd} status --admin http://{pages}\n\n  \
             # set a password, sign in at http://{pages}/ and take the seat back\n  \
             {tmrd} password {}\n\n  \
             # lose a backend: seats live on and new ones are given\n  \
             kill -9 {}\n  \
             {access} --product-code 201\n\n  \
             # let the other front lead: calls on their way end before, and no seat is lost\n  \
             {tmrd} failover --admin {first}\n\n  \
             # lose the one that leads: the first one takes over again\n  \
             kill -9 {}\n\n\
             Ctrl-C here ends all of it. All of this, by itself and with clients at work:\n  \
             {tmrd} demo --drill --port 0 --admin-port 0\n",
            layout.password_file().display(),
            self.backends[2].pid(),
            self.fronts[1].pid()
        );
        out
    }
}

/// Returns this program as it can be typed.
fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "tmrd".to_owned() };
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).map_or(&*path, Path::new).display().to_string()
}
