//! The keys that the framework gives every connector (`ConnectorConfig`, `SourceConnectorConfig`,
//! `SinkConnectorConfig`; spec 11.1 to 11.3, oracle item 4).

use std::collections::BTreeSet;

use milena_config::{
    ConfigDef, ConfigError, ConfigKey,
    ConfigType::{self, Boolean, Class, Int, List, Long, Short, String as Str},
    ConfigValue,
    Importance::{self, High, Low, Medium},
    Recommender, Validator, Width,
};
use milena_java_text::JavaRegex;

/// What the framework's keys show of the worker and its plugins.
#[derive(Clone, Debug, Default)]
pub struct FrameworkView {
    /// The version of the connector's plugin, and those there are.
    pub(crate) version: Shown,
    /// Key, value and header converter: class in use by default and the classes there are.
    pub(crate) converters: [Shown; 3],
    /// Their versions.
    pub(crate) converter_versions: [Shown; 3],
}

/// A default and recommendations.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) default: Option<String>,
    pub(crate) recommended: Vec<String>,
    pub(crate) visible: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            default: None,
            recommended: Vec::new(),
            visible: true,
        }
    }
}

impl Shown {
    fn on(&self, key: ConfigKey) -> ConfigKey {
        let (values, visible) = (self.recommended.clone(), self.visible);
        let key = match (&self.default, key.kind) {
            (Some(text), ConfigType::Class) => key.default(ConfigValue::Class(text.clone())),
            (Some(text), _) => key.default(ConfigValue::String(text.clone())),
            (None, _) => key.default(ConfigValue::Null),
        };
        key.recommender(Recommender::of(values).visible_when(move |_, _| visible))
    }
}

fn key(name: &str, kind: ConfigType, importance: Importance, doc: &str) -> ConfigKey {
    ConfigKey::new(name, kind).importance(importance).doc(doc)
}

fn text(text: &str) -> ConfigValue {
    ConfigValue::String(text.to_owned())
}

fn aliases() -> Validator {
    Validator::new(|name, value| match value {
        ConfigValue::List(items) => {
            let distinct: std::collections::BTreeSet<&String> = items.iter().collect();
            match distinct.len() == items.len() {
                true => Ok(()),
                false => Err(ConfigError::invalid(
                    name,
                    &value.to_message(),
                    "Duplicate alias provided.",
                )),
            }
        }
        _ => Err(ConfigError::invalid(
            name,
            &value.to_message(),
            "entry must be non null",
        )),
    })
}

const COMMON: &str = "Common";
const ERRORS: &str = "Error Handling";
const EXACTLY_ONCE: &str = "Exactly Once Support";

pub(crate) fn common_def(view: &FrameworkView) -> ConfigDef {
    let mut def = ConfigDef::new()
        .define(
            key("name", Str, High, "The name of the connector; unique in the cluster.")
                .validator(Validator::non_empty_without_control_characters())
                .form(COMMON, 1, Width::Medium, "Connector name"),
        )
        .define(
            key("connector.class", Str, High, "The connector's class: its full name, its simple name, or that without the suffix `Connector`.")
                .form(COMMON, 2, Width::Long, "Connector class"),
        )
        .define(view.version.on(
            key("connector.plugin.version", Str, Medium, "The version of the connector's plugin: a version or a range; the newest when unset.")
                .form(COMMON, 3, Width::Medium, "Connector version"),
        ))
        .define(
            key("tasks.max", Int, High, "The most tasks that the connector may have.")
                .default(ConfigValue::Int(1))
                .validator(Validator::at_least(1))
                .form(COMMON, 4, Width::Short, "Tasks max"),
        )
        .define(
            key("tasks.max.enforce", Boolean, Low, "Whether a connector that makes more tasks than it may is failed.")
                .default(ConfigValue::Boolean(true))
                .form(COMMON, 5, Width::Short, "Enforce tasks max"),
        );
    let names = [("key", "Key"), ("value", "Value"), ("header", "Header")];
    let shown = view.converters.iter().zip(&view.converter_versions);
    for (order, ((usage, title), (class, version))) in (6..).step_by(2).zip(names.iter().zip(shown))
    {
        def.put(class.on(
            key(&format!("{usage}.converter"), Class, Low, "Converts between Kafka Connect's data and the bytes in Kafka; the worker's own when unset.")
                .form(COMMON, order, Width::Short, &format!("{title} converter class")),
        ));
        def.put(version.on(
            key(&format!("{usage}.converter.plugin.version"), Str, Low, "The version of the converter's plugin: a version or a range; the newest when unset.")
                .form(COMMON, order + 1, Width::Short, &format!("{title} converter version")),
        ));
    }
    def.define(
        key("transforms", List, Low, "Names of transforms, in the order in which they are applied to records.")
            .default(ConfigValue::List(Vec::new()))
            .validator(aliases())
            .form("Transforms", 12, Width::Long, "Transforms"),
    )
    .define(
        key("predicates", List, Low, "Names of predicates, which decide whether transforms are applied.")
            .default(ConfigValue::List(Vec::new()))
            .validator(aliases())
            .form("Predicates", 13, Width::Long, "Predicates"),
    )
    .define(
        key("config.action.reload", Str, Low, "What is done when a config provider's value expires: none or restart.")
            .default(text("restart"))
            .validator(Validator::one_of(&["none", "restart"]))
            .form(COMMON, 14, Width::Medium, "Reload Action"),
    )
    .define(
        key("errors.retry.timeout", Long, Medium, "How long a failed operation on a record is tried again, in milliseconds; -1: for ever.")
            .default(ConfigValue::Long(0))
            .form(ERRORS, 1, Width::Medium, "Retry Timeout for Errors"),
    )
    .define(
        key("errors.retry.delay.max.ms", Long, Medium, "The longest pause between two tries, in milliseconds.")
            .default(ConfigValue::Long(60_000))
            .form(ERRORS, 2, Width::Medium, "Maximum Delay Between Retries for Errors"),
    )
    .define(
        key("errors.tolerance", Str, Medium, "What is done with records that fail: none fails the task, all passes them over.")
            .default(text("none"))
            .validator(Validator::one_of(&["none", "all"]))
            .form(ERRORS, 3, Width::Short, "Error Tolerance"),
    )
    .define(
        key("errors.log.enable", Boolean, Medium, "Whether each error is logged.")
            .default(ConfigValue::Boolean(false))
            .form(ERRORS, 4, Width::Short, "Log Errors"),
    )
    .define(
        key("errors.log.include.messages", Boolean, Medium, "Whether log lines about errors name topic, partition, offset and timestamp of the record.")
            .default(ConfigValue::Boolean(false))
            .form(ERRORS, 5, Width::Short, "Log Error Details"),
    )
}

