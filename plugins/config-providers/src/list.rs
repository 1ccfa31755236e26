//! The explicit list of all config providers, in alphabetical order.

use std::sync::Arc;

use milena_api::{ConfigProvider, PluginInfo, ProviderPlugin};

use crate::{directory::Directory, env_var::EnvVar, file::File};

/// The version that the registry reports: that of the Apache Kafka these providers are equal to.
pub const VERSION: &str = "4.3.1";

struct Descriptor {
    class: &'static str,
    make: fn() -> Box<dyn ConfigProvider>,
}

impl PluginInfo for Descriptor {
    fn class(&self) -> &str {
        self.class
    }

    fn version(&self) -> &str {
        VERSION
    }
}

impl ProviderPlugin for Descriptor {
    fn provider(&self) -> Box<dyn ConfigProvider> {
        (self.make)()
    }
}

/// All config providers, in alphabetical order of their classes.
#[must_use]
pub fn config_providers() -> Vec<Arc<dyn ProviderPlugin>> {
    vec![
        Arc::new(Descriptor {
            class: "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
            make: || Box::<Directory>::default(),
        }),
        Arc::new(Descriptor {
            class: "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
            make: || Box::<EnvVar>::default(),
        }),
        Arc::new(Descriptor {
            class: "org.apache.kafka.common.config.provider.FileConfigProvider",
            make: || Box::<File>::default(),
        }),
    ]
}
