//! The Java Connect worker.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::jvm::{Jvm, free_ports};

/// What a standalone worker logs once it serves.
const STANDALONE_READY: &str = "Kafka Connect started";
/// What a distributed worker logs once it has joined its group and started its work.
const DISTRIBUTED_READY: &str = "Finished starting connectors and tasks";

/// A running Java worker; killed when dropped.
pub struct JavaWorker {
    jvm: Jvm,
    folder: TempDir,
    url: String,
}

impl JavaWorker {
    /// Starts a distributed worker. `listeners` is set to a free port unless given; internal topics get one
    /// replica unless given.
    ///
    /// # Errors
    /// When Java or the jars are missing, or with the worker's last lines of output.
    pub fn start_distributed(properties: &BTreeMap<String, String>) -> Result<Self> {
        Self::start_distributed_on(properties, None)
    }

    /// As [`JavaWorker::start_distributed`] with these options of the machine in place of the small ones.
    ///
    /// # Errors
    /// As [`JavaWorker::start_distributed`].
    pub fn start_distributed_on(
        properties: &BTreeMap<String, String>,
        machine: Option<&[String]>,
    ) -> Result<Self> {
        let main = "org.apache.kafka.connect.cli.ConnectDistributed";
        let replicas = ["config", "offset", "status"].map(|topic| {
            (
                format!("{topic}.storage.replication.factor"),
                "1".to_owned(),
            )
        });
        let mut all: BTreeMap<String, String> = replicas.into_iter().collect();
        all.extend(properties.clone());
        let folder = tempfile::tempdir()?;
        Self::start(main, DISTRIBUTED_READY, folder, all, &[], machine)
    }

    /// Starts a standalone worker with these connectors, each a map of properties.
    ///
    /// # Errors
    /// As [`JavaWorker::start_distributed`].
    pub fn start_standalone(
        properties: &BTreeMap<String, String>,
        connectors: &[BTreeMap<String, String>],
    ) -> Result<Self> {
        let main = "org.apache.kafka.connect.cli.ConnectStandalone";
        let folder = tempfile::tempdir()?;
        let offsets = folder.path().join("offsets");
        let offsets = offsets
            .to_str()
            .context("a folder name that is not UTF-8")?
            .to_owned();
        let mut all = properties.clone();
        all.entry("offset.storage.file.filename".to_owned())
            .or_insert(offsets);
        Self::start(main, STANDALONE_READY, folder, all, connectors, None)
    }

    fn start(
        main: &str,
        ready: &str,
        folder: TempDir,
        mut properties: BTreeMap<String, String>,
        connectors: &[BTreeMap<String, String>],
        machine: Option<&[String]>,
    ) -> Result<Self> {
        if !properties.contains_key("listeners") {
            let port = free_ports(1)?.first().copied().context("no free port")?;
            properties.insert("listeners".to_owned(), format!("http://127.0.0.1:{port}"));
        }
        let converter = "org.apache.kafka.connect.json.JsonConverter";
        for name in ["key.converter", "value.converter"] {
            let entry = properties.entry(name.to_owned());
            entry.or_insert_with(|| converter.to_owned());
        }
        let listeners = properties.get("listeners").cloned().unwrap_or_default();
        let url = listeners.split(',').next().unwrap_or_default().to_owned();
        let mut files = vec![write(folder.path(), "worker.properties", &properties)?];
        for (at, connector) in connectors.iter().enumerate() {
            let name = format!("connector-{at}.properties");
            files.push(write(folder.path(), &name, connector)?);
        }
        let args: Vec<&str> = files.iter().map(String::as_str).collect();
        let jvm = Jvm::start_on(folder.path(), machine, main, &args, ready)?;
        Ok(Self { jvm, folder, url })
    }

    /// The address of its REST server, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of this worker, with its log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The id of its process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.jvm.pid()
    }

    /// Kills the worker as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        self.jvm.kill();
    }
}

fn write(folder: &Path, name: &str, properties: &BTreeMap<String, String>) -> Result<String> {
    let path = folder.join(name);
    let text: String = properties
        .iter()
        .map(|(name, value)| format!("{name}={}\n", value.replace('\\', "\\\\")))
        .collect();
    fs::write(&path, text)?;
    Ok(path
        .to_str()
        .context("a folder name that is not UTF-8")?
        .to_owned())
}
