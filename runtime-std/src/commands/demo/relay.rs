//! One address for clients that leads to the active front, in the place of a virtual IP. Unlike
//! there, a connection to a front that becomes the standby is kept, because that front passes its
//! clients' calls on.

use crate::exit::Failure;
use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// How long a connection to a server on the same machine may take.
const CONNECT: Duration = Duration::from_secs(1);
/// The pause after the system could not give a connection.
const BREATH: Duration = Duration::from_millis(100);
/// The stack in bytes of the threads that copy, two for each connection.
const STACK: usize = 64 * 1024;

/// Relays connections.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    to: Option<SocketAddr>,
    count: u64,
    open: BTreeMap<u64, (SocketAddr, [Arc<TcpStream>; 2])>,
}

impl Relay {
    /// Begins to accept connections, which are closed until there is a target.
    pub(super) fn start(listener: TcpListener) -> Result<Self, Failure> {
        let relay = Self { state: Arc::default() };
        let own = relay.clone();
        let accept = move || {
            loop {
                let passed = listener.accept().and_then(|(client, _)| own.pass(client));
                if passed.is_err() {
                    thread::sleep(BREATH);
                }
            }
        };
        spawn(accept).map_err(|error| Failure::failed(format!("no thread: {error}")))?;
        Ok(relay)
    }

    /// Sets the target of new connections. If it changes, open connections are closed, unless their
    /// target is in `stays`.
    pub(super) fn follow(&self, to: Option<SocketAddr>, stays: &[SocketAddr]) {
        let mut state = self.state();
        if state.to != to {
            state.to = to;
            for (_, sockets) in state.open.values().filter(|(at, _)| !stays.contains(at)) {
                for socket in sockets {
                    let _ = socket.shutdown(Shutdown::Both);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is locked")
    }

    fn pass(&self, client: TcpStream) -> io::Result<()> {
        let Some(to) = self.state().to else { return Ok(()) };
        // A server that is just ending is no reason to pause.
        let Ok(server) = TcpStream::connect_timeout(&to, CONNECT) else { return Ok(()) };
        for socket in [&client, &server] {
            socket.set_nodelay(true)?;
        }
        let ends = [Arc::new(client), Arc::new(server)];
        let number = {
            let mut state = self.state();
            state.count += 1;
            let number = state.count;
            if state.to == Some(to) {
                state.open.insert(number, (to, ends.clone()));
            }
            number
        };
        let ([client, server], relay) = (ends, self.clone());
        let (back, forth) = ((Arc::clone(&server), Arc::clone(&client)), (client, server));
        spawn(move || copy(&back.0, &back.1))?;
        spawn(move || {
            copy(&forth.0, &forth.1);
            relay.state().open.remove(&number);
        })
    }
}

fn copy(from: &TcpStream, to: &TcpStream) {
    let _ = io::copy(&mut &*from, &mut &*to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("relay".to_owned()).stack_size(STACK).spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn connections_follow_and_those_that_lead_to_nobody_are_cut() {
        let (one, two) = (listen(), listen());
        let front = listen();
        let at = front.local_addr().unwrap();
        let relay = Relay::start(front).unwrap();
        let mut nowhere = TcpStream::connect(at).unwrap();
        assert_eq!(nowhere.read(&mut [0]).unwrap(), 0, "there is nowhere to go");

        let (first, second) = (one.local_addr().unwrap(), two.local_addr().unwrap());
        relay.follow(Some(first), &[]);
        let mut client = TcpStream::connect(at).unwrap();
        client.write_all(b"hello").unwrap();
        let (mut server, _) = one.accept().unwrap();
        let mut heard = [0; 5];
        server.read_exact(&mut heard).unwrap();
        relay.follow(Some(second), &[first]);
        let _client = TcpStream::connect(at).unwrap();
        two.accept().unwrap();
        server.write_all(&heard).unwrap();
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello", "it stays with one that stays");

        relay.follow(None, &[second]);
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0, "cut");
        assert_eq!(server.read(&mut [0]).unwrap_or(0), 0, "cut");
    }

    fn listen() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }
}
