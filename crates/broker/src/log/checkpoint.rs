//! The checkpoint of a partition: what an open need not read the log for.
//!
//! Written at every roll, after every [`CHECKPOINT_INTERVAL`](super::state::CHECKPOINT_INTERVAL)
//! bytes and on close; lost or damaged, the log is scanned in full. It is believed if the data it
//! speaks of was synced, or if the machine has not been restarted since (a killed process loses
//! nothing the operating system was handed). Answers to Java's `.snapshot` files,
//! `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`, `cleaner-offset-checkpoint`.

use std::sync::OnceLock;

use bytes::{Buf, BufMut, TryGetError};

use super::producers::{BATCHES_KEPT, BatchMeta, Producer, Producers};
use super::segment::SegmentInfo;

pub(super) const FILE_NAME: &str = "checkpoint";
const MAGIC: u32 = 0x4d43_4b50;
const VERSION: u32 = 1;
const BOOT_ID_LEN: usize = 36;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// Whether the data was synced before this was written.
    pub(super) synced: bool,
    pub(super) log_start_offset: i64,
    /// Offset up to which the log is compacted.
    pub(super) cleaned_to: i64,
    /// The segments, the active one last and with the size it had.
    pub(super) segments: Vec<SegmentInfo>,
    pub(super) producers: Producers,
}

impl Checkpoint {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(256);
        body.put_slice(&boot_id().unwrap_or([0; BOOT_ID_LEN]));
        body.put_u8(u8::from(self.synced));
        body.put_i64(self.log_start_offset);
        body.put_i64(self.cleaned_to);
        body.put_u32(self.segments.len() as u32);
        for segment in &self.segments {
            segment.encode(&mut body);
        }
        body.put_u32(self.producers.iter().len() as u32);
        for (id, producer) in self.producers.iter() {
            encode_producer(&mut body, *id, producer);
        }
        let mut out = Vec::with_capacity(body.len() + 12);
        out.put_u32(MAGIC);
        out.put_u32(VERSION);
        out.put_u32(crc32c::crc32c(&body));
        out.extend_from_slice(&body);
        out
    }

    /// The checkpoint in a file's bytes, `None` if it is damaged or must not be believed.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Checkpoint> {
        if bytes.try_get_u32().ok()? != MAGIC || bytes.try_get_u32().ok()? != VERSION {
            return None;
        }
        if bytes.try_get_u32().ok()? != crc32c::crc32c(bytes) {
            return None;
        }
        let (boot, mut body) = bytes.split_at_checked(BOOT_ID_LEN)?;
        let same_boot = boot_id().is_some_and(|current| current == *boot);
        let checkpoint = Checkpoint::decode_body(&mut body).ok()?;
        (checkpoint.synced || same_boot).then_some(checkpoint)
    }

    fn decode_body(body: &mut &[u8]) -> Result<Checkpoint, TryGetError> {
        let mut checkpoint = Checkpoint {
            synced: body.try_get_u8()? != 0,
            log_start_offset: body.try_get_i64()?,
            cleaned_to: body.try_get_i64()?,
            segments: Vec::new(),
            producers: Producers::default(),
        };
        for _ in 0..body.try_get_u32()? {
            checkpoint.segments.push(SegmentInfo::decode(body)?);
        }
        for _ in 0..body.try_get_u32()? {
            let id = body.try_get_i64()?;
            checkpoint.producers.restore(id, decode_producer(body)?);
        }
        Ok(checkpoint)
    }
}

fn encode_producer(out: &mut Vec<u8>, id: i64, producer: &Producer) {
    out.put_i64(id);
    out.put_i16(producer.epoch);
    out.put_i32(producer.coordinator_epoch);
    out.put_i64(producer.last_timestamp);
    out.put_i64(producer.txn_first_offset.unwrap_or(-1));
    out.put_u8(producer.batches.len() as u8);
    for batch in &producer.batches {
        out.put_i32(batch.first_sequence);
        out.put_i32(batch.last_sequence);
        out.put_i64(batch.first_offset);
        out.put_i64(batch.last_offset);
        out.put_i64(batch.timestamp);
    }
}

fn decode_producer(body: &mut &[u8]) -> Result<Producer, TryGetError> {
    let epoch = body.try_get_i16()?;
    let coordinator_epoch = body.try_get_i32()?;
    let last_timestamp = body.try_get_i64()?;
    let txn_first_offset = Some(body.try_get_i64()?).filter(|offset| *offset >= 0);
    let mut batches = Vec::with_capacity(BATCHES_KEPT);
    for _ in 0..body.try_get_u8()? {
        batches.push(BatchMeta {
            first_sequence: body.try_get_i32()?,
            last_sequence: body.try_get_i32()?,
            first_offset: body.try_get_i64()?,
            last_offset: body.try_get_i64()?,
            timestamp: body.try_get_i64()?,
        });
    }
    Ok(Producer {
        epoch,
        coordinator_epoch,
        last_timestamp,
        batches,
        txn_first_offset,
    })
}

/// Identifies this run of the operating system, where it can be known.
fn boot_id() -> Option<[u8; BOOT_ID_LEN]> {
    static BOOT_ID: OnceLock<Option<[u8; BOOT_ID_LEN]>> = OnceLock::new();
    *BOOT_ID.get_or_init(|| {
        let text = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
        text.get(..BOOT_ID_LEN)?.try_into().ok()
    })
}
