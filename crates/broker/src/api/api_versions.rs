//! ApiVersions: what is offered (KIP-35, KIP-511).

use kafka_protocol::messages::{ApiVersionsResponse, api_versions_response::ApiVersion};

use super::OFFERED;
use crate::group::UNSUPPORTED_VERSION;

/// The offer.
pub(super) fn offered() -> ApiVersionsResponse {
    let one = |(key, min, max): &(kafka_protocol::messages::ApiKey, i16, i16)| {
        ApiVersion::default()
            .with_api_key(*key as i16)
            .with_min_version(*min)
            .with_max_version(*max)
    };
    ApiVersionsResponse::default().with_api_keys(OFFERED.iter().map(one).collect())
}

/// The answer to a version that is not known.
pub(super) fn refused() -> ApiVersionsResponse {
    offered().with_error_code(UNSUPPORTED_VERSION)
}
