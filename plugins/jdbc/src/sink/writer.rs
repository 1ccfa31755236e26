//! Writes a batch in one transaction: rows are gathered per table and shape, order is kept.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use indexmap::IndexMap;
use milena_api::{ConnectError, TopicPartition};
use milena_data::{SinkRecord, Struct, Text};
use tracing::info;

use super::{
    bind,
    checks::{check_type, has_key, keyless, no_key},
    ddl,
    offsets::OffsetsTable,
    rows::{LaidOut, Rows},
    settings::{InsertMode, Settings},
    shape::{self, Shape, Target, pick},
};
use crate::{
    cell::{Cell, Column},
    dialect::{DbError, DbErrorKind, Layout, Session, Write, WriteKind},
    plugins::Vendor,
    table::TableId,
};

/// Why a batch was not written.
pub(crate) enum WriteError {
    Db(DbError),
    /// A record that cannot be written, or a table that does not fit.
    Record(ConnectError),
    /// The whole task cannot go on.
    Task(ConnectError),
    /// Another task has claimed this partition.
    Fenced(TopicPartition),
    /// DDL ended the transaction: nothing of the batch is written, and it must be tried anew.
    Anew,
}

impl From<DbError> for WriteError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

/// A shape with its table's live columns.
pub(crate) struct Plan {
    shape: Shape,
    insert: Write,
    delete: Write,
    sources: Vec<(Target, Column)>,
    keys: usize,
    /// How rows are laid out in binary, where they are inserted or upserted.
    layout: Option<Layout>,
}

/// Rows of one plan and kind that await their statement.
pub(crate) struct Buffer {
    pub(crate) plan: Arc<Plan>,
    pub(crate) kind: WriteKind,
    pub(crate) rows: Rows,
}

/// What a writer keeps between batches; made anew with each connection.
pub(crate) struct Writer {
    settings: Settings,
    connector: Arc<str>,
    columns: HashMap<TableId, Vec<Column>>,
    plans: HashMap<Text, Arc<Plan>>,
    /// Tables whose type is one of `table.types`.
    checked: HashSet<TableId>,
    /// Rows that were laid out and numbered: they are in order also across the batches that are written together.
    laid_out: AtomicI64,
}

