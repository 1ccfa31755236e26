//! The sink task: batches into transactions, retries, dead letters, claims.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::Ordering,
    time::Duration,
};

use async_trait::async_trait;
use milena_api::{
    ConnectError, PartitionOffsets, SinkTask, SinkTaskContext, SinkTaskRequest, TopicPartition,
};
use milena_config::Props;
use milena_data::SinkRecord;
use tracing::{debug, warn};

use super::{
    ahead::Ahead,
    offsets::{Claim, OffsetsTable, STALE_SECONDS},
    settings::Settings,
    writer::{WriteError, Writer},
};
use crate::{
    connect::connect,
    dialect::{DbError, DbErrorKind, Session},
    plugins::Vendor,
};

/// After a fenced batch: the group's word is on its way.
const FENCED_PAUSE: Duration = Duration::from_millis(100);

/// A sink task of either vendor.
pub(crate) struct JdbcSinkTask {
    vendor: Vendor,
    run: Option<Run>,
}

pub(super) struct Run {
    settings: Settings,
    pub(super) context: SinkTaskContext,
    /// The connection with what was learned on it; `None` after an error, and while batches are on their way.
    pub(super) link: Option<(Box<dyn Session>, Writer)>,
    pub(super) ahead: Ahead,
    remaining: u32,
    pub(super) offsets: Option<OffsetsTable>,
    claims: HashMap<TopicPartition, Claim>,
    /// Assigned partitions that another task has claimed; ours again in a later generation than this one.
    lost: BTreeMap<TopicPartition, i32>,
    /// A transaction ended in an unknown way: the target knows whether it was committed.
    in_doubt: bool,
}

impl JdbcSinkTask {
    pub(crate) fn new(vendor: Vendor) -> Self {
        Self { vendor, run: None }
    }

    fn run(&mut self) -> Result<&mut Run, ConnectError> {
        self.run
            .as_mut()
            .ok_or_else(|| ConnectError::connect("the task is not started"))
    }
}

#[async_trait]
impl SinkTask for JdbcSinkTask {
    async fn start(&mut self, context: SinkTaskContext, config: Props) -> Result<(), ConnectError> {
        let settings = Settings::read(&config, self.vendor)?;
        let mut session = dial(&settings, &context).await?;
        let mut offsets = None;
        if let Some(name) = &settings.exactly_once {
            let table = OffsetsTable::new(&settings.common, name, &context.connector);
            table.ensure(&mut *session).await.map_err(|error| {
                ConnectError::connect(format!("cannot make the table of offsets {name}: {error}"))
                    .caused_by(error.to_connect())
            })?;
            offsets = Some(table);
        }
        let writer = Writer::new(settings.clone(), context.connector.clone());
        self.run = Some(Run {
            remaining: settings.retries,
            settings,
            context,
            link: Some((session, writer)),
            ahead: Ahead::default(),
            offsets,
            claims: HashMap::new(),
            lost: BTreeMap::new(),
            in_doubt: false,
        });
        Ok(())
    }

    async fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let run = self.run()?;
        run.drain().await;
        run.claim(partitions).await
    }

    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        let run = self.run()?;
        if run.put_ahead(records).await? {
            return Ok(());
        }
        run.put(records).await?;
        run.ahead.passed(records);
        Ok(())
    }

    async fn pre_commit(
        &mut self,
        offsets: PartitionOffsets,
    ) -> Result<PartitionOffsets, ConnectError> {
        let run = self.run()?;
        run.flush_ahead().await;
        Ok(run.ahead.cap(offsets))
    }

    async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let run = self.run()?;
        run.close_ahead(partitions).await;
        for partition in partitions {
            run.claims.remove(partition);
            run.lost.remove(partition);
        }
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(mut run) = self.run.take() {
            run.stop_ahead().await;
        }
    }
}

/// A connection as the settings want it.
async fn dial(
    settings: &Settings,
    context: &SinkTaskContext,
) -> Result<Box<dyn Session>, ConnectError> {
    let mut session = connect(&settings.common, &context.stopping).await?;
    if settings.exactly_once.is_some() {
        for sql in settings.common.dialect.end_silent_transactions() {
            if let Err(error) = session.execute(sql).await {
                debug!(%error, sql, "the server does not know the setting");
            }
        }
    }
    Ok(session)
}

impl Run {
    async fn link(&mut self) -> Result<(Box<dyn Session>, Writer), ConnectError> {
        if let Some(link) = self.link.take().filter(|(session, _)| !session.is_closed()) {
            return Ok(link);
        }
        let session = dial(&self.settings, &self.context).await?;
        let writer = Writer::new(self.settings.clone(), self.context.connector.clone());
        Ok((session, writer))
    }

