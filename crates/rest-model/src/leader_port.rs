//! How a follower reaches the leader: the internal requests of a cluster (spec 6). Implemented by the REST layer,
//! which signs them; used by the runtime.

use async_trait::async_trait;
use milena_config::Secret;

use crate::{HerderError, RawProps};

/// Carries internal requests to another worker. URLs are advertised ones, with a slash at their end.
#[async_trait]
pub trait LeaderPort: Send + Sync {
    /// `POST <url>connectors/<name>/tasks`, signed with the session key unless the group needs none.
    async fn put_task_configs(
        &self,
        url: &str,
        name: &str,
        configs: Vec<RawProps>,
        key: Option<Secret<Vec<u8>>>,
    ) -> Result<(), HerderError>;

    /// `PUT <url>connectors/<name>/fence`, signed likewise.
    async fn fence_zombies(
        &self,
        url: &str,
        name: &str,
        key: Option<Secret<Vec<u8>>>,
    ) -> Result<(), HerderError>;
}
