//! The keys of the source and their values.

use std::time::Duration;

use milena_api::ConnectError;
use milena_config::{ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, Props, Validator};

use super::mapping::{Granularity, Mapping, NumericMapping};
use crate::{
    config::{
        Common, Keys, TABLE_TYPES, boolean, choice, connection_keys, int, list, long, nullable,
        required, string,
    },
    dialect::TablePattern,
    plugins::Vendor,
};

/// The key of a task's own configuration: the tables it reads.
pub(crate) const TABLES: &str = "tables";
const MODES: [&str; 4] = [
    "bulk",
    "timestamp",
    "incrementing",
    "timestamp+incrementing",
];
const GRANULARITIES: [(&str, Granularity); 7] = [
    ("connect_logical", Granularity::Connect),
    ("micros_long", Granularity::MicrosLong),
    ("micros_string", Granularity::MicrosString),
    ("micros_iso_datetime_string", Granularity::MicrosIso),
    ("nanos_long", Granularity::NanosLong),
    ("nanos_string", Granularity::NanosString),
    ("nanos_iso_datetime_string", Granularity::NanosIso),
];
const ISOLATIONS: [&str; 6] = [
    "DEFAULT",
    "READ_UNCOMMITTED",
    "READ_COMMITTED",
    "REPEATABLE_READ",
    "SERIALIZABLE",
    "SQL_SERVER_SNAPSHOT",
];

/// The definition of the source's keys.
pub(crate) fn config_def(vendor: Vendor) -> ConfigDef {
    use Importance::{High, Low, Medium};
    let confluent = vendor == Vendor::Confluent;
    let mut keys = Keys::new();
    connection_keys(&mut keys, vendor, "Database");
    let k = &mut keys;
    k.add(
        list("table.whitelist", &[]),
        Medium,
        "Table Whitelist",
        "The tables to read, by name; qualified names are matched in full.",
    );
    k.add(
        list("table.blacklist", &[]),
        Medium,
        "Table Blacklist",
        "The tables not to read. Not together with table.whitelist.",
    );
    if confluent {
        k.add(list("table.include.list", &[]), Medium, "Table Include List", "Regular expressions of the qualified names of the tables to read. Not together with table.whitelist or table.blacklist.");
        k.add(list("table.exclude.list", &[]), Medium, "Table Exclude List", "Regular expressions of tables that table.include.list would take and that are left out.");
    }
    k.add(
        nullable("catalog.pattern"),
        Medium,
        "Catalog pattern",
        "The catalog to look for tables in; empty: tables without one; absent: all.",
    );
    k.add(
        nullable("schema.pattern"),
        High,
        "Schema pattern",
        "The schema to look for tables in; empty: tables without one; absent: all.",
    );
    k.add(choice("numeric.mapping", "none", &["none", "precision_only", "best_fit", "best_fit_eager_double"]), Low, "Map Numeric Values, Integral or Decimal, By Precision and Scale", "What NUMERIC columns become. none: Decimal. precision_only: integers where the scale is 0 and the digits fit. best_fit: as well FLOAT64 where there is a scale and the digits fit. best_fit_eager_double: FLOAT64 wherever there is a scale.");
    k.add(
        boolean("numeric.precision.mapping", false),
        Low,
        "Map Numeric Values By Precision (deprecated)",
        "The older form of numeric.mapping=precision_only.",
    );
    if confluent {
        let names: Vec<_> = GRANULARITIES.iter().map(|(name, _)| *name).collect();
        k.add(choice("timestamp.granularity", "connect_logical", &names), Low, "Timestamp granularity for timestamp columns", "What timestamps become: the logical type of milliseconds, or a number or text of micro- or nanoseconds.");
    } else {
        k.add(
            boolean("table.names.qualify", true),
            Low,
            "Qualify table names",
            "Whether tables are named with catalog and schema in statements and offsets.",
        );
    }

    k.group("Mode");
    let mode = ConfigKey::new("mode", ConfigType::String).validator(Validator::one_of(&MODES));
    k.add(mode, High, "Table Loading Mode", "bulk: the whole table each time. incrementing: rows with a greater id. timestamp: rows with a later timestamp. timestamp+incrementing: both, so that no row is missed or repeated.");
    k.add(
        string("incrementing.column.name", ""),
        Medium,
        "Incrementing Column Name",
        "The column of ids that only grow; empty: the table's auto-increment column.",
    );
    if confluent {
        k.add(
            list("incrementing.column.mapping", &[]),
            Medium,
            "Incrementing column mapping",
            "regex:column pairs: which column goes for which tables.",
        );
    } else {
        k.add(
            long("incrementing.initial", -1),
            Low,
            "Incrementing Column Initial Value",
            "The id after which to begin when there is no offset.",
        );
    }
    k.add(
        list("timestamp.column.name", &[]),
        Medium,
        "Timestamp Column Name",
        "The columns of the last change; of several the first that is not null counts.",
    );
    if confluent {
        k.add(
            list("timestamp.columns.mapping", &[]),
            Medium,
            "Timestamp columns mapping",
            "regex:[column|column] pairs: which columns go for which tables.",
        );
        let initial =
            ConfigKey::new("timestamp.initial", ConfigType::Long).default(ConfigValue::Null);
        k.add(
            initial,
            Low,
            "Unix time value of initial timestamp",
            "Milliseconds since the epoch after which to begin when there is no offset; -1: now.",
        );
    } else {
        k.add(
            long("timestamp.initial.ms", 0),
            Low,
            "Timestamp initial (ms)",
            "Milliseconds since the epoch after which to begin when there is no offset.",
        );
    }
    k.add(
        boolean("validate.non.null", true),
        Low,
        "Validate Non Null",
        "Whether the id column, and one timestamp column, must be declared NOT NULL.",
    );
    k.add(string("query", ""), Medium, "Query", "A query to read instead of tables. The mode's WHERE is added at its end, so it must not have one (or be in a subquery).");
    if confluent {
        let masked =
            ConfigKey::new("query.masked", ConfigType::Password).default(ConfigValue::Null);
        k.add(masked, Medium, "Masked query", "As query, hidden in logs.");
        k.add(
            string("query.suffix", ""),
            Low,
            "Query suffix",
            "Added at the very end of every statement.",
        );
        k.add(
            ConfigKey::new("query.retry.attempts", ConfigType::Int).default(ConfigValue::Int(-1)),
            Low,
            "Query Retry Attempts",
            "How often a failed query is repeated before the task fails; -1: for ever.",
        );
        k.add(
            choice("transaction.isolation.mode", "DEFAULT", &ISOLATIONS),
            Low,
            "Transaction Isolation Mode",
            "The isolation of the connection that reads.",
        );
    }

    k.group("Connector");
    let types: &[&str] = &["TABLE"];
    k.add(
        list(TABLE_TYPES, types),
        Low,
        "Table Types",
        "The types of tables to look for: TABLE, VIEW, PARTITIONED TABLE, …",
    );
    k.add(
        int("poll.interval.ms", 5000, 0),
        High,
        "Poll Interval (ms)",
        "Milliseconds between two looks at a table.",
    );
    k.add(
        int("batch.max.rows", if confluent { 1000 } else { 100 }, 1),
        Low,
        "Max Rows Per Batch",
        "How many rows are handed on at once.",
    );
    k.add(
        long("table.poll.interval.ms", 60_000),
        Low,
        "Metadata Change Monitoring Interval (ms)",
        "Milliseconds between two looks for new and dropped tables.",
    );
    k.add(
        required("topic.prefix"),
        High,
        "Topic Prefix",
        "Before the table's name in the topic's name; the whole name of the topic for a query.",
    );
    k.add(long("timestamp.delay.interval.ms", 0), High, "Delay Interval (ms)", "How old a row must be by its timestamp before it is read, so that transactions that are under way are not missed.");
    keys.done()
}

