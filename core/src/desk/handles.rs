//! The clock of each handle: a client that is silent for its clean-up time loses it.

use super::Desk;
use crate::io::Link;
use crate::log::{Handle, State};
use crate::time::{Duration, Mono};
use alloc::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
struct Watch {
    heard: Mono,
    link: Option<Link>,
    cleanup: Duration,
    due: Mono,
}

/// When each handle was last heard of.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    handles: BTreeMap<Handle, Watch>,
    due: BTreeSet<(Mono, Handle)>,
}

impl Watches {
    /// Begins to watch a handle, or begins anew.
    pub(super) fn begin(
        &mut self,
        now: Mono,
        handle: Handle,
        link: Option<Link>,
        cleanup: Duration,
    ) {
        self.end(handle);
        let due = now + cleanup;
        self.handles.insert(handle, Watch { heard: now, link, cleanup, due });
        self.due.insert((due, handle));
    }

    /// The handle was used, by this link.
    pub(super) fn heard(&mut self, now: Mono, handle: Handle, link: Link) {
        if let Some(watch) = self.handles.get_mut(&handle) {
            (watch.heard, watch.link) = (now, Some(link));
        }
    }

    /// The handle was used at that time, somewhere else.
    fn used(&mut self, at: Mono, handle: Handle) {
        if let Some(watch) = self.handles.get_mut(&handle) {
            watch.heard = watch.heard.max(at);
        }
    }

    /// When it was last used, as far as is known.
    pub(super) fn last(&self, handle: Handle) -> Option<Mono> {
        self.handles.get(&handle).map(|watch| watch.heard)
    }

    pub(super) fn end(&mut self, handle: Handle) {
        if let Some(watch) = self.handles.remove(&handle) {
            self.due.remove(&(watch.due, handle));
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The clean-up time of a handle is over; `false`: it is not watched.
    #[cfg(feature = "model")]
    pub(super) fn let_end(&mut self, handle: Handle) -> bool {
        let Some(watch) = self.handles.get_mut(&handle) else { return false };
        self.due.remove(&(watch.due, handle));
        *watch = Watch { heard: Mono(0), link: None, cleanup: Duration::ZERO, due: Mono(0) };
        self.due.insert((watch.due, handle))
    }

    /// The handles that are watched.
    #[cfg(feature = "model")]
    pub(super) fn handles(&self) -> alloc::vec::Vec<Handle> {
        self.handles.keys().copied().collect()
    }

    /// When the first one has to be looked at.
    pub(super) fn next_due(&self) -> Option<Mono> {
        self.due.first().map(|&(due, _)| due)
    }

    /// A handle whose client has been silent for its clean-up time; call until there is none.
    /// `link_heard` says when something last came by a link: a client that speaks at all is there.
    pub(super) fn silent(
        &mut self,
        now: Mono,
        link_heard: impl Fn(Link) -> Option<Mono>,
    ) -> Option<Handle> {
        while let Some(&(due, handle)) = self.due.first() {
            if due > now {
                return None;
            }
            self.due.remove(&(due, handle));
            let Some(watch) = self.handles.get_mut(&handle) else { continue };
            let spoke = watch.link.and_then(&link_heard).unwrap_or_default().max(watch.heard);
            if spoke + watch.cleanup <= now {
                self.handles.remove(&handle);
                return Some(handle);
            }
            watch.due = spoke + watch.cleanup;
            self.due.insert((watch.due, handle));
        }
        None
    }
}

impl Desk {
    /// A call has named a handle at that time, and this desk could not take the call: whoever holds
    /// the handle was there then. A seat that only lingers is nobody's.
    pub(crate) fn alive(&mut self, at: Mono, handle: Handle, state: &State) {
        if state.held(handle).is_some() {
            self.watches.used(at, handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_ends_a_handle_and_any_word_of_its_link_keeps_it() {
        let (mut watches, minute) = (Watches::default(), Duration::from_secs(60));
        let at = |seconds: u64| Mono(seconds * 1_000_000);
        watches.begin(at(0), Handle(1), Some(Link(2)), minute);
        watches.begin(at(0), Handle(2), None, minute);
        assert_eq!(watches.next_due(), Some(at(60)));
        assert_eq!(watches.silent(at(59), |_| None), None);
        let heard = |link: Link| (link == Link(2)).then_some(at(30));
        assert_eq!(watches.silent(at(60), heard), Some(Handle(2)));
        assert_eq!(watches.silent(at(60), heard), None);
        assert_eq!(watches.next_due(), Some(at(90)));
        watches.heard(at(80), Handle(1), Link(4));
        assert_eq!(watches.silent(at(90), heard), None);
        assert_eq!(watches.silent(at(140), |_| None), Some(Handle(1)));
        assert_eq!(watches.next_due(), None);
    }
}
