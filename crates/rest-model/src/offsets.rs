//! Offsets of a connector as REST shows and takes them (KIP-875).

use serde::{Deserialize, Serialize};

/// A partition or an offset: JSON, in the order it was given.
pub type OffsetMap = serde_json::Map<String, serde_json::Value>;

/// One partition and its offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorOffset {
    /// The partition; may be null in a request.
    #[serde(default)]
    pub partition: Option<OffsetMap>,
    /// The offset; null in a request removes it.
    #[serde(default)]
    pub offset: Option<OffsetMap>,
}

/// `GET` and `PATCH /connectors/{c}/offsets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorOffsets {
    /// The entries.
    pub offsets: Vec<ConnectorOffset>,
}
