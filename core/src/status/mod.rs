//! What `/api/status` says, field by field. Names and shapes are a contract with programs that read
//! it: a field may be added; none is removed or changed.
//!
//! What never lives here: how a fact is found out, and what it means for the group.

mod address;
mod allocation;
mod clock;
mod severity;
#[cfg(test)]
mod status_test;

pub use address::{AddressStatus, CouldTake};
pub use allocation::{Allocation, StrangerStatus};
pub use clock::{ClockStatus, ClockVerdict};
pub use severity::{LicenceState, Severity};

use crate::base::time::Wall;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use serde::{Serialize, Serializer};

/// The part that a process plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A front that serves clients.
    Active,
    /// A front that could.
    Standby,
    /// A front that is to lead and does not yet.
    Starting,
    /// A backend.
    Backend,
}

impl Role {
    /// As status calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
            Self::Starting => "starting",
            Self::Backend => "backend",
        }
    }
}

/// The status of a front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FrontStatus {
    /// Of the program.
    pub version: &'static str,
    /// `smol` or `threads`.
    pub runtime: &'static str,
    /// Drawn when the process began: another one after a restart.
    pub process: String,
    /// Never [`Role::Backend`].
    pub role: Role,
    /// Round of the highest epoch this front has seen; 0: none.
    pub epoch: u32,
    /// Every backend can promise, so that no two fronts can grant the same seat.
    pub fenced: bool,
    /// The name of the group of backends, in hex; `null` before its birth.
    pub cluster: Option<String>,
    /// Whether the virtual address is on this machine; `null` where there is none.
    pub virtual_ip: Option<bool>,
    /// Which machines could take the virtual address, or keep it; `null` where there is none.
    pub address: Option<AddressStatus>,
    /// Why the last planned failover came to nothing, or did not come to its end; `null`: none was
    /// ordered, or all went well.
    pub failover_trouble: Option<String>,
    /// Why this front does not lead although it should, in a sentence that says what to do; `null`:
    /// nothing keeps it from leading.
    pub obstacle: Option<String>,
    /// The other front; `null` where there is none.
    pub twin: Option<Twin>,
    /// In the order of the configuration that this process began with.
    pub backends: Vec<BackendStatus>,
    /// How far the clocks of the machines are off the date that licences are judged by: this front's,
    /// the other front's if there is one, the three backends'.
    pub clocks: Vec<ClockStatus>,
    /// The virtual containers that clients see.
    pub containers: Vec<ContainerStatus>,
    /// Containers that no client sees because nothing says which others they belong to.
    pub strays: Vec<StrayStatus>,
    /// Containers that more than one backend holds: a licence file that was copied.
    pub copies: Vec<CopyStatus>,
    /// When the certificate of the admin pages ends; not there if they have none.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub certificate_ends: Option<Wall>,
    /// The licences that clients see.
    pub licenses: Vec<LicenceStatus>,
    /// Licences that are gone while handles of them are held.
    pub gone: Vec<GoneStatus>,
    /// How many handles are held.
    pub handles: u64,
    /// Those, seats first and the oldest first of each, and not all of them if there are many.
    pub allocations: Vec<Allocation>,
    /// Who names handles that are not theirs, and has to wait for it.
    pub strangers: Vec<StrangerStatus>,
    /// Clients that are connected, and those that were too old; not all of them if there are many.
    pub clients: Vec<ClientStatus>,
}

