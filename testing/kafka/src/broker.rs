//! A broker of Apache Kafka: KRaft, one process that is both broker and controller.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::jvm::{Jvm, free_ports, run};

/// What a broker is started with beyond the defaults.
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    /// Listeners beside `PLAINTEXT`: name and security protocol, like `("LOGIN", "SASL_PLAINTEXT")`.
    pub listeners: Vec<(String, String)>,
    /// Broker properties, which win over ours.
    pub properties: BTreeMap<String, String>,
    /// SCRAM users as the storage tool takes them: `SCRAM-SHA-256=[name=alice,password=secret]`.
    pub scram: Vec<String>,
    /// Options of the Java machine in place of the small ones that suit tests; for measurements.
    pub jvm: Option<Vec<String>>,
}

/// A running broker; killed when dropped.
pub struct KafkaBroker {
    jvm: Jvm,
    machine: Option<Vec<String>>,
    folder: TempDir,
    ports: BTreeMap<String, u16>,
}

impl KafkaBroker {
    /// Starts a broker with a plaintext listener.
    ///
    /// # Errors
    /// When Java or the jars are missing, or with the broker's last lines of output.
    pub fn start() -> Result<Self> {
        Self::start_with(&BrokerOptions::default())
    }

    /// Starts a broker with more listeners, properties or users.
    ///
    /// # Errors
    /// As [`KafkaBroker::start`].
    pub fn start_with(options: &BrokerOptions) -> Result<Self> {
        let prepared = Prepared::new(options)?;
        let properties = prepared.properties(options)?;
        prepared.format(options, &properties, &cluster_id())?;
        prepared.start()
    }

    /// Starts three brokers that are one cluster, every topic on all of them; two of them are enough to write.
    ///
    /// # Errors
    /// As [`KafkaBroker::start`].
    pub fn three() -> Result<Vec<Self>> {
        let options = BrokerOptions::default();
        let nodes = (0..3)
            .map(|_| Prepared::new(&options))
            .collect::<Result<Vec<_>>>()?;
        let voters: Vec<String> = (1..)
            .zip(&nodes)
            .map(|(id, node)| {
                let port = node.ports.get("CONTROLLER").copied().unwrap_or(0);
                format!("{id}@127.0.0.1:{port}")
            })
            .collect();
        let cluster = cluster_id();
        for (id, node) in (1..).zip(&nodes) {
            let mut properties = node.properties(&options)?;
            let id: i32 = id;
            let more = [
                ("node.id", id.to_string()),
                ("controller.quorum.voters", voters.join(",")),
                ("default.replication.factor", "3".to_owned()),
                ("min.insync.replicas", "2".to_owned()),
                ("offsets.topic.replication.factor", "3".to_owned()),
                ("transaction.state.log.replication.factor", "3".to_owned()),
                ("transaction.state.log.min.isr", "2".to_owned()),
                ("auto.create.topics.enable", "true".to_owned()),
            ];
            properties.extend(more.map(|(name, value)| (name.to_owned(), value)));
            node.format(&options, &properties, &cluster)?;
        }
        // Each is ready when the cluster is.
        let starting: Vec<_> = nodes
            .into_iter()
            .map(|node| std::thread::spawn(move || node.start()))
            .collect();
        let started = starting.into_iter().map(|thread| {
            let node = thread.join();
            node.map_err(|_| anyhow::anyhow!("a broker's thread panicked"))?
        });
        started.collect()
    }
    /// `bootstrap.servers` of the plaintext listener.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.address("PLAINTEXT").unwrap_or_default()
    }

    /// Host and port of a listener.
    #[must_use]
    pub fn address(&self, listener: &str) -> Option<String> {
        let port = self.ports.get(listener)?;
        Some(format!("127.0.0.1:{port}"))
    }

    /// The folder of this broker, for files that should go with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process id of the broker itself, where the system tells.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.jvm.pid()
    }

    /// Kills the broker as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        self.jvm.kill();
    }

    /// Starts it again on the same data and ports after [`KafkaBroker::kill`].
    ///
    /// # Errors
    /// With the broker's last lines of output.
    pub fn restart(&mut self) -> Result<()> {
        self.jvm.kill();
        let file = self.folder.path().join("server.properties");
        let file = file.to_str().context("a folder name that is not UTF-8")?;
        let ready = "Kafka Server started";
        let machine = self.machine.as_deref();
        self.jvm = Jvm::start_on(self.folder.path(), machine, "kafka.Kafka", &[file], ready)?;
        Ok(())
    }

    /// Runs a tool of Apache Kafka against this broker; what it prints.
    ///
    /// # Errors
    /// With its output.
    pub fn tool(&self, main: &str, args: &[&str]) -> Result<String> {
        let bootstrap = self.bootstrap();
        let all = ["--bootstrap-server", &bootstrap].into_iter();
        let all: Vec<String> = all.chain(args.iter().copied()).map(str::to_owned).collect();
        run(self.folder.path(), main, &all)
    }
}

