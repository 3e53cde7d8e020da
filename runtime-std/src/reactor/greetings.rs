//! Key agreements and TLS handshakes with who has just come in: all that takes long of what a stranger
//! can have done. They have a poll and two threads of their own, so that calls wait for none of them; a
//! link goes over to where calls are served when its own is done.
//!
//! Only what is computed has a low priority, and who computes locks nothing but the connection of the link
//! that it is for: whoever is put off by the system while he has the hub's lock, or the table's, has all
//! calls wait with him.
//!
//! Addresses take turns, and each has an allowance: who comes again and again waits for himself.

use crate::exit::halt;
use crate::reactor::clocked_hub::Effects;
use crate::reactor::connection::SocketConnection;
use crate::reactor::net::broken;
use crate::reactor::{Actions, CHUNK, LinksRead, Peer, PollBuffer, Reactor, refused, wait};
use crate::sync::lock;
use rustix::event::epoll::{self, EventFlags};
use rustix::process::nice;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;
use tmr_core::base::limits::{GREETING_RATE, GREETING_SOURCES, TLS_GREETING};
use tmr_core::base::network::network;
use tmr_core::base::time::Duration;
use tmr_core::link::{CloseReason, LinkId};

/// Key agreements in one turn, after each of which calls that came with them are served.
pub(super) const GREETINGS: usize = 16;
/// Pause while all who wait have used up what is theirs.
const REST: Duration = Duration::from_millis(5);
/// How far whoever computes stands behind those who serve calls.
const NICE: i32 = 5;
/// Links that end while the hub is locked once: whoever takes and leaves it for each of a thousand that
/// hang up together leaves it to nobody else.
const ENDS: usize = 32;
/// Stack of the thread that computes, in bytes.
const STACK: usize = 512 * 1024;

/// What a poll says of who hung up before the greeting was over.
const GONE: EventFlags = SocketConnection::HUNG_UP.union(EventFlags::HUP).union(EventFlags::ERR);

/// A link that the poll has named, and why.
type Ready = (Arc<Peer>, EventFlags);

/// What whoever greets keeps between turns.
#[derive(Debug)]
pub struct Greeter {
    poll_buffer: PollBuffer,
    /// Who was greeted last.
    last: Option<IpAddr>,
    allowance: Allowance,
}

/// What each address has had, and may have: a burst, then so many a second.
#[derive(Debug, Default)]
struct Allowance {
    /// When all will be there again that the address may have at once.
    whole: BTreeMap<IpAddr, Instant>,
}

impl Greeter {
    /// For the poll of these links.
    #[must_use]
    pub fn new(reactor: &Reactor) -> Self {
        Self {
            poll_buffer: PollBuffer::new(reactor.greeting_poll()),
            last: None,
            allowance: Allowance::default(),
        }
    }

    /// Who is greeted in this turn: one of each address, and so on, behind the one who was last.
    fn choose(&mut self, now: Instant, ready: Vec<Ready>) -> Vec<Ready> {
        let mut waiting: BTreeMap<IpAddr, VecDeque<_>> = BTreeMap::new();
        for (peer, flags) in ready {
            waiting.entry(network(peer.from)).or_default().push_back((peer, flags));
        }
        let behind = self.last.map_or(Unbounded, Excluded);
        let mut order: VecDeque<IpAddr> = waiting.range((behind, Unbounded)).map(first).collect();
        order.extend(waiting.keys().take(waiting.len() - order.len()));
        let mut chosen = Vec::new();
        while let Some(source) = order.pop_front().filter(|_| chosen.len() < GREETINGS) {
            let Some(next) = waiting.get_mut(&source).and_then(VecDeque::pop_front) else {
                continue;
            };
            let cost = if next.0.covered { TLS_GREETING } else { 1 };
            if self.allowance.take(now, source, cost) {
                self.last = Some(source);
                chosen.push(next);
                order.push_back(source);
            }
        }
        chosen
    }
}

fn first<V>((key, _): (&IpAddr, V)) -> IpAddr {
    *key
}

impl Allowance {
    /// Takes so much of what is there for an address, if there is enough.
    fn take(&mut self, now: Instant, source: IpAddr, cost: u32) -> bool {
        let (burst, rate) = GREETING_RATE;
        let one = Duration::from_secs(1) / rate;
        if self.whole.len() >= GREETING_SOURCES {
            self.whole.retain(|_, whole| *whole > now);
            if self.whole.len() >= GREETING_SOURCES {
                // So many at once are no office, and nobody among them is held back.
                self.whole.clear();
            }
        }
        let whole = self.whole.entry(source).or_insert(now);
        let then = (*whole).max(now) + one * cost;
        if then > now + one * burst {
            return false;
        }
        *whole = then;
        true
    }
}