impl Writer {
    pub(crate) fn new(settings: Settings, connector: Arc<str>) -> Self {
        Self {
            settings,
            connector,
            columns: HashMap::new(),
            plans: HashMap::new(),
            checked: HashSet::new(),
            laid_out: AtomicI64::new(0),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it knows, out of a place that goes.
    pub(crate) fn take(&mut self) -> Self {
        let fresh = Self::new(self.settings.clone(), Arc::clone(&self.connector));
        std::mem::replace(self, fresh)
    }

    /// The rows of records whose tables are known, in the order in which they are to be written. `None`: the database
    /// must be asked, or a record does not fit.
    pub(crate) fn bind(&self, records: &[&SinkRecord]) -> Option<Vec<Buffer>> {
        // Where some row cannot be laid out, all of them are cells.
        self.bind_as(records, true)
            .or_else(|| self.bind_as(records, false))
    }

    fn bind_as(&self, records: &[&SinkRecord], laid_out: bool) -> Option<Vec<Buffer>> {
        let mut buffers: Vec<Buffer> = Vec::new();
        let mut scratch = String::new();
        // Most records are of the topic of the one before.
        let mut known: Option<(&Text, &Arc<Plan>)> = None;
        for record in records {
            let kind = self.kind(record).ok()?;
            let plan = match known {
                Some((topic, plan)) if *topic == record.topic => plan,
                _ => self.plans.get(&record.topic)?,
            };
            known = Some((&record.topic, plan));
            if !plan.shape.fits(record) {
                return None;
            }
            let layout = match plan
                .layout
                .as_ref()
                .filter(|_| matches!(kind, WriteKind::Insert | WriteKind::Upsert))
            {
                Some(layout) if laid_out => Some(layout),
                _ => None,
            };
            let table = &plan.insert.table;
            // Behind the last rows of its table, never before them.
            let last = buffers
                .iter()
                .rposition(|buffer| {
                    Arc::ptr_eq(&buffer.plan, plan) || buffer.plan.insert.table == *table
                })
                .filter(|last| {
                    buffers.get(*last).is_some_and(|last| {
                        last.kind == kind
                            && Arc::ptr_eq(&last.plan, plan)
                            && last.rows.len() < self.settings.batch
                    })
                });
            if last.is_none() {
                let most = records.len().min(self.settings.batch);
                buffers.push(Buffer {
                    plan: Arc::clone(plan),
                    kind,
                    rows: match layout {
                        Some(layout)
                            if kind == WriteKind::Upsert && layout.is_equal_by_bytes(plan.keys) =>
                        {
                            Rows::LaidOut(LaidOut::with_keys(most))
                        }
                        Some(_) => Rows::LaidOut(LaidOut::default()),
                        None => Rows::Cells(Vec::with_capacity(most)),
                    },
                });
            }
            let buffer = match last {
                Some(last) => buffers.get_mut(last),
                None => buffers.last_mut(),
            };
            match (&mut buffer?.rows, layout) {
                (Rows::LaidOut(rows), Some(layout)) => {
                    let out = rows.next();
                    let numbered = kind == WriteKind::Upsert;
                    layout.begin(numbered, out);
                    let key = self.lay_out(plan, layout, record, out, &mut scratch)?;
                    if numbered {
                        let number = self.laid_out.fetch_add(1, Ordering::Relaxed);
                        layout.number(number, out);
                        rows.key(key);
                    }
                }
                (Rows::Cells(rows), None) => rows.push(self.row(plan, kind, record).ok()?),
                _ => return None,
            }
        }
        Some(buffers)
    }

    /// Appends the cells of a record's row in binary, and answers where those of its key lie; `None`: it has cells that do
    /// not go so, or does not fit.
    fn lay_out(
        &self,
        plan: &Plan,
        layout: &Layout,
        record: &SinkRecord,
        out: &mut Vec<u8>,
        scratch: &mut String,
    ) -> Option<Range<usize>> {
        let begin = out.len();
        let mut key = begin..begin;
        // Where nearly all columns come from.
        let slots = record.value.value.as_struct().map(Struct::slots);
        let slots = slots.unwrap_or_default();
        for (index, (target, column)) in plan.sources.iter().enumerate() {
            if index == plan.keys {
                key.end = out.len();
            }
            if let shape::From::ValueField(at) = target.from
                && let Some(value) = slots.get(at)
                && layout.plain(index, value, out)
            {
                continue;
            }
            let value = pick(target, record, self.settings.defaults);
            if layout.plain(index, &value, out) {
                continue;
            }
            let zone = &self.settings.common.zone;
            let cell = bind::cell(value.into_owned(), &target.schema, column, zone).ok()?;
            if !layout.cell(index, &cell, out, scratch) {
                return None;
            }
        }
        if plan.sources.len() == plan.keys {
            key.end = out.len();
        }
        Some(key)
    }

    /// Writes records and positions in one transaction.
    pub(crate) async fn write(
        &mut self,
        session: &mut dyn Session,
        records: &[&SinkRecord],
        positions: &[(TopicPartition, i64, i64)],
        offsets: Option<&OffsetsTable>,
    ) -> Result<(), WriteError> {
        session
            .execute(self.settings.common.dialect.begin())
            .await?;
        let written = async {
            // First, so that a task that was replaced learns that, and not that its rows are there already.
            advance(session, positions, offsets).await?;
            self.rows(session, records).await
        }
        .await;
        match written {
            Ok(()) => {
                session.execute("COMMIT").await?;
                Ok(())
            }
            Err(error) => {
                // The first error is the one that counts; a lost connection rolls back by itself.
                let _second = session.execute("ROLLBACK").await;
                self.forget();
                Err(error)
            }
        }
    }

    /// Writes records one by one behind savepoints; answers those that do not fit, with their errors.
    pub(crate) async fn write_singly<'r>(
        &mut self,
        session: &mut dyn Session,
        records: &[&'r SinkRecord],
        positions: &[(TopicPartition, i64, i64)],
        offsets: Option<&OffsetsTable>,
    ) -> Result<Vec<(&'r SinkRecord, ConnectError)>, WriteError> {
        session
            .execute(self.settings.common.dialect.begin())
            .await?;
        if let Err(error) = advance(session, positions, offsets).await {
            let _second = session.execute("ROLLBACK").await;
            return Err(error);
        }
        let mut bad = Vec::new();
        for record in records {
            session.execute("SAVEPOINT milena").await?;
            let error = match self.rows(session, &[*record]).await {
                Ok(()) => {
                    session.execute("RELEASE SAVEPOINT milena").await?;
                    continue;
                }
                Err(WriteError::Db(error)) if error.kind == DbErrorKind::Data => error.to_connect(),
                Err(WriteError::Record(error)) => error,
                Err(error) => {
                    let _second = session.execute("ROLLBACK").await;
                    return Err(error);
                }
            };
            session.execute("ROLLBACK TO SAVEPOINT milena").await?;
            self.forget();
            bad.push((*record, error));
        }
        session.execute("COMMIT").await?;
        Ok(bad)
    }

    /// Tables that a transaction made or changed are gone with it.
    fn forget(&mut self) {
        self.columns.clear();
        self.plans.clear();
    }

    async fn rows(
        &mut self,
        session: &mut dyn Session,
        records: &[&SinkRecord],
    ) -> Result<(), WriteError> {
        let mut buffers: IndexMap<TableId, Buffer> = IndexMap::new();
        for record in records {
            let kind = self.kind(record)?;
            let plan = match self.plans.get(&record.topic) {
                Some(plan) if plan.shape.fits(record) => Arc::clone(plan),
                _ => {
                    // The catalog may only be read, and a table changed, once what came before is written.
                    flush_all(session, &mut buffers).await?;
                    self.plan(session, record, kind).await?
                }
            };
            let row = self.row(&plan, kind, record)?;
            let id = &plan.insert.table;
            let buffer = match buffers.get_mut(id) {
                Some(buffer) => buffer,
                None => buffers.entry(id.clone()).or_insert(Buffer {
                    plan: Arc::clone(&plan),
                    kind,
                    rows: Rows::Cells(Vec::with_capacity(records.len().min(self.settings.batch))),
                }),
            };
            if buffer.kind != kind || !Arc::ptr_eq(&buffer.plan, &plan) {
                flush(session, buffer).await?;
                (buffer.kind, buffer.plan) = (kind, plan);
            }
            if let Rows::Cells(rows) = &mut buffer.rows {
                rows.push(row);
            }
            if buffer.rows.len() >= self.settings.batch {
                flush(session, buffer).await?;
            }
        }
        flush_all(session, &mut buffers).await
    }

    fn kind(&self, record: &SinkRecord) -> Result<WriteKind, WriteError> {
        let settings = &self.settings;
        let missing = record.value.value.is_null() || record.value.schema.is_none();
        let text = record.value.value.as_str().is_some() && settings.vendor == Vendor::Confluent;
        if record.value.value.is_null() && settings.deletes {
            return Ok(WriteKind::Delete);
        }
        if missing || !(text || record.value.value.as_struct().is_some()) {
            let origin = record.origin.as_ref();
            let shown = |null: bool, kind: &str| {
                if null {
                    "null".to_owned()
                } else {
                    kind.to_owned()
                }
            };
            return Err(WriteError::Record(ConnectError::connect(format!(
                "Sink connector '{}' is configured with 'delete.enabled={}' and 'pk.mode={}' and therefore requires \
                 records with a non-null Struct value and non-null Struct schema, but found record at \
                 (topic='{}',partition={},offset={},timestamp={}) with a {} value and {} value schema.",
                self.connector,
                settings.deletes,
                settings.key_mode.name(),
                record.topic,
                origin.map_or(0, |origin| origin.partition),
                origin.map_or(0, |origin| origin.offset),
                record
                    .timestamp
                    .map_or("null".to_owned(), |time| time.to_string()),
                shown(
                    record.value.value.is_null(),
                    record.value.value.java_class()
                ),
                record
                    .value
                    .schema
                    .as_ref()
                    .map_or("null".to_owned(), |schema| schema
                        .kind()
                        .lower_name()
                        .to_owned()),
            ))));
        }
        Ok(match settings.mode {
            InsertMode::Insert => WriteKind::Insert,
            InsertMode::Upsert => WriteKind::Upsert,
            InsertMode::Update => WriteKind::Update,
        })
    }

    fn row(
        &self,
        plan: &Plan,
        kind: WriteKind,
        record: &SinkRecord,
    ) -> Result<Vec<Cell>, WriteError> {
        let count = match kind {
            WriteKind::Delete => plan.keys,
            _ => plan.sources.len(),
        };
        let sources = plan.sources.iter().take(count);
        sources
            .map(|(target, column)| {
                let value = pick(target, record, self.settings.defaults);
                bind::cell(
                    value.into_owned(),
                    &target.schema,
                    column,
                    &self.settings.common.zone,
                )
            })
            .collect::<Result<_, _>>()
            .map_err(WriteError::Record)
    }

    /// Runs DDL. Another task may have been faster: the batch comes again and looks at the table anew.
    async fn change(
        &self,
        session: &mut dyn Session,
        statements: &[String],
    ) -> Result<(), WriteError> {
        let ends = self.settings.common.dialect.ddl_commits();
        if ends {
            // Rows before it must not be committed without their offsets.
            session.execute("ROLLBACK").await?;
        }
        for sql in statements {
            if let Err(error) = session.execute(sql).await {
                let kind = match error.kind {
                    DbErrorKind::Other | DbErrorKind::Data => DbErrorKind::Transient,
                    kind => kind,
                };
                let message = format!("{error}, in the statement: {sql}");
                return Err(WriteError::Db(DbError {
                    kind,
                    message,
                    ..error
                }));
            }
        }
        if ends { Err(WriteError::Anew) } else { Ok(()) }
    }

    /// The plan for a record's schemas: its table exists and has the columns, or is made to.
    async fn plan(
        &mut self,
        session: &mut dyn Session,
        record: &SinkRecord,
        kind: WriteKind,
    ) -> Result<Arc<Plan>, WriteError> {
        let settings = &self.settings;
        let common = &settings.common;
        let name = settings.table(&record.topic).map_err(WriteError::Record)?;
        let id = TableId::parse(&name, common.quoting, common.dialect.catalog_first());
        let shape = Shape::of(settings, &name, record).map_err(WriteError::Record)?;
        let mut columns = match self.columns.get(&id) {
            Some(columns) => columns.clone(),
            None => session.columns(&id).await?,
        };
        if !columns.is_empty() && self.checked.insert(id.clone()) {
            check_type(session, settings, &id).await?;
        }
        if columns.is_empty() {
            if !settings.create {
                return Err(WriteError::Task(ConnectError::connect(format!(
                    "Table {} is missing and auto-creation is disabled: create it, or set auto.create=true",
                    id.sql(common.quoting)
                ))));
            }
            let sql = ddl::create(common, &id, &shape).map_err(WriteError::Record)?;
            info!(table = %name, %sql, "creating the table");
            self.change(session, &[sql]).await?;
            columns = session.columns(&id).await?;
        }
        let missing: Vec<_> = shape
            .table_order()
            .into_iter()
            .filter(|target| {
                (kind != WriteKind::Delete || target.key) && live(&columns, &target.name).is_none()
            })
            .collect();
        if !missing.is_empty() {
            let shown: Vec<_> = missing.iter().map(|target| target.name.as_str()).collect();
            let shown = shown.join(", ");
            let table = id.sql(common.quoting);
            if !settings.evolve {
                return Err(WriteError::Task(ConnectError::connect(format!(
                    "Table {table} is missing the fields ({shown}) and auto-evolution is disabled: add the columns, \
                     set auto.evolve=true, or choose fields with fields.whitelist"
                ))));
            }
            if let Some(target) = missing.iter().find(|target| {
                !target.schema.is_optional() && target.schema.default_value().is_none()
            }) {
                return Err(WriteError::Task(ConnectError::connect(format!(
                    "Cannot ALTER TABLE {table} to add missing field {}, as the field is not optional and does not \
                     have a default value: add the column by hand",
                    target.name
                ))));
            }
            let statements = ddl::add(common, &id, &missing).map_err(WriteError::Record)?;
            info!(table = %name, columns = %shown, "adding the missing columns");
            self.change(session, &statements).await?;
            columns = session.columns(&id).await?;
        }
        let mut sources = Vec::new();
        for target in shape.keys.iter().chain(&shape.values) {
            match live(&columns, &target.name) {
                Some(column) => sources.push((target.clone(), column.clone())),
                None if kind == WriteKind::Delete && !target.key => {}
                None => {
                    return Err(WriteError::Db(DbError::new(
                        DbErrorKind::Transient,
                        format!(
                            "the column {} of {name} is not there after it was added",
                            target.name
                        ),
                    )));
                }
            }
        }
        let keys = shape.keys.len();
        let of = |range: &[(Target, Column)]| {
            range
                .iter()
                .map(|(_, column)| column.clone())
                .collect::<Vec<_>>()
        };
        let (key_sources, value_sources) =
            sources.split_at_checked(keys).unwrap_or((&sources, &[]));
        let insert = Write {
            kind: WriteKind::Insert,
            table: id.clone(),
            keys: of(key_sources),
            values: of(value_sources),
        };
        let delete = Write {
            kind: WriteKind::Delete,
            values: Vec::new(),
            ..insert.clone()
        };
        if kind == WriteKind::Upsert
            && let Some(sql) = common.dialect.unique_keys(&id)
            && !has_key(session, &sql, &insert.keys).await?
        {
            return Err(WriteError::Task(no_key(&insert)));
        }
        let plan = Arc::new(Plan {
            layout: common.dialect.layout(&insert),
            shape,
            insert,
            delete,
            sources,
            keys,
        });
        self.columns.insert(id, columns);
        self.plans.insert(record.topic.clone(), Arc::clone(&plan));
        Ok(plan)
    }
}

/// Writes rows and positions in one transaction, which is the statement's own where it is the only one.
pub(crate) async fn commit_buffers(
    session: &mut dyn Session,
    begin: &str,
    buffers: &mut [Buffer],
    positions: &[(TopicPartition, i64, i64)],
    offsets: Option<&OffsetsTable>,
) -> Result<(), WriteError> {
    if let ([only], []) = (&mut *buffers, positions)
        && session.writes_at_once(only.kind, only.rows.len())
    {
        return flush(session, only).await;
    }
    session.execute(begin).await?;
    let written = async {
        // First, so that a task that was replaced learns that, and not that its rows are there already.
        advance(session, positions, offsets).await?;
        for buffer in buffers {
            flush(session, buffer).await?;
        }
        Ok(())
    }
    .await;
    match written {
        Ok(()) => session
            .execute("COMMIT")
            .await
            .map(|_| ())
            .map_err(WriteError::from),
        Err(error) => {
            // The first error is the one that counts; a lost connection rolls back by itself.
            let _second = session.execute("ROLLBACK").await;
            Err(error)
        }
    }
}

/// Sets the positions of a batch, as long as its claims are the latest.
async fn advance(
    session: &mut dyn Session,
    positions: &[(TopicPartition, i64, i64)],
    offsets: Option<&OffsetsTable>,
) -> Result<(), WriteError> {
    let Some(table) = offsets else { return Ok(()) };
    for (partition, epoch, position) in positions {
        if !table.advance(session, partition, *epoch, *position).await? {
            return Err(WriteError::Fenced(partition.clone()));
        }
    }
    Ok(())
}

/// A column by its name, else by its name without regard to case.
fn live<'c>(columns: &'c [Column], name: &str) -> Option<&'c Column> {
    let exact = columns.iter().find(|column| column.name == name);
    exact.or_else(|| {
        columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    })
}

