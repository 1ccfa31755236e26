//! DescribeAcls: a broker without authorizer has none to describe.

use bytes::Bytes;
use kafka_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use super::{Answer, RequestError, read, text, write};
use crate::group::SECURITY_DISABLED;

pub(super) fn answer(body: Bytes, version: i16) -> Result<Answer, RequestError> {
    let _: DescribeAclsRequest = read(body, version)?;
    let response = DescribeAclsResponse::default()
        .with_error_code(SECURITY_DISABLED)
        .with_error_message(Some(text("No Authorizer is configured.")));
    write(&response, version)
}
