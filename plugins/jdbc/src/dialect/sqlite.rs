//! SQLite, linked in. Every call runs on a blocking thread; a query streams over a bounded channel.

use std::{borrow::Cow, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use milena_data::{Schema, Text};
use rusqlite::{
    Connection, Error, ErrorCode, OpenFlags,
    types::{ToSqlOutput, Value, ValueRef},
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    DbError, DbErrorKind, Dialect, Kind, Session, TablePattern, Target, Write, WriteKind, join,
};
use crate::{
    cell::{Cell, Column, DAY_SECONDS, SqlType, Stamp, date_text, time_text},
    table::{Quoting, TableId},
};

/// How many rows travel together from the blocking thread: enough that the channel costs little.
const CHUNK: usize = 500;

/// The dialect of SQLite.
pub(crate) struct Sqlite;

#[async_trait]
impl Dialect for Sqlite {
    fn name(&self) -> &'static str {
        "Sqlite"
    }
    fn quotes(&self) -> (char, char) {
        ('"', '"')
    }
    fn placeholder(&self, n: usize) -> String {
        format!("?{n}")
    }
    fn column_type(&self, schema: &Schema, _key: bool) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match Kind::of(schema)? {
            Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Boolean => "INTEGER",
            Kind::Float32 | Kind::Float64 => "REAL",
            Kind::Text => "TEXT",
            Kind::Bytes => "BLOB",
            Kind::Decimal(_) | Kind::Date | Kind::Time | Kind::Timestamp => "NUMERIC",
        }))
    }
    fn epoch_seconds(&self) -> &'static str {
        "cast(strftime('%s','now') as integer)"
    }

    fn key_text_type(&self) -> &'static str {
        "TEXT"
    }
    fn timestamp_expression(&self, quoted: &str) -> String {
        // A timestamp is a number of milliseconds or a text with any number of digits.
        format!(
            "(CASE typeof({quoted}) WHEN 'integer' THEN {quoted} ELSE \
             CAST(strftime('%s',{quoted}) AS INTEGER)*1000 \
             +CAST(substr(strftime('%f',{quoted}),4) AS INTEGER) END)"
        )
    }
    fn timestamp_cell(&self, _moment: Stamp, local: Stamp, _column: Option<&Column>) -> Cell {
        Cell::Int(local.millis())
    }
    fn begin(&self) -> &'static str {
        // The lock is taken at once: a later upgrade could fail with SQLITE_BUSY without waiting.
        "BEGIN IMMEDIATE"
    }
    fn alter(&self, table: &str, columns: &[String]) -> Vec<String> {
        let one = |column: &String| format!("ALTER TABLE {table} ADD {column}");
        columns.iter().map(one).collect()
    }
    fn isolation(&self, _level: &str) -> Option<String> {
        None
    }
    async fn connect(
        &self,
        target: &Target,
        quoting: Quoting,
    ) -> Result<Box<dyn Session>, DbError> {
        let url = &target.url;
        let busy = url
            .option("busy_timeout")
            .and_then(|text| text.parse().ok());
        let busy = busy.map_or(target.timeout, Duration::from_millis);
        let path = match url.database.as_str() {
            "" => ":memory:".to_owned(),
            path => path.to_owned(),
        };
        let read_only = url.option("open_mode") == Some("1");
        let connection = blocking(move || {
            let mut flags = OpenFlags::default();
            if read_only {
                flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            }
            let connection = Connection::open_with_flags(&path, flags).map_err(|error| {
                let text = format!("cannot open the SQLite database {path}: {error}");
                DbError::new(DbErrorKind::Connection, text)
            })?;
            connection.busy_timeout(busy).map_err(failed)?;
            Ok(connection)
        })
        .await?;
        Ok(Box::new(SqliteSession {
            connection: Some(connection),
            cursor: None,
            quoting,
            text_dates: url
                .option("date_class")
                .is_some_and(|class| class.eq_ignore_ascii_case("text")),
        }))
    }
}

fn failed(error: Error) -> DbError {
    let (kind, code) = match &error {
        Error::SqliteFailure(inner, _) => (
            match inner.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => DbErrorKind::Transient,
                ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
                    DbErrorKind::Data
                }
                ErrorCode::CannotOpen | ErrorCode::SystemIoFailure => DbErrorKind::Connection,
                _ => DbErrorKind::Other,
            },
            inner.extended_code.to_string(),
        ),
        Error::ToSqlConversionFailure(_) => (DbErrorKind::Data, String::new()),
        _ => (DbErrorKind::Other, String::new()),
    };
    DbError {
        kind,
        message: format!("[SQLite] {error}"),
        code,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(DbError::new(
            DbErrorKind::Connection,
            format!("the call to SQLite was cut off: {error}"),
        )),
    }
}

