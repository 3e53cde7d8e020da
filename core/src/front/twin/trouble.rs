//! What is wrong with one of the two links, as a text for operators.

use crate::base::log_throttle::LogThrottle;
use crate::base::time::Mono;
use alloc::format;
use alloc::string::String;

/// What is wrong with one of the two links.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    text: Option<String>,
    logged: LogThrottle,
}

impl Trouble {
    /// Returns the text; `None` if nothing is known to be wrong.
    pub(super) fn text(&self) -> Option<&String> {
        self.text.as_ref()
    }

    /// Keeps the text, and logs it unless another one was logged lately.
    pub(super) fn note(&mut self, now: Mono, text: String) {
        self.logged.warn(now, &format!("twin: {text}"));
        self.text = Some(text);
    }

    /// Keeps a text that was logged elsewhere.
    pub(super) fn keep(&mut self, text: String) {
        self.text = Some(text);
    }
}
