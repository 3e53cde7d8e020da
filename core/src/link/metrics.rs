//! Numbers that the hub counts of its links, for `/metrics`.

use super::Listener;

/// A bound of the hub that may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Links of clients; those above it were told so.
    ClientLinks,
    /// Links of clients from one address.
    ClientLinksOfAddress,
    /// Links of browsers and of what asks for metrics.
    AdminLinks,
    /// Links of the twin.
    TwinLinks,
    /// Links of the machine itself, by its socket.
    MachineLinks,
    /// A link was too slow with its first frame, or with the rest of one.
    SlowLink,
    /// A client's link held nothing and said nothing.
    IdleLink,
    /// A link did not take what was to be sent on it.
    WaitingFrames,
    /// All links together made the server keep too much.
    LinksHeld,
}

impl Limit {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::ClientLinks,
        Self::ClientLinksOfAddress,
        Self::AdminLinks,
        Self::TwinLinks,
        Self::MachineLinks,
        Self::SlowLink,
        Self::IdleLink,
        Self::WaitingFrames,
        Self::LinksHeld,
    ];

    /// As metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientLinks => "client-links",
            Self::ClientLinksOfAddress => "client-links-of-one-address",
            Self::AdminLinks => "admin-links",
            Self::TwinLinks => "twin-links",
            Self::MachineLinks => "machine-links",
            Self::SlowLink => "slow-link",
            Self::IdleLink => "idle-link",
            Self::WaitingFrames => "waiting-frames",
            Self::LinksHeld => "links-held",
        }
    }
}

/// What the hub has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubMetrics {
    /// Links of each kind of door, and the most there may be.
    pub listeners: [(usize, usize); 4],
    /// How often each [`Limit`] was reached.
    pub reached: [u64; Limit::ALL.len()],
    /// Files that the system lets this process have; 0: not known.
    pub files_max: usize,
}

impl HubMetrics {
    /// A limit was reached.
    pub(crate) fn reach(&mut self, limit: Limit) {
        self.reached[limit as usize] += 1;
    }

    /// Links by the name of their door, and the most there may be.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&'static str, usize, usize)> {
        let name = |listener| match listener {
            Listener::Licence => "licence",
            Listener::Admin => "admin",
            Listener::Twin => "twin",
            Listener::Machine => "machine",
        };
        [Listener::Licence, Listener::Admin, Listener::Twin, Listener::Machine]
            .into_iter()
            .zip(self.listeners)
            .map(move |(listener, (links, most))| (name(listener), links, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_counted_each_by_itself() {
        let mut counts = HubMetrics::default();
        for limit in Limit::ALL {
            counts.reach(limit);
        }
        assert_eq!(counts.reached, [1; 9]);
    }
}
