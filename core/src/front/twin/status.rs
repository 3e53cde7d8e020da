//! What an operator is told of the twin, and what the configurations of both must have alike.

use crate::admin::status::{Role, Twin as Shown};
use crate::front::{Config, Front, Phase};
use crate::time::Mono;
use crate::wire::twin::{Part, Shared};
use alloc::string::ToString;

impl Front {
    /// What status says of it.
    pub(in crate::front) fn twin_status(&self, now: Mono) -> Option<Shown> {
        let twin = self.twin.as_ref()?;
        let connected = twin.stands();
        let committed = self.log.committed();
        let lag = if let Phase::Leading { .. } = self.phase {
            committed.0.saturating_sub(self.twin_copy(twin).0)
        } else {
            twin.receiver.lag(committed)
        };
        let synced = match self.phase {
            Phase::Leading { .. } => self.twin_has(committed),
            _ => twin.receiver.whole(),
        };
        let standing = twin.receiver.standing();
        let silent = twin.silent_for(now);
        Some(Shown {
            address: twin.config.address.to_string(),
            connected,
            synced: connected && synced && lag == 0 && silent.is_none(),
            lag,
            starting: twin.receiver.is_starting(),
            silent_seconds: silent.map_or(0, |silent| silent.as_secs()),
            behind_seconds: twin.sender.behind(now).as_secs(),
            role: standing.map(|standing| match standing.part {
                Part::Standby => Role::Standby,
                Part::Starting => Role::Starting,
                Part::Active => Role::Active,
            }),
            epoch: standing.map(|standing| standing.epoch.round),
            since: standing.and_then(|standing| standing.leads),
            version: twin.program.clone(),
            passed_to: twin.outgoing.len() as u64,
            passed_from: twin.incoming.len() as u64,
            trouble: twin
                .sender
                .trouble
                .text
                .clone()
                .or_else(|| twin.receiver.trouble.text.clone()),
            differs: twin.receiver.differs.clone(),
            configuration_trouble: self.operator.configuration_trouble().map(ToString::to_string),
        })
    }
}

/// What this front's configuration says of what both must have alike.
pub(in crate::front) fn shared(config: &Config) -> Shared {
    let mut servers = config.backends.each_ref().map(ToString::to_string);
    servers.sort();
    let mut virtuals = config.virtuals.clone();
    virtuals.sort_unstable();
    Shared { servers, virtuals, cleanup_seconds: config.cleanup.as_secs() }
}
