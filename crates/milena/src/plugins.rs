//! The plugins of this binary: explicit, alphabetical, greppable.

use std::sync::Arc;

use milena_file::{FileStreamSinkPlugin, FileStreamSourcePlugin};
use milena_jdbc::{JdbcSinkPlugin, JdbcSourcePlugin, Vendor};
use milena_registry::Registry;

/// All plugins that are built in.
pub(crate) fn registry() -> Registry {
    let mut builder = Registry::builder();
    for connector in milena_verifiable::connectors() {
        builder = builder.connector(connector);
    }
    builder
        .connector(Arc::new(FileStreamSinkPlugin))
        .connector(Arc::new(FileStreamSourcePlugin))
        // Of two vendors the first has the short names.
        .connector(Arc::new(JdbcSinkPlugin(Vendor::Confluent)))
        .connector(Arc::new(JdbcSinkPlugin(Vendor::Aiven)))
        .connector(Arc::new(JdbcSourcePlugin(Vendor::Confluent)))
        .connector(Arc::new(JdbcSourcePlugin(Vendor::Aiven)))
        .converters(milena_converters::converters())
        .header_converters(milena_converters::header_converters())
        .predicates(milena_predicates::predicates())
        .providers(milena_config_providers::config_providers())
        .transforms(milena_transforms::transforms())
        .build()
}