async fn flush_all(
    session: &mut dyn Session,
    buffers: &mut IndexMap<TableId, Buffer>,
) -> Result<(), WriteError> {
    for buffer in buffers.values_mut() {
        flush(session, buffer).await?;
    }
    Ok(())
}

async fn flush(session: &mut dyn Session, buffer: &mut Buffer) -> Result<(), WriteError> {
    let expected = buffer.rows.len() as u64;
    if expected == 0 {
        return Ok(());
    }
    let write = match buffer.kind {
        WriteKind::Delete => buffer.plan.delete.clone(),
        kind => Write {
            kind,
            ..buffer.plan.insert.clone()
        },
    };
    let touched = match &mut buffer.rows {
        Rows::Cells(rows) => session.write(&write, rows).await,
        Rows::LaidOut(rows) => {
            let differ = rows.differ();
            session.write_laid_out(&write, rows.take(), differ).await
        }
    };
    let touched = touched.map_err(|error| keyless(error, &write))?;
    if let (WriteKind::Insert, Some(touched)) = (buffer.kind, touched) {
        check_inserted(&buffer.plan, expected, touched)?;
    }
    buffer.rows.clear();
    Ok(())
}

fn check_inserted(plan: &Plan, expected: u64, touched: u64) -> Result<(), WriteError> {
    if touched == expected {
        return Ok(());
    }
    Err(WriteError::Task(ConnectError::connect(format!(
        "Update count ({touched}) did not sum up to total number of records inserted ({expected}) into {}",
        plan.insert.table.plain()
    ))))
}

/// Sends rows that were laid out for an insert, without waiting for what becomes of them.
pub(crate) async fn feed(session: &mut dyn Session, buffer: Buffer) -> Result<(), WriteError> {
    let write = &buffer.plan.insert;
    if let Rows::LaidOut(mut rows) = buffer.rows {
        let fed = session.stream_laid_out(write, rows.take()).await;
        fed.map_err(|error| keyless(error, write))?;
    }
    Ok(())
}

/// Waits until all rows that were fed are there: so many.
pub(crate) async fn end_feed(
    session: &mut dyn Session,
    plan: &Plan,
    rows: usize,
) -> Result<(), WriteError> {
    let touched = session.end_stream().await;
    let touched = touched.map_err(|error| keyless(error, &plan.insert))?;
    check_inserted(plan, rows as u64, touched)
}
