//! What a task waits for: its bell, by which another task tells it that there is something for it,
//! and whatever its socket is ready for, at once.

use async_io::{Async, Timer};
use smol::future::or;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tmr_core::io::{Link, Why};
use tmr_runtime_std::daemon::net::broken;

/// How one task tells another on the same thread that there is something for it.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Cell<bool>,
    listener: Cell<Option<Waker>>,
}

impl Bell {
    /// Tells the listener, now or when it next listens.
    pub(crate) fn ring(&self) {
        self.rung.set(true);
        if let Some(listener) = self.listener.take() {
            listener.wake();
        }
    }

    /// Waits until it rings, but not longer than `wait`, and says whether it has rung.
    pub(crate) async fn rings_within(&self, wait: Duration) -> bool {
        let late = async {
            Timer::after(wait).await;
            false
        };
        or(poll_fn(|cx| self.poll_heard(cx).map(|()| true)), late).await
    }

    /// Whether it has rung since it was last heard; if not, this task will be woken.
    fn poll_heard(&self, cx: &Context<'_>) -> Poll<()> {
        if self.rung.replace(false) {
            return Poll::Ready(());
        }
        self.listener.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

/// The links that have a task.
#[derive(Default)]
pub(crate) struct Peers(RefCell<BTreeMap<Link, Rc<Bell>>>);

impl Peers {
    /// A link's task takes it up. Its bell has rung already: what the hub had before this link
    /// could be found must be looked for.
    pub(crate) fn add(&self, link: Link, socket: Async<TcpStream>) -> Peer {
        let bell = Rc::new(Bell::default());
        bell.ring();
        self.0.borrow_mut().insert(link, Rc::clone(&bell));
        Peer { link, socket, bell }
    }

    /// The hub has something for these links.
    pub(crate) fn ring(&self, links: &[Link]) {
        let bells = self.0.borrow();
        links.iter().filter_map(|link| bells.get(link)).for_each(|bell| bell.ring());
    }

    /// A link is over.
    pub(crate) fn remove(&self, link: Link) {
        self.0.borrow_mut().remove(&link);
    }
}

/// A link as its task sees it.
pub(crate) struct Peer {
    pub(crate) link: Link,
    pub(crate) socket: Async<TcpStream>,
    bell: Rc<Bell>,
}

/// What a link's task can do now.
pub(crate) enum Turn {
    /// The hub has something for it.
    Take,
    /// Bytes, or the end, have arrived.
    Read,
    /// There is room for bytes.
    Write,
}

impl Peer {
    /// Waits for the link's next turn. `reading`: it wants bytes. `writing`: it has bytes that
    /// must go on by then, and takes no others.
    pub(crate) async fn turn(&self, reading: bool, writing: Option<Instant>) -> Result<Turn, Why> {
        let turn = poll_fn(|cx| {
            if writing.is_some() {
                if let Poll::Ready(room) = self.socket.poll_writable(cx) {
                    return Poll::Ready(room.map(|()| Turn::Write));
                }
            } else if self.bell.poll_heard(cx).is_ready() {
                return Poll::Ready(Ok(Turn::Take));
            }
            if reading {
                self.socket.poll_readable(cx).map_ok(|()| Turn::Read)
            } else {
                Poll::Pending
            }
        });
        let turn = match writing {
            None => turn.await,
            Some(until) => {
                let late = async {
                    Timer::at(until).await;
                    Err(ErrorKind::TimedOut.into())
                };
                or(turn, late).await
            }
        };
        turn.map_err(|error| broken(&error))
    }
}
