//! What happens on connections: they are opened, carry what is sent, are cut, and come to their end.

use super::check::Decided;
use super::check::handles::Answer;
use super::client::Station;
use super::event::Event;
use super::net::{End, Load, Parcel};
use super::world::{MACHINES, SECOND, World};
use std::net::SocketAddr;
use tmr_core::link::{CloseReason, Frame, Listener};

impl World {
    /// Returns the place of one end of a connection, if the connection exists.
    pub(super) fn place(&self, conn: u64, side: usize) -> Option<usize> {
        self.net.conns.get(&conn).map(|conn| match conn.ends[side] {
            End::Host { host, .. } => host,
            End::Client(who) => MACHINES + who,
        })
    }

    /// Sends from one side of a connection to the other.
    pub(super) fn send(&mut self, conn: u64, side: usize, sent: Decided, load: Load) {
        if let Some(load) = self.seal(conn, side, sent, load) {
            self.put(conn, side, sent, 0, load);
        }
    }

    /// Puts a load on its way, delayed by `late` beside the latency.
    pub(super) fn put(&mut self, conn: u64, side: usize, sent: Decided, late: u64, load: Load) {
        let (Some(from), Some(to)) = (self.place(conn, side), self.place(conn, 1 - side)) else {
            return;
        };
        let wait = self.net.latency(self.now, from, to, &mut self.rng) + late;
        let servers = from < MACHINES && to < MACHINES && self.faults.on;
        let mut load = load;
        if servers && load.may_be_lost() && self.faults.extra.loses() {
            self.hole(conn);
            load = Load::Hole;
        }
        let Some(open) = self.net.conns.get_mut(&conn).filter(|conn| conn.open && !conn.cut) else {
            return;
        };
        let (lane, last) = &mut open.lanes[1 - side];
        *last = (self.now + wait).max(*last);
        let at = *last;
        lane.push_back(Parcel { sent, load });
        self.at(at, Event::Arrive { conn, side: 1 - side });
    }

    /// Handles a dialled connection that reaches its target.
    pub(super) fn opened(&mut self, conn: u64) {
        let (Some(from), Some(to)) = (self.place(conn, 0), self.place(conn, 1)) else { return };
        if self.net.conns[&conn].gone[0] {
            self.net.conns.remove(&conn);
            return;
        }
        let blocked = self.net.blocked(self.now, from, to);
        let blocked = blocked.max(self.net.blocked(self.now, to, from));
        if let Some(until) = blocked {
            return self.at(until, Event::Open { conn });
        }
        if self.hosts[to].process.hub.is_none() {
            self.gone(conn, 1);
            return self.at(self.now + 500, Event::Notice { conn, side: 0 });
        }
        let ip = if from < MACHINES {
            self.hosts[from].ip
        } else {
            Station::new(self.clients[from - MACHINES].station, self.faults.extra.mixed).ip
        };
        let address = SocketAddr::new(ip, 40_000);
        let (mut accepted, listener) = (None, self.net.conns[&conn].listener);
        self.with(to, |hub, now, out| accepted = hub.accept(now, listener, address, out));
        let Some(link) = accepted else { return };
        let life = self.hosts[to].process.life;
        self.hosts[to].links.conns.insert(link, (conn, 1));
        let Some(open) = self.net.conns.get_mut(&conn) else { return };
        open.open = true;
        open.ends[1] = End::Host { host: to, life, link: Some(link) };
        let end = open.ends[0];
        self.lay_cable(conn);
        match end {
            End::Host { host, life, link: Some(near) } if listener == Listener::Twin => {
                // What was sent before the connection was established is flushed.
                self.after(1, Event::Flush { host, life, link: near });
            }
            // Otherwise the streams report the peer.
            End::Host { .. } if self.net.pieces.is_none() => {
                let front = u32::try_from(from).unwrap_or(0) + 1;
                let joined = Frame::Joined { front, minor: 1 };
                self.send(conn, 1, Decided::at(self.now), Load::Frames(vec![joined.clone()], None));
                self.receive(to, link, vec![joined], false);
            }
            End::Host { .. } => {}
            End::Client(who) => {
                self.clients[who].open = true;
                self.after(200, Event::Think { client: who });
            }
        }
    }

