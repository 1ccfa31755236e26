//! PostgreSQL by `tokio-postgres`: rows stream in binary, rows go out by `COPY`.

use std::{borrow::Cow, collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use milena_data::{Schema, SchemaType};
use tokio_postgres::{
    Client, CopyInSink, Error, NoTls, RowStream, SimpleQueryMessage, Statement,
    config::SslMode,
    types::{Format, IsNull, ToSql, Type},
};
use tracing::debug;

use super::{
    Chunk, DbError, DbErrorKind, Dialect, Kind, LaidOutColumns, Layout, Session, TablePattern,
    Target, Write, WriteKind, join,
    postgres_copy::CopyRows,
    postgres_decode::{self as decode, Decoder, Raw},
    postgres_link::{Encryption, Way},
    postgres_stream::{Tap, TappedStream},
    postgres_text as text,
    postgres_write::COPY_ROWS_MIN,
};
use crate::{
    cell::{Cell, Column, SqlType, Stamp},
    table::{Quoting, TableId},
    tls::{Check, Tls},
};

/// The dialect of PostgreSQL.
pub(crate) struct PostgreSql;

#[async_trait]
impl Dialect for PostgreSql {
    fn name(&self) -> &'static str {
        "PostgreSql"
    }
    fn quotes(&self) -> (char, char) {
        ('"', '"')
    }
    fn placeholder(&self, n: usize) -> String {
        format!("${n}")
    }
    fn column_type(&self, schema: &Schema, _key: bool) -> Option<Cow<'static, str>> {
        if schema.kind() == SchemaType::Array {
            let element = self.column_type(schema.value_schema()?, false)?;
            return Some(Cow::Owned(format!("{element}[]")));
        }
        Some(Cow::Borrowed(match Kind::of(schema)? {
            Kind::Int8 | Kind::Int16 => "SMALLINT",
            Kind::Int32 => "INT",
            Kind::Int64 => "BIGINT",
            Kind::Float32 => "REAL",
            Kind::Float64 => "DOUBLE PRECISION",
            Kind::Boolean => "BOOLEAN",
            Kind::Text => "TEXT",
            Kind::Bytes => "BYTEA",
            Kind::Decimal(_) => "DECIMAL",
            Kind::Date => "DATE",
            Kind::Time => "TIME",
            Kind::Timestamp => "TIMESTAMP",
        }))
    }
    fn bytes_literal(&self, hex: &str) -> String {
        format!("'\\x{hex}'")
    }
    fn end_silent_transactions(&self) -> &'static [&'static str] {
        &[
            "SET idle_in_transaction_session_timeout='15s'",
            // A timeout of the user's own stays.
            "SELECT set_config('statement_timeout','60s',false) WHERE current_setting('statement_timeout')='0'",
        ]
    }

    fn claim_begins(&self) -> &'static [&'static str] {
        &["SET LOCAL lock_timeout='5s'"]
    }

    /// While COPY waits for its rows, the session is not idle and `statement_timeout` is not looked at; whoever stands in the
    /// way of a claim has been replaced, and what it was about to write comes again.
    fn end_silent_statements(&self, table: &str) -> Option<String> {
        Some(format!(
            "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks l ON l.pid=a.pid WHERE \
             l.locktype='relation' AND l.relation={}::regclass AND l.mode='RowExclusiveLock' AND l.granted AND \
             a.pid<>pg_backend_pid() AND a.usename=current_user AND \
             a.application_name=current_setting('application_name') AND a.wait_event='ClientRead' AND \
             a.query_start<clock_timestamp()-interval '5 s'",
            self.literal(table)
        ))
    }

    fn epoch_seconds(&self) -> &'static str {
        "extract(epoch from clock_timestamp())::bigint"
    }

    fn key_text_type(&self) -> &'static str {
        "TEXT"
    }
    fn alter(&self, table: &str, columns: &[String]) -> Vec<String> {
        let parts = join(columns.iter().map(|column| format!("ADD {column}")), ", ");
        vec![format!("ALTER TABLE {table} {parts}")]
    }
    fn layout(&self, write: &Write) -> Option<Layout> {
        Layout::of(write)
    }

    async fn connect(
        &self,
        target: &Target,
        quoting: Quoting,
    ) -> Result<Box<dyn Session>, DbError> {
        let url = &target.url;
        let refuse = |text: String| DbError::new(DbErrorKind::Other, text);
        let mut config = tokio_postgres::Config::new();
        if let Some(user) = &target.user {
            config.user(user);
        }
        if let Some(password) = &target.password {
            config.password(password.reveal());
        }
        if !url.database.is_empty() {
            config.dbname(&url.database);
        }
        config.application_name(url.option("ApplicationName").unwrap_or("milena"));
        let mut options = url.option("options").unwrap_or_default().to_owned();
        if let Some(schemas) = url.option("currentSchema") {
            options.push_str(&format!(" -c search_path={}", schemas.replace(' ', "")));
        }
        if !options.is_empty() {
            config.options(options.trim());
        }
        let default = if url.flag("ssl") == Some(true) {
            "verify-full"
        } else {
            "prefer"
        };
        let mode = url
            .option("sslmode")
            .unwrap_or(default)
            .to_ascii_lowercase();
        let (encryption, check) = match mode.as_str() {
            "disable" => (Encryption::Never, Check::Nothing),
            "allow" | "prefer" => (Encryption::Preferred, Check::Nothing),
            "require" => (Encryption::Required, Check::Nothing),
            "verify-ca" => (Encryption::Required, Check::Chain),
            "verify-full" => (Encryption::Required, Check::Full),
            other => {
                return Err(refuse(format!(
                    "sslmode '{other}' is unknown: use disable, prefer, require, verify-ca or verify-full"
                )));
            }
        };
        // The library is given a connection that is encrypted already.
        config.ssl_mode(SslMode::Disable);
        let identity = url.option("sslcert").zip(url.option("sslkey"));
        let way = Way {
            encryption,
            tls: Tls::new(check, url.option("sslrootcert"), identity).map_err(refuse)?,
            timeout: target.timeout,
        };
        let mut failure = None;
        for (host, port) in &url.hosts {
            match PostgresSession::connect(&way, (host, *port), &config, quoting).await {
                Ok(session) => return Ok(Box::new(session)),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| refuse("the URL names no host".to_owned())))
    }
}

