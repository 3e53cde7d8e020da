//! Signs of life of clients whose calls could not be decided. A client that calls the front that
//! stands by while its twin is cut off from the backends gets an error, and the twin, which leads
//! and measures the client's silence, does not see that call: so it is informed. What lives here:
//! signs that are still to be sent, and what follows from those that arrive.

use super::Twin;
use super::sender_link::SenderLink;
use crate::base::limits::{PASSED_WINDOW, SIGNS_WAITING, TWIN_ALIVE};
use crate::base::time::{Duration, Mono};
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::Handle;
use crate::messages::twin::{SignOfLife, TwinMessage, Version};
use crate::wire::Request;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Handles whose clients have called here, each with the time of its latest call, of which the twin
/// does not know yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Signs {
    waiting: BTreeMap<Handle, Mono>,
}

impl Signs {
    /// Notes a call. Returns `false` if there is no room for another handle.
    fn note(&mut self, now: Mono, handle: Handle) -> bool {
        let room = self.waiting.len() < SIGNS_WAITING || self.waiting.contains_key(&handle);
        if room {
            self.waiting.insert(handle, now);
        }
        room
    }

    /// Sends signs to the twin, as many as its link takes.
    fn send(&mut self, now: Mono, link: &mut SenderLink, out: &mut Vec<Intent>) {
        while link.has_version(Version::ALIVE) && link.waiting() < PASSED_WINDOW {
            let mut signs = Vec::new();
            while signs.len() < TWIN_ALIVE {
                let Some((handle, called)) = self.waiting.pop_first() else { break };
                let ago = now.since(called).as_micros().div_ceil(1_000);
                let milliseconds_ago = u32::try_from(ago).unwrap_or(u32::MAX);
                signs.push(SignOfLife { handle, milliseconds_ago });
            }
            if signs.is_empty() {
                return;
            }
            link.send(now, &TwinMessage::Alive(signs), out);
        }
    }
}

/// A call of a client of the twin that the twin could not have decided.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct UndecidedCall {
    pub(in crate::front) handle: Handle,
    pub(in crate::front) called: Mono,
}

/// Returns when the clients called that the twin reports.
pub(in crate::front) fn undecided_calls(
    now: Mono,
    signs: &[SignOfLife],
) -> impl Iterator<Item = UndecidedCall> {
    signs.iter().map(move |sign| {
        let ago = Duration::from_millis(u64::from(sign.milliseconds_ago));
        UndecidedCall { handle: sign.handle, called: now.before(ago) }
    })
}

impl Twin {
    /// Notes that a client of this front has called, and that the call is neither decided here nor
    /// passed on. The twin's own clients are none of this front's.
    pub(in crate::front) fn not_decided(&mut self, now: Mono, link: LinkId, request: &Request) {
        let Some(handle) = request.handle().filter(|_| !link.is_passed()).map(Handle) else {
            return;
        };
        if !self.signs.note(now, handle) {
            tracing::debug!(
                target: "tmr_core::front::twin::alive",
                handle = handle.0, "no room for a sign of life"
            );
        }
    }

    /// Sends the twin the calls that could not be decided. A front that leads has nothing to send:
    /// it has begun to measure silence anew.
    pub(in crate::front) fn send_signs(&mut self, now: Mono, leads: bool, out: &mut Vec<Intent>) {
        if leads {
            self.signs.waiting.clear();
        } else if !self.signs.waiting.is_empty() {
            self.signs.send(now, &mut self.sender.link, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(out: &mut Vec<Intent>) -> Vec<SignOfLife> {
        let signs = out.drain(..).flat_map(|intent| match intent {
            Intent::Send { frame, .. } => match TwinMessage::decode(&frame, Version::ALIVE) {
                Ok(TwinMessage::Alive(signs)) => signs,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
        signs.collect()
    }

    #[test]
    fn each_sign_is_told_once_and_of_each_handle_the_latest() {
        let (mut signs, mut link, mut out) = (Signs::default(), SenderLink::default(), Vec::new());
        signs.note(Mono(1_000), Handle(7));
        signs.note(Mono(5_000), Handle(7));
        signs.send(Mono(6_000), &mut link, &mut out);
        assert!(out.is_empty(), "there is no link");
        link = SenderLink::up(Mono(6_000), LinkId(1), Version::ALIVE - 1);
        signs.send(Mono(6_000), &mut link, &mut out);
        assert!(out.is_empty(), "a program of before does not know of this");
        link = SenderLink::up(Mono(7_000), LinkId(3), Version::ALIVE);
        signs.send(Mono(7_001), &mut link, &mut out);
        let sign = SignOfLife { handle: Handle(7), milliseconds_ago: 3 };
        assert_eq!(told(&mut out), [sign], "rounded up");
        signs.send(Mono(8_000), &mut link, &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn there_is_room_for_so_many_handles_and_they_go_out_in_several_messages() {
        let (mut signs, mut out) = (Signs::default(), Vec::new());
        let last = u32::try_from(SIGNS_WAITING).unwrap();
        assert!((1..=last).all(|handle| signs.note(Mono(1), Handle(handle))));
        assert!(!signs.note(Mono(2), Handle(last + 1)));
        assert!(signs.note(Mono(2), Handle(last)), "one that is known already");
        let mut link = SenderLink::up(Mono(3), LinkId(1), Version::ALIVE);
        signs.send(Mono(3), &mut link, &mut out);
        assert_eq!(out.len(), SIGNS_WAITING / TWIN_ALIVE);
        assert_eq!(told(&mut out).len(), SIGNS_WAITING);
        link.acknowledged(Mono(4), 4);
        assert_eq!(link.waiting(), 0);
    }
}
