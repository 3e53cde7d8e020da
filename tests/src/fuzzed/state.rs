//! Snapshots and the state machine of the log. A state that is decoded, encoded and decoded again
//! is the same, also after any further entries, and no grant exceeds the quantity of its licence.

use super::{piece, pieces};
use arbitrary::Unstructured;
use tmr_core::log::{Entry, Outcome, State, Usage};

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let snapshot = piece(&mut input);
    let mut state = State::decode(snapshot).unwrap_or_default();
    for bytes in pieces(&mut input) {
        let Ok((entry, _)) = postcard::take_from_bytes::<Entry>(bytes) else { continue };
        let mut again = State::decode(&state.encode()).expect("it was encoded just now");
        assert_eq!(again, state, "a snapshot lost something");
        let before = state.clone();
        let outcome = state.apply(&entry);
        assert_eq!(again.apply(&entry), outcome);
        granted(&before, &state, &entry, &outcome);
    }
    assert_eq!(State::decode(&state.encode()), Some(state));
}

/// Checks that an accepted grant is in the state and within the quantity of its licence. A grant
/// that takes no further seat, such as another share of a station, is accepted whatever the
/// quantity is.
fn granted(before: &State, state: &State, entry: &Entry, outcome: &Outcome) {
    let (Entry::Grant(grant), Outcome::Granted) = (entry, outcome) else { return };
    assert_eq!(state.seat(grant.handle), Some(grant));
    let Some(licence) = grant.held.licence() else { return };
    let used = state.usage(licence).expect("it is in use").used();
    let taken = before.usage(licence).map_or(0, Usage::used);
    assert!(used <= grant.quantity || used == taken, "{taken}, then {used} of {grant:?}");
}
