//! Looks at the two ends without taking much from those who are measured: connections of their own, kept open.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use milena_kafka::ports::{Admin, ClientProps, Isolation, ListAt};

use crate::cpu::Cpu;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);
/// How long a phase may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The ends of the pipe.
pub(crate) struct Watch {
    runtime: tokio::runtime::Runtime,
    admin: std::sync::Arc<dyn Admin>,
    database: tokio_postgres::Client,
}

/// When something filled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filled {
    /// Seconds from the call to the last row.
    pub(crate) all: f64,
    /// Rows per second between the first look that saw any and the last.
    pub(crate) streaming: f64,
    /// The processor time between these two looks, and the rows that came between them.
    pub(crate) used: Cpu,
    pub(crate) rows: u64,
}

impl Watch {
    pub(crate) fn new(bootstrap: String, port: u16) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let (admin, database) = runtime.block_on(async {
            let props = ClientProps::from([("bootstrap.servers".to_owned(), bootstrap)]);
            let admin = milena_kafka::clients().admin(&props).await?;
            let target = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
            let (client, connection) =
                tokio_postgres::connect(&target, tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            anyhow::Ok((admin, client))
        })?;
        Ok(Self {
            runtime,
            admin,
            database,
        })
    }

    /// The end of the topic's first partition.
    pub(crate) fn end(&self, topic: &str) -> Result<u64> {
        let of = [(topic.into(), 0)];
        let ends = self
            .admin
            .list_offsets(&of, ListAt::Latest, Isolation::ReadCommitted);
        let ends = self.runtime.block_on(ends)?;
        Ok(ends.into_values().next().unwrap_or(0).cast_unsigned())
    }

    fn number(&self, sql: &str) -> Result<u64> {
        let row = self.runtime.block_on(self.database.query_one(sql, &[]))?;
        Ok(row.try_get::<_, i64>(0)?.cast_unsigned())
    }

    /// The rows of a table, counted.
    pub(crate) fn count(&self, table: &str) -> Result<u64> {
        self.number(&format!("select count(*) from {table}"))
    }

    /// Waits until the topic holds so many records.
    pub(crate) fn topic(
        &self,
        begun: Instant,
        topic: &str,
        rows: u64,
        cpu: impl Fn() -> Result<Cpu>,
    ) -> Result<Filled> {
        fill(begun, rows, cpu, || Ok(self.end(topic).unwrap_or(0)))
    }

    /// Waits until the table holds so many rows; the size of a table with the same rows tells when a count is worth
    /// its time.
    pub(crate) fn table(
        &self,
        begun: Instant,
        table: &str,
        like: &str,
        rows: u64,
        cpu: impl Fn() -> Result<Cpu>,
    ) -> Result<Filled> {
        let size = format!("select pg_relation_size('{table}')");
        let full = self
            .number(&format!("select pg_relation_size('{like}')"))?
            .max(1);
        fill(begun, rows, cpu, || {
            let share = self.number(&size)? as f64 / full as f64;
            match share >= 0.99 {
                true => self.count(table),
                false => Ok((share * rows as f64) as u64),
            }
        })
    }
}

fn fill(
    begun: Instant,
    rows: u64,
    cpu: impl Fn() -> Result<Cpu>,
    mut look: impl FnMut() -> Result<u64>,
) -> Result<Filled> {
    let mut first: Option<(Instant, u64, Cpu)> = None;
    loop {
        let found = look()?;
        let now = Instant::now();
        if found > 0 && first.is_none() {
            first = Some((now, found, cpu()?));
        }
        if found >= rows {
            let (at, before, used) = first.context("nothing came")?;
            let seconds = (now - at).as_secs_f64().max(1e-9);
            return Ok(Filled {
                all: (now - begun).as_secs_f64(),
                streaming: (found - before) as f64 / seconds,
                used: cpu()? - used,
                rows: found - before,
            });
        }
        if begun.elapsed() > PATIENCE {
            bail!("only {found} of {rows} rows came");
        }
        std::thread::park_timeout(LOOK);
    }
}
