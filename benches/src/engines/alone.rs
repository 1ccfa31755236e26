//! A data client with the same bytes and the same settings, and no engine.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use milena_kafka::ports::{AckSink, ClientProps, OutRecord};
use milena_kafka::{DataClient, clients_with};

use crate::{
    Figure,
    input::{Content, record},
    worker::{TUNED, count_with, cpu, create},
};

/// Records that are handed over at once, as the sources do.
const BATCH: u64 = 5_000;

fn props(bootstrap: &str, kind: &str) -> ClientProps {
    let mut props: ClientProps = TUNED
        .iter()
        .filter_map(|(k, v)| Some((k.strip_prefix(kind)?.to_owned(), (*v).to_owned())))
        .collect();
    props.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
    props
}

/// Produces and fetches.
pub(crate) async fn run(
    bootstrap: &str,
    client: DataClient,
    records: u64,
    runs: usize,
) -> Result<(Vec<Figure>, Vec<Figure>)> {
    let pid = std::process::id();
    let (mut produced, mut fetched) = (Vec::new(), Vec::new());
    for run in 0..=runs {
        let topic = format!("alone-{client:?}-{run}");
        create(bootstrap, &topic).await?;
        let mut settings = props(bootstrap, "producer.");
        // As a source task's.
        for (key, value) in [
            ("acks", "all"),
            ("enable.idempotence", "false"),
            ("max.in.flight.requests.per.connection", "1"),
        ] {
            settings.insert(key.to_owned(), value.to_owned());
        }
        let acked = Arc::new(AtomicU64::new(0));
        let first = Arc::new(OnceLock::new());
        let (counted, noted) = (Arc::clone(&acked), Arc::clone(&first));
        let sink: AckSink = Arc::new(move |acks| {
            let good = acks.iter().filter(|ack| ack.outcome.is_ok());
            let good = good.map(|ack| ack.count).sum();
            counted.fetch_add(good, Ordering::Relaxed);
            noted.get_or_init(|| (Instant::now(), good));
        });
        let producer = clients_with(client).producer(&settings, sink).await?;
        let name: Arc<str> = topic.as_str().into();
        let before = cpu(pid)?;
        let value = record(Content::Line, 0);
        let mut sent = 0;
        while sent < records {
            let count = BATCH.min(records - sent);
            let batch = (0..count).map(|_| OutRecord {
                topic: Arc::clone(&name),
                value: Some(value.clone()),
                ..OutRecord::default()
            });
            let outcome = producer.send(batch.collect()).await;
            outcome.map_err(|(_, error)| error)?;
            sent += count;
        }
        producer.flush().await?;
        let (ended, used) = (Instant::now(), cpu(pid)?);
        anyhow::ensure!(
            acked.load(Ordering::Relaxed) == records,
            "not all were acknowledged"
        );
        producer.close(Duration::from_secs(1)).await;
        let settings = props(bootstrap, "consumer.");
        let mut fetcher = clients_with(client).fetcher(&settings).await?;
        let fetch_before = cpu(pid)?;
        let counted = count_with(&mut fetcher, &topic).await?;
        let fetch_used = cpu(pid)?;
        anyhow::ensure!(counted.found == records, "not all were read");
        fetcher.close().await;
        if run > 0 {
            let (begun, early) = first.get().copied().unwrap_or((ended, 0));
            produced.push(Figure {
                records,
                timed: records - early,
                took: ended.duration_since(begun),
                cpu: used.saturating_sub(before),
            });
            fetched.push(Figure {
                records,
                timed: records - counted.early,
                took: counted.took,
                cpu: fetch_used.saturating_sub(fetch_before),
            });
        }
    }
    Ok((produced, fetched))
}

/// Produces in transactions of a batch each, as the boundary `poll` has it, resting between two of them. The first quarter is
/// not counted.
pub(crate) async fn transactions(
    bootstrap: &str,
    client: DataClient,
    records: u64,
    rests: &[Duration],
) -> Result<Vec<(Duration, Figure)>> {
    let pid = std::process::id();
    let mut figures = Vec::new();
    for rest in rests {
        let topic = format!("alone-{client:?}-transactions-{}", rest.as_micros());
        create(bootstrap, &topic).await?;
        let mut settings = props(bootstrap, "producer.");
        for (key, value) in [
            ("acks", "all"),
            ("enable.idempotence", "true"),
            ("transactional.id", topic.as_str()),
        ] {
            settings.insert(key.to_owned(), value.to_owned());
        }
        let producer = clients_with(client)
            .producer(&settings, Arc::new(|_| {}))
            .await?;
        producer.init_transactions().await?;
        let name: Arc<str> = topic.as_str().into();
        let value = record(Content::Line, 0);
        let (mut begun, mut before) = (Instant::now(), cpu(pid)?);
        let (count, warm) = (records / BATCH, records / BATCH / 4);
        for number in 0..count {
            if number == warm {
                (begun, before) = (Instant::now(), cpu(pid)?);
            }
            producer.begin().await?;
            let batch = (0..BATCH).map(|_| OutRecord {
                topic: Arc::clone(&name),
                value: Some(value.clone()),
                ..OutRecord::default()
            });
            let sent = producer.send(batch.collect()).await;
            sent.map_err(|(_, error)| error)?;
            producer.commit().await?;
            if !rest.is_zero() {
                tokio::time::sleep(*rest).await;
            }
        }
        let (took, used) = (begun.elapsed(), cpu(pid)?);
        producer.close(Duration::from_secs(1)).await;
        let records = (count - warm) * BATCH;
        figures.push((
            *rest,
            Figure {
                records,
                timed: records,
                took,
                cpu: used.saturating_sub(before),
            },
        ));
    }
    Ok(figures)
}
