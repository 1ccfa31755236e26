//! What the callers of a producer and its sender share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{
    settings::ProduceSettings,
    state::{Phase, State},
};
use crate::{ports::AckSink, wire::Cluster};

/// Settings, connections, the state under its lock, and who waits for what.
pub(super) struct Shared {
    pub(super) settings: ProduceSettings,
    pub(super) cluster: Cluster,
    state: Mutex<State>,
    /// The sender has something to look at.
    pub(super) work: Notify,
    /// Something that callers wait for may have come: room, metadata, answers.
    pub(super) progress: Notify,
    sink: AckSink,
    /// Held while answers are handed on: none is on its way when another hand finds none.
    handing: Mutex<()>,
}

impl Shared {
    pub(super) fn new(settings: ProduceSettings, cluster: Cluster, sink: AckSink) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::new(&settings)),
            settings,
            cluster,
            work: Notify::new(),
            progress: Notify::new(),
            sink,
            handing: Mutex::new(()),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands on all answers that there are.
    pub(super) fn hand_on(&self) {
        let _handing = self.handing.lock().unwrap_or_else(PoisonError::into_inner);
        let acks = std::mem::take(&mut self.lock().acks);
        if !acks.is_empty() {
            (self.sink)(acks);
        }
    }

    /// From now on nothing is sent.
    pub(super) fn abandon(&self) {
        self.lock().phase = Phase::Abandoned;
        self.cluster.close();
        self.work.notify_one();
        self.progress.notify_waiters();
    }

    /// Waits until a look at the state finds something.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            progress.as_mut().enable();
            if let Some(found) = look(&mut self.lock()) {
                return found;
            }
            progress.await;
        }
    }

    /// Waits until every record that was taken is answered, and hands the answers on. What lingers is sent at once.
    pub(super) async fn settled(&self) {
        let _hurry = Hurry::new(self);
        self.until(|state| (state.incomplete == 0).then_some(()))
            .await;
        self.hand_on();
    }
}

/// While it lives, batches do not wait to be filled.
struct Hurry<'a>(&'a Shared);

impl<'a> Hurry<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.lock().flushing += 1;
        shared.work.notify_one();
        Self(shared)
    }
}

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.flushing = state.flushing.saturating_sub(1);
    }
}
