//! What the log says: grants, releases, expirations, settings.

use super::{ContainerId, DiskId, Epoch};
use crate::time::Wall;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// A handle number as clients see it: never zero, bit 31 clear, never used twice in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "model", derive(Hash))]
pub struct Handle(pub u32);

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What makes three parts one licence, and names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LicenceKey {
    /// The container: of a TMR licence three that are one, of an ordinary one its own.
    pub container: ContainerId,
    /// Firm Code.
    pub firm_code: u32,
    /// Product Code.
    pub product_code: u32,
    /// TMR-Id; 0 for an ordinary licence.
    pub tmr_id: u32,
}

impl fmt::Display for LicenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.firm_code, self.product_code)?;
        if self.tmr_id != 0 {
            write!(f, " (TMR-Id {})", self.tmr_id)?;
        }
        Ok(())
    }
}

/// What a handle stands for (the handle kinds of protocol facts 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// The service itself, no container.
    Subsystem,
    /// A container, by its serial as clients see it.
    Container(u32),
    /// A firm item, by the first of its products that could be had.
    FirmItem(LicenceKey),
    /// A licence.
    Licence(LicenceKey),
}

impl Held {
    /// The licence that is in use; a firm item is no use of its products.
    #[must_use]
    pub fn licence(&self) -> Option<&LicenceKey> {
        if let Self::Licence(key) = self { Some(key) } else { None }
    }

    /// The licence whose entry and keys calls with the handle are about.
    #[must_use]
    pub fn key(&self) -> Option<&LicenceKey> {
        match self {
            Self::FirmItem(key) | Self::Licence(key) => Some(key),
            Self::Subsystem | Self::Container(_) => None,
        }
    }

    /// The name used in status.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Subsystem => "subsystem",
            Self::Container(_) => "container",
            Self::FirmItem(_) => "firm-item",
            Self::Licence(_) => "licence",
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subsystem => f.write_str("the service"),
            Self::Container(serial) => write!(f, "container {serial}"),
            Self::FirmItem(key) => write!(f, "firm item {}", key.firm_code),
            Self::Licence(key) => key.fmt(f),
        }
    }
}

/// How an access counts (protocol facts 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mode {
    /// Every access takes a licence.
    UserLimit,
    /// No licence is taken.
    NoUserLimit,
    /// Takes a licence, and is the only access of its station.
    Exclusive,
    /// All accesses of one station share one licence.
    StationShare,
}

impl Mode {
    /// All of them, in order.
    pub const ALL: [Self; 4] =
        [Self::UserLimit, Self::NoUserLimit, Self::Exclusive, Self::StationShare];

    /// The name used on the command line and in status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserLimit => "user-limit",
            Self::NoUserLimit => "no-user-limit",
            Self::Exclusive => "exclusive",
            Self::StationShare => "station-share",
        }
    }
}

/// Who holds a handle, as the request said it. What two accesses of one station have in common is
/// address, host and session (protocol facts 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The address its connection came from. Of a host that uses a licence by several (IPv4 and
    /// IPv6, two networks): the one that its first use came from, so that it is one station.
    pub address: IpAddr,
    /// Client host name of the request; may be empty.
    pub host: String,
    /// User name; may be empty.
    pub user: String,
    /// User domain; may be empty.
    pub domain: String,
    /// Free text of the program; may be empty.
    pub text: String,
    /// Free number of the program.
    pub user_defined_id: u32,
    /// Process id.
    pub pid: u32,
    /// Session id.
    pub session: u32,
}

impl Client {
    /// What identifies the station.
    #[must_use]
    pub fn station(&self) -> (IpAddr, &str, u32) {
        (self.address, &self.host, self.session)
    }
}

/// A handle is handed out, with a seat or without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The handle.
    pub handle: Handle,
    /// What it stands for.
    pub held: Held,
    /// Fingerprint of the licence's properties as two parts agreed on them; a backend says with
    /// its acknowledgement whether its own part has the same. 0 where no licence is held.
    pub fingerprint: u64,
    /// The licence's quantity: the grant is void where it would go beyond. 0 where no licence is
    /// held.
    pub quantity: u32,
    /// Licences asked for; at least 1.
    pub take: u32,
    /// How it counts; where no licence is held, it does not ([`Mode::NoUserLimit`]).
    pub mode: Mode,
    /// Who holds it.
    pub client: Client,
    /// When, in seconds since 1970.
    pub since: Wall,
    /// Silence after which it ends, in seconds.
    pub cleanup_seconds: u32,
    /// How long it stays taken after its release, in seconds.
    pub linger_seconds: u32,
    /// The licence has a usage period: it begins with the first grant.
    pub starts_usage: bool,
}

impl Grant {
    /// Licences that it counts for by itself: of those that share a station, each says one.
    #[must_use]
    pub fn takes(&self) -> u32 {
        match self.mode {
            Mode::UserLimit | Mode::Exclusive => self.take,
            Mode::StationShare => 1,
            Mode::NoUserLimit => 0,
        }
    }

    /// Whether its client is told of it only when it is durable: it takes a seat, or begins a
    /// usage period. The others take nothing that somebody else could be given, so one that is
    /// lost on its way costs its client an error and nobody else anything.
    #[must_use]
    pub fn waits_for_disk(&self) -> bool {
        self.mode != Mode::NoUserLimit || self.starts_usage
    }
}

/// What the group agrees on beside handles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// Birth, and every repair of a lost disk: whose acknowledgements count.
    Members([DiskId; 3]),
    /// Handle numbers up to and with this one are given to whoever wrote this entry.
    Handles(u32),
    /// The serial of a virtual container (mask 131). With a list of serials it is also what makes
    /// those three one container: see [`State::list_of`](super::State::list_of).
    Virtual {
        /// Which container.
        container: ContainerId,
        /// The serial.
        serial: u32,
    },
    /// A front begins to write with this entry, under this epoch: everything before it was read
    /// from two backends that refuse all lower epochs since. So no entry of a lower epoch behind
    /// this one was ever chosen, nor can be.
    Leader(Epoch),
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A handle is handed out.
    Grant(Grant),
    /// A client gives its handle back. It is void; its seat is free now, or after its linger time.
    Release(Handle),
    /// A handle ends at once, and with it its seat: its holder has been silent for its clean-up time, its linger time is
    /// over, nobody was told of it, or an operator takes it back.
    Expire(Handle),
    /// The group agrees on a setting.
    Configure(Setting),
    /// Units are taken.
    Units {
        /// From which licence.
        licence: LicenceKey,
        /// How many.
        take: u32,
        /// How many the licence came with: the entry is void where it would take more.
        issued: u32,
    },
}

impl Entry {
    /// About how many bytes it takes when encoded, and at least 1: for cutting pieces.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Grant(grant) => {
                let client = &grant.client;
                let texts = [&client.host, &client.user, &client.domain, &client.text];
                96 + texts.iter().map(|text| text.len()).sum::<usize>()
            }
            _ => 64,
        }
    }
}
