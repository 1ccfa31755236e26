//! One configuration key: type, default, validator, documentation, place in a form.

use crate::{ConfigValue, Recommender, Validator};

/// The types of `ConfigDef.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum ConfigType {
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

/// How important a key is to a person who configures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Importance {
    High,
    Medium,
    Low,
}

/// How wide a form field should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Width {
    None,
    Short,
    Medium,
    Long,
}

/// A key of a [`crate::ConfigDef`]; made with [`ConfigKey::new`] and the setters.
#[derive(Clone, Debug)]
pub struct ConfigKey {
    /// The name as it stands in a configuration.
    pub name: String,
    /// The type that text is parsed to.
    pub kind: ConfigType,
    /// `None`: required.
    pub default: Option<ConfigValue>,
    /// Checks the parsed value.
    pub validator: Option<Validator>,
    /// The importance.
    pub importance: Importance,
    /// What it does, its unit, its effect.
    pub documentation: String,
    /// The group in a form.
    pub group: Option<String>,
    /// The place in its group; -1 without one.
    pub order_in_group: i32,
    /// The width of a form field.
    pub width: Width,
    /// The name shown to people.
    pub display_name: String,
    /// The keys whose validity or visibility depends on this one.
    pub dependents: Vec<String>,
    /// Recommends values.
    pub recommender: Option<Recommender>,
}

impl ConfigKey {
    /// A required key of medium importance without documentation.
    #[must_use]
    pub fn new(name: &str, kind: ConfigType) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            default: None,
            validator: None,
            importance: Importance::Medium,
            documentation: String::new(),
            group: None,
            order_in_group: -1,
            width: Width::None,
            display_name: name.to_owned(),
            dependents: Vec::new(),
            recommender: None,
        }
    }

    /// Sets the default, which makes the key optional.
    #[must_use]
    pub fn default(mut self, value: ConfigValue) -> Self {
        self.default = Some(value);
        self
    }

    /// Sets the validator.
    #[must_use]
    pub fn validator(mut self, validator: Validator) -> Self {
        self.validator = Some(validator);
        self
    }

    /// Sets the importance.
    #[must_use]
    pub fn importance(mut self, importance: Importance) -> Self {
        self.importance = importance;
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub fn doc(mut self, text: &str) -> Self {
        text.clone_into(&mut self.documentation);
        self
    }

    /// Sets group, place in the group, width and display name.
    #[must_use]
    pub fn form(mut self, group: &str, order: i32, width: Width, display_name: &str) -> Self {
        self.group = Some(group.to_owned());
        self.order_in_group = order;
        self.width = width;
        display_name.clone_into(&mut self.display_name);
        self
    }

    /// Sets the recommender.
    #[must_use]
    pub fn recommender(mut self, recommender: Recommender) -> Self {
        self.recommender = Some(recommender);
        self
    }

    /// Sets the dependents.
    #[must_use]
    pub fn dependents(mut self, names: &[&str]) -> Self {
        self.dependents = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }
}

impl ConfigType {
    /// The name in Java and in REST.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

impl Importance {
    /// The name in Java and in REST.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

impl Width {
    /// The name in Java and in REST.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Short => "SHORT",
            Self::Medium => "MEDIUM",
            Self::Long => "LONG",
        }
    }
}
