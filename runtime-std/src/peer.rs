//! A link's bell: how other threads tell the one that serves the link that there is something for
//! it in the hub, even while it is blocked reading.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, Sender};
use tmr_core::io::Link;

/// A link as other threads see it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) link: Link,
    pub(crate) socket: TcpStream,
    bell: Sender<()>,
    /// Its only thread reads and owes no reply: what it is woken for can only be the end.
    reading: AtomicBool,
}

impl Peer {
    /// A link that its thread takes up now, and where that thread hears the bell. It has rung
    /// already: what the hub had before this link could be found must be looked for.
    pub(crate) fn new(link: Link, socket: TcpStream) -> (Arc<Self>, Receiver<()>) {
        let (bell, rung) = mpsc::channel();
        let peer = Arc::new(Self { link, socket, bell, reading: AtomicBool::new(false) });
        peer.ring();
        (peer, rung)
    }

    /// The hub has something for this link.
    pub(crate) fn ring(&self) {
        // The thread that listened may be gone.
        let _ = self.bell.send(());
        if self.reading.load(SeqCst) {
            let _ = self.socket.shutdown(Shutdown::Read);
        }
    }

    /// Whether the bell has rung. If a reply is owed this waits for it; else, if it has not, the
    /// thread goes on to read, and is cut short when it does.
    pub(crate) fn called(&self, rung: &Receiver<()>, owes: bool) -> bool {
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
