//! Configuration and tasks of a connector (spec `rest-and-config.md` 5.5, 5.6, 5.10).

use std::sync::Arc;

use super::super::{
    Answer, ConnectorDescription, DistributedHerder, Reply, RequestError, SignatureCheck,
};
use crate::ConnectorName;

impl DistributedHerder {
    pub(in super::super) fn describe(
        &self,
        name: &ConnectorName,
    ) -> Result<ConnectorDescription, RequestError> {
        let config = self.cluster.config(name.as_str());
        let config = config.ok_or_else(|| RequestError::no_connector(name.as_str()))?;
        Ok(ConnectorDescription {
            name: name.clone(),
            config: Arc::clone(config),
            tasks: self.cluster.tasks(name.as_str()).collect(),
        })
    }

    pub(super) fn list_task_configs(&self, name: &ConnectorName) -> Answer {
        if !self.cluster.contains(name.as_str()) {
            return Err(RequestError::no_connector(name.as_str()));
        }
        let tasks = self.cluster.tasks(name.as_str());
        let configs = tasks.filter_map(|id| {
            let config = self.cluster.task_config(&id).cloned()?;
            Some((id, config))
        });
        Ok(Reply::Tasks(configs.collect()))
    }

    pub(super) fn signature_check(&self) -> SignatureCheck {
        if !self.group.is_sessioned() {
            return SignatureCheck::NotNeeded;
        }
        let key = self.cluster.session_key();
        key.map_or(SignatureCheck::NoKey, |key| {
            SignatureCheck::Key(key.clone())
        })
    }
}