pub(super) fn failed(error: Error) -> DbError {
    let Some(db) = error.as_db_error() else {
        let kind = match error.to_string() {
            text if text.contains("authentication") || text.contains("config") => {
                DbErrorKind::Other
            }
            _ => DbErrorKind::Connection,
        };
        let mut message = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            message = format!("{message}: {cause}");
        }
        return DbError::new(kind, message);
    };
    let state = db.code().code();
    let mut message = format!("{}: {}", db.severity(), db.message());
    if let Some(detail) = db.detail() {
        message.push_str(&format!(" Detail: {detail}"));
    }
    if let Some(context) = db.where_() {
        message.push_str(&format!(
            " Where: {}",
            context.lines().next().unwrap_or_default()
        ));
    }
    if let Some(column) = db.column() {
        message.push_str(&format!(" Column: {column}"));
    }
    message.push_str(&format!(" (SQLSTATE {state})"));
    DbError {
        kind: DbError::kind_of_state(state),
        message,
        code: state.to_owned(),
    }
}

/// How long a statement that was given up may take to end by itself before it is cancelled.
const UNDO_SOON: Duration = Duration::from_millis(500);

/// How the rows of a query come.
enum Rows {
    Query(Pin<Box<RowStream>>),
    /// By binary `COPY`, which takes both sides less than rows do.
    Copy(CopyRows),
}

