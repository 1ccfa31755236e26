//! What the cluster tests share: one Apache Kafka, clusters of their own on it, worker processes, REST with time
//! limits, and the records of a topic as they are in Kafka.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use milena_kafka::ports::{Admin, ClientProps, Isolation, ListAt, StartAt};
use milena_testing_kafka::{BrokerOptions, JavaWorker, KafkaBroker};
use serde_json::{Value, json};

/// How long anything may take before a test gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// The session timeout of the workers here: long enough for a busy machine, short enough to wait for.
pub(super) const SESSION: Duration = Duration::from_secs(6);

/// Whether the long forms are wanted.
pub(super) fn long() -> bool {
    std::env::var_os("MILENA_LONG").is_some()
}

/// Reports a figure of a run by hand.
pub(super) fn figure(what: &str, begun: Instant) {
    let line = format!("figure: {what}: {:.2} s\n", begun.elapsed().as_secs_f64());
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Apache Kafka as these tests want it.
pub(super) fn own_kafka() -> KafkaBroker {
    let mut options = BrokerOptions::default();
    for (key, value) in [
        ("auto.create.topics.enable", "true"),
        ("group.min.session.timeout.ms", "1000"),
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "500"),
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "6000"),
    ] {
        options.properties.insert(key.to_owned(), value.to_owned());
    }
    KafkaBroker::start_with(&options).unwrap()
}

/// One broker for all tests that run at the same time and leave it alone.
pub(super) fn shared_kafka() -> Arc<KafkaBroker> {
    static SHARED: Mutex<Weak<KafkaBroker>> = Mutex::new(Weak::new());
    let mut shared = SHARED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(kafka) = shared.upgrade() {
        return kafka;
    }
    let kafka = Arc::new(own_kafka());
    *shared = Arc::downgrade(&kafka);
    kafka
}

/// Waits until something holds.
pub(super) fn until(what: &str, holds: impl FnMut() -> bool) {
    let mut holds = holds;
    eventually(what, || holds().then_some(()));
}

/// Waits for a value.
pub(crate) fn eventually<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        // Asking takes processor time that the workers need.
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// A cluster of workers: its settings and files.
pub(super) struct Cluster {
    pub(super) id: String,
    pub(super) bootstrap: String,
    pub(super) dir: tempfile::TempDir,
    pub(super) props: BTreeMap<String, String>,
}

