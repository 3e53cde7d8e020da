//! The machines of the fronts, as far as they do anything.

use super::world::{Event, World};
use crate::base::credentials::Rights;
use crate::io::{AdminFilesRequest, FrontEvent, HistoryRequest, HostRequest, VipRequest};

impl World {
    /// Carries out a request of a front to its machine.
    pub(super) fn host_request(&mut self, index: usize, request: HostRequest) {
        match request {
            HostRequest::Vip(VipRequest::GiveAway(away)) => self.fronts[index].away = away,
            HostRequest::Vip(VipRequest::Look)
            | HostRequest::AdminFiles(AdminFilesRequest::Audit(_)) => {}
            HostRequest::AdminFiles(AdminFilesRequest::Verify { link, .. }) => {
                let verified =
                    FrontEvent::PasswordVerified { link, granted: Some(Rights::Operator) };
                self.events.push_back(Event::ToFront(index, verified.into()));
            }
            HostRequest::StoreConfig(text) => self.stores.push((index, text)),
            HostRequest::History(HistoryRequest::Record(lines)) => {
                self.fronts[index].history.extend(lines);
            }
            HostRequest::History(HistoryRequest::ReadAfter(after)) => self.recall(index, after),
            other => panic!("a front has no disk: {other:?}"),
        }
    }
}