pub(super) struct PostgresSession {
    pub(super) client: Client,
    /// Where the rows of a `COPY` go past the client.
    tap: Arc<Tap>,
    /// For the connection of a cancel request.
    way: Way,
    host: (String, u16),
    pub(super) quoting: Quoting,
    /// The query under way.
    rows: Option<Rows>,
    /// The `COPY` that rows go in by as they come; dropped, it fails with all of them.
    pub(super) copying: Option<Pin<Box<CopyInSink<Bytes>>>>,
    /// Rows that were read when a fetch was dropped.
    left: Vec<Vec<Cell>>,
    /// How its columns are read, and their names.
    decoders: Vec<(Decoder, String)>,
    statements: HashMap<String, Statement>,
    /// Staging tables of upserts, by the shape of their rows.
    pub(super) stages: HashMap<String, String>,
    /// Staging tables that hold rows of the transaction under way; its end empties them.
    pub(super) staged: Vec<String>,
}

/// A cell as a parameter in text format.
#[derive(Debug)]
pub(super) struct Param<'a>(pub(super) &'a Cell);

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        if *self.0 == Cell::Null {
            return Ok(IsNull::Yes);
        }
        let mut shown = String::new();
        text::write(self.0, &mut shown);
        out.extend_from_slice(shown.as_bytes());
        Ok(IsNull::No)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    fn to_sql_checked(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.to_sql(kind, out)
    }
    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }
}

/// The catalog's view of a table's columns; parameters: name, schema or null, whether case is folded.
const COLUMNS: &str = "SELECT a.attname::text, coalesce(b.typname,t.typname)::text, coalesce(b.typtype,t.typtype)='e', \
    CASE WHEN t.typtype='d' THEN t.typtypmod ELSE a.atttypmod END, a.attnotnull, \
    coalesce(pg_get_expr(d.adbin,d.adrelid) LIKE 'nextval(%',false) OR a.attidentity<>'', d.adbin IS NOT NULL, \
    EXISTS(SELECT 1 FROM pg_index i WHERE i.indrelid=c.oid AND i.indisprimary AND a.attnum=ANY(i.indkey)) \
    FROM pg_attribute a JOIN pg_class c ON c.oid=a.attrelid JOIN pg_type t ON t.oid=a.atttypid \
    LEFT JOIN pg_type b ON t.typtype='d' AND b.oid=t.typbasetype \
    LEFT JOIN pg_attrdef d ON d.adrelid=c.oid AND d.adnum=a.attnum \
    WHERE c.oid=(SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace \
    WHERE (c.relname=$1::text OR ($3::text='t' AND c.relname=lower($1::text))) \
    AND (($2::text IS NULL AND pg_table_is_visible(c.oid)) OR n.nspname=$2::text OR ($3::text='t' AND n.nspname=lower($2::text))) \
    AND c.relkind IN ('r','p','v','m','f') ORDER BY c.relname=$1::text DESC LIMIT 1) \
    AND a.attnum>0 AND NOT a.attisdropped ORDER BY a.attnum";

impl PostgresSession {
    async fn connect(
        way: &Way,
        (host, port): (&str, u16),
        config: &tokio_postgres::Config,
        quoting: Quoting,
    ) -> Result<Self, DbError> {
        let tap = Arc::new(Tap::default());
        let stream = TappedStream::new(way.link(host, port).await?, Arc::clone(&tap));
        let connected = config.connect_raw(stream, NoTls).await;
        let (client, connection) = connected.map_err(failed)?;
        // Ends with the client; what it says by then, every call says as well.
        tokio::spawn(async move {
            let _ended = connection.await;
        });
        Ok(Self {
            client,
            tap,
            way: way.clone(),
            host: (host.to_owned(), port),
            quoting,
            rows: None,
            copying: None,
            left: Vec::new(),
            decoders: Vec::new(),
            statements: HashMap::new(),
            stages: HashMap::new(),
            staged: Vec::new(),
        })
    }

