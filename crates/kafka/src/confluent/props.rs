//! Client properties for the library: passed through, with what it cannot do refused by name.

use std::collections::HashMap;

use crate::{
    ports::{ClientProps, KafkaError, KafkaErrorKind},
    security::{Security, unusable_tls},
};

/// Properties that name Java classes or switch on what has no meaning here; the library must not see them.
const DROPPED: [&str; 10] = [
    "key.serializer",
    "value.serializer",
    "key.deserializer",
    "value.deserializer",
    "interceptor.classes",
    "metric.reporters",
    "auto.include.jmx.reporter",
    "enable.metrics.push",
    "group.id",
    "group.instance.id",
];

/// What names stores and opens them.
const STORES: [&str; 10] = [
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.certificates",
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.key",
    "ssl.keystore.certificate.chain",
    "ssl.key.password",
];

/// The mechanisms that the library has for data.
const MECHANISMS: [&str; 1] = ["PLAIN"];

/// The properties for the library.
pub(super) fn library_props(props: &ClientProps) -> Result<HashMap<String, String>, KafkaError> {
    let sasl = props
        .get("security.protocol")
        .is_some_and(|p| p.to_ascii_uppercase().starts_with("SASL"));
    let mechanism = props.get("sasl.mechanism").map_or("GSSAPI", |m| m.as_str());
    if sasl && !MECHANISMS.contains(&mechanism) {
        return Err(KafkaError::new(
            KafkaErrorKind::Config,
            format!(
                "sasl.mechanism={mechanism} is not available for data yet: use PLAIN over TLS, or mutual TLS \
                 (security.protocol=SSL)"
            ),
        )
        .class("org.apache.kafka.common.config.ConfigException"));
    }
    let kept = props
        .iter()
        .filter(|(name, _)| !DROPPED.contains(&name.as_str()));
    let mut kept: HashMap<_, _> = kept
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // The library reads PEM only: it gets what the stores hold, and no store.
    if let Some(tls) = Security::from_props(props)?.tls {
        kept.retain(|name, _| !STORES.contains(&name.as_str()));
        let pem = tls.to_pem_props().map_err(|error| unusable_tls(&error))?;
        kept.extend(
            pem.into_iter()
                .map(|(name, value)| (name.to_owned(), value.reveal().clone())),
        );
    }
    Ok(kept)
}
