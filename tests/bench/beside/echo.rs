//! A peer that sends back what it gets: one thread, one wait for all connections.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use tmr_runtime_std::exit::Failure;

const LISTENER: u64 = 0;

/// Serves until it is killed.
pub(crate) fn serve(at: &str) -> Result<Infallible, Failure> {
    listen(at).map_err(|error| Failure::failed(format!("{at}: {error}")))
}

fn listen(at: &str) -> io::Result<Infallible> {
    let (listener, poll) = (TcpListener::bind(at)?, epoll::create(CreateFlags::CLOEXEC)?);
    epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut peers: BTreeMap<u64, TcpStream> = BTreeMap::new();
    let (mut number, mut buffer) = (LISTENER, vec![0; 64 * 1024]);
    let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
    loop {
        events.clear();
        epoll::wait(&poll, spare_capacity(&mut events), None)?;
        for event in &events {
            let name = event.data.u64();
            if name == LISTENER {
                let (peer, _) = listener.accept()?;
                peer.set_nodelay(true)?;
                number += 1;
                epoll::add(&poll, &peer, EventData::new_u64(number), EventFlags::IN)?;
                peers.insert(number, peer);
            } else if let Some(peer) = peers.get_mut(&name) {
                // Woken because there is something: this read does not wait.
                let count = peer.read(&mut buffer).unwrap_or(0);
                if count == 0 || peer.write_all(&buffer[..count]).is_err() {
                    peers.remove(&name);
                }
            }
        }
    }
}
