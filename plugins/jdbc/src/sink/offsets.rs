//! Exactly once: the offsets in a table of the target, in the transaction of the rows.
//!
//! Each claim of a partition raises its epoch; a batch is committed only while its epoch is the latest.
//! A claim of an older generation than the one that stands there is refused, so a task that was replaced
//! without knowing (a zombie) can neither write with the claim it has nor take it back.
//!
//! A generation starts anew when its group is deleted, so an older one is only refused while the claim is
//! fresh: [`STALE_SECONDS`] after the last write or claim, whoever holds the partition is let in.
//!
//! A zombie that was stopped within a transaction holds its row of the table: the server ends the transaction, or the
//! claim that waits for it does.

use milena_api::TopicPartition;
use tracing::warn;

use crate::{
    cell::Cell,
    config::Common,
    dialect::{DbError, DbErrorKind, Session},
    table::TableId,
};

/// After this long without a write the generation of a claim says nothing any more: no member of a group stalls
/// longer (Java's default of `max.poll.interval.ms`) without being known as lost.
pub(crate) const STALE_SECONDS: i64 = 300;

/// SQLSTATE `lock_not_available`.
const LOCK_TIMEOUT: &str = "55P03";

/// The claim of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The position after the last record that is in the target; `None`: nothing yet.
    pub(crate) position: Option<i64>,
    pub(crate) epoch: i64,
}

/// The table of offsets, for one connector.
#[derive(Clone)]
pub(crate) struct OffsetsTable {
    common: Common,
    id: TableId,
    connector: String,
}

impl OffsetsTable {
    pub(crate) fn new(common: &Common, name: &str, connector: &str) -> Self {
        Self {
            id: TableId::parse(name, common.quoting, common.dialect.catalog_first()),
            common: common.clone(),
            connector: connector.to_owned(),
        }
    }

    fn quoted(&self, name: &str) -> String {
        self.common.quoting.quote(name)
    }

    fn name(&self) -> String {
        self.id.sql(self.common.quoting)
    }

    fn place(&self, partition: &TopicPartition) -> String {
        format!(
            "{}={} AND {}={} AND {}={}",
            self.quoted("connector"),
            self.common.dialect.literal(&self.connector),
            self.quoted("topic"),
            self.common.dialect.literal(&partition.topic),
            self.quoted("partition"),
            partition.partition
        )
    }

