//! The open backend role: signed licences, promises, the log, and seats of ordinary licences.
//!
//! What lives here: the acceptor that holds one third of the group's memory, and the journal it
//! survives with. A licence with a TMR-Id is refused to
//! a client that comes here directly (130): it takes two backends and a front.

pub(crate) mod acceptor;
#[cfg(test)]
mod acceptor_test;
mod anew;
#[cfg(test)]
mod backend_test;
mod clients;
mod direct;
mod group_commit;
mod host;
mod journal;
#[cfg(test)]
mod journal_test;
mod metrics;
#[cfg(feature = "model")]
mod model;
mod status;

use crate::admin::Admin;
use crate::base::credentials::AdminAccess;
use crate::base::limits::{CLEANUP_DEFAULT, CONFIRMED, HANDLE_BLOCK, HANDLE_LAST, THIRDS_MAX};
use crate::base::log_throttle::LogThrottle;
use crate::base::random::Random;
use crate::base::time::{Deadline, Mono, Now};
use crate::crypt::{cipher, sign};
use crate::io::{Input, Intent};
use crate::licence::Container;
use crate::link::channel::OTHER_KEY;
use crate::link::{CloseReason, Frame, HubMetrics, LinkId, Listener};
use crate::log::{DiskId, Entry, GroupId, LicenceKey, Setting, Slot, State};
use crate::messages::group::{
    Description, Facts, Lost, Message, Order, Report, Third, decode, encode,
};
use crate::service::{Catalogue, ContainerInfo, HandleKey, Identity, LicenceService, Offer};
use crate::wire::constants::mask;
use crate::wire::{CmError, Reply, Request};
use acceptor::{Acceptor, Anew, OrderEffects};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use clients::Clients;
use group_commit::Writer;
use journal::{Record, Unreadable};

/// What a backend is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who it says it is.
    pub identity: Identity,
    /// Its containers, checked already.
    pub containers: Vec<Container>,
    /// [`GroupKey::check`](crate::link::channel::GroupKey::check) of the key it was started with.
    pub group_check: [u8; 8],
    /// What handle numbers are made with: of the group key.
    pub handle_key: HandleKey,
    /// Entropy for everything this node draws; 32 fresh bytes at every start.
    pub seed: [u8; 32],
}

/// A backend.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Backend {
    containers: Vec<Container>,
    acceptor: Acceptor,
    /// Seats of ordinary licences, counted by the same fold.
    direct: State,
    disk: DiskId,
    group_check: [u8; 8],
    writer: Writer,
    /// When this is durable, the handle numbers are that the service has.
    reserved: u64,
    catalogue: Catalogue,
    /// What each licence looks like, by the serial of its container.
    prints: BTreeMap<LicenceKey, u64>,
    service: LicenceService,
    /// The links of fronts that have proved the group key.
    fronts: BTreeMap<LinkId, Joined>,
    /// Whom it has handles of its own for; `None`: everybody.
    clients: Option<Clients>,
    admin: Admin,
    /// Fronts that did not prove the group key.
    impostors: LogThrottle,
    /// A front that has joined twice.
    doubled: LogThrottle,
    started: bool,
    /// When the front that was promised last said that it serves.
    served: Option<Mono>,
    /// The last slot that this front has said to be chosen.
    told: Slot,
    /// When the latest step was.
    now: Mono,
    counts: HubMetrics,
    /// Drawn when this process began.
    process: u128,
    random: Random,
}

/// A front at the other end of a link.
#[derive(Clone, Copy, Debug)]
struct Joined {
    front: u32,
    /// The minor version of the protocol that both speak.
    minor: u16,
}

