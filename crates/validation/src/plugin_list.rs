//! The plugins of the worker and their keys as REST lists them (spec 5.21, 5.22).

use milena_config::ConfigDef;
use milena_registry::Registry;
use milena_rest_model::{ConfigKeyInfo, HerderError, PluginInfo};

use crate::{
    converters::versions,
    enrich::{Misfit, misfit},
    framework::{FrameworkView, Shown, sink_def, source_def},
    info::key_info,
};

fn info(class: &str, kind: &str, version: &str) -> PluginInfo {
    let version = (version != "undefined").then(|| version.to_owned());
    PluginInfo {
        class: class.to_owned(),
        kind: kind.to_owned(),
        version,
    }
}

/// Sinks, sources, then the other kinds; each by class name.
pub(crate) fn plugins(registry: &Registry, connectors_only: bool) -> Vec<PluginInfo> {
    let of_kind = |source: bool, kind: &'static str| {
        let fitting = registry
            .connectors()
            .filter(move |one| one.is_source() == source);
        fitting.map(move |one| info(one.class(), kind, one.version()))
    };
    let mut all: Vec<PluginInfo> = of_kind(false, "sink")
        .chain(of_kind(true, "source"))
        .collect();
    if connectors_only {
        return all;
    }
    all.extend(
        registry
            .transforms()
            .map(|one| info(one.class(), "transformation", one.version())),
    );
    all.extend(
        registry
            .predicates()
            .map(|one| info(one.class(), "predicate", one.version())),
    );
    all.extend(
        registry
            .converters()
            .map(|one| info(one.class(), "converter", one.version())),
    );
    all.extend(
        registry
            .header_converters()
            .map(|one| info(one.class(), "header_converter", one.version())),
    );
    all
}

/// The keys of a plugin; those of a connector are followed by the framework's that it does not define itself.
pub(crate) fn plugin_config(
    registry: &Registry,
    name: &str,
    version: Option<&str>,
) -> Result<Vec<ConfigKeyInfo>, HerderError> {
    let (class, own_version, def) = find(registry, name)?;
    if let Some(misfit) = misfit(&own_version, version) {
        return Err(HerderError::BadRequest(match misfit {
            Misfit::NoRange(_) => {
                format!(
                    "Invalid version specification: {}",
                    version.unwrap_or_default()
                )
            }
            absent @ Misfit::Absent(_) => {
                absent.text(&class, &versions(registry, &class, &own_version))
            }
        }));
    }
    Ok(def.keys().map(|key| key_info(key, "")).collect())
}

/// Classes of Java's that are plugins without keys: override policies and the one REST extension.
fn has_no_keys(name: &str) -> bool {
    const POLICIES: &str = "org.apache.kafka.connect.connector.policy.";
    const EXTENSION: &str = "BasicAuthSecurityRestExtension";
    let policy = name.strip_prefix(POLICIES).unwrap_or(name);
    let policy = policy
        .strip_suffix("ConnectorClientConfigOverridePolicy")
        .unwrap_or(policy);
    matches!(policy, "All" | "Allowlist" | "None" | "Principal")
        || name
            .strip_prefix("org.apache.kafka.connect.rest.basic.auth.extension.")
            .unwrap_or(name)
            == EXTENSION
}

fn find(registry: &Registry, name: &str) -> Result<(String, String, ConfigDef), HerderError> {
    let named = |class: &str, version: &str, def: ConfigDef| {
        Ok((class.to_owned(), version.to_owned(), def))
    };
    if let Ok(plugin) = registry.connector(name) {
        let view = FrameworkView {
            version: Shown {
                default: Some(plugin.version().to_owned()),
                ..Shown::default()
            },
            ..FrameworkView::default()
        };
        let framework = if plugin.is_source() {
            source_def(&view)
        } else {
            sink_def(&view)
        };
        let own = plugin.config_def();
        let rest = framework
            .keys()
            .filter(|key| own.key(&key.name).is_none())
            .cloned();
        let def = rest.fold(own.clone(), ConfigDef::define);
        return named(plugin.class(), plugin.version(), def);
    }
    if let Ok(plugin) = registry.converter(name) {
        return named(plugin.class(), plugin.version(), plugin.config_def());
    }
    if let Ok(plugin) = registry.header_converter(name) {
        return named(plugin.class(), plugin.version(), plugin.config_def());
    }
    if let Ok(plugin) = registry.transform(name) {
        return named(plugin.class(), plugin.version(), plugin.config_def());
    }
    if let Ok(plugin) = registry.predicate(name) {
        return named(plugin.class(), plugin.version(), plugin.config_def());
    }
    if registry.provider(name).is_ok() || registry.policy(name).is_ok() || has_no_keys(name) {
        return Err(HerderError::BadRequest(format!(
            "Invalid plugin class {name}. Valid types are sink, source, converter, header_converter, transformation, predicate."
        )));
    }
    Err(HerderError::NotFound(format!("Unknown plugin {name}.")))
}
