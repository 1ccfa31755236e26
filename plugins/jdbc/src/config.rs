//! The keys of both connectors, as the vendors define them, and their values read into types.

use std::time::Duration;

use milena_api::ConnectError;
use milena_config::{
    ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig, Props, Recommender,
    Validator, Width,
};

use crate::{
    dialect::{Dialect, Target, dialect_for},
    plugins::Vendor,
    table::Quoting,
    url::JdbcUrl,
    zone::Zone,
};

pub(crate) const URL: &str = "connection.url";
pub(crate) const USER: &str = "connection.user";
pub(crate) const PASSWORD: &str = "connection.password";
pub(crate) const ATTEMPTS: &str = "connection.attempts";
pub(crate) const BACKOFF: &str = "connection.backoff.ms";
pub(crate) const DIALECT: &str = "dialect.name";
pub(crate) const ZONE: &str = "db.timezone";
pub(crate) const CALENDAR: &str = "date.calendar.system";
pub(crate) const TABLE_TYPES: &str = "table.types";

/// The names of dialects that `dialect.name` takes; those without a driver are refused when used.
const DIALECTS: [&str; 12] = [
    "",
    "Db2DatabaseDialect",
    "DerbyDatabaseDialect",
    "GenericDatabaseDialect",
    "MySqlDatabaseDialect",
    "OracleDatabaseDialect",
    "PostgreSqlDatabaseDialect",
    "SapHanaDatabaseDialect",
    "SqlServerDatabaseDialect",
    "SqliteDatabaseDialect",
    "SybaseDatabaseDialect",
    "VerticaDatabaseDialect",
];

/// Builds a definition with the order counted per group.
pub(crate) struct Keys {
    def: ConfigDef,
    group: &'static str,
    order: i32,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self {
            def: ConfigDef::new(),
            group: "",
            order: 0,
        }
    }

    pub(crate) fn group(&mut self, group: &'static str) {
        (self.group, self.order) = (group, 0);
    }

    /// Adds a key to the current group.
    pub(crate) fn add(&mut self, key: ConfigKey, importance: Importance, shown: &str, doc: &str) {
        self.order += 1;
        let key =
            key.importance(importance)
                .doc(doc)
                .form(self.group, self.order, Width::Medium, shown);
        self.def.put(key);
    }

    pub(crate) fn done(self) -> ConfigDef {
        self.def
    }
}

pub(crate) fn string(name: &str, default: &str) -> ConfigKey {
    ConfigKey::new(name, ConfigType::String).default(ConfigValue::String(default.to_owned()))
}

pub(crate) fn nullable(name: &str) -> ConfigKey {
    ConfigKey::new(name, ConfigType::String).default(ConfigValue::Null)
}

pub(crate) fn required(name: &str) -> ConfigKey {
    ConfigKey::new(name, ConfigType::String).validator(Validator::non_empty())
}

pub(crate) fn boolean(name: &str, default: bool) -> ConfigKey {
    ConfigKey::new(name, ConfigType::Boolean).default(ConfigValue::Boolean(default))
}

pub(crate) fn int(name: &str, default: i32, min: i32) -> ConfigKey {
    ConfigKey::new(name, ConfigType::Int)
        .default(ConfigValue::Int(default))
        .validator(Validator::at_least(min))
}

pub(crate) fn long(name: &str, default: i64) -> ConfigKey {
    ConfigKey::new(name, ConfigType::Long).default(ConfigValue::Long(default))
}

pub(crate) fn list(name: &str, default: &[&str]) -> ConfigKey {
    let items = default.iter().map(|item| (*item).to_owned()).collect();
    ConfigKey::new(name, ConfigType::List).default(ConfigValue::List(items))
}

pub(crate) fn choice(name: &str, default: &str, choices: &[&str]) -> ConfigKey {
    let shown = choices.iter().map(|choice| (*choice).to_owned()).collect();
    string(name, default)
        .validator(Validator::one_of_ignoring_case(choices))
        .recommender(Recommender::of(shown))
}

