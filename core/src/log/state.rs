//! The state machine of the log: who holds what. Seats are counted here and nowhere else.

use super::{
    Client, ContainerId, DiskId, Entry, Epoch, Grant, GroupId, Handle, HandleScope, LicenceKey,
    Mode, Setting,
};
use crate::base::network::network;
use crate::base::time::Wall;
use alloc::collections::btree_map::Entry::Occupied;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use serde::{Deserialize, Serialize};

/// The reason why a grant is void. The service has an error code for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No seat is free (212).
    NoMoreLicences,
    /// An exclusive use on the same station prevents it (213).
    ExclusiveConflict,
    /// The handle number is in use. No front proposes this; a replayed entry may.
    HandleTaken,
    /// Fewer units are left than asked for (33), or none (32).
    UnitsSpent,
}

/// The effect of an entry on the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No handle begins or ends: a setting, units taken, a seat that lingers now, or a release of
    /// an unknown handle.
    Nothing,
    /// The handle is held now.
    Granted,
    /// The grant is void; every node that applies this log has the same outcome.
    Refused(Refusal),
    /// The handle has ended, and its seat is free; this was its grant.
    Ended(Grant),
}

/// A handle that is held. One that takes no licence has a place here like the others.
pub type Seat = Grant;

/// The use of one licence: derived from the seats, never stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Licences taken in user limit mode.
    pub user_limit: u32,
    /// Licences taken in exclusive mode.
    pub exclusive: u32,
    /// Licences taken in station share mode: one a station.
    pub station_share: u32,
    /// Handles in no user limit mode; they take none.
    pub no_user_limit: u32,
    /// The stations that use it.
    stations: BTreeMap<StationName, Station>,
}

/// [`Client::station`] as an owned key, in an order that has all addresses of a host side by side.
type StationName = (String, u32, IpAddr);

/// Handles of one licence on one station.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Station {
    handles: u32,
    /// The number of handles in exclusive mode.
    exclusive: u32,
    /// The number of handles that share.
    sharing: u32,
}

impl Usage {
    /// Returns the number of licences in use.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.user_limit.saturating_add(self.exclusive).saturating_add(self.station_share)
    }
}

/// The state after the entries of a log. Equal logs give equal states, on every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    leader: Epoch,
    members: Option<[DiskId; 3]>,
    handles: u32,
    virtuals: BTreeMap<ContainerId, u32>,
    seats: BTreeMap<Handle, Seat>,
    usage: BTreeMap<LicenceKey, Usage>,
    /// Handles that take no seat, by the address or IPv6 network of their holder: derived from the
    /// seats.
    seatless: BTreeMap<IpAddr, u32>,
    /// The number of handles that take no seat, of all addresses.
    seatless_all: usize,
    /// Released seats whose linger time is not over: they count, and no client holds them.
    lingering: BTreeSet<Handle>,
    /// Units taken.
    units: BTreeMap<LicenceKey, u32>,
    /// The beginning of each usage period.
    used_since: BTreeMap<LicenceKey, Wall>,
    /// The group whose name handle numbers are made with; `None` for the group of this log.
    numbered: Option<GroupId>,
}

/// The contents of a snapshot: the state without derived values.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    leader: Epoch,
    members: Option<[DiskId; 3]>,
    handles: u32,
    virtuals: BTreeMap<ContainerId, u32>,
    seats: Vec<Seat>,
    lingering: BTreeSet<Handle>,
    units: BTreeMap<LicenceKey, u32>,
    used_since: BTreeMap<LicenceKey, Wall>,
}

/// The part behind a snapshot that only a recovered group has. An older program refuses a state
/// with it.
#[derive(Serialize, Deserialize)]
struct Recovered {
    mark: [u8; 4],
    numbered: GroupId,
}

impl Recovered {
    const MARK: [u8; 4] = *b"rcvd";
}

impl State {
    /// Makes this the state of a new group that replaces one whose memory was lost: these are its
    /// members, handle numbers up to `handles` are reserved, and numbers are made as in the group
    /// `numbered`, so that none of its handles is used again.
    pub fn recover(&mut self, members: [DiskId; 3], handles: u32, numbered: GroupId) {
        self.members = Some(members);
        self.handles = self.handles.max(handles);
        self.numbered.get_or_insert(numbered);
    }

