//! What an answer to a fetch holds of one partition, read when a poll asks for it and no further than it asks.
//!
//! Batches of aborted transactions are passed over, control batches move the position only, records below the position
//! are dropped. The records of a poll get a buffer of their own: the answer is shared with the rest of its records, and
//! to count its holders from two threads costs more than the copy, and pins megabytes. Java's `CompletedFetch`.

use std::collections::HashSet;

use bytes::Bytes;

use super::{
    decompress::decompress,
    legacy,
    read::{
        BatchHeader, HEADER_BYTES, HeaderKeys, Times, extent, extent_below, is_abort_marker, peek,
        read_records,
    },
};
use crate::ports::InRecord;

/// Records that are larger, on average, are not copied.
const COPIED_MAX: usize = 4096;

/// How records are to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// `check.crcs`.
    pub(crate) check: bool,
    /// `isolation.level=read_committed`.
    pub(crate) committed: bool,
}

/// A partition's part of an answer.
#[derive(Debug)]
pub(crate) struct Completed {
    data: Bytes,
    at: usize,
    open: Option<Open>,
    rules: Rules,
    /// Aborted transactions that are still to come, by first offset, the earliest last.
    aborted: Vec<(i64, i64)>,
    /// Producers within one.
    aborting: HashSet<i64>,
    next_offset: i64,
}

/// A batch under way.
#[derive(Debug)]
struct Open {
    records: Bytes,
    at: usize,
    left: usize,
    base_offset: i64,
    times: Times,
    next_offset: i64,
    leader_epoch: i32,
    /// The records have no other holder.
    own: bool,
}

/// What was read for a poll.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The position after it.
    pub(crate) position: i64,
    /// The leader epoch of the batch before the position, if one was passed.
    pub(crate) leader_epoch: Option<i32>,
    /// Why it cannot go on: what lies at the position is not a batch.
    pub(crate) fault: Option<String>,
    /// Bytes of batches that are done with.
    pub(crate) bytes: usize,
}

/// Records of one batch that a poll takes.
struct Span {
    bytes: Bytes,
    /// They are to be copied.
    copied: bool,
    base_offset: i64,
    times: Times,
    /// Where the batch ends, if it ends with these.
    next_offset: Option<i64>,
    leader_epoch: i32,
}

impl Completed {
    /// Takes over what an answer holds: a torn batch at its end is dropped.
    pub(crate) fn new(data: Bytes, mut aborted: Vec<(i64, i64)>, rules: Rules) -> Self {
        let (mut end, mut next_offset) = (0, 0);
        // What cannot be a batch stays, to be told when it is reached.
        let mut fits = true;
        while fits {
            match peek(data.get(end..).unwrap_or_default()) {
                Ok(Some(batch)) => {
                    end += batch.bytes;
                    next_offset = batch.next_offset;
                }
                Ok(None) => fits = false,
                Err(_) => {
                    end = data.len();
                    fits = false;
                }
            }
        }
        aborted.sort_by_key(|(first, _)| std::cmp::Reverse(*first));
        Self {
            data: data.slice(..end),
            at: 0,
            open: None,
            rules,
            aborted,
            aborting: HashSet::new(),
            next_offset,
        }
    }

