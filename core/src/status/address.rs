//! What `/api/status` says of the machines that the virtual address could go to.

use alloc::string::String;
use serde::Serialize;

/// Which machines could take the virtual address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressStatus {
    /// This machine.
    pub this: CouldTake,
    /// The other front's.
    pub other: CouldTake,
}

/// Whether a machine could take the virtual address, or keep it, and its front serve there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CouldTake {
    /// `null`: nothing is known of what moves the address there.
    pub could_take: Option<bool>,
    /// Why it could not, in a sentence; `null` otherwise.
    pub reason: Option<String>,
}
