//! What every worker has (`WorkerConfig`, spec 8.1).

use std::time::Duration;

use super::{
    RestConfig,
    keys::{
        Boolean, Class, High, Int, List, Long, Low, Medium, Null, Required, String as Str, Text,
        key,
    },
    rest_def, ssl_def,
};
use crate::{ConfigDef, ConfigError, ParsedConfig, Props, Validator};

/// A converter of the worker: its class and its own keys without their prefix.
#[derive(Clone, Debug, Default)]
pub struct ConverterSetting {
    /// Class name or alias.
    pub class: String,
    /// A version range (KIP-891), when given.
    pub version: Option<String>,
    /// Its own keys, `converter.type` included.
    pub props: Props,
}

/// A config provider of the worker.
#[derive(Clone, Debug)]
pub struct ProviderSetting {
    /// The name by which variables refer to it.
    pub name: String,
    /// Class name or alias.
    pub class: String,
    /// Its own keys, `config.providers.<name>.param.` removed.
    pub params: Props,
}

/// The settings common to both modes. Defaults are Java's.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// `bootstrap.servers`.
    pub bootstrap_servers: Vec<String>,
    /// `client.dns.lookup`.
    pub client_dns_lookup: String,
    /// `key.converter`.
    pub key_converter: ConverterSetting,
    /// `value.converter`.
    pub value_converter: ConverterSetting,
    /// `header.converter`.
    pub header_converter: ConverterSetting,
    /// `task.shutdown.graceful.timeout.ms`, over all tasks being stopped.
    pub task_shutdown_timeout: Duration,
    /// `offset.flush.interval.ms`.
    pub offset_flush_interval: Duration,
    /// `offset.flush.timeout.ms`.
    pub offset_flush_timeout: Duration,
    /// `plugin.path`: accepted; jars in it need a host for foreign plugins.
    pub plugin_path: Vec<String>,
    /// `plugin.discovery`, lower case.
    pub plugin_discovery: String,
    /// `metrics.sample.window.ms`.
    pub metrics_sample_window: Duration,
    /// `metrics.num.samples`.
    pub metrics_num_samples: u32,
    /// `metrics.recording.level`.
    pub metrics_recording_level: String,
    /// `metric.reporters`.
    pub metric_reporters: Vec<String>,
    /// `config.providers`, those with a class, in order.
    pub config_providers: Vec<ProviderSetting>,
    /// `connector.client.config.override.policy`.
    pub override_policy: String,
    /// `topic.creation.enable`.
    pub topic_creation: bool,
    /// `topic.tracking.enable`.
    pub topic_tracking: bool,
    /// `topic.tracking.allow.reset`.
    pub topic_tracking_reset: bool,
    /// The REST server.
    pub rest: RestConfig,
    /// Everything as it was given. Holds secrets: never log a value of it.
    pub originals: Secretive,
}

/// A whole configuration, which may hold secrets: `Debug` prints names only.
#[derive(Clone, Default)]
pub struct Secretive(pub Props);

impl std::fmt::Debug for Secretive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The keys of both modes: common, TLS and REST.
#[must_use]
pub fn common_def() -> ConfigDef {
    let converter =
        "Converts between Kafka Connect's data and the bytes in Kafka; class name or alias.";
    let version = "The version of the converter's plugin to use: a version or a range; the newest when unset.";
    ConfigDef::new()
        .define(key("bootstrap.servers", List, Text("localhost:9092"), High, "Brokers to find the Kafka cluster by: host:port, separated by commas.").validator(Validator::list_without_duplicates(false, false)))
        .define(
            key("client.dns.lookup", Str, Text("use_all_dns_ips"), Medium, "Whether all addresses of a broker's name are tried, or its canonical names.")
                .validator(Validator::one_of(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])),
        )
        .define(key("key.converter", Class, Required, High, converter))
        .define(key("key.converter.plugin.version", Str, Null, Low, version))
        .define(key("value.converter", Class, Required, High, converter))
        .define(key("value.converter.plugin.version", Str, Null, Low, version))
        .define(key("header.converter", Class, Text("org.apache.kafka.connect.storage.SimpleHeaderConverter"), Low, "Converts headers; class name or alias."))
        .define(key("header.converter.plugin.version", Str, Null, Low, version))
        .define(key("task.shutdown.graceful.timeout.ms", Long, Text("5000"), Low, "How long all tasks that are being stopped have together to end by themselves, in milliseconds."))
        .define(key("offset.flush.interval.ms", Long, Text("60000"), Low, "How often offsets of tasks are committed, in milliseconds."))
        .define(key("offset.flush.timeout.ms", Long, Text("5000"), Low, "How long a commit of offsets may take before it is put off to the next time, in milliseconds."))
        .define(key("plugin.path", List, Null, Low, "Directories with plugins. Accepted for compatibility; plugins that are built in need none.").validator(Validator::list_without_duplicates(false, true)))
        .define(
            key("plugin.discovery", Str, Text("hybrid_warn"), Low, "How plugins are looked for. Accepted for compatibility.")
                .validator(Validator::one_of_ignoring_case(&["only_scan", "service_load", "hybrid_warn", "hybrid_fail"])),
        )
        .define(key("metrics.sample.window.ms", Long, Text("30000"), Low, "The length of a window over which metrics are sampled, in milliseconds.").validator(Validator::at_least(0)))
        .define(key("metrics.num.samples", Int, Text("2"), Low, "The number of samples kept to compute metrics.").validator(Validator::at_least(1)))
        .define(key("metrics.recording.level", Str, Text("INFO"), Low, "The most detailed metrics that are recorded.").validator(Validator::one_of(&["INFO", "DEBUG"])))
        .define(key("metric.reporters", List, Text("org.apache.kafka.common.metrics.JmxReporter"), Low, "Where metrics are reported to. Accepted for compatibility.").validator(Validator::list_without_duplicates(true, false)))
        .define(key("config.providers", List, Text(""), Low, "Names of config providers, which resolve variables in configurations.").validator(Validator::list_without_duplicates(true, false)))
        .define(key("connector.client.config.override.policy", Str, Text("All"), Medium, "Which client settings connectors may override: All, None, Principal, Allowlist."))
        .define(key("topic.creation.enable", Boolean, Text("true"), Low, "Whether source connectors may have their topics created with settings of their own."))
        .define(key("topic.tracking.enable", Boolean, Text("true"), Low, "Whether the topics that connectors use are remembered."))
        .define(key("topic.tracking.allow.reset", Boolean, Text("true"), Low, "Whether the remembered topics may be reset over REST."))
        .extend(&ssl_def())
        .extend(&rest_def())
}