type Row = Vec<Cell>;

struct Cursor {
    rows: mpsc::Receiver<Result<Vec<Row>, DbError>>,
    left: Vec<Row>,
    reader: JoinHandle<Connection>,
}

struct SqliteSession {
    connection: Option<Connection>,
    cursor: Option<Cursor>,
    quoting: Quoting,
    /// Dates and times are written as text; else as numbers of milliseconds, as Java's driver does.
    text_dates: bool,
}

impl SqliteSession {
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, DbError> {
        if let Some(cursor) = self.cursor.take() {
            drop(cursor.rows);
            self.connection = cursor.reader.await.ok();
        }
        let Some(mut connection) = self.connection.take() else {
            return Err(DbError::new(
                DbErrorKind::Connection,
                "the SQLite connection is closed",
            ));
        };
        let (connection, result) = blocking(move || {
            let result = work(&mut connection);
            Ok((connection, result))
        })
        .await?;
        self.connection = Some(connection);
        result.map_err(failed)
    }
}

/// The JDBC type of a declared type. A column's type never depends on its values here.
fn declared(declared: &str) -> (SqlType, i32, Option<i32>) {
    let lower = declared.to_ascii_lowercase();
    let (name, rest) = lower.split_once('(').unwrap_or((&lower, ""));
    let mut numbers = rest
        .trim_end_matches(')')
        .split(',')
        .map(|number| number.trim().parse::<i32>().ok());
    let precision = numbers.next().flatten();
    let scale = numbers.next().flatten();
    let plain = (0, Some(0));
    let (sql, (digits, scale)) = match name.trim() {
        "boolean" | "bool" => (SqlType::Boolean, plain),
        "tinyint" => (SqlType::TinyInt, plain),
        "smallint" | "int2" => (SqlType::SmallInt, plain),
        "float" | "double" | "double precision" => (SqlType::Double, plain),
        "real" => (SqlType::Double, plain),
        "numeric" | "decimal" => {
            let scale = match (precision, scale) {
                (None, _) => None,
                (Some(_), scale) => Some(scale.unwrap_or(0)),
            };
            let sql = if name.trim() == "numeric" {
                SqlType::Numeric
            } else {
                SqlType::Decimal
            };
            (sql, (precision.unwrap_or(0), scale))
        }
        "date" => (SqlType::Date, plain),
        "time" => (SqlType::Time, plain),
        "datetime" | "timestamp" => (SqlType::Timestamp, plain),
        "blob" | "binary" | "varbinary" => (SqlType::Binary, plain),
        name if name.contains("int") => (SqlType::BigInt, plain),
        _ => (SqlType::Text, plain),
    };
    (sql, digits, scale)
}

fn cell(value: ValueRef<'_>) -> Result<Cell, Error> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(n) => Cell::Int(n),
        ValueRef::Real(x) => Cell::Double(x),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(Text::from(text)),
            Err(error) => return Err(Error::Utf8Error(error)),
        },
        ValueRef::Blob(bytes) => Cell::Bytes(Bytes::copy_from_slice(bytes)),
    })
}

/// A cell as the SQLite driver of Java stores it.
fn parameter(cell: &Cell, text_dates: bool) -> Result<ToSqlOutput<'_>, Error> {
    let text = |text: String| ToSqlOutput::Owned(Value::Text(text));
    let whole = |n: i64| Ok(ToSqlOutput::Owned(Value::Integer(n)));
    if !text_dates {
        match cell {
            Cell::Date(days) => return whole(days * DAY_SECONDS * 1000),
            Cell::Time(nanos) => return whole(nanos / 1_000_000),
            Cell::Local(stamp) | Cell::Instant(stamp) => return whole(stamp.millis()),
            _ => {}
        }
    }
    Ok(match cell {
        Cell::Null => ToSqlOutput::Owned(Value::Null),
        Cell::Bool(value) => ToSqlOutput::Owned(Value::Integer(i64::from(*value))),
        Cell::Int(n) => ToSqlOutput::Owned(Value::Integer(*n)),
        Cell::UInt(n) => match i64::try_from(*n) {
            Ok(n) => ToSqlOutput::Owned(Value::Integer(n)),
            Err(error) => return Err(Error::ToSqlConversionFailure(Box::new(error))),
        },
        Cell::Float(x) => ToSqlOutput::Owned(Value::Real(f64::from(*x))),
        Cell::Double(x) => ToSqlOutput::Owned(Value::Real(*x)),
        Cell::Decimal(decimal) => text(decimal.to_plain_string().unwrap_or_default()),
        Cell::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
        Cell::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        Cell::Date(days) => text(date_text(*days)),
        Cell::Time(nanos) => text(time_text(*nanos, 3)),
        Cell::Local(stamp) | Cell::Instant(stamp) => text(stamp.text(3)),
        Cell::Infinite(true) => text("infinity".to_owned()),
        Cell::Infinite(false) => text("-infinity".to_owned()),
        Cell::Array(_) => {
            let error = DbError::new(DbErrorKind::Data, "SQLite has no arrays");
            return Err(Error::ToSqlConversionFailure(Box::new(error)));
        }
    })
}

