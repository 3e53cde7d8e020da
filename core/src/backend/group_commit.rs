//! Group commit: what must become durable, and the replies that wait for it.
//!
//! At most one durable write is in progress. Records that arrive meanwhile form the next batch, so
//! one flush of the disk serves all of them. A reply that reports something as durable is held
//! until it is.

use super::journal::{self, Record};
use crate::base::limits::JOURNAL_REWRITE;
use crate::base::metrics::Histogram;
use crate::base::time::Mono;
use crate::io::{Intent, JournalWrite};
use crate::link::LinkId;
use alloc::vec::Vec;

/// The writing side of the journal.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    /// The records of the next batch.
    payload: Vec<u8>,
    /// Replies that wait for the next batch.
    held: Vec<(LinkId, Vec<u8>)>,
    /// Replies that wait for the write in progress.
    writing: Option<Vec<(LinkId, Vec<u8>)>>,
    /// The number of completed writes.
    done: u64,
    /// The number of the next batch.
    number: u64,
    /// Bytes of the journal, and of the snapshot at its beginning.
    length: usize,
    snapshot: usize,
    rewrite: bool,
    /// Whether the next rewrite keeps the journal that it replaces.
    keep: bool,
    /// The start of the write in progress, and the durations of those before it.
    since: Mono,
    took: Histogram,
}

impl Writer {
    /// Returns the writer of a state folder without a journal.
    pub(super) fn blank() -> Self {
        Self {
            payload: Vec::new(),
            held: Vec::new(),
            writing: None,
            done: 0,
            number: 0,
            length: 0,
            snapshot: 0,
            rewrite: false,
            keep: false,
            since: Mono(0),
            took: Histogram::default(),
        }
    }

    /// Returns the writer of a journal with this length in bytes; `number` is that of its next
    /// batch.
    pub(super) fn resume(number: u64, length: usize) -> Self {
        Self { number, length, ..Self::blank() }
    }

    /// Whether there is a journal.
    pub(super) fn begun(&self) -> bool {
        self.length > 0
    }

    /// Returns the length of the journal in bytes.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Returns the durations of the writes.
    pub(super) fn took(&self) -> &Histogram {
        &self.took
    }

    /// Adds a record to the next batch.
    pub(super) fn record(&mut self, record: &Record) {
        journal::put(&mut self.payload, record);
    }

    /// Returns the number of the write with the latest record, for
    /// [`is_durable`](Self::is_durable).
    pub(super) fn ticket(&self) -> u64 {
        self.done + u64::from(self.writing.is_some()) + 1
    }

    /// Whether everything recorded before the ticket is on disk.
    pub(super) fn is_durable(&self, ticket: u64) -> bool {
        ticket <= self.done
    }

    /// Requires the next write to be a whole journal.
    pub(super) fn demand_rewrite(&mut self) {
        self.rewrite = true;
    }

    /// Requires the next write to be the whole journal of a new disk id; the old journal is kept.
    pub(super) fn demand_new_beginning(&mut self) {
        self.rewrite = true;
        self.keep = true;
    }

    /// Sends a reply as soon as everything recorded so far is durable.
    pub(super) fn hold(&mut self, link: LinkId, frame: Vec<u8>, out: &mut Vec<Intent>) {
        if !self.payload.is_empty() || self.rewrite {
            self.held.push((link, frame));
        } else if let Some(waiting) = &mut self.writing {
            waiting.push((link, frame));
        } else {
            out.push(Intent::Send { link, frame });
        }
    }

    /// Completes the write in progress, and sends the replies that waited for it.
    pub(super) fn written(&mut self, now: Mono, out: &mut Vec<Intent>) {
        if self.writing.is_some() {
            self.done += 1;
            self.took.observe(now.since(self.since));
        }
        for (link, frame) in self.writing.take().unwrap_or_default() {
            out.push(Intent::Send { link, frame });
        }
    }

    /// Whether nothing waits for the disk.
    #[cfg(feature = "model")]
    pub(super) fn is_idle(&self) -> bool {
        self.payload.is_empty() && self.held.is_empty() && self.writing.is_none() && !self.rewrite
    }

    /// Whether the next write is to be a whole journal, and may begin.
    pub(super) fn wants_rewrite(&self) -> bool {
        let long = self.length > JOURNAL_REWRITE && self.length / 4 > self.snapshot;
        self.writing.is_none() && (self.rewrite || (long && !self.payload.is_empty()))
    }

    /// Starts the write of the next batch, if there is one and no write is in progress.
    pub(super) fn flush(&mut self, now: Mono, out: &mut Vec<Intent>) {
        if self.writing.is_some() || self.payload.is_empty() || self.rewrite {
            return;
        }
        let batch = journal::batch(self.number, &self.payload);
        self.payload.clear();
        self.number += 1;
        self.length += batch.len();
        self.since = now;
        self.writing = Some(core::mem::take(&mut self.held));
        out.push(JournalWrite::Append(batch).into());
    }

    /// Starts to write the whole journal again from these records, which contain everything
    /// recorded.
    pub(super) fn rewrite(&mut self, now: Mono, records: &[Record], out: &mut Vec<Intent>) {
        self.payload.clear();
        for record in records {
            journal::put(&mut self.payload, record);
        }
        let batch = journal::batch(0, &self.payload);
        self.payload.clear();
        self.number = 1;
        self.length = batch.len();
        self.snapshot = batch.len();
        self.rewrite = false;
        self.since = now;
        self.writing = Some(core::mem::take(&mut self.held));
        let anew = core::mem::take(&mut self.keep);
        let write = if anew { JournalWrite::BeginAnew } else { JournalWrite::Rewrite };
        out.push(write(batch).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Epoch;

    #[test]
    fn what_comes_during_a_write_is_durable_with_the_next_one() {
        let (mut writer, mut out) = (Writer::blank(), Vec::new());
        let promise = Record::Promise(Epoch::default());
        writer.record(&promise);
        let first = writer.ticket();
        writer.flush(Mono(0), &mut out);
        writer.record(&promise);
        let second = writer.ticket();
        writer.flush(Mono(0), &mut out);
        assert_eq!([first, second].map(|ticket| writer.is_durable(ticket)), [false, false]);
        writer.written(Mono(0), &mut out);
        assert_eq!([first, second].map(|ticket| writer.is_durable(ticket)), [true, false]);
        writer.flush(Mono(0), &mut out);
        writer.written(Mono(0), &mut out);
        assert_eq!([first, second].map(|ticket| writer.is_durable(ticket)), [true, true]);
        assert_eq!(out.len(), 2, "two writes, one after the other");
    }
}
