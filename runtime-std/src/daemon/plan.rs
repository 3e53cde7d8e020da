//! What a runtime is given to run.

use super::clerk::Clerk;
use super::disk::{Durable, Journal};
use super::entropy;
use super::exit::{Failure, Outcome};
use super::history::{Keeper, Tray};
use super::listeners::Listeners;
use super::machine;
use super::settings::Settings;
use super::tls::Tls;
use super::{notify, vip};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::{fmt, thread};
use tmr_core::admin::Password;
use tmr_core::io::Input;
use tmr_core::link::channel::{GroupKey, Stream};
use tmr_core::link::{Callee, Door, Link};
use tmr_core::node::hub::Hub;

/// A node with all that it needs of this machine.
#[derive(Debug)]
pub struct Plan {
    /// The node and its links. Not stepped yet.
    pub hub: Hub,
    /// Where connections come in.
    pub doors: Vec<(Door, TcpListener)>,
    /// How the stream of a new connection begins.
    pub streams: Streams,
    /// What the node hears of beside its links.
    pub sources: Sources,
}

/// What a node wants done on this machine, one after the other.
#[derive(Debug)]
pub enum Errand {
    /// A durable write.
    Write(Durable),
    /// Look now whether the virtual address is here.
    Look,
    /// Say whether the virtual address is to be given away.
    GiveAway(bool),
    /// Check a password, and say what it gives.
    Verify {
        /// The link it came in by.
        link: Link,
        /// What was typed.
        password: Password,
    },
    /// Add a line to the record of changes.
    Audit(String),
    /// Put this text into the file of the configuration, and into force.
    Store(String),
}

/// Where a node's errands arrive.
#[derive(Debug)]
pub struct Errands {
    /// One after the other.
    pub(super) waiting: Receiver<Errand>,
    /// What it records.
    pub(super) tray: Arc<Tray>,
}

/// Tells the node something, from any thread.
pub type Tell = Arc<dyn Fn(Input) + Send + Sync>;

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
    pub history: Option<Keeper>,
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
    /// Starts them all; each tells what it has by `tell`. `errands`: what the node wants done;
    /// `doors`: where its links come in.
    ///
    /// # Errors
    /// The system does not give a thread.
    pub fn start(
        mut self,
        errands: Errands,
        doors: Arc<Listeners>,
        tell: impl Fn(Input) + Send + Sync + 'static,
    ) -> Outcome {
        if let Some(mut watch) = self.machine {
            if let Some(machine) = watch.machine.take() {
                let opened = doors.open(Door::Machine, machine);
                opened
                    .map_err(|error| Failure::failed(format!("the machine's socket: {error}")))?;
            }
            let doors = Arc::clone(&doors);
            self.others.push(("machine", Box::new(move |tell| watch.serve(&doors, &tell))));
        }
        let tell: Tell = Arc::new(tell);
        let Errands { waiting, tray } = errands;
        if let Some(keeper) = self.history {
            let tray = Arc::clone(&tray);
            self.others.push(("history", Box::new(move |tell| keeper.serve(&tray, &tell))));
        }
        if let Some(journal) = self.journal {
            let work: Source = Box::new(move |tell| journal.serve(&waiting, &tell));
            self.others.push(("disk", work));
        } else if let Some(watch) = self.address {
            // What takes long must not keep it from looking.
            let (pass_on, papers) = mpsc::channel();
            let work: Source = Box::new(move |tell| watch.serve(&waiting, &tell, &pass_on));
            self.others.push(("address", work));
            if let Some(clerk) = self.clerk {
                let work: Source = Box::new(move |tell| clerk.serve(&papers, &tell));
                self.others.push(("clerk", work));
            }
        }
        if let Some(settings) = self.settings {
            let work: Source = Box::new(move |tell| settings.serve(&doors, &tray, &tell));
            self.others.push(("configuration", work));
        }
        self.others.extend(notify::watchdog().map(|source| ("watchdog", source)));
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

/// Begins the stream of every connection.
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
    /// Of a connection that came in.
    #[must_use]
    pub fn accepted(&self, door: Door) -> Stream {
        match door {
            Door::Licence => {
                let group = if self.front.is_none() { Some(self.group.clone()) } else { None };
                Stream::licence(entropy::fresh(), group)
            }
            Door::Admin | Door::Machine => Stream::admin(),
            Door::Twin => Stream::twin_accept(entropy::fresh(), &self.group),
        }
    }

    /// Of a connection that was dialled.
    #[must_use]
    pub fn dialled(&self, callee: Callee) -> Stream {
        match callee {
            Callee::Backend => {
                let front = self.front.unwrap_or_default();
                Stream::dial_backend(entropy::fresh(), self.group.clone(), front)
            }
            Callee::Stock => Stream::dial_server(entropy::fresh()),
            Callee::Twin { .. } => Stream::twin_dial(entropy::fresh(), &self.group),
        }
    }
}