/// A broker that is not started yet.
struct Prepared {
    folder: TempDir,
    machine: Option<Vec<String>>,
    listeners: Vec<(String, String)>,
    ports: BTreeMap<String, u16>,
}

impl Prepared {
    fn new(options: &BrokerOptions) -> Result<Self> {
        let mut listeners = vec![
            ("CONTROLLER".to_owned(), "PLAINTEXT".to_owned()),
            ("PLAINTEXT".to_owned(), "PLAINTEXT".to_owned()),
        ];
        listeners.extend(options.listeners.iter().cloned());
        let names = listeners.iter().map(|(name, _)| name.clone());
        let ports = names.zip(free_ports(listeners.len())?).collect();
        Ok(Self {
            folder: tempfile::tempdir()?,
            machine: options.jvm.clone(),
            listeners,
            ports,
        })
    }

    fn properties(&self, options: &BrokerOptions) -> Result<BTreeMap<String, String>> {
        properties(self.folder.path(), &self.listeners, &self.ports, options)
    }

    /// Writes its file of properties and makes its folder part of the cluster.
    fn format(
        &self,
        options: &BrokerOptions,
        properties: &BTreeMap<String, String>,
        cluster: &str,
    ) -> Result<()> {
        let text: String = properties
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        fs::write(self.folder.path().join("server.properties"), text)?;
        let file = self.file()?;
        let mut format: Vec<String> = ["format", "-t", cluster, "-c", &file]
            .iter()
            .map(|arg| (*arg).to_owned())
            .collect();
        for user in &options.scram {
            format.extend(["--add-scram".to_owned(), user.clone()]);
        }
        run(self.folder.path(), "kafka.tools.StorageTool", &format)?;
        Ok(())
    }

    fn file(&self) -> Result<String> {
        let file = self.folder.path().join("server.properties");
        let file = file.to_str().context("a folder name that is not UTF-8")?;
        Ok(file.to_owned())
    }

    fn start(self) -> Result<KafkaBroker> {
        let file = self.file()?;
        let jvm = Jvm::start_on(
            self.folder.path(),
            self.machine.as_deref(),
            "kafka.Kafka",
            &[&file],
            "Kafka Server started",
        )?;
        Ok(KafkaBroker {
            jvm,
            machine: self.machine,
            folder: self.folder,
            ports: self.ports,
        })
    }
}

/// The 22 characters of a random cluster id, as the storage tool wants them.
fn cluster_id() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = uuid::Uuid::new_v4().as_u128();
    // 21 characters of 6 bits; of the last one only the two highest bits count. The first
    // bit is always nought: the tools take an id that starts with '-' for an option.
    let bits = bits & (u128::MAX >> 1);
    let digit = |at: u32| (bits >> (128 - 6 * (at + 1))) & 63;
    let character = |value: u128| {
        let index = usize::try_from(value).unwrap_or(0);
        char::from(ALPHABET.get(index).copied().unwrap_or(b'A'))
    };
    let mut id: String = (0..21).map(|at| character(digit(at))).collect();
    id.push(character((bits & 3) << 4));
    id
}

fn properties(
    folder: &Path,
    listeners: &[(String, String)],
    ports: &BTreeMap<String, u16>,
    options: &BrokerOptions,
) -> Result<BTreeMap<String, String>> {
    let address = |name: &str| {
        let port = ports.get(name).copied().unwrap_or(0);
        format!("{name}://127.0.0.1:{port}")
    };
    let names = |with_controller: bool| {
        let list: Vec<String> = listeners
            .iter()
            .filter(|(name, _)| with_controller || name != "CONTROLLER")
            .map(|(name, _)| address(name))
            .collect();
        list.join(",")
    };
    let map: Vec<String> = listeners
        .iter()
        .map(|(name, protocol)| format!("{name}:{protocol}"))
        .collect();
    let controller = ports.get("CONTROLLER").copied().unwrap_or(0);
    let data = folder.join("data");
    let data = data.to_str().context("a folder name that is not UTF-8")?;
    let ours = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".to_owned()),
        (
            "controller.quorum.voters",
            format!("1@127.0.0.1:{controller}"),
        ),
        ("listeners", names(true)),
        ("advertised.listeners", names(false)),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        ("listener.security.protocol.map", map.join(",")),
        ("log.dirs", data.to_owned()),
        ("offsets.topic.replication.factor", "1".to_owned()),
        ("offsets.topic.num.partitions", "5".to_owned()),
        ("transaction.state.log.replication.factor", "1".to_owned()),
        ("transaction.state.log.min.isr", "1".to_owned()),
        ("transaction.state.log.num.partitions", "5".to_owned()),
        (
            "share.coordinator.state.topic.replication.factor",
            "1".to_owned(),
        ),
        ("share.coordinator.state.topic.min.isr", "1".to_owned()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        ("auto.create.topics.enable", "false".to_owned()),
    ];
    let mut properties: BTreeMap<String, String> = ours
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    properties.extend(options.properties.clone());
    Ok(properties)
}
