//! The TMR server role: clients in front, three backends behind, one virtual container to show.
//!
//! What lives here: the claim and the log as a proposer ([`claim`], [`replicate`]), the join of
//! three parts ([`catalogue`]), calls on their way ([`flight`]), the three backends ([`peer`]).
//! What never lives here: what a call means (that is [`desk`](crate::desk)) and how a seat is
//! counted (that is [`log`](crate::log)).

mod catalogue;
mod claim;
mod flight;
mod ledger;
mod peer;
mod replicate;
mod status;
mod vote;

use crate::admin;
use crate::desk::{Desk, Ground, Identity, Move};
use crate::io::{Address, Door, Frame, Input, Intent, Link, Why};
use crate::limits::{
    BACKEND_SILENCE, CALL_TIMEOUT, CONFIRMED, CONTEST, FENCE, HANDLE_BLOCK, HEARTBEAT,
    UNCOMMITTED_MAX,
};
use crate::log::{Entry, Epoch, GroupId, Setting, Slot};
use crate::random::Random;
use crate::time::{Deadline, Duration, Mono, Now};
use crate::wire::group::{Order, Report, decode};
use crate::wire::{CmError, Reply, Request};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use catalogue::Virtual;
use claim::Gather;
use flight::{AnyOne, Commit};
use ledger::Ledger;
use peer::{Asked, Follow, Peer, Wire};

/// What a front is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who it says it is.
    pub identity: Identity,
    /// The three backends.
    pub backends: [Address; 3],
    /// Longest pause before a backend is dialled again.
    pub retry: Duration,
    /// Serials of virtual containers that the operator chose: (CmActId, serial).
    pub virtuals: Vec<(u32, u32)>,
    /// Clean-up time of a client that asks for none.
    pub cleanup: Duration,
    /// The other front, as configured; shown in status.
    pub twin: Option<Address>,
    /// Its id: drawn anew at every start and never 0, so that no epoch is ever used twice.
    pub front: u32,
    /// Entropy for everything this node draws; 32 fresh bytes at every start.
    pub seed: [u8; 32],
}

/// How far this front has come to lead.
#[derive(Debug)]
enum Phase {
    /// It was not told to.
    Standby,
    /// Its claim was refused or led nowhere; the next one follows at this time.
    Pausing { until: Mono },
    /// Promises are being collected.
    Claiming { epoch: Epoch },
    /// The copies of those who promised are being read.
    Reading(Gather),
    /// A group is being born: its name goes to all three.
    Founding { epoch: Epoch, group: GroupId },
    /// What was read is proposed again; `need` backends must have it up to this slot.
    Proving { epoch: Epoch, upto: Slot, need: usize },
    /// It leads.
    Leading { epoch: Epoch },
}

impl Phase {
    /// The epoch under which this front writes, or is about to.
    fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Standby | Self::Pausing { .. } => None,
            Self::Reading(gather) => Some(gather.epoch),
            Self::Claiming { epoch }
            | Self::Founding { epoch, .. }
            | Self::Proving { epoch, .. }
            | Self::Leading { epoch } => Some(*epoch),
        }
    }
}

/// A front.
#[derive(Debug)]
pub struct Front {
    config: Config,
    peers: [Peer; 3],
    ledger: Ledger,
    phase: Phase,
    /// It was told to lead.
    wanted: bool,
    /// It led until a backend named a higher epoch, and looks whether another front leads now.
    deposed: bool,
    /// The highest epoch it has seen anywhere.
    highest: Epoch,
    claim_until: Mono,
    joined: Virtual,
    desk: Desk,
    commits: BTreeMap<Slot, Commit>,
    commits_until: BTreeSet<(Mono, Slot)>,
    anyones: BTreeMap<u64, AnyOne>,
    anyone_number: u64,
    parked: BTreeMap<Link, (Mono, Request)>,
    parked_until: BTreeSet<(Mono, Link)>,
    admins: BTreeSet<Link>,
    dialled: u64,
    heartbeat: Mono,
    /// Virtual containers may have come that have no serial yet.
    unnamed: bool,
    /// Clients were dropped because no majority confirms this front.
    silenced: bool,
    random: Random,
}