impl Cluster {
    pub(super) fn new(bootstrap: &str, more: &[(&str, &str)]) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let n = LAST.fetch_add(1, Ordering::Relaxed);
        let id = format!("cluster-{}-{n}", std::process::id());
        let session = SESSION.as_millis().to_string();
        let string = "org.apache.kafka.connect.storage.StringConverter";
        let pairs = [
            ("bootstrap.servers", bootstrap),
            ("group.id", &id),
            ("key.converter", string),
            ("value.converter", string),
            ("config.storage.topic", &format!("{id}-configs")),
            ("offset.storage.topic", &format!("{id}-offsets")),
            ("status.storage.topic", &format!("{id}-status")),
            ("config.storage.replication.factor", "1"),
            ("offset.storage.replication.factor", "1"),
            ("status.storage.replication.factor", "1"),
            ("offset.storage.partitions", "2"),
            ("status.storage.partitions", "2"),
            ("offset.flush.interval.ms", "500"),
            ("scheduled.rebalance.max.delay.ms", "0"),
            ("session.timeout.ms", &session),
            ("heartbeat.interval.ms", "500"),
            ("consumer.auto.offset.reset", "earliest"),
            ("consumer.session.timeout.ms", &session),
            ("consumer.heartbeat.interval.ms", "500"),
            ("consumer.metadata.max.age.ms", "1000"),
        ];
        let mut props: BTreeMap<String, String> = BTreeMap::new();
        for (key, value) in pairs.iter().chain(more) {
            props.insert((*key).to_owned(), (*value).to_owned());
        }
        let dir = tempfile::tempdir().unwrap();
        let bootstrap = bootstrap.to_owned();
        Self {
            id,
            bootstrap,
            dir,
            props,
        }
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A topic of this cluster alone.
    pub(super) fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }

    /// Starts a worker and waits for its REST server.
    pub(super) fn worker(&self, name: &str, more: &[(&str, &str)]) -> Worker {
        let mut worker = self.begin(name, more);
        worker.url = eventually("REST listens", || worker.logged_url());
        worker
    }

    /// Starts a worker that is part of its group when this returns.
    pub(super) fn joined(&self, name: &str) -> Worker {
        let worker = self.worker(name, &[]);
        until("the worker is healthy", || worker.health().0 == 200);
        worker
    }

    /// Starts a standalone worker with the settings of this cluster and waits for its REST server.
    pub(super) fn standalone(&self, name: &str) -> Worker {
        let offsets = self.at(&format!("{name}.offsets"));
        let file = ("offset.storage.file.filename", offsets.to_str().unwrap());
        let mut worker = self.begin_as("standalone", name, &[file]);
        worker.url = eventually("REST listens", || worker.logged_url());
        until("the worker is healthy", || worker.health().0 == 200);
        worker
    }

    /// Starts a worker process, no more.
    pub(super) fn begin(&self, name: &str, more: &[(&str, &str)]) -> Worker {
        self.begin_as("distributed", name, more)
    }

    fn begin_as(&self, mode: &str, name: &str, more: &[(&str, &str)]) -> Worker {
        let mut props = self.props.clone();
        let listeners = "http://127.0.0.1:0";
        props.insert("listeners".to_owned(), listeners.to_owned());
        for (key, value) in more {
            props.insert((*key).to_owned(), (*value).to_owned());
        }
        let text: String = props.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
        let file = self.at(&format!("{name}.properties"));
        fs::write(&file, text).unwrap();
        let log = self.at(&format!("{name}.log"));
        let output = fs::File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_milena"))
            .args([mode, file.to_str().unwrap()])
            .env_remove("MILENA_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .unwrap();
        let url = String::new();
        Worker { child, log, url }
    }

    /// Starts a Java worker of this cluster.
    pub(super) fn java(&self) -> JavaWorker {
        let worker = JavaWorker::start_distributed(&self.props).unwrap();
        // Its REST server answers 404 until its resources are there.
        until("the Java worker serves", || {
            let answer = rest("GET", &format!("{}/connectors", worker.url()), None);
            answer.is_some_and(|(status, _)| status == 200)
        });
        worker
    }

    /// A source that follows `<name>.txt` into a topic; the file gets this text.
    pub(super) fn source(&self, name: &str, topic: &str, text: &str) -> Value {
        fs::write(self.at(&format!("{name}.txt")), text).unwrap();
        json!({"name": name, "config": {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "file": self.at(&format!("{name}.txt")), "topic": topic, "tasks.max": "1"}})
    }

    /// A sink of some tasks into `<name>.out`.
    pub(super) fn sink(&self, name: &str, topic: &str, tasks: usize) -> Value {
        json!({"name": name, "config": {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "file": self.at(&format!("{name}.out")), "topics": topic, "tasks.max": tasks.to_string()}})
    }

    /// Appends lines to the file of a source.
    pub(super) fn append(&self, name: &str, text: &str) {
        let file = self.at(&format!("{name}.txt"));
        let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn client_props(&self) -> ClientProps {
        let key = "bootstrap.servers".to_owned();
        ClientProps::from([(key, self.bootstrap.clone())])
    }

    /// The values of a topic's records, in the order of its partitions.
    pub(super) fn lines(&self, topic: &str) -> Vec<String> {
        let records = records(&self.client_props(), topic);
        let text = |value: Option<bytes::Bytes>| {
            String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()
        };
        records.into_iter().map(|(_, value)| text(value)).collect()
    }
}

/// Runs something on an admin client.
pub(super) fn admin<T>(props: &ClientProps, work: impl AsyncFnOnce(Arc<dyn Admin>) -> T) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let admin = milena_kafka::clients().admin(props).await.unwrap();
        work(admin).await
    })
}

type Pair = (Option<bytes::Bytes>, Option<bytes::Bytes>);

/// Keys and values of a topic, in the order of its partitions.
pub(super) fn records(props: &ClientProps, topic: &str) -> Vec<Pair> {
    let topic: Arc<str> = topic.into();
    admin(props, async |admin| {
        let found = admin.describe_topics(&[topic.to_string()]).await.unwrap();
        let partitions = found.into_iter().next().map(|info| info.partitions);
        let mut all = Vec::new();
        let mut fetcher = milena_kafka::clients().fetcher(props).await.unwrap();
        for partition in partitions.unwrap_or_default() {
            let of = [(Arc::clone(&topic), partition)];
            let ends = admin.list_offsets(&of, ListAt::Latest, Isolation::ReadCommitted);
            let end = ends.await.unwrap().into_values().next().unwrap_or(0);
            let at = (Arc::clone(&topic), partition, Some(StartAt::Earliest));
            fetcher.assign(vec![at]).await.unwrap();
            while fetcher.position(&topic, partition).await.unwrap() < end {
                for batch in fetcher.poll(Duration::from_secs(1)).await.unwrap() {
                    all.extend(batch.records.into_iter().map(|r| (r.key, r.value)));
                }
            }
        }
        fetcher.close().await;
        all
    })
}

/// A worker process, ended by its own id.
pub(super) struct Worker {
    child: Child,
    log: PathBuf,
    url: String,
}

