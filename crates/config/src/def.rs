//! A set of configuration keys, in the order of their definition.

use std::cmp::Ordering;

use indexmap::IndexMap;

use crate::{ConfigError, ConfigKey, ParsedConfig, Props, Validator};

/// `ConfigDef`: keys in the order of definition.
#[derive(Clone, Debug, Default)]
pub struct ConfigDef {
    keys: IndexMap<String, ConfigKey>,
}

impl ConfigDef {
    /// An empty definition.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key; a key of the same name is replaced in place.
    #[must_use]
    pub fn define(mut self, key: ConfigKey) -> Self {
        self.put(key);
        self
    }

    /// Adds a key; a key of the same name is replaced in place.
    pub fn put(&mut self, key: ConfigKey) {
        self.keys.insert(key.name.clone(), key);
    }

    /// Adds all keys of another definition.
    #[must_use]
    pub fn extend(mut self, other: &ConfigDef) -> Self {
        for key in other.keys() {
            self.put(key.clone());
        }
        self
    }

    /// Embeds the keys of another definition under a prefix, sorted as Java sorts them, numbered from
    /// `first_order` within the group (`ConfigDef.embed`). Validators see the bare name, so their texts do.
    pub fn embed(&mut self, prefix: &str, group: &str, first_order: i32, child: &ConfigDef) {
        for (order, key) in (first_order..).zip(child.sorted()) {
            let mut key = key.clone();
            key.validator = key.validator.map(|inner| embedded(prefix, inner));
            key.recommender = key.recommender.map(|inner| inner.under(prefix));
            key.name = format!("{prefix}{}", key.name);
            key.dependents = key
                .dependents
                .iter()
                .map(|name| format!("{prefix}{name}"))
                .collect();
            key.group = Some(match key.group {
                Some(own) => format!("{group}: {own}"),
                None => group.to_owned(),
            });
            key.order_in_group = order;
            self.put(key);
        }
    }

    /// The keys by group, place, required first, importance, name.
    #[must_use]
    pub fn sorted(&self) -> Vec<&ConfigKey> {
        let groups = self.groups();
        let place = |key: &ConfigKey| {
            key.group
                .as_ref()
                .map(|group| groups.iter().position(|one| one == group))
        };
        let compare = |a: &&ConfigKey, b: &&ConfigKey| -> Ordering {
            place(a)
                .cmp(&place(b))
                .then(a.order_in_group.cmp(&b.order_in_group))
                .then(a.default.is_some().cmp(&b.default.is_some()))
                .then((a.importance as u8).cmp(&(b.importance as u8)))
                .then(a.name.cmp(&b.name))
        };
        let mut keys: Vec<&ConfigKey> = self.keys.values().collect();
        keys.sort_by(compare);
        keys
    }

    /// The groups in the order in which they first appear.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = Vec::new();
        for group in self.keys.values().filter_map(|key| key.group.as_ref()) {
            if !groups.contains(group) {
                groups.push(group.clone());
            }
        }
        groups
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &ConfigKey> {
        self.keys.values()
    }

    /// The key of a name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&ConfigKey> {
        self.keys.get(name)
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The names in a configuration that are not defined here, in order; to be logged without values.
    #[must_use]
    pub fn unknown_keys<'a>(&self, props: &'a Props) -> Vec<&'a str> {
        props
            .keys()
            .filter(|name| !self.keys.contains_key(*name))
            .map(String::as_str)
            .collect()
    }

    /// Parses and validates all defined keys, as `AbstractConfig`'s constructor does.
    ///
    /// # Errors
    /// The first violated rule in order of definition, with Java's text.
    pub fn parse(&self, props: &Props) -> Result<ParsedConfig, ConfigError> {
        ParsedConfig::parse(self, props)
    }
}

fn embedded(prefix: &str, inner: Validator) -> Validator {
    let prefix = prefix.to_owned();
    Validator::new(move |name, value| {
        inner.check(name.strip_prefix(&prefix).unwrap_or(name), value)
    })
}

#[cfg(test)]
mod tests {
    use crate::{ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, Props, Validator};

    #[test]
    fn embedded_keys_are_sorted_numbered_and_speak_with_bare_names() {
        let child = ConfigDef::new()
            .define(ConfigKey::new("b", ConfigType::String).default(ConfigValue::Null))
            .define(
                ConfigKey::new("c", ConfigType::Int)
                    .importance(Importance::High)
                    .default(ConfigValue::Int(1))
                    .validator(Validator::at_least(1)),
            )
            .define(ConfigKey::new("a", ConfigType::String));
        let mut def = ConfigDef::new();
        def.embed("t.x.", "Transforms: x", 1, &child);
        let names: Vec<(&str, i32)> = def
            .keys()
            .map(|key| (key.name.as_str(), key.order_in_group))
            .collect();
        assert_eq!(names, [("t.x.a", 1), ("t.x.c", 2), ("t.x.b", 3)]);
        let props = Props::from([("t.x.a".into(), "1".into()), ("t.x.c".into(), "0".into())]);
        assert_eq!(
            def.parse(&props).unwrap_err().message,
            "Invalid value 0 for configuration c: Value must be at least 1"
        );
        let props = Props::from([("t.x.a".into(), "1".into()), ("t.x.c".into(), "z".into())]);
        assert_eq!(
            def.parse(&props).unwrap_err().message,
            "Invalid value z for configuration t.x.c: Not a number of type INT"
        );
    }
}