/// The statement of a shape of rows.
fn statement(write: &Write, quoting: Quoting) -> String {
    let table = write.table.sql(quoting);
    let count = write.keys.len() + write.values.len();
    let marks = join((1..=count).map(|n| format!("?{n}")), ",");
    let list = write.column_list(quoting);
    let equal = |columns: &[Column], first: usize, between: &str| {
        let pairs = columns.iter().enumerate();
        join(
            pairs.map(|(i, column)| format!("{}=?{}", quoting.quote(&column.name), first + i)),
            between,
        )
    };
    match write.kind {
        WriteKind::Insert => format!("INSERT INTO {table}({list}) VALUES({marks})"),
        WriteKind::Upsert => {
            let keys = join(write.keys.iter().map(|key| quoting.quote(&key.name)), ",");
            let sets = write.values.iter().map(|column| {
                let name = quoting.quote(&column.name);
                format!("{name}=excluded.{name}")
            });
            let action = match write.values.is_empty() {
                true => "NOTHING".to_owned(),
                false => format!("UPDATE SET {}", join(sets, ",")),
            };
            format!("INSERT INTO {table}({list}) VALUES({marks}) ON CONFLICT({keys}) DO {action}")
        }
        WriteKind::Update => format!(
            "UPDATE {table} SET {} WHERE {}",
            equal(&write.values, write.keys.len() + 1, ","),
            equal(&write.keys, 1, " AND ")
        ),
        WriteKind::Delete => format!(
            "DELETE FROM {table} WHERE {}",
            equal(&write.keys, 1, " AND ")
        ),
    }
}

#[async_trait]
impl Session for SqliteSession {
    async fn tables(&mut self, pattern: &TablePattern) -> Result<Vec<TableId>, DbError> {
        let (tables, views) = (pattern.wants("TABLE"), pattern.wants("VIEW"));
        self.with(move |connection| {
            let mut found = connection.prepare(
                "SELECT name, type FROM sqlite_master WHERE type IN ('table','view') \
                 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
            )?;
            let mut rows = found.query([])?;
            let mut names = Vec::new();
            while let Some(row) = rows.next()? {
                let kind: String = row.get(1)?;
                if (kind == "table" && tables) || (kind == "view" && views) {
                    names.push(TableId {
                        name: row.get(0)?,
                        ..TableId::default()
                    });
                }
            }
            Ok(names)
        })
        .await
    }

    async fn columns(&mut self, table: &TableId) -> Result<Vec<Column>, DbError> {
        let name = table.name.clone();
        self.with(move |connection| {
            let sql: Option<String> = connection
                .query_row(
                    "SELECT sql FROM sqlite_master WHERE type='table' AND name=?1",
                    [&name],
                    |row| row.get(0),
                )
                .or_else(|error| match error {
                    Error::QueryReturnedNoRows => Ok(None),
                    error => Err(error),
                })?;
            let increments =
                sql.is_some_and(|sql| sql.to_ascii_uppercase().contains("AUTOINCREMENT"));
            let mut info = connection
                .prepare("SELECT name,type,\"notnull\",dflt_value,pk FROM pragma_table_info(?1)")?;
            let mut rows = info.query([&name])?;
            let mut columns = Vec::new();
            while let Some(row) = rows.next()? {
                let type_name: String = row.get(1)?;
                let (sql, precision, scale) = declared(&type_name);
                let mut column = Column::new(row.get::<_, String>(0)?, sql, &type_name);
                column.precision = precision;
                column.scale = scale;
                column.primary_key = row.get::<_, i64>(4)? > 0;
                // The row id itself is never null, whatever was declared.
                let row_id = column.primary_key && column.type_name == "integer";
                column.nullable = row.get::<_, i64>(2)? == 0 && !row_id;
                column.has_default = row.get_ref(3)? != ValueRef::Null;
                column.auto_increment = row_id && increments;
                columns.push(column);
            }
            Ok(columns)
        })
        .await
    }

