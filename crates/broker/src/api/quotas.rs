//! Client quotas: judged as Apache Kafka's controller judges them, kept until the broker ends, and told; nothing is
//! throttled by them here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse, alter_client_quotas_request, alter_client_quotas_response,
    describe_client_quotas_request::ComponentData, describe_client_quotas_response,
};

use super::{Answer, RequestError, read, text, write};
use crate::{
    broker::Shared,
    group::{INVALID_REQUEST, NONE},
};

const UNSUPPORTED_VERSION: i16 = 35;
/// What may have quotas.
const USER: &str = "user";
const CLIENT: &str = "client-id";
const ADDRESS: &str = "ip";
/// The quotas of users and clients, and whether they are whole numbers.
const OF_CLIENTS: [(&str, bool); 4] = [
    ("producer_byte_rate", true),
    ("consumer_byte_rate", true),
    ("request_percentage", false),
    ("controller_mutation_rate", false),
];
const OF_ADDRESSES: [(&str, bool); 1] = [("connection_creation_rate", true)];
/// How a component of a question matches.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;
/// Nobody needs more, and they take memory.
const ENTITIES_MAX: usize = 10_000;

/// Kinds with their names; no name is the default of the kind.
type Entity = BTreeMap<String, Option<String>>;

/// What was set.
#[derive(Default)]
pub(crate) struct Quotas(Mutex<BTreeMap<Entity, BTreeMap<String, f64>>>);

/// A code and words.
type Refusal = (i16, String);

fn refused<T>(words: impl Into<String>) -> Result<T, Refusal> {
    Err((INVALID_REQUEST, words.into()))
}

pub(super) fn describe(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DescribeClientQuotasRequest = read(body, version)?;
    let response = DescribeClientQuotasResponse::default();
    if let Err((code, words)) = judge_question(&request.components) {
        let response = response
            .with_error_code(code)
            .with_error_message(Some(text(&words)))
            .with_entries(None);
        return write(&response, version);
    }
    let all = shared.quotas.0.lock();
    let all = all.unwrap_or_else(PoisonError::into_inner);
    let entries = all
        .iter()
        .filter(|(entity, _)| {
            (!request.strict || entity.len() == request.components.len())
                && request
                    .components
                    .iter()
                    .all(|asked| matches(entity, asked))
        })
        .map(|(entity, values)| {
            use describe_client_quotas_response::{EntityData, EntryData, ValueData};
            let entity = entity.iter().map(|(kind, name)| {
                EntityData::default()
                    .with_entity_type(text(kind))
                    .with_entity_name(name.as_deref().map(text))
            });
            let values = values
                .iter()
                .map(|(key, value)| ValueData::default().with_key(text(key)).with_value(*value));
            EntryData::default()
                .with_entity(entity.collect())
                .with_values(values.collect())
        });
    let response = response
        .with_error_message(Some(text("")))
        .with_entries(Some(entries.collect()));
    write(&response, version)
}

fn judge_question(components: &[ComponentData]) -> Result<(), Refusal> {
    let mut kinds: Vec<&str> = Vec::new();
    for asked in components {
        let kind = asked.entity_type.as_str();
        if ![USER, CLIENT, ADDRESS].contains(&kind) {
            let words = format!("Unsupported entity type {kind}");
            return Err((UNSUPPORTED_VERSION, words));
        }
        if kinds.contains(&kind) {
            return refused(format!(
                "Entity type {kind} cannot appear more than once in the filter."
            ));
        }
        kinds.push(kind);
        match asked.match_type {
            EXACT if asked._match.is_none() => {
                return refused(
                    "Request specified MATCH_TYPE_EXACT, but set match string to null.",
                );
            }
            EXACT | DEFAULT | ANY => {}
            other => return refused(format!("Unknown match type {other}")),
        }
    }
    if kinds.contains(&ADDRESS) && kinds.len() > 1 {
        return refused(
            "Invalid entity filter component combination. IP filter component should not be used \
             with user or clientId filter component.",
        );
    }
    Ok(())
}

fn matches(entity: &Entity, asked: &ComponentData) -> bool {
    entity
        .get(asked.entity_type.as_str())
        .is_some_and(|name| match asked.match_type {
            EXACT => name.as_deref() == asked._match.as_deref(),
            DEFAULT => name.is_none(),
            _ => true,
        })
}

pub(super) fn alter(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    use alter_client_quotas_response::{EntityData, EntryData};
    let request: AlterClientQuotasRequest = read(body, version)?;
    let entries = request.entries.iter().map(|entry| {
        let entity: Entity = entry
            .entity
            .iter()
            .map(|e| {
                let name = e.entity_name.as_ref().map(ToString::to_string);
                (e.entity_type.to_string(), name)
            })
            .collect();
        let told = entity.iter().map(|(kind, name)| {
            EntityData::default()
                .with_entity_type(text(kind))
                .with_entity_name(name.as_deref().map(text))
        });
        let told = EntryData::default().with_entity(told.collect());
        let judged = judge(&entity, &entry.ops).and_then(|()| {
            shared
                .quotas
                .change(entity, &entry.ops, request.validate_only)
        });
        let (code, words) = match judged {
            Ok(()) => (NONE, None),
            Err((code, words)) => (code, Some(text(&words))),
        };
        told.with_error_code(code).with_error_message(words)
    });
    let response = AlterClientQuotasResponse::default().with_entries(entries.collect());
    write(&response, version)
}

fn judge(entity: &Entity, ops: &[alter_client_quotas_request::OpData]) -> Result<(), Refusal> {
    if entity.is_empty() {
        return refused("Invalid empty client quota entity");
    }
    for (kind, name) in entity {
        if ![USER, CLIENT, ADDRESS].contains(&kind.as_str()) {
            return refused(format!("Unhandled client quota entity type: {kind}"));
        }
        if name.as_deref() == Some("") {
            return refused(format!("Empty {kind} not supported"));
        }
    }
    let known: &[(&str, bool)] = match entity.contains_key(ADDRESS) {
        true if entity.len() > 1 => return refused("Invalid client quota entity"),
        true => &OF_ADDRESSES,
        false => &OF_CLIENTS,
    };
    for op in ops {
        let key = op.key.as_str();
        let Some((_, whole)) = known.iter().find(|(name, _)| *name == key) else {
            return refused(format!("Invalid configuration key {key}"));
        };
        if op.remove {
            continue;
        }
        if op.value <= 0.0 {
            return refused(format!("Quota {key} must be greater than 0"));
        }
        if *whole && op.value.fract() != 0.0 {
            return refused(format!("{key} cannot be a fractional value."));
        }
    }
    Ok(())
}

impl Quotas {
    fn change(
        &self,
        entity: Entity,
        ops: &[alter_client_quotas_request::OpData],
        validate_only: bool,
    ) -> Result<(), Refusal> {
        if validate_only {
            return Ok(());
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ENTITIES_MAX && !all.contains_key(&entity) {
            return refused("too many entities have quotas");
        }
        let values = all.entry(entity.clone()).or_default();
        for op in ops {
            if op.remove {
                values.remove(op.key.as_str());
            } else {
                values.insert(op.key.to_string(), op.value);
            }
        }
        if values.is_empty() {
            all.remove(&entity);
        }
        Ok(())
    }
}
