//! Which topics a task uses, as it tells its host (KIP-558). It never tells of each record: a topic is told once and
//! again after a while, because the connector's list may have been reset meanwhile.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a topic that was told stays told. Java looks at each record; a reset is rare.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// The topics that were told to the host lately.
pub(super) struct TopicUse {
    told: BTreeSet<Arc<str>>,
    since: Instant,
}

impl Default for TopicUse {
    fn default() -> Self {
        Self {
            told: BTreeSet::new(),
            since: Instant::now(),
        }
    }
}

impl TopicUse {
    /// Looks at the clock; once per batch, not per record.
    pub(super) fn tick(&mut self) {
        if self.since.elapsed() >= TELL_AGAIN {
            *self = Self::default();
        }
    }

    /// The topic when it is to be told.
    pub(super) fn first(&mut self, topic: &Arc<str>) -> Option<String> {
        (!self.told.contains(topic)).then(|| {
            self.told.insert(Arc::clone(topic));
            topic.as_ref().to_owned()
        })
    }
}
