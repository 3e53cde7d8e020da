//! The hub's metrics of its links, for `/metrics`.

use super::Listener;

/// A bound of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Links of clients; those above the bound got an error.
    ClientLinks,
    /// Links of clients from one address.
    ClientLinksOfAddress,
    /// Links of browsers and of metrics collectors.
    AdminLinks,
    /// Links of the twin.
    TwinLinks,
    /// Links by the machine's own socket.
    MachineLinks,
    /// A link was too slow with its first frame, or with the rest of one.
    SlowLink,
    /// A client's link held no handle and was silent.
    IdleLink,
    /// A link did not take the frames that were sent on it.
    WaitingFrames,
    /// All links together made the server keep too many bytes.
    LinksHeld,
}

impl Limit {
    /// All limits, in order.
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

    /// Returns the name used in metrics.
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

/// The metrics of the hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubMetrics {
    /// The number of links of each kind of listener, and the greatest number allowed.
    pub listeners: [(usize, usize); 4],
    /// How often each [`Limit`] was reached.
    pub reached: [u64; Limit::ALL.len()],
    /// The number of files that the system lets this process open; 0 if it is not known.
    pub files_max: usize,
}

impl HubMetrics {
    /// Counts that a limit was reached.
    pub(crate) fn reach(&mut self, limit: Limit) {
        self.reached[limit as usize] += 1;
    }

    /// Returns, by the name of their listener, the number of links and the greatest number allowed.
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