/// The other front, as this one sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Twin {
    /// As configured.
    pub address: String,
    /// Both connections stand, and both ends have proved the group key on them.
    pub connected: bool,
    /// The one that stands by has everything committed that the one that leads has.
    pub synced: bool,
    /// Committed log entries that the one that stands by does not have yet.
    pub lag: u64,
    /// It, or keepalived there, started or changed some seconds ago: it may not be able to lead yet.
    pub starting: bool,
    /// For so long it has said nothing though the connections stand; 0: not for long.
    pub silent_seconds: u64,
    /// Seen from the front that leads: for so long the other one has lacked something that is committed;
    /// 0: not for long.
    pub behind_seconds: u64,
    /// What it said last of its part; `null` while it has said nothing.
    pub role: Option<Role>,
    /// Round of the highest epoch it has seen, as it said last.
    pub epoch: Option<u32>,
    /// Since when it leads; `null`: it does not.
    #[serde(serialize_with = "as_optional_text")]
    pub since: Option<Wall>,
    /// Of its program; `null` while it is not known.
    pub version: Option<String>,
    /// Clients of this front whose calls go to the twin, because that one leads.
    pub passed_to: u64,
    /// Clients of the twin whose calls come to this front.
    pub passed_from: u64,
    /// What keeps the two apart, in a sentence; `null` if nothing does.
    pub trouble: Option<String>,
    /// In what their configurations differ that must be alike.
    pub differs: Vec<TwinDifference>,
    /// Why this front does not follow the other one's configuration, which was changed later; `null`
    /// if it does.
    pub configuration_trouble: Option<String>,
}

/// A key of the configuration that both fronts must have alike and have not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TwinDifference {
    /// Like `CmServer.Server`.
    pub key: String,
    /// What this front has.
    pub ours: String,
    /// What the other one has.
    pub theirs: String,
}

/// How a front stands with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendState {
    /// Its acknowledgements count.
    Up,
    /// It is being brought up to date.
    Repairing,
    /// It cannot be reached.
    Down,
    /// It serves, but cannot promise.
    Unfenced,
}

impl BackendState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Up, Self::Repairing, Self::Down, Self::Unfenced];

    /// As status calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Repairing => "repairing",
            Self::Down => "down",
            Self::Unfenced => "unfenced",
        }
    }
}

/// A backend, as a front sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackendStatus {
    /// As configured.
    pub address: String,
    /// How it stands.
    pub state: BackendState,
    /// Of its first container, like `130-1000001`; `null` until it has said.
    pub serial: Option<String>,
    /// Round of the epoch it has promised; 0: none, or not known.
    pub epoch: u32,
    /// Seats whose grant it has on disk; of a stock server, those it has given.
    pub handles: u64,
    /// What keeps it from being counted, in a sentence; `null` if nothing does.
    pub trouble: Option<String>,
    /// Most durable writes there take longer than
    /// [`DISK_SLOW`](crate::base::limits::DISK_SLOW), as the front that leads has measured.
    pub disk_slow: bool,
    /// Its journal is not in its state folder any more, as it says.
    pub state_lost: bool,
    /// It has no socket on its machine, as it says.
    pub socket_lost: bool,
    /// Files that it cannot use, as it says.
    pub files_unusable: u32,
}

/// A virtual container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerStatus {
    /// Like `131-59885682`.
    pub serial: String,
    /// What its parts have in common; 0: they have none, and stand in a list of serials.
    pub cm_act_id: u32,
    /// Serials of its parts that are there.
    pub parts: Vec<String>,
}

/// A container of a backend that belongs to no virtual one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StrayStatus {
    /// Address of the backend.
    pub backend: String,
    /// Like `130-1000001`.
    pub serial: String,
    /// Why, in a sentence.
    pub trouble: &'static str,
}

/// A container that more than one backend holds: its part of a licence counts once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CopyStatus {
    /// Like `130-1000001`.
    pub serial: String,
    /// Addresses of the backends that hold it.
    pub backends: Vec<String>,
    /// What is wrong and what mends it, in a sentence.
    pub trouble: String,
}

