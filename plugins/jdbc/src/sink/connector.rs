//! The sink connector: every task has the same configuration.

use async_trait::async_trait;
use milena_api::{ConnectError, Connector, ConnectorContext, SinkConnector, TopicPartition};
use milena_config::{ConfigDef, Props};
use tokio_util::sync::CancellationToken;

use super::{
    offsets::OffsetsTable,
    settings::{Settings, config_def},
};
use crate::{connect::connect, plugins::Vendor};

/// A sink connector of either vendor.
pub(crate) struct JdbcSink {
    vendor: Vendor,
    config: Props,
}

impl JdbcSink {
    pub(crate) fn new(vendor: Vendor) -> Self {
        Self {
            vendor,
            config: Props::new(),
        }
    }
}

#[async_trait]
impl Connector for JdbcSink {
    fn config_def(&self) -> ConfigDef {
        config_def(self.vendor)
    }

    async fn validate(&self, config: &Props) -> Vec<(String, String)> {
        let Err(error) = Settings::read(config, self.vendor) else {
            return Vec::new();
        };
        let text = error.to_string();
        let rest = text.strip_prefix("Invalid value for configuration ");
        let key = rest
            .and_then(|rest| rest.split_once(": "))
            .map_or("pk.mode", |(key, _)| key);
        vec![(key.to_owned(), text.clone())]
    }

    async fn start(
        &mut self,
        _context: ConnectorContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        Settings::read(&config, self.vendor)?;
        self.config = config;
        Ok(())
    }

    async fn task_configs(&mut self, tasks_max: usize) -> Result<Vec<Props>, ConnectError> {
        Ok(vec![self.config.clone(); tasks_max])
    }

    async fn stop(&mut self) {}
}

#[async_trait]
impl SinkConnector for JdbcSink {
    async fn alter_offsets(
        &mut self,
        config: &Props,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<bool, ConnectError> {
        let settings = Settings::read(config, self.vendor)?;
        if let Some(table) = &settings.exactly_once {
            // The target's offsets win at the next start: they are altered as well.
            let mut session = connect(&settings.common, &CancellationToken::new()).await?;
            let connector = config.get("name").map_or("", String::as_str);
            let table = OffsetsTable::new(&settings.common, table, connector);
            table.alter(&mut *session, offsets).await.map_err(|error| {
                ConnectError::connect(format!("cannot alter the offsets in the target: {error}"))
            })?;
        }
        Ok(true)
    }
}
