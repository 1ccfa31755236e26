//! Answers the REST layer: requests in its words to the herder, answers back (`HerderPort`).

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use base64::Engine;
use milena_config::Secret;
use milena_core::{
    ConnectorName, TaskId,
    cluster::{RawProps, RestartRequest, TargetState},
    herder::{self, Answer, ConnectorDescription, ConnectorStatus, Reply, Request, RequestError},
    status::StatusValue,
};
use milena_rest_model::{
    ConnectorHealth, ConnectorInfo, ConnectorOffsets, ConnectorState, ConnectorStateInfo,
    ConnectorTaskId, ConnectorType, HerderError, HerderPort, InitialState, KAFKA_VERSION, Message,
    PluginPort, PutOutcome, RestartPlan, ServerInfo, SignatureCheck, Stage, TaskInfo, TaskState,
};

use super::{HerderClient, health::health, hosts::Hosts};

/// The commit of the Kafka release whose surface is answered; clients show it, none parses it.
const KAFKA_COMMIT: &str = "26b251a451ce941d";

/// The REST layer's view of a worker.
pub struct WorkerPort {
    pub(super) client: HerderClient,
    pub(super) plugins: Arc<dyn PluginPort>,
    pub(super) hosts: Arc<Hosts>,
    /// Set once the cluster was reached.
    pub(super) cluster_id: Arc<OnceLock<String>>,
    /// In standalone mode a change is answered when all that follows from it is done.
    pub(super) standalone: bool,
}

/// Validates a configuration: the 400 of create and update requests when there are errors.
pub(super) async fn validate(
    plugins: &dyn PluginPort,
    config: &RawProps,
) -> Result<(), RequestError> {
    let infos = plugins.validate(config).await.map_err(request_error)?;
    infos
        .refusal()
        .map_or(Ok(()), |text| Err(RequestError::BadRequest(text)))
}

pub(super) fn request_error(error: HerderError) -> RequestError {
    match error {
        HerderError::BadRequest(text) => RequestError::BadRequest(text),
        HerderError::Forbidden(text) => RequestError::Forbidden(text),
        HerderError::NotFound(text) => RequestError::NotFound(text),
        HerderError::Conflict(text) => RequestError::Conflict(text),
        HerderError::Elsewhere { url } => RequestError::Elsewhere { url },
        HerderError::Failed(text) => RequestError::Failed(text),
        HerderError::Remote { message, .. } => {
            RequestError::Failed(message.unwrap_or_else(|| "null".to_owned()))
        }
    }
}

pub(super) fn herder_error(error: RequestError) -> HerderError {
    match error {
        RequestError::BadRequest(text) => HerderError::BadRequest(text),
        RequestError::Forbidden(text) => HerderError::Forbidden(text),
        RequestError::NotFound(text) => HerderError::NotFound(text),
        RequestError::Conflict(text) => HerderError::Conflict(text),
        RequestError::Elsewhere { url } => HerderError::Elsewhere { url },
        RequestError::Failed(text) => HerderError::Failed(text),
    }
}

/// An answer of another kind than the request asks for; the herder never gives one.
pub(super) fn unexpected<T>() -> Result<T, HerderError> {
    Err(HerderError::Failed(
        "the herder answered another question".to_owned(),
    ))
}

impl WorkerPort {
    pub(super) async fn ask(&self, request: Request) -> Result<Reply, HerderError> {
        let answer: Answer = self.client.ask(request).await;
        answer.map_err(herder_error)
    }

    async fn done(&self, request: Request) -> Result<(), HerderError> {
        self.ask(request).await.map(|_| ())
    }

    pub(super) fn kind(&self, config: Option<&RawProps>) -> ConnectorType {
        let class = config.and_then(|config| config.get("connector.class")?.as_deref());
        match class.and_then(|class| self.hosts.registry.connector(class).ok()) {
            Some(plugin) if plugin.is_source() => ConnectorType::Source,
            Some(_) => ConnectorType::Sink,
            None => ConnectorType::Unknown,
        }
    }

    fn info(&self, described: ConnectorDescription) -> ConnectorInfo {
        let ConnectorDescription {
            name,
            config,
            tasks,
        } = described;
        ConnectorInfo {
            name: name.to_string(),
            kind: self.kind(Some(&config)),
            config: (*config).clone(),
            tasks: tasks.iter().map(task_id).collect(),
        }
    }

    fn status(&self, status: ConnectorStatus) -> ConnectorStateInfo {
        ConnectorStateInfo {
            name: status.name.to_string(),
            kind: self.kind(status.config.as_deref()),
            connector: ConnectorState {
                state: status.connector.state.as_str().to_owned(),
                worker_id: status.connector.worker_id,
                version: status.connector.version,
                trace: status.connector.trace,
            },
            tasks: status
                .tasks
                .into_iter()
                .map(|(id, status)| task_state(id, status))
                .collect(),
        }
    }