/// Where to begin without an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initial {
    At(i64),
    Now,
}

/// A configuration of the source.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) common: Common,
    pub(crate) incrementing_mode: bool,
    pub(crate) timestamp_mode: bool,
    pub(crate) incrementing: String,
    pub(crate) timestamps: Vec<String>,
    pub(crate) incrementing_mapping: Vec<String>,
    pub(crate) timestamp_mapping: Vec<String>,
    pub(crate) initial: Initial,
    pub(crate) incrementing_initial: i64,
    pub(crate) delay: i64,
    pub(crate) validate_non_null: bool,
    pub(crate) query: Option<String>,
    pub(crate) suffix: String,
    pub(crate) query_attempts: Option<u32>,
    pub(crate) isolation: Option<String>,
    pub(crate) poll: Duration,
    pub(crate) batch: usize,
    pub(crate) discovery: Duration,
    pub(crate) prefix: String,
    pub(crate) mapping: Mapping,
    pub(crate) pattern: TablePattern,
    pub(crate) whitelist: Vec<String>,
    pub(crate) blacklist: Vec<String>,
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) qualify: bool,
}

impl Settings {
    pub(crate) fn read(props: &Props, vendor: Vendor) -> Result<Self, ConnectError> {
        let parsed = config_def(vendor).parse(props)?;
        let mode = parsed.text("mode");
        let texts = |key: &str| {
            parsed
                .list(key)
                .iter()
                .filter(|item| !item.is_empty())
                .cloned()
                .collect::<Vec<_>>()
        };
        let filled = |key: &str| {
            parsed
                .string(key)
                .filter(|text| !text.trim().is_empty())
                .map(str::to_owned)
        };
        let numeric = match parsed.text("numeric.mapping").to_ascii_lowercase().as_str() {
            "precision_only" => NumericMapping::PrecisionOnly,
            "best_fit" => NumericMapping::BestFit,
            "best_fit_eager_double" => NumericMapping::BestFitEagerDouble,
            _ if parsed.boolean("numeric.precision.mapping") => NumericMapping::PrecisionOnly,
            _ => NumericMapping::None,
        };
        let wanted = parsed.text("timestamp.granularity");
        let granularity = GRANULARITIES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&wanted));
        let initial = parsed
            .integer("timestamp.initial")
            .or(parsed.integer("timestamp.initial.ms"));
        let settings = Self {
            common: Common::read(&parsed, props, vendor)?,
            incrementing_mode: mode.contains("incrementing"),
            timestamp_mode: mode.contains("timestamp"),
            incrementing: parsed.text("incrementing.column.name"),
            timestamps: texts("timestamp.column.name"),
            incrementing_mapping: texts("incrementing.column.mapping"),
            timestamp_mapping: texts("timestamp.columns.mapping"),
            initial: match initial {
                Some(-1) if vendor == Vendor::Confluent => Initial::Now,
                initial => Initial::At(initial.unwrap_or(0)),
            },
            incrementing_initial: parsed.integer("incrementing.initial").unwrap_or(-1),
            delay: parsed.integer("timestamp.delay.interval.ms").unwrap_or(0),
            validate_non_null: parsed.boolean("validate.non.null"),
            query: filled("query").or_else(|| {
                parsed
                    .password("query.masked")
                    .map(|query| query.reveal().clone())
                    .filter(|query| !query.is_empty())
            }),
            suffix: parsed.text("query.suffix"),
            query_attempts: parsed
                .integer("query.retry.attempts")
                .and_then(|n| u32::try_from(n).ok()),
            isolation: filled("transaction.isolation.mode")
                .map(|level| level.to_ascii_uppercase().replace('_', " "))
                .filter(|level| level != "DEFAULT"),
            poll: parsed.millis("poll.interval.ms"),
            batch: parsed
                .integer("batch.max.rows")
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(100),
            discovery: parsed.millis("table.poll.interval.ms"),
            prefix: parsed.text("topic.prefix"),
            mapping: Mapping {
                numeric,
                granularity: granularity
                    .map_or(Granularity::Connect, |(_, granularity)| *granularity),
            },
            pattern: TablePattern {
                catalog: parsed.string("catalog.pattern").map(str::to_owned),
                schema: parsed.string("schema.pattern").map(str::to_owned),
                types: parsed.list(TABLE_TYPES).to_vec(),
            },
            whitelist: texts("table.whitelist"),
            blacklist: texts("table.blacklist"),
            include: texts("table.include.list"),
            exclude: texts("table.exclude.list"),
            qualify: vendor == Vendor::Confluent || parsed.boolean("table.names.qualify"),
        };
        match settings.faults().into_iter().next() {
            Some((key, text)) => Err(ConnectError::config(format!(
                "Invalid value for configuration {key}: {text}"
            ))),
            None => Ok(settings),
        }
    }

    /// What does not go together.
    pub(crate) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if !self.whitelist.is_empty() && !self.blacklist.is_empty() {
            faults.push((
                "table.whitelist",
                "table.blacklist and table.whitelist are exclusive.".to_owned(),
            ));
        }
        let lists = !self.whitelist.is_empty() || !self.blacklist.is_empty();
        if lists && !(self.include.is_empty() && self.exclude.is_empty()) {
            faults.push((
                "table.include.list",
                "table.include.list cannot be used with table.whitelist or table.blacklist"
                    .to_owned(),
            ));
        }
        if self.include.is_empty() && !self.exclude.is_empty() {
            faults.push((
                "table.exclude.list",
                "table.exclude.list needs table.include.list".to_owned(),
            ));
        }
        if self.query.is_some() && (lists || !self.include.is_empty()) {
            faults.push(("query", "query may not be combined with whole-table copying settings: take out the lists of tables".to_owned()));
        }
        if self.timestamp_mode && self.timestamps.is_empty() && self.timestamp_mapping.is_empty() {
            faults.push((
                "timestamp.column.name",
                "the mode needs the names of the timestamp columns".to_owned(),
            ));
        }
        if self.query.is_some() && self.incrementing_mode && self.incrementing.is_empty() {
            faults.push((
                "incrementing.column.name",
                "a query in this mode needs the name of the id column".to_owned(),
            ));
        }
        faults
    }
}
