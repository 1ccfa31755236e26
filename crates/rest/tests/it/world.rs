//! A server whose herder has no connectors, and a client that sends exactly the bytes it is told.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use milena_config::{DistributedConfig, Props, Secret};
use milena_registry::Registry;
use milena_rest::{BoundRest, RestServer, RestSettings, Services};
use milena_rest_model::{
    ConnectorHealth, ConnectorInfo, ConnectorOffsets, ConnectorStateInfo, HerderError, HerderPort,
    InitialState, LoggerError, LoggerLevel, LoggerPort, Message, PluginPort, PutOutcome, RawProps,
    RestartPlan, ServerInfo, SignatureCheck, Stage, TaskInfo, TaskState,
};
use milena_validation::{ConnectorValidator, WorkerView};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// The key with which the fake cluster signs.
pub(crate) const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A herder without connectors; every write is refused as the leader of an empty cluster refuses it.
pub(crate) struct EmptyHerder {
    pub(crate) validator: Arc<ConnectorValidator>,
    /// Where the leader is; `None`: here.
    pub(crate) leader: Option<String>,
    pub(crate) stuck: bool,
}

fn none<T>(text: String) -> Result<T, HerderError> {
    Err(HerderError::NotFound(text))
}

impl EmptyHerder {
    async fn valid(&self, config: &RawProps) -> Result<(), HerderError> {
        match self.validator.validate(config).await?.refusal() {
            Some(text) => Err(HerderError::BadRequest(text)),
            None => Ok(()),
        }
    }

    fn only_leader(&self) -> Result<(), HerderError> {
        match &self.leader {
            None => Ok(()),
            Some(url) => Err(HerderError::Elsewhere {
                url: Some(url.clone()),
            }),
        }
    }

    fn info(name: &str, config: RawProps) -> ConnectorInfo {
        let kind = milena_rest_model::ConnectorType::Sink;
        ConnectorInfo {
            name: name.to_owned(),
            config,
            tasks: Vec::new(),
            kind,
        }
    }
}

#[async_trait]
impl HerderPort for EmptyHerder {
    fn metrics(&self) -> String {
        "# TYPE up gauge\nup 1\n".to_owned()
    }

    fn server_info(&self) -> ServerInfo {
        ServerInfo {
            version: "4.3.1".into(),
            commit: "26b251a451ce941d".into(),
            kafka_cluster_id: Some("AAAAAAAAAAAAAAAAAAAAAQ".into()),
        }
    }
    async fn ping(&self) -> Result<(), HerderError> {
        match self.stuck {
            true => std::future::pending().await,
            false => Ok(()),
        }
    }
    fn startup_complete(&self) -> bool {
        false
    }
    fn stage(&self) -> Option<Stage> {
        let began = std::time::UNIX_EPOCH + Duration::from_millis(1_729_851_072_345);
        Some(Stage {
            description: "awaiting startup".into(),
            began,
            completed: None,
        })
    }
    async fn connectors(&self) -> Result<Vec<String>, HerderError> {
        match self.stuck {
            true => std::future::pending().await,
            false => Ok(Vec::new()),
        }
    }
    async fn connector_info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        none(format!("Connector {name} not found"))
    }
    async fn create(
        &self,
        name: &str,
        config: RawProps,
        _: Option<InitialState>,
    ) -> Result<ConnectorInfo, HerderError> {
        self.valid(&config).await?;
        self.only_leader()?;
        Ok(Self::info(name, config))
    }
    async fn put_config(&self, name: &str, config: RawProps) -> Result<PutOutcome, HerderError> {
        self.valid(&config).await?;
        self.only_leader()?;
        Ok(PutOutcome {
            created: true,
            info: Self::info(name, config),
        })
    }
    async fn patch_config(&self, name: &str, _: RawProps) -> Result<ConnectorInfo, HerderError> {
        none(format!("Connector {name} not found"))
    }
    async fn delete(&self, name: &str) -> Result<(), HerderError> {
        self.only_leader()?;
        none(format!("Connector {name} not found"))
    }
    async fn connector_status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError> {
        none(format!("No status found for connector {name}"))
    }
    async fn connector_health(&self, name: &str) -> Result<ConnectorHealth, HerderError> {
        none(format!("No status found for connector {name}"))
    }
    async fn task_status(&self, name: &str, task: i32) -> Result<TaskState, HerderError> {
        none(format!("No status found for task {name}-{task}"))
    }
    async fn tasks(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError> {
        none(format!("Connector {name} not found"))
    }
    async fn restart_connector(&self, name: &str) -> Result<(), HerderError> {
        none(format!("Unknown connector: {name}"))
    }
    async fn restart_with_plan(
        &self,
        name: &str,
        _: RestartPlan,
    ) -> Result<ConnectorStateInfo, HerderError> {
        none(format!("Unknown connector: {name}"))
    }
    async fn restart_task(&self, name: &str, _: i32) -> Result<(), HerderError> {
        none(format!("Unknown connector: {name}"))
    }
    async fn pause(&self, name: &str) -> Result<(), HerderError> {
        none(format!("Unknown connector {name}"))
    }
    async fn resume(&self, name: &str) -> Result<(), HerderError> {
        none(format!("Unknown connector {name}"))
    }
    async fn stop(&self, name: &str) -> Result<(), HerderError> {
        none(format!("Unknown connector {name}"))
    }
    async fn topics(&self, _: &str) -> Result<Vec<String>, HerderError> {
        Ok(Vec::new())
    }
    async fn reset_topics(&self, _: &str) -> Result<(), HerderError> {
        Ok(())
    }
    async fn offsets(&self, name: &str) -> Result<ConnectorOffsets, HerderError> {
        none(format!("Connector {name} not found"))
    }
    async fn alter_offsets(&self, name: &str, _: ConnectorOffsets) -> Result<Message, HerderError> {
        none(format!("Connector {name} not found"))
    }
    async fn reset_offsets(&self, name: &str) -> Result<Message, HerderError> {
        none(format!("Connector {name} not found"))
    }
    async fn put_task_configs(&self, name: &str, _: Vec<RawProps>) -> Result<(), HerderError> {
        none(format!("Connector {name} not found"))
    }
    async fn fence_zombies(&self, name: &str) -> Result<(), HerderError> {
        none(format!("Connector {name} not found"))
    }
    async fn signature_check(&self) -> Result<SignatureCheck, HerderError> {
        Ok(SignatureCheck::Key(Secret::new(KEY.to_vec())))
    }
    async fn set_cluster_logger(&self, _: &str, _: &str) -> Result<(), HerderError> {
        Ok(())
    }
}