/// The framework's keys of a source, with what is shown of the worker.
#[must_use]
pub fn source_def(view: &FrameworkView) -> ConfigDef {
    let interval = Validator::at_least(0).or_null();
    common_def(view)
        .define(
            key("topic.creation.groups", List, Low, "Names of groups of topics that are created with settings of their own.")
                .default(ConfigValue::List(Vec::new()))
                .validator(aliases())
                .form("Topic Creation", 1, Width::Long, "Topic Creation Groups"),
        )
        .define(
            key("exactly.once.support", Str, Medium, "Whether the connector must write exactly once: requested or required.")
                .default(text("requested"))
                .validator(Validator::one_of_ignoring_case(&["REQUIRED", "REQUESTED"]))
                .form(EXACTLY_ONCE, 2, Width::Short, "Exactly once support"),
        )
        .define(
            key("transaction.boundary", Str, Medium, "Where transactions end under exactly-once: poll, interval or connector.")
                .default(text("poll"))
                .validator(Validator::one_of_ignoring_case(&["INTERVAL", "POLL", "CONNECTOR"]))
                .form(EXACTLY_ONCE, 3, Width::Short, "Transaction Boundary"),
        )
        .define(
            key("transaction.boundary.interval.ms", Long, Low, "The time between the ends of transactions, in milliseconds; the worker's commit interval when unset.")
                .default(ConfigValue::Null)
                .validator(interval)
                .form(EXACTLY_ONCE, 4, Width::Short, "Transaction boundary interval"),
        )
        .define(
            key("offsets.storage.topic", Str, Low, "A topic of its own for the connector's offsets; the worker's when unset.")
                .default(ConfigValue::Null)
                .validator(Validator::non_empty())
                .form("offsets.topic", 1, Width::Long, "Offsets topic"),
        )
}

/// A list without duplicates, of which Java tells before it tells of blanks here, and here alone.
fn topics() -> Validator {
    let different = Validator::new(|name, value| match value {
        ConfigValue::List(items) if items.iter().collect::<BTreeSet<_>>().len() < items.len() => {
            let text = format!("Configuration '{name}' values must not be duplicated.");
            Err(ConfigError::new(text))
        }
        _ => Ok(()),
    });
    Validator::all(vec![
        different,
        Validator::list_without_duplicates(true, false),
    ])
}

/// The framework's keys of a sink, with what is shown of the worker.
#[must_use]
pub fn sink_def(view: &FrameworkView) -> ConfigDef {
    let regex = Validator::new(|name, value| match value.as_str() {
        Some(pattern) => match regex_error(pattern) {
            None => Ok(()),
            Some(error) => Err(ConfigError::invalid(
                name,
                pattern,
                &format!("Invalid regex: {error}"),
            )),
        },
        None => Ok(()),
    });
    common_def(view)
        .define(
            key(
                "topics",
                List,
                High,
                "The topics to read, separated by commas.",
            )
            .default(ConfigValue::List(Vec::new()))
            .validator(topics())
            .form(COMMON, 4, Width::Long, "Topics"),
        )
        .define(
            key(
                "topics.regex",
                Str,
                High,
                "A regular expression of the topics to read, instead of a list.",
            )
            .default(text(""))
            .validator(regex)
            .form(COMMON, 4, Width::Long, "Topics regex"),
        )
        .define(
            key(
                "errors.deadletterqueue.topic.name",
                Str,
                Medium,
                "The topic that gets the records that fail; none when blank.",
            )
            .default(text(""))
            .form(ERRORS, 6, Width::Medium, "Dead Letter Queue Topic Name"),
        )
        .define(
            key(
                "errors.deadletterqueue.topic.replication.factor",
                Short,
                Medium,
                "How many brokers keep a copy of that topic when it is created.",
            )
            .default(ConfigValue::Short(3))
            .form(
                ERRORS,
                7,
                Width::Medium,
                "Dead Letter Queue Topic Replication Factor",
            ),
        )
        .define(
            key(
                "errors.deadletterqueue.context.headers.enable",
                Boolean,
                Medium,
                "Whether dead letters carry headers that tell what failed.",
            )
            .default(ConfigValue::Boolean(false))
            .form(ERRORS, 8, Width::Medium, "Enable Error Context Headers"),
        )
}

/// What Java says about a regular expression that does not compile.
pub(crate) fn regex_error(pattern: &str) -> Option<String> {
    let refused = JavaRegex::new(pattern).err()?;
    Some(refused.to_string())
}
