//! What the hosts of connectors and tasks share, and the way back to the herder.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use milena_api::ConnectError;
use milena_core::{
    ConnectorName, TaskId, Token,
    herder::{
        Answer, ConnectorEvent, Incarnation, Outcome, Request, RequestError, TaskEvent, TopicRecord,
    },
};
use milena_registry::Registry;
use tokio::sync::{mpsc, oneshot};

use super::{
    Resolver, connector_offsets::OffsetStores, metrics::WorkerMetrics, topic_log::TopicLog,
};
use crate::task::TaskWorld;

/// News for the actor that owns the herder.
#[derive(Debug)]
pub(super) enum News {
    ConfigRecords(Vec<TopicRecord>),
    StatusRecords(Vec<TopicRecord>),
    Network(milena_core::group::membership::Input),
    Connector {
        name: ConnectorName,
        incarnation: Incarnation,
        event: ConnectorEvent,
    },
    Task {
        id: TaskId,
        incarnation: Incarnation,
        event: TaskEvent,
    },
    Outcome {
        token: Token,
        outcome: Outcome,
    },
    Ask(Ask),
    Stop,
}

/// A request, and where its answer goes.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) request: Request,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// Shared by all hosts of a worker.
pub(super) struct Hosts {
    pub(super) registry: Arc<Registry>,
    pub(super) resolver: Resolver,
    pub(super) world: Arc<TaskWorld>,
    /// Where the offsets of connectors are.
    pub(super) stores: Arc<dyn OffsetStores>,
    pub(super) graceful_stop: Duration,
    pub(super) news: mpsc::Sender<News>,
    pub(super) metrics: WorkerMetrics,
    /// Set once the config topic is open; never in standalone mode.
    pub(super) config_log: OnceLock<Arc<TopicLog>>,
}

impl Hosts {
    pub(super) async fn send(&self, news: News) {
        // An actor that is gone needs no news.
        let _ = self.news.send(news).await;
    }

    pub(super) async fn connector(
        &self,
        name: ConnectorName,
        incarnation: Incarnation,
        event: ConnectorEvent,
    ) {
        self.send(News::Connector {
            name,
            incarnation,
            event,
        })
        .await;
    }

    /// As [`Self::connector`], from a plugin's own thread: it must not block there.
    pub(super) fn connector_soon(
        self: &Arc<Self>,
        name: ConnectorName,
        incarnation: Incarnation,
        event: ConnectorEvent,
    ) {
        let news = News::Connector {
            name,
            incarnation,
            event,
        };
        if let Err(mpsc::error::TrySendError::Full(news)) = self.news.try_send(news)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let hosts = Arc::clone(self);
            runtime.spawn(async move { hosts.send(news).await });
        }
    }

    pub(super) async fn task(&self, id: TaskId, incarnation: Incarnation, event: TaskEvent) {
        self.send(News::Task {
            id,
            incarnation,
            event,
        })
        .await;
    }

    pub(super) async fn outcome(&self, token: Token, outcome: Outcome) {
        self.send(News::Outcome { token, outcome }).await;
    }

    /// Asks the herder, behind all news that were sent before.
    pub(super) async fn ask(&self, request: Request) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.send(News::Ask(Ask { request, reply })).await;
        answer
            .await
            .unwrap_or_else(|_| Err(RequestError::Failed("Worker is shutting down".to_owned())))
    }

    /// Reads the config topic to its present end.
    pub(super) async fn read_config_to_end(&self) -> Result<(), ConnectError> {
        match self.config_log.get() {
            Some(log) if !log.read_to_end().await => Err(ConnectError::connect(
                "Failed to read to end of config topic",
            )),
            _ => Ok(()),
        }
    }
}
