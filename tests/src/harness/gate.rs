//! A relay between client and server whose traffic can be held, cut, restored and slowed: bytes may
//! wait, or be lost with the connection, while both ends believe that it is open.

use super::wait::until;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The treatment of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// They pass.
    Open,
    /// They wait.
    Held,
    /// Connections are closed, and new ones at once.
    Cut,
}

#[derive(Debug)]
struct State {
    wire: Wire,
    speed: Speed,
    /// The number of bytes that a caller sent and that wait.
    waiting: usize,
    /// Both ends of every connection since the last cut.
    ends: Vec<TcpStream>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The speed of a wire in each direction.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// The delay of a byte.
    pub delay: Duration,
    /// Bytes a second.
    pub rate: u32,
}

impl Speed {
    /// No delay, and no limit in practice.
    pub const FAST: Self = Self { delay: Duration::ZERO, rate: u32::MAX };
}

/// Relays connections to a server. It ends with the test.
#[derive(Clone, Debug)]
pub struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Gate {
    /// An open one at a port of its own on this address, before a server.
    ///
    /// # Panics
    /// The system gives no port.
    #[must_use]
    pub fn before(server: SocketAddr, ip: IpAddr) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = State { wire: Wire::Open, speed: Speed::FAST, waiting: 0, ends: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                // The connection is closed if the server is not there.
                let Ok(callee) = TcpStream::connect(server) else { continue };
                let double = |end: &TcpStream| end.try_clone().expect("a second handle");
                let mut state = own.lock();
                if state.wire == Wire::Cut {
                    continue;
                }
                state.ends.extend([double(&caller), double(&callee)]);
                drop(state);
                pass(double(&callee), double(&caller), &own, false);
                pass(caller, callee, &own, true);
            }
        });
        Self { address, shared }
    }

    /// Returns the address of the relay.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds all bytes from now on without losing any; new connections are accepted.
    pub fn hold(&self) {
        self.turn(Wire::Held);
    }

    /// Lets everything pass, also the held bytes.
    pub fn open(&self) {
        self.turn(Wire::Open);
    }

    /// Closes every connection with its held bytes, and every new one at once.
    pub fn cut(&self) {
        self.turn(Wire::Cut);
    }

    /// Slows everything down from now on, also on established connections.
    pub fn slow_down(&self, speed: Speed) {
        self.shared.lock().speed = speed;
    }

    /// Waits until a caller has sent something that is held.
    ///
    /// # Panics
    /// Nobody does within a minute.
    #[track_caller]
    pub fn until_waited_at(&self) {
        until("bytes that wait at a gate", || (self.shared.lock().waiting > 0).then_some(()));
    }

    fn turn(&self, wire: Wire) {
        let mut state = self.shared.lock();
        state.wire = wire;
        if wire == Wire::Cut {
            for end in state.ends.drain(..) {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

/// Copies one direction of a connection while the wire is open, and ends it when the wire is cut.
/// `called`: the direction from the caller.
fn pass(mut from: TcpStream, to: TcpStream, shared: &Arc<Shared>, called: bool) {
    let shared = Arc::clone(shared);
    let (send, sent) = mpsc::channel::<(Instant, Vec<u8>)>();
    let ends = [&from, &to].map(|end| end.try_clone().expect("a second handle"));
    let mut far = to;
    thread::spawn(move || {
        for (due, bytes) in sent {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if far.write_all(&bytes).is_err() {
                break;
            }
        }
        for end in ends {
            let _ = end.shutdown(Shutdown::Both);
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let taken = Instant::now();
            let mut state = shared.lock();
            let counted = if called { count } else { 0 };
            state.waiting += counted;
            while state.wire == Wire::Held {
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.waiting -= counted;
            let (cut, speed) = (state.wire == Wire::Cut, state.speed);
            drop(state);
            if cut || send.send((taken + speed.delay, buffer[..count].to_vec())).is_err() {
                break;
            }
            let time = Duration::from_secs(1) * u32::try_from(count).expect("a buffer is small");
            thread::sleep((time / speed.rate).saturating_sub(taken.elapsed()));
        }
    });
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_is_held_comes_later_and_what_is_cut_never() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let gate = Gate::before(server.local_addr().unwrap(), [127, 0, 0, 1].into());
        let mut caller = TcpStream::connect(gate.address()).unwrap();
        let (mut callee, _) = server.accept().unwrap();
        gate.hold();
        caller.write_all(b"one").unwrap();
        gate.until_waited_at();
        gate.open();
        let mut got = [0; 3];
        callee.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"one");
        gate.hold();
        caller.write_all(b"two").unwrap();
        gate.until_waited_at();
        gate.cut();
        assert_eq!(callee.read(&mut got).unwrap(), 0, "it ends, and nothing comes before");
        gate.open();
        let mut caller = TcpStream::connect(gate.address()).unwrap();
        caller.write_all(b"six").unwrap();
        let (mut callee, _) = server.accept().unwrap();
        callee.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"six");
    }
}
