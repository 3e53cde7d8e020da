//! Full tables of connections: a flood keeps out no member of the group.

#![allow(clippy::unwrap_used)]

use rustix::net::sockopt::{set_socket_linger, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use serde_json::Value;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, SetOnDrop, TMR, give_back, status_until, take, until,
};
use tmr_tests::independent_client::AccessRequest;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    the_twin_comes_in_while_its_door_is_flooded,
    fronts_come_in_while_backends_are_full_and_flooded,
);

/// An address of another machine on the same network.
const STRANGER: [u8; 4] = [127, 9, 9, 9];
/// Threads that open connections.
const CALLERS: usize = 2;
/// The pause of each thread between two connections.
const PAUSE: Duration = Duration::from_millis(3);
/// Connections that each thread holds. The connections of both tests together fit into the 1,024
/// files that an ordinary user's process may open.
const HELD: usize = 120;
/// The limit of open files of a server with room for few clients.
const FEW_FILES: &str = "ulimit -n 288";

fn stranger_at(listener: SocketAddr) -> Option<TcpStream> {
    let socket =
        socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).ok()?;
    // The socket's port is free again at once, because other tests may be about to listen there.
    set_socket_reuseaddr(&socket, true).ok()?;
    set_socket_linger(&socket, Some(Duration::ZERO)).ok()?;
    bind(&socket, &SocketAddr::from((STRANGER, 0))).ok()?;
    connect(&socket, &listener).ok()?;
    Some(socket.into())
}

/// Makes many connections a second to these listeners, and holds each for a while, during `work`.
/// The rate stays below what the system's own queue can take.
fn flooded(listeners: &[SocketAddr], work: impl FnOnce()) {
    let (over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut held = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    for listener in listeners {
                        held.extend(stranger_at(*listener));
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::sleep(PAUSE);
                    if held.len() > HELD {
                        held.drain(..HELD / 2);
                    }
                }
            });
        }
        let ends = SetOnDrop(&over);
        until("a flood", || (made.load(Ordering::Relaxed) > 300).then_some(()));
        work();
        drop(ends);
    });
}

fn the_twin_comes_in_while_its_door_is_flooded(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).twin().start();
    let synced = |status: &Value| (status["twin"]["synced"] == true).then_some(());
    let admin = cluster.fronts[0].admin();
    status_until(admin, "the fronts to be in sync", synced);
    let listeners = [cluster.twin_listener(0)];
    cluster.fronts[1].kill();
    flooded(&listeners, || {
        cluster.restart_front(1);
        status_until(admin, "the fronts to be in sync again", synced);
    });
    cluster.fronts[1].kill();
}

fn fronts_come_in_while_backends_are_full_and_flooded(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let limited = cluster.program().after(FEW_FILES);
    for backend in 0..2 {
        cluster.replace_backend(backend, &limited);
    }
    cluster.wait_whole(0);
    let listeners = [cluster.backends[0].licence(), cluster.backends[1].licence()];
    let idle: Vec<_> =
        listeners.iter().flat_map(|listener| (0..100).map(|_| stranger_at(*listener))).collect();
    cluster.fronts[0].kill();
    flooded(&listeners, || {
        cluster.restart_front(0);
        cluster.activate(0);
        cluster.wait_whole(0);
        let mut client = cluster.client();
        let seat = take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).unwrap().unwrap();
        assert_eq!(give_back(&mut client, seat).unwrap(), Ok(0));
    });
    drop(idle);
}
