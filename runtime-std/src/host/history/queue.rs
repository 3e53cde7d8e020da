//! The queue between a node and the thread that writes its usage history. The node never waits: it
//! queues lines and continues. Lines beyond a bound are counted and dropped. A few lines do not
//! wake the writer, which looks once a second; `HEAP` bytes do.

use super::Settings;
use crate::host::node_setup::EventSink;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tmr_core::base::limits::HISTORY_QUEUE;
use tmr_core::history::Mark;
use tmr_core::io::HostEvent;

/// The number of queued bytes at which the writer is woken.
const HEAP: usize = HISTORY_QUEUE / 16;
/// How long the end of a process waits for the node to queue its last lines.
const LAST_WORD: Duration = Duration::from_millis(500);
/// How long the end of a process waits until the last lines are written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The queue of lines that are to be written.
#[derive(Debug, Default)]
pub struct HistoryQueue {
    queued: Mutex<Queued>,
    changed: Condvar,
}

/// What is queued for the writer.
#[derive(Debug, Default)]
pub(super) struct Queued {
    /// Whether a thread takes what is queued.
    served: bool,
    /// The lines to write.
    pub(super) lines: Vec<u8>,
    /// The number of lines that were dropped.
    pub(super) lost: u64,
    /// A request to read back the lines after this mark, or all.
    pub(super) recall: Option<Option<Mark>>,
    /// The settings for the lines after this number of bytes.
    pub(super) change: Option<(usize, Settings)>,
    /// Whether the node has queued its last lines.
    all: bool,
    /// Whether the process ends.
    pub(super) stop: bool,
    /// Whether the last lines are written.
    done: bool,
}

impl HistoryQueue {
    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues lines to be written. Without a writer they are dropped.
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

    /// Requests that the lines after a mark are read back.
    pub fn recall(&self, after: Option<Mark>) {
        self.queued().recall = Some(after);
        self.changed.notify_all();
    }

    /// Applies other settings to all lines that are queued from now on.
    pub fn change(&self, settings: Settings) {
        let mut queued = self.queued();
        let upto = queued.change.as_ref().map_or(queued.lines.len(), |(upto, _)| *upto);
        queued.change = Some((upto, settings));
        self.changed.notify_all();
    }

    /// Takes what is queued: after the time `within`, or at once if it cannot wait.
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

    /// Records that the node has queued its last lines.
    pub fn all_recorded(&self) {
        self.queued().all = true;
        self.changed.notify_all();
    }

    /// Waits for the node's last lines, at most for [`LAST_WORD`], since the node may hang.
    fn wait_for_all(&self) {
        let (queued, left) = (self.queued(), |queued: &mut Queued| !queued.all);
        drop(self.changed.wait_timeout_while(queued, LAST_WORD, left));
    }

    /// Records that all lines are written.
    pub(super) fn done(&self) {
        self.queued().done = true;
        self.changed.notify_all();
    }

    /// Ends the writer, and waits until all is written, at most for [`LAST_LINES`].
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

/// What a process that was told to stop does before it ends.
#[derive(Clone, Default)]
pub struct ShutdownFlush(Arc<OnceLock<(Arc<HistoryQueue>, EventSink)>>);

impl fmt::Debug for ShutdownFlush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownFlush").finish_non_exhaustive()
    }
}

impl ShutdownFlush {
    /// Has the node record what it has only counted so far, and waits until the last lines of the
    /// history are written.
    pub fn say(&self) {
        if let Some((queue, tell)) = self.0.get() {
            tell(HostEvent::Stopping);
            queue.wait_for_all();
            queue.finish();
        }
    }

    /// From now on [`say`](Self::say) waits for this queue, and for the node behind `tell`.
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
