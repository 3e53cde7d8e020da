//! The virtual address: whether it is on this machine, could come here, or is to leave. Keepalived
//! moves it, and core decides what follows.

use crate::exit::words;
use crate::host::create;
use crate::host::disk::Folder;
use crate::host::node_setup::EventSink;
use crate::sync::lock;
use if_addrs::{IfAddr, Interface};
use ipnet::IpNet;
use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tmr_core::io::{FrontEvent, VipRequest};

/// The pause between two looks at this machine's addresses.
const LOOK: Duration = Duration::from_millis(100);
/// The name of a file in the state folder for keepalived's `track_file`, which notices a change at
/// once: `1` while the address is to leave this machine, else `0`.
const GIVE_AWAY: &str = "give-away";

/// The virtual addresses, which a reload may change meanwhile.
pub type Addresses = Arc<Mutex<Vec<IpAddr>>>;

/// The worker that looks for the virtual address until the process ends.
#[derive(Debug)]
pub struct Watch {
    addresses: Addresses,
    folder: Folder,
    /// Why `give-away` could not be written; keepalived may then keep the address off this machine.
    unwritten: Option<String>,
}

impl Watch {
    /// Makes a watch for these addresses; without any, the role is set by command. It keeps the
    /// folder, whose lock excludes a second process.
    #[must_use]
    pub fn new(addresses: Addresses, folder: Folder) -> Self {
        let mut watch = Self { addresses, folder, unwritten: None };
        watch.unwritten = watch.say(false);
        watch
    }

