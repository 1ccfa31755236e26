//! The keys of the transforms and predicates that a configuration names (`EnrichablePlugin`, spec 11.6).

use milena_config::{
    ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, Recommender, Width,
};
use milena_registry::Registry;
use milena_rest_model::RawProps;

use crate::{
    outcome::Outcome,
    version::{RangeError, VersionRange},
};

/// Transforms or predicates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    Transforms,
    Predicates,
}

impl Chain {
    fn prefix(self) -> &'static str {
        match self {
            Self::Transforms => "transforms",
            Self::Predicates => "predicates",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Transforms => "Transformation",
            Self::Predicates => "Predicate",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::Transforms => "Transforms",
            Self::Predicates => "Predicates",
        }
    }

    fn classes(self, registry: &Registry) -> Vec<String> {
        match self {
            Self::Transforms => registry
                .transforms()
                .map(|one| one.class().to_owned())
                .collect(),
            Self::Predicates => registry
                .predicates()
                .map(|one| one.class().to_owned())
                .collect(),
        }
    }

    /// Full class name, version and keys of a plugin of this kind.
    fn find(self, registry: &Registry, name: &str) -> Option<(String, String, ConfigDef)> {
        match self {
            Self::Transforms => {
                let plugin = registry.transform(name).ok()?;
                Some((
                    plugin.class().to_owned(),
                    plugin.version().to_owned(),
                    plugin.config_def(),
                ))
            }
            Self::Predicates => {
                let plugin = registry.predicate(name).ok()?;
                Some((
                    plugin.class().to_owned(),
                    plugin.version().to_owned(),
                    plugin.config_def(),
                ))
            }
        }
    }
}

/// What the class key of one member of a chain has wrong beyond what its definition finds, and its full name.
struct ClassFinding {
    key: String,
    full: Option<String>,
    error: Option<String>,
}

/// The keys and findings that chains add.
#[derive(Default)]
pub(crate) struct Enriched {
    classes: Vec<ClassFinding>,
    errors: Vec<(String, String)>,
}

impl Enriched {
    /// Adds the keys of a chain to a definition.
    pub(crate) fn add(
        &mut self,
        chain: Chain,
        registry: &Registry,
        config: &RawProps,
        def: &mut ConfigDef,
    ) {
        let Some(Some(names)) = config.get(chain.prefix()) else {
            return;
        };
        let Ok(ConfigValue::List(names)) =
            milena_config::parse_value(chain.prefix(), ConfigType::List, names)
        else {
            return;
        };
        let mut seen = std::collections::BTreeSet::new();
        for name in names.iter().filter(|name| seen.insert(name.as_str())) {
            self.member(chain, registry, config, name, def);
        }
    }

    fn member(
        &mut self,
        chain: Chain,
        registry: &Registry,
        config: &RawProps,
        name: &str,
        def: &mut ConfigDef,
    ) {
        let prefix = format!("{}.{name}.", chain.prefix());
        let group = format!("{}: {name}", chain.group());
        let (type_key, version_key) = (format!("{prefix}type"), format!("{prefix}plugin.version"));
        let given = config
            .get(&type_key)
            .and_then(Option::as_deref)
            .map(milena_config::java_trim);
        let found = given.and_then(|given| chain.find(registry, given));
        let version = found.as_ref().map(|(_, version, _)| version.clone());
        let recommended: Vec<String> = version.clone().into_iter().collect();
        def.put(
            ConfigKey::new(&type_key, ConfigType::Class)
                .importance(Importance::High)
                .doc(&format!(
                    "The class of the {} {name}.",
                    chain.kind().to_lowercase()
                ))
                .recommender(Recommender::of(chain.classes(registry)))
                .form(
                    &group,
                    0,
                    Width::Long,
                    &format!("{} type for {name}", chain.kind()),
                ),
        );
        def.put(
            ConfigKey::new(&version_key, ConfigType::String)
                .importance(Importance::High)
                .default(version.map_or(ConfigValue::Null, ConfigValue::String))
                .doc(&format!("The version of the plugin of {name}: a version or a range; the newest when unset."))
                .recommender(Recommender::of(recommended))
                .form(&group, 1, Width::Long, &format!("{} version for {name}", chain.kind())),
        );
        let asked = config.get(&version_key).and_then(Option::as_deref);
        let misfit = match &found {
            Some((class, version, _)) => {
                misfit(version, asked).map(|misfit| misfit.text(class, &[version]))
            }
            // A range is read even when there is nothing to choose from.
            None => asked
                .filter(|_| given.is_some())
                .and_then(|asked| VersionRange::parse(asked).err())
                .map(|error| error.to_string()),
        };
        let negated = config.contains_key(&format!("{prefix}negate"))
            && !config.contains_key(&format!("{prefix}predicate"));
        if let Some(given) = given {
            let full = found
                .as_ref()
                .map(|(class, ..)| class.clone())
                .or_else(|| full_name(registry, given));
            let error = match (&found, chain) {
                (Some(_), Chain::Transforms) if negated => Some(format!(
                    "Config '{prefix}negate' was provided but there is no config '{prefix}predicate' defining a predicate to be negated."
                )),
                (Some(_), _) => misfit.clone(),
                (None, _) => Some(wrong_class(registry, &type_key, given, chain.kind())),
            };
            self.classes.push(ClassFinding {
                key: type_key,
                full,
                error,
            });
        }
        if let Some(text) = misfit {
            self.errors.push((version_key, text));
            return;
        }
        if let Some((.., own)) = found {
            def.embed(&prefix, &group, 2, &with_predicate(chain, own));
        }
    }

