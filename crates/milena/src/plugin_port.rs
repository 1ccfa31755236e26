//! The plugins of this binary as REST sees them.

use std::sync::Arc;

use async_trait::async_trait;
use milena_config::{ConfigKey, ConfigValue, Props};
use milena_registry::{PluginKind, Registry};
use milena_rest_model::{
    ConfigInfo, ConfigInfos, ConfigKeyInfo, ConfigValueInfo, HerderError, PluginInfo, PluginPort,
    RawProps,
};

/// Lists plugins and validates connector configurations against their definitions.
pub(crate) struct Plugins {
    registry: Arc<Registry>,
}

impl Plugins {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }
}

fn text(value: &ConfigValue) -> Option<String> {
    Some(match value {
        ConfigValue::Null => return None,
        ConfigValue::Boolean(value) => value.to_string(),
        ConfigValue::String(text) | ConfigValue::Class(text) => text.clone(),
        ConfigValue::Int(number) => number.to_string(),
        ConfigValue::Short(number) => number.to_string(),
        ConfigValue::Long(number) => number.to_string(),
        ConfigValue::Double(number) => number.to_string(),
        ConfigValue::List(items) => items.join(","),
        ConfigValue::Password(_) => "[hidden]".to_owned(),
    })
}

fn key_info(key: &ConfigKey) -> ConfigKeyInfo {
    ConfigKeyInfo {
        name: key.name.clone(),
        kind: format!("{:?}", key.kind).to_uppercase(),
        required: key.default.is_none(),
        default_value: key.default.as_ref().and_then(text),
        importance: format!("{:?}", key.importance).to_uppercase(),
        documentation: key.documentation.clone(),
        group: key.group.clone(),
        order_in_group: key.order_in_group,
        width: format!("{:?}", key.width).to_uppercase(),
        display_name: key.display_name.clone(),
        dependents: key.dependents.clone(),
    }
}

#[async_trait]
impl PluginPort for Plugins {
    fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        let info = |class: &str, version: &str, kind: PluginKind| PluginInfo {
            class: class.to_owned(),
            kind: kind.type_name().to_owned(),
            version: Some(version.to_owned()),
        };
        let (mut sinks, mut sources) = (Vec::new(), Vec::new());
        for plugin in self.registry.connectors() {
            if plugin.is_source() {
                sources.push(info(plugin.class(), plugin.version(), PluginKind::Source));
            } else {
                sinks.push(info(plugin.class(), plugin.version(), PluginKind::Sink));
            }
        }
        let mut all = sinks;
        all.append(&mut sources);
        if !connectors_only {
            let registry = &self.registry;
            all.extend(
                registry
                    .converters()
                    .map(|p| info(p.class(), p.version(), PluginKind::Converter)),
            );
            all.extend(
                registry
                    .header_converters()
                    .map(|p| info(p.class(), p.version(), PluginKind::HeaderConverter)),
            );
            all.extend(
                registry
                    .transforms()
                    .map(|p| info(p.class(), p.version(), PluginKind::Transformation)),
            );
            all.extend(
                registry
                    .predicates()
                    .map(|p| info(p.class(), p.version(), PluginKind::Predicate)),
            );
        }
        all
    }

    fn plugin_config(
        &self,
        plugin: &str,
        _version: Option<&str>,
    ) -> Result<Vec<ConfigKeyInfo>, HerderError> {
        let def = if let Ok(plugin) = self.registry.connector(plugin) {
            plugin.config_def()
        } else if let Ok(plugin) = self.registry.converter(plugin) {
            plugin.config_def()
        } else if let Ok(plugin) = self.registry.transform(plugin) {
            plugin.config_def()
        } else if let Ok(plugin) = self.registry.predicate(plugin) {
            plugin.config_def()
        } else {
            return Err(HerderError::NotFound(format!("Unknown plugin {plugin}.")));
        };
        Ok(def.keys().map(key_info).collect())
    }

    async fn validate(&self, config: &RawProps) -> Result<ConfigInfos, HerderError> {
        let props: Props = config
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
            .collect();
        let class = props.get("connector.class").cloned().unwrap_or_default();
        let plugin = self.registry.connector(&class);
        let plugin = plugin.map_err(|error| HerderError::BadRequest(error.to_string()))?;
        let def = plugin.config_def();
        let mut configs = Vec::new();
        for report in def.validate_all(&props) {
            configs.push(ConfigInfo {
                definition: def.key(&report.name).map(key_info),
                value: Some(ConfigValueInfo {
                    name: report.name.clone(),
                    value: text(&report.value),
                    recommended_values: report.recommended_values,
                    errors: report.errors,
                    visible: report.visible,
                }),
            });
        }
        let errors = configs
            .iter()
            .filter_map(|config| config.value.as_ref())
            .map(|v| v.errors.len())
            .sum();
        Ok(ConfigInfos {
            name: class,
            error_count: errors,
            groups: Vec::new(),
            configs,
        })
    }
}
