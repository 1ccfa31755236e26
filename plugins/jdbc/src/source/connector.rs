//! The source connector: finds the tables, shares them out and watches for new ones.

use async_trait::async_trait;
use milena_api::{
    ConnectError, Connector, ConnectorContext, ConnectorOffset, ExactlyOnceSupport, SourceConnector,
};
use milena_config::{ConfigDef, Props};
use milena_data::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::settings::{Settings, TABLES, config_def};
use crate::{
    connect::{connect, try_connect},
    dialect::Session,
    plugins::Vendor,
    table::TableId,
};

/// A source connector of either vendor.
pub(crate) struct JdbcSource {
    vendor: Vendor,
    config: Props,
    settings: Option<Settings>,
    tables: Vec<TableId>,
    watch: Option<JoinHandle<()>>,
    stopping: CancellationToken,
}

impl JdbcSource {
    pub(crate) fn new(vendor: Vendor) -> Self {
        Self {
            vendor,
            config: Props::new(),
            settings: None,
            tables: Vec::new(),
            watch: None,
            stopping: CancellationToken::new(),
        }
    }
}

/// The tables that the configuration asks for, in the database's order.
async fn find(
    settings: &Settings,
    session: &mut dyn Session,
) -> Result<Vec<TableId>, ConnectError> {
    let tables = session.tables(&settings.pattern).await.map_err(|error| {
        ConnectError::connect(format!("cannot list the tables: {error}"))
            .caused_by(error.to_connect())
    })?;
    let named = |list: &[String], table: &TableId| {
        let quoting = settings.common.quoting;
        let names = [table.sql(quoting), table.plain(), table.name.clone()];
        let schema_name = table
            .schema
            .as_ref()
            .map(|schema| format!("{schema}.{}", table.name));
        list.iter()
            .any(|wanted| names.contains(wanted) || schema_name.as_ref() == Some(wanted))
    };
    let include = patterns("table.include.list", &settings.include)?;
    let exclude = patterns("table.exclude.list", &settings.exclude)?;
    let matches = |list: &[fancy_regex::Regex], table: &TableId| {
        let names = [table.plain(), table.name.clone()];
        list.iter().any(|regex| {
            names
                .iter()
                .any(|name| regex.is_match(name).unwrap_or(false))
        })
    };
    let mut found: Vec<_> = tables
        .into_iter()
        .filter(|table| settings.whitelist.is_empty() || named(&settings.whitelist, table))
        .filter(|table| !named(&settings.blacklist, table))
        .filter(|table| {
            include.is_empty() || (matches(&include, table) && !matches(&exclude, table))
        })
        .collect();
    if !settings.qualify {
        for table in &mut found {
            (table.catalog, table.schema) = (None, None);
        }
    }
    Ok(found)
}

/// Regular expressions of whole names, without regard to case.
fn patterns(key: &str, texts: &[String]) -> Result<Vec<fancy_regex::Regex>, ConnectError> {
    texts
        .iter()
        .map(|text| {
            fancy_regex::Regex::new(&format!("(?i)^(?:{text})$")).map_err(|error| {
                ConnectError::config(format!(
                    "Invalid value {text} for configuration {key}: {error}"
                ))
            })
        })
        .collect()
}

/// Two tables of one name would go to one topic.
fn refuse_twins(tables: &[TableId]) -> Result<(), ConnectError> {
    for (index, table) in tables.iter().enumerate() {
        let rest = tables.get(index + 1..).unwrap_or_default();
        if let Some(twin) = rest.iter().find(|other| other.name == table.name) {
            return Err(ConnectError::connect(format!(
                "the tables {} and {} have the same name and would go to the same topic: choose with \
                 schema.pattern, catalog.pattern or table.whitelist",
                table.plain(),
                twin.plain()
            )));
        }
    }
    Ok(())
}

