//! The twin's part in a planned failover: whether it could lead, and the order to.

use super::Twin;
use super::context::Context;
use crate::base::time::Mono;
use crate::io::Intent;
use crate::log::Epoch;
use crate::messages::twin::Version;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Twin {
    /// Returns whether the twin can be given the lead in good order, as far as its links show.
    ///
    /// # Errors
    /// Why not, in a sentence for people.
    pub(in crate::front) fn could_lead(&self, now: Mono) -> Result<(), String> {
        let said;
        let reason = if !self.is_connected() {
            "is not connected"
        } else if let Some(silent) = self.silent_for(now) {
            said = format!("has said nothing for {} s", silent.as_secs());
            &said
        } else if !self.sender.link.has_version(Version::GIVES_LEAD) {
            "runs a version of tmrd that cannot be given the role"
        } else if !self.sender.follows() {
            "does not have this front's log yet"
        } else {
            return Ok(());
        };
        let address = &self.config.address;
        Err(format!(
            "the twin {address} {reason}; to have it lead all the same: tmrd activate there"
        ))
    }

    /// Orders the twin to lead, when no call is being worked on any more. Lines of the usage
    /// history that it lacks are sent first.
    pub(in crate::front) fn send_lead(
        &mut self,
        now: Mono,
        epoch: Epoch,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.sender.send_lead(now, epoch, context, out);
    }
}
