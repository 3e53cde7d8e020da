//! A relay that records the bytes on a connection, so that they can be replayed.

use super::wait::until;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The longest wait for an answer to replayed bytes.
const LISTENS: Duration = Duration::from_secs(5);

/// The bytes of the dialling end of each connection, in their order.
type Said = Arc<Mutex<Vec<Vec<u8>>>>;

/// Relays connections to a server, and records what was sent to it. It ends with the test.
#[derive(Clone, Debug)]
pub struct Recorder {
    address: SocketAddr,
    said: Said,
}

impl Recorder {
    /// Between whoever connects to [`address`](Self::address), on the server's own IP, and a
    /// server.
    ///
    /// # Panics
    /// The system gives no port.
    #[must_use]
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((server.ip(), 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let said = Said::default();
        let kept = Arc::clone(&said);
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                // The connection is closed if the server is not there.
                let Ok(callee) = TcpStream::connect(server) else { continue };
                let number = {
                    let mut said = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    said.push(Vec::new());
                    said.len() - 1
                };
                let ends = [&caller, &callee].map(|end| end.try_clone().expect("a second handle"));
                let [to_caller, to_callee] = ends;
                pass(callee, to_caller, |_| ());
                let kept = Arc::clone(&kept);
                pass(caller, to_callee, move |bytes| {
                    let mut said = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    said[number].extend_from_slice(bytes);
                });
            }
        });
        Self { address, said }
    }

    /// Returns the address of the relay.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was sent over the connection that had most, when that is so many bytes.
    ///
    /// # Panics
    /// It is not, within a minute.
    #[must_use]
    pub fn longest(&self, least: usize) -> Vec<u8> {
        until("enough to be recorded", || {
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.iter().max_by_key(|bytes| bytes.len()).filter(|it| it.len() >= least).cloned()
        })
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut keep: impl FnMut(&[u8]) + Send + 'static) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            keep(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        for end in [&from, &to] {
            let _ = end.shutdown(Shutdown::Both);
        }
    });
}

/// Sends bytes to a server, and returns all that it answers until it hangs up.
///
/// # Panics
/// It does not within five seconds.
#[must_use]
pub fn play(bytes: &[u8], server: SocketAddr) -> Vec<u8> {
    let mut socket = TcpStream::connect(server).expect("the server takes a connection");
    socket.set_read_timeout(Some(LISTENS)).expect("a time-out above zero");
    // The server may close the connection before it has read everything.
    let _ = socket.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(count @ 1..) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("{server} does not hang up: {} bytes", answer.len())
            }
            Ok(_) | Err(_) => return answer,
        }
    }
}