    /// Returns the group whose name handle numbers are made with: the own group unless it was
    /// recovered.
    #[must_use]
    pub fn numbered(&self) -> Option<GroupId> {
        self.numbered
    }

    /// Returns the epoch of the latest entries: following entries of a lower epoch are void.
    #[must_use]
    pub fn leader(&self) -> Epoch {
        self.leader
    }

    /// Returns the members, whose acknowledgements count; `None` before the group is born.
    #[must_use]
    pub fn members(&self) -> Option<&[DiskId; 3]> {
        self.members.as_ref()
    }

    /// Returns the last reserved handle number.
    #[must_use]
    pub fn handles_reserved(&self) -> u32 {
        self.handles
    }

    /// Returns the serial of a virtual container.
    #[must_use]
    pub fn virtual_serial(&self, container: &ContainerId) -> Option<u32> {
        self.virtuals.get(container).copied()
    }

    /// Returns the virtual container of this serial.
    #[must_use]
    pub fn container_of(&self, serial: u32) -> Option<ContainerId> {
        self.virtuals.iter().find(|(_, own)| **own == serial).map(|(container, _)| *container)
    }

    /// Returns the serial of the list that this one replaces.
    #[must_use]
    pub fn serial_before(&self, list: &ContainerId) -> Option<u32> {
        self.virtuals.iter().find(|(other, _)| list.succeeds(other)).map(|(_, serial)| *serial)
    }

    /// Returns the list of three that has this serial, of a container without a CmActId. No serial
    /// is in two lists: the later list has replaced the other one.
    #[must_use]
    pub fn list_of(&self, serial: u32) -> Option<ContainerId> {
        let lists =
            |id: &&ContainerId| matches!(id, ContainerId::Serials(all) if all.contains(&serial));
        self.virtuals.keys().find(lists).copied()
    }

    /// Returns the seat of a handle, if a client holds it or it lingers.
    #[must_use]
    pub fn seat(&self, handle: Handle) -> Option<&Seat> {
        self.seats.get(&handle)
    }

    /// Returns the grant of a held handle; a lingering seat is held by no client.
    #[must_use]
    pub fn held(&self, handle: Handle) -> Option<&Seat> {
        self.seat(handle).filter(|_| !self.lingers(handle))
    }

    /// Returns whether a seat was released and only lingers: its handle is void.
    #[must_use]
    pub fn lingers(&self, handle: Handle) -> bool {
        self.lingering.contains(&handle)
    }

    /// Returns the units taken from a licence so far.
    #[must_use]
    pub fn units_taken(&self, licence: &LicenceKey) -> u32 {
        self.units.get(licence).copied().unwrap_or(0)
    }

    /// Returns the beginning of a licence's usage period; `None` before its first use.
    #[must_use]
    pub fn used_since(&self, licence: &LicenceKey) -> Option<Wall> {
        self.used_since.get(licence).copied()
    }

    /// Returns the address under which uses of a licence by the same host and session are counted;
    /// `None` if there are none, or the client does not name its host.
    #[must_use]
    pub fn station_address(&self, licence: &LicenceKey, client: &Client) -> Option<IpAddr> {
        let (_, host, session) = client.station();
        if host.is_empty() {
            return None;
        }
        let first = (host.into(), session, Ipv4Addr::UNSPECIFIED.into());
        let ((name, number, address), _) =
            self.usage(licence)?.stations.range::<StationName, _>(first..).next()?;
        (name == host && *number == session).then_some(*address)
    }

