//! The source task: one connection, its tables one after the other, rows streamed in batches.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use milena_api::{ConnectError, SourceTask, SourceTaskContext};
use milena_config::Props;
use milena_data::{SchemaBuilder, SourceMap, SourceRecord, Text};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    direct::Direct,
    offset::{Offset, old_partition, partition, query_partition},
    query::{Bounds, Criteria, Statements, Subject},
    reading::{Common, Reading},
    settings::{Initial, Settings, TABLES},
};
use crate::{
    cell::{Column, SqlType, Stamp},
    connect::connect,
    dialect::{DbError, DbErrorKind, LaidOutRows, Session},
    plugins::Vendor,
    table::TableId,
};

/// The longest wait within a poll, so that a pause or stop is never far.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// A source task of either vendor.
pub(crate) struct JdbcSourceTask {
    vendor: Vendor,
    run: Option<Run>,
}

struct Run {
    settings: Settings,
    context: SourceTaskContext,
    session: Option<Box<dyn Session>>,
    /// The front is read, or is the next to be read.
    tables: VecDeque<TableRun>,
    failures: u32,
}

struct TableRun {
    subject: Subject,
    criteria: Criteria,
    partition: Arc<SourceMap>,
    topic: Text,
    offset: Offset,
    due: Instant,
    /// When its last query was begun.
    begun: Instant,
    reading: Option<Reading>,
}

impl JdbcSourceTask {
    pub(crate) fn new(vendor: Vendor) -> Self {
        Self { vendor, run: None }
    }
}

#[async_trait]
impl SourceTask for JdbcSourceTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        let settings = Settings::read(&config, self.vendor)?;
        let mut session = connect(&settings.common, &context.stopping).await?;
        if let Some(level) = &settings.isolation
            && let Some(sql) = settings.common.dialect.isolation(level)
        {
            session.execute(&sql).await.map_err(|error| {
                ConnectError::connect(format!("cannot set the isolation {level}: {error}"))
                    .caused_by(error.to_connect())
            })?;
        }
        let quoting = settings.common.quoting;
        let catalog_first = settings.common.dialect.catalog_first();
        let subjects: Vec<_> = match &settings.query {
            Some(query) => vec![Subject::Query(query.clone())],
            None => split_names(
                config.get(TABLES).map_or("", String::as_str),
                quoting.open,
                quoting.close,
            )
            .iter()
            .map(|name| Subject::Table(TableId::parse(name, quoting, catalog_first)))
            .collect(),
        };
        let mut tables = VecDeque::with_capacity(subjects.len());
        for subject in subjects {
            tables.push_back(prepare(&settings, &context, &mut *session, subject).await?);
        }
        self.run = Some(Run {
            settings,
            context,
            session: Some(session),
            tables,
            failures: 0,
        });
        Ok(())
    }

    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        match &mut self.run {
            Some(run) => run.poll().await,
            None => Err(ConnectError::connect("the task is not started")),
        }
    }

    fn take_back(&mut self, records: Vec<SourceRecord>) {
        if let Some(run) = &mut self.run
            && let Some(table) = run.tables.front_mut()
            && let Some(reading) = &mut table.reading
        {
            reading.take_back(records, &table.partition);
        }
    }

    async fn stop(&mut self) {
        self.run = None;
    }
}

/// Splits the task's list at commas outside quotes.
fn split_names(text: &str, open: char, close: char) -> Vec<String> {
    let mut names = Vec::new();
    let (mut name, mut quoted) = (String::new(), false);
    for letter in text.chars() {
        match letter {
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            letter => {
                // Doubled quotes close and open again, which comes to the same.
                if letter == close && quoted {
                    quoted = false;
                } else if letter == open {
                    quoted = true;
                }
                name.push(letter);
            }
        }
    }
    if !name.is_empty() {
        names.push(name);
    }
    names
}

/// `regex:[a|b]` or `regex:a` pairs: the columns of the one that matches the table.
fn mapped(pairs: &[String], table: &TableId) -> Result<Option<Vec<String>>, ConnectError> {
    let mut found = None;
    for pair in pairs {
        let (pattern, columns) = pair.rsplit_once(':').ok_or_else(|| {
            ConnectError::config(format!(
                "'{pair}' must be of the form regex:column or regex:[column|column]"
            ))
        })?;
        let regex = fancy_regex::Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
            ConnectError::config(format!("'{pattern}' is no regular expression: {error}"))
        })?;
        if regex.is_match(&table.plain()).unwrap_or(false) {
            if found.is_some() {
                return Err(ConnectError::config(format!(
                    "more than one column mapping matches {}",
                    table.plain()
                )));
            }
            let columns = columns.trim_start_matches('[').trim_end_matches(']');
            found = Some(
                columns
                    .split('|')
                    .map(|column| column.trim().to_owned())
                    .collect(),
            );
        }
    }
    Ok(found)
}