    async fn put(
        &self,
        name: &str,
        config: RawProps,
        target: Option<TargetState>,
        replace: bool,
    ) -> Result<PutOutcome, HerderError> {
        let valid = validate(self.plugins.as_ref(), &config).await;
        valid.map_err(herder_error)?;
        let request = Request::PutConnector {
            name: name.into(),
            config,
            target,
            replace,
        };
        match self.ask(request).await? {
            Reply::Connector { created, info } if !self.standalone => Ok(PutOutcome {
                created,
                info: self.info(info),
            }),
            Reply::Connector { created, .. } => {
                self.done(Request::AwaitSettled(name.into())).await?;
                let info = self.connector_info(name).await?;
                Ok(PutOutcome { created, info })
            }
            _ => unexpected(),
        }
    }

    async fn target(&self, name: &str, target: TargetState) -> Result<(), HerderError> {
        let name = name.into();
        self.done(Request::SetTarget { name, target }).await
    }
}

fn task_id(id: &TaskId) -> ConnectorTaskId {
    ConnectorTaskId {
        connector: id.connector.to_string(),
        task: id.task,
    }
}

fn task_state(id: u32, status: StatusValue) -> TaskState {
    TaskState {
        id,
        state: status.state.as_str().to_owned(),
        worker_id: status.worker_id,
        version: status.version,
        trace: status.trace,
    }
}

/// A task number as a client wrote it; a negative one names no task.
fn task(name: &str, task: i32, missing: &str) -> Result<TaskId, HerderError> {
    let number = u32::try_from(task)
        .map_err(|_| HerderError::NotFound(format!("{missing} {name}-{task}")))?;
    Ok(ConnectorName::from(name).task(number))
}

#[async_trait]
impl HerderPort for WorkerPort {
    fn server_info(&self) -> ServerInfo {
        ServerInfo {
            version: KAFKA_VERSION.to_owned(),
            commit: KAFKA_COMMIT.to_owned(),
            kafka_cluster_id: self.cluster_id.get().cloned(),
        }
    }

    async fn ping(&self) -> Result<(), HerderError> {
        self.done(Request::Health).await
    }

    fn startup_complete(&self) -> bool {
        self.client.startup_complete()
    }

    fn metrics(&self) -> String {
        self.hosts.metrics.page()
    }

    fn stage(&self) -> Option<Stage> {
        let (description, began) = self.client.stage();
        Some(Stage {
            description,
            began,
            completed: None,
        })
    }

    async fn connectors(&self) -> Result<Vec<String>, HerderError> {
        match self.ask(Request::ListConnectors).await? {
            Reply::Connectors(names) => Ok(names.iter().map(ToString::to_string).collect()),
            _ => unexpected(),
        }
    }

