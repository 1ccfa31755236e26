//! The boundary to the databases: a [`Dialect`] knows the SQL of one, a [`Session`] is a connection to it.
//!
//! One file per database. Everything above works with [`Cell`]s and [`Column`]s and knows no client
//! library; a dialect knows no Kafka, no Connect value and no configuration but the URL.

mod mysql;
mod mysql_cells;
mod postgres;
mod postgres_binary;
mod postgres_copy;
mod postgres_decode;
mod postgres_link;
mod postgres_stream;
mod postgres_text;
mod postgres_write;
mod sqlite;

use std::{borrow::Cow, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use milena_api::ConnectError;
use milena_data::{LogicalType, Schema, SchemaType};

pub(crate) use postgres_binary::Layout;
pub(crate) use postgres_copy::{Chunk, LaidOutColumns, LaidOutRows};
pub(crate) use postgres_decode::{Form, date, int16, int32, int64, numeric_small, timestamp};

use crate::{
    cell::{Cell, Column, Stamp},
    table::{Quoting, TableId},
    url::{JdbcUrl, Subprotocol},
};

/// How an error of a database is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DbErrorKind {
    /// The connection is gone or never came up: another may work.
    Connection,
    /// The same transaction may work: deadlock, serialisation failure, lock timeout.
    Transient,
    /// The rows do not fit the table: value out of range, constraint, encoding. No repetition will help.
    Data,
    /// Anything else: no such table, no right, disk full.
    Other,
}

/// What a database (or the way to it) says when it fails.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct DbError {
    pub(crate) kind: DbErrorKind,
    pub(crate) message: String,
    /// SQLSTATE or the database's own code.
    pub(crate) code: String,
}

impl DbError {
    pub(crate) fn new(kind: DbErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: String::new(),
        }
    }

    /// Of the value of a column.
    fn in_column(self, name: &str) -> Self {
        let message = format!("column {name}: {self}");
        Self { message, ..self }
    }

    /// As Java shows it.
    pub(crate) fn to_connect(&self) -> ConnectError {
        ConnectError::of("java.sql.SQLException", self.message.clone())
    }

    /// The kind by the class of an SQLSTATE.
    pub(crate) fn kind_of_state(state: &str) -> DbErrorKind {
        match state.get(..2).unwrap_or_default() {
            "08" | "57" => DbErrorKind::Connection,
            "40" => DbErrorKind::Transient,
            "55" if state == "55P03" => DbErrorKind::Transient,
            "21" | "22" | "23" => DbErrorKind::Data,
            _ => DbErrorKind::Other,
        }
    }
}

/// Which tables a source sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct TablePattern {
    pub(crate) catalog: Option<String>,
    pub(crate) schema: Option<String>,
    /// JDBC's table types in upper case: `TABLE`, `VIEW`, `PARTITIONED TABLE`, …
    pub(crate) types: Vec<String>,
}

impl TablePattern {
    pub(crate) fn wants(&self, kind: &str) -> bool {
        self.types
            .iter()
            .any(|wanted| wanted.eq_ignore_ascii_case(kind))
    }
}

/// What is done with the rows of a [`Write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WriteKind {
    Insert,
    Upsert,
    Update,
    Delete,
}

/// One shape of rows for one table: a row holds the keys' cells, then the values'.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) kind: WriteKind,
    pub(crate) table: TableId,
    pub(crate) keys: Vec<Column>,
    pub(crate) values: Vec<Column>,
}

impl Write {
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.keys.iter().chain(&self.values)
    }

    /// All column names, quoted, separated by commas.
    pub(crate) fn column_list(&self, quoting: Quoting) -> String {
        join(
            self.columns().map(|column| quoting.quote(&column.name)),
            ",",
        )
    }
}

/// Joins texts.
pub(crate) fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

/// How to reach a database.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: JdbcUrl,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<milena_config::Secret<String>>,
    pub(crate) timeout: Duration,
}

