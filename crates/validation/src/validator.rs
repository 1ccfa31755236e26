//! One validation from the raw configuration to the result (spec 12.4), and the plugin port of the REST layer.

use std::sync::Arc;

use async_trait::async_trait;
use milena_api::{ConnectError, ConnectorInstance, OverridePolicy};
use milena_config::{ConfigValue, Props, WorkerConfig, worker::ProviderSetting};
use milena_registry::Registry;
use milena_rest_model::{
    ConfigInfos, ConfigKeyInfo, HerderError, PluginInfo, PluginPort, RawProps,
};

use crate::{
    confine::Bounds,
    converters,
    enrich::{Chain, Enriched, Misfit, misfit},
    exactly_once,
    framework::{FrameworkView, Shown, common_def, sink_def, source_def},
    outcome::Outcome,
    overrides::{self, Uses},
    plugin_list,
    policy::policy_of,
    sink_rules,
    variables::{Providers, without_nulls},
};

/// What of the worker a validation depends on.
#[derive(Clone, Debug)]
pub struct WorkerView {
    /// The classes of the worker's key, value and header converter.
    pub converters: [String; 3],
    /// `connector.client.config.override.policy`.
    pub override_policy: String,
    /// The worker's group in distributed mode; `None` in standalone mode.
    pub group_id: Option<String>,
    /// Whether exactly-once sources are enabled.
    pub exactly_once: bool,
    /// The config providers.
    pub providers: Vec<ProviderSetting>,
    /// The worker's own configuration, for policies that read it.
    pub originals: Props,
}

impl WorkerView {
    /// The view of a standalone worker; [`Self::in_group`] makes it that of a distributed one.
    #[must_use]
    pub fn new(worker: &WorkerConfig) -> Self {
        let converters = [
            &worker.key_converter,
            &worker.value_converter,
            &worker.header_converter,
        ];
        Self {
            converters: converters.map(|one| one.class.clone()),
            override_policy: worker.override_policy.clone(),
            group_id: None,
            exactly_once: false,
            providers: worker.config_providers.clone(),
            originals: worker.originals().clone(),
        }
    }

    /// The view of a distributed worker.
    #[must_use]
    pub fn in_group(mut self, group_id: &str, exactly_once: bool) -> Self {
        self.group_id = Some(group_id.to_owned());
        self.exactly_once = exactly_once;
        self
    }
}

/// Validates configurations of connectors. Needs no network, unless a connector's own check or a config
/// provider does. Immutable; share it behind an [`Arc`].
pub struct ConnectorValidator {
    registry: Arc<Registry>,
    worker: WorkerView,
    policy: Arc<dyn OverridePolicy>,
    providers: Providers,
    bounds: Bounds,
}

impl ConnectorValidator {
    /// A validator for a worker.
    ///
    /// # Errors
    /// The override policy or a config provider is unknown or refuses its settings: the worker must not start.
    pub fn new(registry: Arc<Registry>, worker: WorkerView) -> Result<Self, ConnectError> {
        let policy = policy_of(&worker.override_policy, &registry, &worker.originals)?;
        let providers = Providers::new(&worker.providers, &registry)?;
        let bounds = Bounds::of(&worker.originals)?;
        Ok(Self {
            registry,
            worker,
            policy,
            providers,
            bounds,
        })
    }

