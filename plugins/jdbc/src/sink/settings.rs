//! The keys of the sink and their values.

use std::time::Duration;

use indexmap::IndexMap;
use milena_api::ConnectError;
use milena_config::{ConfigDef, Importance, Props};

use crate::{
    config::{
        Common, Keys, TABLE_TYPES, boolean, choice, connection_keys, int, list, nullable, required,
        string,
    },
    plugins::Vendor,
};

/// Ours, off by default: offsets are kept in the target, in the transaction of the rows.
pub(crate) const EXACTLY_ONCE: &str = "milena.sink.exactly.once";
/// Ours: the table of those offsets.
pub(crate) const OFFSETS_TABLE: &str = "milena.sink.offsets.table";
const KAFKA_KEYS: [&str; 3] = ["__connect_topic", "__connect_partition", "__connect_offset"];

/// `insert.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InsertMode {
    Insert,
    Upsert,
    Update,
}

/// `pk.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyMode {
    None,
    Kafka,
    RecordKey,
    RecordValue,
}

impl KeyMode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kafka => "kafka",
            Self::RecordKey => "record_key",
            Self::RecordValue => "record_value",
        }
    }
}

/// The definition of the sink's keys.
pub(crate) fn config_def(vendor: Vendor) -> ConfigDef {
    use Importance::{High, Low, Medium};
    let confluent = vendor == Vendor::Confluent;
    let mut keys = Keys::new();
    connection_keys(&mut keys, vendor, "Connection");
    let k = &mut keys;
    k.group("Writes");
    let modes: &[&str] = if confluent {
        &["insert", "upsert", "update"]
    } else {
        &["insert", "upsert", "update", "multi"]
    };
    k.add(choice("insert.mode", "insert", modes), High, "Insert Mode", "insert: plain INSERT. upsert: insert or replace by the primary key. update: UPDATE of rows that exist.");
    k.add(
        int("batch.size", 3000, 0),
        Medium,
        "Batch Size",
        "How many rows at most are written by one statement.",
    );
    k.add(
        boolean("delete.enabled", false),
        Medium,
        "Enable deletes",
        "Whether a null value deletes the row of its key; needs pk.mode=record_key.",
    );
    let types: &[&str] = if confluent {
        &["TABLE", "PARTITIONED TABLE"]
    } else {
        &["TABLE"]
    };
    k.add(
        list(TABLE_TYPES, types),
        Low,
        "Table Types",
        "The types of tables that may be written to.",
    );
    k.add(boolean(EXACTLY_ONCE, false), Low, "Exactly once", "Milena's own: keeps the offsets in a table of the target, in the transaction of the rows, and resumes from them.");
    k.add(
        string(OFFSETS_TABLE, "milena_sink_offsets"),
        Low,
        "Offsets table",
        "Milena's own: the table of milena.sink.exactly.once; it is created when it is missing.",
    );

    k.group("Data Mapping");
    k.add(
        required("table.name.format")
            .default(milena_config::ConfigValue::String("${topic}".to_owned())),
        Medium,
        "Table Name Format",
        "The table of a topic; ${topic} stands for its name. May name a schema: public.${topic}.",
    );
    if !confluent {
        k.add(boolean("table.name.normalize", false), Low, "Table Name Normalize", "Whether all but letters, digits and underscores become underscores in names of tables.");
        k.add(
            list("topics.to.tables.mapping", &[]),
            Medium,
            "Topics To Tables Mapping",
            "topic:table pairs; a topic without one is then an error.",
        );
    }
    k.add(choice("pk.mode", "none", &["none", "kafka", "record_key", "record_value"]), High, "Primary Key Mode", "Where the primary key comes from: nowhere, topic partition and offset, the record's key, fields of its value.");
    k.add(list("pk.fields", &[]), Medium, "Primary Key Fields", "The names of the primary key's columns; empty: all fields of the key or value, or the three names of pk.mode=kafka.");
    k.add(
        list("fields.whitelist", &[]),
        Medium,
        "Fields Whitelist",
        "The fields of the value that are written; empty: all. The key's are always written.",
    );
    if confluent {
        k.add(
            boolean("replace.null.with.default", true),
            Low,
            "Replace null with default",
            "Whether the schema's default is written for a null.",
        );
        k.add(
            string("string.output.value.column.name", "record_value"),
            Low,
            "Column of text values",
            "The column for values that are plain text.",
        );
    }

    k.group("DDL Support");
    k.add(
        boolean("auto.create", false),
        Medium,
        "Auto-Create",
        "Whether a missing table is created.",
    );
    k.add(
        boolean("auto.evolve", false),
        Medium,
        "Auto-Evolve",
        "Whether missing columns are added; types are never changed and columns never dropped.",
    );

    k.group("Retries");
    k.add(
        int("max.retries", 10, 0),
        Medium,
        "Maximum Retries",
        "How often a failed batch is repeated before the task fails.",
    );
    k.add(
        int("retry.backoff.ms", 3000, 0),
        Medium,
        "Retry Backoff (millis)",
        "Milliseconds before a repetition.",
    );
    if confluent {
        k.add(
            boolean("trim.sensitive.log", false),
            Low,
            "Trim sensitive log",
            "Taken and without effect: rows are never logged.",
        );
        k.add(
            boolean("mssql.use.merge.holdlock", true),
            Low,
            "SQL Server: HOLDLOCK",
            "Taken and without effect until there is SQL Server.",
        );
        k.add(
            nullable("timestamp.fields.list"),
            Low,
            "Timestamp fields",
            "Refused: fields become timestamps by the transform TimestampConverter.",
        );
    }
    keys.done()
}