/// Settles the columns, the offset and the topic of a subject.
async fn prepare(
    settings: &Settings,
    context: &SourceTaskContext,
    session: &mut dyn Session,
    subject: Subject,
) -> Result<TableRun, ConnectError> {
    let mut criteria = Criteria::default();
    let mut columns = Vec::new();
    let failed = |error: DbError| {
        ConnectError::connect(format!("cannot read the catalog: {error}"))
            .caused_by(error.to_connect())
    };
    let (shown, topic) = match &subject {
        Subject::Table(table) => {
            columns = session.columns(table).await.map_err(failed)?;
            (table.plain(), format!("{}{}", settings.prefix, table.name))
        }
        Subject::Query(_) => ("the query".to_owned(), settings.prefix.clone()),
    };
    let table = match &subject {
        Subject::Table(table) => Some(table),
        Subject::Query(_) => None,
    };
    if settings.incrementing_mode {
        let named = match table {
            Some(table) => mapped(&settings.incrementing_mapping, table)?
                .and_then(|columns| columns.into_iter().next()),
            None => None,
        };
        let name =
            named.or_else(|| Some(settings.incrementing.clone()).filter(|name| !name.is_empty()));
        let auto = || {
            columns
                .iter()
                .find(|column| column.auto_increment)
                .map(|column| column.name.clone())
        };
        criteria.incrementing = Some(name.or_else(auto).ok_or_else(|| {
            ConnectError::connect(format!(
                "{shown} has no auto-increment column: name its id column with incrementing.column.name"
            ))
        })?);
    }
    if settings.timestamp_mode {
        let named = match table {
            Some(table) => mapped(&settings.timestamp_mapping, table)?,
            None => None,
        };
        criteria.timestamps = named.unwrap_or_else(|| settings.timestamps.clone());
    }
    if !columns.is_empty() {
        check_columns(settings, &shown, &mut criteria, &columns)?;
    }
    let (partition, offset) = match &subject {
        Subject::Query(_) => {
            let partition = query_partition();
            let stored = context.offsets.offsets(&[(*partition).clone()]).await?;
            (partition, stored.into_iter().flatten().next())
        }
        Subject::Table(table) if criteria.is_bulk() => (old_partition(table), None),
        Subject::Table(table) => {
            let both = [(*partition(table)).clone(), (*old_partition(table)).clone()];
            let stored = context.offsets.offsets(&both).await?;
            (partition(table), stored.into_iter().flatten().next())
        }
    };
    let mut offset = offset.map(|map| Offset::read(&map)).unwrap_or_default();
    if criteria.incrementing.is_some() {
        offset.incrementing = offset.incrementing.or(Some(settings.incrementing_initial));
    }
    if !criteria.timestamps.is_empty() && offset.timestamp.is_none() {
        offset.timestamp = Some(match settings.initial {
            Initial::At(millis) => Stamp::from_millis(millis),
            Initial::Now => session.now().await.map_err(failed)?,
        });
    }
    Ok(TableRun {
        subject,
        criteria,
        partition,
        topic: Text::from(topic),
        offset,
        due: Instant::now(),
        begun: Instant::now(),
        reading: None,
    })
}

/// The columns of the mode must be there, and not nullable where that is asked for.
fn check_columns(
    settings: &Settings,
    shown: &str,
    criteria: &mut Criteria,
    columns: &[Column],
) -> Result<(), ConnectError> {
    let find = |name: &str| {
        let exact = columns.iter().find(|column| column.name == name);
        exact
            .or_else(|| {
                columns
                    .iter()
                    .find(|column| column.name.eq_ignore_ascii_case(name))
            })
            .ok_or_else(|| {
                let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
                ConnectError::connect(format!(
                    "{shown} has no column '{name}': it has {}",
                    names.join(", ")
                ))
            })
    };
    if let Some(name) = &mut criteria.incrementing {
        let column = find(name)?;
        let number = matches!(
            column.sql,
            SqlType::TinyInt
                | SqlType::SmallInt
                | SqlType::Integer
                | SqlType::BigInt
                | SqlType::Numeric
                | SqlType::Decimal
        );
        if !number {
            return Err(ConnectError::connect(format!(
                "the incrementing column {name} of {shown} is of the type {}: it must be a whole number",
                column.type_name
            )));
        }
        if settings.validate_non_null && column.nullable {
            return Err(ConnectError::connect(format!(
                "Cannot make incremental queries using incrementing column {name} on {shown} because this column \
                 is nullable. Declare it NOT NULL, or set validate.non.null=false (rows with null are then never read)."
            )));
        }
        name.clone_from(&column.name);
    }
    let mut nullable = !criteria.timestamps.is_empty();
    for name in &mut criteria.timestamps {
        let column = find(name)?;
        nullable &= column.nullable;
        name.clone_from(&column.name);
    }
    if settings.validate_non_null && nullable {
        return Err(ConnectError::connect(format!(
            "Cannot make incremental queries using timestamp columns {} on {shown} because all of these columns are \
             nullable. Declare one NOT NULL, or set validate.non.null=false (rows with null are then never read).",
            criteria.timestamps.join(", ")
        )));
    }
    Ok(())
}