    /// Delivers the next load of a lane.
    pub(super) fn arrive(&mut self, conn: u64, side: usize) {
        let (Some(from), Some(to)) = (self.place(conn, 1 - side), self.place(conn, side)) else {
            return;
        };
        if let Some(until) = self.net.blocked(self.now, from, to) {
            return self.at(until, Event::Arrive { conn, side });
        }
        let Some(known) = self.net.conns.get_mut(&conn) else { return };
        if known.cut && !known.lingers || known.gone[side] {
            return;
        }
        let Some(Parcel { sent, load }) = known.lanes[side].0.pop_front() else { return };
        match load {
            Load::Fin => self.over(conn, side, CloseReason::Eof),
            Load::Hole => known.holes[side] = true,
            Load::Frames(frames, answer) => self.take_in(conn, side, sent, answer, frames, false),
            Load::Bytes(bytes, answer) => self.take_bytes(conn, side, sent, answer, &bytes),
        }
    }

    /// Delivers frames; `partial`: and a part of another one. `answer`: the process that made a
    /// reply among them, if it is not the sender.
    pub(super) fn take_in(
        &mut self,
        conn: u64,
        side: usize,
        sent: Decided,
        answer: Option<Answer>,
        frames: Vec<Frame>,
        partial: bool,
    ) {
        let Some(known) = self.net.conns.get(&conn) else { return };
        match (known.ends[side], known.ends[1 - side]) {
            (End::Host { host, link: Some(link), .. }, other) => {
                if let (0, End::Host { host: by, life, .. }) = (side, other) {
                    self.passed(host, &frames, Answer { by: (by, life), at: sent });
                    self.confirmed(host, link, by, &frames);
                }
                self.receive(host, link, frames, partial);
            }
            (End::Client(who), End::Host { host, life, .. }) => {
                let own = Answer { by: (host, life), at: sent };
                self.receive_replies(who, frames, answer.unwrap_or(own));
            }
            _ => {}
        }
    }

    /// Tells a side that its connection is dead.
    pub(super) fn notice(&mut self, conn: u64, side: usize) {
        if self.net.conns.get(&conn).is_some_and(|conn| !conn.gone[side]) {
            self.over(conn, side, CloseReason::Broken("connection reset".to_owned()));
        }
    }

    pub(super) fn over(&mut self, conn: u64, side: usize, reason: CloseReason) {
        let Some(end) = self.net.conns.get(&conn).map(|conn| conn.ends[side]) else { return };
        self.gone(conn, side);
        match end {
            End::Client(who) => self.lost(who),
            End::Host { host, life, link: Some(link) } if self.hosts[host].lives(life) => {
                self.checks.clients.calls.ended(host, link);
                self.hosts[host].links.conns.remove(&link);
                self.unsaid(host, link);
                self.with(host, |hub, now, out| hub.closed(now, link, reason, false, out));
            }
            End::Host { .. } => {}
        }
    }

    /// Records that a side knows the end of a connection.
    pub(super) fn gone(&mut self, conn: u64, side: usize) {
        let Some(known) = self.net.conns.get_mut(&conn) else { return };
        known.gone[side] = true;
        if known.gone == [true; 2] {
            self.net.conns.remove(&conn);
        }
    }

    /// Cuts a connection: each remaining side notices at its own time, perhaps much later.
    pub(super) fn cut(&mut self, conn: u64) {
        let Some(gone) = self.net.conns.get(&conn).map(|known| known.gone) else { return };
        self.net.cut(conn);
        self.trace(|| format!("connection {conn} is cut"));
        for side in (0..2).filter(|side| !gone[*side]) {
            let late = if self.rng.chance(70) { SECOND / 20 } else { 20 * SECOND };
            let wait = self.rng.span(0, late);
            self.after(wait, Event::Notice { conn, side });
        }
    }
}
