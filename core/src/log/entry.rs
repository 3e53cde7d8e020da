//! The entries of the log: grants, releases, expirations, settings, units.

use super::{ContainerId, DiskId, Epoch};
use crate::base::time::Wall;
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

/// The key that makes three parts one licence, and names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LicenceKey {
    /// The container: the three containers of a TMR licence together, or the one of an ordinary
    /// licence.
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

/// The object that a handle stands for (the handle kinds of protocol facts 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HandleScope {
    /// The service itself, without a container.
    Subsystem,
    /// A container, by its serial as clients see it.
    Container(u32),
    /// A firm item, named by the first of its products that was available.
    FirmItem(LicenceKey),
    /// A licence.
    Licence(LicenceKey),
}

impl HandleScope {
    /// Returns the licence that is in use; a firm item is no use of its products.
    #[must_use]
    pub fn licence(&self) -> Option<&LicenceKey> {
        if let Self::Licence(key) = self { Some(key) } else { None }
    }

    /// Returns the licence whose entry and keys the calls with the handle concern.
    #[must_use]
    pub fn key(&self) -> Option<&LicenceKey> {
        match self {
            Self::FirmItem(key) | Self::Licence(key) => Some(key),
            Self::Subsystem | Self::Container(_) => None,
        }
    }

    /// Returns the name used in status.
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

impl fmt::Display for HandleScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subsystem => f.write_str("the service"),
            Self::Container(serial) => write!(f, "container {serial}"),
            Self::FirmItem(key) => write!(f, "firm item {}", key.firm_code),
            Self::Licence(key) => key.fmt(f),
        }
    }
}

/// The mode of an access, which says how it counts (protocol facts 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mode {
    /// Every access takes a licence.
    UserLimit,
    /// No licence is taken.
    NoUserLimit,
    /// The access takes a licence, and is the only one of its station.
    Exclusive,
    /// All accesses of one station share one licence.
    StationShare,
}

impl Mode {
    /// All modes, in order.
    pub const ALL: [Self; 4] =
        [Self::UserLimit, Self::NoUserLimit, Self::Exclusive, Self::StationShare];

    /// Returns the name used on the command line and in status.
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

/// The holder of a handle, as stated in the request. Two accesses are of one station if address,
/// host and session are equal (protocol facts 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The address of its connection. For a host that uses a licence by several addresses (IPv4 and
    /// IPv6, two networks), the address of its first use, so that the host is one station.
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
    /// Returns the values that identify the station.
    #[must_use]
    pub fn station(&self) -> (IpAddr, &str, u32) {
        (self.address, &self.host, self.session)
    }
}

/// A grant: a handle is given to a client, with a seat or without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The handle.
    pub handle: Handle,
    /// The object that it stands for.
    pub held: HandleScope,
    /// Fingerprint of the licence's properties on which two parts agreed. A backend reports with
    /// its acknowledgement whether its own part has the same. 0 if no licence is held.
    pub fingerprint: u64,
    /// The licence's quantity: the grant is void if it would exceed it. 0 if no licence is held.
    pub quantity: u32,
    /// Licences asked for; at least 1.
    pub take: u32,
    /// The mode of the access; [`Mode::NoUserLimit`] if no licence is held.
    pub mode: Mode,
    /// The holder.
    pub client: Client,
    /// The time of the grant, in seconds since 1970.
    pub since: Wall,
    /// The silence after which the handle ends, in seconds.
    pub cleanup_seconds: u32,
    /// The time for which the seat stays taken after its release, in seconds.
    pub linger_seconds: u32,
    /// Whether the licence has a usage period, which begins with the first grant.
    pub starts_usage: bool,
}

impl Grant {
    /// Returns the number of licences that the grant takes by itself; each grant that shares a
    /// station takes one.
    #[must_use]
    pub fn takes(&self) -> u32 {
        match self.mode {
            Mode::UserLimit | Mode::Exclusive => self.take,
            Mode::StationShare => 1,
            Mode::NoUserLimit => 0,
        }
    }

    /// Returns whether the client is answered only when the grant is durable: it takes a seat, or
    /// begins a usage period. Other grants take nothing that another client could be given, so a
    /// lost one costs its own client an error and no other client anything.
    #[must_use]
    pub fn waits_for_disk(&self) -> bool {
        self.mode != Mode::NoUserLimit || self.starts_usage
    }
}

/// A setting of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// The members, whose acknowledgements count: at the birth, and at every repair of a lost disk.
    Members([DiskId; 3]),
    /// Handle numbers up to and including this one are reserved for the front that wrote this
    /// entry.
    Handles(u32),
    /// The serial of a virtual container (mask 131). With a list of serials, the entry also makes
    /// these three one container: see [`State::list_of`](super::State::list_of).
    Virtual {
        /// The container.
        container: ContainerId,
        /// The serial.
        serial: u32,
    },
    /// The first entry of a front under this epoch: everything before it was read from two backends
    /// that refuse all lower epochs since. So no entry of a lower epoch behind this one was ever
    /// chosen, nor can be.
    Leader(Epoch),
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A handle is given to a client.
    Grant(Grant),
    /// A client gives its handle back. The handle is void; its seat is free now, or after its
    /// linger time.
    Release(Handle),
    /// A handle ends at once, together with its seat: its holder has been silent for its clean-up
    /// time, its linger time is over, no client was told of it, or an operator takes it back.
    Expire(Handle),
    /// The group agrees on a setting.
    Configure(Setting),
    /// Units are taken.
    Units {
        /// The licence.
        licence: LicenceKey,
        /// The number of units.
        take: u32,
        /// The number of units that the licence was issued with; the entry is void if it would take
        /// more.
        issued: u32,
    },
}

impl Entry {
    /// Returns the approximate size of the encoded entry in bytes, at least 1, for cutting pieces.
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

/// What an acceptor holds in one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedEntry {
    /// The epoch under which it was accepted.
    pub epoch: Epoch,
    /// The entry.
    pub entry: Entry,
}
