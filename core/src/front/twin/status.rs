//! The status of the twin for operators.

use super::Twin;
use crate::base::time::Mono;
use crate::log::Slot;
use crate::messages::twin::TwinRole;
use crate::status::{Role, Twin as Shown};
use alloc::string::ToString;

impl Twin {
    /// Returns the status of the twin. `leads`: whether this front leads.
    pub(in crate::front) fn status(&self, now: Mono, leads: bool, committed: Slot) -> Shown {
        let connected = self.is_connected();
        let lag = if leads {
            committed.0.saturating_sub(self.copy().0)
        } else {
            self.receiver.lag(committed)
        };
        let synced = if leads { self.copy() >= committed } else { self.receiver.is_whole() };
        let standing = self.receiver.standing();
        let silent = self.silent_for(now);
        Shown {
            address: self.config.address.to_string(),
            connected,
            synced: connected && synced && lag == 0 && silent.is_none(),
            lag,
            starting: self.receiver.is_starting(),
            silent_seconds: silent.map_or(0, |silent| silent.as_secs()),
            behind_seconds: self.sender.behind(now).as_secs(),
            role: standing.map(|standing| match standing.part {
                TwinRole::Standby => Role::Standby,
                TwinRole::Starting => Role::Starting,
                TwinRole::Active => Role::Active,
            }),
            epoch: standing.map(|standing| standing.epoch.round),
            since: standing.and_then(|standing| standing.leads),
            version: self.hellos.program().cloned(),
            passed_to: self.outgoing.len() as u64,
            passed_from: self.incoming.len() as u64,
            trouble: {
                let receiver = || self.receiver.trouble.text();
                self.sender.link.trouble.text().or_else(receiver).cloned()
            },
            differs: self.differences.rows().to_vec(),
            configuration_trouble: None,
        }
    }
}
