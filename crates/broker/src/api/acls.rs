//! ACLs: a broker without authorizer has none to describe, and takes none.

use bytes::Bytes;
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse,
    DescribeAclsRequest, DescribeAclsResponse, create_acls_response::AclCreationResult,
    delete_acls_response::DeleteAclsFilterResult,
};

use super::{Answer, RequestError, read, text, write};
use crate::group::SECURITY_DISABLED;

const NO_AUTHORIZER: &str = "No Authorizer is configured.";

pub(super) fn describe(body: Bytes, version: i16) -> Result<Answer, RequestError> {
    let _: DescribeAclsRequest = read(body, version)?;
    let response = DescribeAclsResponse::default()
        .with_error_code(SECURITY_DISABLED)
        .with_error_message(Some(text("No Authorizer is configured on the broker")));
    write(&response, version)
}

pub(super) fn create(body: Bytes, version: i16) -> Result<Answer, RequestError> {
    let request: CreateAclsRequest = read(body, version)?;
    let refused = AclCreationResult::default()
        .with_error_code(SECURITY_DISABLED)
        .with_error_message(Some(text(NO_AUTHORIZER)));
    let results = vec![refused; request.creations.len()];
    write(
        &CreateAclsResponse::default().with_results(results),
        version,
    )
}

pub(super) fn delete(body: Bytes, version: i16) -> Result<Answer, RequestError> {
    let request: DeleteAclsRequest = read(body, version)?;
    let refused = DeleteAclsFilterResult::default()
        .with_error_code(SECURITY_DISABLED)
        .with_error_message(Some(text(NO_AUTHORIZER)));
    let results = vec![refused; request.filters.len()];
    write(
        &DeleteAclsResponse::default().with_filter_results(results),
        version,
    )
}