    /// Asks the server to give up what it is at.
    async fn cancel(&self) -> Result<(), DbError> {
        let link = self.way.link(&self.host.0, self.host.1).await?;
        let cancel = self.client.cancel_token();
        cancel.cancel_query_raw(link, NoTls).await.map_err(failed)
    }

    /// Ends a query that was not read to its end; the connection skips the rest.
    fn abandon(&mut self) {
        self.rows = None;
        self.left.clear();
    }

    pub(super) async fn prepared(&mut self, sql: String) -> Result<Statement, DbError> {
        if let Some(statement) = self.statements.get(&sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&sql).await.map_err(failed)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// A query with its columns, which are then those that rows are read by.
    async fn described(&mut self, sql: &str) -> Result<(Statement, Vec<Column>), DbError> {
        self.abandon();
        // Not kept: a changed table would break a statement that was prepared before.
        let statement = self.client.prepare(sql).await.map_err(failed)?;
        let mut columns = Vec::new();
        let mut places = Vec::new();
        self.decoders.clear();
        for (index, head) in statement.columns().iter().enumerate() {
            let kind = decode::base(head.type_());
            let is_enum = matches!(kind.kind(), tokio_postgres::types::Kind::Enum(_));
            let mut column = Column::new(head.name(), SqlType::Other, "");
            decode::describe(&mut column, kind.name(), is_enum, head.type_modifier());
            if let (Some(table), Some(place)) = (head.table_oid(), head.column_id()) {
                places.push((index, table, place));
            }
            columns.push(column);
            let decoder = Decoder::new(head.type_());
            self.decoders.push((decoder, head.name().to_owned()));
        }
        if !places.is_empty() {
            let pairs = join(
                places
                    .iter()
                    .map(|(_, table, place)| format!("({table},{place})")),
                ",",
            );
            let sql = format!(
                "SELECT attrelid::bigint,attnum FROM pg_attribute WHERE attnotnull AND (attrelid,attnum) IN ({pairs})"
            );
            for message in self.client.simple_query(&sql).await.map_err(failed)? {
                let SimpleQueryMessage::Row(row) = message else {
                    continue;
                };
                let pair = (
                    row.get(0).and_then(|n| n.parse().ok()),
                    row.get(1).and_then(|n| n.parse().ok()),
                );
                for (index, table, place) in &places {
                    if pair == (Some(*table), Some(*place))
                        && let Some(column) = columns.get_mut(*index)
                    {
                        column.nullable = false;
                    }
                }
            }
        }
        Ok((statement, columns))
    }

    /// Runs a query whose rows come by themselves.
    async fn run(&mut self, statement: &Statement, params: &[Cell]) -> Result<(), DbError> {
        let params = params.iter().map(Param);
        let stream = self.client.query_raw(statement, params);
        let stream = stream.await.map_err(failed)?;
        self.rows = Some(Rows::Query(Box::pin(stream)));
        Ok(())
    }
}

#[async_trait]
impl Session for PostgresSession {
    async fn tables(&mut self, pattern: &TablePattern) -> Result<Vec<TableId>, DbError> {
        self.abandon();
        let kinds = [
            ("TABLE", "r"),
            ("PARTITIONED TABLE", "p"),
            ("VIEW", "v"),
            ("MATERIALIZED VIEW", "m"),
            ("FOREIGN TABLE", "f"),
        ];
        let wanted: Vec<_> = kinds
            .iter()
            .filter(|(name, _)| pattern.wants(name))
            .map(|(_, kind)| format!("'{kind}'"))
            .collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace \
             WHERE c.relkind IN ({}) AND n.nspname NOT IN ('pg_catalog','information_schema','pg_toast') \
             AND n.nspname NOT LIKE 'pg\\_temp%' AND n.nspname NOT LIKE 'pg\\_toast%' AND ($1::text IS NULL OR n.nspname LIKE $1::text) \
             AND NOT (c.relispartition AND c.relkind='r' AND $2::text='t') ORDER BY 1,2",
            wanted.join(",")
        );
        let schema = pattern
            .schema
            .as_ref()
            .map_or(Cell::Null, |schema| Cell::Text(schema.as_str().into()));
        // Rows of a partition come with its table, when that is read.
        let parted = Cell::Text(
            if pattern.wants("PARTITIONED TABLE") {
                "t"
            } else {
                "f"
            }
            .into(),
        );
        let rows = self
            .client
            .query(&sql, &[&Param(&schema), &Param(&parted)])
            .await
            .map_err(failed)?;
        rows.iter()
            .map(|row| {
                Ok(TableId {
                    catalog: None,
                    schema: Some(row.try_get(0).map_err(failed)?),
                    name: row.try_get(1).map_err(failed)?,
                })
            })
            .collect()
    }