    async fn connector_info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        match self.ask(Request::ConnectorInfo(name.into())).await? {
            Reply::Connector { info, .. } => Ok(self.info(info)),
            _ => unexpected(),
        }
    }

    async fn create(
        &self,
        name: &str,
        config: RawProps,
        initial_state: Option<InitialState>,
    ) -> Result<ConnectorInfo, HerderError> {
        let target = initial_state.map(|state| match state {
            InitialState::Running => TargetState::Started,
            InitialState::Paused => TargetState::Paused,
            InitialState::Stopped => TargetState::Stopped,
        });
        Ok(self.put(name, config, target, false).await?.info)
    }

    async fn put_config(&self, name: &str, config: RawProps) -> Result<PutOutcome, HerderError> {
        self.put(name, config, None, true).await
    }

    async fn patch_config(
        &self,
        name: &str,
        patch: RawProps,
    ) -> Result<ConnectorInfo, HerderError> {
        let name = name.into();
        match self.ask(Request::PatchConnector { name, patch }).await? {
            Reply::Connector { info, .. } => Ok(self.info(info)),
            _ => unexpected(),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), HerderError> {
        self.done(Request::DeleteConnector(name.into())).await?;
        match self.standalone {
            true => self.done(Request::AwaitSettled(name.into())).await,
            false => Ok(()),
        }
    }

    async fn connector_status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError> {
        match self.ask(Request::ConnectorStatus(name.into())).await? {
            Reply::Status(status) => Ok(self.status(status)),
            _ => unexpected(),
        }
    }

    async fn connector_health(&self, name: &str) -> Result<ConnectorHealth, HerderError> {
        match self.ask(Request::ConnectorHealing(name.into())).await? {
            Reply::Healing(healing) => Ok(health(&healing, |status| self.status(status.clone()))),
            _ => unexpected(),
        }
    }

    async fn task_status(&self, name: &str, number: i32) -> Result<TaskState, HerderError> {
        let id = task(name, number, "No status found for task")?;
        let number = id.task;
        match self.ask(Request::TaskStatus(id)).await? {
            Reply::Task(status) => Ok(task_state(number, status)),
            _ => unexpected(),
        }
    }

    async fn tasks(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError> {
        match self.ask(Request::TaskConfigs(name.into())).await? {
            Reply::Tasks(tasks) => Ok(tasks
                .into_iter()
                .map(|(id, config)| TaskInfo {
                    id: task_id(&id),
                    config: (*config).clone(),
                })
                .collect()),
            _ => unexpected(),
        }
    }

    async fn restart_connector(&self, name: &str) -> Result<(), HerderError> {
        self.done(Request::RestartConnector(name.into())).await
    }

    async fn restart_with_plan(
        &self,
        name: &str,
        plan: RestartPlan,
    ) -> Result<ConnectorStateInfo, HerderError> {
        let request = RestartRequest {
            connector: name.into(),
            include_tasks: plan.include_tasks,
            only_failed: plan.only_failed,
        };
        match self.ask(Request::RestartAll(request)).await? {
            Reply::Status(status) => Ok(self.status(status)),
            _ => unexpected(),
        }
    }

    async fn restart_task(&self, name: &str, number: i32) -> Result<(), HerderError> {
        let id = match task(name, number, "Unknown task:") {
            Ok(id) => id,
            // A number that no task has; that the connector is missing comes first.
            Err(error) => {
                return match self.ask(Request::TaskConfigs(name.into())).await {
                    Err(HerderError::NotFound(_)) => {
                        Err(HerderError::NotFound(format!("Unknown connector: {name}")))
                    }
                    _ => Err(error),
                };
            }
        };
        let shown = id.to_string();
        match self.done(Request::RestartTask(id)).await {
            // A stopped connector has no tasks; there is no other worker to ask.
            Err(HerderError::Elsewhere { .. }) if self.standalone => {
                Err(HerderError::NotFound(format!("Task {shown} not found")))
            }
            answer => answer,
        }
    }

    async fn pause(&self, name: &str) -> Result<(), HerderError> {
        self.target(name, TargetState::Paused).await
    }

    async fn resume(&self, name: &str) -> Result<(), HerderError> {
        self.target(name, TargetState::Started).await
    }

    async fn stop(&self, name: &str) -> Result<(), HerderError> {
        match self.done(Request::StopConnector(name.into())).await {
            Err(HerderError::NotFound(_)) if self.standalone => Err(HerderError::Failed(format!(
                "No connector `{name}` configured"
            ))),
            answer => answer,
        }
    }

    async fn topics(&self, name: &str) -> Result<Vec<String>, HerderError> {
        match self.ask(Request::Topics(name.into())).await? {
            Reply::Topics(topics) => Ok(topics),
            _ => unexpected(),
        }
    }

    async fn reset_topics(&self, name: &str) -> Result<(), HerderError> {
        self.done(Request::ResetTopics(name.into())).await
    }

    async fn offsets(&self, name: &str) -> Result<ConnectorOffsets, HerderError> {
        self.show_offsets(name).await
    }

    async fn alter_offsets(
        &self,
        name: &str,
        offsets: ConnectorOffsets,
    ) -> Result<Message, HerderError> {
        self.change_offsets(name, Some(offsets)).await
    }

    async fn reset_offsets(&self, name: &str) -> Result<Message, HerderError> {
        self.change_offsets(name, None).await
    }

    async fn put_task_configs(
        &self,
        name: &str,
        configs: Vec<RawProps>,
    ) -> Result<(), HerderError> {
        if self.standalone {
            return Err(HerderError::Failed(
                "Kafka Connect in standalone mode does not support externally setting task configurations."
                    .to_owned(),
            ));
        }
        let name = name.into();
        self.done(Request::PutTaskConfigs { name, configs }).await
    }

    async fn fence_zombies(&self, name: &str) -> Result<(), HerderError> {
        if self.standalone {
            return Err(HerderError::Failed(
                "Kafka Connect in standalone mode does not support exactly-once source connectors."
                    .to_owned(),
            ));
        }
        let info = self.connector_info(name).await?;
        if info.kind == ConnectorType::Sink {
            return Err(HerderError::BadRequest(format!(
                "Connector {name} is not a source connector"
            )));
        }
        self.done(Request::FenceZombies(name.into())).await
    }

    async fn signature_check(&self) -> Result<SignatureCheck, HerderError> {
        match self.ask(Request::SignatureCheck).await? {
            Reply::Signatures(herder::SignatureCheck::NotNeeded) => Ok(SignatureCheck::NotNeeded),
            Reply::Signatures(herder::SignatureCheck::NoKey) => Ok(SignatureCheck::NoKey),
            Reply::Signatures(herder::SignatureCheck::Key(key)) => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(&key.base64);
                // A key that is none was written by somebody else; no request can be signed with it.
                Ok(bytes.map_or(SignatureCheck::NoKey, |bytes| {
                    SignatureCheck::Key(Secret::new(bytes))
                }))
            }
            _ => unexpected(),
        }
    }

    async fn set_cluster_logger(&self, logger: &str, level: &str) -> Result<(), HerderError> {
        let (namespace, level) = (logger.to_owned(), level.to_owned());
        self.done(Request::ClusterLoggerLevel { namespace, level })
            .await
    }
}
