//! ApiVersions (KIP-35, KIP-482, KIP-511): what is offered.

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, api_versions_response::ApiVersion,
};

use super::{Answer, OFFERED, RequestError, read, write};
use crate::group::UNSUPPORTED_VERSION;

const INVALID_REQUEST: i16 = 42;

/// The first version in which a client names its software.
const NAMED: i16 = 3;

pub(super) fn answer(body: Bytes, version: i16) -> Result<Answer, RequestError> {
    let request: ApiVersionsRequest = read(body, version)?;
    let named = is_name(&request.client_software_name) && is_name(&request.client_software_version);
    if version >= NAMED && !named {
        let refused = ApiVersionsResponse::default().with_error_code(INVALID_REQUEST);
        return write(&refused, version);
    }
    write(&offered(), version)
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
