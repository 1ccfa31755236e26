//! Commits of a sink task: what the task confirmed, and nothing past it (spec `distributed.md` 5.4).

use std::{collections::BTreeMap, sync::Arc};

use milena_api::{ConnectError, PartitionOffsets};
use milena_core::{
    group::{
        consumer::{TaskEvent as GroupEvent, TaskInput, TopicPartition},
        membership::{CommitFailure, Input, OffsetToCommit, RequestId},
    },
    task::SinkPartition,
};
use tokio::time::Instant;
use tracing::warn;

use super::{Committing, Engine, api_partition, sink_partition};
use crate::task::metrics::SinkCommit;

impl Engine {
    /// Asks the task what is durable and begins to commit it.
    pub(super) async fn begin_commit(&mut self) -> Result<(), ConnectError> {
        let current = self.book.current();
        if current.is_empty() || self.group.fenced() {
            return Ok(());
        }
        let Some(offsets) = self.confirmed(&current).await? else {
            let metrics = &self.running.metrics;
            metrics.sink_commit(SinkCommit::Failed, &BTreeMap::new());
            // R16: a failed flush commits nothing, and what was delivered since is delivered again.
            let back = self.book.rewind_to_committed();
            for (partition, offset) in back {
                self.rewind(&partition, offset).await?;
            }
            return Ok(());
        };
        if offsets.is_empty() {
            let metrics = &self.running.metrics;
            metrics.sink_commit(SinkCommit::Skipped, &offsets);
        } else {
            self.committing = Some(self.send_commit(offsets).await);
        }
        Ok(())
    }

    /// `pre_commit`, restricted to what may be committed; `None`: it failed.
    pub(super) async fn confirmed(
        &mut self,
        current: &BTreeMap<SinkPartition, i64>,
    ) -> Result<Option<BTreeMap<SinkPartition, i64>>, ConnectError> {
        // DeadLetterFirst: what was reported is durable before any offset may pass it.
        if let Some(dead_letters) = &self.dead_letters {
            dead_letters.flush().await?;
        }
        let asked: PartitionOffsets = current
            .iter()
            .map(|(tp, at)| (api_partition(tp), *at))
            .collect();
        match self.task.pre_commit(asked).await {
            Ok(answer) => {
                let answer = answer
                    .iter()
                    .map(|(tp, at)| (sink_partition(tp), *at))
                    .collect();
                Ok(Some(self.book.committable(&answer)))
            }
            Err(error) => {
                warn!(task = %self.running.spec.id, %error, "pre_commit failed, nothing is committed");
                Ok(None)
            }
        }
    }

    pub(super) async fn send_commit(
        &mut self,
        offsets: BTreeMap<SinkPartition, i64>,
    ) -> Committing {
        let request = self.request();
        let list = offsets.iter().map(|(partition, offset)| OffsetToCommit {
            partition: TopicPartition::new(Arc::clone(&partition.0), partition.1),
            offset: *offset,
            leader_epoch: None,
            metadata: String::new(),
        });
        self.group
            .tell(TaskInput::Membership(Input::Commit {
                request,
                offsets: list.collect(),
            }))
            .await;
        Committing {
            request,
            offsets,
            begun: Instant::now(),
        }
    }

    pub(super) fn request(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    pub(super) fn commit_done(&mut self, request: RequestId, result: Result<(), CommitFailure>) {
        let Some(committing) = self.committing.take_if(|c| c.request == request) else {
            return;
        };
        let metrics = &self.running.metrics;
        match result {
            Ok(()) => {
                let took = committing.begun.elapsed();
                metrics.sink_commit(SinkCommit::Done(took), &committing.offsets);
                self.book.committed(&committing.offsets);
            }
            Err(error) => {
                metrics.sink_commit(SinkCommit::Failed, &committing.offsets);
                warn!(task = %self.running.spec.id, %error, "offsets were not committed and will be tried again");
            }
        }
    }

    /// Waits for a commit, keeping other events for later.
    pub(super) async fn await_commit(&mut self, committing: Committing) {
        let request = committing.request;
        self.committing = Some(committing);
        let within = self.running.spec.world.offset_flush_timeout;
        let done = async {
            while let Some(event) = self.group.event().await {
                match event {
                    GroupEvent::CommitDone {
                        request: done,
                        result,
                    } if done == request => return Some(result),
                    other => self.deferred.push_back(other),
                }
            }
            None
        };
        match tokio::time::timeout(within, done).await {
            Ok(Some(result)) => self.commit_done(request, result),
            _ => warn!(task = %self.running.spec.id, "offsets were not confirmed in time"),
        }
        self.committing = None;
    }
}