/// A licence made of parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LicenceStatus {
    /// Firm Code.
    pub firm_code: u32,
    /// Product Code.
    pub product_code: u32,
    /// TMR-Id.
    pub tmr_id: u32,
    /// Seats.
    pub quantity: u32,
    /// Seats in use.
    pub used: u32,
    /// Seats that are left.
    pub free: u32,
    /// Seats that are held of licences that are gone, and count against this one.
    pub gone: u32,
    /// Parts that agree.
    pub matching: u32,
    /// At least two do, two members of the group are there to grant it, and its time has come and is
    /// not over.
    pub available: bool,
    /// How it stands, in one word.
    pub state: LicenceState,
    /// How bad that is; `null`: it is not.
    pub severity: Option<Severity>,
    /// Units that are left; `null`: they are not counted.
    pub units_left: Option<u32>,
    /// Units that it was issued with; not there if they are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
    /// Before when it cannot be used; not there if it can from the beginning.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub activates: Option<Wall>,
    /// From when on it cannot be used; not there if it never ends.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub expires: Option<Wall>,
    /// That time has come, by this front's clock.
    pub expired: bool,
    /// What keeps the other parts out.
    pub differs: Vec<Difference>,
}

/// One property in which one part differs from what the others agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Address of the backend whose part it is.
    pub backend: String,
    /// Name of the property as in a licence specification, like `LicenseQuantity`; `ProductCode` if
    /// the part does not have the product at all.
    pub field: String,
    /// What that part says, or `missing in part N`.
    pub value: String,
    /// What the others say.
    pub expected: String,
}

/// A licence that is gone while handles of it are held: it has another TMR-Id or CmActId now, or was
/// taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GoneStatus {
    /// Firm Code.
    pub firm_code: u32,
    /// Product Code.
    pub product_code: u32,
    /// TMR-Id that it had.
    pub tmr_id: u32,
    /// CmActId that it had; 0: it had none.
    pub cm_act_id: u32,
    /// Handles that are held.
    pub handles: u64,
    /// Seats that they take. Each counts against what took the place of the licence.
    pub seats: u32,
    /// The same in a sentence.
    pub trouble: String,
}

/// A client that has a connection, or had one and is too old.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientStatus {
    /// Where it came from.
    pub address: IpAddr,
    /// Its host name, as its latest access said it; may be empty.
    pub host: String,
    /// Its user, likewise.
    pub user: String,
    /// The version of its runtime, likewise; `null`: it has not said one.
    pub runtime_version: Option<String>,
    /// That is below `MinimumClientVersion`, or was not said: its accesses are refused.
    pub too_old: bool,
    /// The connection stands.
    pub connected: bool,
    /// When it came.
    #[serde(serialize_with = "as_text")]
    pub since: Wall,
    /// Calls that it has made.
    pub calls: u64,
}

/// The status of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackendRoleStatus {
    /// Of the program.
    pub version: &'static str,
    /// `smol` or `threads`.
    pub runtime: &'static str,
    /// Always [`Role::Backend`].
    pub role: Role,
    /// Round of the epoch it has promised; 0: none.
    pub promised_epoch: u32,
    /// The name of its group, in hex; `null` while it is blank.
    pub group: Option<String>,
    /// The name of its state folder, in hex.
    pub disk: String,
    /// What it holds.
    pub containers: Vec<PartStatus>,
    /// How far its copy of the log goes.
    pub log: LogStatus,
    /// Seats in its copy of the state.
    pub handles: u64,
}

/// A container of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartStatus {
    /// Like `130-1000001`.
    pub serial: String,
    /// Equal in the three containers of one set; 0: it has none.
    pub cm_act_id: u32,
    /// What is in it.
    pub licenses: Vec<ProductStatus>,
}

/// A licence, or one part of three of one, in a backend's container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProductStatus {
    /// Firm Code.
    pub firm_code: u32,
    /// Product Code.
    pub product_code: u32,
    /// TMR-Id; 0: an ordinary licence.
    pub tmr_id: u32,
    /// Seats.
    pub quantity: u32,
}

/// Slots of a backend's copy of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LogStatus {
    /// Entries up to this one are folded into its state.
    pub base: u64,
    /// Known to be chosen.
    pub committed: u64,
    /// The last one it holds.
    pub last: u64,
}

fn as_text<S: Serializer>(time: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn as_optional_text<S: Serializer>(time: &Option<Wall>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => as_text(time, serializer),
        None => serializer.serialize_none(),
    }
}
