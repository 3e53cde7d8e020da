//! The rate limit of admin pages. All links of an address, or of an IPv6 network, at the admin
//! listener share an allowance of bytes of pages a second: requests above it are delayed, and delay
//! neither calls nor the pages of other addresses. The machine's own socket is not counted.

use super::{Answer, Asked, Hub, Output};
use crate::base::limits::{PAGE_ADDRESSES, PAGE_COST, PAGES_AHEAD, PAGES_RATE};
use crate::base::network::network;
use crate::base::time::{Duration, Mono, Now};
use crate::io::Input;
use crate::link::{LinkId, Listener};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;

/// The used share of each address, and the links that wait.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// When all counted pages of an address are paid off.
    paid: BTreeMap<IpAddr, Mono>,
    /// Links whose next request is delayed, in the order of the requests.
    waiting: VecDeque<(LinkId, IpAddr)>,
}

impl Pages {
    /// Returns when an address may have its next page.
    fn next(&self, from: IpAddr) -> Mono {
        let ahead = u64::try_from(PAGES_AHEAD.as_micros()).unwrap_or(u64::MAX);
        Mono(self.paid.get(&from).map_or(0, |paid| paid.0.saturating_sub(ahead)))
    }

    /// Counts a page with this number of bytes.
    fn take(&mut self, now: Mono, from: IpAddr, bytes: usize) {
        if self.paid.len() >= PAGE_ADDRESSES {
            self.paid.retain(|_, paid| *paid > now);
        }
        // If the table is full, further addresses are not delayed.
        if self.paid.len() < PAGE_ADDRESSES || self.paid.contains_key(&from) {
            let cost = bytes as u64 + PAGE_COST;
            let time = Duration::from_micros(cost.saturating_mul(1_000_000) / PAGES_RATE);
            let paid = self.paid.entry(from).or_insert(now);
            *paid = (*paid).max(now) + time;
        }
    }

    /// Returns when the first delayed request is due.
    pub(super) fn due(&self) -> Option<Mono> {
        self.waiting.iter().map(|(_, from)| self.next(*from)).min()
    }

    /// Whether a link's next request is delayed.
    pub(super) fn waits(&self, link: LinkId) -> bool {
        self.waiting.iter().any(|(other, _)| *other == link)
    }

    /// Removes a closed link.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.waiting.retain(|(other, _)| *other != link);
    }
}

impl Hub {
    /// Hands requests for pages to the node, as far as the shares of their addresses allow; the
    /// others are delayed.
    pub(super) fn serve_pages(
        &mut self,
        now: Now,
        pages: Vec<(LinkId, Asked)>,
        out: &mut Vec<Output>,
    ) {
        for (link, asked) in pages {
            match self.counted(link) {
                // The request waits behind those of the same address.
                Some(from)
                    if self.pages.next(from) > now.mono
                        || self.pages.waiting.iter().any(|(_, other)| *other == from) =>
                {
                    self.put_off(link, from, asked);
                }
                _ => self.page(now, link, asked, out),
            }
        }
    }

    /// Serves the delayed requests that are due.
    pub(super) fn resume_pages(&mut self, now: Now, out: &mut Vec<Output>) {
        for (link, from) in core::mem::take(&mut self.pages.waiting) {
            if self.pages.next(from) > now.mono {
                self.pages.waiting.push_back((link, from));
                continue;
            }
            let port = self.ports.get_mut(&link).filter(|port| !port.forgotten);
            let Some(port) = port else { continue };
            let Some(asked) = port.requests.pop_front() else { continue };
            port.answer = Answer::Asked;
            if port.is_counted() {
                port.held -= asked.cost();
                self.held -= asked.cost();
            }
            self.page(now, link, asked, out);
        }
    }

    /// Counts a page that is sent on a link.
    pub(super) fn page_made(&mut self, now: Now, link: LinkId, bytes: usize) {
        if let Some(from) = self.counted(link) {
            self.pages.take(now.mono, from, bytes);
        }
    }

    fn page(&mut self, now: Now, link: LinkId, asked: Asked, out: &mut Vec<Output>) {
        let frame = asked.handed_over(now.mono);
        self.step(now, Input::Counted(self.listeners.counted(&self.counts)), out);
        self.step(now, Input::Frame { link, frame }, out);
    }

    /// Returns the address to which a link's pages are counted, if they are.
    fn counted(&self, link: LinkId) -> Option<IpAddr> {
        let (listener, from) = self.ports.get(&link)?.listener?;
        (listener == Listener::Admin).then(|| network(from.ip()))
    }

    fn put_off(&mut self, link: LinkId, from: IpAddr, asked: Asked) {
        let Some(port) = self.ports.get_mut(&link) else { return };
        let more = asked.cost();
        port.answer = Answer::Gone;
        port.requests.push_front(asked);
        self.hold(link, more);
        self.pages.waiting.push_back((link, from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn an_address_has_a_second_of_pages_ahead_and_then_its_rate() {
        let mut pages = Pages::default();
        let second = Duration::from_secs(1);
        let mut now = Mono(5);
        let take = |pages: &mut Pages, now: Mono, from: IpAddr| {
            let mut bytes = 0;
            while pages.next(from) <= now {
                pages.take(now, from, 100_000);
                bytes += 100_000;
            }
            bytes
        };
        let (rate, page) = (PAGES_RATE, 100_000 + PAGE_COST);
        let near = |bytes: u64, expected: u64| bytes.abs_diff(expected) <= expected / 20 + 2 * page;
        assert!(near(take(&mut pages, now, ONE), rate));
        assert!(near(take(&mut pages, now, [192, 0, 2, 2].into()), rate), "others have theirs");
        now = now + second;
        assert!(near(take(&mut pages, now, ONE), rate));
        now = now + second * 3_600;
        assert!(near(take(&mut pages, now, ONE), rate), "nobody saves them up");
        for number in 0..u32::try_from(2 * PAGE_ADDRESSES).unwrap() {
            pages.take(now, IpAddr::from(number.to_be_bytes()), 1);
        }
        assert!(pages.paid.len() <= PAGE_ADDRESSES);
    }
}
