//! A query under way: its rows as they come, their values and offsets.

use std::collections::VecDeque;

use milena_api::ConnectError;
use milena_data::{Schema, Struct, Value};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    mapping::{FieldMapping, integer, moment, value},
    offset::Offset,
    query::Criteria,
    settings::Settings,
};
use crate::{
    cell::Cell,
    dialect::{DbError, DbErrorKind, Session},
};

/// How many rows the reader fetches at once: up to three times as many are ahead of the batch in hand.
const AHEAD: usize = 500;

/// Fetches the rows of a query in a task of its own, some of them ahead.
pub(super) struct Reader {
    rows: mpsc::Receiver<Result<Vec<Vec<Cell>>, DbError>>,
    ended: JoinHandle<Box<dyn Session>>,
    /// What it ended with.
    failure: Option<DbError>,
}

fn gone() -> DbError {
    DbError::new(DbErrorKind::Connection, "the connection is gone")
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ended.abort();
    }
}

impl Reader {
    fn new(mut session: Box<dyn Session>, batch: usize) -> Self {
        let (give, rows) = mpsc::channel(1);
        let ended = tokio::spawn(async move {
            loop {
                let fetched = session.fetch(batch).await;
                let (ended, failed) = (fetched.as_ref().is_ok_and(Vec::is_empty), fetched.is_err());
                // The end is told by that of the channel.
                if ended || give.send(fetched).await.is_err() || failed {
                    return session;
                }
            }
        });
        Self {
            rows,
            ended,
            failure: None,
        }
    }
}

/// A query under way.
pub(super) struct Reading {
    pub(super) schema: Schema,
    pub(super) fields: Vec<FieldMapping>,
    /// Each cell of a row is one of them, in order.
    pub(super) is_straight: bool,
    /// Places of the columns that the offset is made of.
    pub(super) incrementing: Option<usize>,
    pub(super) timestamps: Vec<usize>,
    /// Rows fetched and not yet given.
    pub(super) rows: VecDeque<Vec<Cell>>,
    pub(super) ended: bool,
    /// Who fetches the next rows, once there were more than a batch.
    pub(super) reader: Option<Reader>,
}

impl Reading {
    /// Makes sure of a batch and the row behind it, or of the end. While these rows are converted and sent, the next ones
    /// of a large answer are fetched: then the connection is the reader's, and comes back with the end.
    ///
    /// A dropped call loses no row.
    pub(super) async fn fill(
        &mut self,
        session: &mut Option<Box<dyn Session>>,
        batch: usize,
    ) -> Result<(), DbError> {
        while self.rows.len() <= batch && !self.ended {
            let rows = match (&mut self.reader, &mut *session) {
                (Some(reader), _) => match reader.rows.recv().await {
                    Some(Ok(rows)) => rows,
                    last => {
                        // Kept before the next wait: when this call is dropped, another one finds it.
                        if let Some(Err(error)) = last {
                            reader.failure = Some(error);
                        }
                        let ended = (&mut reader.ended).await;
                        let failure = reader.failure.take();
                        self.reader = None;
                        let Ok(open) = ended else {
                            return Err(gone());
                        };
                        *session = Some(open);
                        match failure {
                            Some(error) => return Err(error),
                            None => Vec::new(),
                        }
                    }
                },
                (None, Some(open)) => open.fetch(batch + 1 - self.rows.len()).await?,
                (None, None) => return Err(gone()),
            };
            self.ended = rows.is_empty();
            self.rows.extend(rows);
        }
        if !self.ended
            && self.reader.is_none()
            && let Some(open) = session.take()
        {
            self.reader = Some(Reader::new(open, batch.min(AHEAD)));
        }
        Ok(())
    }

    /// The offset after a row. With timestamps alone, rows of one timestamp count only all together: a
    /// restart among them must read them again.
    pub(super) fn offset(
        &self,
        settings: &Settings,
        criteria: &Criteria,
        before: Offset,
        row: &[Cell],
        next: Option<&Vec<Cell>>,
    ) -> Result<Offset, ConnectError> {
        let mut offset = before;
        if let Some(place) = self.incrementing {
            let cell = row.get(place).unwrap_or(&Cell::Null);
            let id = integer(cell, i64::MIN, i64::MAX).ok_or_else(|| {
                ConnectError::data(format!(
                    "the incrementing column {} holds {}, which is no whole number of 64 bits",
                    criteria.incrementing.as_deref().unwrap_or_default(),
                    cell.kind()
                ))
            })?;
            offset.incrementing = Some(id);
        }
        if self.timestamps.is_empty() {
            return Ok(offset);
        }
        let stamp = |row: &[Cell]| {
            let cells = self.timestamps.iter().filter_map(|place| row.get(*place));
            cells
                .into_iter()
                .find(|cell| **cell != Cell::Null)
                .and_then(|cell| moment(cell, &settings.common.zone))
        };
        let own = stamp(row).ok_or_else(|| {
            ConnectError::data(format!(
                "the timestamp columns {} hold no timestamp",
                criteria.timestamps.join(", ")
            ))
        })?;
        let last_of_its_time = next.is_none_or(|next| stamp(next) > Some(own));
        if self.incrementing.is_some() || last_of_its_time {
            offset.timestamp = Some(own);
        }
        Ok(offset)
    }

    pub(super) fn value(
        &self,
        settings: &Settings,
        mut row: Vec<Cell>,
    ) -> Result<Value, ConnectError> {
        let zone = &settings.common.zone;
        let of = |field: &FieldMapping, cell: Cell| {
            let value = value(&field.read, cell, zone)
                .map_err(|error| ConnectError::data(format!("column {}: {error}", field.name)))?;
            if value.is_null() && !field.schema.is_optional() {
                return Err(ConnectError::data(format!(
                    "Invalid value: null used for required field: \"{}\", schema type: {}",
                    field.name,
                    field.schema.kind().name()
                )));
            }
            Ok(value)
        };
        let slots: Result<Vec<Value>, ConnectError> =
            if self.is_straight && row.len() == self.fields.len() {
                // The values take the place of the cells, which are as large.
                let mut fields = self.fields.iter();
                let cells = row
                    .into_iter()
                    .map_while(|cell| Some((fields.next()?, cell)));
                cells.map(|(field, cell)| of(field, cell)).collect()
            } else {
                let fields = self.fields.iter().map(|field| {
                    let cell = row
                        .get_mut(field.index)
                        .map(|cell| std::mem::replace(cell, Cell::Null));
                    of(field, cell.unwrap_or(Cell::Null))
                });
                fields.collect()
            };
        Ok(Struct::from_slots(self.schema.clone(), slots?).into())
    }
}

#[cfg(test)]
mod tests {
    use milena_data::Value;

    use crate::cell::Cell;

    #[test]
    fn values_fit_the_place_of_cells() {
        assert_eq!(size_of::<Value>(), size_of::<Cell>());
        assert_eq!(align_of::<Value>(), align_of::<Cell>());
    }
}
