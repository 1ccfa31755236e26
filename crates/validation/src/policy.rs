//! The override policies that Kafka comes with (KIP-458, KIP-1188); others are looked up in the registry.

use std::sync::Arc;

use milena_api::{ClientKind, ConnectError, OverridePolicy, OverrideRequest};
use milena_config::Props;
use milena_registry::Registry;

/// Kafka's own policies.
#[derive(Clone, Debug)]
enum BuiltIn {
    All,
    None,
    Principal,
    Allowlist(Vec<String>),
}

impl BuiltIn {
    fn name(&self) -> &'static str {
        match self {
            Self::All => "All",
            Self::None => "None",
            Self::Principal => "Principal",
            Self::Allowlist(_) => "Allowlist",
        }
    }

    fn allows(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Principal => matches!(
                key,
                "sasl.jaas.config" | "sasl.mechanism" | "security.protocol"
            ),
            Self::Allowlist(keys) => keys.iter().any(|allowed| allowed == key),
        }
    }
}

impl OverridePolicy for BuiltIn {
    fn refused(&self, request: &OverrideRequest<'_>) -> Vec<(String, String)> {
        let refused = request.overrides.keys().filter(|key| !self.allows(key));
        refused
            .map(|key| {
                let policy = self.name();
                let text = format!(
                    "The '{policy}' policy does not allow '{key}' to be overridden in the connector configuration."
                );
                (key.clone(), text)
            })
            .collect()
    }
}

/// The policy of a name: one of Kafka's by alias or class name, or one of the registry's.
///
/// # Errors
/// Nobody has the name, or the policy refuses its configuration.
pub(crate) fn policy_of(
    name: &str,
    registry: &Registry,
    worker: &Props,
) -> Result<Arc<dyn OverridePolicy>, ConnectError> {
    if let Ok(plugin) = registry.policy(name) {
        let mut policy = plugin.policy();
        policy.configure(worker)?;
        return Ok(Arc::from(policy));
    }
    let simple = name
        .strip_prefix("org.apache.kafka.connect.connector.policy.")
        .unwrap_or(name);
    let simple = simple
        .strip_suffix("ConnectorClientConfigOverridePolicy")
        .unwrap_or(simple);
    let policy = match simple {
        "All" => BuiltIn::All,
        "None" => BuiltIn::None,
        "Principal" => BuiltIn::Principal,
        "Allowlist" => {
            let keys = worker
                .get("connector.client.config.override.allowlist")
                .map(String::as_str)
                .unwrap_or_default();
            BuiltIn::Allowlist(
                keys.split(',')
                    .map(|key| key.trim().to_owned())
                    .filter(|key| !key.is_empty())
                    .collect(),
            )
        }
        _ => {
            return Err(ConnectError::config(format!(
                "no policy for client overrides is called {name}; use All, None, Principal or Allowlist"
            )));
        }
    };
    Ok(Arc::new(policy))
}

/// The prefix of a client's overrides.
pub(crate) fn prefix(client: ClientKind) -> &'static str {
    match client {
        ClientKind::Producer => "producer.override.",
        ClientKind::Consumer => "consumer.override.",
        ClientKind::Admin => "admin.override.",
    }
}