    /// Creates the table when it is missing.
    pub(crate) async fn ensure(&self, session: &mut dyn Session) -> Result<(), DbError> {
        if !session.columns(&self.id).await?.is_empty() {
            return Ok(());
        }
        let text = self.common.dialect.key_text_type();
        let sql = format!(
            "CREATE TABLE {} ({} {text} NOT NULL, {} {text} NOT NULL, {} INT NOT NULL, {} BIGINT NULL, {} BIGINT NOT \
             NULL, {} INT NOT NULL, {} BIGINT NOT NULL, PRIMARY KEY({},{},{}))",
            self.name(),
            self.quoted("connector"),
            self.quoted("topic"),
            self.quoted("partition"),
            self.quoted("position"),
            self.quoted("epoch"),
            self.quoted("generation"),
            self.quoted("touched"),
            self.quoted("connector"),
            self.quoted("topic"),
            self.quoted("partition"),
        );
        match session.execute(&sql).await {
            Ok(_) => Ok(()),
            // Another task was faster.
            Err(error) if error.kind != DbErrorKind::Connection => {
                match session.columns(&self.id).await?.is_empty() {
                    true => Err(error),
                    false => Ok(()),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The claim as it stands in the target.
    pub(crate) async fn read(
        &self,
        session: &mut dyn Session,
        partition: &TopicPartition,
    ) -> Result<Option<Claim>, DbError> {
        let sql = format!(
            "SELECT {},{} FROM {} WHERE {}",
            self.quoted("position"),
            self.quoted("epoch"),
            self.name(),
            self.place(partition)
        );
        session.open(&sql, Vec::new()).await?;
        let mut found = None;
        loop {
            let rows = session.fetch(16).await?;
            if rows.is_empty() {
                return Ok(found);
            }
            for row in rows {
                if let [position, Cell::Int(epoch)] = row.as_slice() {
                    let position = match position {
                        Cell::Int(n) => Some(*n),
                        _ => None,
                    };
                    found = Some(Claim {
                        position,
                        epoch: *epoch,
                    });
                }
            }
        }
    }

    /// The claim once no transaction of an older connection can change it any more: one that ended in an unknown way holds
    /// the row's lock until it is committed or rolled back.
    pub(crate) async fn settled(
        &self,
        session: &mut dyn Session,
        partition: &TopicPartition,
    ) -> Result<Option<Claim>, DbError> {
        let touch = format!(
            "UPDATE {} SET {}={} WHERE {}",
            self.name(),
            self.quoted("touched"),
            self.quoted("touched"),
            self.place(partition)
        );
        session.execute(self.common.dialect.begin()).await?;
        let found = async {
            session.execute(&touch).await?;
            self.read(session, partition).await
        }
        .await;
        let end = if found.is_ok() { "COMMIT" } else { "ROLLBACK" };
        session.execute(end).await?;
        found
    }

    /// Claims a partition: whoever claimed it before can commit no more. `None`: a newer generation has it.
    pub(crate) async fn claim(
        &self,
        session: &mut dyn Session,
        partition: &TopicPartition,
        generation: i32,
    ) -> Result<Option<Claim>, DbError> {
        let fresh = format!(
            " AND ({}<={generation} OR {}<{}-{STALE_SECONDS})",
            self.quoted("generation"),
            self.quoted("touched"),
            self.common.dialect.epoch_seconds(),
        );
        self.raise(session, partition, generation, &fresh).await
    }

    async fn raise(
        &self,
        session: &mut dyn Session,
        partition: &TopicPartition,
        generation: i32,
        condition: &str,
    ) -> Result<Option<Claim>, DbError> {
        let now = self.common.dialect.epoch_seconds();
        let raise = format!(
            "UPDATE {} SET {}={}+1, {}={generation}, {}={now} WHERE {}{condition}",
            self.name(),
            self.quoted("epoch"),
            self.quoted("epoch"),
            self.quoted("generation"),
            self.quoted("touched"),
            self.place(partition)
        );
        let insert = format!(
            "INSERT INTO {}({},{},{},{},{},{},{}) VALUES({},{},{},NULL,1,{generation},{now})",
            self.name(),
            self.quoted("connector"),
            self.quoted("topic"),
            self.quoted("partition"),
            self.quoted("position"),
            self.quoted("epoch"),
            self.quoted("generation"),
            self.quoted("touched"),
            self.common.dialect.literal(&self.connector),
            self.common.dialect.literal(&partition.topic),
            partition.partition,
        );
        session.execute(self.common.dialect.begin()).await?;
        let claimed = async {
            for sql in self.common.dialect.claim_begins() {
                session.execute(sql).await?;
            }
            if session.execute(&raise).await? == 0 {
                if self.read(session, partition).await?.is_some() {
                    return Ok(None);
                }
                session.execute(&insert).await?;
            }
            match self.read(session, partition).await? {
                Some(claim) => Ok(Some(claim)),
                None => Err(DbError::new(
                    DbErrorKind::Transient,
                    "the claim of the partition is not there",
                )),
            }
        }
        .await;
        match claimed {
            Ok(claim) => {
                session.execute("COMMIT").await?;
                Ok(claim)
            }
            Err(error) => {
                // The first error is the one that counts.
                let _second = session.execute("ROLLBACK").await;
                let silent = self.common.dialect.end_silent_statements(&self.name());
                if let Some(sql) = silent.filter(|_| error.code == LOCK_TIMEOUT) {
                    warn!(topic = %partition.topic, partition = partition.partition,
                        "another session holds the claim of the partition: it is ended if its client is silent");
                    session.execute(&sql).await?;
                }
                Err(error)
            }
        }
    }

    /// Sets the position in the transaction of the rows; false: another task has claimed the partition.
    pub(crate) async fn advance(
        &self,
        session: &mut dyn Session,
        partition: &TopicPartition,
        epoch: i64,
        position: i64,
    ) -> Result<bool, DbError> {
        let sql = format!(
            "UPDATE {} SET {}={position}, {}={} WHERE {} AND {}={epoch}",
            self.name(),
            self.quoted("position"),
            self.quoted("touched"),
            self.common.dialect.epoch_seconds(),
            self.place(partition),
            self.quoted("epoch"),
        );
        Ok(session.execute(&sql).await? == 1)
    }

    /// Sets or removes positions while the connector is stopped.
    pub(crate) async fn alter(
        &self,
        session: &mut dyn Session,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<(), DbError> {
        self.ensure(session).await?;
        for (partition, offset) in offsets {
            // The worker knows that no task runs: whatever generation stands there is over.
            let claim = self.raise(session, partition, 0, "").await?;
            match (offset, claim) {
                (Some(offset), Some(claim)) => {
                    self.advance(session, partition, claim.epoch, *offset)
                        .await?;
                }
                _ => {
                    let sql = format!(
                        "DELETE FROM {} WHERE {}",
                        self.name(),
                        self.place(partition)
                    );
                    session.execute(&sql).await?;
                }
            }
        }
        Ok(())
    }
}
