//! Everything that a runtime gets: the node, its listeners, how connections begin, and the workers
//! that serve its requests to the host.
//!
//! What never lives here: reading files and options (`commands/startup`), and what a worker does.

use crate::exit::{Failure, Outcome};
use crate::host::admin_files::AdminFiles;
use crate::host::disk::Journal;
use crate::host::history::HistoryWriter;
use crate::host::settings::Settings;
use crate::host::workers::Inboxes;
use crate::host::{machine, systemd, vip};
use crate::reactor::connections::Connections;
use crate::reactor::listeners::Listeners;
use std::net::TcpListener;
use std::sync::Arc;
use std::{fmt, thread};
use tmr_core::io::HostEvent;
use tmr_core::link::Listener;
use tmr_core::node::hub::Hub;

/// A node with everything that it needs of this machine.
#[derive(Debug)]
pub struct NodeSetup {
    /// The node and its links, not stepped yet.
    pub hub: Hub,
    /// The listeners, already bound.
    pub listeners: Vec<(Listener, TcpListener)>,
    /// How new connections begin.
    pub connections: Connections,
    /// The workers, not started yet.
    pub workers: Workers,
}

/// Passes an event to the node, from any thread.
pub type EventSink = Arc<dyn Fn(HostEvent) + Send + Sync>;

/// A source of events, which runs on a thread of its own until the process ends.
pub type Worker = Box<dyn FnOnce(EventSink) + Send>;

/// The workers of a node: they serve its requests, and report events of the machine.
#[derive(Default)]
pub struct Workers {
    /// The Unix socket of this machine.
    pub machine: Option<machine::Watch>,
    /// The journal of a backend; a front has none.
    pub journal: Option<Journal>,
    /// The watch of a front's virtual address.
    pub address: Option<vip::Watch>,
    /// The files of a front's admin pages.
    pub admin_files: Option<AdminFiles>,
    /// The configuration of a front.
    pub settings: Option<Settings>,
    /// The writer of a front's usage history.
    pub history: Option<HistoryWriter>,
    /// The others, each with the name of its thread.
    pub others: Vec<(&'static str, Worker)>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<_> = self.others.iter().map(|(name, _)| name).collect();
        f.debug_struct("Workers")
            .field("journal", &self.journal)
            .field("address", &self.address)
            .field("admin_files", &self.admin_files)
            .field("settings", &self.settings)
            .field("others", &others)
            .finish()
    }
}

impl Workers {
    /// Starts all workers; each reports its events by `tell`. `inboxes`: the node's requests;
    /// `listeners`: the open listeners.
    ///
    /// # Errors
    /// The system does not give a thread.
    pub fn start(
        mut self,
        inboxes: Inboxes,
        listeners: Arc<Listeners>,
        tell: impl Fn(HostEvent) + Send + Sync + 'static,
    ) -> Outcome {
        if let Some(mut watch) = self.machine {
            if let Some(machine) = watch.machine.take() {
                let opened = listeners.open(Listener::Machine, machine);
                opened
                    .map_err(|error| Failure::failed(format!("the machine's socket: {error}")))?;
            }
            let listeners = Arc::clone(&listeners);
            self.others.push(("machine", Box::new(move |tell| watch.serve(&listeners, &tell))));
        }
        let tell: EventSink = Arc::new(tell);
        let Inboxes { journal, vip, admin_files: admin_requests, config, history } = inboxes;
        if let Some(writer) = self.history {
            let queue = Arc::clone(&history);
            self.others.push(("history", Box::new(move |tell| writer.serve(&queue, &tell))));
        }
        if let Some(worker) = self.journal {
            self.others.push(("disk", Box::new(move |tell| worker.serve(&journal, &tell))));
        }
        if let Some(watch) = self.address {
            self.others.push(("address", Box::new(move |tell| watch.serve(&vip, &tell))));
        }
        if let Some(admin_files) = self.admin_files {
            self.others.push((
                "admin-files",
                Box::new(move |tell| admin_files.serve(&admin_requests, &tell)),
            ));
        }
        if let Some(settings) = self.settings {
            let work: Worker =
                Box::new(move |tell| settings.serve(&config, &listeners, &history, &tell));
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
