//! A query under way: its rows as they come, their values and offsets.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use milena_api::ConnectError;
use milena_data::{Record, Schema, SchemaAndValue, SourceMap, SourceRecord, Struct, Text, Value};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    mapping::{FieldMapping, integer, moment, value},
    offset::Offset,
    query::Criteria,
    settings::Settings,
    task::StepError,
};
use crate::{
    cell::Cell,
    dialect::{DbError, DbErrorKind, LaidOutRows, Session},
    zone::Zone,
};

/// How many rows the reader fetches at once: up to three times as many are ahead of the batch in hand.
const AHEAD: usize = 500;

/// Some of the rows of a query.
enum Part {
    Rows(Vec<Vec<Cell>>),
    Chunk(Bytes),
}

/// Fetches the rows of a query in a task of its own, some of them ahead.
pub(super) struct Reader {
    parts: mpsc::Receiver<Result<Part, DbError>>,
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
    fn new(mut session: Box<dyn Session>, batch: usize, by_chunks: bool) -> Self {
        let (give, parts) = mpsc::channel(1);
        let ended = tokio::spawn(async move {
            loop {
                let fetched = fetch(&mut *session, batch, by_chunks).await;
                let (part, is_last) = match fetched {
                    Ok((part, is_last)) => (Ok(part), is_last),
                    Err(error) => (Err(error), true),
                };
                // The end is told by that of the channel.
                if give.send(part).await.is_err() || is_last {
                    return session;
                }
            }
        });
        Self {
            parts,
            ended,
            failure: None,
        }
    }
}

/// The next rows, and whether they are the last.
async fn fetch(
    session: &mut dyn Session,
    max: usize,
    by_chunks: bool,
) -> Result<(Part, bool), DbError> {
    if by_chunks {
        let chunk = session.fetch_chunk().await?;
        return Ok((Part::Chunk(chunk.bytes), chunk.is_last));
    }
    let rows = session.fetch(max).await?;
    let is_last = rows.is_empty();
    Ok((Part::Rows(rows), is_last))
}

