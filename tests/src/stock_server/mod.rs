//! A stock licence server that shares no code with the product: it implements the envelope, the
//! channel and the calls by the protocol facts (`core/docs/protocol-facts.md`), counts its seats by
//! itself, and serves one call after the other. The tests in `tests/tests/unfenced` use it.
//!
//! What lives here: connections ([`PlainServer`]) and the effects of calls (`service`). What never
//! lives here: anything of `tmr-core`, or any notion of a front, a twin or a log. The codec is
//! that of [`independent_client`](crate::independent_client).
//!
//! A second call before the reply to the first is an offence, and so is a call that no stock server
//! has. A server with offences panics when it is dropped, so that the test fails.

mod service;

pub use service::{Licence, Mode};

use crate::independent_client::{Key, KeyPair, envelope, read_body};
use service::Service;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// How long a reply is delayed, to detect a caller that does not wait for it.
const STRICT: Duration = Duration::from_millis(1);
/// The number of the call CmAccess2.
const ACCESS2: u32 = 0x64;

/// A fault of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// It reads calls, and serves none until this fault is over.
    Hangs,
    /// It refuses every access with this status.
    Refuses(u32),
    /// It performs every access, and closes the connection instead of replying.
    LosesReplies,
}

#[derive(Debug)]
struct Shared {
    service: Service,
    trouble: Trouble,
    /// The number of its starts; connections of an earlier start are closed.
    life: u32,
    up: bool,
    sockets: Vec<TcpStream>,
    offences: Vec<String>,
}

type State = Arc<(Mutex<Shared>, Condvar)>;

fn lock(state: &State) -> MutexGuard<'_, Shared> {
    state.0.lock().expect("no thread of a plain server panics with its state")
}

/// The server, on threads of the test process.
#[derive(Debug)]
pub struct PlainServer {
    state: State,
    at: SocketAddr,
}

impl PlainServer {
    /// Starts a server at a port of the system's choice, with one container of this serial and
    /// CmActId.
    ///
    /// # Panics
    /// No port is free.
    #[must_use]
    pub fn start(ip: IpAddr, serial: u32, cm_act_id: u32, licences: Vec<Licence>) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a port is free");
        let at = listener.local_addr().expect("a listener has an address");
        let shared = Shared {
            service: Service::new(serial, cm_act_id, licences),
            trouble: Trouble::None,
            life: 0,
            up: false,
            sockets: Vec::new(),
            offences: Vec::new(),
        };
        let server = Self { state: Arc::new((Mutex::new(shared), Condvar::new())), at };
        server.listen(listener);
        server
    }

    fn listen(&self, listener: TcpListener) {
        let mut shared = lock(&self.state);
        shared.up = true;
        shared.life += 1;
        let (state, life) = (Arc::clone(&self.state), shared.life);
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let mut shared = lock(&state);
                if !shared.up || shared.life != life {
                    return;
                }
                shared.sockets.push(socket.try_clone().expect("a socket can be cloned"));
                let state = Arc::clone(&state);
                thread::spawn(move || serve(&state, life, socket));
            }
        });
    }

    /// Returns the address of its listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// Closes every connection and the listener, and forgets all handles.
    pub fn kill(&self) {
        let mut shared = lock(&self.state);
        shared.up = false;
        shared.service.forget();
        for socket in shared.sockets.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(shared);
        self.state.1.notify_all();
        // Wakes the listening thread, which then ends.
        let _ = TcpStream::connect(self.at);
        while TcpStream::connect(self.at).is_ok() {
            thread::yield_now();
        }
    }

    /// Starts it again at its old address, without handles.
    ///
    /// # Panics
    /// The address is not free.
    pub fn restart(&self) {
        self.listen(TcpListener::bind(self.at).expect("its address is free again"));
    }

    /// Sets its fault from now on.
    pub fn trouble(&self, trouble: Trouble) {
        lock(&self.state).trouble = trouble;
        self.state.1.notify_all();
    }

    /// Forgets all handles, and keeps its connections.
    pub fn forget(&self) {
        lock(&self.state).service.forget();
    }

    /// Closes every connection; it still listens and keeps its handles.
    pub fn cut(&self) {
        for socket in lock(&self.state).sockets.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Replaces its licences, and keeps its handles.
    pub fn replace(&self, licences: Vec<Licence>) {
        lock(&self.state).service.licences = licences;
    }

    /// Returns the number of a licence's seats that it counts as taken.
    #[must_use]
    pub fn used(&self, product_code: u32) -> u32 {
        lock(&self.state).service.used(product_code)
    }

    /// Returns the highest number of taken seats of any licence since the first start.
    #[must_use]
    pub fn most(&self) -> u32 {
        lock(&self.state).service.most
    }

    /// Returns how often a call was made.
    #[must_use]
    pub fn calls(&self, number: u32) -> u64 {
        lock(&self.state).service.calls.get(&number).copied().unwrap_or(0)
    }

    /// Returns every handle that it ever gave.
    #[must_use]
    pub fn handles(&self) -> BTreeSet<u32> {
        lock(&self.state).service.given.clone()
    }

    /// Returns the client hosts that hold a seat.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        lock(&self.state).service.hosts()
    }
}

