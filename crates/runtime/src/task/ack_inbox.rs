//! Takes acknowledgements from the client's thread without blocking it; the task drains them.
//!
//! Its length is bounded by the records in flight, which the task bounds itself.

use std::sync::{Arc, Mutex, PoisonError};

use milena_kafka::ports::{Ack, AckSink};
use tokio::sync::Notify;

/// The inbox of one producer.
#[derive(Default)]
pub(super) struct AckInbox {
    acks: Mutex<Vec<Ack>>,
    arrived: Notify,
}

impl AckInbox {
    /// The function to give to the producer.
    pub(super) fn sink(self: &Arc<Self>) -> AckSink {
        let inbox = Arc::clone(self);
        Arc::new(move |mut acks| {
            inbox
                .acks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .append(&mut acks);
            inbox.arrived.notify_one();
        })
    }

    /// What has arrived.
    pub(super) fn take(&self) -> Vec<Ack> {
        std::mem::take(&mut *self.acks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until something arrives; nothing is lost when it is dropped.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}
