//! The registry value and its builder.

use std::{collections::BTreeMap, sync::Arc};

use milena_api::{
    ConnectorPlugin, ConverterPlugin, HeaderConverterPlugin, PluginInfo, PolicyPlugin,
    PredicatePlugin, ProviderPlugin, TransformPlugin,
};

use crate::{LookupError, PluginKind, alias::aliases};

/// The plugins of one kind by full class name, and their aliases.
struct Shelf<P: ?Sized> {
    by_class: BTreeMap<String, Arc<P>>,
    by_alias: BTreeMap<String, String>,
}

impl<P: ?Sized> Default for Shelf<P> {
    fn default() -> Self {
        Self {
            by_class: BTreeMap::new(),
            by_alias: BTreeMap::new(),
        }
    }
}

impl<P: PluginInfo + ?Sized> Shelf<P> {
    fn add(&mut self, kind: PluginKind, plugin: Arc<P>) {
        let class = plugin.class().to_owned();
        for alias in aliases(kind, &class) {
            self.by_alias.entry(alias).or_insert_with(|| class.clone());
        }
        self.by_class.insert(class, plugin);
    }

    fn get(&self, name: &str) -> Option<&Arc<P>> {
        self.by_class.get(name).or_else(|| {
            self.by_alias
                .get(name)
                .and_then(|class| self.by_class.get(class))
        })
    }
}

/// The plugins that a worker knows. Immutable once built; share it behind an [`Arc`].
#[derive(Default)]
pub struct Registry {
    connectors: Shelf<dyn ConnectorPlugin>,
    converters: Shelf<dyn ConverterPlugin>,
    header_converters: Shelf<dyn HeaderConverterPlugin>,
    transforms: Shelf<dyn TransformPlugin>,
    predicates: Shelf<dyn PredicatePlugin>,
    providers: Shelf<dyn ProviderPlugin>,
    policies: Shelf<dyn PolicyPlugin>,
}

/// Collects plugins for a [`Registry`].
#[derive(Default)]
pub struct RegistryBuilder(Registry);

impl RegistryBuilder {
    /// Adds a connector.
    #[must_use]
    pub fn connector(mut self, plugin: Arc<dyn ConnectorPlugin>) -> Self {
        let kind = if plugin.is_source() {
            PluginKind::Source
        } else {
            PluginKind::Sink
        };
        self.0.connectors.add(kind, plugin);
        self
    }

    /// Adds converters.
    #[must_use]
    pub fn converters(mut self, plugins: Vec<Arc<dyn ConverterPlugin>>) -> Self {
        for plugin in plugins {
            self.0.converters.add(PluginKind::Converter, plugin);
        }
        self
    }

    /// Adds header converters.
    #[must_use]
    pub fn header_converters(mut self, plugins: Vec<Arc<dyn HeaderConverterPlugin>>) -> Self {
        for plugin in plugins {
            self.0
                .header_converters
                .add(PluginKind::HeaderConverter, plugin);
        }
        self
    }

    /// Adds transforms.
    #[must_use]
    pub fn transforms(mut self, plugins: Vec<Arc<dyn TransformPlugin>>) -> Self {
        for plugin in plugins {
            self.0.transforms.add(PluginKind::Transformation, plugin);
        }
        self
    }

    /// Adds predicates.
    #[must_use]
    pub fn predicates(mut self, plugins: Vec<Arc<dyn PredicatePlugin>>) -> Self {
        for plugin in plugins {
            self.0.predicates.add(PluginKind::Predicate, plugin);
        }
        self
    }

    /// Adds config providers.
    #[must_use]
    pub fn providers(mut self, plugins: Vec<Arc<dyn ProviderPlugin>>) -> Self {
        for plugin in plugins {
            self.0.providers.add(PluginKind::ConfigProvider, plugin);
        }
        self
    }

    /// Adds override policies.
    #[must_use]
    pub fn policies(mut self, plugins: Vec<Arc<dyn PolicyPlugin>>) -> Self {
        for plugin in plugins {
            self.0.policies.add(PluginKind::OverridePolicy, plugin);
        }
        self
    }

    /// The registry.
    #[must_use]
    pub fn build(self) -> Registry {
        self.0
    }
}

