//! Merge into a connector's configuration (KIP-477, spec `rest-and-config.md` 5.8).

use super::{
    super::{DistributedHerder, HerderEffect, Outcome, RequestError, RequestId, Sink, ops::answer},
    create_or_replace::write_connector,
};
use crate::{ConnectorName, Token, cluster::RawProps};

/// A merged configuration that is being validated.
#[derive(Debug)]
pub(in super::super) struct PatchUnderValidation {
    id: RequestId,
    name: ConnectorName,
    config: RawProps,
}

impl DistributedHerder {
    pub(super) fn patch_connector(
        &mut self,
        id: RequestId,
        name: ConnectorName,
        patch: &RawProps,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        // Unlike a replacement, a patch is validated after the question who leads: only the leader's copy of
        // the configuration is the base.
        self.only_leader()?;
        let current = self.cluster.config(name.as_str());
        let current = current.ok_or_else(|| RequestError::no_connector(name.as_str()))?;
        let mut config = (**current).clone();
        for (key, value) in patch {
            match value {
                Some(_) => config.insert(key.clone(), value.clone()),
                None => config.remove(key),
            };
        }
        let token = self.tokens.next();
        out.push(HerderEffect::Validate {
            token,
            name: name.clone(),
            config: config.clone(),
        });
        let patch = PatchUnderValidation { id, name, config };
        self.patches.insert(token, patch);
        Ok(())
    }

    /// The outcome of a validation. Answers false when it was for something else.
    pub(in super::super) fn patch_outcome(
        &mut self,
        token: Token,
        outcome: &Outcome,
        out: &mut Sink,
    ) -> bool {
        let Some(patch) = self.patches.remove(&token) else {
            return false;
        };
        match outcome {
            Outcome::Done => {
                let PatchUnderValidation { id, name, config } = patch;
                self.begin_op(write_connector(id, name, config, None, false), out);
            }
            Outcome::Refused(error) => answer(patch.id, Err(error.clone()), out),
            Outcome::Failed(text) => answer(patch.id, Err(RequestError::Failed(text.clone())), out),
            _ => {
                let text = "The configuration could not be validated in time".to_owned();
                answer(patch.id, Err(RequestError::Failed(text)), out);
            }
        }
        true
    }
}