impl Backend {
    /// A backend with the journal found in its state folder; `None` if there is none yet.
    /// Returns beside it how many bytes of the journal to keep: a torn tail is to be cut off
    /// before anything is appended.
    ///
    /// A journal that is damaged is memory that is lost: the backend begins anew under another name,
    /// is brought up to date by the others, and the damaged file is kept.
    ///
    /// # Errors
    /// The journal is of another format or of another group; in words for people.
    pub fn open(config: Config, journal: Option<&[u8]>) -> Result<(Self, usize), String> {
        let Config { identity, containers, group_check, handle_key, seed } = config;
        let mut random = Random::new(seed);
        let disk = DiskId(random.u128());
        let (catalogue, prints) = shelve(&containers);
        let mut backend = Self {
            containers,
            acceptor: Acceptor::blank(disk),
            direct: State::default(),
            disk,
            group_check,
            writer: Writer::blank(),
            reserved: 0,
            catalogue,
            prints,
            service: LicenceService::new(identity, CLEANUP_DEFAULT, handle_key),
            fronts: BTreeMap::new(),
            clients: None,
            admin: Admin::new(seed),
            impostors: LogThrottle::default(),
            doubled: LogThrottle::default(),
            started: false,
            served: None,
            told: Slot(0),
            now: Mono(0),
            counts: HubMetrics::default(),
            process: random.u128(),
            random,
        };
        let mut keep = 0;
        if journal.is_some_and(<[u8]>::is_empty) {
            // A power cut may leave the name of a file without its bytes.
            tracing::warn!(
                target: "tmr_core::backend",
                "the journal is empty: nothing was ever written to it, or all of it is lost. This disk \
                 begins blank, as one without a journal does"
            );
        }
        match journal.filter(|journal| !journal.is_empty()).map(journal::read) {
            None => {}
            Some(Ok(read)) => {
                backend.replay(&read.records)?;
                keep = read.keep;
                backend.writer = Writer::resume(read.next, keep);
                // What the last process was told of a failed write may not be on the disk, though
                // this one has read it: the system's memory had it still.
                backend.writer.demand_rewrite();
                let cut = journal.map_or(0, <[u8]>::len) - keep;
                if cut > 0 {
                    tracing::warn!(
                        target: "tmr_core::backend",
                        at = keep, cut, "journal: a torn tail was cut off"
                    );
                }
            }
            Some(Err(Unreadable::Damaged(what))) => {
                tracing::error!(
                    target: "tmr_core::backend",
                    "{what}. This disk has lost its memory: it begins anew, blank and under another \
                     name, and the damaged journal is kept as journal.old"
                );
                keep = journal.map_or(0, <[u8]>::len);
                backend.writer.demand_new_beginning();
            }
            Some(Err(other)) => return Err(other.to_string()),
        }
        backend.reserve_handles();
        Ok((backend, keep))
    }

