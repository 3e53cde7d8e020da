//! Clients: their calls, what they know of their handles, and their ends.

use super::check::Decided;
use super::check::handles::Answer;
use super::check::seats::Belief;
use super::event::Event;
use super::licences::{FIRM, PROBE, PRODUCTS, UNITS};
use super::looks::look;
use super::net::{Conn, End, Load};
use super::words;
use super::world::{FRONTS, MACHINES, SECOND, World};
use std::net::{IpAddr, Ipv4Addr};
use tmr_core::base::limits::FENCE;
use tmr_core::link::{Frame, Listener};
use tmr_core::log::Mode;
use tmr_core::wire::constants::{access, info};
use tmr_core::wire::structs::{CmAccess2, CmCrypt2};
use tmr_core::wire::{CmError, Reply, Request};

/// A client waits this long for a reply, then it tries another front.
const PATIENCE: u64 = 8 * SECOND;

/// A client's request.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Access {
        product: u32,
        mode: Mode,
        take: u32,
        cleanup: u64,
    },
    Subsystem {
        cleanup: u64,
    },
    Info(Held),
    Crypt(Held),
    /// Encrypts, which takes this number of units.
    Spend(Held, u32),
    Release(Held),
    /// Uses a handle that was released.
    Dead(u32),
    Version,
    /// Asks with a handle for the server's identity, in one of many ways.
    Look(u32, u64),
}

/// A handle that a client holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) handle: u32,
    /// The product code; 0: the service itself.
    product: u32,
    mode: Mode,
    take: u32,
    cleanup: u64,
    /// The time of the request.
    since: u64,
    /// The seat cannot have been taken back before this time.
    pub(super) until: u64,
}

/// A call on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) number: u64,
    /// The time at which it was sent.
    sent: u64,
    what: What,
}

/// A client.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) conn: Option<u64>,
    pub(super) open: bool,
    pub(super) call: Option<Call>,
    pub(super) number: u64,
    pub(super) held: Vec<Held>,
    pub(super) dead: Vec<u32>,
    pub(super) away: u64,
    pub(super) front: usize,
    pub(super) station: usize,
    /// The client makes no further requests.
    pub(super) stopped: bool,
    /// The client requests only the probe licence.
    pub(super) probe: bool,
}

/// The identity of a station: address, host and session.
pub(super) struct Station {
    pub(super) ip: IpAddr,
    host: String,
    session: u32,
}

impl Station {
    /// Returns the station with this number. `mixed`: some stations differ only in their session or
    /// host name.
    pub(super) fn new(number: usize, mixed: bool) -> Self {
        let ip = |last: usize| Ipv4Addr::new(10, 1, 0, u8::try_from(last).unwrap_or(255)).into();
        if !mixed {
            return Self { ip: ip(number), host: format!("station{number}"), session: 1 };
        }
        let session = 1 + u32::from(number % 2 == 1);
        // One name at two addresses is one host.
        Self { ip: ip(number / 4), host: format!("station{}", number / 2), session }
    }
}

impl World {
    /// Does the next action of a client.
    pub(super) fn think(&mut self, who: usize) {
        if self.clients[who].stopped || self.clients[who].call.is_some() {
            return;
        }
        if self.clients[who].away > self.now {
            let away = self.clients[who].away;
            return self.at(away, Event::Think { client: who });
        }
        if self.clients[who].conn.is_none() {
            return self.dial_front(who);
        }
        if !self.clients[who].open {
            return;
        }
        let what = self.choose(who);
        self.ask(who, what);
    }

    fn dial_front(&mut self, who: usize) {
        if self.rng.chance(30) {
            self.clients[who].front = self.rng.index(FRONTS);
        }
        self.dial(who);
    }

    /// Connects a client to the front that it prefers.
    pub(super) fn dial(&mut self, who: usize) {
        let host = self.clients[who].front % self.plan.fronts;
        let to = End::Host { host, life: 0, link: None };
        let conn = self.net.open(Conn::new(End::Client(who), to, Listener::Licence));
        self.clients[who].conn = Some(conn);
        self.clients[who].open = false;
        let wait = self.net.latency(self.now, MACHINES + who, host, &mut self.rng);
        self.after(wait, Event::Open { conn });
        self.clients[who].number += 1;
        let call = self.clients[who].number;
        self.after(PATIENCE, Event::GiveUp { client: who, call });
    }

