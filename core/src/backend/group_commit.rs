//! Group commit: what is to be made durable, and what waits for it.
//!
//! One durable write at most is on its way. Records that come meanwhile make up the next batch,
//! so that one flush to the disk serves all who wait; a reply that says that something is durable
//! is held until it is.

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
    /// The next batch's records.
    payload: Vec<u8>,
    /// Replies that wait for the next batch.
    held: Vec<(LinkId, Vec<u8>)>,
    /// Replies that wait for the write that is on its way.
    writing: Option<Vec<(LinkId, Vec<u8>)>>,
    /// Writes that are done.
    done: u64,
    /// The next batch's number.
    number: u64,
    /// Bytes of the journal, and of the snapshot it began with.
    length: usize,
    snapshot: usize,
    rewrite: bool,
    /// The journal that the next rewrite takes the place of is to be kept.
    keep: bool,
    /// When the write that is on its way began, and how long those before it took.
    since: Mono,
    took: Histogram,
}

impl Writer {
    /// For a state folder without a journal.
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

    /// For a journal of so many bytes; `number` is that of its next batch.
    pub(super) fn resume(number: u64, length: usize) -> Self {
        Self { number, length, ..Self::blank() }
    }

    /// There is a journal.
    pub(super) fn begun(&self) -> bool {
        self.length > 0
    }

    /// Bytes of it.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// How long writes took.
    pub(super) fn took(&self) -> &Histogram {
        &self.took
    }

    /// This must become durable.
    pub(super) fn record(&mut self, record: &Record) {
        journal::put(&mut self.payload, record);
    }

    /// What was recorded last, for [`is_durable`](Self::is_durable).
    pub(super) fn ticket(&self) -> u64 {
        self.done + u64::from(self.writing.is_some()) + 1
    }

    /// Whether everything recorded before the ticket was taken is on disk.
    pub(super) fn is_durable(&self, ticket: u64) -> bool {
        ticket <= self.done
    }

    /// The next write is to be a whole journal.
    pub(super) fn demand_rewrite(&mut self) {
        self.rewrite = true;
    }

    /// The next write is to be a whole journal of a disk that begins anew; the one before it is kept.
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

    /// The write is on disk: what waited for it is said.
    pub(super) fn written(&mut self, now: Mono, out: &mut Vec<Intent>) {
        if self.writing.is_some() {
            self.done += 1;
            self.took.observe(now.since(self.since));
        }
        for (link, frame) in self.writing.take().unwrap_or_default() {
            out.push(Intent::Send { link, frame });
        }
    }

    /// Nothing waits for the disk.
    #[cfg(feature = "model")]
    pub(super) fn is_idle(&self) -> bool {
        self.payload.is_empty() && self.held.is_empty() && self.writing.is_none() && !self.rewrite
    }

    /// Whether the next write is to be a whole journal, and may begin.
    pub(super) fn wants_rewrite(&self) -> bool {
        let long = self.length > JOURNAL_REWRITE && self.length / 4 > self.snapshot;
        self.writing.is_none() && (self.rewrite || (long && !self.payload.is_empty()))
    }

    /// Begins the next batch, if there is one and nothing is on its way.
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

    /// Begins to write the journal anew with these records, which hold everything recorded.
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
