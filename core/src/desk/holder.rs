//! What is known of a handle, whether it takes a seat (the log knows it) or not (the desk does).

use super::{Desk, Held};
use crate::log::{Client, Handle, Mode, Seat, State};
use crate::time::Wall;
use crate::wire::CmError;

/// A handle that takes no seat: the service, a container, a firm item, a licence without limit.
#[derive(Clone, Debug)]
pub(super) struct Loose {
    pub(super) held: Held,
    /// It was taken for the firm item, not for one of its products.
    pub(super) firm_item: bool,
    pub(super) client: Client,
    pub(super) since: Wall,
    pub(super) cleanup_seconds: u32,
}

/// A handle, whichever of the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder<'a> {
    pub(super) handle: Handle,
    pub(super) held: Held,
    pub(super) firm_item: bool,
    pub(super) mode: Mode,
    /// Licences it takes.
    pub(super) take: u32,
    pub(super) client: &'a Client,
    pub(super) since: Wall,
    pub(super) cleanup_seconds: u32,
}

impl Desk {
    /// What is known of a handle.
    ///
    /// # Errors
    /// 106 for one that nobody holds; a seat that only lingers is nobody's.
    pub(super) fn holder<'a>(
        &'a self,
        handle: Handle,
        state: &'a State,
    ) -> Result<Holder<'a>, CmError> {
        if let Some(seat) = state.seat(handle).filter(|_| !state.lingers(handle)) {
            return Ok(Holder::of_seat(seat));
        }
        let loose = self.loose.get(&handle).ok_or(CmError::INVALID_HANDLE)?;
        Ok(Holder::of_loose(handle, loose))
    }

    /// What a handle stands for.
    ///
    /// # Errors
    /// 106 for one that nobody holds.
    pub(super) fn find(&self, handle: Handle, state: &State) -> Result<Held, CmError> {
        self.holder(handle, state).map(|holder| holder.held)
    }

    /// Everyone who holds a licence: seats, then handles that take none. Firm items are not among
    /// them.
    pub(super) fn holders<'a>(&'a self, state: &'a State) -> impl Iterator<Item = Holder<'a>> {
        let loose = self.loose.iter().map(|(&handle, loose)| Holder::of_loose(handle, loose));
        let licences =
            loose.filter(|holder| matches!(holder.held, Held::Licence(_)) && !holder.firm_item);
        let seats = state.seats().filter(|seat| !state.lingers(seat.handle));
        seats.map(Holder::of_seat).chain(licences)
    }
}

impl<'a> Holder<'a> {
    fn of_seat(seat: &'a Seat) -> Self {
        let take = match seat.mode {
            Mode::UserLimit | Mode::Exclusive => seat.take,
            Mode::StationShare => 1,
            Mode::NoUserLimit => 0,
        };
        Self {
            handle: seat.handle,
            held: Held::Licence(seat.licence),
            firm_item: false,
            mode: seat.mode,
            take,
            client: &seat.client,
            since: seat.since,
            cleanup_seconds: seat.cleanup_seconds,
        }
    }

    fn of_loose(handle: Handle, loose: &'a Loose) -> Self {
        Self {
            handle,
            held: loose.held,
            firm_item: loose.firm_item,
            mode: Mode::NoUserLimit,
            take: 0,
            client: &loose.client,
            since: loose.since,
            cleanup_seconds: loose.cleanup_seconds,
        }
    }
}
