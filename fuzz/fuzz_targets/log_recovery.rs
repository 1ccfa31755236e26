//! Any bytes as a segment that a crash left behind. With an even first byte the checksums of the batches are
//! made to hold, so that what lies behind them is read too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_broker::log::{
    batch::{BatchHeader, batches},
    recovery::scan,
};

/// Where the length, the checksum and what it covers lie in a batch.
const LENGTH: std::ops::Range<usize> = 8..12;
const CRC: std::ops::Range<usize> = 17..21;

fn with_checksums(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Some(length) = rest.get(LENGTH).and_then(|four| four.try_into().ok()).map(i32::from_be_bytes) {
        let Ok(size) = usize::try_from(length).map(|length| length.saturating_add(12)) else { return };
        if size > rest.len() || size < CRC.end {
            return;
        }
        let (batch, behind) = rest.split_at_mut(size);
        let (head, covered) = batch.split_at_mut(CRC.end);
        if let Some(place) = head.get_mut(CRC) {
            place.copy_from_slice(&crc32c::crc32c(covered).to_be_bytes());
        }
        rest = behind;
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((first, segment)) = data.split_first() else { return };
    let mut segment = segment.to_vec();
    if first % 2 == 0 {
        with_checksums(&mut segment);
    }
    let mut end = 0;
    let scanned = scan(&segment[..], 0, 0, |batch| {
        assert_eq!(batch.position, end, "a gap between batches");
        end += batch.header.size() as u64;
    });
    let scanned = scanned.expect("bytes are always read");
    assert_eq!(scanned.valid_len, end);
    assert!(end <= segment.len() as u64);
    // What recovery keeps, readers can walk.
    segment.truncate(end as usize);
    for batch in batches(segment.clone().into()) {
        let (header, bytes) = batch.expect("a batch that recovery kept");
        assert_eq!(header.size(), bytes.len());
        let _ = BatchHeader::parse_verified(&bytes).expect("a checksum that recovery checked");
    }
});
