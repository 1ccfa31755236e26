//! A connector that defines its transactions itself (KIP-618).

use std::sync::Arc;

use async_trait::async_trait;
use milena_api::{
    ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorPlugin, PluginInfo,
    SourceConnector, SourceTask, SourceTaskContext, TaskInstance,
};
use milena_config::{ConfigDef, Props};
use milena_data::{Record, SchemaAndValue, SourceMap, SourceRecord, Text, Value};
use milena_kafka::ports::{ClientProps, StartAt};

use crate::world::{Worker, brokers, cluster, eventually, props, unique};

/// `test.MarkingSource`: gives three batches of four records, and says where its transactions end.
pub(crate) struct MarkingPlugin;

impl PluginInfo for MarkingPlugin {
    fn class(&self) -> &str {
        "test.MarkingSource"
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ConnectorPlugin for MarkingPlugin {
    fn is_source(&self) -> bool {
        true
    }
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Ok(ConnectorInstance::Source(Box::new(Marking::default())))
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(TaskInstance::Source(Box::new(MarkingTask::default())))
    }
}

#[derive(Default)]
struct Marking(Props);

#[async_trait]
impl Connector for Marking {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    async fn start(&mut self, _: ConnectorContext, config: Props) -> Result<(), ConnectError> {
        self.0 = config;
        Ok(())
    }
    async fn task_configs(&mut self, _: usize) -> Result<Vec<Props>, ConnectError> {
        Ok(vec![self.0.clone()])
    }
    async fn stop(&mut self) {}
}

impl SourceConnector for Marking {}

#[derive(Default)]
struct MarkingTask {
    context: Option<SourceTaskContext>,
    topic: Text,
    next: i64,
}

#[async_trait]
impl SourceTask for MarkingTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        self.topic = config["topic"].as_str().into();
        self.context = Some(context);
        Ok(())
    }

    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let context = self.context.as_ref().unwrap();
        let marks = context
            .transactions
            .as_ref()
            .expect("a context of transactions");
        match self.next {
            // 0 is seen; 1 to 3 wait for the next mark.
            0 => marks.commit_transaction_after(0),
            // 4 is given up together with 1 to 3; 5 to 7 are seen.
            4 => {
                marks.abort_transaction_after(0);
                marks.commit_transaction();
            }
            // Never seen: nothing was said.
            8 => {}
            _ => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                return Ok(None);
            }
        }
        let map = |key: &str, value: i64| {
            Arc::new(SourceMap::from_iter([(
                Text::from(key),
                Value::Int64(value),
            )]))
        };
        let first = self.next;
        self.next += 4;
        let record = |n: i64| SourceRecord {
            source_partition: Some(map("p", 0)),
            source_offset: Some(map("position", n).into()),
            record: Record {
                topic: self.topic.clone(),
                value: SchemaAndValue::new(None, Value::String(n.to_string().as_str().into())),
                ..Record::default()
            },
        };
        Ok(Some((first..first + 4).map(record).collect()))
    }

    async fn stop(&mut self) {}
}

async fn committed(bootstrap: &str, topic: &str) -> Vec<String> {
    let pairs = [
        ("bootstrap.servers", bootstrap),
        ("isolation.level", "read_committed"),
    ];
    let props: ClientProps = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let mut fetcher = milena_kafka::clients().fetcher(&props).await.unwrap();
    fetcher
        .assign(vec![(topic.into(), 0, Some(StartAt::Earliest))])
        .await
        .unwrap();
    let end = fetcher.end_offsets(&[(topic.into(), 0)]).await.unwrap();
    let end = *end.values().next().unwrap();
    let mut seen = Vec::new();
    let mut next = 0;
    while next < end {
        for batch in fetcher
            .poll(std::time::Duration::from_secs(1))
            .await
            .unwrap()
        {
            next = batch.next_offset;
            for record in batch.records {
                seen.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
            }
        }
    }
    fetcher.close().await;
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_defines_its_transactions() {
    for broker in brokers("a_connector_defines_its_transactions").await {
        let settings = cluster(
            &broker.bootstrap,
            &[("exactly.once.source.support", "enabled")],
        );
        let worker = Worker::start(&settings, "w1:8083").await;
        let topic = unique("t");
        let config = props(&[
            ("connector.class", "test.MarkingSource"),
            ("topic", &topic),
            ("transaction.boundary", "connector"),
        ]);
        worker.port.create("c", config, None).await.unwrap();
        eventually("the last commit's offset", async || {
            let offsets = worker.port.offsets("c").await.unwrap().offsets;
            let at = offsets
                .first()?
                .offset
                .as_ref()?
                .get("position")?
                .as_i64()?;
            (at == 7).then_some(())
        })
        .await;
        assert_eq!(
            committed(&broker.bootstrap, &topic).await,
            ["0", "5", "6", "7"]
        );
        // What is open when it stops is given up: the connector did not say.
        worker.port.stop("c").await.unwrap();
        worker
            .status("c", "stopped", |status| status.tasks.is_empty())
            .await;
        assert_eq!(
            committed(&broker.bootstrap, &topic).await,
            ["0", "5", "6", "7"]
        );
        worker.handle.stop().await;
    }
}
