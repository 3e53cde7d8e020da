//! Opens listening sockets, and finds the address at which others reach this machine.

use crate::exit::{Failure, words};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use tmr_core::base::network::Address;
use tmr_core::link::Listener;

/// Connections that may wait to be accepted, for an office where all computers start at once.
const BACKLOG: i32 = 4096;

/// An address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAt {
    /// The kind of listener.
    pub kind: Listener,
    /// The name of the setting, for messages.
    pub what: &'static str,
    /// The address; with port 0 the system chooses the port.
    pub at: Address,
}

/// Listens at each of these addresses.
///
/// # Errors
/// As [`listen`].
pub fn open(listen_at: &[ListenAt]) -> Result<Vec<(Listener, TcpListener)>, Failure> {
    listen_at.iter().map(|spot| Ok((spot.kind, listen(spot, &[])?))).collect()
}

/// Listens at an address. `beside`: listeners of this process that are closed soon after; the new
/// one may use the same port.
///
/// # Errors
/// The port is in use, the address is not of this machine, or the system refuses.
pub fn listen(spot: &ListenAt, beside: &[&TcpListener]) -> Result<TcpListener, Failure> {
    let ListenAt { what, at, .. } = spot;
    let listen = |host: &str| {
        let listener = TcpListener::bind((host, at.port)).or_else(|error| {
            let same = |it: &&&TcpListener| it.local_addr().is_ok_and(|own| own.port() == at.port);
            let own: Vec<&TcpListener> = beside.iter().filter(same).copied().collect();
            if error.kind() != io::ErrorKind::AddrInUse || own.is_empty() {
                return Err(error);
            }
            let mut hosts = (host, at.port).to_socket_addrs()?;
            hosts.find_map(|host| bind_beside(host, &own).ok()).ok_or(error)
        })?;
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(listener)
    };
    let listened = listen(&at.host).or_else(|error| match without_ipv6(&at.host, &error) {
        Some(instead) => {
            tracing::warn!(
                target: "tmr_runtime_std::daemon::doors",
                "{what}: this machine has no IPv6; listening on {instead}"
            );
            listen(instead)
        }
        None => Err(error),
    });
    listened.map_err(|error: io::Error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "; stop the other program, or choose another port",
            io::ErrorKind::AddrNotAvailable => "; right would be an address of this machine",
            io::ErrorKind::PermissionDenied => "; ports below 1024 need rights of their own",
            _ => "",
        };
        Failure::failed(format!("cannot listen on {at} ({what}): {}{advice}", words(&error)))
    })
}

/// Checks whether this process could listen at an address. `own`: the port is in use by this server
/// itself, which would give it up.
///
/// # Errors
/// As of [`listen`].
pub fn could_listen(spot: &ListenAt, own: bool) -> Result<(), Failure> {
    if own {
        // Only the address can be wrong then: any port shows it.
        let at = Address { port: 0, ..spot.at.clone() };
        return listen(&ListenAt { at, ..spot.clone() }, &[]).map(drop);
    }
    listen(spot, &[]).map(drop)
}

/// Binds to a port where listeners of this process are bound: `0.0.0.0` beside `127.0.0.1`, for
/// example. The system permits both while all of them set SO_REUSEPORT, which is set for this
/// moment only, so that another process cannot bind to the port.
fn bind_beside(at: SocketAddr, own: &[&TcpListener]) -> io::Result<TcpListener> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    let share = |shared: bool| -> io::Result<()> {
        set_socket_reuseport(&socket, shared)?;
        own.iter().try_for_each(|it| Ok(set_socket_reuseport(it, shared)?))
    };
    let bound = share(true)
        .and_then(|()| Ok(rustix::net::bind(&socket, &at)?))
        .and_then(|()| Ok(rustix::net::listen(&socket, BACKLOG)?));
    share(false)?;
    bound.map(|()| socket.into())
}

/// Returns the IPv4 address for "all addresses" on a machine without IPv6.
fn without_ipv6(host: &str, error: &io::Error) -> Option<&'static str> {
    let missing = error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error());
    (missing && host == "::").then_some("0.0.0.0")
}

/// Returns the name of a listener for messages.
pub(crate) fn name(kind: Listener) -> &'static str {
    match kind {
        Listener::Licence => "licence",
        Listener::Admin => "admin",
        Listener::Twin => "twin",
        Listener::Machine => "machine",
    }
}

/// Returns the address at which clients most likely reach this machine: the one that it listens at,
/// or, if it listens at all, the source address of packets to other networks.
#[must_use]
pub fn reached_at(listener: &TcpListener) -> IpAddr {
    let outward = || {
        // A documentation address: connecting a datagram socket sends nothing.
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    let bound =
        listener.local_addr().as_ref().map_or_else(|_| Ipv4Addr::LOCALHOST.into(), SocketAddr::ip);
    if !bound.is_unspecified() {
        return bound;
    }
    outward().as_ref().map_or_else(|_| Ipv4Addr::LOCALHOST.into(), SocketAddr::ip)
}

/// Returns whether an address belongs to this machine: the system refuses to bind a socket to any
/// other. Nothing is sent.
#[must_use]
pub fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_those_of_ipv4_where_there_is_no_ipv6() {
        let none = io::Error::from(Errno::AFNOSUPPORT);
        assert_eq!(without_ipv6("::", &none), Some("0.0.0.0"));
        assert_eq!(without_ipv6("::1", &none), None, "that address was meant and no other");
        assert_eq!(without_ipv6("::", &io::Error::from(Errno::ADDRINUSE)), None);
    }
}
