//! Client quotas: accepted and not kept, as nothing is throttled here.

use bytes::Bytes;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    alter_client_quotas_response::{EntityData, EntryData},
};

use super::{Answer, RequestError, read, text, write};

pub(super) fn describe(body: Bytes, version: i16) -> Result<Answer, RequestError> {
    let _: DescribeClientQuotasRequest = read(body, version)?;
    let response = DescribeClientQuotasResponse::default()
        .with_error_message(Some(text("")))
        .with_entries(Some(Vec::new()));
    write(&response, version)
}

pub(super) fn alter(body: Bytes, version: i16) -> Result<Answer, RequestError> {
    let request: AlterClientQuotasRequest = read(body, version)?;
    let entries = request.entries.into_iter().map(|entry| {
        let entity = entry.entity.into_iter().map(|entity| {
            EntityData::default()
                .with_entity_type(entity.entity_type)
                .with_entity_name(entity.entity_name)
        });
        EntryData::default()
            .with_error_message(None)
            .with_entity(entity.collect())
    });
    let response = AlterClientQuotasResponse::default().with_entries(entries.collect());
    write(&response, version)
}