struct NoLoggers;

impl LoggerPort for NoLoggers {
    fn levels(&self) -> BTreeMap<String, LoggerLevel> {
        BTreeMap::new()
    }
    fn level(&self, _: &str) -> Option<LoggerLevel> {
        None
    }
    fn set_level(&self, logger: &str, _: &str) -> Result<Vec<String>, LoggerError> {
        Ok(vec![logger.to_owned()])
    }
}

fn registry() -> Registry {
    Registry::builder()
        .connector(Arc::new(milena_file::FileStreamSinkPlugin))
        .connector(Arc::new(milena_file::FileStreamSourcePlugin))
        .converters(milena_converters::converters())
        .header_converters(milena_converters::header_converters())
        .predicates(milena_predicates::predicates())
        .transforms(milena_transforms::transforms())
        .build()
}

pub(crate) struct Options {
    pub(crate) leader: Option<String>,
    pub(crate) stuck: bool,
    pub(crate) settings: fn(&mut RestSettings),
    pub(crate) props: &'static [(&'static str, &'static str)],
}

impl Default for Options {
    fn default() -> Self {
        Self {
            leader: None,
            stuck: false,
            settings: |_| {},
            props: &[],
        }
    }
}

pub(crate) async fn start(options: Options) -> RestServer {
    let mut props: Props = [
        ("group.id", "oracle"),
        (
            "key.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        ),
        (
            "value.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        ),
        ("offset.storage.topic", "o"),
        ("config.storage.topic", "c"),
        ("status.storage.topic", "s"),
        ("listeners", "http://127.0.0.1:0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    props.extend(
        options
            .props
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let config = DistributedConfig::parse(&props).unwrap();
    let view = WorkerView::new(&config.worker).in_group(&config.group_id, false);
    let validator = Arc::new(ConnectorValidator::new(Arc::new(registry()), view).unwrap());
    let mut settings = RestSettings::new(config.worker.rest);
    (options.settings)(&mut settings);
    let bound = BoundRest::bind(settings).await.unwrap();
    let herder = EmptyHerder {
        validator: Arc::clone(&validator),
        leader: options.leader,
        stuck: options.stuck,
    };
    bound.serve(Services {
        herder: Arc::new(herder),
        plugins: validator,
        loggers: Arc::new(NoLoggers),
    })
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) async fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    let stream = TcpStream::connect(to).await.unwrap();
    exchange(stream, method, path, headers, body).await.unwrap()
}

/// One request and its answer over a connection of any kind.
pub(crate) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> std::io::Result<Answer> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body.unwrap_or_default());
    stream.write_all(text.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

pub(crate) fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap_or_default()
        .split(' ')
        .nth(1)
        .unwrap_or("0")
        .parse()
        .unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(a, b)| (a.to_owned(), b.to_owned()));
    Answer {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    }
}