/// The longest class name or number of names is bounded by the file; a negative count cannot pass validation.
fn count(config: &ParsedConfig, name: &str) -> u32 {
    config
        .integer(name)
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or_default()
}

/// The keys under a prefix, without it.
pub(super) fn under(props: &Props, prefix: &str) -> Props {
    props
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

impl WorkerConfig {
    pub(super) fn from_parsed(config: &ParsedConfig, props: &Props) -> Result<Self, ConfigError> {
        Ok(Self {
            bootstrap_servers: config.list("bootstrap.servers").to_vec(),
            client_dns_lookup: config.text("client.dns.lookup"),
            key_converter: converter(config, props, "key"),
            value_converter: converter(config, props, "value"),
            header_converter: converter(config, props, "header"),
            task_shutdown_timeout: config.millis("task.shutdown.graceful.timeout.ms"),
            offset_flush_interval: config.millis("offset.flush.interval.ms"),
            offset_flush_timeout: config.millis("offset.flush.timeout.ms"),
            plugin_path: config.list("plugin.path").to_vec(),
            plugin_discovery: config.text("plugin.discovery").to_lowercase(),
            metrics_sample_window: config.millis("metrics.sample.window.ms"),
            metrics_num_samples: count(config, "metrics.num.samples"),
            metrics_recording_level: config.text("metrics.recording.level"),
            metric_reporters: config.list("metric.reporters").to_vec(),
            config_providers: providers(props),
            override_policy: config.text("connector.client.config.override.policy"),
            topic_creation: config.boolean("topic.creation.enable"),
            topic_tracking: config.boolean("topic.tracking.enable"),
            topic_tracking_reset: config.boolean("topic.tracking.allow.reset"),
            rest: RestConfig::from_parsed(config, props)?,
            originals: Secretive(props.clone()),
        })
    }

    /// The providers that a worker file names; usable before the file itself is resolved and parsed.
    #[must_use]
    pub fn providers_of(props: &Props) -> Vec<ProviderSetting> {
        providers(props)
    }

    /// Everything as it was given. Holds secrets: never log a value of it.
    #[must_use]
    pub fn originals(&self) -> &Props {
        &self.originals.0
    }
}

fn converter(config: &ParsedConfig, props: &Props, usage: &str) -> ConverterSetting {
    let name = format!("{usage}.converter");
    let mut own = under(props, &format!("{name}."));
    own.remove("plugin.version");
    own.insert("converter.type".to_owned(), usage.to_owned());
    ConverterSetting {
        class: config.text(&name),
        version: config
            .string(&format!("{name}.plugin.version"))
            .map(ToOwned::to_owned),
        props: own,
    }
}

fn providers(props: &Props) -> Vec<ProviderSetting> {
    let names = props
        .get("config.providers")
        .map(String::as_str)
        .unwrap_or_default();
    let provider = |name: &str| {
        Some(ProviderSetting {
            name: name.to_owned(),
            class: props
                .get(&format!("config.providers.{name}.class"))?
                .trim()
                .to_owned(),
            params: under(props, &format!("config.providers.{name}.param.")),
        })
    };
    names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .filter_map(provider)
        .collect()
}