/// Looks for new and dropped tables until it is aborted.
async fn watch(settings: Settings, mut known: Vec<TableId>, context: ConnectorContext) {
    let mut session = None;
    loop {
        tokio::time::sleep(settings.discovery).await;
        let mut open = match session.take() {
            Some(open) => open,
            None => match try_connect(&settings.common).await {
                Ok(open) => open,
                Err(error) => {
                    warn!(%error, "cannot look for new tables");
                    continue;
                }
            },
        };
        match find(&settings, &mut *open).await {
            Ok(mut found) => {
                session = Some(open);
                found.sort();
                if found != known {
                    info!(tables = found.len(), "the tables have changed");
                    known = found;
                    context.request_task_reconfiguration();
                }
            }
            Err(error) => warn!(%error, "cannot look for new tables"),
        }
    }
}

#[async_trait]
impl Connector for JdbcSource {
    fn config_def(&self) -> ConfigDef {
        config_def(self.vendor)
    }

    async fn validate(&self, config: &Props) -> Vec<(String, String)> {
        match Settings::read(config, self.vendor) {
            Ok(_) => Vec::new(),
            Err(error) => {
                let text = error.to_string();
                let prefix = "Invalid value for configuration ";
                let named = text
                    .strip_prefix(prefix)
                    .and_then(|rest| rest.split_once(": "));
                match named {
                    Some((key, _)) => vec![(key.to_owned(), text.clone())],
                    None => vec![("mode".to_owned(), text)],
                }
            }
        }
    }

    async fn start(
        &mut self,
        context: ConnectorContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        let settings = Settings::read(&config, self.vendor)?;
        self.config = config;
        if settings.query.is_none() {
            let mut session = connect(&settings.common, &self.stopping).await?;
            self.tables = find(&settings, &mut *session).await?;
            refuse_twins(&self.tables)?;
            let mut known = self.tables.clone();
            known.sort();
            if !settings.discovery.is_zero() {
                self.watch = Some(tokio::spawn(watch(settings.clone(), known, context)));
            }
            if self.tables.is_empty() {
                warn!("no table matches the configuration: there are no tasks until one appears");
            }
        }
        self.settings = Some(settings);
        Ok(())
    }

    async fn task_configs(&mut self, tasks_max: usize) -> Result<Vec<Props>, ConnectError> {
        let Some(settings) = &self.settings else {
            return Err(ConnectError::connect("the connector is not started"));
        };
        if settings.query.is_some() {
            let mut config = self.config.clone();
            config.insert(TABLES.to_owned(), String::new());
            return Ok(vec![config]);
        }
        let mut session = connect(&settings.common, &self.stopping).await?;
        self.tables = find(settings, &mut *session).await?;
        refuse_twins(&self.tables)?;
        let groups = tasks_max.min(self.tables.len());
        let mut configs = Vec::with_capacity(groups);
        let mut rest = self.tables.as_slice();
        for group in 0..groups {
            // Contiguous groups whose sizes differ by one at most, the larger first.
            let size = rest.len().div_ceil(groups - group);
            let (tables, others) = rest.split_at_checked(size).unwrap_or((rest, &[]));
            rest = others;
            let names: Vec<_> = tables
                .iter()
                .map(|table| table.sql(settings.common.quoting))
                .collect();
            let mut config = self.config.clone();
            config.insert(TABLES.to_owned(), names.join(","));
            configs.push(config);
        }
        Ok(configs)
    }

    async fn stop(&mut self) {
        self.stopping.cancel();
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }
}

#[async_trait]
impl SourceConnector for JdbcSource {
    fn exactly_once_support(&self, config: &Props) -> ExactlyOnceSupport {
        match config.get("mode").map(String::as_str) {
            Some("incrementing" | "timestamp+incrementing") => ExactlyOnceSupport::Supported,
            _ => ExactlyOnceSupport::Unsupported,
        }
    }

    async fn alter_offsets(
        &mut self,
        _config: &Props,
        offsets: &[ConnectorOffset],
    ) -> Result<bool, ConnectError> {
        for offset in offsets.iter().filter_map(|entry| entry.offset.as_ref()) {
            for (key, value) in offset {
                let known = matches!(&**key, "incrementing" | "timestamp" | "timestamp_nanos");
                if !known || !matches!(value, Value::Int64(_)) {
                    return Err(ConnectError::connect(format!(
                        "'{key}' is no part of an offset of this connector: there are incrementing, timestamp and \
                         timestamp_nanos, which are whole numbers"
                    )));
                }
            }
        }
        Ok(true)
    }
}