    /// Returns all seats, in the order of their handles.
    pub fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.seats.values()
    }

    /// Returns the number of seats.
    #[must_use]
    pub fn seat_count(&self) -> usize {
        self.seats.len()
    }

    /// Returns the numbers of handles that take no seat, of one address and of all.
    #[must_use]
    pub fn seatless(&self, address: IpAddr) -> (u32, usize) {
        (self.seatless.get(&network(address)).copied().unwrap_or(0), self.seatless_all)
    }

    /// Returns the use of one licence.
    #[must_use]
    pub fn usage(&self, licence: &LicenceKey) -> Option<&Usage> {
        self.usage.get(licence)
    }

    /// Returns the licences of which handles are held.
    pub fn licences_in_use(&self) -> impl Iterator<Item = &LicenceKey> {
        self.usage.keys()
    }

    /// Checks that a grant would hold if it were the next entry.
    ///
    /// # Errors
    /// Returns the reason why it would be void.
    pub fn check(&self, grant: &Grant) -> Result<(), Refusal> {
        if self.seats.contains_key(&grant.handle) {
            return Err(Refusal::HandleTaken);
        }
        let Some(licence) = grant.held.licence() else { return Ok(()) };
        let usage = self.usage.get(licence);
        let station = usage.and_then(|usage| usage.stations.get(&station_of(grant)));
        // Exclusive is the only use of its station (protocol facts 5.2: "only one running instance
        // per machine"), so an access that takes no licence conflicts with it as well, in both
        // directions.
        if station.is_some_and(|on| on.exclusive > 0 || grant.mode == Mode::Exclusive) {
            return Err(Refusal::ExclusiveConflict);
        }
        let need = match grant.mode {
            Mode::StationShare if station.is_some_and(|on| on.sharing > 0) => 0,
            _ => grant.takes(),
        };
        match usage.map_or(0, Usage::used).checked_add(need) {
            Some(after) if after <= grant.quantity || need == 0 => Ok(()),
            _ => Err(Refusal::NoMoreLicences),
        }
    }

    /// Applies the next entry.
    pub fn apply(&mut self, entry: &Entry) -> Outcome {
        match entry {
            Entry::Grant(grant) => match self.check(grant) {
                Ok(()) => {
                    if let (true, Some(licence)) = (grant.starts_usage, grant.held.licence()) {
                        self.used_since.entry(*licence).or_insert(grant.since);
                    }
                    self.seat_in(grant.clone());
                    Outcome::Granted
                }
                Err(refusal) => Outcome::Refused(refusal),
            },
            Entry::Release(handle) => match self.seats.get(handle) {
                Some(seat) if seat.linger_seconds > 0 => {
                    self.lingering.insert(*handle);
                    Outcome::Nothing
                }
                _ => self.seat_out(*handle),
            },
            Entry::Expire(handle) => self.seat_out(*handle),
            Entry::Units { licence, take, issued } => {
                match self.units_taken(licence).checked_add(*take) {
                    Some(taken) if taken <= *issued => {
                        self.units.insert(*licence, taken);
                        Outcome::Nothing
                    }
                    _ => Outcome::Refused(Refusal::UnitsSpent),
                }
            }
            Entry::Configure(setting) => {
                match *setting {
                    Setting::Members(members) => self.members = Some(members),
                    Setting::Leader(epoch) => self.leader = self.leader.max(epoch),
                    Setting::Handles(last) => self.handles = self.handles.max(last),
                    Setting::Virtual { container, serial } => {
                        self.virtuals.retain(|other, _| other.in_common(&container) == 0);
                        self.virtuals.insert(container, serial);
                        self.succeed(container);
                    }
                }
                Outcome::Nothing
            }
        }
    }

    /// Moves everything held and taken under a replaced list to this one, so that a seat is counted
    /// once whichever front's list is in the log.
    fn succeed(&mut self, list: ContainerId) {
        let moved = |key: LicenceKey| {
            if list.succeeds(&key.container) { LicenceKey { container: list, ..key } } else { key }
        };
        if !matches!(list, ContainerId::Serials(_)) {
            return;
        }
        self.usage.clear();
        self.seatless.clear();
        self.seatless_all = 0;
        for mut seat in core::mem::take(&mut self.seats).into_values() {
            if let HandleScope::Licence(key) | HandleScope::FirmItem(key) = &mut seat.held {
                *key = moved(*key);
            }
            self.seat_in(seat);
        }
        for (key, taken) in core::mem::take(&mut self.units) {
            let all = self.units.entry(moved(key)).or_default();
            *all = all.saturating_add(taken);
        }
        for (key, since) in core::mem::take(&mut self.used_since) {
            let first = self.used_since.entry(moved(key)).or_insert(since);
            *first = since.min(*first);
        }
    }

    fn seat_in(&mut self, seat: Seat) {
        if let Some(licence) = seat.held.licence() {
            let usage = self.usage.entry(*licence).or_default();
            let on = usage.stations.entry(station_of(&seat)).or_default();
            on.handles += 1;
            match seat.mode {
                Mode::UserLimit => usage.user_limit = usage.user_limit.saturating_add(seat.take),
                Mode::Exclusive => {
                    usage.exclusive = usage.exclusive.saturating_add(seat.take);
                    on.exclusive += 1;
                }
                Mode::NoUserLimit => usage.no_user_limit += 1,
                Mode::StationShare => {
                    on.sharing += 1;
                    usage.station_share += u32::from(on.sharing == 1);
                }
            }
        }
        if seat.takes() == 0 {
            *self.seatless.entry(network(seat.client.address)).or_default() += 1;
            self.seatless_all += 1;
        }
        self.seats.insert(seat.handle, seat);
    }

    fn seat_out(&mut self, handle: Handle) -> Outcome {
        let Some(seat) = self.seats.remove(&handle) else { return Outcome::Nothing };
        self.lingering.remove(&handle);
        if seat.takes() == 0 {
            self.seatless_all -= 1;
            if let Occupied(mut of) = self.seatless.entry(network(seat.client.address)) {
                *of.get_mut() -= 1;
                if *of.get() == 0 {
                    of.remove();
                }
            }
        }
        if let Some(licence) = seat.held.licence() {
            self.unused(licence, &seat);
        }
        Outcome::Ended(seat)
    }

    /// Subtracts a use of a licence that is over.
    fn unused(&mut self, licence: &LicenceKey, seat: &Seat) {
        let name = station_of(seat);
        let Some(usage) = self.usage.get_mut(licence) else { return };
        let Some(on) = usage.stations.get_mut(&name) else { return };
        on.handles -= 1;
        match seat.mode {
            Mode::UserLimit => usage.user_limit = usage.user_limit.saturating_sub(seat.take),
            Mode::Exclusive => {
                usage.exclusive = usage.exclusive.saturating_sub(seat.take);
                on.exclusive -= 1;
            }
            Mode::NoUserLimit => usage.no_user_limit -= 1,
            Mode::StationShare => {
                on.sharing -= 1;
                usage.station_share -= u32::from(on.sharing == 0);
            }
        }
        if on.handles == 0 {
            usage.stations.remove(&name);
        }
        if usage.stations.is_empty() {
            self.usage.remove(licence);
        }
    }

    /// Encodes the state, for a journal or another machine. Equal states give equal bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let snapshot = Snapshot {
            leader: self.leader,
            members: self.members,
            handles: self.handles,
            virtuals: self.virtuals.clone(),
            seats: self.seats.values().cloned().collect(),
            lingering: self.lingering.clone(),
            units: self.units.clone(),
            used_since: self.used_since.clone(),
        };
        let mut bytes =
            postcard::to_allocvec(&snapshot).expect("a snapshot in memory always encodes");
        if let Some(numbered) = self.numbered {
            bytes = postcard::to_extend(&Recovered { mark: Recovered::MARK, numbered }, bytes)
                .expect("a snapshot in memory always encodes");
        }
        bytes
    }

    /// Decodes a state that [`encode`](Self::encode) wrote; returns `None` if the bytes are not
    /// one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (snapshot, rest) = postcard::take_from_bytes::<Snapshot>(bytes).ok()?;
        let numbered = match rest {
            [] => None,
            rest => match postcard::take_from_bytes::<Recovered>(rest).ok()? {
                (Recovered { mark: Recovered::MARK, numbered }, []) => Some(numbered),
                _ => return None,
            },
        };
        let mut state = Self {
            numbered,
            leader: snapshot.leader,
            members: snapshot.members,
            handles: snapshot.handles,
            virtuals: snapshot.virtuals,
            units: snapshot.units,
            used_since: snapshot.used_since,
            ..Self::default()
        };
        for seat in snapshot.seats {
            if state.seats.contains_key(&seat.handle) {
                return None;
            }
            state.seat_in(seat);
        }
        if !snapshot.lingering.iter().all(|handle| state.seats.contains_key(handle)) {
            return None;
        }
        state.lingering = snapshot.lingering;
        Some(state)
    }
}

fn station_of(seat: &Seat) -> StationName {
    let (address, host, session) = seat.client.station();
    (host.into(), session, address)
}
