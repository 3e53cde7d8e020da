//! The idle timer of each handle: a client that is silent for its clean-up time loses the handle.

use super::LicenceService;
use crate::base::limits::{HANDLE_LINKS, SEATLESS_INHERITED, SEATLESS_UNLINKED};
use crate::base::time::{Duration, Mono};
use crate::link::LinkId;
use crate::log::{Handle, State};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;

#[derive(Clone, Debug)]
struct Watch {
    heard: Mono,
    /// The address that owns the handle.
    home: IpAddr,
    /// The open links that have used it, the latest last.
    links: Vec<LinkId>,
    /// When the last of them closed, or when this service began to watch it without a link.
    left: Mono,
    cleanup: Duration,
    /// Whether it takes no seat: without a link it ends soon.
    seatless: bool,
    /// Whether no link has used it since this service began to watch it.
    inherited: bool,
    due: Mono,
}

impl Watch {
    /// Returns when the handle ends without further calls. `spoke`: the last call on one of its
    /// links.
    fn end(&self, spoke: Option<Mono>) -> Mono {
        let end = spoke.unwrap_or_default().max(self.heard) + self.cleanup;
        if !self.links.is_empty() || !self.seatless {
            return end;
        }
        let unlinked = if self.inherited { SEATLESS_INHERITED } else { SEATLESS_UNLINKED };
        end.min(self.left.max(self.heard) + unlinked)
    }
}

/// The parameters by which a handle is watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    /// The address that owns the handle.
    pub(super) home: IpAddr,
    /// The link by which it was taken, if that is known.
    pub(super) link: Option<LinkId>,
    /// How long the client may be silent.
    pub(super) cleanup: Duration,
    /// Whether it takes no seat.
    pub(super) seatless: bool,
}

/// The idle timers of all handles.
#[derive(Clone, Debug, Default)]
pub(super) struct IdleTimers {
    handles: BTreeMap<Handle, Watch>,
    due: BTreeSet<(Mono, Handle)>,
    /// The handles that each link has used.
    links: BTreeSet<(LinkId, Handle)>,
}

impl IdleTimers {
    /// Starts the timer of a handle, or restarts it.
    pub(super) fn begin(&mut self, now: Mono, handle: Handle, watched: Watched) {
        self.end(handle);
        let Watched { home, link, cleanup, seatless } = watched;
        let mut watch = Watch {
            heard: now,
            home,
            links: link.into_iter().collect(),
            left: now,
            cleanup,
            seatless,
            inherited: link.is_none(),
            due: now,
        };
        watch.due = watch.end(None);
        self.due.insert((watch.due, handle));
        self.links.extend(link.map(|link| (link, handle)));
        self.handles.insert(handle, watch);
    }

    /// Records that the handle was used by this link.
    pub(super) fn heard(&mut self, now: Mono, handle: Handle, link: LinkId) {
        let Some(watch) = self.handles.get_mut(&handle) else { return };
        watch.heard = now;
        watch.inherited = false;
        if watch.links.last() == Some(&link) {
            return;
        }
        watch.links.retain(|other| *other != link);
        if watch.links.len() >= HANDLE_LINKS {
            let oldest = watch.links.remove(0);
            self.links.remove(&(oldest, handle));
        }
        watch.links.push(link);
        self.links.insert((link, handle));
    }

    /// Moves the handle to another address, from which this link uses it.
    pub(super) fn moved(&mut self, now: Mono, handle: Handle, link: LinkId, home: IpAddr) {
        if let Some(watch) = self.handles.get_mut(&handle) {
            watch.home = home;
        }
        self.heard(now, handle, link);
    }

