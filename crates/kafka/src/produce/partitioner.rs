//! Which partition a record without one goes to.
//!
//! Answers to `org.apache.kafka.clients.producer.internals.BuiltInPartitioner` (KIP-794): by the hash of the key, else one
//! partition until it has had `batch.size` bytes, then another, the rather the shorter its queue.

/// Java's `Utils.murmur2`.
pub(super) fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let (chunks, rest) = data.as_chunks::<4>();
    for chunk in chunks {
        let mut word = u32::from_le_bytes(*chunk).wrapping_mul(M);
        word = (word ^ (word >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ word;
    }
    for (at, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of a key.
pub(super) fn of_key(key: &[u8], partitions: usize) -> usize {
    // Java's toPositive.
    (murmur2(key) & 0x7fff_ffff) as usize % partitions.max(1)
}

/// The partition that records without a key go to for now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sticky {
    partition: Option<usize>,
    bytes: usize,
}

impl Sticky {
    /// The partition for now. `full` says of a partition that its last batch is full: in the middle of one a change would
    /// cost a batch that is not. `queues` are those that can be written to, with the batches that wait.
    pub(super) fn current(
        &mut self,
        size: usize,
        partitions: usize,
        full: impl FnOnce(usize) -> bool,
        queues: impl FnOnce() -> Vec<(usize, usize)>,
    ) -> usize {
        if let Some(partition) = self.partition
            && partition < partitions
            && (self.bytes < size || (self.bytes < size.saturating_mul(2) && !full(partition)))
        {
            return partition;
        }
        let next = choose(&queues(), partitions);
        *self = Self {
            partition: Some(next),
            bytes: 0,
        };
        next
    }

    /// A record of this size went there.
    pub(super) const fn took(&mut self, bytes: usize) {
        self.bytes += bytes;
    }
}

/// One of the queues, the rather the shorter it is; of nothing, any partition.
fn choose(queues: &[(usize, usize)], partitions: usize) -> usize {
    let longest = queues.iter().map(|(_, length)| *length).max().unwrap_or(0);
    let weight = |length: usize| longest + 1 - length;
    let total: usize = queues.iter().map(|(_, length)| weight(*length)).sum();
    if total == 0 {
        return rand::random_range(0..partitions.max(1));
    }
    let mut left = rand::random_range(0..total);
    for (partition, length) in queues {
        let own = weight(*length);
        if left < own {
            return *partition;
        }
        left -= own;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java's client answers for seven partitions.
    #[test]
    fn keys_go_where_java_sends_them() {
        for (key, partition) in [
            ("", 2),
            ("a", 5),
            ("key", 4),
            ("user-42", 1),
            (r#"["s",{"filename":"/f"}]"#, 0),
            ("été", 4),
        ] {
            assert_eq!(of_key(key.as_bytes(), 7), partition, "{key}");
        }
    }

    #[test]
    fn a_partition_is_kept_for_a_batch_and_short_queues_are_preferred() {
        let mut sticky = Sticky::default();
        let queues = || vec![(1, 0)];
        assert_eq!(sticky.current(100, 3, |_| true, queues), 1);
        sticky.took(99);
        assert_eq!(sticky.current(100, 3, |_| true, || vec![(2, 0)]), 1);
        sticky.took(1);
        assert_eq!(sticky.current(100, 3, |_| false, || vec![(2, 0)]), 1);
        assert_eq!(sticky.current(100, 3, |_| true, || vec![(2, 0)]), 2);
        sticky.took(200);
        assert_eq!(sticky.current(100, 3, |_| false, || vec![(0, 0)]), 0);
        let short = (0..1000).filter(|_| choose(&[(0, 9), (1, 0)], 2) == 1);
        assert!(short.count() > 800);
    }
}
