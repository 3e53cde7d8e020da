//! What a node hands to the thread that writes its history. The node is never held up: it lays lines
//! down and goes on, and beyond a bound they are counted and gone. Nobody is woken for a line; who
//! writes comes by once a second.

use super::Settings;
use crate::host::node_setup::Tell;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tmr_core::base::limits::HISTORY_QUEUE;
use tmr_core::history::Mark;
use tmr_core::io::HostEvent;

/// Lines that are enough to be written at once, in bytes.
const HEAP: usize = HISTORY_QUEUE / 16;
/// How long the end of a process waits for what its node has to record still.
const LAST_WORD: Duration = Duration::from_millis(500);
/// How long the end of a process waits for its last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Lines on their way to the disk.
#[derive(Debug, Default)]
pub struct Tray {
    laid: Mutex<Laid>,
    changed: Condvar,
}

/// What was laid down.
#[derive(Debug, Default)]
pub(super) struct Laid {
    /// Somebody takes it up.
    served: bool,
    /// To be written.
    pub(super) lines: Vec<u8>,
    /// Lines there was no room for.
    pub(super) lost: u64,
    /// Lines after this are wanted back.
    pub(super) recall: Option<Option<Mark>>,
    /// Lines behind so many bytes are kept otherwise.
    pub(super) change: Option<(usize, Settings)>,
    /// The node has laid down its last lines.
    all: bool,
    /// The process ends.
    pub(super) stop: bool,
    /// The last lines are written.
    done: bool,
}

impl Tray {
    fn laid(&self) -> MutexGuard<'_, Laid> {
        self.laid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines are to be written. Where nobody writes, they are nobody's.
    pub fn record(&self, lines: &[u8]) {
        let mut laid = self.laid();
        if !laid.served {
            return;
        }
        if laid.lines.len() + lines.len() > HISTORY_QUEUE {
            let count = lines.iter().filter(|byte| **byte == b'\n').count();
            laid.lost = laid.lost.saturating_add(count as u64);
            return;
        }
        let heap = laid.lines.len() < HEAP;
        laid.lines.extend_from_slice(lines);
        if heap && laid.lines.len() >= HEAP {
            self.changed.notify_all();
        }
    }

    /// Lines are to be read back.
    pub fn recall(&self, after: Option<Mark>) {
        self.laid().recall = Some(after);
        self.changed.notify_all();
    }

    /// Lines that come from now on are kept so.
    pub fn change(&self, settings: Settings) {
        let mut laid = self.laid();
        let upto = laid.change.as_ref().map_or(laid.lines.len(), |(upto, _)| *upto);
        laid.change = Some((upto, settings));
        self.changed.notify_all();
    }

    /// Takes up what there is, after this time or when it cannot wait.
    pub(super) fn wait(&self, within: Duration) -> Laid {
        let idle = |laid: &mut Laid| {
            let asked = laid.stop || laid.recall.is_some() || laid.change.is_some();
            !asked && laid.lines.len() < HEAP
        };
        let mut laid = self.laid();
        laid.served = true;
        let (mut laid, _) = self
            .changed
            .wait_timeout_while(laid, within, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let (stop, all, served) = (laid.stop, laid.all, true);
        std::mem::replace(&mut *laid, Laid { stop, all, served, ..Laid::default() })
    }

    /// The node has laid down its last lines.
    pub fn all_laid(&self) {
        self.laid().all = true;
        self.changed.notify_all();
    }

    /// Waits for the node's last lines, but not for long: it may hang.
    fn wait_for_all(&self) {
        let (laid, left) = (self.laid(), |laid: &mut Laid| !laid.all);
        drop(self.changed.wait_timeout_while(laid, LAST_WORD, left));
    }

    /// All is written.
    pub(super) fn done(&self) {
        self.laid().done = true;
        self.changed.notify_all();
    }

    /// The process ends: waits until all is written, but not for long.
    fn finish(&self) {
        let mut laid = self.laid();
        if !laid.served {
            return;
        }
        laid.stop = true;
        self.changed.notify_all();
        let until = Instant::now() + LAST_LINES;
        while !laid.done {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            let waited = self.changed.wait_timeout(laid, left);
            (laid, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What is to be done before a process that was told to stop ends.
#[derive(Clone, Default)]
pub struct ShutdownFlush(Arc<OnceLock<(Arc<Tray>, Tell)>>);

impl fmt::Debug for ShutdownFlush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Farewell").finish_non_exhaustive()
    }
}

impl ShutdownFlush {
    /// The node records what it has only counted so far, and the last lines of the history are
    /// written.
    pub fn say(&self) {
        if let Some((tray, tell)) = self.0.get() {
            tell(HostEvent::Stopping);
            tray.wait_for_all();
            tray.finish();
        }
    }

    /// From now on it waits for what lies there, and for the node that is told by `tell`.
    pub(super) fn waits_for(&self, tray: &Arc<Tray>, tell: &Tell) {
        let _ = self.0.set((Arc::clone(tray), Arc::clone(tell)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn lines_wait_until_they_are_fetched_and_are_lost_beyond_the_bound() {
        let tray = Tray::default();
        tray.record(b"nobody writes\n");
        assert!(tray.wait(Duration::ZERO).lines.is_empty());
        tray.record(b"one\n");
        tray.record(b"two\n");
        let most = vec![b'x'; HISTORY_QUEUE];
        tray.record(&most);
        tray.record(b"\n\n");
        let laid = tray.wait(Duration::ZERO);
        assert_eq!((laid.lines.as_slice(), laid.lost), (b"one\ntwo\n\n\n".as_slice(), 0));
        tray.record(&most);
        tray.record(b"a\nb\n");
        let laid = tray.wait(Duration::from_secs(60));
        assert_eq!((laid.lines.len(), laid.lost), (HISTORY_QUEUE, 2));
        tray.recall(None);
        assert_eq!(tray.wait(Duration::from_secs(60)).recall, Some(None));
        assert_eq!(tray.wait(Duration::ZERO).recall, None);
    }

    #[test]
    fn lines_behind_a_change_are_kept_otherwise() {
        let kept = |months| {
            let folder = "history".into();
            Settings { enabled: true, folder, file: 1, files: 1, months }
        };
        let tray = Tray::default();
        tray.wait(Duration::ZERO);
        tray.record(b"one\n");
        tray.change(kept(1));
        tray.record(b"two\n");
        tray.change(kept(2));
        let laid = tray.wait(Duration::from_secs(60));
        assert_eq!((laid.lines, laid.change), (b"one\ntwo\n".to_vec(), Some((4, kept(2)))));
        assert_eq!(tray.wait(Duration::ZERO).change, None);
    }

    #[test]
    fn the_end_waits_for_the_last_lines() {
        let (tray, farewell) = (Arc::new(Tray::default()), ShutdownFlush::default());
        farewell.say();
        let node = Arc::clone(&tray);
        let tell: Tell = Arc::new(move |event| {
            assert_eq!(event, HostEvent::Stopping);
            node.record(b"counted\n");
            node.all_laid();
        });
        farewell.waits_for(&tray, &tell);
        farewell.say();
        tray.wait(Duration::ZERO);
        tray.record(b"last\n");
        let writer = thread::spawn({
            let tray = Arc::clone(&tray);
            move || {
                let laid = tray.wait(Duration::from_secs(60));
                tray.done();
                (laid.lines, laid.stop)
            }
        });
        farewell.say();
        assert_eq!(writer.join().unwrap(), (b"last\ncounted\n".to_vec(), true));
    }
}