    /// Looks, and serves requests, until the node is gone.
    pub fn serve(mut self, requests: &Receiver<VipRequest>, tell: &EventSink) {
        let (mut told, mut obstacle) = (None, None);
        loop {
            let (here, against) = self.look();
            if against != obstacle {
                tell(FrontEvent::VirtualAddressObstacle(against.clone()).into());
                obstacle = against;
            }
            if let Some(here) = here.filter(|_| here != told) {
                tell(FrontEvent::VirtualAddress { here }.into());
            }
            told = here.or(told).filter(|_| !lock(&self.addresses).is_empty());
            match requests.recv_timeout(LOOK) {
                Ok(VipRequest::GiveAway(away)) => self.unwritten = self.say(away),
                Ok(VipRequest::Look) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Returns whether an address is here (`None`: none is configured, or the system does not
    /// report its addresses), and why an address could not come here.
    fn look(&self) -> (Option<bool>, Option<String>) {
        let addresses = lock(&self.addresses).clone();
        if addresses.is_empty() {
            return (None, None);
        }
        match if_addrs::get_if_addrs() {
            Ok(all) => {
                let here = all.iter().any(|found| addresses.contains(&found.ip()));
                (Some(here), self.unwritten.clone().or_else(|| interface_down(&all, &addresses)))
            }
            Err(error) => {
                tracing::warn!(
                    target: "tmr_runtime_std::daemon::vip",
                    "this machine's addresses cannot be read: {}", words(&error)
                );
                (None, self.unwritten.clone())
            }
        }
    }

    /// Writes `give-away` in place, because keepalived watches this very file. Clients are served
    /// even if that fails. Returns the error.
    fn say(&self, away: bool) -> Option<String> {
        let path = self.folder.path(GIVE_AWAY);
        let put = || {
            let mut file = create::open_or_create(&path, 0o644, File::options().write(true))?;
            file.write_all(if away { b"1\n" } else { b"0\n" })?;
            file.set_len(2)
        };
        let trouble = format!("{}: {}", path.display(), words(&put().err()?));
        tracing::error!(target: "tmr_runtime_std::daemon::vip", "{trouble}");
        Some(format!("{trouble}; keepalived there may keep the address off"))
    }
}

/// Returns that the interface is down whose network has one of these addresses. If keepalived uses
/// another interface, or the system does not report its state, nothing is returned.
fn interface_down(all: &[Interface], addresses: &[IpAddr]) -> Option<String> {
    let network = |found: &Interface| {
        let length = match &found.addr {
            IfAddr::V4(four) => four.prefixlen,
            IfAddr::V6(six) => six.prefixlen,
        };
        IpNet::new(found.ip(), length).ok()
    };
    let holds = |found: &&Interface| {
        let network = network(found).filter(|it| it.prefix_len() < it.max_prefix_len());
        network.is_some_and(|it| addresses.iter().any(|address| it.contains(address)))
    };
    let name = &all.iter().find(holds)?.name;
    let state = std::fs::read_to_string(format!("/sys/class/net/{name}/operstate")).ok()?;
    is_down(&state).then(|| format!("the interface {name}, which it belongs on, is down"))
}

/// Returns whether an interface in this state, as the kernel names it (RFC 2863), carries no
/// traffic.
fn is_down(state: &str) -> bool {
    matches!(state.trim(), "down" | "lowerlayerdown" | "notpresent")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread;
    use tmr_core::io::HostEvent;

    /// Returns the events of a watch for these addresses, and its `give-away` after one request.
    fn watched(name: &str, addresses: &[&str]) -> (Vec<HostEvent>, String) {
        let path = std::env::temp_dir().join(format!("tmr-vip-{name}-{}", std::process::id()));
        let folder = Folder::open(&path).unwrap();
        let addresses = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let watch = Watch::new(Arc::new(Mutex::new(addresses)), folder);
        assert_eq!(std::fs::read_to_string(path.join(GIVE_AWAY)).unwrap(), "0\n");
        let ((send, requests), (told, news)) = (channel(), channel());
        let tell: EventSink = Arc::new(move |event| told.send(event).unwrap());
        let work = thread::spawn(move || watch.serve(&requests, &tell));
        send.send(VipRequest::GiveAway(true)).unwrap();
        send.send(VipRequest::Look).unwrap();
        drop(send);
        work.join().unwrap();
        let said = std::fs::read_to_string(path.join(GIVE_AWAY)).unwrap();
        std::fs::remove_dir_all(path).unwrap();
        (news.iter().collect(), said)
    }

    #[test]
    fn an_interface_is_found_by_its_network_and_is_down_by_the_kernels_word() {
        let there = |name: &str, ip: [u8; 4], prefixlen| Interface {
            name: name.into(),
            addr: IfAddr::V4(if_addrs::Ifv4Addr {
                ip: ip.into(),
                netmask: [0; 4].into(),
                prefixlen,
                broadcast: None,
            }),
            index: None,
        };
        let virtuals = ["192.0.2.42".parse().unwrap()];
        let state =
            |name, prefixlen| interface_down(&[there(name, [192, 0, 2, 11], prefixlen)], &virtuals);
        assert_eq!(state("lo", 24), None, "its state is unknown, and it is up");
        assert_eq!(state("no-such-interface", 24), None);
        assert_eq!(state("lo", 32), None, "the address itself is no network");
        let rows = ["up", "unknown", "dormant", "down", "lowerlayerdown"].map(is_down);
        assert_eq!(rows, [false, false, false, true, true]);
        assert!(is_down("down\n"), "as the file has it");
    }

    #[test]
    fn a_file_that_cannot_be_written_stands_against_the_address() {
        let path = std::env::temp_dir().join(format!("tmr-vip-unwritten-{}", std::process::id()));
        let folder = Folder::open(&path).unwrap();
        std::fs::create_dir(path.join(GIVE_AWAY)).unwrap();
        let addresses = Arc::new(Mutex::new(vec!["192.0.2.1".parse().unwrap()]));
        let watch = Watch::new(addresses, folder);
        let (here, against) = watch.look();
        assert_eq!(here, Some(false));
        assert!(against.is_some_and(|reason| reason.contains(GIVE_AWAY)));
        drop(watch);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn an_address_of_this_machine_is_found_and_told_once() {
        let here = FrontEvent::VirtualAddress { here: true }.into();
        let elsewhere = FrontEvent::VirtualAddress { here: false }.into();
        assert_eq!(watched("loop", &["192.0.2.1", "127.0.0.1"]), (vec![here], "1\n".into()));
        assert_eq!(watched("other", &["192.0.2.1"]), (vec![elsewhere], "1\n".into()));
        assert_eq!(watched("none", &[]), (vec![], "1\n".into()));
    }
}
