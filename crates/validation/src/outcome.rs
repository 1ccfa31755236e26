//! The findings about one configuration while they are collected, and their order at the end (spec 12.3).

use indexmap::IndexMap;
use milena_config::{ConfigDef, ConfigKey, ConfigValue, ConfigValueReport};
use milena_rest_model::{ConfigInfo, ConfigInfos};

use crate::info::{key_info, value_info};

/// Findings about the framework's and the connector's own keys, and blocks of prefixed ones.
#[derive(Default)]
pub(crate) struct Outcome {
    keys: IndexMap<String, ConfigKey>,
    groups: Vec<String>,
    reports: IndexMap<String, ConfigValueReport>,
    blocks: Vec<Block>,
}

/// Findings of a converter or a client, under a prefix. Its errors count by key, not by message.
pub(crate) struct Block {
    pub(crate) prefix: String,
    pub(crate) def: ConfigDef,
    pub(crate) reports: Vec<ConfigValueReport>,
}

impl Outcome {
    /// Takes up a definition and its reports; keys and reports of the same name are replaced in place.
    pub(crate) fn take(&mut self, def: &ConfigDef, reports: Vec<ConfigValueReport>) {
        for key in def.keys() {
            self.keys.insert(key.name.clone(), key.clone());
        }
        self.add_groups(def);
        for report in reports {
            self.reports.insert(report.name.clone(), report);
        }
    }

    pub(crate) fn add_block(&mut self, block: Block) {
        self.add_groups(&block.def);
        self.blocks.push(block);
    }

    fn add_groups(&mut self, def: &ConfigDef) {
        for group in def.groups() {
            if !self.groups.contains(&group) {
                self.groups.push(group);
            }
        }
    }

    /// Adds an error to a key, defined or not.
    pub(crate) fn error(&mut self, name: &str, message: impl Into<String>) {
        self.report(name).errors.push(message.into());
    }

    /// The report of a key, defined or not.
    pub(crate) fn report(&mut self, name: &str) -> &mut ConfigValueReport {
        self.reports
            .entry(name.to_owned())
            .or_insert_with(|| ConfigValueReport::new(name))
    }

    /// The parsed value of a key.
    pub(crate) fn value(&self, name: &str) -> &ConfigValue {
        self.reports
            .get(name)
            .map_or(&ConfigValue::Null, |report| &report.value)
    }

    /// Whether a key has no error so far.
    pub(crate) fn is_fine(&self, name: &str) -> bool {
        self.reports
            .get(name)
            .is_none_or(|report| report.errors.is_empty())
    }

    /// The result, in Java's order: values without definition, keys in order, blocks.
    pub(crate) fn finish(mut self, class: &str) -> ConfigInfos {
        let mut error_count = self
            .reports
            .values()
            .map(|report| report.errors.len())
            .sum();
        let mut configs = Vec::with_capacity(self.reports.len());
        let undefined = self
            .reports
            .iter()
            .filter(|(name, _)| !self.keys.contains_key(*name));
        for (_, report) in undefined {
            configs.push(ConfigInfo {
                definition: None,
                value: Some(value_info(report.clone(), "")),
            });
        }
        for key in self.keys.values() {
            let value = self
                .reports
                .swap_remove(&key.name)
                .map(|report| value_info(report, ""));
            configs.push(ConfigInfo {
                definition: Some(key_info(key, "")),
                value,
            });
        }
        for Block {
            prefix,
            def,
            reports,
        } in self.blocks
        {
            for report in reports {
                error_count += usize::from(!report.errors.is_empty());
                let definition = def.key(&report.name).map(|key| key_info(key, &prefix));
                configs.push(ConfigInfo {
                    definition,
                    value: Some(value_info(report, &prefix)),
                });
            }
        }
        ConfigInfos {
            name: class.to_owned(),
            error_count,
            groups: self.groups,
            configs,
        }
    }
}
