//! Variables in a configuration are resolved before it is validated (spec 10.1).

use std::collections::BTreeMap;

use milena_api::{ConfigProvider, ConnectError};
use milena_config::{
    Props, Secret, Variable, replace_variables, variables, worker::ProviderSetting,
};
use milena_registry::Registry;
use milena_rest_model::RawProps;

/// The worker's config providers by name.
#[derive(Default)]
pub(crate) struct Providers {
    by_name: BTreeMap<String, Box<dyn ConfigProvider>>,
}

impl Providers {
    /// Makes and configures the providers.
    pub(crate) fn new(
        settings: &[ProviderSetting],
        registry: &Registry,
    ) -> Result<Self, ConnectError> {
        let mut by_name = BTreeMap::new();
        for setting in settings {
            let plugin = registry.provider(&setting.class);
            let plugin = plugin.map_err(|error| ConnectError::config(error.to_string()))?;
            let mut provider = plugin.provider();
            provider.configure(&setting.params)?;
            by_name.insert(setting.name.clone(), provider);
        }
        Ok(Self { by_name })
    }

    /// The configuration with its variables replaced; those that nobody knows stay.
    pub(crate) async fn resolve(&self, config: &RawProps) -> Result<RawProps, ConnectError> {
        let mut wanted: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for Variable {
            provider,
            path,
            key,
        } in config.values().flatten().flat_map(|text| variables(text))
        {
            if self.by_name.contains_key(&provider) {
                wanted.entry((provider, path)).or_default().push(key);
            }
        }
        if wanted.is_empty() {
            return Ok(config.clone());
        }
        let mut known: BTreeMap<Variable, Secret<String>> = BTreeMap::new();
        for ((name, path), keys) in wanted {
            let Some(provider) = self.by_name.get(&name) else {
                continue;
            };
            for (key, value) in provider.get(&path, Some(&keys)).await?.values {
                known.insert(
                    Variable {
                        provider: name.clone(),
                        path: path.clone(),
                        key,
                    },
                    value,
                );
            }
        }
        let replaced = |text: &String| {
            replace_variables(text, |one| {
                known.get(one).map(|value| value.reveal().clone())
            })
        };
        Ok(config
            .iter()
            .map(|(name, value)| (name.clone(), value.as_ref().map(replaced)))
            .collect())
    }
}

/// A configuration without its nulls, as connectors take it.
pub(crate) fn without_nulls(config: &RawProps) -> Props {
    config
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
        .collect()
}
