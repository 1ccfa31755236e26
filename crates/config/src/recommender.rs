//! Recommenders: values that would do, and whether a form should show the key (`ConfigDef.Recommender`).

use std::{fmt, sync::Arc};

use indexmap::IndexMap;

use crate::{ConfigError, ConfigValue};

/// The values parsed so far, by key.
pub type ParsedValues = IndexMap<String, ConfigValue>;

type Values = dyn Fn(&str, &ParsedValues) -> Result<Vec<String>, ConfigError> + Send + Sync;
type Visible = dyn Fn(&str, &ParsedValues) -> bool + Send + Sync;

/// Says which values of a key would do, given the other values.
#[derive(Clone)]
pub struct Recommender {
    values: Arc<Values>,
    visible: Arc<Visible>,
}

impl Recommender {
    /// A recommender from a function of the key's name and the parsed values; the key is always visible.
    pub fn new(
        values: impl Fn(&str, &ParsedValues) -> Result<Vec<String>, ConfigError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            values: Arc::new(values),
            visible: Arc::new(|_, _| true),
        }
    }

    /// A recommender of fixed values.
    #[must_use]
    pub fn of(values: Vec<String>) -> Self {
        Self::new(move |_, _| Ok(values.clone()))
    }

    /// Sets whether the key is visible.
    #[must_use]
    pub fn visible_when(
        mut self,
        visible: impl Fn(&str, &ParsedValues) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.visible = Arc::new(visible);
        self
    }

    /// The values that would do.
    ///
    /// # Errors
    /// The other values do not allow an answer; becomes an error of the key.
    pub fn values(&self, name: &str, parsed: &ParsedValues) -> Result<Vec<String>, ConfigError> {
        (self.values)(name, parsed)
    }

    /// Whether a form should show the key.
    #[must_use]
    pub fn visible(&self, name: &str, parsed: &ParsedValues) -> bool {
        (self.visible)(name, parsed)
    }

    /// The same recommender for a key that was embedded under a prefix.
    #[must_use]
    pub(crate) fn under(self, prefix: &str) -> Self {
        let prefix = prefix.to_owned();
        let (values, visible) = (self.values, self.visible);
        let (p, q) = (prefix.clone(), prefix);
        Self {
            values: Arc::new(move |name, parsed| values(bare(name, &p), &strip(parsed, &p))),
            visible: Arc::new(move |name, parsed| visible(bare(name, &q), &strip(parsed, &q))),
        }
    }
}

fn bare<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

fn strip(parsed: &ParsedValues, prefix: &str) -> ParsedValues {
    parsed
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect()
}

impl fmt::Debug for Recommender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recommender")
    }
}
