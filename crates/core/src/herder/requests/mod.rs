//! What each request does: one file per request.

mod cluster_logger;
mod create_or_replace;
mod delete;
mod describe;
mod fence_zombies;
mod offset_change;
mod patch;
mod restart;
mod restart_task;
mod settled;
mod status;
mod stop;
mod target;
mod task_configs;
mod topics;

pub(super) use patch::PatchUnderValidation;
pub(super) use settled::SettleWaiter;

use super::{
    Answer, DistributedHerder, Reply, Request, RequestError, RequestId, Sink,
    fencing::FencingWaiter, ops::answer,
};
use crate::Now;

impl DistributedHerder {
    /// Takes up a request: what only reads is answered from what is known; what changes something waits its turn.
    pub(super) fn accept_request(&mut self, id: RequestId, request: Request, out: &mut Sink) {
        if self.is_ending() {
            answer(id, Err(RequestError::shutting_down()), out);
            return;
        }
        if let Some(reply) = self.read(&request) {
            answer(id, reply, out);
        } else if let Err(error) = self.ops.push_request(id, request) {
            answer(id, Err(error), out);
        }
    }

    fn read(&self, request: &Request) -> Option<Answer> {
        Some(match request {
            Request::ListConnectors => Ok(Reply::Connectors(
                self.cluster.connectors().cloned().collect(),
            )),
            Request::ConnectorInfo(name) => self.describe(name).map(|info| Reply::Connector {
                created: false,
                info,
            }),
            Request::TaskConfigs(name) => self.list_task_configs(name),
            Request::ConnectorStatus(name) => self.connector_status(name),
            Request::ConnectorHealing(name) => self.connector_healing(name),
            Request::TaskStatus(id) => self.task_status(id),
            Request::Topics(name) => self.list_topics(name),
            Request::ConfirmTask { id, generation } => self.confirm_task(id, *generation),
            Request::SignatureCheck => Ok(Reply::Signatures(self.signature_check())),
            _ => return None,
        })
    }

    /// Begins a request whose turn has come.
    pub(super) fn begin_request(
        &mut self,
        now: Now,
        id: RequestId,
        request: Request,
        out: &mut Sink,
    ) {
        let refused = match request {
            Request::PutConnector {
                name,
                config,
                target,
                replace,
            } => self.put_connector(id, name, config, target, replace, out),
            Request::PatchConnector { name, patch } => self.patch_connector(id, name, &patch, out),
            Request::DeleteConnector(name) => self.delete_connector(id, name, out),
            Request::SetTarget { name, target } => self.set_target(id, name, target, out),
            Request::StopConnector(name) => self.stop_connector(id, name, out),
            Request::RestartConnector(name) => self.restart_connector(now, id, name),
            Request::RestartAll(request) => self.restart_all(id, request, out),
            Request::RestartTask(task) => self.restart_task(id, task, out),
            Request::ResetTopics(name) => self.forget_topics(id, &name, out),
            Request::PutTaskConfigs { name, configs } => {
                self.put_task_configs(id, name, &configs, out)
            }
            Request::FenceZombies(name) => self.fence_zombies(id, &name, out),
            Request::FenceBeforeStart(name) => {
                match self.group.is_leader() {
                    true => self.fence(&name, FencingWaiter::Request(id), out),
                    false => self.ask_for_fencing(id, &name, out),
                }
                Ok(())
            }
            Request::PrepareOffsetChange { name, is_source } => {
                self.prepare_offset_change(id, &name, is_source, out)
            }
            Request::ClusterLoggerLevel { namespace, level } => {
                self.cluster_logger_level(id, namespace, level, out);
                Ok(())
            }
            Request::AwaitSettled(name) => {
                self.settle_waiters.push(SettleWaiter::new(id, name));
                Ok(())
            }
            // The worker is ready, or its turn would not have come.
            Request::Health => {
                answer(id, Ok(Reply::Done), out);
                Ok(())
            }
            reads => {
                let reply = self.read(&reads).unwrap_or(Ok(Reply::Done));
                answer(id, reply, out);
                Ok(())
            }
        };
        if let Err(error) = refused {
            answer(id, Err(error), out);
        }
    }

    /// Requests that only the leader carries out.
    fn only_leader(&self) -> Result<(), RequestError> {
        if self.group.is_leader() {
            return Ok(());
        }
        let url = self.group.leader_url();
        Err(RequestError::Elsewhere { url })
    }
}