    fn choose(&mut self, who: usize) -> What {
        let client = &self.clients[who];
        let held = client.held.clone();
        if client.probe {
            return match held.first() {
                Some(held) => What::Release(*held),
                None => {
                    What::Access { product: PROBE, mode: Mode::UserLimit, take: 1, cleanup: 30 }
                }
            };
        }
        let pick = self.rng.between(0, 99);
        if self.plan.crowd.curious && pick % 8 == 3 {
            let handle = held.last().map_or(0, |held| held.handle);
            return What::Look(handle, client.number);
        }
        if let (90.., Some(dead)) = (pick, client.dead.last()) {
            return What::Dead(*dead);
        }
        if !held.is_empty() && pick < 65 || held.len() > 2 {
            let held = held[self.rng.index(held.len())];
            return match pick {
                0..25 => What::Info(held),
                25..38 if held.product == 0 => What::Info(held),
                25..38 if self.faults.extra.rich && held.product == UNITS.0 => {
                    What::Spend(held, self.checks.clients.units.ask(self.faults.finer.all))
                }
                25..38 => What::Crypt(held),
                _ => What::Release(held),
            };
        }
        match pick {
            65..69 => What::Version,
            69..73 => What::Subsystem { cleanup: self.rng.between(30, 40) },
            73..76 if self.plan.crowd.light => What::Version,
            76..84 if self.plan.crowd.light => {
                What::Subsystem { cleanup: self.rng.between(30, 40) }
            }
            84..97 if self.plan.crowd.light => {
                let (product, _) = PRODUCTS[self.rng.index(PRODUCTS.len() - 1)];
                let mode = if self.rng.chance(25) { Mode::Exclusive } else { Mode::NoUserLimit };
                What::Access { product, mode, take: 1, cleanup: self.rng.between(30, 40) }
            }
            _ => {
                let (product, quantity) = PRODUCTS[self.rng.index(PRODUCTS.len() - 1)];
                let (mode, take) = match self.rng.between(0, 9) {
                    0..5 => (Mode::UserLimit, 1),
                    5 => (Mode::UserLimit, 2.min(quantity)),
                    6 => (Mode::Exclusive, 1),
                    7 => (Mode::NoUserLimit, 1),
                    _ => (Mode::StationShare, 1),
                };
                What::Access { product, mode, take, cleanup: self.rng.between(30, 40) }
            }
        }
    }

    /// Sends a client's request on its connection.
    pub(super) fn ask(&mut self, who: usize, what: What) {
        let client = &mut self.clients[who];
        client.number += 1;
        let call = client.number;
        let request = self.request(who, what, numbered(who, call));
        let client = &mut self.clients[who];
        client.call = Some(Call { number: call, sent: self.now, what });
        let Some(conn) = client.conn else { return };
        if let What::Release(held) = what {
            client.held.retain(|other| other.handle != held.handle);
            self.checks.clients.seats.gone(held.handle);
            self.checks.clients.handles.release_sent(held.handle);
        }
        self.trace(|| format!("client-{who} asks {}", words::what(&what)));
        let load = Load::Frames(vec![Frame::Call(request.encode())], None);
        self.send(conn, 0, Decided::at(self.now), load);
        self.after(PATIENCE, Event::GiveUp { client: who, call });
        if self.faults.on && self.plan.crowd.hangup && self.rng.chance(3) {
            self.hang_up(who);
            self.after(SECOND / 10, Event::Think { client: who });
        }
    }

