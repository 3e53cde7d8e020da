//! Connections to a host by its name: all its addresses, raced with a head start (RFC 8305).
//!
//! What lives here: the look-up of a name, the order of its addresses, the race, and the words for
//! what failed at which address.
//! What never lives here: what is said on the connection.

use super::exit::words;
use super::net::prepare;
use crate::threads::spawn;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;
use tmr_core::io::{Address, Why};
use tmr_core::limits::DIAL_TIMEOUT;
use tmr_core::time::Duration;

/// An address is tried alone for so long, then beside the next one: RFC 8305, section 8, calls it
/// Connection Attempt Delay.
pub const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses of a name that are tried, at most: as many as the head starts leave time for.
pub const ADDRESSES_MAX: usize = 8;

/// Names that are being looked up. The system's look-up cannot be ended, so there is one for each
/// name at a time.
static LOOK_UPS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Opens a connection, as a client does: see [`dial_within`].
///
/// # Errors
/// As there.
pub fn dial(to: &Address) -> Result<TcpStream, Why> {
    dial_within(to, DIAL_TIMEOUT)
}

/// Opens a connection to whichever address of the host answers first, `within` one time-out for the
/// look-up and all of them.
///
/// # Errors
/// None of them answered: what each said, by its address if the host is a name.
pub fn dial_within(to: &Address, within: Duration) -> Result<TcpStream, Why> {
    dial_found(to, within, |_| ())
}

/// The same. `found` hears the addresses of the host before any of them is tried.
///
/// # Errors
/// As of [`dial_within`].
pub fn dial_found(
    to: &Address,
    within: Duration,
    found: impl FnOnce(&[SocketAddr]),
) -> Result<TcpStream, Why> {
    let until = Instant::now() + within;
    if let Ok(ip) = to.host.parse::<IpAddr>() {
        let host = SocketAddr::new(ip, to.port);
        found(&[host]);
        return race(&[host], until).map_err(|mut lost| match lost.failed.pop() {
            Some((_, Some(error))) => Why::Broken(words(&error)),
            _ => Why::Timeout("connecting"),
        });
    }
    let hosts = in_order(look_up(to, until)?);
    found(&hosts);
    race(&hosts, until).map_err(|lost| Why::Broken(lost.told(within)))
}

/// The addresses of a name, as the system orders them.
fn look_up(of: &Address, until: Instant) -> Result<Vec<SocketAddr>, Why> {
    let name = &of.host;
    let ask = || Why::Broken(format!("looking up {name} takes long: does its DNS server answer?"));
    if !look_ups(|busy| busy.insert(name.clone())) {
        return Err(ask());
    }
    let (tell, told) = mpsc::channel();
    let (host, port) = (name.clone(), of.port);
    let begun = spawn("look-up", move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        look_ups(|busy| busy.remove(&host));
        // Whoever asked may have given up.
        drop(tell.send(found));
    });
    if let Err(why) = begun {
        look_ups(|busy| busy.remove(name));
        return Err(why);
    }
    let found: io::Result<Vec<SocketAddr>> = told.recv_timeout(left(until)).map_err(|_| ask())?;
    let hosts = found.map_err(|error| Why::Broken(format!("{name}: {}", words(&error))))?;
    if hosts.is_empty() {
        return Err(Why::Broken(format!("{name}: no such host")));
    }
    Ok(hosts)
}

fn look_ups<T>(with: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
    with(&mut LOOK_UPS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The first one's kind of address and the other one take turns (RFC 8305, section 4), so that one
/// kind that leads nowhere costs one head start.
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

/// Nobody answered.
struct Lost {
    /// What went wrong at each address that was tried; nothing: it was silent.
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

/// Tries each of them, the next one when those before have failed or have had their head start.
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

/// Which of them have an answer, in ascending order; none: the time has come.
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

/// What became of a connection that has an answer.
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
