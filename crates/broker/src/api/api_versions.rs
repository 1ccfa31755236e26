//! ApiVersions (KIP-35, KIP-482, KIP-511): what is offered.

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse,
    api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey},
};

use super::{Answer, OFFERED, RequestError, read, text, write};
use crate::group::UNSUPPORTED_VERSION;

const INVALID_REQUEST: i16 = 42;

/// The first version in which a client names its software.
const NAMED: i16 = 3;
/// The first version whose clients take features that begin at 0 (KIP-1022).
const ZERO_FEATURES: i16 = 4;
const TRANSACTION_VERSION: &str = "transaction.version";

pub(super) fn answer(body: Bytes, version: i16) -> Result<Answer, RequestError> {
    let request: ApiVersionsRequest = read(body, version)?;
    let named = is_name(&request.client_software_name) && is_name(&request.client_software_version);
    if version >= NAMED && !named {
        let refused = ApiVersionsResponse::default().with_error_code(INVALID_REQUEST);
        return write(&refused, version);
    }
    let mut response = offered();
    if version >= NAMED {
        // Tells producers to write and end transactions the way of KIP-890.
        let feature = FinalizedFeatureKey::default()
            .with_name(text(TRANSACTION_VERSION))
            .with_max_version_level(2)
            .with_min_version_level(2);
        response = response
            .with_finalized_features_epoch(0)
            .with_finalized_features(vec![feature]);
    }
    if version >= ZERO_FEATURES {
        let feature = SupportedFeatureKey::default()
            .with_name(text(TRANSACTION_VERSION))
            .with_max_version(2);
        response = response.with_supported_features(vec![feature]);
    }
    write(&response, version)
}

/// Letters, digits, dashes and dots, the last two not at an end: the names go into metrics and logs.
fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    name.chars().all(inner)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn offered() -> ApiVersionsResponse {
    let keys = OFFERED.iter().map(|(key, min, max)| {
        ApiVersion::default()
            .with_api_key(*key as i16)
            .with_min_version(*min)
            .with_max_version(*max)
    });
    ApiVersionsResponse::default().with_api_keys(keys.collect())
}

/// To a version that is not known (KIP-511).
pub(super) fn refused() -> ApiVersionsResponse {
    offered().with_error_code(UNSUPPORTED_VERSION)
}
