//! Taking and releasing a seat, for nearly every test.

use crate::independent_client::{AccessRequest, Client, Fault, release};

/// Takes a seat with CmAccess2.
///
/// # Errors
/// The conversation broke; `Ok(Err(status))` is a refusal.
pub fn take(client: &mut Client, ask: &AccessRequest) -> Result<Result<u32, u32>, Fault> {
    Ok(client.call(&ask.access2())?.done())
}

/// Gives a handle back.
///
/// # Errors
/// The conversation broke; `Ok(Err(status))` is a refusal.
pub fn give_back(client: &mut Client, handle: u32) -> Result<Result<u32, u32>, Fault> {
    Ok(client.call(&release(handle))?.done())
}
