//! The converters that a connector names: what is recommended, what their own keys have wrong (spec 11.7, 12.4).

use milena_config::{ConfigDef, ConfigValue};
use milena_registry::Registry;
use milena_rest_model::RawProps;

use crate::{
    enrich::{Misfit, full_name, misfit, wrong_class},
    framework::{FrameworkView, Shown},
    outcome::{Block, Outcome},
};

/// `key`, `value`, `header`: in the order of the framework's keys.
pub(crate) const USES: [&str; 3] = ["key", "value", "header"];

/// Full name, version and keys of a converter for a use.
fn find(registry: &Registry, usage: &str, name: &str) -> Option<(String, String, ConfigDef)> {
    if usage == "header" {
        let plugin = registry.header_converter(name).ok()?;
        return Some((
            plugin.class().to_owned(),
            plugin.version().to_owned(),
            plugin.config_def(),
        ));
    }
    let plugin = registry.converter(name).ok()?;
    Some((
        plugin.class().to_owned(),
        plugin.version().to_owned(),
        plugin.config_def(),
    ))
}

fn classes(registry: &Registry, usage: &str) -> Vec<String> {
    match usage {
        "header" => registry
            .header_converters()
            .map(|one| one.class().to_owned())
            .collect(),
        _ => registry
            .converters()
            .map(|one| one.class().to_owned())
            .collect(),
    }
}

/// How often a class counts in lists of versions: once as converter, once as header converter.
pub(crate) fn versions<'a>(registry: &Registry, class: &str, version: &'a str) -> Vec<&'a str> {
    let both = registry.converter(class).is_ok() && registry.header_converter(class).is_ok();
    vec![version; 1 + usize::from(both)]
}

/// Fills in what the framework's converter keys show: the worker's classes, all classes, versions.
pub(crate) fn show(
    view: &mut FrameworkView,
    registry: &Registry,
    worker: &[String; 3],
    config: &RawProps,
) {
    let slots = view
        .converters
        .iter_mut()
        .zip(view.converter_versions.iter_mut());
    for ((usage, default), (class, version)) in USES.iter().zip(worker).zip(slots) {
        let full =
            find(registry, usage, default).map_or_else(|| default.clone(), |(class, ..)| class);
        *class = Shown {
            default: Some(full),
            recommended: classes(registry, usage),
            visible: true,
        };
        let given = config
            .get(&format!("{usage}.converter"))
            .and_then(Option::as_deref);
        let in_use = find(
            registry,
            usage,
            given.map_or(default.as_str(), milena_config::java_trim),
        );
        let is_known =
            in_use.is_some() || given.is_some_and(|given| full_name(registry, given).is_some());
        let own = in_use.map(|(_, version, _)| version);
        *version = Shown {
            visible: is_known,
            recommended: own.clone().into_iter().collect(),
            default: own,
        };
    }
}

/// Checks the classes of the converters that are set.
pub(crate) fn check_classes(registry: &Registry, config: &RawProps, outcome: &mut Outcome) {
    for usage in USES {
        let key = format!("{usage}.converter");
        let Some(Some(given)) = config.get(&key) else {
            continue;
        };
        let given = milena_config::java_trim(given);
        let kind = if usage == "header" {
            "HeaderConverter"
        } else {
            "Converter"
        };
        let Some((class, version, _)) = find(registry, usage, given) else {
            let report = outcome.report(&key);
            report.value = full_name(registry, given).map_or(ConfigValue::Null, ConfigValue::Class);
            report.errors.push(wrong_class(registry, &key, given, kind));
            continue;
        };
        outcome.report(&key).value = ConfigValue::Class(class.clone());
        let version_key = format!("{key}.plugin.version");
        let asked = config.get(&version_key).and_then(Option::as_deref);
        if let Some(misfit) = misfit(&version, asked) {
            let text = misfit.text(&class, &versions(registry, &class, &version));
            // A range that cannot be read is an error of the version alone.
            if matches!(misfit, Misfit::Absent(_)) {
                outcome.error(&key, text.clone());
            }
            outcome.error(&version_key, text);
        }
    }
}

/// Validates the own keys of the converters that are set, in Java's order.
pub(crate) fn add_blocks(registry: &Registry, config: &RawProps, outcome: &mut Outcome) {
    for usage in ["header", "key", "value"] {
        let key = format!("{usage}.converter");
        let Some(Some(given)) = config.get(&key) else {
            continue;
        };
        if !outcome.is_fine(&key) || !outcome.is_fine(&format!("{key}.plugin.version")) {
            continue;
        }
        let Some((.., def)) = find(registry, usage, milena_config::java_trim(given)) else {
            continue;
        };
        let prefix = format!("{key}.");
        let lookup = |name: &str| match name {
            "converter.type" => Some(Some(usage)),
            name => config.get(&format!("{prefix}{name}")).map(Option::as_deref),
        };
        let reports = def.validate_with(&lookup);
        outcome.add_block(Block {
            prefix: prefix.clone(),
            def,
            reports,
        });
    }
}
