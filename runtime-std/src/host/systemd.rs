//! Notifications to systemd (sd_notify): this process listens, reloads, stops, or is alive.
//!
//! Without a service manager that requests it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`) nothing is sent.

use crate::host::node_setup::Worker;
use crate::reactor::steps_taken;
use sd_notify::NotifyState;
use std::thread;
use tmr_core::io::HostEvent;

/// Watchdog notifications within systemd's time-out: one may be late, and one lost.
const SIGNS: u32 = 4;

/// Reports that the process listens and has read its files; `systemctl status` shows the words.
pub fn ready(words: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(words)]);
}

/// Reports that the process reads its files again, until it is [`ready`].
pub fn reloading() {
    // Only `Type=notify-reload` needs the time, which systemd of Debian 12 does not have.
    tell(&[NotifyState::Reloading]);
}

/// Reports that the process stops.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Returns the worker that notifies systemd's watchdog, if it is enabled, for as long as the node
/// takes steps. Systemd ends and restarts a process that hangs.
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

/// Returns whether the node takes a step within a pause after it was asked to.
fn takes_steps(steps: impl Fn() -> u64, ask: impl FnOnce(), pause: impl FnOnce()) -> bool {
    let before = steps();
    ask();
    pause();
    steps() != before
}

fn tell(states: &[NotifyState<'_>]) {
    // This is no error for the process: systemd itself acts on missing notifications.
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
