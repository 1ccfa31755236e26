//! Exactly once: the offsets in a table of the target, in the transaction of the rows.
//!
//! Each claim of a partition raises its epoch; a batch is committed only while its epoch is the latest.
//! A task that was replaced without knowing (a zombie) so writes nothing more, whatever its group says.
//! The group's generation is kept beside it for people who look; it starts anew when a group is deleted,
//! so it cannot decide.

use milena_api::TopicPartition;

use crate::{
    cell::Cell,
    config::Common,
    dialect::{DbError, DbErrorKind, Session},
    table::TableId,
};

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
             NULL, {} INT NOT NULL, PRIMARY KEY({},{},{}))",
            self.name(),
            self.quoted("connector"),
            self.quoted("topic"),
            self.quoted("partition"),
            self.quoted("position"),
            self.quoted("epoch"),
            self.quoted("generation"),
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

    /// Claims a partition: whoever claimed it before can commit no more.
    pub(crate) async fn claim(
        &self,
        session: &mut dyn Session,
        partition: &TopicPartition,
        generation: i32,
    ) -> Result<Claim, DbError> {
        let generation = generation.max(0);
        let raise = format!(
            "UPDATE {} SET {}={}+1, {}={generation} WHERE {}",
            self.name(),
            self.quoted("epoch"),
            self.quoted("epoch"),
            self.quoted("generation"),
            self.place(partition)
        );
        let insert = format!(
            "INSERT INTO {}({},{},{},{},{},{}) VALUES({},{},{},NULL,1,{generation})",
            self.name(),
            self.quoted("connector"),
            self.quoted("topic"),
            self.quoted("partition"),
            self.quoted("position"),
            self.quoted("epoch"),
            self.quoted("generation"),
            self.common.dialect.literal(&self.connector),
            self.common.dialect.literal(&partition.topic),
            partition.partition,
        );
        session.execute(self.common.dialect.begin()).await?;
        let claimed = async {
            if session.execute(&raise).await? == 0 {
                session.execute(&insert).await?;
            }
            self.read(session, partition).await?.ok_or_else(|| {
                DbError::new(
                    DbErrorKind::Transient,
                    "the claim of the partition is not there",
                )
            })
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
            "UPDATE {} SET {}={position} WHERE {} AND {}={epoch}",
            self.name(),
            self.quoted("position"),
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
            let claim = self.claim(session, partition, 0).await?;
            match offset {
                Some(offset) => {
                    self.advance(session, partition, claim.epoch, *offset)
                        .await?;
                }
                None => {
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