impl Front {
    /// A front that stands by until it is activated.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let peers = config.backends.each_ref().map(|address| Peer::new(address.clone()));
        let random = Random::new(config.seed);
        let desk = Desk::new(config.identity.clone(), config.cleanup);
        Self {
            peers,
            ledger: Ledger::default(),
            phase: Phase::Standby,
            wanted: false,
            deposed: false,
            highest: Epoch::default(),
            claim_until: Mono(0),
            joined: Virtual::default(),
            desk,
            commits: BTreeMap::new(),
            commits_until: BTreeSet::new(),
            anyones: BTreeMap::new(),
            anyone_number: 0,
            parked: BTreeMap::new(),
            parked_until: BTreeSet::new(),
            admins: BTreeSet::new(),
            dialled: 1,
            heartbeat: Mono(0),
            unnamed: false,
            silenced: false,
            random,
            config,
        }
    }

    /// See [`Node::step`](crate::node::Node::step).
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Intent>) -> Option<Deadline> {
        self.desk.start(now);
        self.timers(now.mono, out);
        match input {
            Input::Tick | Input::Written => {}
            Input::Accepted { link, door: Door::Licence, from } => {
                self.desk.accepted(now, link, from);
            }
            Input::Accepted { link, door: Door::Admin, .. } => {
                self.admins.insert(link);
            }
            Input::Frame { link, frame } => self.frame(now, link, frame, out),
            Input::Closed { link, why, unsent } => self.closed(now.mono, link, &why, unsent, out),
        }
        self.settle(now, out);
        debug_assert!(self.check_invariants());
        self.deadline()
    }

    /// Everything that follows from what came in, until nothing more does.
    fn settle(&mut self, now: Now, out: &mut Vec<Intent>) {
        let need = if let Phase::Proving { need, .. } = self.phase { need } else { 2 };
        if matches!(self.phase, Phase::Proving { .. } | Phase::Leading { .. }) {
            let upto = self.reached(need).min(self.ledger.last());
            if upto > self.ledger.committed() {
                self.ledger.commit(upto);
                self.proved(now.mono);
            }
            self.answer_committed(now.mono, out);
            self.admit();
        }
        if let Phase::Leading { .. } = self.phase {
            if self.serves(now.mono) {
                for (link, until, call) in self.unpark() {
                    self.serve(now, until, link, call, out);
                }
            }
            for entry in self.desk.ended(now.mono, self.ledger.ahead()) {
                self.ledger.propose(entry);
            }
            if self.desk.numbers_left() < HANDLE_BLOCK / 4 {
                self.reserve_handles();
            }
            if core::mem::take(&mut self.unnamed) {
                self.name_containers();
            }
        }
        self.replicate(now.mono, out);
    }

    fn timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        for index in 0..3 {
            let peer = &mut self.peers[index];
            match peer.wire {
                Wire::Down(at) if at <= now => {
                    self.dialled += 2;
                    peer.dial(now, Link(self.dialled), out);
                }
                Wire::Dialling(link, until) if until <= now => {
                    self.drop_peer(now, link, index, Why::Timeout("to prove the group key"), out);
                }
                Wire::Up(link) if !peer.asked.is_empty() && peer.heard + BACKEND_SILENCE <= now => {
                    self.drop_peer(now, link, index, Why::Timeout("a backend is silent"), out);
                }
                _ => {}
            }
        }
        if self.heartbeat <= now {
            self.heartbeat = now + HEARTBEAT;
            let epoch = self.phase.epoch().unwrap_or_default();
            let order = Order::Confirm { epoch, committed: self.ledger.committed() };
            for peer in self.peers.iter_mut().filter(|peer| peer.known().is_some()) {
                peer.ask(now, Asked::Confirm(epoch), &order, out);
                if self.deposed {
                    peer.ask(now, Asked::Describe, &Order::Describe, out);
                }
            }
        }
        match self.phase {
            Phase::Pausing { until } if until <= now && self.could_serve() => {
                self.deposed = false;
                self.claim(now, out);
            }
            Phase::Claiming { .. }
            | Phase::Reading(_)
            | Phase::Founding { .. }
            | Phase::Proving { .. }
                if self.claim_until <= now =>
            {
                self.claim_again(now, "it took too long");
            }
            Phase::Leading { .. } if !self.confirmed(now, FENCE) && !self.silenced => {
                tracing::warn!("no majority of backends has confirmed this front: clients dropped");
                self.silenced = true;
                self.drop_flights();
                self.desk.drop_clients(Why::Stepped("no majority of backends"), out);
            }
            _ => {}
        }
        self.end_late(now, out);
    }

    fn deadline(&self) -> Option<Deadline> {
        let peers = self.peers.iter().filter_map(|peer| match peer.wire {
            Wire::Down(at) => Some(Deadline { at, reason: "dial a backend" }),
            Wire::Dialling(_, at) => Some(Deadline { at, reason: "backend does not answer" }),
            Wire::Up(_) if !peer.asked.is_empty() => {
                Some(Deadline { at: peer.heard + BACKEND_SILENCE, reason: "backend is silent" })
            }
            Wire::Up(_) => None,
        });
        let heartbeat = Deadline { at: self.heartbeat, reason: "heartbeat" };
        let claim = match self.phase {
            Phase::Standby | Phase::Leading { .. } => None,
            Phase::Pausing { until } if self.could_serve() => Some(until),
            Phase::Pausing { .. } => None,
            _ => Some(self.claim_until),
        };
        let claim = claim.map(|at| Deadline { at, reason: "claim" });
        let flights = self.flights_due().map(|at| Deadline { at, reason: "call" });
        let cleanup = self.desk.due().map(|at| Deadline { at, reason: "clean-up" });
        peers.chain([heartbeat]).chain(claim).chain(flights).chain(cleanup).min()
    }

    fn frame(&mut self, now: Now, link: Link, frame: Frame, out: &mut Vec<Intent>) {
        match frame {
            Frame::Call(bytes) => self.call(now, link, &bytes, out),
            Frame::Http(request) => self.http(now, link, &request, out),
            Frame::Joined { .. } => {
                let Some(index) = self.peer_of(link) else { return };
                let peer = &mut self.peers[index];
                peer.joined(now.mono, link);
                peer.ask(now.mono, Asked::Describe, &Order::Describe, out);
            }
            Frame::Batch(batch) => {
                let Some(index) = self.peer_of(link) else { return };
                let Ok(messages) = decode::<Report>(&batch) else {
                    let why = Why::Protocol("a backend sent no run of messages");
                    return self.drop_peer(now.mono, link, index, why, out);
                };
                for message in messages {
                    self.report(now.mono, index, message.correlation, message.body, out);
                }
            }
        }
    }

    fn report(
        &mut self,
        now: Mono,
        index: usize,
        number: u32,
        report: Report,
        out: &mut Vec<Intent>,
    ) {
        let Some((asked, sent)) = self.peers[index].answered(now, number) else { return };
        let epoch = self.phase.epoch();
        match (asked, report) {
            (Asked::Describe, Report::Described(description)) => {
                let peer = &mut self.peers[index];
                self.highest = self.highest.max(description.standing.promised);
                tracing::info!(backend = %peer.address, parts = description.parts.len(), "backend is up");
                let promised = description.standing.promised;
                peer.description = Some(description);
                peer.trouble = None;
                self.join();
                self.yield_to_successor();
                match epoch {
                    Some(epoch) if promised == epoch => self.promised(now, index, out),
                    Some(epoch) => {
                        let order = Order::Claim { epoch };
                        self.peers[index].ask(now, Asked::Claim(epoch), &order, out);
                    }
                    None => {}
                }
            }
            (Asked::Perform(flight), Report::Performed { reply }) => {
                self.performed(index, flight, reply, out);
            }
            (Asked::Confirm(at), Report::Refused { promised }) if Some(at) != epoch => {
                self.highest = self.highest.max(promised);
            }
            (_, Report::Refused { promised }) => self.refused(now, promised, out),
            (Asked::Claim(at), Report::Promised(standing)) if Some(at) == epoch => {
                self.peers[index].confirmed = Some(sent);
                if let Some(description) = &mut self.peers[index].description {
                    description.standing = standing;
                }
                self.promised(now, index, out);
            }
            (Asked::Fetch(at), report) if Some(at) == epoch => self.fetched(now, report, out),
            (Asked::Found(at), Report::Stored { .. }) if Some(at) == epoch => {
                self.founded(now, index);
            }
            (Asked::Append(at), Report::Stored { last, differing }) if Some(at) == epoch => {
                self.peers[index].confirmed = Some(sent);
                self.acknowledged(index, last, &differing);
            }
            (Asked::Install(at, Some(slot)), Report::Stored { .. }) if Some(at) == epoch => {
                self.installed(now, index, slot, out);
            }
            (Asked::Append(at) | Asked::Install(at, _), Report::Gap { committed })
                if Some(at) == epoch =>
            {
                self.gap(now, index, committed, out);
            }
            (Asked::Confirm(at), Report::Confirmed) if Some(at) == epoch => {
                self.peers[index].confirmed = Some(sent);
                if self.silenced && self.confirmed(now, FENCE) {
                    self.silenced = false;
                    tracing::info!("a majority of backends confirms this front again");
                }
            }
            _ => {}
        }
    }

    /// A backend has promised a higher epoch to another front.
    fn refused(&mut self, now: Mono, promised: Epoch, out: &mut Vec<Intent>) {
        self.highest = self.highest.max(promised);
        match self.phase {
            Phase::Standby | Phase::Pausing { .. } => {}
            Phase::Leading { epoch } if promised > epoch => {
                tracing::warn!(%promised, %epoch, "another front has claimed the lead");
                self.step_back(out);
                self.deposed = true;
                self.phase = Phase::Pausing { until: now + CONTEST };
            }
            _ if self.phase.epoch().is_some_and(|epoch| promised > epoch) => {
                self.claim_again(now, "another front has claimed a higher epoch");
            }
            _ => {}
        }
    }

    /// Gives the lead up: nothing that was not acknowledged is said any more.
    fn step_back(&mut self, out: &mut Vec<Intent>) {
        self.phase = Phase::Standby;
        self.drop_flights();
        self.ledger.drop_uncommitted();
        self.desk.drop_clients(Why::Stepped("another front leads"), out);
        self.desk.forget_handles();
    }

    /// Whether another front leads: it has committed something since this one did, if only the
    /// first entry of its epoch. A promise alone proves nothing: the claim may have led nowhere,
    /// and nobody would lead if this front did not claim again.
    fn succeeded(&self) -> bool {
        let known = self.ledger.committed();
        self.peers.iter().filter_map(Peer::standing).any(|own| own.committed > known)
    }

    /// Stands by once it is known that another front leads.
    fn yield_to_successor(&mut self) {
        if self.deposed && self.succeeded() {
            tracing::warn!("another front leads: standing by");
            (self.phase, self.wanted, self.deposed) = (Phase::Standby, false, false);
        }
    }

    fn closed(&mut self, now: Mono, link: Link, why: &Why, unsent: bool, out: &mut Vec<Intent>) {
        if let Some(index) = self.peer_of(link) {
            return self.lost_peer(now, index, why, out);
        }
        if self.admins.remove(&link) {
            return;
        }
        self.unpark_one(link);
        if let Some(handle) = self.desk.closed(now, link, unsent) {
            self.give_back(handle, "its number did not reach the client");
        }
    }

    fn drop_peer(&mut self, now: Mono, link: Link, index: usize, why: Why, out: &mut Vec<Intent>) {
        out.push(Intent::Close { link, why: why.clone() });
        self.lost_peer(now, index, &why, out);
    }

    fn lost_peer(&mut self, now: Mono, index: usize, why: &Why, out: &mut Vec<Intent>) {
        let peer = &mut self.peers[index];
        if peer.known().is_some() {
            tracing::warn!(backend = %peer.address, %why, "backend is down");
        }
        peer.trouble = Some(format!("{why}"));
        let lost = peer.lost(now, self.config.retry);
        self.join();
        self.hop_from(now, index, lost, out);
        let reading = matches!(&self.phase, Phase::Reading(gather) if gather.reads(index));
        if reading || matches!(self.phase, Phase::Founding { .. }) {
            self.claim_again(now, "a backend went away");
        }
    }

    fn call(&mut self, now: Now, link: Link, bytes: &[u8], out: &mut Vec<Intent>) {
        self.desk.heard(now.mono, link);
        let request = match Request::parse(bytes) {
            Ok(request) => request,
            Err(malformed) => return self.desk.misread(link, &malformed, out),
        };
        // One end of its time for a call, whatever it has to wait for one after the other.
        let until = now.mono + CALL_TIMEOUT;
        if Desk::is_timeless(&request) || self.serves(now.mono) {
            self.serve(now, until, link, request, out);
        } else if self.wanted {
            self.park(until, link, request);
        } else {
            self.desk.refuse(link, &request, CmError::SERVER_START_PENDING, out);
        }
    }

    fn serve(
        &mut self,
        now: Now,
        until: Mono,
        link: Link,
        request: Request,
        out: &mut Vec<Intent>,
    ) {
        let ground = Ground { now, state: self.ledger.ahead(), catalogue: &self.joined.catalogue };
        match self.desk.call(link, &request, &ground, out) {
            Move::Done => {}
            Move::Commit(_) if self.uncommitted() >= UNCOMMITTED_MAX => {
                self.desk.refuse(link, &request, CmError::REQUEST_OVERLOAD_REJECTED, out);
            }
            Move::Commit(entry) => self.commit(until, link, entry, out),
            Move::Perform(licence) => self.perform(now.mono, until, link, (licence, request), out),
        }
    }

    fn uncommitted(&self) -> u64 {
        self.ledger.last().0 - self.ledger.committed().0
    }

    /// Refuses an access or a release that was on its way.
    fn refuse(&self, link: Link, error: CmError, out: &mut Vec<Intent>) {
        self.desk.send(link, &Reply::error(error), out);
    }

    fn http(&mut self, now: Now, link: Link, request: &[u8], out: &mut Vec<Intent>) {
        let answer = admin::answer(request, &status::At { front: self, now });
        out.push(Intent::Send { link, frame: answer.response });
        if answer.close {
            self.admins.remove(&link);
            out.push(Intent::Close { link, why: Why::Eof });
        }
        if answer.command == Some(admin::Command::Activate) {
            self.deposed = false;
        }
        match answer.command {
            Some(admin::Command::Activate) if !self.wanted => {
                tracing::info!("activated by command");
                self.wanted = true;
                self.phase = Phase::Pausing { until: now.mono };
                self.timers(now.mono, out);
            }
            Some(admin::Command::Activate) | None => {}
        }
    }

    /// Joins the parts anew: a backend came, went, or holds something else.
    fn join(&mut self) {
        let parts = self.peers.each_ref().map(|peer| {
            peer.known().filter(|_| peer.trouble.is_none()).map(|d| d.parts.as_slice())
        });
        let ahead = self.ledger.ahead();
        self.joined = Virtual::join(parts, |cm_act_id| ahead.virtual_serial(cm_act_id));
        self.unnamed = true;
    }

    /// Gives each virtual container its serial: the operator's, or a random one, kept in the log.
    fn name_containers(&mut self) {
        let ids: Vec<u32> = self.joined.containers.keys().copied().collect();
        for cm_act_id in ids {
            let chosen = self.config.virtuals.iter().find(|(id, _)| *id == cm_act_id);
            let kept = self.ledger.ahead().virtual_serial(cm_act_id);
            let serial = match (chosen, kept) {
                (Some(&(_, serial)), kept) if kept != Some(serial) => serial,
                (None, None) => self.random.between(10_000_000, 99_999_999),
                _ => continue,
            };
            self.ledger.propose(Entry::Configure(Setting::Virtual { cm_act_id, serial }));
        }
        self.join();
        self.unnamed = false;
    }

    /// At least two backends are there.
    fn could_serve(&self) -> bool {
        self.peers.iter().filter(|peer| peer.known().is_some()).count() >= 2
    }

    /// It leads, is confirmed, and two backends follow: a call can be decided.
    fn serves(&self, now: Mono) -> bool {
        let following =
            self.peers.iter().filter(|p| matches!(p.follow, Follow::Yes { .. })).count();
        matches!(self.phase, Phase::Leading { .. })
            && following >= 2
            && self.confirmed(now, CONFIRMED)
    }

    /// Two backends have confirmed this front lately enough.
    fn confirmed(&self, now: Mono, within: Duration) -> bool {
        let times = self.peers.each_ref().map(|peer| peer.confirmed);
        vote::reached(times, 2).is_some_and(|at| now.since(at) < within)
    }

    fn peer_of(&self, link: Link) -> Option<usize> {
        self.peers.iter().position(|peer| peer.link() == Some(link))
    }

    /// What must hold between any two steps.
    fn check_invariants(&self) -> bool {
        let sane = self.ledger.committed() <= self.ledger.last();
        let quiet = self.wanted || matches!(self.phase, Phase::Standby);
        let flights = self.commits.keys().all(|slot| *slot <= self.ledger.last());
        sane && quiet && flights
    }
}
