//! Membership in a group whose partitions the broker assigns (KIP-848): the state machine of the core and its requests.

use std::{collections::BTreeMap, sync::Arc};

use milena_core::{
    effect::Effects,
    group::{
        GenerationId, MemberId,
        consumer::{
            BrokerAssigned, BrokerAssignedSettings, GroupAnswer, GroupRequest, HeartbeatAnswer,
            HeartbeatContent, HeartbeatRefusal, MemberInput, MemberOutput, TaskEvent, TaskInput,
            TopicId,
        },
        membership::{ErrorCode, RequestFailure},
    },
    time::{Deadline, Now},
};
use milena_kafka::ports::{ConsumerHeartbeat, GroupChannel};
use tokio::sync::mpsc;

use super::group::Member;
use crate::group_net::{commit, failure, fetch, find};

/// One task's membership.
pub(super) struct BrokerAssignedTask {
    member: BrokerAssigned,
    channel: Arc<dyn GroupChannel>,
    instance: Option<String>,
    answers: mpsc::Sender<GroupAnswer>,
}

impl BrokerAssignedTask {
    pub(super) fn new(
        settings: BrokerAssignedSettings,
        channel: Arc<dyn GroupChannel>,
        answers: mpsc::Sender<GroupAnswer>,
    ) -> Self {
        Self {
            instance: settings.instance.clone(),
            member: BrokerAssigned::new(settings),
            channel,
            answers,
        }
    }

    fn step(&mut self, now: Now, input: MemberInput) -> Vec<TaskEvent> {
        let mut outputs = Effects::new();
        self.member.step(now, input, &mut outputs);
        let mut events = Vec::new();
        for output in outputs {
            match output {
                MemberOutput::Task(event) => events.push(event),
                MemberOutput::Request(request) => {
                    let (channel, answers) = (Arc::clone(&self.channel), self.answers.clone());
                    let instance = self.instance.clone();
                    tokio::spawn(async move {
                        let answer = execute(&*channel, instance.as_deref(), request).await;
                        // A membership that is gone needs no answer.
                        let _ = answers.send(answer).await;
                    });
                }
            }
        }
        events
    }
}

impl Member for BrokerAssignedTask {
    type Answer = GroupAnswer;

    fn take(&mut self, now: Now, input: TaskInput) -> Vec<TaskEvent> {
        self.step(now, MemberInput::Task(input))
    }

    fn answer(&mut self, now: Now, answer: GroupAnswer) -> Vec<TaskEvent> {
        self.step(now, MemberInput::Answer(answer))
    }

    fn deadline(&self) -> Option<Deadline> {
        self.member.deadline()
    }

    fn fence_at(&self) -> Option<Deadline> {
        self.member.fence_at()
    }
}

async fn execute(
    channel: &dyn GroupChannel,
    instance: Option<&str>,
    request: GroupRequest,
) -> GroupAnswer {
    match request {
        GroupRequest::FindCoordinator { token } => GroupAnswer::Coordinator {
            token,
            result: find(channel).await,
        },
        GroupRequest::Heartbeat {
            token,
            member,
            content,
        } => GroupAnswer::Heartbeat {
            token,
            result: heartbeat(channel, &member, content).await,
        },
        GroupRequest::NameTopics { token, topics } => {
            let ids = channel.topic_ids(topics.into_iter().collect()).await;
            let by_id = |(name, id)| (TopicId(id), name);
            let names: Option<BTreeMap<TopicId, String>> =
                ids.ok().map(|ids| ids.into_iter().map(by_id).collect());
            GroupAnswer::Topics { token, names }
        }
        GroupRequest::Commit {
            token,
            epoch,
            member,
            offsets,
        } => GroupAnswer::Committed {
            token,
            result: commit(
                channel,
                GenerationId(epoch),
                (member.as_str(), instance),
                offsets,
            )
            .await,
        },
        GroupRequest::Fetch {
            token,
            epoch,
            member,
            partitions,
        } => GroupAnswer::Fetched {
            token,
            result: fetch(channel, partitions, Some((member.as_str(), epoch))).await,
        },
    }
}

async fn heartbeat(
    channel: &dyn GroupChannel,
    member: &MemberId,
    content: HeartbeatContent,
) -> Result<HeartbeatAnswer, HeartbeatRefusal> {
    let request = ConsumerHeartbeat {
        member_id: member.as_str().to_owned(),
        epoch: content.epoch,
        instance_id: content.instance,
        rack: content.rack,
        rebalance_timeout: content.rebalance_timeout,
        topics: content.topics.map(|topics| topics.into_iter().collect()),
        assignor: content.assignor,
        owned: content.owned.map(|owned| {
            let one = |(id, partitions): (TopicId, std::collections::BTreeSet<i32>)| {
                (id.0, partitions.into_iter().collect())
            };
            owned.into_iter().map(one).collect()
        }),
    };
    let answer = channel
        .consumer_heartbeat(request)
        .await
        .map_err(|error| HeartbeatRefusal {
            failure: failure(&error),
            said: Some(error.message),
        })?;
    if answer.error != 0 {
        return Err(HeartbeatRefusal {
            failure: RequestFailure::Code(ErrorCode(answer.error)),
            said: answer.said,
        });
    }
    Ok(HeartbeatAnswer {
        member: answer.member_id.map(MemberId::from),
        epoch: answer.epoch,
        interval: answer.interval,
        assignment: answer.assignment.map(|topics| {
            let topics = topics.into_iter();
            topics
                .map(|(id, partitions)| (TopicId(id), partitions.into_iter().collect()))
                .collect()
        }),
    })
}