/// The keys of the connection, which both connectors have.
pub(crate) fn connection_keys(keys: &mut Keys, vendor: Vendor, group: &'static str) {
    use Importance::{High, Low, Medium};
    keys.group(group);
    let url = ConfigKey::new(URL, ConfigType::String).validator(Validator::new(|name, value| {
        let text = value.as_str().unwrap_or_default();
        JdbcUrl::parse(text).map(|_| ()).map_err(|error| {
            milena_config::ConfigError::new(format!(
                "Invalid value for configuration {name}: {error}"
            ))
        })
    }));
    keys.add(url, High, "JDBC URL", "The JDBC URL of the database: jdbc:postgresql://host:5432/db, jdbc:mysql://host/db, jdbc:mariadb://host/db or jdbc:sqlite:/path.db, with the driver's usual options.");
    keys.add(
        nullable(USER),
        High,
        "JDBC User",
        "The user; may stand in the URL instead.",
    );
    let password = ConfigKey::new(PASSWORD, ConfigType::Password).default(ConfigValue::Null);
    keys.add(
        password,
        High,
        "JDBC Password",
        "The password of the user; may stand in the URL instead.",
    );
    keys.add(
        int(ATTEMPTS, 3, 1),
        Low,
        "JDBC connection attempts",
        "How often a connection is tried before the task fails.",
    );
    keys.add(
        long(BACKOFF, 10_000),
        Low,
        "JDBC connection backoff (ms)",
        "Milliseconds between two attempts to connect.",
    );
    let dialect = string(DIALECT, "").validator(Validator::new(|name, value| {
        let text = value.as_str().unwrap_or_default();
        let short = |known: &str| {
            known
                .trim_end_matches("DatabaseDialect")
                .eq_ignore_ascii_case(text)
        };
        if DIALECTS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(text) || short(known))
        {
            return Ok(());
        }
        Err(milena_config::ConfigError::invalid(
            name,
            text,
            "unknown dialect; leave it empty to follow the URL",
        ))
    }));
    keys.add(
        dialect,
        Low,
        "Database Dialect",
        "The dialect; empty: the one of the URL.",
    );
    match vendor {
        Vendor::Aiven => keys.add(
            boolean("sql.quote.identifiers", true),
            Medium,
            "Quote SQL Identifiers",
            "Whether names of tables and columns are quoted in statements.",
        ),
        Vendor::Confluent => keys.add(
            choice("quote.sql.identifiers", "ALWAYS", &["ALWAYS", "NEVER"]),
            Medium,
            "Quote Identifiers",
            "When names of tables and columns are quoted in statements: ALWAYS or NEVER.",
        ),
    }
    let zone = string(ZONE, "UTC").validator(Validator::new(|name, value| {
        let text = value.as_str().unwrap_or_default();
        match Zone::parse(text, true) {
            Some(_) => Ok(()),
            None => Err(milena_config::ConfigError::invalid(
                name,
                text,
                "Invalid time zone identifier",
            )),
        }
    }));
    keys.add(
        zone,
        Medium,
        "DB time zone",
        "The zone of timestamps that have none in the database, as a Java zone id.",
    );
    if vendor == Vendor::Confluent {
        keys.add(choice(CALENDAR, "LEGACY", &["LEGACY", "PROLEPTIC_GREGORIAN"]), Low, "Date calendar system", "LEGACY: dates before 1582-10-15 are of the Julian calendar, as java.util.Date has them. PROLEPTIC_GREGORIAN: as databases have them.");
    }
}

/// What both connectors read from their configuration.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) target: Target,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) quoting: Quoting,
    pub(crate) attempts: u32,
    pub(crate) backoff: Duration,
    pub(crate) zone: Zone,
}

impl Common {
    pub(crate) fn read(
        parsed: &ParsedConfig,
        props: &Props,
        vendor: Vendor,
    ) -> Result<Self, ConnectError> {
        let refuse = |key: &str, text: String| {
            ConnectError::config(format!("Invalid value for configuration {key}: {text}"))
        };
        let mut url =
            JdbcUrl::parse(&parsed.text(URL)).map_err(|error| refuse(URL, error.to_string()))?;
        // connection.<driver property> is passed to the driver: here, it joins the URL's options.
        for (key, value) in props {
            let Some(option) = key.strip_prefix("connection.") else {
                continue;
            };
            let known = [URL, USER, PASSWORD, ATTEMPTS, BACKOFF].contains(&key.as_str());
            if !known && url.option(option).is_none() {
                url.options.insert(option.to_owned(), value.clone());
            }
        }
        let dialect =
            dialect_for(&url, &parsed.text(DIALECT)).map_err(|error| refuse(DIALECT, error))?;
        let (open, close) = dialect.quotes();
        let on = match vendor {
            Vendor::Aiven => parsed.boolean("sql.quote.identifiers"),
            Vendor::Confluent => !parsed
                .text("quote.sql.identifiers")
                .eq_ignore_ascii_case("NEVER"),
        };
        let user = parsed
            .string(USER)
            .or(url.option("user"))
            .map(str::to_owned);
        let password = match parsed.password(PASSWORD) {
            Some(password) => Some(milena_config::Secret::new(password.reveal().clone())),
            None => url
                .option("password")
                .map(|text| milena_config::Secret::new(text.to_owned())),
        };
        let seconds = ["connectTimeout", "loginTimeout"]
            .iter()
            .find_map(|name| url.option(name).and_then(|text| text.parse::<u64>().ok()))
            .unwrap_or(0);
        // MySQL's drivers count milliseconds, PostgreSQL's seconds.
        let timeout = match url.subprotocol {
            _ if seconds == 0 => Duration::from_secs(10),
            crate::url::Subprotocol::PostgreSql => Duration::from_secs(seconds),
            _ => Duration::from_millis(seconds),
        };
        let legacy = !parsed
            .text(CALENDAR)
            .eq_ignore_ascii_case("PROLEPTIC_GREGORIAN");
        let zone_id = parsed.text(ZONE);
        let zone = Zone::parse(&zone_id, legacy)
            .ok_or_else(|| refuse(ZONE, format!("no zone is called '{zone_id}'")))?;
        Ok(Self {
            target: Target {
                url,
                user,
                password,
                timeout,
            },
            dialect,
            quoting: Quoting { open, close, on },
            attempts: parsed
                .integer(ATTEMPTS)
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(3),
            backoff: parsed.millis(BACKOFF),
            zone,
        })
    }
}
