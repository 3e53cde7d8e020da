//! Connections to a host by its name: all its addresses, raced with a head start (RFC 8305).
//!
//! What lives here: the look-up of a name, the order of its addresses, the race, and the error
//! message with the reason of each address.
//! What never lives here: what is sent on the connection.

use crate::exit::words;
use crate::reactor::net::prepare;
use crate::sync::spawn;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;
use tmr_core::base::limits::DIAL_TIMEOUT;
use tmr_core::base::network::Address;
use tmr_core::base::time::Duration;
use tmr_core::link::CloseReason;

/// How long an address is tried alone before the next one is tried beside it: the Connection
/// Attempt Delay of RFC 8305, section 8.
pub const HEAD_START: Duration = Duration::from_millis(250);
/// The number of addresses of a name that are tried at most: as many as the head starts leave time
/// for.
pub const ADDRESSES_MAX: usize = 8;

/// Look-ups under way, by name. The system's look-up cannot be cancelled, so there is one at a time
/// for each name, and all callers that ask for that name meanwhile wait for its result.
static LOOK_UPS: Mutex<BTreeMap<String, Arc<LookUp>>> = Mutex::new(BTreeMap::new());

/// The result of a look-up: addresses without a port, or the system's error message.
type Found = Result<Vec<SocketAddr>, String>;

/// A look-up that is under way, shared by all threads that wait for it.
#[derive(Debug, Default)]
struct LookUp {
    /// `None`: the system has not answered.
    found: Mutex<Option<Found>>,
    answered: Condvar,
}