    /// Adds what the definition alone could not find.
    pub(crate) fn report(self, outcome: &mut Outcome) {
        for ClassFinding { key, full, error } in self.classes {
            let report = outcome.report(&key);
            report.value = full.map_or(ConfigValue::Null, ConfigValue::Class);
            report.errors.extend(error);
        }
        for (key, text) in self.errors {
            outcome.error(&key, text);
        }
    }
}

/// A transform's own keys with those of its predicate, which mask keys of the same name.
fn with_predicate(chain: Chain, own: ConfigDef) -> ConfigDef {
    if chain == Chain::Predicates {
        return own;
    }
    let own = own
        .keys()
        .filter(|key| !matches!(key.name.as_str(), "predicate" | "negate"));
    let def = ConfigDef::new()
        .define(
            ConfigKey::new("predicate", ConfigType::String)
                .default(ConfigValue::Null)
                .doc("The name of the predicate that decides whether the transform is applied to a record."),
        )
        .define(
            ConfigKey::new("negate", ConfigType::Boolean)
                .default(ConfigValue::Boolean(false))
                .doc("Whether the transform is applied when the predicate does not hold."),
        );
    own.fold(def, |def, key| def.define(key.clone()))
}

/// Why a version that was asked for will not do.
pub(crate) enum Misfit {
    /// It is no range.
    NoRange(RangeError),
    /// The plugin is not there in this range.
    Absent(VersionRange),
}

impl Misfit {
    /// In Java's words; `available` are the versions that it lists.
    pub(crate) fn text(&self, class: &str, available: &[&str]) -> String {
        match self {
            Self::NoRange(error) => error.to_string(),
            Self::Absent(range) => range.not_found(class, available),
        }
    }
}

/// Whether the one version that is there will do.
pub(crate) fn misfit(version: &str, asked: Option<&str>) -> Option<Misfit> {
    match VersionRange::parse(asked?) {
        Ok(None) => None,
        Ok(Some(range)) if range.contains(version) => None,
        Ok(Some(range)) => Some(Misfit::Absent(range)),
        Err(error) => Some(Misfit::NoRange(error)),
    }
}

/// The full name of a class of any kind that this worker knows.
pub(crate) fn full_name(registry: &Registry, name: &str) -> Option<String> {
    let connector = || {
        registry
            .connector(name)
            .ok()
            .map(|one| one.class().to_owned())
    };
    let converter = || {
        registry
            .converter(name)
            .ok()
            .map(|one| one.class().to_owned())
    };
    let header = || {
        registry
            .header_converter(name)
            .ok()
            .map(|one| one.class().to_owned())
    };
    let transform = || {
        registry
            .transform(name)
            .ok()
            .map(|one| one.class().to_owned())
    };
    let predicate = || {
        registry
            .predicate(name)
            .ok()
            .map(|one| one.class().to_owned())
    };
    let nested = || (!nested(registry, name).is_empty()).then(|| name.to_owned());
    converter()
        .or_else(header)
        .or_else(transform)
        .or_else(predicate)
        .or_else(connector)
        .or_else(nested)
}

/// The concrete transforms inside an abstract one: `HoistField` → `HoistField$Key`, `HoistField$Value`.
fn nested(registry: &Registry, name: &str) -> Vec<String> {
    let prefix = format!("{name}$");
    registry
        .transforms()
        .map(|one| one.class().to_owned())
        .filter(|class| class.starts_with(&prefix))
        .collect()
}

/// What is wrong with a class that is not of the wanted kind.
pub(crate) fn wrong_class(registry: &Registry, key: &str, given: &str, kind: &str) -> String {
    let nested = nested(registry, given);
    if !nested.is_empty() && kind == "Transformation" {
        return format!(
            "This class is abstract and cannot be created. Did you mean {}?",
            nested.join(", ")
        );
    }
    match full_name(registry, given) {
        Some(class) => format!("Class class {class} does not implement the {kind} interface"),
        None => format!(
            "Invalid value {given} for configuration {key}: Class {given} could not be found."
        ),
    }
}
