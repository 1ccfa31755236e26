//! Workers as processes, and a case run on one.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use milena_kafka::ports::{
    Admin, ClientProps, Fetcher, Isolation, ListAt, NewTopic, OutRecord, StartAt,
};
use milena_testing_kafka::{JavaWorker, scripts_machine};
use tokio::runtime::Runtime;

use crate::{
    Figure, Options,
    cases::Case,
    input::{self, Content},
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often the destination is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long an exactly-once source must have been quiet to be done; longer than the interval of its transactions.
const QUIET: Duration = Duration::from_millis(1500);
/// Records of one batch when a topic is filled.
const FILL: u64 = 10_000;

/// What both workers and the client alone are given: large batches, as a tuned worker has them.
pub(crate) const TUNED: [(&str, &str); 5] = [
    ("producer.linger.ms", "5"),
    ("producer.batch.size", "524288"),
    ("producer.buffer.memory", "67108864"),
    ("consumer.max.poll.records", "10000"),
    ("consumer.max.partition.fetch.bytes", "10485760"),
];

/// A pair of workers on one broker.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    bootstrap: String,
    ours: Milena,
    theirs: Option<JavaWorker>,
    /// Topics that are filled, by what they hold.
    filled: Vec<Content>,
    last: usize,
}

struct Milena {
    child: Child,
    url: String,
}

impl Drop for Milena {
    fn drop(&mut self) {
        // It holds nothing that a kill could spoil.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Milena {
    fn start(binary: &Path, dir: &Path, props: &BTreeMap<String, String>) -> Result<Self> {
        let mut text: String = props.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
        text += "listeners=http://127.0.0.1:0\n";
        let file = dir.join("milena.properties");
        fs::write(&file, text)?;
        let log = dir.join("milena.log");
        let child = Command::new(binary)
            .arg("distributed")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .context("the worker cannot be run")?;
        let mut worker = Self {
            child,
            url: String::new(),
        };
        until("Milena serves", || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let line = text.lines().find(|l| l.contains("the REST server listens"));
            let address = line.and_then(|line| line.split("address=").nth(1));
            if let Some(address) = address.and_then(|text| text.split_whitespace().next()) {
                worker.url = format!("http://{address}");
            }
            !worker.url.is_empty() && is(&worker.url, "/health", 200)
        })?;
        Ok(worker)
    }
}