    fn request(&self, who: usize, what: What, number: u32) -> Request {
        let station = Station::new(self.clients[who].station, self.faults.extra.mixed);
        let mut wanted = CmAccess2 { firm_code: FIRM, ..CmAccess2::default() };
        wanted.credential.session = station.session;
        wanted.credential.user_defined_id = number;
        wanted.credential.pid = u32::try_from(who).unwrap_or(0);
        wanted.borrow_data.client_name = station.host.as_str().into();
        match what {
            What::Access { product, mode, take, cleanup } => {
                wanted.ctrl = match mode {
                    Mode::UserLimit => access::USERLIMIT,
                    Mode::NoUserLimit => access::NOUSERLIMIT,
                    Mode::Exclusive => access::EXCLUSIVE,
                    Mode::StationShare => access::STATIONSHARE,
                };
                wanted.product_code = product;
                wanted.license_quantity = take;
                wanted.credential.cleanup_time = u32::try_from(cleanup).unwrap_or(0);
                Request::Access2 { ctrl: access::LAN, access: wanted.into(), tail: Vec::new() }
            }
            What::Subsystem { cleanup } => {
                wanted.ctrl = access::SUBSYSTEM;
                wanted.credential.cleanup_time = u32::try_from(cleanup).unwrap_or(0);
                Request::Access2 { ctrl: access::LAN, access: wanted.into(), tail: Vec::new() }
            }
            What::Info(Held { handle, .. }) | What::Dead(handle) => {
                Request::GetInfo { handle, ctrl: info::VERSION, size: 32 }
            }
            What::Crypt(Held { handle, .. }) => Request::Crypt2 {
                handle,
                ctrl: 4,
                crypt: CmCrypt2::default(),
                data: vec![0; 16].into(),
            },
            What::Spend(Held { handle, .. }, take) => {
                let mut crypt = CmCrypt2::default();
                crypt.base_crypt.encryption_code_options = take;
                Request::Crypt2 { handle, ctrl: 4, crypt, data: vec![0; 16].into() }
            }
            What::Release(Held { handle, .. }) => Request::Release { handle },
            What::Version => Request::GetVersion { handle: 0 },
            What::Look(handle, which) => look(handle, which),
        }
    }

    /// Handles a reply.
    pub(super) fn told(&mut self, who: usize, frame: &[u8], answer: Answer) {
        let Some(call) = self.clients[who].call.take() else { return };
        let Call { number: call, sent, what } = call;
        let Ok(reply) = Reply::parse(frame) else {
            let found = Err("a reply of less than eight bytes".to_owned());
            return self.checks.note(self.now, "calls", found);
        };
        self.trace(|| {
            let (status, result) = (reply.status, reply.result);
            format!("client-{who} is told {status:?}, {result}: it asked {}", words::what(&what))
        });
        // Encrypted data may be any bytes, so it is not searched.
        if !matches!(what, What::Crypt(_) | What::Spend(..)) {
            let found = self.checks.clients.identity.told(frame);
            self.checks.note(self.now, "identity", found);
        }
        let ok = reply.status == CmError::NO_ERROR;
        let missing = reply.status == CmError::INVALID_HANDLE;
        // The front answers these from its own state, without backends.
        if matches!(what, What::Info(_) | What::Dead(_) if ok || missing) {
            let found = self.checks.fronts.fence.decided(answer.by, answer.at, "about a handle");
            self.checks.note(self.now, "fence", found);
        }
        match what {
            What::Access { product, mode, take, cleanup } if ok => {
                let handle = reply.result;
                let held = Held { handle, product, mode, take, cleanup, since: sent, until: 0 };
                let found = self.checks.clients.numbers.told(numbered(who, call), handle);
                self.checks.note(self.now, "numbers", found);
                self.given(who, sent, held, answer);
            }
            What::Subsystem { cleanup } if ok => {
                let (handle, mode) = (reply.result, Mode::NoUserLimit);
                let found = self.checks.clients.numbers.told(numbered(who, call), handle);
                self.checks.note(self.now, "numbers", found);
                let held =
                    Held { handle, product: 0, mode, take: 0, cleanup, since: sent, until: 0 };
                self.given(who, sent, held, answer);
            }
            What::Info(held) | What::Crypt(held) | What::Spend(held, _) if ok => {
                if let What::Spend(_, take) = what {
                    self.checks.clients.units.done(take);
                }
                let found = self.checks.clients.handles.worked(held.handle, answer);
                self.checks.note(self.now, "handles", found);
                let until = believed_until(sent, held.cleanup);
                let held = Held { until, ..held };
                for own in &mut self.clients[who].held {
                    if own.handle == held.handle {
                        *own = held;
                    }
                }
                self.believe(who, held, false);
            }
            What::Spend(_, take) if reply.status == CmError::UNITCOUNTERUNDERRUN => {
                let found = self.checks.clients.units.refused(take);
                self.checks.note(self.now, "units", found);
            }
            What::Info(held) | What::Crypt(held) | What::Spend(held, _) if missing => {
                self.missed(held, answer);
                self.checks.clients.seats.gone(held.handle);
                self.clients[who].held.retain(|own| own.handle != held.handle);
            }
            What::Release(held) if ok => {
                let found = self.checks.clients.handles.released(held.handle, answer);
                self.checks.note(self.now, "handles", found);
                let found = self.checks.log.acks.released(held.handle);
                self.checks.note(self.now, "acks", found);
                self.clients[who].dead.push(held.handle);
                if self.clients[who].probe {
                    self.checks.clients.service.served.get_or_insert(self.now);
                }
            }
            What::Dead(handle) if ok => {
                let found = self.checks.clients.handles.worked(handle, answer);
                self.checks.note(self.now, "handles", found);
            }
            _ => {}
        }
        let pause = if self.clients[who].probe { SECOND / 4 } else { self.rng.span(1000, SECOND) };
        self.after(pause, Event::Think { client: who });
        if !ok && !missing && self.rng.chance(40) {
            self.clients[who].front = self.rng.index(FRONTS);
            self.hang_up(who);
        }
    }

