//! The virtual address: is it on this machine, and is it to leave. Who moves it is keepalived;
//! what follows from it is core's business.

use super::create;
use super::disk::Folder;
use super::exit::words;
use super::links::lock;
use super::plan::{Errand, Tell};
use super::settings::Ask;
use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tmr_core::io::Input;

/// How often this machine's addresses are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// In the state folder: `1` while the address is to leave this machine, else `0`; for keepalived's
/// `track_file`, which sees it at once.
const GIVE_AWAY: &str = "give-away";

/// The virtual addresses; others may be configured while they are looked for.
pub type Addresses = Arc<Mutex<Vec<IpAddr>>>;

/// Looks for the virtual address, for as long as the process lives.
#[derive(Debug)]
pub struct Watch {
    addresses: Addresses,
    folder: Folder,
    /// Does the errands that have to do with the configuration: they take long.
    stores: Sender<Ask>,
}

impl Watch {
    /// A watch for any of these addresses; with none, the role is set by command. Keeps the state
    /// folder, which is what keeps a second process away.
    #[must_use]
    pub fn new(addresses: Addresses, folder: Folder, stores: Sender<Ask>) -> Self {
        let watch = Self { addresses, folder, stores };
        watch.say(false);
        watch
    }

    /// Looks, and does what is asked, until the node is gone; what is not its own goes to `others`.
    pub fn serve(self, errands: &Receiver<Errand>, tell: &Tell, others: &Sender<Errand>) {
        let mut told = None;
        loop {
            let here = self.here();
            if let Some(here) = here.filter(|_| here != told) {
                tell(Input::Address { here });
            }
            told = here.or(told).filter(|_| !lock(&self.addresses).is_empty());
            match errands.recv_timeout(LOOK) {
                Ok(Errand::GiveAway(away)) => self.say(away),
                // Whoever does it has ended only with the process.
                Ok(Errand::Store(text)) => drop(self.stores.send(Ask::Store(text))),
                Ok(Errand::Look) | Err(RecvTimeoutError::Timeout) => {}
                Ok(other) => drop(others.send(other)),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// `None`: there is nothing to look for, or the system does not say.
    fn here(&self) -> Option<bool> {
        let addresses = lock(&self.addresses).clone();
        if addresses.is_empty() {
            return None;
        }
        match if_addrs::get_if_addrs() {
            Ok(all) => Some(all.iter().any(|found| addresses.contains(&found.ip()))),
            Err(error) => {
                tracing::warn!("this machine's addresses cannot be read: {}", words(&error));
                None
            }
        }
    }

    /// Written in place: whoever watches it looks at this very file. Where it cannot be written
    /// clients are served all the same.
    fn say(&self, away: bool) {
        let path = self.folder.path(GIVE_AWAY);
        let put = || {
            let mut file = create::open_or_create(&path, 0o644, File::options().write(true))?;
            file.write_all(if away { b"1\n" } else { b"0\n" })?;
            file.set_len(2)
        };
        if let Err(error) = put() {
            tracing::error!("{}: {}", path.display(), words(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread;

    /// What a watch for these addresses tells, and its `give-away` after one errand.
    fn watched(name: &str, addresses: &[&str]) -> (Vec<Input>, String) {
        let path = std::env::temp_dir().join(format!("tmr-vip-{name}-{}", std::process::id()));
        let folder = Folder::open(&path).unwrap();
        let addresses = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let watch = Watch::new(Arc::new(Mutex::new(addresses)), folder, channel().0);
        assert_eq!(std::fs::read_to_string(path.join(GIVE_AWAY)).unwrap(), "0\n");
        let ((send, errands), (told, news), (pass_on, others)) = (channel(), channel(), channel());
        let tell: Tell = Arc::new(move |input| told.send(input).unwrap());
        let work = thread::spawn(move || watch.serve(&errands, &tell, &pass_on));
        send.send(Errand::GiveAway(true)).unwrap();
        send.send(Errand::Look).unwrap();
        send.send(Errand::Audit("x".to_owned())).unwrap();
        drop(send);
        work.join().unwrap();
        let passed: Vec<Errand> = others.iter().collect();
        assert!(matches!(&passed[..], [Errand::Audit(_)]), "{passed:?}");
        let said = std::fs::read_to_string(path.join(GIVE_AWAY)).unwrap();
        std::fs::remove_dir_all(path).unwrap();
        (news.iter().collect(), said)
    }

    #[test]
    fn an_address_of_this_machine_is_found_and_told_once() {
        let here = Input::Address { here: true };
        let elsewhere = Input::Address { here: false };
        assert_eq!(watched("loop", &["192.0.2.1", "127.0.0.1"]), (vec![here], "1\n".into()));
        assert_eq!(watched("other", &["192.0.2.1"]), (vec![elsewhere], "1\n".into()));
        assert_eq!(watched("none", &[]), (vec![], "1\n".into()));
    }
}