impl Bench {
    pub(crate) fn start(bootstrap: &str, options: &Options, exactly_once: bool) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let props = |who: &str| {
            let string = "org.apache.kafka.connect.storage.StringConverter".to_owned();
            let mut props: BTreeMap<String, String> = TUNED
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            let group = format!("{who}-{exactly_once}");
            props.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
            props.insert("key.converter".to_owned(), string.clone());
            props.insert("value.converter".to_owned(), string);
            for topic in ["config", "offset", "status"] {
                let name = format!("{group}-{topic}");
                props.insert(format!("{topic}.storage.topic"), name);
                let replicas = format!("{topic}.storage.replication.factor");
                props.insert(replicas, "1".to_owned());
            }
            props.insert("group.id".to_owned(), group);
            props.insert("offset.flush.interval.ms".to_owned(), "5000".to_owned());
            if exactly_once {
                let support = "exactly.once.source.support".to_owned();
                props.insert(support, "enabled".to_owned());
            }
            props
        };
        let mut own = props("milena");
        own.insert("milena.kafka.client".to_owned(), options.client.clone());
        let ours = Milena::start(&options.milena, dir.path(), &own)?;
        let theirs = match options.java {
            true => {
                // The heap of `connect-distributed.sh`.
                let machine = scripts_machine("256m", "2g");
                let java = JavaWorker::start_distributed_on(&props("java"), Some(&machine))?;
                until("Java serves", || is(java.url(), "/connectors", 200))?;
                Some(java)
            }
            false => None,
        };
        Ok(Self {
            dir,
            bootstrap: bootstrap.to_owned(),
            ours,
            theirs,
            filled: Vec::new(),
            last: 0,
        })
    }

    /// The figures of each worker, runs in turns.
    pub(crate) fn run(
        &mut self,
        runtime: &Runtime,
        case: &Case,
        records: u64,
        runs: usize,
    ) -> Result<Vec<(&'static str, Vec<Figure>)>> {
        match case.sink_of {
            None => {
                let file = self.dir.path().join("input.txt");
                if !file.exists() {
                    input::file(&file, records)?;
                }
            }
            Some(content) if !self.filled.contains(&content) => {
                runtime.block_on(fill(&self.bootstrap, content, records))?;
                self.filled.push(content);
            }
            Some(_) => {}
        }
        let workers = self.workers()?;
        let mut all: Vec<_> = workers
            .iter()
            .map(|(worker, _, _)| (*worker, Vec::new()))
            .collect();
        for run in 0..=runs {
            for ((_, url, pid), (_, figures)) in workers.iter().zip(&mut all) {
                self.last += 1;
                let name = format!("c{}", self.last);
                let figure = self.measure(runtime, case, url, *pid, &name, records)?;
                // The first warms up.
                if run > 0 {
                    figures.push(figure);
                }
            }
        }
        Ok(all)
    }

    fn measure(
        &self,
        runtime: &Runtime,
        case: &Case,
        url: &str,
        pid: u32,
        name: &str,
        records: u64,
    ) -> Result<Figure> {
        let output = self.dir.path().join(format!("{name}.out"));
        let topic = format!("{name}-{}", case.exactly_once);
        let mut config: BTreeMap<&str, String> = case
            .config
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect();
        match case.sink_of {
            None => {
                runtime.block_on(create(&self.bootstrap, &topic))?;
                config.insert("connector.class", "FileStreamSource".to_owned());
                config.insert("topic", topic.clone());
                let input = self.dir.path().join("input.txt");
                config.insert("file", input.display().to_string());
            }
            Some(content) => {
                config.insert("connector.class", "FileStreamSink".to_owned());
                config.insert("topics", topic_of(content));
                config.insert("file", output.display().to_string());
            }
        }
        let before = cpu(pid)?;
        begin(url, name, &config)?;
        let span = match case.sink_of {
            None => {
                let span =
                    runtime.block_on(arrived(&self.bootstrap, &topic, case, pid, records))?;
                let found = runtime.block_on(count(&self.bootstrap, &topic))?;
                if found != records {
                    bail!("{found} records of {records} are in the topic");
                }
                span
            }
            Some(_) => written(&output, pid, records)?,
        };
        end(url, name)?;
        // Sources leave no file, sinks no topic.
        let _ = fs::remove_file(&output);
        if case.sink_of.is_none() {
            runtime.block_on(delete(&self.bootstrap, topic))?;
        }
        Ok(Figure {
            records,
            timed: records.saturating_sub(span.early),
            took: span.last.duration_since(span.first),
            cpu: span.cpu.saturating_sub(before),
        })
    }

    /// The workers: name, address, process.
    pub(crate) fn workers(&self) -> Result<Vec<(&'static str, String, u32)>> {
        let mut all = vec![("milena", self.ours.url.clone(), self.ours.child.id())];
        if let Some(java) = &self.theirs {
            let pid = java.pid().context("the Java worker has ended")?;
            all.push(("java", java.url().to_owned(), pid));
        }
        Ok(all)
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// Creates a connector of one task.
pub(crate) fn begin(url: &str, name: &str, config: &BTreeMap<&str, String>) -> Result<()> {
    let mut members = vec![r#""tasks.max":"1""#.to_owned()];
    members.extend(
        config
            .iter()
            .map(|(key, value)| format!("{key:?}:{value:?}")),
    );
    let body = members.join(",");
    let path = format!("/connectors/{name}/config");
    let (status, answer) = call("PUT", url, &path, &format!("{{{body}}}"))?;
    if status != 201 {
        bail!("the connector was refused: {status} {answer}");
    }
    Ok(())
}

/// Deletes a connector and waits until it is gone.
pub(crate) fn end(url: &str, name: &str) -> Result<()> {
    call("DELETE", url, &format!("/connectors/{name}"), "")?;
    until("the connector is gone", || {
        is(url, &format!("/connectors/{name}/status"), 404)
    })
}

/// The time from the first records at a destination to the last.
struct Span {
    first: Instant,
    /// What was there when the clock began.
    early: u64,
    last: Instant,
    /// Of the worker, when the last was there.
    cpu: Duration,
}

pub(crate) fn topic_of(content: Content) -> String {
    format!("filled-{content:?}")
}

pub(crate) fn client(bootstrap: &str) -> ClientProps {
    let pairs = [
        ("bootstrap.servers", bootstrap),
        ("isolation.level", "read_committed"),
        ("batch.size", "524288"),
        ("linger.ms", "5"),
    ];
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

async fn admin(bootstrap: &str) -> Result<Arc<dyn Admin>> {
    Ok(milena_kafka::clients().admin(&client(bootstrap)).await?)
}

/// A topic of one partition.
pub(crate) async fn create(bootstrap: &str, name: &str) -> Result<()> {
    let topic = NewTopic {
        name: name.to_owned(),
        partitions: 1,
        replication_factor: 1,
        configs: BTreeMap::new(),
    };
    admin(bootstrap).await?.create_topics(vec![topic]).await?;
    Ok(())
}

async fn delete(bootstrap: &str, name: String) -> Result<()> {
    admin(bootstrap).await?.delete_topics(&[name]).await?;
    Ok(())
}

/// Fills the topic of a content, unless it is filled.
pub(crate) async fn fill(bootstrap: &str, content: Content, records: u64) -> Result<()> {
    let topic = topic_of(content);
    // The second pair of workers finds it filled.
    let admin = admin(bootstrap).await?;
    let there = admin.describe_topics(std::slice::from_ref(&topic)).await?;
    if !there.is_empty() {
        return Ok(());
    }
    create(bootstrap, &topic).await?;
    let clients = milena_kafka::clients();
    let producer = clients
        .producer(&client(bootstrap), Arc::new(|_| {}))
        .await?;
    let topic: Arc<str> = topic.into();
    let mut next = 0;
    while next < records {
        let end = (next + FILL).min(records);
        let batch = (next..end).map(|n| OutRecord {
            topic: Arc::clone(&topic),
            value: Some(input::record(content, n)),
            ..OutRecord::default()
        });
        let sent = producer.send(batch.collect()).await;
        sent.map_err(|(_, error)| error)?;
        next = end;
    }
    producer.flush().await?;
    producer.close(Duration::from_secs(1)).await;
    Ok(())
}

/// Waits until all records are in the topic, and until they are committed.
async fn arrived(
    bootstrap: &str,
    topic: &str,
    case: &Case,
    pid: u32,
    records: u64,
) -> Result<Span> {
    let admin = admin(bootstrap).await?;
    let of = [(topic.into(), 0)];
    let begun = Instant::now();
    let look = async |isolation| -> Result<u64> {
        if begun.elapsed() > PATIENCE {
            bail!("{records} records did not come");
        }
        let ends = admin.list_offsets(&of, ListAt::Latest, isolation).await?;
        tokio::time::sleep(LOOK).await;
        Ok(u64::try_from(ends.into_values().next().unwrap_or(0))?)
    };
    let mut first = None;
    // Ends of transactions take offsets too: one in thousands.
    let mut span = loop {
        let there = look(Isolation::ReadUncommitted).await?;
        if there == 0 {
            continue;
        }
        let (first, early) = *first.get_or_insert_with(|| (Instant::now(), there));
        if there >= records {
            break Span {
                first,
                early,
                last: Instant::now(),
                cpu: cpu(pid)?,
            };
        }
    };
    if case.exactly_once {
        let (mut end, mut since) = (0, Instant::now());
        while end < records || since.elapsed() < QUIET {
            let now = look(Isolation::ReadCommitted).await?;
            if now != end {
                (end, since) = (now, Instant::now());
                span.cpu = cpu(pid)?;
            }
        }
    }
    Ok(span)
}

/// Committed records of a topic.
async fn count(bootstrap: &str, topic: &str) -> Result<u64> {
    let mut fetcher = milena_kafka::clients().fetcher(&client(bootstrap)).await?;
    let counted = count_with(&mut fetcher, topic).await;
    fetcher.close().await;
    Ok(counted?.found)
}

/// What reading a topic gave.
pub(crate) struct Counted {
    pub(crate) found: u64,
    /// In the first batch, after which the clock began.
    pub(crate) early: u64,
    pub(crate) took: Duration,
}

/// Reads a topic to its end and counts.
pub(crate) async fn count_with(fetcher: &mut Box<dyn Fetcher>, topic: &str) -> Result<Counted> {
    let start = vec![(topic.into(), 0, Some(StartAt::Earliest))];
    fetcher.assign(start).await?;
    let ends = fetcher.end_offsets(&[(topic.into(), 0)]).await?;
    let end = ends.into_values().next().unwrap_or(0);
    let mut counted = Counted {
        found: 0,
        early: 0,
        took: Duration::ZERO,
    };
    let mut begun = Instant::now();
    while fetcher.position(topic, 0).await? < end {
        for batch in fetcher.poll(Duration::from_millis(100)).await? {
            counted.found += batch.records.len() as u64;
        }
        if counted.early == 0 {
            (counted.early, begun) = (counted.found, Instant::now());
        }
    }
    counted.took = begun.elapsed();
    Ok(counted)
}

/// Waits until the file holds all lines.
fn written(output: &PathBuf, pid: u32, records: u64) -> Result<Span> {
    let mut lines = 0;
    let mut bytes = vec![0; 1 << 20];
    let mut file = None;
    let mut first = None;
    let begun = Instant::now();
    loop {
        if file.is_none() {
            file = fs::File::open(output).ok();
        }
        let read = match &mut file {
            Some(file) => file.read(&mut bytes)?,
            None => 0,
        };
        let new = bytes.iter().take(read).filter(|byte| **byte == b'\n');
        lines += new.count() as u64;
        if lines > 0 {
            let (first, early) = *first.get_or_insert_with(|| (Instant::now(), lines));
            if lines == records {
                return Ok(Span {
                    first,
                    early,
                    last: Instant::now(),
                    cpu: cpu(pid)?,
                });
            }
        }
        if lines > records || begun.elapsed() > PATIENCE {
            bail!("{lines} lines of {records} are in the file");
        }
        if read == 0 {
            std::thread::park_timeout(LOOK);
        }
    }
}

/// Processor time of a process so far, all threads.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in brackets, may hold anything.
    let (_, rest) = text.rsplit_once(')').context("no process")?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || -> Result<u64> { Ok(fields.next().context("no times")?.parse()?) };
    // Linux counts in hundredths of a second here, whatever its clock.
    Ok(Duration::from_millis((ticks()? + ticks()?) * 10))
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > PATIENCE {
            bail!("never: {what}");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

fn is(url: &str, path: &str, wanted: u16) -> bool {
    call("GET", url, path, "").is_ok_and(|(status, _)| status == wanted)
}

/// One call: status and body.
fn call(method: &str, url: &str, path: &str, body: &str) -> Result<(u16, String)> {
    let host = url.strip_prefix("http://").context("not http")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).context("no status")?.parse()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}
