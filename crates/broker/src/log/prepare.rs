//! Judging the bytes of an append before any lock is taken: whole batches, right checksums, sizes,
//! timestamps and records.
//!
//! One pass of the checksum; uncompressed records are walked (a few nanoseconds each), compressed
//! ones only where keys are required. Answers to Java's `LogValidator`,
//! `UnifiedLog.analyzeAndValidateRecords`.

use bytes::{Buf, Bytes};

use super::append::{AppendError, AppendOrigin};
use super::batch::{BatchError, BatchHeader, HEADER_LEN, NO_TIMESTAMP};
use super::config::{LogConfig, TimestampKind};
use super::records;
use super::state::elapsed;

/// A verified batch, its header apart so that it can be stamped.
#[derive(Debug, Clone)]
pub(super) struct PreparedBatch {
    pub(super) header: BatchHeader,
    /// Everything after the header, as received.
    pub(super) records: Bytes,
}

/// An append that may be written.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) batches: Vec<PreparedBatch>,
    /// Bytes in all.
    pub(super) size: u64,
    /// Records in all.
    pub(super) records: u64,
    /// Largest timestamp.
    pub(super) max_timestamp: i64,
}

impl Prepared {
    /// Batches the broker made itself.
    pub(super) fn trusted(bytes: Bytes) -> Result<Prepared, AppendError> {
        Self::split(bytes, |header, batch| {
            BatchHeader::parse_verified(batch).map(|_| ())?;
            debug_assert!(header.size() <= batch.len());
            Ok(())
        })
    }

    /// Batches that came with a request.
    pub(super) fn judge(
        bytes: Bytes,
        origin: AppendOrigin,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Prepared, AppendError> {
        let prepared = Self::split(bytes, |header, batch| {
            check_size(header.size(), config)?;
            BatchHeader::parse_verified(batch)?;
            check_batch(header, batch, origin, config, now_ms)
        })?;
        if prepared.size > u64::from(config.segment_bytes) {
            return Err(AppendError::RecordListTooLarge {
                size: usize::try_from(prepared.size).unwrap_or(usize::MAX),
                max: config.segment_bytes,
            });
        }
        if origin == AppendOrigin::Client && prepared.batches.len() != 1 {
            return Err(AppendError::InvalidRecord(
                "a producer sends exactly one batch per partition",
            ));
        }
        Ok(prepared)
    }

    fn split(
        mut rest: Bytes,
        check: impl Fn(&BatchHeader, &[u8]) -> Result<(), AppendError>,
    ) -> Result<Prepared, AppendError> {
        let mut prepared = Prepared {
            batches: Vec::with_capacity(1),
            size: rest.len() as u64,
            records: 0,
            max_timestamp: NO_TIMESTAMP,
        };
        while rest.has_remaining() {
            let header = BatchHeader::parse(&rest).map_err(|error| match error {
                BatchError::Magic(0 | 1) => {
                    AppendError::InvalidRecord("record formats before v2 are not supported")
                }
                other => AppendError::CorruptMessage(other),
            })?;
            check(&header, &rest)?;
            let mut batch = rest.split_to(header.size().min(rest.len()));
            batch.advance(HEADER_LEN);
            prepared.records += u64::try_from(header.records_count).unwrap_or(0);
            prepared.max_timestamp = prepared.max_timestamp.max(header.max_timestamp);
            prepared.batches.push(PreparedBatch {
                header,
                records: batch,
            });
        }
        if prepared.batches.is_empty() {
            return Err(AppendError::InvalidRecord("no record batch"));
        }
        Ok(prepared)
    }
}

fn check_size(size: usize, config: &LogConfig) -> Result<(), AppendError> {
    if size > config.max_message_bytes as usize {
        return Err(AppendError::MessageTooLarge {
            size,
            max: config.max_message_bytes,
        });
    }
    Ok(())
}

fn check_batch(
    header: &BatchHeader,
    batch: &[u8],
    origin: AppendOrigin,
    config: &LogConfig,
    now_ms: i64,
) -> Result<(), AppendError> {
    if header.records_count != header.last_offset_delta.saturating_add(1) {
        return Err(AppendError::InvalidRecord(
            "record count differs from the offset range",
        ));
    }
    if header.is_control() {
        return Err(AppendError::InvalidRecord("control batch from a client"));
    }
    if header.is_transactional() && !header.has_producer() {
        return Err(AppendError::InvalidRecord(
            "transactional batch without a producer id",
        ));
    }
    if header.delete_horizon().is_some() {
        return Err(AppendError::InvalidRecord("delete horizon from a client"));
    }
    if header.compression() > 4 {
        return Err(AppendError::InvalidRecord("unknown compression"));
    }
    if origin == AppendOrigin::Coordinator {
        return Ok(());
    }
    if header.has_producer() && (header.base_sequence < 0 || header.producer_epoch < 0) {
        return Err(AppendError::InvalidRecord(
            "idempotent batch without sequence or epoch",
        ));
    }
    check_timestamps(header, config, now_ms)?;
    let records = batch.get(HEADER_LEN..header.size()).unwrap_or_default();
    let keys_required = config.cleanup_policy.compact;
    if header.compression() == 0 {
        records::check(header, records, keys_required).map_err(AppendError::InvalidRecord)
    } else if keys_required {
        let limit = records::DECOMPRESSED_LEN_MAX;
        let plain = records::decompress(header.compression(), records, limit)
            .map_err(|_| AppendError::InvalidRecord("records do not decompress"))?;
        records::check(header, &plain, true).map_err(AppendError::InvalidRecord)
    } else {
        Ok(())
    }
}

fn check_timestamps(
    header: &BatchHeader,
    config: &LogConfig,
    now_ms: i64,
) -> Result<(), AppendError> {
    if config.message_timestamp_type == TimestampKind::LogAppendTime {
        return Ok(());
    }
    for timestamp in [header.base_timestamp, header.max_timestamp] {
        if timestamp != NO_TIMESTAMP
            && (elapsed(timestamp, now_ms) > config.message_timestamp_before_max_ms
                || elapsed(now_ms, timestamp) > config.message_timestamp_after_max_ms)
        {
            return Err(AppendError::InvalidTimestamp { timestamp });
        }
    }
    Ok(())
}