/// The SQL of one database. A value without state.
#[async_trait]
pub(crate) trait Dialect: Send + Sync {
    /// The name under which `dialect.name` knows it, without `DatabaseDialect`.
    fn name(&self) -> &'static str;
    /// The quotes of identifiers.
    fn quotes(&self) -> (char, char);
    /// Whether a name of two parts is catalog and table.
    fn catalog_first(&self) -> bool {
        false
    }
    /// The placeholder of the n-th parameter (from 1).
    fn placeholder(&self, n: usize) -> String;
    /// The column type for a Connect schema in `CREATE TABLE`; `None`: there is none.
    fn column_type(&self, schema: &Schema, key: bool) -> Option<Cow<'static, str>>;
    /// A text as an SQL literal.
    fn literal(&self, text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }
    /// The literal of bytes as a column's default.
    fn bytes_literal(&self, hex: &str) -> String {
        format!("X'{hex}'")
    }
    /// A query for the unique keys of a table, where an upsert without one is no error but a plain insert.
    fn unique_keys(&self, _table: &TableId) -> Option<String> {
        None
    }
    /// Statements that make the server end a transaction whose client has gone silent in it: its locks would keep
    /// the task that takes over waiting. One that the server does not know is passed over.
    fn end_silent_transactions(&self) -> &'static [&'static str] {
        &[]
    }
    /// Statements at the beginning of the transaction of a claim: how long it waits for a lock.
    fn claim_begins(&self) -> &'static [&'static str] {
        &[]
    }
    /// A statement that ends the sessions of ours that hold rows of a table (its quoted name) while their client is
    /// silent in the middle of a statement, which no timeout of theirs ends: after a claim failed for a lock.
    fn end_silent_statements(&self, _table: &str) -> Option<String> {
        None
    }
    /// The database's clock as whole seconds since 1970.
    fn epoch_seconds(&self) -> &'static str;
    /// The type of a text column that may be a key, and of a big integer (for the table of offsets).
    fn key_text_type(&self) -> &'static str;
    /// An expression that orders a timestamp column, to be compared with [`Self::timestamp_cell`].
    fn timestamp_expression(&self, quoted: &str) -> String {
        quoted.to_owned()
    }
    /// A moment to be compared with a timestamp column: as it is, or in the zone where the column has none.
    fn timestamp_cell(&self, moment: Stamp, local: Stamp, column: Option<&Column>) -> Cell {
        match column {
            Some(column) if column.sql == crate::cell::SqlType::TimestampTz => {
                Cell::Instant(moment)
            }
            _ => Cell::Local(local),
        }
    }
    /// Whether DDL ends the transaction that it runs in.
    fn ddl_commits(&self) -> bool {
        false
    }
    /// The statement that begins a transaction.
    fn begin(&self) -> &'static str {
        "BEGIN"
    }
    /// The statements of an `ALTER TABLE … ADD` of several columns.
    fn alter(&self, table: &str, columns: &[String]) -> Vec<String>;
    /// Sets the isolation of the transactions to come (`transaction.isolation.mode`); `None`: it has none.
    fn isolation(&self, level: &str) -> Option<String> {
        Some(format!(
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}"
        ))
    }
    /// How rows of a write are laid out in binary for [`Session::write_laid_out`]; `None`: they go as cells.
    fn layout(&self, _write: &Write) -> Option<Layout> {
        None
    }
    /// Opens a connection.
    async fn connect(&self, target: &Target, quoting: Quoting)
    -> Result<Box<dyn Session>, DbError>;
}