/// A configuration of the sink.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) vendor: Vendor,
    pub(crate) common: Common,
    pub(crate) mode: InsertMode,
    pub(crate) batch: usize,
    pub(crate) deletes: bool,
    pub(crate) format: String,
    pub(crate) normalize: bool,
    pub(crate) topic_tables: IndexMap<String, String>,
    pub(crate) key_mode: KeyMode,
    pub(crate) key_fields: Vec<String>,
    pub(crate) whitelist: Vec<String>,
    pub(crate) defaults: bool,
    pub(crate) text_column: String,
    pub(crate) create: bool,
    pub(crate) evolve: bool,
    pub(crate) retries: u32,
    pub(crate) backoff: Duration,
    pub(crate) exactly_once: Option<String>,
    /// `table.types`: what may be written to.
    pub(crate) types: Vec<String>,
}

impl Settings {
    pub(crate) fn read(props: &Props, vendor: Vendor) -> Result<Self, ConnectError> {
        let parsed = config_def(vendor).parse(props)?;
        let refuse = |key: &str, text: &str| {
            ConnectError::config(format!("Invalid value for configuration {key}: {text}"))
        };
        let texts = |key: &str| {
            parsed
                .list(key)
                .iter()
                .filter(|item| !item.is_empty())
                .cloned()
                .collect::<Vec<_>>()
        };
        let number = |key: &str| parsed.integer(key).and_then(|n| u32::try_from(n).ok());
        let mode = match parsed.text("insert.mode").to_ascii_lowercase().as_str() {
            "upsert" => InsertMode::Upsert,
            "update" => InsertMode::Update,
            _ => InsertMode::Insert,
        };
        let key_mode = match parsed.text("pk.mode").to_ascii_lowercase().as_str() {
            "kafka" => KeyMode::Kafka,
            "record_key" => KeyMode::RecordKey,
            "record_value" => KeyMode::RecordValue,
            _ => KeyMode::None,
        };
        let mut key_fields = texts("pk.fields");
        if key_mode == KeyMode::Kafka {
            match key_fields.len() {
                0 => key_fields = KAFKA_KEYS.iter().map(|name| (*name).to_owned()).collect(),
                3 => {}
                _ => {
                    return Err(refuse(
                        "pk.fields",
                        "pk.mode=kafka needs three names (topic, partition, offset), or none",
                    ));
                }
            }
        }
        let deletes = parsed.boolean("delete.enabled");
        if deletes && key_mode != KeyMode::RecordKey {
            return Err(refuse(
                "delete.enabled",
                "deletes are only supported for pk.mode record_key",
            ));
        }
        if mode != InsertMode::Insert && key_mode == KeyMode::None {
            return Err(refuse(
                "pk.mode",
                "insert.mode upsert and update need a primary key: choose kafka, record_key or record_value",
            ));
        }
        if parsed
            .string("timestamp.fields.list")
            .is_some_and(|list| !list.trim().is_empty())
        {
            return Err(refuse(
                "timestamp.fields.list",
                "fields are not converted here: take it out, and use the transform TimestampConverter$Value (with \
                 unix.precision for microseconds)",
            ));
        }
        let mut topic_tables = IndexMap::new();
        for pair in texts("topics.to.tables.mapping") {
            let (topic, table) = pair.split_once(':').ok_or_else(|| {
                refuse(
                    "topics.to.tables.mapping",
                    "it must be a list of topic:table pairs",
                )
            })?;
            topic_tables.insert(topic.trim().to_owned(), table.trim().to_owned());
        }
        Ok(Self {
            vendor,
            common: Common::read(&parsed, props, vendor)?,
            mode,
            batch: number("batch.size").map_or(3000, |n| n.max(1)) as usize,
            deletes,
            format: parsed.text("table.name.format"),
            normalize: parsed.boolean("table.name.normalize"),
            topic_tables,
            key_mode,
            key_fields,
            whitelist: texts("fields.whitelist"),
            defaults: vendor == Vendor::Aiven || parsed.boolean("replace.null.with.default"),
            text_column: parsed.text("string.output.value.column.name"),
            create: parsed.boolean("auto.create"),
            evolve: parsed.boolean("auto.evolve"),
            retries: number("max.retries").unwrap_or(10),
            backoff: parsed.millis("retry.backoff.ms"),
            types: texts(TABLE_TYPES),
            exactly_once: parsed
                .boolean(EXACTLY_ONCE)
                .then(|| parsed.text(OFFSETS_TABLE)),
        })
    }

    /// The name of a topic's table.
    pub(crate) fn table(&self, topic: &str) -> Result<String, ConnectError> {
        let name = if self.topic_tables.is_empty() {
            self.format.replace("${topic}", topic)
        } else {
            self.topic_tables.get(topic).cloned().ok_or_else(|| {
                ConnectError::connect(format!(
                    "topics.to.tables.mapping names no table for the topic {topic}"
                ))
            })?
        };
        if name.trim().is_empty() {
            return Err(ConnectError::connect(format!(
                "table.name.format gives the topic {topic} an empty name"
            )));
        }
        if !self.normalize {
            return Ok(name);
        }
        let keep = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
        Ok(name
            .chars()
            .map(|letter| if keep(letter) { letter } else { '_' })
            .collect())
    }
}