impl Run {
    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        if self.tables.is_empty() {
            tokio::time::sleep(WAIT_MAX).await;
            return Ok(None);
        }
        let front = self.tables.front().and_then(|table| table.reading.as_ref());
        let read_apart = front.is_some_and(|reading| reading.reader.is_some());
        if !read_apart
            && self
                .session
                .as_ref()
                .is_none_or(|session| session.is_closed())
        {
            self.session = None;
            for table in &mut self.tables {
                table.reading = None;
            }
            self.session = Some(connect(&self.settings.common, &self.context.stopping).await?);
        }
        // Each table is looked at once, then the poll ends: the engine has its say.
        for _ in 0..self.tables.len() {
            match self.step().await {
                Ok(Some(Step::Rows(records))) => {
                    self.failures = 0;
                    return Ok(Some(records));
                }
                Ok(Some(Step::Ended)) => {
                    self.failures = 0;
                    self.rotate();
                }
                Ok(None) => return Ok(None),
                Err(StepError::Connect(error)) => return Err(error),
                Err(StepError::Db(error)) => return self.failed(&error),
            }
        }
        Ok(None)
    }

    /// The front table is done for now: the next one comes to the front.
    ///
    /// New rows are looked for at the interval, however long a look takes; a table that is read as a whole each
    /// time rests for the interval.
    fn rotate(&mut self) {
        let from = match self.tables.front() {
            Some(table) if !table.criteria.is_bulk() => table.begun,
            _ => Instant::now(),
        };
        self.rest_until(from + self.settings.poll);
    }

    fn rest_until(&mut self, due: Instant) {
        if let Some(mut table) = self.tables.pop_front() {
            table.reading = None;
            table.due = due;
            self.tables.push_back(table);
        }
    }

    /// An error of the database is repeated with the next interval, as Java does.
    fn failed(&mut self, error: &DbError) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        self.failures += 1;
        let shown = match self.tables.front().map(|table| &table.subject) {
            Some(Subject::Table(table)) => table.plain(),
            _ => "the query".to_owned(),
        };
        if self
            .settings
            .query_attempts
            .is_some_and(|attempts| self.failures > attempts)
        {
            return Err(ConnectError::connect(format!(
                "reading {shown} failed {} times: {error}",
                self.failures
            ))
            .caused_by(error.to_connect()));
        }
        warn!(table = %shown, %error, "cannot read, trying again after the poll interval");
        if error.kind == DbErrorKind::Connection {
            self.session = None;
        }
        self.rest_until(Instant::now() + self.settings.poll.max(Duration::from_millis(100)));
        Ok(None)
    }

    /// One step of the front table; `None`: nothing is due yet.
    async fn step(&mut self) -> Result<Option<Step>, StepError> {
        let Self {
            settings,
            session,
            tables,
            ..
        } = self;
        let Some(table) = tables.front_mut() else {
            return Ok(None);
        };
        if table.reading.is_none() {
            let now = Instant::now();
            if table.due > now {
                tokio::time::sleep_until(table.due.min(now + WAIT_MAX)).await;
                if table.due > Instant::now() {
                    return Ok(None);
                }
            }
            // Taken out: when this future is dropped within, the half-open session goes with it.
            let Some(mut open) = session.take() else {
                return Ok(None);
            };
            table.begun = Instant::now();
            let begun = begin(settings, &mut *open, table).await;
            *session = Some(open);
            table.reading = Some(begun?);
        }
        let Some(reading) = &mut table.reading else {
            return Ok(None);
        };
        if reading.laid_out.is_some() {
            let common = Common {
                topic: &table.topic,
                partition: &table.partition,
            };
            let records = reading.gather(session, settings, common).await?;
            if records.is_empty() {
                return Ok(Some(Step::Ended));
            }
            if reading.ended && records.len() < settings.batch {
                self.rotate();
            }
            return Ok(Some(Step::Rows(records)));
        }
        // One row more than a batch: whether a timestamp may be committed depends on the next row's.
        reading.fill(session, settings.batch).await?;
        if reading.rows.is_empty() {
            return Ok(Some(Step::Ended));
        }
        let count = reading.rows.len().min(settings.batch);
        let mut records = Vec::with_capacity(count);
        let mut offset = table.offset;
        for _ in 0..count {
            let Some(row) = reading.rows.pop_front() else {
                break;
            };
            let next = reading.rows.front();
            offset = reading.offset(settings, &table.criteria, offset, &row, next)?;
            let source_offset = (!table.criteria.is_bulk()).then(|| offset.write().into());
            records.push(SourceRecord {
                record: reading.record(&table.topic, reading.slots(settings, row)?),
                source_partition: Some(Arc::clone(&table.partition)),
                source_offset,
            });
        }
        table.offset = offset;
        if reading.ended && reading.rows.is_empty() {
            self.rotate();
        }
        Ok(Some(Step::Rows(records)))
    }
}