    async fn run(&self, given: &RawProps) -> Result<ConfigInfos, HerderError> {
        let failed = |error: ConnectError| HerderError::Failed(error.to_java_string());
        let config = self.providers.resolve(given).await.map_err(failed)?;
        let Some(Some(class)) = config.get("connector.class") else {
            return Err(HerderError::BadRequest(format!(
                "Connector config {} contains no connector type",
                java_map(given)
            )));
        };
        let plugin = self.registry.connector(class);
        let plugin = plugin.map_err(|error| HerderError::BadRequest(error.to_string()))?;
        let asked = config
            .get("connector.plugin.version")
            .and_then(Option::as_deref);
        let mut view = FrameworkView {
            version: Shown {
                default: Some(plugin.version().to_owned()),
                recommended: vec![plugin.version().to_owned()],
                visible: true,
            },
            ..FrameworkView::default()
        };
        let mut outcome = Outcome::default();
        let lookup = |name: &str| config.get(name).map(Option::as_deref);
        if let Some(misfit) = misfit(plugin.version(), asked) {
            let text = misfit.text(plugin.class(), &[plugin.version()]);
            if matches!(misfit, Misfit::NoRange(_)) {
                return Err(HerderError::BadRequest(text));
            }
            for version in &mut view.converter_versions {
                version.visible = false;
            }
            let def = common_def(&view);
            let reports = def.validate_with(&lookup);
            outcome.take(&def, reports);
            outcome.error("connector.class", text.clone());
            outcome.error("connector.plugin.version", text);
            return Ok(outcome.finish(class));
        }
        converters::show(&mut view, &self.registry, &self.worker.converters, &config);
        let mut def = if plugin.is_source() {
            source_def(&view)
        } else {
            sink_def(&view)
        };
        let mut enriched = Enriched::default();
        for chain in [Chain::Transforms, Chain::Predicates] {
            enriched.add(chain, &self.registry, &config, &mut def);
        }
        let reports = def.validate_with(&lookup);
        outcome.take(&def, reports);
        enriched.report(&mut outcome);
        converters::check_classes(&self.registry, &config, &mut outcome);

        let props = without_nulls(&config);
        let connector = plugin.connector().map_err(failed)?;
        match &connector {
            ConnectorInstance::Sink(_) => {
                sink_rules::check(&config, self.worker.group_id.as_deref(), &mut outcome)?;
            }
            ConnectorInstance::Source(source) if self.worker.group_id.is_some() => {
                exactly_once::check(
                    source.as_ref(),
                    &props,
                    self.worker.exactly_once,
                    &mut outcome,
                );
            }
            ConnectorInstance::Source(_) => {}
        }
        report_nulls(&config, &plugin.config_def(), &mut outcome);
        self.own_keys(
            plugin.config_def(),
            &connector,
            &config,
            &props,
            &mut outcome,
        )
        .await;
        for (name, text) in self.bounds.check(plugin.class(), &props) {
            outcome.error(name, text);
        }
        let uses = Uses {
            is_source: plugin.is_source(),
            exactly_once: self.worker.exactly_once,
            distributed: self.worker.group_id.is_some(),
        };
        let name = props.get("name").map(String::as_str).unwrap_or_default();
        overrides::add_blocks(self.policy.as_ref(), &uses, name, &config, &mut outcome)?;
        converters::add_blocks(&self.registry, &config, &mut outcome);
        Ok(outcome.finish(class))
    }

    async fn own_keys(
        &self,
        def: milena_config::ConfigDef,
        connector: &ConnectorInstance,
        config: &RawProps,
        props: &Props,
        outcome: &mut Outcome,
    ) {
        let reports = def.validate_with(&|name| config.get(name).map(Option::as_deref));
        outcome.take(&def, reports);
        let found = match connector {
            ConnectorInstance::Source(source) => source.validate(props).await,
            ConnectorInstance::Sink(sink) => sink.validate(props).await,
        };
        for (name, message) in found {
            outcome.error(&name, message);
        }
    }
}

/// Explicit nulls are errors, except of the connector's own keys, whose reports replace these.
fn report_nulls(config: &RawProps, own: &milena_config::ConfigDef, outcome: &mut Outcome) {
    for (name, _) in config.iter().filter(|(_, value)| value.is_none()) {
        if own.key(name).is_none() {
            outcome.report(name).value = ConfigValue::Null;
            outcome.error(
                name,
                "Null value can not be supplied as the configuration value.",
            );
        }
    }
}

/// A map as Java prints it.
fn java_map(config: &RawProps) -> String {
    let entries = config
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("null")));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
}

#[async_trait]
impl PluginPort for ConnectorValidator {
    fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        plugin_list::plugins(&self.registry, connectors_only)
    }

    fn plugin_config(
        &self,
        plugin: &str,
        version: Option<&str>,
    ) -> Result<Vec<ConfigKeyInfo>, HerderError> {
        plugin_list::plugin_config(&self.registry, plugin, version)
    }

    async fn validate(&self, config: &RawProps) -> Result<ConfigInfos, HerderError> {
        self.run(config).await
    }
}