    /// Removes a closed link, with the time of its last call. A handle that no other open link has
    /// used is then without a link.
    pub(super) fn unlinked(&mut self, now: Mono, link: LinkId, spoke: Mono) {
        let of = (link, Handle(0))..=(link, Handle(u32::MAX));
        let handles: Vec<Handle> = self.links.range(of).map(|&(_, handle)| handle).collect();
        for handle in handles {
            self.links.remove(&(link, handle));
            let Some(watch) = self.handles.get_mut(&handle) else { continue };
            watch.links.retain(|other| *other != link);
            watch.left = now;
            // Any call on a link counts as activity of its handles' holder.
            watch.heard = watch.heard.max(spoke);
            let due = watch.end(None).min(watch.due);
            self.due.remove(&(watch.due, handle));
            watch.due = due;
            self.due.insert((due, handle));
        }
    }

    /// Returns the address that owns a handle.
    pub(super) fn home(&self, handle: Handle) -> Option<IpAddr> {
        self.handles.get(&handle).map(|watch| watch.home)
    }

    /// Returns the open links that have used it.
    pub(super) fn users(&self, handle: Handle) -> &[LinkId] {
        self.handles.get(&handle).map_or(&[], |watch| &watch.links)
    }

    /// Records a use of the handle at that time by a call to another server.
    fn used(&mut self, at: Mono, handle: Handle) {
        if let Some(watch) = self.handles.get_mut(&handle) {
            watch.heard = watch.heard.max(at);
        }
    }

    /// Returns when it was last used, as far as that is known.
    pub(super) fn last(&self, handle: Handle) -> Option<Mono> {
        self.handles.get(&handle).map(|watch| watch.heard)
    }

