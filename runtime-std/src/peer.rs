//! A link's bell: how other threads tell the one that serves the link that there is something for
//! it in the hub, even while it is blocked reading.

use crate::threads::lock;
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use tmr_core::io::Link;

/// The links that have a thread.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<BTreeMap<Link, Bell>>);

impl Peers {
    /// A link's thread takes it up. Its bell has rung already: what the hub had before this link
    /// could be found must be looked for.
    pub(crate) fn add(&self, link: Link, socket: TcpStream) -> Peer {
        let (socket, reading, (rope, rung)) = (Arc::new(socket), Arc::default(), mpsc::channel());
        let bell = Bell { socket: Arc::clone(&socket), rope, reading: Arc::clone(&reading) };
        bell.ring();
        lock(&self.0).insert(link, bell);
        Peer { link, socket, rung: Some(rung), reading }
    }

    /// The hub has something for these links.
    pub(crate) fn ring(&self, links: &[Link]) {
        for link in links {
            if let Some(bell) = lock(&self.0).get(link) {
                bell.ring();
            }
        }
    }

    /// A link is over.
    pub(crate) fn remove(&self, link: Link) {
        lock(&self.0).remove(&link);
    }
}

#[derive(Debug)]
struct Bell {
    socket: Arc<TcpStream>,
    rope: Sender<()>,
    reading: Arc<AtomicBool>,
}

impl Bell {
    fn ring(&self) {
        // Whoever listened may be gone.
        let _ = self.rope.send(());
        if self.reading.load(SeqCst) {
            let _ = self.socket.shutdown(Shutdown::Read);
        }
    }
}

/// A link as its thread sees it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) link: Link,
    pub(crate) socket: Arc<TcpStream>,
    /// Where the bell is heard; given away when a second thread begins to write.
    pub(crate) rung: Option<Receiver<()>>,
    /// The link's only thread reads and owes no reply: what it is called for can only be the end,
    /// and who rings cuts the reading short.
    reading: Arc<AtomicBool>,
}

impl Peer {
    /// Whether the hub has something for this thread to write. It waits for that if a reply is
    /// owed; else, and if not, the thread goes on to read.
    pub(crate) fn called(&self, owes: bool) -> bool {
        let Some(rung) = &self.rung else { return false };
        if owes {
            return rung.recv().is_ok();
        }
        self.reading.store(true, SeqCst);
        let called = rung.try_recv().is_ok();
        self.reading.store(!called, SeqCst);
        called
    }

    /// The thread has read.
    pub(crate) fn busy(&self) {
        self.reading.store(false, SeqCst);
    }
}