/// What all records of a table have in common.
pub(super) struct Common<'a> {
    pub(super) topic: &'a Text,
    pub(super) partition: &'a Arc<SourceMap>,
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
    /// The rows, when they come as the database lays them out: then there is no offset.
    pub(super) laid_out: Option<LaidOutRows>,
    /// Records of such rows that are not yet a batch, and behind them, in whose places the next ones are made, those of a batch
    /// before.
    pub(super) ready: Vec<SourceRecord>,
    /// How many are ready.
    pub(super) made: usize,
    /// A batch that the worker is done with.
    pub(super) spent: Vec<SourceRecord>,
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
            let max = batch + 1 - self.rows.len();
            self.take_part(session, max).await?;
        }
        self.read_ahead(session, batch);
        Ok(())
    }

    /// As [`Self::fill`], of rows that come as the database lays them out: the records of a batch, or of what is left.
    pub(super) async fn gather(
        &mut self,
        session: &mut Option<Box<dyn Session>>,
        settings: &Settings,
        common: Common<'_>,
    ) -> Result<Vec<SourceRecord>, StepError> {
        let batch = settings.batch;
        loop {
            // Not while it is waited for: a dropped call must not lose what was taken out of its place.
            let mut ready = std::mem::take(&mut self.ready);
            let converted = self.convert(&mut ready, settings, &common);
            self.ready = ready;
            converted?;
            if self.made >= batch || self.ended {
                break;
            }
            self.take_part(session, batch).await?;
        }
        self.read_ahead(session, batch);
        let next = match self.spent.is_empty() {
            true => Vec::with_capacity(self.made),
            false => std::mem::take(&mut self.spent),
        };
        let mut records = std::mem::replace(&mut self.ready, next);
        records.truncate(std::mem::take(&mut self.made));
        Ok(records)
    }

    /// A batch that the worker is done with: if it is of this reading, the next ones are made in its place.
    pub(super) fn take_back(&mut self, records: Vec<SourceRecord>, partition: &Arc<SourceMap>) {
        let own = records.first().is_some_and(|first| {
            let schema = first.record.value.schema.as_ref();
            let of = first.source_partition.as_ref();
            schema.is_some_and(|schema| schema.same(&self.schema))
                && of.is_some_and(|of| Arc::ptr_eq(of, partition))
        });
        if own && self.laid_out.is_some() {
            self.spent = records;
        }
    }

    /// Makes records of the rows at hand, up to a batch.
    fn convert(
        &mut self,
        ready: &mut Vec<SourceRecord>,
        settings: &Settings,
        common: &Common<'_>,
    ) -> Result<(), StepError> {
        let Some(mut rows) = self.laid_out.take() else {
            return Ok(());
        };
        let zone = &settings.common.zone;
        while self.made < settings.batch {
            let Some(mut row) = rows.next()? else { break };
            let place = ready
                .get_mut(self.made)
                .map(|source| &mut source.record.value.value);
            let mut place = match place {
                Some(Value::Struct(place)) => Some(place),
                _ => None,
            };
            let slots = if self.is_straight {
                let mut slots = match &mut place {
                    Some(place) => place.take_slots(),
                    None => Vec::with_capacity(self.fields.len()),
                };
                slots.clear();
                for (index, field) in self.fields.iter().enumerate() {
                    let place = row.place()?;
                    if let (Some(place), Some(direct)) = (&place, field.direct)
                        && let Some(()) = direct.push(&mut slots, row.chunk(), place.clone(), zone)
                    {
                        continue;
                    }
                    let cell = match place {
                        Some(place) => row.cell(index, place)?,
                        None => Cell::Null,
                    };
                    slots.push(slot(field, cell, zone)?);
                }
                slots
            } else {
                self.slots(settings, row.cells()?)?
            };
            match place {
                Some(place) => place.set_slots(&self.schema, slots),
                None => {
                    ready.truncate(self.made);
                    ready.push(SourceRecord {
                        record: self.record(common.topic, slots),
                        source_partition: Some(Arc::clone(common.partition)),
                        source_offset: None,
                    });
                }
            }
            self.made += 1;
        }
        self.laid_out = Some(rows);
        Ok(())
    }

    /// Waits for the next rows. A dropped call loses none.
    async fn take_part(
        &mut self,
        session: &mut Option<Box<dyn Session>>,
        max: usize,
    ) -> Result<(), DbError> {
        let by_chunks = self.laid_out.is_some();
        let (part, is_last) = match (&mut self.reader, &mut *session) {
            (Some(reader), _) => match reader.parts.recv().await {
                Some(Ok(part)) => (part, false),
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
                    if let Some(error) = failure {
                        return Err(error);
                    }
                    self.ended = true;
                    return Ok(());
                }
            },
            (None, Some(open)) => fetch(&mut **open, max, by_chunks).await?,
            (None, None) => return Err(gone()),
        };
        self.ended = is_last;
        match (part, &mut self.laid_out) {
            (Part::Rows(rows), _) => self.rows.extend(rows),
            (Part::Chunk(chunk), Some(rows)) => rows.go_on(chunk),
            (Part::Chunk(_), None) => {}
        }
        Ok(())
    }

    /// While what was fetched is converted and sent, more is fetched.
    fn read_ahead(&mut self, session: &mut Option<Box<dyn Session>>, batch: usize) {
        if !self.ended
            && self.reader.is_none()
            && let Some(open) = session.take()
        {
            let by_chunks = self.laid_out.is_some();
            self.reader = Some(Reader::new(open, batch.min(AHEAD), by_chunks));
        }
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

    /// The values of a row, in the order of the fields.
    pub(super) fn slots(
        &self,
        settings: &Settings,
        mut row: Vec<Cell>,
    ) -> Result<Vec<Value>, ConnectError> {
        let zone = &settings.common.zone;
        if self.is_straight && row.len() == self.fields.len() {
            // The values take the place of the cells, which are as large.
            let mut fields = self.fields.iter();
            let cells = row
                .into_iter()
                .map_while(|cell| Some((fields.next()?, cell)));
            return cells.map(|(field, cell)| slot(field, cell, zone)).collect();
        }
        let slots = self.fields.iter().map(|field| {
            let cell = row
                .get_mut(field.index)
                .map(|cell| std::mem::replace(cell, Cell::Null));
            slot(field, cell.unwrap_or(Cell::Null), zone)
        });
        slots.collect()
    }

    /// The record of a row.
    #[inline]
    pub(super) fn record(&self, topic: &Text, slots: Vec<Value>) -> Record {
        Record {
            topic: topic.clone(),
            value: SchemaAndValue {
                schema: Some(self.schema.clone()),
                value: Struct::from_slots(self.schema.clone(), slots).into(),
            },
            ..Record::default()
        }
    }
}

/// The value of a field.
#[inline]
fn slot(field: &FieldMapping, cell: Cell, zone: &Zone) -> Result<Value, ConnectError> {
    let value = value(&field.read, cell, zone)
        .map_err(|error| ConnectError::data(format!("column {}: {error}", field.name)))?;
    if value.is_null() && !field.is_optional {
        return Err(ConnectError::data(format!(
            "Invalid value: null used for required field: \"{}\", schema type: {}",
            field.name,
            field.schema.kind().name()
        )));
    }
    Ok(value)
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
