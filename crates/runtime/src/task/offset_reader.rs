//! What a source task sees of the committed offsets.

use std::sync::Arc;

use async_trait::async_trait;
use milena_api::{ConnectError, OffsetReader};
use milena_data::SourceMap;

use super::SourceOffsets;

/// The offsets of one connector.
pub(super) struct ConnectorOffsetReader {
    pub(super) connector: Arc<str>,
    pub(super) offsets: Arc<dyn SourceOffsets>,
}

#[async_trait]
impl OffsetReader for ConnectorOffsetReader {
    async fn offsets(
        &self,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError> {
        self.offsets.read(&self.connector, partitions).await
    }
}