impl Reactor {
    /// Greets who waits for it, for as long as the process lives; `perform` does what is the runtime's
    /// to do.
    pub fn greet(&self, perform: impl Fn(Actions)) -> ! {
        let mut greeter = Greeter::new(self);
        let (ask, asked) = mpsc::channel::<Vec<Ready>>();
        let (tell, told) = mpsc::channel();
        let compute = move || {
            // Where it may not, it does without.
            let _ = nice(NICE);
            let mut buffer = vec![0; CHUNK];
            while let Ok(chosen) = asked.recv() {
                let read = self.read_links(&chosen, &mut buffer);
                if tell.send((chosen, read)).is_err() {
                    return;
                }
            }
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("agreements".to_owned()).stack_size(STACK);
            if let Err(error) = thread.spawn_scoped(scope, compute) {
                halt(&format!("no thread for key agreements: {}", broken(&error)));
            }
            loop {
                let agree = |chosen| {
                    let asked = ask.send(chosen).is_ok();
                    let told = asked.then(|| told.recv().ok()).flatten();
                    told.unwrap_or_else(|| halt("nobody computes key agreements any more"))
                };
                let actions = self.greet_some(&mut greeter, agree).unwrap_or_default();
                if actions.sooner || !actions.dial.is_empty() {
                    perform(actions);
                }
            }
        })
    }

    /// Waits until somebody wants to be greeted, and greets some of them; `agree` reads them, which
    /// takes long, and nothing is written to them meanwhile. `None`: nobody's turn has come.
    pub(super) fn greet_some(
        &self,
        greeter: &mut Greeter,
        agree: impl FnOnce(Vec<Ready>) -> (Vec<Ready>, LinksRead),
    ) -> Option<Actions> {
        if !wait(self.poll(greeter.poll_buffer.poll), &mut greeter.poll_buffer, true) {
            return None;
        }
        let mut actions = Actions::default();
        // Whoever hung up needs no answer: no turn, and no place.
        let (gone, ready): (Vec<_>, Vec<_>) = self
            .ready(&greeter.poll_buffer)
            .into_iter()
            .partition(|(_, flags)| flags.intersects(GONE));
        self.end_gone(gone.iter().map(|(peer, _)| peer.link), &mut actions);
        let mut chosen = greeter.choose(Instant::now(), ready);
        if chosen.is_empty() && gone.is_empty() {
            thread::sleep(REST);
            return None;
        }
        // Whom somebody writes to is found again; to the others nobody does now, but leaves word.
        chosen.retain(|(peer, _)| peer.hold());
        if !chosen.is_empty() {
            let (chosen, read) = agree(chosen);
            self.answer(read, &mut actions);
            for (peer, _) in &chosen {
                self.perform(self.let_go(peer).unwrap_or_default(), &mut actions);
                self.hand_over(peer);
            }
        }
        Some(actions)
    }

    /// These links have hung up.
    fn end_gone(&self, gone: impl Iterator<Item = LinkId>, actions: &mut Actions) {
        let gone: Vec<LinkId> = gone.collect();
        for links in gone.chunks(ENDS) {
            let peers: Vec<Arc<Peer>> = {
                let mut table = lock(&self.peers);
                links.iter().filter_map(|link| table.remove(link)).collect()
            };
            let end = |peer: &Arc<Peer>| {
                let unsent = lock(&peer.connection).end(&CloseReason::Eof);
                self.count(peer, 0);
                (peer.link, unsent)
            };
            let ended: Vec<(LinkId, bool)> = peers.iter().map(end).collect();
            let mut hub = lock(&self.hub);
            let closed =
                ended.into_iter().map(|(link, unsent)| hub.closed(link, CloseReason::Eof, unsent));
            let effects = closed.fold(Effects::default(), Effects::and);
            drop(hub);
            self.perform(effects, actions);
        }
    }

    /// A link that was greeted is served where calls are from now on.
    fn hand_over(&self, peer: &Peer) {
        let mut connection = lock(&peer.connection);
        let Some(watched) = connection.greeted() else { return };
        lock(&self.hub).greeted(peer.link);
        let data = epoll::EventData::new_u64(peer.link.0);
        let moved =
            epoll::delete(self.poll(self.greeting_poll()), &connection.socket).and_then(|()| {
                epoll::add(self.poll_of(peer.link, false), &connection.socket, data, watched)
            });
        if let Err(error) = moved {
            halt(&format!("watching a link: {}", refused(error)));
        }
    }

    /// How many links have not been greeted.
    #[cfg(test)]
    pub(super) fn ungreeted(&self) -> usize {
        lock(&self.peers).values().filter(|peer| lock(&peer.connection).greets()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_burst_and_then_its_rate_and_others_have_theirs() {
        let (burst, rate) = GREETING_RATE;
        let mut allowance = Allowance::default();
        let (now, one, other) =
            (Instant::now(), IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let take = |allowance: &mut Allowance, at, source, cost| {
            (0..2 * burst).filter(|_| allowance.take(at, source, cost)).count()
        };
        assert_eq!(take(&mut allowance, now, one, 1), burst as usize);
        assert_eq!(take(&mut allowance, now, other, TLS_GREETING), (burst / TLS_GREETING) as usize);
        let later = now + Duration::from_secs(1);
        assert_eq!(take(&mut allowance, later, one, 1), rate as usize);
        let hour = now + Duration::from_secs(3600);
        assert_eq!(take(&mut allowance, hour, one, 1), burst as usize, "no more than a burst");
    }

    #[test]
    fn an_office_gets_in_at_nine() {
        let (burst, _) = GREETING_RATE;
        assert!(burst >= 1_000);
    }

    #[test]
    fn addresses_are_forgotten_and_a_network_is_one() {
        let mut allowance = Allowance::default();
        let now = Instant::now();
        for number in 0..3 * u32::try_from(GREETING_SOURCES).unwrap() {
            assert!(allowance.take(now, std::net::Ipv4Addr::from_bits(number).into(), 1));
        }
        assert!(allowance.whole.len() <= GREETING_SOURCES);
        let ip = |text: &str| network(text.parse().unwrap());
        assert_eq!(ip("2001:db8::1"), ip("2001:db8::ffff:1:2:3"));
        assert_ne!(ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
        assert_ne!(ip("192.0.2.1"), ip("192.0.2.2"));
    }
}
