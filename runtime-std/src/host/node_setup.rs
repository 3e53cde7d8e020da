//! What a runtime is given to run.

use crate::entropy;
use crate::exit::{Failure, Outcome};
use crate::host::admin_files::Clerk;
use crate::host::disk::Journal;
use crate::host::history::HistoryWriter;
use crate::host::settings::Settings;
use crate::host::workers::Inboxes;
use crate::host::{machine, systemd, vip};
use crate::reactor::listeners::Listeners;
use crate::reactor::tls::Tls;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::{fmt, thread};
use tmr_core::io::HostEvent;
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::link::{Connection, Listener, PeerKind};
use tmr_core::node::hub::Hub;

/// A node with all that it needs of this machine.
#[derive(Debug)]
pub struct Plan {
    /// The node and its links. Not stepped yet.
    pub hub: Hub,
    /// Where connections come in.
    pub doors: Vec<(Listener, TcpListener)>,
    /// How a new connection begins.
    pub streams: Streams,
    /// What the node hears of beside its links.
    pub sources: Sources,
}

/// Tells the node something, from any thread.
pub type Tell = Arc<dyn Fn(HostEvent) + Send + Sync>;

/// Something of this machine that a node is told of; on a thread of its own until the process ends.
pub type Source = Box<dyn FnOnce(Tell) + Send>;

/// What a node hears of beside its links: that its writes are done, and what the machine reports.
#[derive(Default)]
pub struct Sources {
    /// Where the machine itself comes in.
    pub machine: Option<machine::Watch>,
    /// A backend's; a front has none.
    pub journal: Option<Journal>,
    /// Of a front that has a virtual address.
    pub address: Option<vip::Watch>,
    /// A front's, for its admin pages.
    pub clerk: Option<Clerk>,
    /// A front's.
    pub settings: Option<Settings>,
    /// Of a front that keeps its usage history.
    pub history: Option<HistoryWriter>,
    /// The others, each with a name for its thread.
    pub others: Vec<(&'static str, Source)>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<_> = self.others.iter().map(|(name, _)| name).collect();
        f.debug_struct("Sources")
            .field("journal", &self.journal)
            .field("address", &self.address)
            .field("clerk", &self.clerk)
            .field("settings", &self.settings)
            .field("others", &others)
            .finish()
    }
}

impl Sources {
    /// Starts them all; each tells what it has by `tell`. `inboxes`: what the node wants done;
    /// `doors`: where its links come in.
    ///
    /// # Errors
    /// The system does not give a thread.
    pub fn start(
        mut self,
        inboxes: Inboxes,
        doors: Arc<Listeners>,
        tell: impl Fn(HostEvent) + Send + Sync + 'static,
    ) -> Outcome {
        if let Some(mut watch) = self.machine {
            if let Some(machine) = watch.machine.take() {
                let opened = doors.open(Listener::Machine, machine);
                opened
                    .map_err(|error| Failure::failed(format!("the machine's socket: {error}")))?;
            }
            let doors = Arc::clone(&doors);
            self.others.push(("machine", Box::new(move |tell| watch.serve(&doors, &tell))));
        }
        let tell: Tell = Arc::new(tell);
        let Inboxes { journal, vip, admin_files, config, history } = inboxes;
        if let Some(keeper) = self.history {
            let tray = Arc::clone(&history);
            self.others.push(("history", Box::new(move |tell| keeper.serve(&tray, &tell))));
        }
        if let Some(worker) = self.journal {
            self.others.push(("disk", Box::new(move |tell| worker.serve(&journal, &tell))));
        }
        if let Some(watch) = self.address {
            self.others.push(("address", Box::new(move |tell| watch.serve(&vip, &tell))));
        }
        if let Some(clerk) = self.clerk {
            self.others.push(("clerk", Box::new(move |tell| clerk.serve(&admin_files, &tell))));
        }
        if let Some(settings) = self.settings {
            let work: Source =
                Box::new(move |tell| settings.serve(&config, &doors, &history, &tell));
            self.others.push(("configuration", work));
        }
        self.others.extend(systemd::watchdog().map(|source| ("watchdog", source)));
        for (name, source) in self.others {
            let tell = Arc::clone(&tell);
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || source(tell))
                .map_err(|error| Failure::failed(format!("no thread for {name}: {error}")))?;
        }
        Ok(())
    }
}

/// Begins every connection, with what it needs to prove or to be covered with.
#[derive(Clone, Debug)]
pub struct Streams {
    /// The key that fronts prove.
    pub group: GroupKey,
    /// The front that dials, by its id; `None`: this is a backend, and nothing is dialled.
    pub front: Option<u32>,
    /// What the admin door is covered with.
    pub tls: Tls,
}

impl Streams {
    /// Begins a connection that came in from there.
    #[must_use]
    pub fn accepted(&self, door: Listener, from: IpAddr) -> Connection {
        match door {
            Listener::Licence => {
                let group = if self.front.is_none() { Some(self.group.clone()) } else { None };
                Connection::new(SecureChannel::licence(entropy::fresh(), group), None)
            }
            Listener::Admin => {
                let here = from.to_canonical().is_loopback();
                Connection::new(SecureChannel::admin(), self.tls.cover(here))
            }
            Listener::Machine => Connection::new(SecureChannel::admin(), None),
            Listener::Twin => {
                Connection::new(SecureChannel::twin_accept(entropy::fresh(), &self.group), None)
            }
        }
    }

    /// Begins a connection that was dialled.
    #[must_use]
    pub fn dialled(&self, callee: PeerKind) -> Connection {
        let stream = match callee {
            PeerKind::Backend => {
                let front = self.front.unwrap_or_default();
                SecureChannel::dial_backend(entropy::fresh(), self.group.clone(), front)
            }
            PeerKind::Stock => SecureChannel::dial_server(entropy::fresh()),
            PeerKind::Twin { .. } => SecureChannel::twin_dial(entropy::fresh(), &self.group),
        };
        Connection::new(stream, None)
    }
}
