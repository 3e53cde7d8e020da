//! What systemd is told (sd_notify): that this process listens, reads its files anew, stops, and
//! still works.
//!
//! Without a service manager that asks for it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`) nothing is told.

use crate::host::node_setup::Worker;
use crate::reactor::steps_taken;
use sd_notify::NotifyState;
use std::thread;
use tmr_core::io::HostEvent;

/// Signs of life in the time after which systemd gives up: one may be late, and one lost.
const SIGNS: u32 = 4;

/// It listens, and has read what it was told to read; the words are shown by `systemctl status`.
pub fn ready(words: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(words)]);
}

/// It reads its files anew, until it is [`ready`] again.
pub fn reloading() {
    // The time of it is wanted for `Type=notify-reload` alone, which systemd of Debian 12 has not.
    tell(&[NotifyState::Reloading]);
}

/// It was told to stop, and does.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// If systemd wants signs of life: gives them for as long as the node takes steps. One that hangs
/// is ended by systemd and started again.
pub(super) fn watchdog() -> Option<Worker> {
    let pause = sd_notify::watchdog_enabled()? / SIGNS;
    Some(Box::new(move |tell_node| {
        loop {
            if takes_steps(steps_taken, || tell_node(HostEvent::Probe), || thread::sleep(pause)) {
                tell(&[NotifyState::Watchdog]);
            }
        }
    }))
}

/// Returns whether the node takes a step when it is asked to, within a pause.
fn takes_steps(steps: impl Fn() -> u64, ask: impl FnOnce(), pause: impl FnOnce()) -> bool {
    let before = steps();
    ask();
    pause();
    steps() != before
}

fn tell(states: &[NotifyState<'_>]) {
    // Whoever does not listen needs no error: systemd itself acts on what it does not hear.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(
            target: "tmr_runtime_std::daemon::notify",
            "systemd cannot be told: {error}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn only_a_node_that_takes_steps_is_alive() {
        let steps = Cell::new(7);
        let step = || steps.set(steps.get() + 1);
        assert!(takes_steps(|| steps.get(), step, || ()), "at once");
        assert!(takes_steps(|| steps.get(), || (), step), "within the pause");
        assert!(!takes_steps(|| steps.get(), || (), || ()), "it hangs");
    }
}