    /// Claims new partitions in the target and goes on from where it is.
    async fn claim(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let Some(table) = self.offsets.clone() else {
            return Ok(());
        };
        let generation = self.context.generation.load(Ordering::Relaxed);
        let mut rewind = PartitionOffsets::new();
        for partition in partitions {
            self.lost.remove(partition);
            let mut attempt = 0;
            let claim = loop {
                let (mut session, writer) = self.link().await?;
                match table.claim(&mut *session, partition, generation).await {
                    Ok(claim) => {
                        self.link = Some((session, writer));
                        break claim;
                    }
                    Err(error)
                        if attempt >= self.settings.retries || error.kind == DbErrorKind::Data =>
                    {
                        return Err(ConnectError::connect(format!(
                            "cannot claim {}-{} in the target: {error}",
                            partition.topic, partition.partition
                        ))
                        .caused_by(error.to_connect()));
                    }
                    Err(error) => {
                        warn!(%error, "cannot claim a partition in the target, trying again");
                        attempt += 1;
                        tokio::time::sleep(self.settings.backoff).await;
                    }
                }
            };
            let Some(claim) = claim else {
                // Not an error: this task is late, or the group began anew; either passes.
                warn!(
                    topic = %partition.topic, partition = partition.partition, generation,
                    "a task of a newer generation has claimed the partition in the target"
                );
                self.lost.insert(partition.clone(), i32::MIN);
                continue;
            };
            if let Some(position) = claim.position {
                rewind.insert(partition.clone(), position);
            }
            self.claims.insert(partition.clone(), claim);
        }
        if !rewind.is_empty() {
            (self.context.requests)(SinkTaskRequest::Rewind(rewind));
        }
        Ok(())
    }

    /// Claims anew what another task had claimed, once the group says that it is ours again. A batch of which
    /// anything is not ours must wait.
    async fn reclaim(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        if self.lost.is_empty() {
            return Ok(());
        }
        let generation = self.context.generation.load(Ordering::Relaxed);
        let ours = self.lost.iter().filter(|(_, at)| generation > **at);
        let ours: Vec<_> = ours.map(|(partition, _)| partition.clone()).collect();
        if !ours.is_empty() {
            self.claim(&ours).await?;
        }
        let of = |partition: &TopicPartition| {
            records.iter().any(|record| {
                let origin = record.origin.as_ref();
                origin.is_some_and(|origin| {
                    origin.topic == partition.topic && origin.partition == partition.partition
                })
            })
        };
        let Some(partition) = self.lost.keys().find(|partition| of(partition)) else {
            // What was claimed just now may stand elsewhere than the batch: it is delivered from there.
            return match ours.iter().any(of) {
                true => Err(ConnectError::retriable("partitions were claimed anew")),
                false => Ok(()),
            };
        };
        let shown = format!(
            "another task has claimed {}-{} in {} by a newer generation: this one is fenced and writes nothing more. If \
             the consumer group was deleted, delete its rows there, or wait for {} s",
            partition.topic,
            partition.partition,
            self.settings.exactly_once.as_deref().unwrap_or_default(),
            STALE_SECONDS
        );
        // With retries for ever a batch is never given up.
        if self.remaining == 0 {
            return Err(ConnectError::connect(shown));
        }
        self.remaining -= 1;
        (self.context.requests)(SinkTaskRequest::RetryAfter(self.settings.backoff));
        Err(ConnectError::retriable(shown))
    }