    /// Records a granted handle.
    fn given(&mut self, who: usize, sent: u64, held: Held, answer: Answer) {
        let held = Held { until: believed_until(sent, held.cleanup), ..held };
        let found = self.checks.clients.handles.granted(held.handle, answer);
        self.checks.note(self.now, "handles", found);
        if held.mode != Mode::NoUserLimit {
            let found = self.checks.log.acks.granted(held.handle);
            self.checks.note(self.now, "acks", found);
        }
        self.clients[who].held.push(held);
        self.believe(who, held, true);
    }

    fn missed(&mut self, held: Held, answer: Answer) {
        let believed = answer.at.since < held.until && self.certain(held);
        let found = self.checks.clients.handles.missed(held.handle, believed, answer);
        self.checks.note(self.now, "handles", found);
    }

    /// Returns whether no takeover may lose the handle, because it takes a seat or is on two disks.
    fn certain(&self, held: Held) -> bool {
        held.mode != Mode::NoUserLimit || self.checks.log.slots.durable(held.handle)
    }

    fn believe(&mut self, who: usize, held: Held, new: bool) {
        if held.product == 0 || !self.certain(held) {
            return;
        }
        let Held { handle, product, mode, take, since, until, .. } = held;
        let station = self.clients[who].station;
        let belief = Belief { product, mode, take, station, since, until };
        let seats = &mut self.checks.clients.seats;
        let found = if new {
            seats.granted(self.now, handle, belief)
        } else {
            seats.believed(self.now, handle, belief)
        };
        self.checks.note(self.now, "seats", found);
    }

    /// Closes a client's connection in good order.
    pub(super) fn hang_up(&mut self, who: usize) {
        let client = &mut self.clients[who];
        client.call = None;
        client.open = false;
        let Some(conn) = client.conn.take() else { return };
        self.trace(|| format!("client-{who} hangs up"));
        self.send(conn, 0, Decided::at(self.now), Load::Fin);
        self.gone(conn, 0);
    }

    /// Handles the end of a client's connection.
    pub(super) fn lost(&mut self, who: usize) {
        let client = &mut self.clients[who];
        client.call = None;
        client.open = false;
        client.conn = None;
        self.trace(|| format!("client-{who} has lost its connection"));
        self.clients[who].front = self.rng.index(FRONTS);
        let pause = self.rng.span(1000, SECOND / 2);
        self.after(pause, Event::Think { client: who });
    }

    /// Removes a client's machine. It returns later as another program without handles.
    pub(super) fn vanish(&mut self, who: usize) {
        self.trace(|| format!("client-{who} vanishes"));
        let away = self.now + self.rng.span(SECOND / 10, 10 * SECOND);
        let client = &mut self.clients[who];
        for held in client.held.drain(..) {
            self.checks.clients.seats.gone(held.handle);
        }
        client.call = None;
        client.open = false;
        client.away = away;
        if let Some(conn) = client.conn.take() {
            self.gone(conn, 0);
            self.cut(conn);
        }
        self.at(away, Event::Think { client: who });
    }
}

/// Returns the number of a client's call, which is never 0 and never used again.
fn numbered(who: usize, call: u64) -> u32 {
    let who = u32::try_from(who).unwrap_or(u32::MAX >> 20);
    (who + 1) << 20 | u32::try_from(call & 0xf_ffff).unwrap_or_default()
}

/// Returns the time until which a client may rely on its handle after a successful call: the
/// clean-up time, less the time that a replaced front may still have answered, less the error of
/// clocks.
fn believed_until(sent: u64, cleanup: u64) -> u64 {
    sent + (cleanup - FENCE.as_secs()) * (SECOND / 100 * 98) - SECOND / 2
}
