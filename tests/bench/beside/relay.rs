//! A client whose frames come back as they are, from behind a relay.

use tmr_core::link::CloseReason;
use tmr_runtime_std::commands::bench::load::{Caller, Heard};

/// One client.
#[derive(Debug)]
pub(crate) struct Relay {
    frame: Vec<u8>,
    missing: usize,
    ready: bool,
}

impl Relay {
    /// With frames of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { frame: vec![0x5a; bytes], missing: 0, ready: false }
    }
}

impl Caller for Relay {
    fn greet(&mut self, wire: &mut Vec<u8>) {
        // The first frame makes the relay open its other side.
        self.missing = self.frame.len();
        wire.extend_from_slice(&self.frame);
    }

    fn hear(&mut self, bytes: &[u8], _: &mut Vec<u8>) -> Result<Heard, CloseReason> {
        let left = self.missing.checked_sub(bytes.len());
        self.missing = left.ok_or(CloseReason::Protocol("more came back than was sent"))?;
        if self.missing > 0 {
            return Ok(Heard::Nothing);
        }
        let first = !std::mem::replace(&mut self.ready, true);
        Ok(if first { Heard::Ready } else { Heard::Answered })
    }

    fn ask(&mut self, last: bool, wire: &mut Vec<u8>) -> Option<&'static str> {
        if last {
            return None;
        }
        self.missing = self.frame.len();
        wire.extend_from_slice(&self.frame);
        Some("relay")
    }
}