    /// Another task has claimed a partition: nothing of it is written any more.
    fn fenced(&mut self, partition: TopicPartition) -> ConnectError {
        let generation = self.context.generation.load(Ordering::Relaxed);
        warn!(topic = %partition.topic, partition = partition.partition, generation, "another task has claimed the partition");
        let error = ConnectError::retriable(format!(
            "another task has claimed {}-{} in {}: this one is fenced and writes nothing more",
            partition.topic,
            partition.partition,
            self.settings.exactly_once.as_deref().unwrap_or_default(),
        ));
        self.claims.remove(&partition);
        self.lost.insert(partition, generation);
        (self.context.requests)(SinkTaskRequest::RetryAfter(FENCED_PAUSE));
        error
    }

    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        self.reclaim(records).await?;
        if records.is_empty() {
            return Ok(());
        }
        self.settle().await?;
        let (wanted, positions) = self.sift(records)?;
        if wanted.is_empty() {
            return Ok(());
        }
        let (mut session, mut writer) = self.link().await?;
        let offsets = self.offsets.clone();
        let mut written = writer
            .write(&mut *session, &wanted, &positions, offsets.as_ref())
            .await;
        // Each DDL that ends the transaction makes one table fit: there are no more than records.
        for _ in &wanted {
            if matches!(written, Err(WriteError::Anew)) {
                written = writer
                    .write(&mut *session, &wanted, &positions, offsets.as_ref())
                    .await;
            }
        }
        let error = match written {
            Ok(()) => {
                self.link = Some((session, writer));
                self.written(&positions);
                return Ok(());
            }
            Err(WriteError::Task(error)) => return Err(error),
            Err(WriteError::Fenced(partition)) => {
                self.link = Some((session, writer));
                return Err(self.fenced(partition));
            }
            Err(WriteError::Db(error)) if error.kind != DbErrorKind::Data => {
                return self.again(&error);
            }
            Err(WriteError::Db(error)) => error.to_connect(),
            Err(WriteError::Record(error)) => error,
            Err(WriteError::Anew) => {
                return Err(ConnectError::retriable("the tables keep changing"));
            }
        };
        let Some(reporter) = self.context.errant.clone() else {
            return Err(ConnectError::connect(format!(
                "a record cannot be written: {error}. With errors.tolerance=all and a dead letter topic it would go \
                 there and the rest would be written"
            ))
            .caused_by(error));
        };
        // One bad row spoils the statement, not the batch: the rows are written singly.
        let singly = writer
            .write_singly(&mut *session, &wanted, &positions, offsets.as_ref())
            .await;
        let bad = match singly {
            Ok(bad) => bad,
            Err(WriteError::Db(error)) => return self.again(&error),
            Err(WriteError::Fenced(partition)) => return Err(self.fenced(partition)),
            Err(WriteError::Task(error) | WriteError::Record(error)) => return Err(error),
            Err(WriteError::Anew) => {
                return Err(ConnectError::retriable(
                    "a table was made to fit, the batch comes again",
                ));
            }
        };
        self.link = Some((session, writer));
        let mut tickets = Vec::with_capacity(bad.len());
        for (record, error) in bad {
            tickets.push(reporter.report(record.clone(), error).await?);
        }
        for ticket in tickets {
            ticket.done().await?;
        }
        self.written(&positions);
        Ok(())
    }

    /// Asks the target how far it is, after a transaction whose end is not known.
    async fn settle(&mut self) -> Result<(), ConnectError> {
        let Some(table) = self.offsets.clone().filter(|_| self.in_doubt) else {
            return Ok(());
        };
        let (mut session, writer) = self.link().await?;
        let partitions: Vec<_> = self.claims.keys().cloned().collect();
        for partition in partitions {
            let found = match table.settled(&mut *session, &partition).await {
                Ok(found) => found,
                Err(error) => return self.again(&error),
            };
            let Some(claim) = self.claims.get_mut(&partition) else {
                continue;
            };
            match found {
                Some(found) if found.epoch == claim.epoch => *claim = found,
                _ => return Err(self.fenced(partition)),
            }
        }
        self.link = Some((session, writer));
        self.in_doubt = false;
        Ok(())
    }

    /// The records that are not in the target yet, and the positions after them.
    #[expect(
        clippy::type_complexity,
        reason = "records and (partition, epoch, position), used once"
    )]
    pub(super) fn sift<'r>(
        &self,
        records: &'r [SinkRecord],
    ) -> Result<(Vec<&'r SinkRecord>, Vec<(TopicPartition, i64, i64)>), ConnectError> {
        if self.offsets.is_none() {
            return Ok((records.iter().collect(), Vec::new()));
        }
        let mut wanted = Vec::with_capacity(records.len());
        let mut positions: BTreeMap<TopicPartition, (i64, i64)> = BTreeMap::new();
        for record in records {
            let Some(origin) = &record.origin else {
                return Err(ConnectError::connect(
                    "a record without an offset cannot be written exactly once",
                ));
            };
            let partition = TopicPartition {
                topic: origin.topic.clone(),
                partition: origin.partition,
            };
            let Some(claim) = self.claims.get(&partition) else {
                return Err(ConnectError::connect(format!(
                    "a record of {}-{}, which is not assigned to this task",
                    partition.topic, partition.partition
                )));
            };
            if claim
                .position
                .is_some_and(|position| origin.offset < position)
            {
                continue;
            }
            wanted.push(record);
            positions.insert(partition, (claim.epoch, origin.offset + 1));
        }
        let positions = positions
            .into_iter()
            .map(|(partition, (epoch, position))| (partition, epoch, position));
        Ok((wanted, positions.collect()))
    }

    /// Nothing is in the way of a batch: no claim is lost, the target's state is known.
    pub(super) fn is_undisturbed(&self) -> bool {
        self.lost.is_empty() && !(self.in_doubt && self.offsets.is_some())
    }

    /// What was on its way may or may not be in the target.
    pub(super) fn doubt(&mut self) {
        self.in_doubt = true;
    }

    fn written(&mut self, positions: &[(TopicPartition, i64, i64)]) {
        self.remaining = self.settings.retries;
        self.advanced(positions);
    }

    /// Where the claims stand once a batch is written.
    pub(super) fn advanced(&mut self, positions: &[(TopicPartition, i64, i64)]) {
        for (partition, _, position) in positions {
            if let Some(claim) = self.claims.get_mut(partition) {
                claim.position = Some(*position);
            }
        }
    }

    /// An error of the database: the batch comes again on a new connection, as often as configured.
    fn again(&mut self, error: &DbError) -> Result<(), ConnectError> {
        self.link = None;
        self.in_doubt = true;
        let shown = format!("the batch was not written: {error}");
        if self.remaining == 0 {
            return Err(ConnectError::connect(shown).caused_by(error.to_connect()));
        }
        self.remaining -= 1;
        warn!(%error, remaining = self.remaining, "the batch was not written, trying again");
        (self.context.requests)(SinkTaskRequest::RetryAfter(self.settings.backoff));
        Err(ConnectError::retriable(shown).caused_by(error.to_connect()))
    }
}