/// A connection. A call that is dropped leaves the session unusable, except [`Session::fetch`], [`Session::fetch_chunk`] and what [`Session::undo`]
/// speaks of.
#[async_trait]
pub(crate) trait Session: Send {
    /// The tables there are.
    async fn tables(&mut self, pattern: &TablePattern) -> Result<Vec<TableId>, DbError>;
    /// The columns of a table in their order; empty when there is no such table.
    async fn columns(&mut self, table: &TableId) -> Result<Vec<Column>, DbError>;
    /// The database's clock.
    async fn now(&mut self) -> Result<Stamp, DbError>;
    /// Starts a query; its rows stream through [`Self::fetch`] and never are in memory all at once.
    async fn open(&mut self, sql: &str, params: Vec<Cell>) -> Result<Vec<Column>, DbError>;
    /// At most `max` rows; none at the end, after which the session is free for other calls.
    async fn fetch(&mut self, max: usize) -> Result<Vec<Vec<Cell>>, DbError>;
    /// As [`Self::open`], for many rows. With columns as they are laid out, rows come by [`Self::fetch_chunk`] alone, else
    /// by [`Self::fetch`].
    async fn open_large(
        &mut self,
        sql: &str,
        params: Vec<Cell>,
    ) -> Result<(Vec<Column>, Option<Arc<LaidOutColumns>>), DbError> {
        Ok((self.open(sql, params).await?, None))
    }
    /// The next rows as the database lays them out.
    async fn fetch_chunk(&mut self) -> Result<Chunk, DbError> {
        Ok(Chunk {
            bytes: Bytes::new(),
            is_last: true,
        })
    }
    /// Runs a statement without parameters; answers the number of rows it touched.
    async fn execute(&mut self, sql: &str) -> Result<u64, DbError>;
    /// Writes rows of one shape; answers the number of rows touched, where the database says.
    async fn write(&mut self, write: &Write, rows: &[Vec<Cell>]) -> Result<Option<u64>, DbError>;
    /// Inserts or upserts rows that were laid out by [`Dialect::layout`], in parts as they come; answers the number of rows
    /// touched, where the database says. Rows to be upserted are numbered in their order; `differ`: no two have one key.
    async fn write_laid_out(
        &mut self,
        write: &Write,
        _parts: Vec<Bytes>,
        _differ: bool,
    ) -> Result<Option<u64>, DbError> {
        let message = format!("rows for {} cannot go in binary", write.table.plain());
        Err(DbError::new(DbErrorKind::Other, message))
    }
    /// As [`Self::write_laid_out`] of an insert, where [`Self::writes_at_once`] holds: rows go in as they come, further ones by
    /// further calls for the same write, and all of them are there once [`Self::end_stream`] is back. No other call comes
    /// between.
    async fn stream_laid_out(&mut self, write: &Write, _parts: Vec<Bytes>) -> Result<(), DbError> {
        let message = format!("rows for {} cannot go in as they come", write.table.plain());
        Err(DbError::new(DbErrorKind::Other, message))
    }
    /// Ends what [`Self::stream_laid_out`] began; answers the number of rows.
    async fn end_stream(&mut self) -> Result<u64, DbError> {
        Ok(0)
    }
    /// Whether [`Self::write`] writes so many rows all or none without a transaction around it.
    fn writes_at_once(&self, _kind: WriteKind, _rows: usize) -> bool {
        false
    }
    /// Whether [`Self::undo`] can be asked for.
    fn undoes(&self) -> bool {
        false
    }
    /// After a call that was dropped: ends the statement and the transaction that it was in. When this is back, nothing of
    /// them is still to come.
    async fn undo(&mut self) -> Result<(), DbError> {
        Ok(())
    }
    /// Whether the connection is known to be gone.
    fn is_closed(&self) -> bool;
}

/// The dialect of a URL, or the one named by `dialect.name`.
pub(crate) fn dialect_for(url: &JdbcUrl, name: &str) -> Result<&'static dyn Dialect, String> {
    let of_url: &'static dyn Dialect = match url.subprotocol {
        Subprotocol::PostgreSql => &postgres::PostgreSql,
        Subprotocol::MySql | Subprotocol::MariaDb => &mysql::MySql,
        Subprotocol::Sqlite => &sqlite::Sqlite,
    };
    let short = name.strip_suffix("DatabaseDialect").unwrap_or(name);
    let generic = short.is_empty() || short.eq_ignore_ascii_case("Generic");
    if generic || short.eq_ignore_ascii_case(of_url.name()) {
        return Ok(of_url);
    }
    Err(format!(
        "dialect '{name}' cannot be used with a URL of {}: leave dialect.name out",
        of_url.name()
    ))
}

/// What the dialects' type tables are keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    Text,
    Bytes,
    Decimal(i32),
    Date,
    Time,
    Timestamp,
}

impl Kind {
    /// Of a schema; `None` for arrays, maps and structs.
    pub(crate) fn of(schema: &Schema) -> Option<Self> {
        Some(match schema.logical() {
            Some(LogicalType::Decimal) => {
                Self::Decimal(milena_data::logical::decimal_scale(schema).unwrap_or(0))
            }
            Some(LogicalType::Date) => Self::Date,
            Some(LogicalType::Time) => Self::Time,
            Some(LogicalType::Timestamp) => Self::Timestamp,
            None => match schema.kind() {
                SchemaType::Int8 => Self::Int8,
                SchemaType::Int16 => Self::Int16,
                SchemaType::Int32 => Self::Int32,
                SchemaType::Int64 => Self::Int64,
                SchemaType::Float32 => Self::Float32,
                SchemaType::Float64 => Self::Float64,
                SchemaType::Boolean => Self::Boolean,
                SchemaType::String => Self::Text,
                SchemaType::Bytes => Self::Bytes,
                SchemaType::Array | SchemaType::Map | SchemaType::Struct => return None,
            },
        })
    }
}