    pub(super) fn end(&mut self, handle: Handle) {
        if let Some(watch) = self.handles.remove(&handle) {
            self.due.remove(&(watch.due, handle));
            for link in watch.links {
                self.links.remove(&(link, handle));
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Lets the clean-up time of a handle end; returns `false` if it is not watched.
    #[cfg(feature = "model")]
    pub(super) fn let_end(&mut self, handle: Handle) -> bool {
        let Some(watch) = self.handles.get_mut(&handle) else { return false };
        self.due.remove(&(watch.due, handle));
        for link in core::mem::take(&mut watch.links) {
            self.links.remove(&(link, handle));
        }
        watch.heard = Mono(0);
        watch.cleanup = Duration::ZERO;
        watch.due = Mono(0);
        self.due.insert((watch.due, handle))
    }

    /// Returns the links by which handles were taken or used.
    pub(super) fn links(&self) -> BTreeSet<LinkId> {
        self.links.iter().map(|(link, _)| *link).collect()
    }

    /// Returns the handles that are watched.
    #[cfg(feature = "model")]
    pub(super) fn handles(&self) -> Vec<Handle> {
        self.handles.keys().copied().collect()
    }

    /// Returns when the first timer is due.
    pub(super) fn next_due(&self) -> Option<Mono> {
        self.due.first().map(|&(due, _)| due)
    }

    /// Returns a handle whose client has been silent for its clean-up time; to be called until
    /// there is none. `link_heard` returns the time of the last call on a link: any call counts as
    /// activity.
    pub(super) fn silent(
        &mut self,
        now: Mono,
        link_heard: impl Fn(LinkId) -> Option<Mono>,
    ) -> Option<Handle> {
        while let Some(&(due, handle)) = self.due.first() {
            if due > now {
                return None;
            }
            self.due.remove(&(due, handle));
            let Some(watch) = self.handles.get_mut(&handle) else { continue };
            watch.due = watch.end(watch.links.iter().copied().filter_map(&link_heard).max());
            if watch.due <= now {
                self.end(handle);
                return Some(handle);
            }
            self.due.insert((watch.due, handle));
        }
        None
    }
}

impl LicenceService {
    /// Records that a call named a handle at that time which this service could not serve: the
    /// holder was active then. A seat that only lingers has no holder.
    pub(crate) fn alive(&mut self, at: Mono, handle: Handle, state: &State) {
        if state.held(handle).is_some() {
            self.watches.used(at, handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000)
    }

    fn watched(link: Option<LinkId>) -> Watched {
        Watched { home: [192, 0, 2, 1].into(), link, cleanup: MINUTE, seatless: false }
    }

    #[test]
    fn what_takes_no_seat_ends_soon_after_its_link() {
        let mut watches = IdleTimers::default();
        let (hour, second) = (Duration::from_secs(3_600), Duration::from_secs(1));
        let of = |link| Watched { cleanup: hour, seatless: true, ..watched(link) };
        for handle in 1..=3 {
            watches.begin(at(0), Handle(handle), of(Some(LinkId(7))));
        }
        watches.begin(at(0), Handle(4), Watched { seatless: false, ..of(Some(LinkId(7))) });
        watches.heard(at(50), Handle(3), LinkId(8));
        watches.unlinked(at(100), LinkId(7), at(90));
        assert_eq!(watches.next_due(), Some(at(700)));
        watches.heard(at(130), Handle(2), LinkId(9));
        assert_eq!(watches.silent(at(700), |_| None), Some(Handle(1)));
        assert_eq!(watches.silent(at(700), |_| None), None, "its client came back, or was there");
        watches.unlinked(at(200), LinkId(9), at(130));
        watches.unlinked(at(200) + second, LinkId(9), at(130));
        assert_eq!(watches.silent(at(800), |_| None), Some(Handle(2)));
        assert_eq!(watches.silent(at(3_689), |_| None), None, "the link has spoken at 90");
        assert_eq!(watches.silent(at(3_690), |_| None), Some(Handle(3)), "another link is there");
        assert_eq!(watches.silent(at(3_690), |_| None), Some(Handle(4)), "a seat keeps its time");
        assert!(watches.links.is_empty() && watches.due.is_empty());
    }

    #[test]
    fn the_last_word_of_a_link_counts_when_it_has_broken() {
        let mut watches = IdleTimers::default();
        watches.begin(at(0), Handle(1), watched(Some(LinkId(2))));
        // The client has made other calls all the time.
        watches.unlinked(at(300), LinkId(2), at(299));
        assert_eq!(watches.silent(at(358), |_| None), None);
        assert_eq!(watches.silent(at(359), |_| None), Some(Handle(1)));
    }

    #[test]
    fn a_handle_is_used_while_one_of_its_links_is_there() {
        let mut watches = IdleTimers::default();
        watches.begin(at(0), Handle(1), Watched { seatless: true, ..watched(Some(LinkId(2))) });
        for link in 4..20 {
            watches.heard(at(link), Handle(1), LinkId(link));
        }
        assert_eq!(watches.users(Handle(1)).len(), HANDLE_LINKS);
        watches.heard(at(20), Handle(1), LinkId(2));
        for link in 4..20 {
            watches.unlinked(at(30), LinkId(link), at(20));
        }
        assert_eq!(watches.users(Handle(1)), [LinkId(2)]);
        let spoke = |link: LinkId| (link == LinkId(2)).then_some(at(100));
        assert_eq!(watches.silent(at(159), spoke), None);
        assert_eq!(watches.silent(at(160), spoke), Some(Handle(1)));
        assert!(watches.links.is_empty() && watches.due.is_empty());
    }

    #[test]
    fn silence_ends_a_handle_and_any_word_of_its_link_keeps_it() {
        let mut watches = IdleTimers::default();
        watches.begin(at(0), Handle(1), watched(Some(LinkId(2))));
        watches.begin(at(0), Handle(2), watched(None));
        assert_eq!(watches.next_due(), Some(at(60)));
        assert_eq!(watches.silent(at(59), |_| None), None);
        let heard = |link: LinkId| (link == LinkId(2)).then_some(at(30));
        assert_eq!(watches.silent(at(60), heard), Some(Handle(2)));
        assert_eq!(watches.silent(at(60), heard), None);
        assert_eq!(watches.next_due(), Some(at(90)));
        watches.heard(at(80), Handle(1), LinkId(4));
        assert_eq!(watches.silent(at(90), heard), None);
        assert_eq!(watches.silent(at(140), |_| None), Some(Handle(1)));
        assert_eq!(watches.next_due(), None);
    }
}
