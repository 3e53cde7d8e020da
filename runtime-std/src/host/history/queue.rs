//! The queue between a node and the thread that writes its usage history. The node never waits: it queues
//! lines and goes on; lines beyond a bound are counted and dropped. No line wakes the writer, which looks
//! once a second.

use super::Settings;
use crate::host::node_setup::EventSink;
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
pub struct HistoryQueue {
    queued: Mutex<Queued>,
    changed: Condvar,
}

/// What was queued.
#[derive(Debug, Default)]
pub(super) struct Queued {
    /// A thread takes what is queued.
    served: bool,
    /// To be written.
    pub(super) lines: Vec<u8>,
    /// Lines there was no room for.
    pub(super) lost: u64,
    /// Lines after this are wanted back.
    pub(super) recall: Option<Option<Mark>>,
    /// Lines behind so many bytes are kept otherwise.
    pub(super) change: Option<(usize, Settings)>,
    /// The node has queued its last lines.
    all: bool,
    /// The process ends.
    pub(super) stop: bool,
    /// The last lines are written.
    done: bool,
}

impl HistoryQueue {
    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines are to be written. Where nobody writes, they are nobody's.
    pub fn record(&self, lines: &[u8]) {
        let mut queued = self.queued();
        if !queued.served {
            return;
        }
        if queued.lines.len() + lines.len() > HISTORY_QUEUE {
            let count = lines.iter().filter(|byte| **byte == b'\n').count();
            queued.lost = queued.lost.saturating_add(count as u64);
            return;
        }
        let heap = queued.lines.len() < HEAP;
        queued.lines.extend_from_slice(lines);
        if heap && queued.lines.len() >= HEAP {
            self.changed.notify_all();
        }
    }

    /// Lines are to be read back.
    pub fn recall(&self, after: Option<Mark>) {
        self.queued().recall = Some(after);
        self.changed.notify_all();
    }

    /// Lines that come from now on are kept so.
    pub fn change(&self, settings: Settings) {
        let mut queued = self.queued();
        let upto = queued.change.as_ref().map_or(queued.lines.len(), |(upto, _)| *upto);
        queued.change = Some((upto, settings));
        self.changed.notify_all();
    }

    /// Takes up what there is, after this time or when it cannot wait.
    pub(super) fn wait(&self, within: Duration) -> Queued {
        let idle = |queued: &mut Queued| {
            let asked = queued.stop || queued.recall.is_some() || queued.change.is_some();
            !asked && queued.lines.len() < HEAP
        };
        let mut queued = self.queued();
        queued.served = true;
        let (mut queued, _) = self
            .changed
            .wait_timeout_while(queued, within, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let (stop, all, served) = (queued.stop, queued.all, true);
        std::mem::replace(&mut *queued, Queued { stop, all, served, ..Queued::default() })
    }

    /// The node has queued its last lines.
    pub fn all_recorded(&self) {
        self.queued().all = true;
        self.changed.notify_all();
    }

    /// Waits for the node's last lines, but not for long: it may hang.
    fn wait_for_all(&self) {
        let (queued, left) = (self.queued(), |queued: &mut Queued| !queued.all);
        drop(self.changed.wait_timeout_while(queued, LAST_WORD, left));
    }

    /// All is written.
    pub(super) fn done(&self) {
        self.queued().done = true;
        self.changed.notify_all();
    }

    /// The process ends: waits until all is written, but not for long.
    fn finish(&self) {
        let mut queued = self.queued();
        if !queued.served {
            return;
        }
        queued.stop = true;
        self.changed.notify_all();
        let until = Instant::now() + LAST_LINES;
        while !queued.done {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            let waited = self.changed.wait_timeout(queued, left);
            (queued, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What is to be done before a process that was told to stop ends.
#[derive(Clone, Default)]
pub struct ShutdownFlush(Arc<OnceLock<(Arc<HistoryQueue>, EventSink)>>);

impl fmt::Debug for ShutdownFlush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownFlush").finish_non_exhaustive()
    }
}

impl ShutdownFlush {
    /// The node records what it has only counted so far, and the last lines of the history are
    /// written.
    pub fn say(&self) {
        if let Some((queue, tell)) = self.0.get() {
            tell(HostEvent::Stopping);
            queue.wait_for_all();
            queue.finish();
        }
    }

    /// From now on it waits for what lies there, and for the node that is told by `tell`.
    pub(super) fn waits_for(&self, queue: &Arc<HistoryQueue>, tell: &EventSink) {
        let _ = self.0.set((Arc::clone(queue), Arc::clone(tell)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn lines_wait_until_they_are_fetched_and_are_lost_beyond_the_bound() {
        let queue = HistoryQueue::default();
        queue.record(b"nobody writes\n");
        assert!(queue.wait(Duration::ZERO).lines.is_empty());
        queue.record(b"one\n");
        queue.record(b"two\n");
        let most = vec![b'x'; HISTORY_QUEUE];
        queue.record(&most);
        queue.record(b"\n\n");
        let queued = queue.wait(Duration::ZERO);
        assert_eq!((queued.lines.as_slice(), queued.lost), (b"one\ntwo\n\n\n".as_slice(), 0));
        queue.record(&most);
        queue.record(b"a\nb\n");
        let queued = queue.wait(Duration::from_secs(60));
        assert_eq!((queued.lines.len(), queued.lost), (HISTORY_QUEUE, 2));
        queue.recall(None);
        assert_eq!(queue.wait(Duration::from_secs(60)).recall, Some(None));
        assert_eq!(queue.wait(Duration::ZERO).recall, None);
    }

    #[test]
    fn lines_behind_a_change_are_kept_otherwise() {
        let kept = |months| {
            let folder = "history".into();
            Settings { enabled: true, folder, file: 1, files: 1, months }
        };
        let queue = HistoryQueue::default();
        queue.wait(Duration::ZERO);
        queue.record(b"one\n");
        queue.change(kept(1));
        queue.record(b"two\n");
        queue.change(kept(2));
        let queued = queue.wait(Duration::from_secs(60));
        assert_eq!((queued.lines, queued.change), (b"one\ntwo\n".to_vec(), Some((4, kept(2)))));
        assert_eq!(queue.wait(Duration::ZERO).change, None);
    }

    #[test]
    fn the_end_waits_for_the_last_lines() {
        let (queue, shutdown_flush) = (Arc::new(HistoryQueue::default()), ShutdownFlush::default());
        shutdown_flush.say();
        let node = Arc::clone(&queue);
        let tell: EventSink = Arc::new(move |event| {
            assert_eq!(event, HostEvent::Stopping);
            node.record(b"counted\n");
            node.all_recorded();
        });
        shutdown_flush.waits_for(&queue, &tell);
        shutdown_flush.say();
        queue.wait(Duration::ZERO);
        queue.record(b"last\n");
        let writer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let queued = queue.wait(Duration::from_secs(60));
                queue.done();
                (queued.lines, queued.stop)
            }
        });
        shutdown_flush.say();
        assert_eq!(writer.join().unwrap(), (b"last\ncounted\n".to_vec(), true));
    }
}
