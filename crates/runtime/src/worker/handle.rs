//! The handle of a running worker, and the way to ask its herder.

use std::{
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use milena_api::ConnectError;
use milena_core::herder::{Answer, Request, RequestError};
use milena_kafka::ports::KafkaError;
use milena_rest_model::HerderPort;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    InternalTopicError, SettingsError,
    hosts::{Ask, News},
    port::WorkerPort,
    shell::Glimpse,
};
use crate::task::TaskMetricsBook;

/// Why a worker does not start, or ended of its own.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting does not fit.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A config provider or another plugin of the worker does not fit.
    #[error("{0}")]
    Plugin(#[from] ConnectError),
    /// The cluster cannot be reached.
    #[error(
        "Failed to connect to and describe Kafka cluster. Check worker's broker connection and security properties. ({0})"
    )]
    Cluster(KafkaError),
    /// An internal topic cannot be used.
    #[error(transparent)]
    Topic(#[from] InternalTopicError),
    /// A client of the worker cannot be made.
    #[error("a client of the worker cannot be made: {0}")]
    Client(KafkaError),
    /// The offsets file cannot be used.
    #[error("{0}")]
    OffsetFile(String),
    /// An internal topic could not be read to its end.
    #[error("the internal topics could not be read to their ends")]
    NotRead,
}

/// Asks a worker's herder. Cheap to clone.
#[derive(Clone)]
pub struct HerderClient {
    pub(super) news: mpsc::Sender<News>,
    /// Requests that only look: they do not wait behind the news of thousands of tasks that move.
    pub(super) looks: mpsc::Sender<Ask>,
    pub(super) glimpse: watch::Receiver<Glimpse>,
}

impl HerderClient {
    /// Sends a request and awaits its answer; there is no limit but the caller's own.
    pub async fn ask(&self, request: Request) -> Answer {
        let (reply, answer) = oneshot::channel();
        let gone = || RequestError::Failed("Worker is shutting down".to_owned());
        let ask = Ask { request, reply };
        let sent = match ask.request.is_look() {
            true => self.looks.send(ask).await.is_ok(),
            false => self.news.send(News::Ask(ask)).await.is_ok(),
        };
        if !sent {
            return Err(gone());
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// What the worker is doing and since when (Annex B of the spec).
    #[must_use]
    pub fn stage(&self) -> (String, SystemTime) {
        let seen = self.glimpse.borrow();
        (seen.stage.clone(), seen.since)
    }

    /// Whether the start-up was completed once: topics read, group joined.
    #[must_use]
    pub fn startup_complete(&self) -> bool {
        self.glimpse.borrow().ready
    }

    /// Whether the worker leads its group now.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.glimpse.borrow().is_leader
    }

    /// Waits until the start-up is complete; `false` when the worker ended before.
    pub async fn started(&self) -> bool {
        let mut glimpse = self.glimpse.clone();
        glimpse.wait_for(|seen| seen.ready).await.is_ok()
    }
}

/// A running worker. Dropping it does not stop it; [`WorkerHandle::stop`] does.
pub struct WorkerHandle {
    pub(super) client: HerderClient,
    pub(super) cluster_id: Arc<OnceLock<String>>,
    pub(super) actor: JoinHandle<()>,
    pub(super) failure: watch::Receiver<Option<Arc<StartError>>>,
    pub(super) metrics: Arc<TaskMetricsBook>,
    pub(super) port: Arc<WorkerPort>,
}

impl WorkerHandle {
    /// The way to ask its herder.
    #[must_use]
    pub fn client(&self) -> HerderClient {
        self.client.clone()
    }

    /// What the REST layer asks.
    #[must_use]
    pub fn herder_port(&self) -> Arc<dyn HerderPort> {
        Arc::clone(&self.port) as _
    }

    /// The id of the Kafka cluster; `None` until it was reached.
    #[must_use]
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.get().map(String::as_str)
    }

    /// What the tasks of this worker count.
    #[must_use]
    pub fn metrics(&self) -> Arc<TaskMetricsBook> {
        Arc::clone(&self.metrics)
    }

    /// Waits until the worker fails to complete its start; pends for ever when it does not fail.
    pub async fn failed(&self) -> Arc<StartError> {
        let mut failure = self.failure.clone();
        let seen = failure.wait_for(Option::is_some).await;
        if let Ok(Some(error)) = seen.as_deref() {
            return Arc::clone(error);
        }
        drop(seen);
        std::future::pending().await
    }

    /// Ends all work, flushes statuses, leaves the group; resolves when done.
    pub async fn stop(self) {
        // An actor that is gone has stopped.
        let _ = self.client.news.send(News::Stop).await;
        let _ = self.actor.await;
    }
}