enum Step {
    Rows(Vec<SourceRecord>),
    Ended,
}

pub(super) enum StepError {
    Db(DbError),
    Connect(ConnectError),
}

impl From<DbError> for StepError {
    fn from(error: DbError) -> Self {
        // Rows that cannot be read will not become readable: the task fails, nothing is left out.
        if error.kind == DbErrorKind::Data {
            return Self::Connect(
                ConnectError::data(error.message.clone()).caused_by(error.to_connect()),
            );
        }
        Self::Db(error)
    }
}

impl From<ConnectError> for StepError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

/// Starts the query of a table: columns are looked at anew, so a changed table changes the schema.
async fn begin(
    settings: &Settings,
    session: &mut dyn Session,
    table: &TableRun,
) -> Result<Reading, StepError> {
    let known = match &table.subject {
        Subject::Table(id) => session.columns(id).await?,
        Subject::Query(_) => Vec::new(),
    };
    let until = match table.criteria.timestamps.is_empty() {
        true => Stamp::from_millis(0),
        false => session.now().await?.minus_millis(settings.delay),
    };
    let statements = Statements {
        dialect: settings.common.dialect,
        quoting: settings.common.quoting,
        zone: &settings.common.zone,
        suffix: &settings.suffix,
    };
    let bounds = Bounds {
        offset: table.offset,
        until,
    };
    let (sql, params) = statements.select(&table.subject, &table.criteria, &known, &bounds);
    debug!(topic = %table.topic, ?params, "query");
    let (mut columns, laid_out) = session.open_large(&sql, params).await?;
    for column in &mut columns {
        if let Some(known) = known.iter().find(|known| known.name == column.name) {
            *column = known.clone();
        }
    }
    let mut builder = SchemaBuilder::structure();
    if let Subject::Table(id) = &table.subject {
        builder = builder.name(id.name.as_str());
    }
    let mut fields = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        match settings.mapping.field(index, column) {
            Some(field) => {
                builder = builder.field(field.name.clone(), field.schema.clone());
                fields.push(field);
            }
            None => {
                warn!(column = %column.name, sql_type = %column.type_name, "no Connect type stands for the column's type: it is left out; cast it in a query to read it")
            }
        }
    }
    let schema = builder.build().map_err(ConnectError::from)?;
    if let Some(laid_out) = &laid_out {
        let forms: Vec<_> = laid_out.forms().collect();
        for field in &mut fields {
            let form = forms.get(field.index);
            field.direct = form.and_then(|form| Direct::of(form, &field.read));
        }
    }
    let place = |name: &String| {
        let exact = columns.iter().position(|column| column.name == *name);
        exact
            .or_else(|| {
                columns
                    .iter()
                    .position(|column| column.name.eq_ignore_ascii_case(name))
            })
            .ok_or_else(|| {
                ConnectError::connect(format!(
                    "the rows have no column '{name}', which the mode goes by"
                ))
            })
    };
    Ok(Reading {
        schema,
        incrementing: table
            .criteria
            .incrementing
            .as_ref()
            .map(place)
            .transpose()?,
        timestamps: table
            .criteria
            .timestamps
            .iter()
            .map(place)
            .collect::<Result<_, _>>()?,
        is_straight: fields
            .iter()
            .enumerate()
            .all(|(at, field)| field.index == at),
        fields,
        rows: VecDeque::new(),
        laid_out: laid_out.map(LaidOutRows::new),
        ready: Vec::new(),
        made: 0,
        spent: Vec::new(),
        ended: false,
        reader: None,
    })
}
