//! Wakes fetches that wait for a partition to grow.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;
use uuid::Uuid;

type Key = (Uuid, i32);

/// The waiting fetches by partition. A fetch registers, looks once more, and waits: nothing is missed.
#[derive(Default)]
pub(crate) struct Appends(Mutex<HashMap<Key, Vec<Arc<Notify>>>>);

impl Appends {
    /// Registers a waiter for all partitions of a fetch.
    pub(crate) fn wait_for(&self, partitions: &[Key], waiter: &Arc<Notify>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in partitions {
            waiting.entry(*key).or_default().push(Arc::clone(waiter));
        }
    }

    /// Forgets a waiter.
    pub(crate) fn forget(&self, partitions: &[Key], waiter: &Arc<Notify>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in partitions {
            if let Some(list) = waiting.get_mut(key) {
                list.retain(|other| !Arc::ptr_eq(other, waiter));
                if list.is_empty() {
                    waiting.remove(key);
                }
            }
        }
    }

    /// The partition has grown, or more of it may be seen.
    pub(crate) fn wake(&self, topic: Uuid, partition: i32) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for waiter in waiting.get(&(topic, partition)).into_iter().flatten() {
            waiter.notify_one();
        }
    }
}
