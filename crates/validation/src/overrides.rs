//! Client overrides of a connector: which are checked, what the policy and the types say (spec 9.1, 11.8).

use milena_api::{ClientKind, OverridePolicy, OverrideRequest};
use milena_config::{
    ConfigDef, ConfigKey, ConfigValue, ConfigValueReport, Props, java_trim, parse_value,
};
use milena_rest_model::{HerderError, RawProps};

use crate::{
    client_fate::refusal,
    client_settings::{Fallback, ROWS},
    outcome::{Block, Outcome},
    policy::prefix,
};

/// What decides which clients a connector uses.
pub(crate) struct Uses {
    pub(crate) is_source: bool,
    /// In distributed mode: exactly-once is on.
    pub(crate) exactly_once: bool,
    /// In distributed mode: sources may keep offsets in a topic of their own.
    pub(crate) distributed: bool,
}

fn clients(uses: &Uses, config: &RawProps) -> Vec<ClientKind> {
    let set = |name: &str| {
        let text = config
            .get(name)
            .and_then(Option::as_deref)
            .unwrap_or_default();
        !java_trim(text).is_empty()
    };
    let own_offsets =
        uses.is_source && uses.distributed && (uses.exactly_once || set("offsets.storage.topic"));
    let dead_letters = !uses.is_source && set("errors.deadletterqueue.topic.name");
    let creates_topics =
        uses.is_source && config.keys().any(|key| key.starts_with("topic.creation."));
    let mut clients = Vec::new();
    if uses.is_source || dead_letters {
        clients.push(ClientKind::Producer);
    }
    if !uses.is_source || own_offsets {
        clients.push(ClientKind::Consumer);
    }
    if dead_letters || creates_topics || own_offsets {
        clients.push(ClientKind::Admin);
    }
    clients
}

fn definition(client: ClientKind) -> ConfigDef {
    let letter = match client {
        ClientKind::Producer => 'P',
        ClientKind::Consumer => 'C',
        ClientKind::Admin => 'A',
    };
    let rows = ROWS.iter().filter(|(.., clients)| clients.contains(letter));
    rows.fold(
        ConfigDef::new(),
        |def, (name, kind, fallback, importance, _)| {
            let key = ConfigKey::new(name, *kind)
                .importance(*importance)
                .doc("A setting of Kafka's client.");
            def.define(match fallback {
                Fallback::Required => key,
                Fallback::Null => key.default(ConfigValue::Null),
                Fallback::Text(text) => {
                    key.default(parse_value(name, *kind, text).unwrap_or(ConfigValue::Null))
                }
            })
        },
    )
}

/// Adds a block per client that is used.
///
/// # Errors
/// A value does not parse: Java fails outright.
pub(crate) fn add_blocks(
    policy: &dyn OverridePolicy,
    uses: &Uses,
    connector: &str,
    config: &RawProps,
    outcome: &mut Outcome,
) -> Result<(), HerderError> {
    for client in clients(uses, config) {
        let prefix = prefix(client);
        let entries = config
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value.as_deref()?)));
        let overrides: Props = entries
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if overrides.is_empty() {
            continue;
        }
        let def = definition(client);
        let refused = policy.refused(&OverrideRequest {
            client,
            overrides: &overrides,
            connector,
        });
        let mut reports = Vec::new();
        for (name, text) in &overrides {
            let value = match def.key(name) {
                Some(key) => parse_value(name, key.kind, text).map_err(|error| {
                    let class = "org.apache.kafka.common.config.ConfigException";
                    HerderError::Failed(format!("{class}: {}", error.message))
                })?,
                None => ConfigValue::String(text.clone()),
            };
            let mut report = ConfigValueReport::new(name);
            report.value = value;
            report.errors = refused
                .iter()
                .filter(|(key, _)| key == name)
                .map(|(_, text)| text.clone())
                .chain(refusal(name, text))
                .collect();
            reports.push(report);
        }
        let named: Vec<&str> = reports.iter().map(|report| report.name.as_str()).collect();
        let def = def
            .keys()
            .filter(|key| named.contains(&key.name.as_str()))
            .cloned();
        let def = def.fold(ConfigDef::new(), ConfigDef::define);
        outcome.add_block(Block {
            prefix: prefix.to_owned(),
            def,
            reports,
        });
    }
    Ok(())
}
