//! What the chain needs of a registry, so that it depends on none.

use std::sync::Arc;

use milena_api::{ConverterPlugin, HeaderConverterPlugin, PredicatePlugin, TransformPlugin};

/// Looks plugins up by full class name or alias.
pub trait Plugins {
    /// A transform.
    fn transform(&self, name: &str) -> Option<Arc<dyn TransformPlugin>>;
    /// A predicate.
    fn predicate(&self, name: &str) -> Option<Arc<dyn PredicatePlugin>>;
    /// A converter.
    fn converter(&self, _name: &str) -> Option<Arc<dyn ConverterPlugin>> {
        None
    }
    /// A header converter.
    fn header_converter(&self, _name: &str) -> Option<Arc<dyn HeaderConverterPlugin>> {
        None
    }
}

/// Plain lists are a lookup by full class name: enough for tools and tests.
impl Plugins for (Vec<Arc<dyn TransformPlugin>>, Vec<Arc<dyn PredicatePlugin>>) {
    fn transform(&self, name: &str) -> Option<Arc<dyn TransformPlugin>> {
        self.0.iter().find(|plugin| plugin.class() == name).cloned()
    }

    fn predicate(&self, name: &str) -> Option<Arc<dyn PredicatePlugin>> {
        self.1.iter().find(|plugin| plugin.class() == name).cloned()
    }
}
