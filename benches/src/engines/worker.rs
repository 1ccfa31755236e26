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
use milena_testing_kafka::JavaWorker;
use tokio::runtime::Runtime;

use crate::{
    Figure, Options,
    cases::Case,
    input::{self, Content},
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often the destination is looked at.
const LOOK: Duration = Duration::from_millis(5);
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
        let ours = Milena::start(&options.milena, dir.path(), &props("milena"))?;
        let theirs = match options.java {
            true => {
                // Java's own defaults of the compilers; the heap of Kafka's scripts for Connect.
                let machine = ["-Xms256m", "-Xmx2g", "-XX:+UseG1GC"].map(str::to_owned);
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
        let mut all = vec![("milena", Vec::new())];
        let mut workers = vec![(self.ours.url.clone(), self.ours.child.id())];
        if let Some(java) = &self.theirs {
            let pid = java.pid().context("the Java worker has ended")?;
            workers.push((java.url().to_owned(), pid));
            all.push(("java", Vec::new()));
        }
        for run in 0..=runs {
            for ((url, pid), (_, figures)) in workers.iter().zip(&mut all) {
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
        config.insert("tasks.max", "1".to_owned());
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
        let members: Vec<String> = config
            .iter()
            .map(|(key, value)| format!("{key:?}:{value:?}"))
            .collect();
        let body = members.join(",");
        let before = cpu(pid)?;
        let begun = Instant::now();
        let (status, answer) = call(
            "PUT",
            url,
            &format!("/connectors/{name}/config"),
            &format!("{{{body}}}"),
        )?;
        if status != 201 {
            bail!("the connector was refused: {status} {answer}");
        }
        let (ended, after) = match case.sink_of {
            None => {
                let ended =
                    runtime.block_on(arrived(&self.bootstrap, &topic, case, pid, records))?;
                let found = runtime.block_on(count(&self.bootstrap, &topic))?;
                if found != records {
                    bail!("{found} records of {records} are in the topic");
                }
                ended
            }
            Some(_) => written(&output, pid, records)?,
        };
        call("DELETE", url, &format!("/connectors/{name}"), "")?;
        until("the connector is gone", || {
            is(url, &format!("/connectors/{name}/status"), 404)
        })?;
        // Sources leave none.
        let _ = fs::remove_file(&output);
        Ok(Figure {
            records,
            took: ended.duration_since(begun),
            cpu: after.saturating_sub(before),
        })
    }
}

fn topic_of(content: Content) -> String {
    format!("filled-{content:?}")
}

fn client(bootstrap: &str) -> ClientProps {
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

async fn fill(bootstrap: &str, content: Content, records: u64) -> Result<()> {
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

/// Waits until all records are in the topic; when that was, and the processor time of the worker then.
async fn arrived(
    bootstrap: &str,
    topic: &str,
    case: &Case,
    pid: u32,
    records: u64,
) -> Result<(Instant, Duration)> {
    let admin = admin(bootstrap).await?;
    let of = [(topic.into(), 0)];
    let begun = Instant::now();
    let (mut end, mut at) = (0, (begun, Duration::ZERO));
    let quiet = if case.exactly_once {
        QUIET
    } else {
        Duration::ZERO
    };
    loop {
        let ends = admin.list_offsets(&of, ListAt::Latest, Isolation::ReadCommitted);
        let now = ends.await?.into_values().next().unwrap_or(0);
        if now != end {
            (end, at) = (now, (Instant::now(), cpu(pid)?));
        }
        // Ends of transactions take offsets too.
        if u64::try_from(end)? >= records && at.0.elapsed() >= quiet {
            return Ok(at);
        }
        if begun.elapsed() > PATIENCE {
            bail!("only {end} of {records} records came");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Committed records of a topic.
async fn count(bootstrap: &str, topic: &str) -> Result<u64> {
    let mut fetcher = milena_kafka::clients().fetcher(&client(bootstrap)).await?;
    let found = count_with(&mut fetcher, topic).await;
    fetcher.close().await;
    found
}

/// Reads a topic to its end and counts.
pub(crate) async fn count_with(fetcher: &mut Box<dyn Fetcher>, topic: &str) -> Result<u64> {
    let start = vec![(topic.into(), 0, Some(StartAt::Earliest))];
    fetcher.assign(start).await?;
    let ends = fetcher.end_offsets(&[(topic.into(), 0)]).await?;
    let end = ends.into_values().next().unwrap_or(0);
    let mut found = 0;
    while fetcher.position(topic, 0).await? < end {
        for batch in fetcher.poll(Duration::from_millis(100)).await? {
            found += batch.records.len() as u64;
        }
    }
    Ok(found)
}

/// Waits until the file holds all lines.
fn written(output: &PathBuf, pid: u32, records: u64) -> Result<(Instant, Duration)> {
    let mut lines = 0;
    let mut bytes = vec![0; 1 << 20];
    let mut file = None;
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
        if lines == records {
            return Ok((Instant::now(), cpu(pid)?));
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

fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
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
