//! The topics that a connector uses (KIP-558, spec `rest-and-config.md` 5.18).

use super::super::{Answer, DistributedHerder, Reply, RequestError, RequestId, Sink, ops::answer};
use crate::ConnectorName;

impl DistributedHerder {
    pub(super) fn list_topics(&self, name: &ConnectorName) -> Answer {
        if !self.settings.topic_tracking {
            return Err(RequestError::Forbidden(
                "Topic tracking is disabled.".to_owned(),
            ));
        }
        let topics = self.statuses.topics(name.as_str());
        Ok(Reply::Topics(
            topics.map(|used| used.topic.clone()).collect(),
        ))
    }

    pub(super) fn forget_topics(
        &mut self,
        id: RequestId,
        name: &ConnectorName,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        let refusal = match (
            self.settings.topic_tracking,
            self.settings.topic_tracking_reset,
        ) {
            (false, _) => "Topic tracking is disabled.",
            (true, false) => "Topic tracking reset is disabled.",
            (true, true) => {
                self.reset_topics(name, out);
                answer(id, Ok(Reply::Done), out);
                return Ok(());
            }
        };
        Err(RequestError::Forbidden(refusal.to_owned()))
    }
}