    /// The bytes of its whole batches.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The offset after its last batch, by its header.
    pub(crate) const fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Whether everything was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.open.is_none() && self.at >= self.data.len()
    }

    /// Appends up to so many records from a position on.
    pub(crate) fn take(
        &mut self,
        position: i64,
        limit: usize,
        keys: &mut HeaderKeys,
        out: &mut Vec<InRecord>,
    ) -> Taken {
        let mut taken = Taken {
            position,
            ..Taken::default()
        };
        let before = self.at;
        let mut spans: Vec<Span> = Vec::new();
        let mut fault = None;
        let mut got = 0;
        let mut passed = position;
        while got < limit {
            let Some(open) = &mut self.open else {
                match self.next_batch(&mut passed, &mut taken.leader_epoch) {
                    Ok(true) => continue,
                    Ok(false) => break,
                    Err(text) => {
                        fault = Some(text);
                        break;
                    }
                }
            };
            if spans.is_empty() && open.base_offset < position {
                open.drop_below(position);
            }
            match open.span(limit - got) {
                Ok((span, count)) => {
                    got += count;
                    if let Some(next) = span.next_offset {
                        passed = passed.max(next);
                        self.open = None;
                    }
                    spans.push(span);
                }
                Err(text) => {
                    fault = Some(text);
                    break;
                }
            }
        }
        taken.bytes = self.at - before;
        // Batches without records of ours may end what was passed.
        let reached = passed;
        out.reserve_exact(got);
        let mut own = copied(&spans);
        for span in spans {
            let bytes = match span.copied {
                true => own.split_to(span.bytes.len()),
                false => span.bytes,
            };
            let begun = out.len();
            let read = read_records(&bytes, span.base_offset, span.times, keys, out);
            if let Some(last) = out.get(begun..).and_then(<[InRecord]>::last) {
                taken.position = last.offset.saturating_add(1).max(taken.position);
                taken.leader_epoch = Some(span.leader_epoch);
            }
            if let Err(text) = read {
                taken.fault = Some(text);
                return taken;
            }
            if let Some(next) = span.next_offset {
                taken.position = next.max(taken.position);
                taken.leader_epoch = Some(span.leader_epoch);
            }
        }
        taken.position = reached.max(taken.position);
        taken.fault = fault;
        taken
    }

    /// Goes on to the next batch; `false` at the end.
    fn next_batch(&mut self, passed: &mut i64, epoch: &mut Option<i32>) -> Result<bool, String> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let Some(peeked) = peek(rest)? else {
            return Ok(false);
        };
        let end = self.at + peeked.bytes;
        if peeked.magic < 2 {
            let bytes = rest.get(..peeked.bytes).unwrap_or_default();
            if peeked.next_offset > *passed {
                let entry = legacy::entry(bytes, self.rules.check)?;
                self.open = Some(Open {
                    at: 0,
                    left: entry.count,
                    base_offset: entry.base_offset,
                    times: entry.times,
                    next_offset: peeked.next_offset,
                    leader_epoch: -1,
                    own: entry.compressed,
                    records: entry.records,
                });
            }
            self.at = end;
            return Ok(true);
        }
        let batch = self.data.slice(self.at..end);
        let header = BatchHeader::parse(&batch).ok_or("a batch is too short")?;
        let mut skipped = header.last_offset() < *passed;
        if self.rules.check && !skipped {
            header.check(&batch)?;
        }
        if self.rules.committed && header.producer_id >= 0 {
            skipped |= self.is_aborted(&header, &batch);
        }
        if skipped || header.is_control() {
            *passed = peeked.next_offset.max(*passed);
            *epoch = Some(header.leader_epoch);
            self.at = end;
            return Ok(true);
        }
        let left = usize::try_from(header.count)
            .map_err(|_| format!("Found invalid record count {}", header.count))?;
        let records = decompress(header.compression(), &batch.slice(HEADER_BYTES..))?;
        // A record has seven bytes at least.
        if left > records.len() {
            return Err(format!("Found invalid record count {left}"));
        }
        self.at = end;
        if left == 0 {
            *passed = peeked.next_offset.max(*passed);
            *epoch = Some(header.leader_epoch);
            return match records.is_empty() {
                true => Ok(true),
                false => Err("records are left behind the last of a batch".to_owned()),
            };
        }
        self.open = Some(Open {
            records,
            at: 0,
            left,
            base_offset: header.base_offset,
            times: header.times(),
            next_offset: peeked.next_offset,
            leader_epoch: header.leader_epoch,
            own: header.compression() != 0,
        });
        Ok(true)
    }

    /// Keeps account of aborted transactions; whether this batch is within one.
    fn is_aborted(&mut self, header: &BatchHeader, batch: &[u8]) -> bool {
        let last = header.last_offset();
        while let Some((_, producer)) = self.aborted.pop_if(|(first, _)| *first <= last) {
            self.aborting.insert(producer);
        }
        if header.is_control() {
            if is_abort_marker(batch.get(HEADER_BYTES..).unwrap_or_default()) {
                self.aborting.remove(&header.producer_id);
            }
            return false;
        }
        header.is_transactional() && self.aborting.contains(&header.producer_id)
    }
}

impl Open {
    fn drop_below(&mut self, position: i64) {
        let rest = self.records.get(self.at..).unwrap_or_default();
        let (bytes, count) = extent_below(rest, self.left, self.base_offset, position);
        self.at += bytes;
        self.left -= count;
    }

    /// So many of its records; the batch is done when a next offset is told.
    fn span(&mut self, limit: usize) -> Result<(Span, usize), String> {
        let rest = self.records.get(self.at..).unwrap_or_default();
        let wanted = self.left.min(limit);
        let (bytes, count) = extent(rest, wanted);
        if count < wanted && count == 0 {
            return Err("a record is malformed".to_owned());
        }
        let ends = count == self.left;
        if ends && bytes < rest.len() {
            return Err("records are left behind the last of a batch".to_owned());
        }
        let large = bytes > count.saturating_mul(COPIED_MAX);
        let whole = self.own && ends && self.at == 0;
        let span = Span {
            bytes: self.records.slice(self.at..self.at + bytes),
            copied: !large && !whole,
            base_offset: self.base_offset,
            times: self.times,
            next_offset: ends.then_some(self.next_offset),
            leader_epoch: self.leader_epoch,
        };
        self.at += bytes;
        self.left -= count;
        Ok((span, count))
    }
}

/// What is to be copied of these, one behind the other.
fn copied(spans: &[Span]) -> Bytes {
    let parts = || spans.iter().filter(|span| span.copied);
    let mut own = Vec::with_capacity(parts().map(|span| span.bytes.len()).sum());
    for span in parts() {
        own.extend_from_slice(&span.bytes);
    }
    own.into()
}
