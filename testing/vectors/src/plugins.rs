//! Plugins by class name.

use std::sync::Arc;

use anyhow::{Context, Result};
use milena_api::{ConverterPlugin, HeaderConverterPlugin, PredicatePlugin, TransformPlugin};

/// Where the transforms live; classes in vectors are relative to it.
const TRANSFORMS: &str = "org.apache.kafka.connect.transforms.";

fn find<P: ?Sized>(all: Vec<Arc<P>>, class: &str, name: impl Fn(&P) -> String) -> Result<Arc<P>> {
    let candidates = [
        class.to_owned(),
        format!("{TRANSFORMS}{class}"),
        format!("{TRANSFORMS}predicates.{class}"),
    ];
    all.into_iter()
        .find(|plugin| candidates.contains(&name(plugin)))
        .with_context(|| format!("there is no plugin {class}"))
}

/// The converter of a class name.
pub(crate) fn converter(class: &str) -> Result<Arc<dyn ConverterPlugin>> {
    find(milena_converters::converters(), class, |p| {
        p.class().to_owned()
    })
}

/// The header converter of a class name.
pub(crate) fn header_converter(class: &str) -> Result<Arc<dyn HeaderConverterPlugin>> {
    find(milena_converters::header_converters(), class, |p| {
        p.class().to_owned()
    })
}

/// The transform of a class name.
pub(crate) fn transform(class: &str) -> Result<Arc<dyn TransformPlugin>> {
    find(milena_transforms::transforms(), class, |p| {
        p.class().to_owned()
    })
}

/// The predicate of a class name.
pub(crate) fn predicate(class: &str) -> Result<Arc<dyn PredicatePlugin>> {
    find(milena_predicates::predicates(), class, |p| {
        p.class().to_owned()
    })
}