    async fn now(&mut self) -> Result<Stamp, DbError> {
        self.with(|connection| {
            let sql = "SELECT CAST(strftime('%s','now') AS INTEGER)*1000 \
                       + CAST(substr(strftime('%f','now'),4) AS INTEGER)";
            connection.query_row(sql, [], |row| Ok(Stamp::from_millis(row.get(0)?)))
        })
        .await
    }

    async fn open(&mut self, sql: &str, params: Vec<Cell>) -> Result<Vec<Column>, DbError> {
        self.with(|_| Ok(())).await?;
        let Some(connection) = self.connection.take() else {
            return Err(DbError::new(
                DbErrorKind::Connection,
                "the SQLite connection is closed",
            ));
        };
        let (heads, columns) = tokio::sync::oneshot::channel();
        let (sender, rows) = mpsc::channel(2);
        let sql = sql.to_owned();
        let reader = tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&connection, &sql, &params, heads, &sender) {
                // Nobody may be left to hear it.
                let _gone = sender.blocking_send(Err(failed(error)));
            }
            connection
        });
        self.cursor = Some(Cursor {
            rows,
            left: Vec::new(),
            reader,
        });
        match columns.await {
            Ok(columns) => Ok(columns),
            // The statement failed before it had columns: the error is in the channel.
            Err(_) => {
                Err(self.fetch(1).await.err().unwrap_or_else(|| {
                    DbError::new(DbErrorKind::Other, "the query gave no columns")
                }))
            }
        }
    }

    async fn fetch(&mut self, max: usize) -> Result<Vec<Row>, DbError> {
        let Some(cursor) = &mut self.cursor else {
            return Ok(Vec::new());
        };
        if cursor.left.is_empty() {
            match cursor.rows.recv().await {
                Some(Ok(rows)) => cursor.left = rows,
                Some(Err(error)) => return Err(error),
                None => return Ok(Vec::new()),
            }
        }
        let rest = cursor.left.split_off(max.min(cursor.left.len()));
        Ok(std::mem::replace(&mut cursor.left, rest))
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, DbError> {
        let sql = sql.to_owned();
        self.with(move |connection| Ok(connection.execute(&sql, [])? as u64))
            .await
    }

    async fn write(&mut self, write: &Write, rows: &[Row]) -> Result<Option<u64>, DbError> {
        let sql = statement(write, self.quoting);
        let rows = rows.to_vec();
        let text_dates = self.text_dates;
        self.with(move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut touched = 0;
            for row in &rows {
                for (index, cell) in row.iter().enumerate() {
                    statement.raw_bind_parameter(index + 1, parameter(cell, text_dates)?)?;
                }
                touched += statement.raw_execute()? as u64;
            }
            Ok(Some(touched))
        })
        .await
    }

    fn is_closed(&self) -> bool {
        self.connection.is_none() && self.cursor.is_none()
    }
}

fn read(
    connection: &Connection,
    sql: &str,
    params: &[Cell],
    heads: tokio::sync::oneshot::Sender<Vec<Column>>,
    sender: &mpsc::Sender<Result<Vec<Row>, DbError>>,
) -> Result<(), Error> {
    let mut statement = connection.prepare(sql)?;
    for (index, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, parameter(param, false)?)?;
    }
    let columns: Vec<_> = statement
        .columns()
        .iter()
        .map(|column| {
            let type_name = column.decl_type().unwrap_or("");
            let (sql, precision, scale) = declared(type_name);
            let mut head = Column::new(column.name(), sql, type_name);
            (head.precision, head.scale) = (precision, scale);
            head
        })
        .collect();
    let count = columns.len();
    if heads.send(columns).is_err() {
        return Ok(());
    }
    let mut rows = statement.raw_query();
    let mut chunk = Vec::with_capacity(CHUNK);
    while let Some(row) = rows.next()? {
        let cells = (0..count).map(|index| cell(row.get_ref(index)?));
        chunk.push(cells.collect::<Result<Row, Error>>()?);
        if chunk.len() == CHUNK
            && sender
                .blocking_send(Ok(std::mem::take(&mut chunk)))
                .is_err()
        {
            return Ok(());
        }
    }
    if !chunk.is_empty() {
        let _gone = sender.blocking_send(Ok(chunk));
    }
    Ok(())
}
