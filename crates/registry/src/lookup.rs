//! What can be looked up, and what is said when nothing is found.

/// The kinds of plugin, with Java's names for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum PluginKind {
    Source,
    Sink,
    Converter,
    HeaderConverter,
    Transformation,
    Predicate,
    ConfigProvider,
    OverridePolicy,
}

impl PluginKind {
    /// The name in `GET /connector-plugins`.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
            Self::Converter => "converter",
            Self::HeaderConverter => "header_converter",
            Self::Transformation => "transformation",
            Self::Predicate => "predicate",
            Self::ConfigProvider => "configprovider",
            Self::OverridePolicy => "connector_client_config_override_policy",
        }
    }

    pub(crate) fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Source | Self::Sink => &["Connector"],
            Self::Converter => &["Converter"],
            Self::HeaderConverter => &["HeaderConverter", "Converter"],
            Self::Transformation => &["Transformation"],
            Self::Predicate => &["Predicate"],
            Self::ConfigProvider => &["ConfigProvider"],
            Self::OverridePolicy => &["ConnectorClientConfigOverridePolicy"],
        }
    }
}

/// A class name that no plugin of the wanted kind has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No connector has the name; the text is Java's.
    #[error(
        "Failed to find any class that implements Connector and which name matches {name}, available connectors are: {available}"
    )]
    UnknownConnector {
        /// The name that was asked for.
        name: String,
        /// Java's listing of the connectors.
        available: String,
    },
    /// No plugin of the kind has the name.
    #[error("Class {name} could not be found.")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The kind.
        kind: PluginKind,
    },
}