impl Worker {
    fn logged_url(&mut self) -> Option<String> {
        let text = self.log();
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the worker ended ({status}): {text}");
        }
        let line = text
            .lines()
            .find(|line| line.contains("the REST server listens"))?;
        let address = line.split("address=").nth(1)?.split_whitespace().next()?;
        Some(format!("http://{address}"))
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Its worker id in statuses.
    pub(super) fn id(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Status and body of `/health`; 0: no answer.
    pub(super) fn health(&self) -> (u16, Value) {
        rest("GET", &format!("{}/health", self.url), None).unwrap_or((0, Value::Null))
    }

    pub(super) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args([name, &pid]).status().unwrap().success());
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub(super) fn terminate(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.ended()
    }

    /// Waits for its end.
    pub(super) fn ended(&mut self) -> ExitStatus {
        eventually("the process ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let text = format!("--- {}:\n{}\n", self.log.display(), self.log());
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
}

/// One call: the status and the body; `None` when the worker does not answer.
pub(crate) fn rest(method: &str, url: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    let address = url.strip_prefix("http://")?;
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let mut stream = std::net::TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if chunked {
        unchunked(body)
    } else {
        body.to_owned()
    };
    Some((status, serde_json::from_str(&body).unwrap_or(Value::Null)))
}

pub(super) fn unchunked(mut text: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole.push_str(rest.get(..size).unwrap_or(rest));
        text = rest.get(size + 2..).unwrap_or("");
    }
    whole
}

/// Creates a connector through a worker; a rebalance under way is waited for, as clients do.
pub(super) fn create(url: &str, connector: &Value) {
    until("the connector is created", || {
        let answer = rest("POST", &format!("{url}/connectors"), Some(connector));
        let (status, body) = answer.expect("an answer");
        assert!(matches!(status, 201 | 409), "{status} {body}");
        status == 201
    });
}

/// A call that must be answered with this status; a rebalance under way is waited for.
pub(super) fn expect(method: &str, url: &str, body: Option<&Value>, wanted: u16) -> Value {
    eventually(&format!("{method} {url} is answered with {wanted}"), || {
        let (status, body) = rest(method, url, body).expect("an answer");
        assert!(
            status == wanted || status == 409,
            "{method} {url}: {status} {body}"
        );
        (status == wanted).then_some(body)
    })
}

/// Where everything runs: worker id to its connectors and tasks, as counts.
pub(super) type Spread = BTreeMap<String, (usize, usize)>;

/// How the work is spread when all of it runs; `None` while it does not.
pub(super) fn spread(url: &str, connectors: usize, tasks: usize) -> Option<Spread> {
    let (status, all) = rest("GET", &format!("{url}/connectors?expand=status"), None)?;
    if status != 200 {
        return None;
    }
    let mut spread = Spread::new();
    let (mut running_connectors, mut running_tasks) = (0, 0);
    for of in all.as_object()?.values() {
        let of = &of["status"];
        let owner = |of: &Value| of["worker_id"].as_str().unwrap_or_default().to_owned();
        if of["connector"]["state"] == "RUNNING" {
            running_connectors += 1;
            spread.entry(owner(&of["connector"])).or_default().0 += 1;
        }
        for task in of["tasks"].as_array()? {
            if task["state"] == "RUNNING" {
                running_tasks += 1;
                spread.entry(owner(task)).or_default().1 += 1;
            }
        }
    }
    (running_connectors == connectors && running_tasks == tasks).then_some(spread)
}

/// Waits until all runs on exactly these workers, evenly.
pub(super) fn balanced(url: &str, workers: &[&str], connectors: usize, tasks: usize) {
    let mut last = None;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = spread(url, connectors, tasks);
        if now.as_ref().is_some_and(|spread| is_even(spread, workers)) {
            return;
        }
        last = now.or(last);
        let all = || rest("GET", &format!("{url}/connectors?expand=status"), None);
        assert!(
            Instant::now() < deadline,
            "never evenly on {workers:?}; last {last:?}; now {:?}",
            all()
        );
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn is_even(spread: &Spread, workers: &[&str]) -> bool {
    let known = spread.keys().all(|id| workers.contains(&id.as_str()));
    let of = |id: &&str| spread.get(*id).copied().unwrap_or_default();
    let even = |counts: Vec<usize>| {
        let (min, max) = (counts.iter().min(), counts.iter().max());
        max.unwrap_or(&0) - min.unwrap_or(&0) <= 1
    };
    known
        && even(workers.iter().map(|id| of(id).0).collect())
        && even(workers.iter().map(|id| of(id).1).collect())
}

/// The worker's id of a Java worker.
pub(super) fn java_id(worker: &JavaWorker) -> &str {
    worker.url().strip_prefix("http://").unwrap()
}

/// A file's text; empty when it is not there.
pub(super) fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}
