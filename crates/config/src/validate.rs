//! All errors of a configuration at once, in Java's order (`ConfigDef.validateAll`, spec 12).

use indexmap::IndexMap;

use crate::{ConfigDef, ConfigError, ConfigKey, ConfigValue, ParsedValues, Props, parse_value};

/// What was found for one key.
#[derive(Clone, Debug)]
pub struct ConfigValueReport {
    /// The key.
    pub name: String,
    /// The parsed value; null when it is missing or does not parse.
    pub value: ConfigValue,
    /// Values that would do.
    pub recommended_values: Vec<String>,
    /// What is wrong, in the order found.
    pub errors: Vec<String>,
    /// Whether a form should show it.
    pub visible: bool,
}

impl ConfigValueReport {
    /// A report of no value and no error.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: ConfigValue::Null,
            recommended_values: Vec::new(),
            errors: Vec::new(),
            visible: true,
        }
    }
}

impl ConfigDef {
    /// Parses and validates every defined key; answers one report per key, in order of definition.
    #[must_use]
    pub fn validate_all(&self, props: &Props) -> Vec<ConfigValueReport> {
        self.validate_with(&|name| props.get(name).map(|text| Some(text.as_str())))
    }

    /// As [`Self::validate_all`] over any lookup: `None` is absent, `Some(None)` an explicit null, whose
    /// parsed value is null.
    #[must_use]
    pub fn validate_with<'a>(
        &self,
        lookup: &dyn Fn(&str) -> Option<Option<&'a str>>,
    ) -> Vec<ConfigValueReport> {
        let mut reports: IndexMap<String, ConfigValueReport> = self
            .keys()
            .map(|key| (key.name.clone(), ConfigValueReport::new(&key.name)))
            .collect();
        for name in self.undefined_dependents() {
            let mut report = ConfigValueReport::new(name);
            report.errors.push(format!(
                "{name} is referred in the dependents, but not defined."
            ));
            report.visible = false;
            reports.insert(name.to_owned(), report);
        }
        let mut parsed = ParsedValues::new();
        for key in self.walk() {
            let mut errors = Vec::new();
            let value = read(key, lookup, &mut errors);
            if let Some(report) = reports.get_mut(&key.name) {
                report.errors.append(&mut errors);
                report.value = value.clone();
            }
            parsed.insert(key.name.clone(), value);
        }
        for key in self.walk() {
            let Some((recommender, report)) =
                key.recommender.as_ref().zip(reports.get_mut(&key.name))
            else {
                continue;
            };
            match recommender.values(&key.name, &parsed) {
                Ok(values) => {
                    report.recommended_values = values;
                    report.visible = recommender.visible(&key.name, &parsed);
                }
                Err(error) => report.errors.push(error.message),
            }
        }
        reports.into_values().collect()
    }

    /// Every key once: those that depend on none in order, each followed by its dependents.
    fn walk(&self) -> Vec<&ConfigKey> {
        let dependents: std::collections::BTreeSet<&str> = self
            .keys()
            .flat_map(|key| key.dependents.iter().map(String::as_str))
            .collect();
        let mut order: IndexMap<&str, &ConfigKey> = IndexMap::new();
        let mut stack: Vec<&ConfigKey> = Vec::new();
        for root in self
            .keys()
            .filter(|key| !dependents.contains(key.name.as_str()))
        {
            stack.push(root);
            while let Some(key) = stack.pop() {
                if order.insert(&key.name, key).is_none() {
                    stack.extend(
                        key.dependents
                            .iter()
                            .rev()
                            .filter_map(|name| self.key(name)),
                    );
                }
            }
        }
        order.into_values().collect()
    }

    fn undefined_dependents(&self) -> Vec<&str> {
        self.keys()
            .flat_map(|key| key.dependents.iter().map(String::as_str))
            .filter(|name| self.key(name).is_none())
            .collect()
    }
}

fn read<'a>(
    key: &ConfigKey,
    lookup: &dyn Fn(&str) -> Option<Option<&'a str>>,
    errors: &mut Vec<String>,
) -> ConfigValue {
    let value = match (lookup(&key.name), &key.default) {
        (Some(Some(text)), _) => parse_value(&key.name, key.kind, text).unwrap_or_else(|error| {
            errors.push(error.message);
            ConfigValue::Null
        }),
        (Some(None), _) => ConfigValue::Null,
        (None, Some(default)) => default.clone(),
        (None, None) => {
            errors.push(ConfigError::missing(&key.name).message);
            ConfigValue::Null
        }
    };
    // A value that does not parse is null and still goes through the validator, as in Java.
    if let Some(validator) = &key.validator
        && let Err(error) = validator.check(&key.name, &value)
    {
        errors.push(error.message);
    }
    value
}

#[cfg(test)]
mod tests {
    use crate::{ConfigDef, ConfigKey, ConfigType, ConfigValue, Props, Recommender, Validator};

    #[test]
    fn a_value_that_does_not_parse_is_reported_by_its_validator_too() {
        let def = ConfigDef::new()
            .define(
                ConfigKey::new("tasks.max", ConfigType::Int)
                    .default(ConfigValue::Int(1))
                    .validator(Validator::at_least(1)),
            )
            .define(
                ConfigKey::new("topic", ConfigType::String)
                    .recommender(Recommender::of(vec!["t".into()])),
            );
        let reports = def.validate_all(&Props::from([("tasks.max".into(), "abc".into())]));
        assert_eq!(
            reports[0].errors,
            [
                "Invalid value abc for configuration tasks.max: Not a number of type INT",
                "Invalid value null for configuration tasks.max: Value must be non-null"
            ]
        );
        assert_eq!(
            reports[1].errors,
            ["Missing required configuration \"topic\" which has no default value."]
        );
        assert_eq!(reports[1].recommended_values, ["t"]);
    }
}