impl Drop for PlainServer {
    fn drop(&mut self) {
        if lock(&self.state).up {
            self.kill();
        }
        let offences = core::mem::take(&mut lock(&self.state).offences);
        if !thread::panicking() {
            assert!(offences.is_empty(), "a stock server was spoken to wrongly: {offences:?}");
        }
    }
}

/// Serves one connection until it ends.
fn serve(state: &State, life: u32, mut socket: TcpStream) {
    let _ = socket.set_nodelay(true);
    let Some(key) = agree(&mut socket) else { return };
    while let Ok(body) = read_body(&mut socket) {
        let Some((0xa1, cipher)) = body.split_first().map(|(first, rest)| (*first, rest)) else {
            return offence(state, "a selector that no client has");
        };
        let Ok(call) = key.open(cipher) else { return offence(state, "no protected message") };
        let Some(reply) = answer(state, life, &socket, &call) else {
            let _ = socket.shutdown(Shutdown::Both);
            return;
        };
        let _ = socket.set_read_timeout(Some(STRICT));
        let early = socket.peek(&mut [0]);
        let _ = socket.set_read_timeout(None);
        if early.is_ok_and(|bytes| bytes > 0) {
            return offence(state, "a call before the reply to the one before it");
        }
        if socket.write_all(&envelope(&key.protect(&reply))).is_err() {
            return;
        }
    }
}

fn offence(state: &State, what: &str) {
    lock(state).offences.push(what.to_owned());
}

/// Performs the key agreement (protocol facts 2.1); `None`: the peer's message is not valid.
fn agree(socket: &mut TcpStream) -> Option<Key> {
    let body = read_body(socket).ok()?;
    if body.len() != 59 || body[..2] != [0xa2, 0x05] {
        return None;
    }
    let pair = KeyPair::fresh().ok()?;
    let key = pair.agree(&body[2..]).ok()?;
    let mut reply = vec![0; 8];
    reply.extend_from_slice(&pair.point());
    socket.write_all(&envelope(&reply)).ok()?;
    Some(key)
}

/// Performs a call, and returns its reply. `None`: the connection is closed instead.
fn answer(state: &State, life: u32, socket: &TcpStream, call: &[u8]) -> Option<Vec<u8>> {
    let number = u32::from_le_bytes(call.get(..4)?.try_into().ok()?);
    let mut shared = lock(state);
    if number >= 0x0001_0000 {
        shared.offences.push(format!("call {number:#x}"));
        return None;
    }
    let mut hung = false;
    while shared.trouble == Trouble::Hangs && shared.up && shared.life == life {
        hung = true;
        shared = state.1.wait(shared).ok()?;
    }
    // A call that waited is dropped if its client has gone meanwhile.
    if hung {
        let _ = socket.set_read_timeout(Some(STRICT));
        let gone = matches!(socket.peek(&mut [0]), Ok(0));
        let _ = socket.set_read_timeout(None);
        if gone {
            return None;
        }
    }
    if !shared.up || shared.life != life {
        return None;
    }
    match shared.trouble {
        Trouble::Refuses(status) if number == ACCESS2 => {
            let mut reply = status.to_le_bytes().to_vec();
            reply.extend_from_slice(&[0; 4]);
            Some(reply)
        }
        Trouble::LosesReplies if number == ACCESS2 => {
            shared.service.call(call);
            None
        }
        _ => Some(shared.service.call(call)),
    }
}