impl LookUp {
    /// Stores the system's answer and wakes all threads that wait for it.
    fn answer(&self, found: Found) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        self.answered.notify_all();
    }

    /// Waits for the system's answer until a time; `None`: it has not come by then.
    fn wait(&self, until: Instant) -> Option<Found> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.answered.wait_timeout_while(found, left(until), |it| it.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

/// Opens a connection, as a client does: see [`dial_within`].
///
/// # Errors
/// As of [`dial_within`].
pub fn dial(to: &Address) -> Result<TcpStream, CloseReason> {
    dial_within(to, DIAL_TIMEOUT)
}

/// Opens a connection to the address of the host that answers first. The time-out covers the
/// look-up and all attempts.
///
/// # Errors
/// None of them answered: the reason of each, with its address if the host is a name.
pub fn dial_within(to: &Address, within: Duration) -> Result<TcpStream, CloseReason> {
    dial_found(to, within, |_| ())
}

/// Does the same, and calls `found` with the addresses of the host before any of them is tried.
///
/// # Errors
/// As of [`dial_within`].
pub fn dial_found(
    to: &Address,
    within: Duration,
    found: impl FnOnce(&[SocketAddr]),
) -> Result<TcpStream, CloseReason> {
    let until = Instant::now() + within;
    if let Ok(ip) = to.host.parse::<IpAddr>() {
        let host = SocketAddr::new(ip, to.port);
        found(&[host]);
        return race(&[host], until).map_err(|mut lost| match lost.failed.pop() {
            Some((_, Some(error))) => CloseReason::Broken(words(&error)),
            _ => CloseReason::Timeout("connecting"),
        });
    }
    let hosts = in_order(look_up(to, until)?);
    found(&hosts);
    race(&hosts, until).map_err(|lost| CloseReason::Broken(lost.told(within)))
}

/// Returns the addresses of a name in the system's order.
fn look_up(of: &Address, until: Instant) -> Result<Vec<SocketAddr>, CloseReason> {
    let name = &of.host;
    let (look_up, begins) = look_ups(|busy| match busy.get(name) {
        Some(other) => (Arc::clone(other), false),
        None => {
            let new = Arc::<LookUp>::default();
            busy.insert(name.clone(), Arc::clone(&new));
            (new, true)
        }
    });
    if begins {
        let (host, tell) = (name.clone(), Arc::clone(&look_up));
        let begun = spawn("look-up", move || {
            let found = (host.as_str(), 0).to_socket_addrs().map(Iterator::collect);
            look_ups(|busy| busy.remove(&host));
            tell.answer(found.map_err(|error| words(&error)));
        });
        if let Err(reason) = begun {
            look_ups(|busy| busy.remove(name));
            look_up.answer(Err(reason.to_string()));
            return Err(reason);
        }
    }
    let found = look_up.wait(until).ok_or_else(|| {
        CloseReason::Broken(format!("looking up {name} takes long: does its DNS server answer?"))
    })?;
    let mut hosts = found.map_err(|reason| CloseReason::Broken(format!("{name}: {reason}")))?;
    if hosts.is_empty() {
        return Err(CloseReason::Broken(format!("{name}: no such host")));
    }
    hosts.iter_mut().for_each(|host| host.set_port(of.port));
    Ok(hosts)
}

fn look_ups<T>(with: impl FnOnce(&mut BTreeMap<String, Arc<LookUp>>) -> T) -> T {
    with(&mut LOOK_UPS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Alternates between the address families, beginning with the first address's (RFC 8305, section
/// 4), so that a family without a route costs one head start. Returns at most [`ADDRESSES_MAX`].
fn in_order(hosts: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let six = hosts.first().is_some_and(SocketAddr::is_ipv6);
    let (first, other): (Vec<_>, Vec<_>) =
        hosts.into_iter().partition(|host| host.is_ipv6() == six);
    let (mut first, mut other) = (first.into_iter(), other.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [first.next(), other.next()];
        if pair == [None, None] || ordered.len() >= ADDRESSES_MAX {
            ordered.truncate(ADDRESSES_MAX);
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// The failure of a race: no address answered.
struct Lost {
    /// The error of each address that was tried; `None`: it did not answer in time.
    failed: Vec<(SocketAddr, Option<io::Error>)>,
}

impl Lost {
    fn told(&self, within: Duration) -> String {
        let each = self.failed.iter().map(|(host, error)| match error {
            Some(error) => format!("{host}: {}", words(error)),
            None => format!("{host}: no answer within {:.1} s", within.as_secs_f32()),
        });
        each.collect::<Vec<_>>().join("; ")
    }
}

/// Tries the addresses in order: the next one when an attempt has failed, or when the last one has had
/// its head start.
fn race(hosts: &[SocketAddr], until: Instant) -> Result<TcpStream, Lost> {
    let (mut waiting, mut open) = (hosts.iter(), Vec::new());
    let mut failed = Vec::new();
    let mut next = Instant::now();
    loop {
        let now = Instant::now();
        if now >= until {
            break;
        }
        if open.is_empty() || next <= now {
            if let Some(&host) = waiting.next() {
                match begin(host) {
                    Ok(socket) => open.push((host, socket)),
                    Err(error) => failed.push((host, Some(error))),
                }
                next = now + HEAD_START;
                continue;
            }
            if open.is_empty() {
                break;
            }
        }
        let wake = if waiting.len() > 0 { next.min(until) } else { until };
        let ready = match wait(&open, wake) {
            Ok(ready) => ready,
            Err(error) => {
                failed.extend(open.drain(..).map(|(host, _)| (host, Some(error.into()))));
                break;
            }
        };
        for index in ready.into_iter().rev() {
            let (host, socket) = open.remove(index);
            match end(socket) {
                Ok(socket) => return Ok(socket),
                Err(error) => failed.push((host, Some(error))),
            }
            next = now;
        }
    }
    failed.extend(open.into_iter().map(|(host, _)| (host, None)));
    Err(Lost { failed })
}

fn begin(host: SocketAddr) -> io::Result<OwnedFd> {
    let family = if host.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &host) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// Waits until a time; returns which sockets have a result, in ascending order. None of them: the
/// time has come, or a signal interrupted the wait.
fn wait(open: &[(SocketAddr, OwnedFd)], until: Instant) -> rustix::io::Result<Vec<usize>> {
    let mut polled: Vec<PollFd<'_>> =
        open.iter().map(|(_, socket)| PollFd::new(socket, PollFlags::OUT)).collect();
    let wait = Timespec::try_from(left(until)).ok();
    match poll(&mut polled, wait.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let ready = polled.iter().enumerate().filter(|(_, poll)| !poll.revents().is_empty());
    Ok(ready.map(|(index, _)| index).collect())
}

/// Returns the connected socket, or the error of the attempt.
fn end(socket: OwnedFd) -> io::Result<TcpStream> {
    sockopt::socket_error(&socket)??;
    let socket = TcpStream::from(socket);
    socket.set_nonblocking(false)?;
    prepare(&socket)?;
    Ok(socket)
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[cfg(test)]
#[path = "dial_test.rs"]
mod tests;