impl Registry {
    /// An empty builder.
    #[must_use]
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// The connector of a class name or alias.
    ///
    /// # Errors
    /// No connector has the name; the text lists those there are, as Java does.
    pub fn connector(&self, name: &str) -> Result<&Arc<dyn ConnectorPlugin>, LookupError> {
        self.connectors
            .get(name)
            .ok_or_else(|| LookupError::UnknownConnector {
                name: name.to_owned(),
                available: self.describe_connectors(),
            })
    }

    /// The converter of a class name or alias.
    ///
    /// # Errors
    /// No converter has the name.
    pub fn converter(&self, name: &str) -> Result<&Arc<dyn ConverterPlugin>, LookupError> {
        self.converters
            .get(name)
            .ok_or_else(|| unknown(name, PluginKind::Converter))
    }

    /// The header converter of a class name or alias.
    ///
    /// # Errors
    /// No header converter has the name.
    pub fn header_converter(
        &self,
        name: &str,
    ) -> Result<&Arc<dyn HeaderConverterPlugin>, LookupError> {
        self.header_converters
            .get(name)
            .ok_or_else(|| unknown(name, PluginKind::HeaderConverter))
    }

    /// The transform of a class name or alias.
    ///
    /// # Errors
    /// No transform has the name.
    pub fn transform(&self, name: &str) -> Result<&Arc<dyn TransformPlugin>, LookupError> {
        self.transforms
            .get(name)
            .ok_or_else(|| unknown(name, PluginKind::Transformation))
    }

    /// The predicate of a class name or alias.
    ///
    /// # Errors
    /// No predicate has the name.
    pub fn predicate(&self, name: &str) -> Result<&Arc<dyn PredicatePlugin>, LookupError> {
        self.predicates
            .get(name)
            .ok_or_else(|| unknown(name, PluginKind::Predicate))
    }

    /// The config provider of a class name or alias.
    ///
    /// # Errors
    /// No config provider has the name.
    pub fn provider(&self, name: &str) -> Result<&Arc<dyn ProviderPlugin>, LookupError> {
        self.providers
            .get(name)
            .ok_or_else(|| unknown(name, PluginKind::ConfigProvider))
    }

    /// The override policy of a class name or alias.
    ///
    /// # Errors
    /// No override policy has the name.
    pub fn policy(&self, name: &str) -> Result<&Arc<dyn PolicyPlugin>, LookupError> {
        self.policies
            .get(name)
            .ok_or_else(|| unknown(name, PluginKind::OverridePolicy))
    }

    /// The connectors by class name.
    pub fn connectors(&self) -> impl Iterator<Item = &Arc<dyn ConnectorPlugin>> {
        self.connectors.by_class.values()
    }

    /// The converters by class name.
    pub fn converters(&self) -> impl Iterator<Item = &Arc<dyn ConverterPlugin>> {
        self.converters.by_class.values()
    }

    /// The header converters by class name.
    pub fn header_converters(&self) -> impl Iterator<Item = &Arc<dyn HeaderConverterPlugin>> {
        self.header_converters.by_class.values()
    }

    /// The transforms by class name.
    pub fn transforms(&self) -> impl Iterator<Item = &Arc<dyn TransformPlugin>> {
        self.transforms.by_class.values()
    }

    /// The predicates by class name.
    pub fn predicates(&self) -> impl Iterator<Item = &Arc<dyn PredicatePlugin>> {
        self.predicates.by_class.values()
    }

    fn describe_connectors(&self) -> String {
        let describe = |plugin: &Arc<dyn ConnectorPlugin>| {
            let (class, version) = (plugin.class(), plugin.version());
            let kind = if plugin.is_source() {
                PluginKind::Source
            } else {
                PluginKind::Sink
            };
            let kind = kind.type_name();
            format!(
                "PluginDesc{{klass=class {class}, name='{class}', version='{version}', \
                 encodedVersion={version}, type={kind}, typeName='{kind}', location='classpath'}}"
            )
        };
        self.connectors()
            .map(describe)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn unknown(name: &str, kind: PluginKind) -> LookupError {
    LookupError::Unknown {
        name: name.to_owned(),
        kind,
    }
}