    fn replay(&mut self, records: &[Record]) -> Result<(), String> {
        let Some((Record::Head { disk, group_check, .. }, rest)) = records.split_first() else {
            return Err("the journal does not say whose it is".to_string());
        };
        if *group_check != self.group_check {
            return Err(
                "the state folder belongs to another group: it was made with another group \
                        key. Use the key it was made with, or an empty folder"
                    .to_string(),
            );
        }
        self.disk = *disk;
        self.acceptor = Acceptor::blank(*disk);
        for record in rest {
            match record {
                Record::Direct(entry) => {
                    self.direct.apply(entry);
                }
                Record::DirectState(bytes) => {
                    self.direct = State::decode(bytes)
                        .ok_or_else(|| "the journal holds a state that is none".to_string())?;
                }
                other if !self.acceptor.replay(other) => {
                    return Err("the journal's records do not fit each other".to_string());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// See [`Node::step`](crate::node::Node::step).
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Intent>) -> Option<Deadline> {
        self.service.start(now);
        self.now = now.mono;
        if !core::mem::replace(&mut self.started, true) {
            self.service.take_over(now.mono, &self.direct);
            if !self.writer.begun() {
                // A blank folder gets its name before anything is promised in it.
                self.writer.demand_rewrite();
            }
        }
        for entry in self.service.ended(now.mono, &self.direct) {
            self.write_direct(entry);
        }
        self.resume(now, out);
        match input {
            // There is no door for twins here.
            Input::Tick | Input::Accepted { listener: Listener::Twin, .. } => {}
            Input::Accepted { link, listener: Listener::Licence, from } => {
                self.service.accepted(now, link, from);
            }
            Input::Accepted {
                link,
                listener: listener @ (Listener::Admin | Listener::Machine),
                from,
            } => {
                self.admin.accepted(link, listener, from.ip());
            }
            Input::Frame { link, frame } => self.frame(now, link, frame, out),
            Input::Calls(calls) => {
                for (link, bytes) in calls {
                    self.call(now, link, &bytes, out);
                }
            }
            Input::Closed { link, reason, unsent } => {
                if let (true, Some(from)) = (reason == OTHER_KEY, self.service.whereabouts(link)) {
                    let text =
                        format!("a front at {} was refused: it has another group key", from.ip());
                    self.impostors.warn(now.mono, &text);
                }
                self.closed(link, unsent);
            }
            Input::Counted(counts) => self.counts = counts,
            Input::Host(event) => self.host_event(now, event, out),
        }
        self.flush(now.mono, out);
        self.acceptor.check_invariants();
        let cleanup = self.service.due().map(|at| Deadline { at, reason: "clean-up" });
        let strange =
            self.service.waits_until().map(|at| Deadline { at, reason: "a wrong handle" });
        cleanup.into_iter().chain(strange).min()
    }

    fn frame(&mut self, now: Now, link: LinkId, frame: Frame, out: &mut Vec<Intent>) {
        match frame {
            Frame::Call(bytes) => self.call(now, link, &bytes, out),
            Frame::Joined { front, minor } => {
                tracing::info!(
                    target: "tmr_core::backend",
                    front = format!("{front:08x}"), "a front has joined"
                );
                if self.fronts.values().any(|joined| joined.front == front) {
                    let text = format!(
                        "front {front:08x} has joined by two connections: if this backend stands in \
                         its list under two addresses, it counts once"
                    );
                    self.doubled.warn(now.mono, &text);
                }
                self.front_at(link);
                self.service.dismiss(link);
                self.fronts.insert(link, Joined { front, minor });
                if self.lost() != Lost::default() {
                    self.tell_lost(link, out);
                }
                if self.unusable() > 0 {
                    self.tell_unusable(link, out);
                }
            }
            Frame::Batch(batch) => match decode::<Order>(&batch) {
                Ok(orders) => {
                    for order in orders {
                        self.order(now, link, order, out);
                    }
                }
                Err(_) => {
                    let reason = CloseReason::Protocol("a front sent no run of messages");
                    self.fronts.remove(&link);
                    out.push(Intent::Close { link, reason });
                }
            },
            // A backend dials nobody.
            Frame::Reply(_) | Frame::Twin(_) => {}
            // Nothing can be ordered here.
            Frame::Http(request) | Frame::Unheard(request) => {
                if let Some(asked) = self.admin.admit(now, link, &request, None, out) {
                    let reply = asked.answer(&self.admin, self);
                    // What is commanded here has no meaning to a backend.
                    self.admin.reply(now, &asked, reply, out);
                }
            }
        }
    }

    fn order(&mut self, now: Now, link: LinkId, message: Message<Order>, out: &mut Vec<Intent>) {
        let Message { correlation, body } = message;
        let report = match body {
            Order::Describe => self.describe(now.mono),
            Order::Disown { epoch, disk } if disk == self.disk => self.begin_anew(epoch, now.mono),
            Order::Recover { epoch, group, disk, slot, offset, bytes, last } => {
                let bytes = bytes.as_slice();
                let anew = Anew { group, disk, slot, offset, bytes, last };
                match self.acceptor.recover(epoch, &anew) {
                    Ok(acceptor) => self.recovered(acceptor, now.mono),
                    Err(report) => *report,
                }
            }
            Order::Perform { licence, call } => {
                Report::Performed { reply: self.perform(&licence, &call) }
            }
            order => {
                let differing = self.differing(&order);
                let serves = matches!(order, Order::Confirm { serves: true, .. });
                let witness = matches!(order, Order::Witness { .. });
                let told = match &order {
                    Order::Append { committed, .. }
                    | Order::Confirm { committed, .. }
                    | Order::Witness { committed, .. } => *committed,
                    _ => Slot(0),
                };
                let mut taken = OrderEffects::default();
                let mut report = self.acceptor.order(order, &mut taken);
                if let Report::Stored { differing: slots, .. } = &mut report {
                    *slots = differing;
                }
                if !matches!(report, Report::Refused { .. }) {
                    self.told = self.told.max(told);
                }
                match report {
                    Report::Confirmed if witness => report = Report::Facts(self.facts(now)),
                    Report::Promised(_) => {
                        self.served = None;
                        self.told = Slot(0);
                    }
                    Report::Confirmed if serves => self.served = Some(now.mono),
                    _ => {}
                }
                for record in &taken.records {
                    self.writer.record(record);
                }
                if taken.rewrite {
                    self.writer.demand_rewrite();
                }
                report
            }
        };
        // A description tells of a promise too, to a front that lost its link while it claimed; and a
        // gap that everything up to it is here, which may still be on its way to the disk.
        let durable = matches!(
            report,
            Report::Stored { .. } | Report::Gap { .. } | Report::Promised(_) | Report::Described(_)
        );
        let mut frame = Vec::new();
        if matches!(report, Report::Promised(_) | Report::Described(_)) && self.tells_facts(link) {
            frame = encode(0, &Report::Facts(self.facts(now)));
        }
        frame.extend(encode(correlation, &report));
        if durable {
            self.writer.hold(link, frame, out);
        } else {
            out.push(Intent::Send { link, frame });
        }
    }

    /// The front at the other end of a link understands [`Report::Facts`].
    fn tells_facts(&self, link: LinkId) -> bool {
        self.fronts.get(&link).is_some_and(|joined| joined.minor >= 1)
    }

    /// What of this backend's own is not where it belongs.
    fn lost(&self) -> Lost {
        let places = self.admin.places();
        Lost { state: places.state.is_some(), socket: places.socket.is_some() }
    }

    /// Tells a front of it, if it understands [`Report::Lost`].
    fn tell_lost(&self, link: LinkId, out: &mut Vec<Intent>) {
        if self.fronts.get(&link).is_some_and(|joined| joined.minor >= 2) {
            out.push(Intent::Send { link, frame: encode(0, &Report::Lost(self.lost())) });
        }
    }

    /// Its admin pages are to go by this; fronts hear how many files it cannot use.
    fn entrance(&mut self, entrance: AdminAccess, out: &mut Vec<Intent>) {
        let before = self.unusable();
        self.admin.set_entrance(entrance);
        if self.unusable() != before {
            self.fronts.keys().for_each(|link| self.tell_unusable(*link, out));
        }
    }

    /// Files that it does without, or of which it goes on with what it has read before.
    fn unusable(&self) -> u32 {
        u32::try_from(self.admin.files().len()).unwrap_or(u32::MAX)
    }

    /// Tells a front of them, if it understands [`Report::Unusable`].
    fn tell_unusable(&self, link: LinkId, out: &mut Vec<Intent>) {
        if self.fronts.get(&link).is_some_and(|joined| joined.minor >= 3) {
            let files = self.unusable();
            out.push(Intent::Send { link, frame: encode(0, &Report::Unusable { files }) });
        }
    }

    fn facts(&self, now: Now) -> Facts {
        let witness = self.acceptor.witness();
        let third = |held: &Container| Third { serial: held.part.serial, number: held.number };
        Facts {
            process: self.process,
            before: self.acceptor.before(),
            known: witness.known().max(self.acceptor.standing().committed),
            digest: self.acceptor.digest(),
            differs: self.acceptor.differs(),
            acked: witness.acked(),
            clock: now.wall,
            date: witness.date(),
            thirds: self.containers.iter().map(third).take(THIRDS_MAX).collect(),
        }
    }

    fn describe(&self, now: Mono) -> Report {
        Report::Described(Description {
            standing: self.acceptor.standing(),
            led: self.served.is_some_and(|at| now.since(at) < CONFIRMED),
            parts: self.containers.iter().map(|container| container.part.clone()).collect(),
        })
    }

    /// Other licence files were put in the place of those there were. Seats stay as they are, until
    /// they end; every front is told, as soon as what that tells of the log is durable.
    fn replace(&mut self, now: Now, containers: Vec<Container>, out: &mut Vec<Intent>) {
        if self.containers == containers {
            return;
        }
        (self.catalogue, self.prints) = shelve(&containers);
        self.containers = containers;
        let facts = encode(0, &Report::Facts(self.facts(now)));
        let description = encode(0, &self.describe(now.mono));
        for (&link, joined) in &self.fronts {
            let mut frame = if joined.minor >= 1 { facts.clone() } else { Vec::new() };
            frame.extend_from_slice(&description);
            self.writer.hold(link, frame, out);
        }
    }

    /// The grants of an append whose licence is held here with other properties, or not at all.
    fn differing(&self, order: &Order) -> Vec<Slot> {
        let Order::Append { first, entries, .. } = order else { return Vec::new() };
        let differs = (0..).zip(entries).filter(|(_, entry)| match entry {
            Entry::Grant(grant) => {
                let licence = grant.held.licence();
                licence.is_some_and(|key| self.print(key) != Some(grant.fingerprint))
            }
            _ => false,
        });
        // An append so far out that the sum does not fit ends as a gap.
        differs.filter_map(|(offset, _)| first.0.checked_add(offset).map(Slot)).collect()
    }

    /// What a licence looks like here, if it is here.
    fn print(&self, licence: &LicenceKey) -> Option<u64> {
        let part = &self.holder(licence)?.part;
        self.prints.get(&LicenceKey { container: part.id(), ..*licence }).copied()
    }

    /// The container that holds a licence, or would.
    fn holder(&self, licence: &LicenceKey) -> Option<&Container> {
        self.containers.iter().find(|container| container.part.belongs_to(&licence.container))
    }

    /// Does a call with the keys of a licence.
    fn perform(&self, licence: &LicenceKey, call: &[u8]) -> Vec<u8> {
        let Ok(request) = Request::parse(call) else {
            return Reply::error(CmError::INVALID_PARAMETER).encode();
        };
        let holder = self.holder(licence).filter(|_| self.print(licence).is_some());
        match holder {
            Some(container) => match request {
                Request::CalculateSignature { .. } | Request::GetPublicKey { .. } => {
                    sign::perform(&container.secret, licence, &request).encode()
                }
                _ => cipher::perform(&container.secret, licence, &request).encode(),
            },
            None => Reply::error_for(&request, CmError::ENTRY_NOT_FOUND).encode(),
        }
    }

    fn closed(&mut self, link: LinkId, unsent: bool) {
        if self.fronts.remove(&link).is_some() {
            self.acceptor.let_go();
        } else if !self.admin.closed(link) {
            if let Some(handle) = self.service.closed(link, unsent) {
                self.write_direct(Entry::Expire(handle));
            }
        }
    }

    fn write_direct(&mut self, entry: Entry) {
        self.direct.apply(&entry);
        self.writer.record(&Record::Direct(entry));
    }

    fn reserve_handles(&mut self) {
        let first = self.direct.handles_reserved();
        let last = first.saturating_add(HANDLE_BLOCK).min(HANDLE_LAST);
        self.write_direct(Entry::Configure(Setting::Handles(last)));
        self.reserved = self.writer.ticket();
        self.service.take_numbers(self.disk.0, first.saturating_add(1)..=last);
    }

    /// Begins the next durable write if none is on its way.
    fn flush(&mut self, now: Mono, out: &mut Vec<Intent>) {
        if !self.writer.wants_rewrite() {
            return self.writer.flush(now, out);
        }
        let mut records = alloc::vec![Record::Head {
            version: journal::VERSION,
            disk: self.disk,
            group_check: self.group_check,
        }];
        records.extend(self.acceptor.snapshot());
        records.push(Record::DirectState(self.direct.encode()));
        self.acceptor.forget_committed();
        self.writer.rewrite(now, &records, out);
    }

    /// The group it belongs to.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        self.acceptor.standing().group
    }
}

/// What clients may ask for here, and what fronts may count on.
fn shelve(containers: &[Container]) -> (Catalogue, BTreeMap<LicenceKey, u64>) {
    let (mut catalogue, mut prints) = (Catalogue::default(), BTreeMap::new());
    for Container { part, .. } in containers {
        let (serial, cm_act_id) = (part.serial, part.cm_act_id);
        let shown = ContainerInfo { id: part.id(), mask: mask::CMACT_UNIVERSAL, serial, cm_act_id };
        catalogue.containers.push(shown);
        for (key, item, product) in part.licences(part.id()) {
            let fingerprint = item.fingerprint(product);
            let tmr = key.tmr_id != 0;
            prints.insert(key, fingerprint);
            let offer = Offer {
                key,
                fingerprint,
                firm_text: item.text.clone(),
                product: product.clone(),
                bar: tmr.then_some(CmError::REDUNDANCY_SERVER_MISSING),
                charged: Vec::new(),
            };
            catalogue.offers.insert(key, offer);
        }
    }
    (catalogue, prints)
}
