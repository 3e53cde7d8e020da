//! What keeps a backend from being counted, in words for people, and when that is logged.

use crate::base::limits::TROUBLE_LASTS;
use crate::base::network::Address;
use alloc::string::String;

/// What keeps a backend from being counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    text: Option<String>,
    /// A text that is logged after this many heartbeats, unless the trouble has passed by then.
    unlogged: Option<(u8, String)>,
}

impl Trouble {
    /// Returns the trouble in words.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Sets the trouble without logging it.
    pub(super) fn set(&mut self, text: String) {
        self.text = Some(text);
    }

    /// Ends the trouble. Returns whether there was one.
    pub(super) fn clear(&mut self) -> bool {
        self.text.take().is_some()
    }

    /// Sets the trouble and logs it, once for each trouble.
    pub(super) fn complain(&mut self, address: &Address, text: String) {
        if self.text.as_ref() != Some(&text) {
            log(address, &text);
            self.text = Some(text);
        }
    }

    /// Sets the trouble, and logs it only if it lasts: see [`Trouble::log_what_lasts`].
    pub(super) fn complain_later(&mut self, text: String) {
        if self.text.as_ref() != Some(&text) {
            self.unlogged = Some((TROUBLE_LASTS, text.clone()));
            self.text = Some(text);
        }
    }

    /// Logs, with a heartbeat, a trouble that has lasted for [`TROUBLE_LASTS`] of them.
    pub(super) fn log_what_lasts(&mut self, address: &Address) {
        let due = self.unlogged.take_if(|(beats, _)| {
            *beats = beats.saturating_sub(1);
            *beats == 0
        });
        if let Some((_, text)) = due.filter(|(_, text)| self.text.as_ref() == Some(text)) {
            log(address, &text);
        }
    }
}

fn log(address: &Address, text: &str) {
    tracing::warn!(target: "tmr_core::front::replicate", backend = %address, "{text}");
}
