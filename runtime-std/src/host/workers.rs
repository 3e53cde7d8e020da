//! The node's requests on their way to workers: one worker for each kind of request, with a thread
//! and an inbox of its own, so that none waits for another.
//!
//! What never lives here: what a worker does (`disk`, `history`, `vip`, `admin_files`, `settings`).

use crate::exit::halt;
use crate::host::history::HistoryQueue;
use crate::reactor::Requests;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use tmr_core::io::{AdminFilesRequest, HistoryRequest, HostRequest, JournalWrite, VipRequest};

/// The senders of requests. A request without a worker in this process is dropped.
#[derive(Debug)]
pub struct Outboxes {
    journal: Sender<JournalWrite>,
    vip: Sender<VipRequest>,
    admin_files: Sender<AdminFilesRequest>,
    config: Sender<String>,
    history: Arc<HistoryQueue>,
}

/// The receivers, from which the workers take their requests.
#[derive(Debug)]
pub struct Inboxes {
    pub(super) journal: Receiver<JournalWrite>,
    pub(super) vip: Receiver<VipRequest>,
    pub(super) admin_files: Receiver<AdminFilesRequest>,
    /// Configuration texts to be stored.
    pub(super) config: Receiver<String>,
    pub(super) history: Arc<HistoryQueue>,
}

/// Makes the senders and the receivers.
#[must_use]
pub fn boxes() -> (Outboxes, Inboxes) {
    let (journal, vip) = (mpsc::channel(), mpsc::channel());
    let (admin_files, config) = (mpsc::channel(), mpsc::channel());
    let history = Arc::new(HistoryQueue::default());
    let outboxes = Outboxes {
        journal: journal.0,
        vip: vip.0,
        admin_files: admin_files.0,
        config: config.0,
        history: Arc::clone(&history),
    };
    let inboxes = Inboxes {
        journal: journal.1,
        vip: vip.1,
        admin_files: admin_files.1,
        config: config.1,
        history,
    };
    (outboxes, inboxes)
}

impl Requests for Outboxes {
    /// # Panics
    /// If a backend has no journal.
    fn hand_on(&self, request: HostRequest) {
        match request {
            HostRequest::Journal(write) => {
                let sent = self.journal.send(write);
                sent.expect("a node that writes has a journal, served to the end");
            }
            HostRequest::History(HistoryRequest::Record(lines)) => self.history.record(&lines),
            HostRequest::History(HistoryRequest::ReadAfter(after)) => self.history.recall(after),
            HostRequest::Vip(request) => drop(self.vip.send(request)),
            HostRequest::AdminFiles(request) => drop(self.admin_files.send(request)),
            HostRequest::StoreConfig(text) => drop(self.config.send(text)),
            HostRequest::Halt(reason) => halt(&reason),
        }
    }

    fn all_recorded(&self) {
        self.history.all_recorded();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tmr_core::base::credentials::Password;
    use tmr_core::link::LinkId;

    #[test]
    fn each_worker_gets_what_is_its_own_and_nothing_else() {
        let (outboxes, inboxes) = boxes();
        let password = Password("secret".to_owned());
        let verify = AdminFilesRequest::Verify { link: LinkId(2), password };
        let write = JournalWrite::Append(b"bytes".to_vec());
        outboxes.hand_on(HostRequest::Journal(write.clone()));
        outboxes.hand_on(HostRequest::Vip(VipRequest::GiveAway(true)));
        outboxes.hand_on(HostRequest::AdminFiles(verify.clone()));
        outboxes.hand_on(HostRequest::StoreConfig("{}".to_owned()));
        drop(outboxes);
        assert_eq!(inboxes.journal.iter().collect::<Vec<_>>(), [write]);
        assert_eq!(inboxes.vip.iter().collect::<Vec<_>>(), [VipRequest::GiveAway(true)]);
        assert_eq!(inboxes.admin_files.iter().collect::<Vec<_>>(), [verify]);
        assert_eq!(inboxes.config.iter().collect::<Vec<_>>(), ["{}"]);
    }

    #[test]
    fn what_nobody_serves_is_not_done() {
        let (outboxes, inboxes) = boxes();
        drop(inboxes);
        outboxes.hand_on(HostRequest::Vip(VipRequest::Look));
        outboxes.hand_on(HostRequest::StoreConfig("{}".to_owned()));
        outboxes.hand_on(HostRequest::History(HistoryRequest::Record(b"line\n".to_vec())));
    }
}