    async fn columns(&mut self, table: &TableId) -> Result<Vec<Column>, DbError> {
        self.abandon();
        let name = Cell::Text(table.name.as_str().into());
        let schema = table
            .schema
            .as_ref()
            .map_or(Cell::Null, |schema| Cell::Text(schema.as_str().into()));
        let folded = Cell::Text(if self.quoting.on { "f" } else { "t" }.into());
        let statement = self.prepared(COLUMNS.to_owned()).await?;
        let params: [&(dyn ToSql + Sync); 3] = [&Param(&name), &Param(&schema), &Param(&folded)];
        let rows = self
            .client
            .query(&statement, &params)
            .await
            .map_err(failed)?;
        let mut columns = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut column = Column::new(
                row.try_get::<_, String>(0).map_err(failed)?,
                SqlType::Other,
                "",
            );
            let (kind, is_enum, modifier): (String, bool, i32) = (
                row.try_get(1).map_err(failed)?,
                row.try_get(2).map_err(failed)?,
                row.try_get(3).map_err(failed)?,
            );
            decode::describe(&mut column, &kind, is_enum, modifier);
            column.nullable = !row.try_get::<_, bool>(4).map_err(failed)?;
            column.auto_increment = row.try_get(5).map_err(failed)?;
            column.has_default = row.try_get(6).map_err(failed)?;
            column.primary_key = row.try_get(7).map_err(failed)?;
            columns.push(column);
        }
        Ok(columns)
    }

    async fn now(&mut self) -> Result<Stamp, DbError> {
        self.abandon();
        let sql = "SELECT (extract(epoch FROM clock_timestamp())*1000000)::bigint";
        let statement = self.prepared(sql.to_owned()).await?;
        let row = self
            .client
            .query_one(&statement, &[])
            .await
            .map_err(failed)?;
        Ok(Stamp::from_micros(row.try_get(0).map_err(failed)?))
    }

    async fn open(&mut self, sql: &str, params: Vec<Cell>) -> Result<Vec<Column>, DbError> {
        let (statement, columns) = self.described(sql).await?;
        self.run(&statement, &params).await?;
        Ok(columns)
    }

    async fn open_large(
        &mut self,
        sql: &str,
        params: Vec<Cell>,
    ) -> Result<(Vec<Column>, Option<Arc<LaidOutColumns>>), DbError> {
        let (statement, columns) = self.described(sql).await?;
        // `COPY` takes no parameters, and a query that it does not take (`SHOW`) runs as it is.
        if params.is_empty() {
            let copy = format!("COPY ({sql}\n) TO STDOUT (FORMAT binary)");
            let chunks = self.tap.open();
            if let Ok(answer) = self.client.copy_out(&copy).await {
                self.rows = Some(Rows::Copy(CopyRows::new(answer, chunks)));
                let laid_out = LaidOutColumns::new(std::mem::take(&mut self.decoders));
                return Ok((columns, Some(Arc::new(laid_out))));
            }
            self.tap.close();
        }
        self.run(&statement, &params).await?;
        Ok((columns, None))
    }

    async fn fetch(&mut self, max: usize) -> Result<Vec<Vec<Cell>>, DbError> {
        let Some(Rows::Query(rows)) = &mut self.rows else {
            return Ok(Vec::new());
        };
        // Rows gather in the session: a dropped call loses none.
        while self.left.len() < max {
            let Some(row) = rows.next().await.transpose().map_err(failed)? else {
                self.rows = None;
                break;
            };
            let cells = self.decoders.iter().enumerate();
            let cells = cells.map(|(index, (decoder, name))| {
                match row.try_get::<_, Option<Raw<'_>>>(index).map_err(failed)? {
                    Some(raw) => decoder.cell(raw.0).map_err(|error| error.in_column(name)),
                    None => Ok(Cell::Null),
                }
            });
            self.left.push(cells.collect::<Result<_, _>>()?);
        }
        Ok(std::mem::take(&mut self.left))
    }

    async fn fetch_chunk(&mut self) -> Result<Chunk, DbError> {
        let Some(Rows::Copy(rows)) = &mut self.rows else {
            return Ok(Chunk {
                bytes: Bytes::new(),
                is_last: true,
            });
        };
        let chunk = rows.next().await?;
        if chunk.is_last {
            self.rows = None;
        }
        Ok(chunk)
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, DbError> {
        self.abandon();
        if sql.starts_with("ROLLBACK") {
            // Staging tables of the transaction go with it.
            self.stages.clear();
        }
        if sql == "COMMIT" || sql.starts_with("ROLLBACK") {
            self.staged.clear();
        }
        let messages = self.client.simple_query(sql).await.map_err(failed)?;
        let counts = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::CommandComplete(count) => Some(*count),
            _ => None,
        });
        Ok(counts.last().unwrap_or(0))
    }

    async fn write(&mut self, write: &Write, rows: &[Vec<Cell>]) -> Result<Option<u64>, DbError> {
        self.abandon();
        self.write_rows(write, rows).await
    }

    async fn write_laid_out(
        &mut self,
        write: &Write,
        parts: Vec<Bytes>,
        differ: bool,
    ) -> Result<Option<u64>, DbError> {
        if write.kind == WriteKind::Upsert {
            self.abandon();
            self.merge_laid_out(write, parts, differ).await?;
            return Ok(None);
        }
        self.stream_laid_out(write, parts).await?;
        self.end_stream().await.map(Some)
    }

    async fn stream_laid_out(&mut self, write: &Write, parts: Vec<Bytes>) -> Result<(), DbError> {
        self.abandon();
        let table = write.table.sql(self.quoting);
        let into = format!("{table}({})", write.column_list(self.quoting));
        self.copy_laid_out(&into, parts).await
    }

    async fn end_stream(&mut self) -> Result<u64, DbError> {
        self.end_copy().await
    }

    fn writes_at_once(&self, kind: WriteKind, rows: usize) -> bool {
        kind == WriteKind::Insert && rows >= COPY_ROWS_MIN
    }

    fn undoes(&self) -> bool {
        true
    }

    async fn undo(&mut self) -> Result<(), DbError> {
        self.abandon();
        self.copying = None;
        self.stages.clear();
        self.staged.clear();
        // A COPY whose rows do not go on has failed with them. The server answers in order: this is behind all else.
        let mut rollback = std::pin::pin!(self.client.simple_query("ROLLBACK"));
        let answer = match tokio::time::timeout(UNDO_SOON, &mut rollback).await {
            Ok(answer) => answer,
            Err(_) => {
                // What is under way waits for a lock, or has a long way to go.
                if let Err(error) = self.cancel().await {
                    debug!(%error, "a statement cannot be cancelled");
                }
                rollback.await
            }
        };
        answer.map(|_| ()).map_err(failed)
    }

    fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}
