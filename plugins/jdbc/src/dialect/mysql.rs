//! MySQL and MariaDB by `mysql_async`: prepared statements, several rows each.

use std::borrow::Cow;

use async_trait::async_trait;
use milena_data::Schema;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Params, SslOpts, Value, prelude::Queryable};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    DbError, DbErrorKind, Dialect, Kind, Session, TablePattern, Target, Write, WriteKind, join,
    mysql_cells::{Reader, cell, head, parameters, sql_type},
};
use crate::{
    cell::{Cell, Column, Stamp},
    table::{Quoting, TableId},
    url::JdbcUrl,
};

/// How many rows travel together from the connection's task.
const CHUNK: usize = 500;
/// The most rows of one statement: a power of two, so that few statements serve all sizes of batches.
const ROWS_MAX: usize = 256;
/// The most parameters of one statement (16 bits in the protocol).
const PARAMS_MAX: usize = 65_535;

/// The dialect of MySQL and MariaDB.
pub(crate) struct MySql;

#[async_trait]
impl Dialect for MySql {
    fn name(&self) -> &'static str {
        "MySql"
    }
    fn quotes(&self) -> (char, char) {
        ('`', '`')
    }
    fn catalog_first(&self) -> bool {
        true
    }
    fn ddl_commits(&self) -> bool {
        true
    }
    fn placeholder(&self, _n: usize) -> String {
        "?".to_owned()
    }
    fn column_type(&self, schema: &Schema, _key: bool) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match Kind::of(schema)? {
            Kind::Int8 | Kind::Boolean => "TINYINT",
            Kind::Int16 => "SMALLINT",
            Kind::Int32 => "INT",
            Kind::Int64 => "BIGINT",
            Kind::Float32 => "FLOAT",
            Kind::Float64 => "DOUBLE",
            Kind::Text => "VARCHAR(256)",
            Kind::Bytes => "VARBINARY(1024)",
            Kind::Decimal(scale) => return Some(Cow::Owned(format!("DECIMAL(65,{scale})"))),
            Kind::Date => "DATE",
            Kind::Time => "TIME(3)",
            Kind::Timestamp => "DATETIME(3)",
        }))
    }
    fn literal(&self, text: &str) -> String {
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    }
    fn unique_keys(&self, table: &TableId) -> Option<String> {
        let schema = table.catalog.as_ref().or(table.schema.as_ref());
        let schema = schema.map_or("DATABASE()".to_owned(), |schema| self.literal(schema));
        Some(format!(
            "SELECT GROUP_CONCAT(column_name) FROM information_schema.statistics WHERE non_unique=0 AND \
             table_schema={schema} AND table_name={} GROUP BY index_name",
            self.literal(&table.name)
        ))
    }

    fn end_silent_transactions(&self) -> &'static [&'static str] {
        &[IDLE_TRANSACTION_TIMEOUT]
    }

    fn begin(&self) -> &'static str {
        BEGIN
    }

    fn epoch_seconds(&self) -> &'static str {
        "unix_timestamp()"
    }

    fn key_text_type(&self) -> &'static str {
        // Compared byte by byte, as names in Kafka are, and short enough for a key (767 bytes before MySQL 5.7).
        "VARBINARY(255)"
    }
    fn alter(&self, table: &str, columns: &[String]) -> Vec<String> {
        let parts = join(columns.iter().map(|column| format!("ADD {column}")), ", ");
        vec![format!("ALTER TABLE {table} {parts}")]
    }
    fn isolation(&self, level: &str) -> Option<String> {
        Some(format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"))
    }
    async fn connect(
        &self,
        target: &Target,
        quoting: Quoting,
    ) -> Result<Box<dyn Session>, DbError> {
        let url = &target.url;
        let (tls, required) = tls(url)?;
        let mut last = DbError::new(DbErrorKind::Connection, "the URL names no host");
        for (host, port) in &url.hosts {
            let plain = OptsBuilder::default()
                .ip_or_hostname(host.clone())
                .tcp_port(*port)
                .user(target.user.clone())
                .pass(
                    target
                        .password
                        .as_ref()
                        .map(|password| password.reveal().clone()),
                )
                .db_name(Some(url.database.clone()).filter(|name| !name.is_empty()))
                .client_found_rows(true)
                .prefer_socket(false)
                .tcp_nodelay(true)
                .setup(vec![
                    "SET time_zone='+00:00'",
                    "SET sql_mode=CONCAT(@@sql_mode,',STRICT_ALL_TABLES')",
                ]);
            let secure = plain.clone().ssl_opts(tls.clone());
            let mut connected = Conn::new(Opts::from(secure)).await;
            if let Err(Error::Driver(_)) = &connected
                && tls.is_some()
                && !required
            {
                // The server has no TLS, and it was only preferred.
                connected = Conn::new(Opts::from(plain)).await;
            }
            match connected {
                Ok(conn) => {
                    return Ok(Box::new(MySqlSession {
                        conn: Some(conn),
                        cursor: None,
                        quoting,
                        zero_dates: zero_dates(url),
                        limits_transactions: false,
                    }));
                }
                Err(error) => last = failed(error),
            }
        }
        Err(last)
    }
}

/// TLS by the options of both drivers, and whether it must be.
fn tls(url: &JdbcUrl) -> Result<(Option<SslOpts>, bool), DbError> {
    let refuse = |text: &str| DbError::new(DbErrorKind::Other, text);
    let given = url
        .option("sslMode")
        .map(|mode| mode.to_ascii_lowercase().replace('_', "-"));
    let mode = match (given.as_deref(), url.flag("useSSL")) {
        (Some(mode), _) => mode,
        (None, Some(false)) => "disabled",
        (None, Some(true)) => match url.flag("trustServerCertificate") == Some(true)
            || url.flag("verifyServerCertificate") == Some(false)
        {
            true => "required",
            false => "verify-full",
        },
        (None, None) => "preferred",
    };
    let mut options = SslOpts::default();
    if let Some(path) = url.option("serverSslCert").or(url.option("sslCa")) {
        let path = std::path::PathBuf::from(path.trim_start_matches("file:"));
        options = options
            .with_root_certs(vec![path.into()])
            .with_disable_built_in_roots(true);
    }
    let any = || {
        SslOpts::default()
            .with_danger_accept_invalid_certs(true)
            .with_danger_skip_domain_validation(true)
    };
    Ok(match mode {
        "disable" | "disabled" => (None, false),
        "preferred" => (Some(any()), false),
        "required" | "trust" => (Some(any()), true),
        "verify-ca" => (Some(options.with_danger_skip_domain_validation(true)), true),
        "verify-identity" | "verify-full" => (Some(options), true),
        _ => {
            return Err(refuse(
                "sslMode is unknown: use DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY",
            ));
        }
    })
}

fn zero_dates(url: &JdbcUrl) -> bool {
    url.option("zeroDateTimeBehavior")
        .is_some_and(|text| text.replace('_', "").eq_ignore_ascii_case("convertToNull"))
}

fn failed(error: Error) -> DbError {
    let message = error.to_string();
    match error {
        Error::Server(server) => {
            let kind = match server.code {
                1205 | 1213 => DbErrorKind::Transient,
                // Wrong value, out of range, truncated, no default, a check that failed.
                1048 | 1062 | 1264 | 1265 | 1292 | 1364 | 1366 | 1406 | 3819 | 4025 => {
                    DbErrorKind::Data
                }
                1040 | 1053 | 1077 | 1152 | 1184 => DbErrorKind::Connection,
                _ => DbError::kind_of_state(&server.state),
            };
            DbError {
                kind,
                message: format!(
                    "{} (error {}, SQLSTATE {})",
                    server.message, server.code, server.state
                ),
                code: server.code.to_string(),
            }
        }
        Error::Io(_) => DbError::new(DbErrorKind::Connection, message),
        _ if message.contains("closed") || message.contains("disconnected") => {
            DbError::new(DbErrorKind::Connection, message)
        }
        _ => DbError::new(DbErrorKind::Other, message),
    }
}

/// What MariaDB has.
const IDLE_TRANSACTION_TIMEOUT: &str = "SET SESSION idle_transaction_timeout=15";
/// `ER_UNKNOWN_SYSTEM_VARIABLE`
const UNKNOWN_VARIABLE: &str = "1193";
/// What MySQL has: how long a session may be idle in any state, 8 hours otherwise. Outside of transactions it stays as it is.
const KEEP_WAIT_TIMEOUT: &str = "SET @milena_wait_timeout=@@SESSION.wait_timeout";
const BEGIN: &str = "BEGIN";
const IN_TRANSACTION: &str = "SET SESSION wait_timeout=15";
const AFTER_TRANSACTION: &str = "SET SESSION wait_timeout=@milena_wait_timeout";

type Row = Vec<Cell>;

struct Cursor {
    rows: mpsc::Receiver<Result<Vec<Row>, DbError>>,
    left: Vec<Row>,
    reader: JoinHandle<Option<Conn>>,
}

struct MySqlSession {
    conn: Option<Conn>,
    cursor: Option<Cursor>,
    quoting: Quoting,
    /// Dates of zeros are null; else an error.
    zero_dates: bool,
    /// The server has no time limit for idle transactions, so each one brings its own.
    limits_transactions: bool,
}

impl MySqlSession {
    /// The connection, after an unread query is done with.
    async fn conn(&mut self) -> Result<&mut Conn, DbError> {
        if let Some(cursor) = self.cursor.take() {
            drop(cursor.rows);
            self.conn = cursor.reader.await.ok().flatten();
        }
        let gone = || DbError::new(DbErrorKind::Connection, "the connection is closed");
        self.conn.as_mut().ok_or_else(gone)
    }

    async fn run(&mut self, sql: &str) -> Result<u64, DbError> {
        let conn = self.conn().await?;
        conn.query_drop(sql).await.map_err(failed)?;
        Ok(conn.affected_rows())
    }
}

/// The statement for so many rows.
fn statement(write: &Write, quoting: Quoting, rows: usize) -> String {
    let table = write.table.sql(quoting);
    let list = write.column_list(quoting);
    let marks = |count: usize| format!("({})", join((0..count).map(|_| "?".to_owned()), ","));
    let all = |count: usize| join((0..rows).map(|_| marks(count)), ",");
    let equal = |columns: &[Column], between: &str| {
        join(
            columns
                .iter()
                .map(|column| format!("{}=?", quoting.quote(&column.name))),
            between,
        )
    };
    let count = write.columns().count();
    match write.kind {
        WriteKind::Insert => format!("INSERT INTO {table}({list}) VALUES{}", all(count)),
        WriteKind::Upsert => {
            let columns = if write.values.is_empty() {
                &write.keys
            } else {
                &write.values
            };
            let sets = columns.iter().map(|column| {
                let name = quoting.quote(&column.name);
                format!("{name}=VALUES({name})")
            });
            format!(
                "INSERT INTO {table}({list}) VALUES{} ON DUPLICATE KEY UPDATE {}",
                all(count),
                join(sets, ",")
            )
        }
        WriteKind::Update => format!(
            "UPDATE {table} SET {} WHERE {}",
            equal(&write.values, ","),
            equal(&write.keys, " AND ")
        ),
        WriteKind::Delete => {
            let keys = join(write.keys.iter().map(|key| quoting.quote(&key.name)), ",");
            format!(
                "DELETE FROM {table} WHERE ({keys}) IN ({})",
                all(write.keys.len())
            )
        }
    }
}

#[async_trait]
impl Session for MySqlSession {
    async fn tables(&mut self, pattern: &TablePattern) -> Result<Vec<TableId>, DbError> {
        let mut kinds = Vec::new();
        if pattern.wants("TABLE") {
            kinds.push("'BASE TABLE'");
        }
        if pattern.wants("VIEW") {
            kinds.push("'VIEW'");
        }
        if kinds.is_empty() {
            return Ok(Vec::new());
        }
        // A catalog is what MySQL calls a database; absent, the one of the URL.
        let catalog = pattern.catalog.clone().or_else(|| pattern.schema.clone());
        let sql = format!(
            "SELECT table_schema,table_name FROM information_schema.tables WHERE table_type IN ({}) AND table_schema LIKE \
             COALESCE(?,DATABASE()) ORDER BY 1,2",
            kinds.join(",")
        );
        let rows: Vec<(String, String)> = self
            .conn()
            .await?
            .exec(sql, (catalog,))
            .await
            .map_err(failed)?;
        let table = |(catalog, name)| TableId {
            catalog: Some(catalog),
            schema: None,
            name,
        };
        Ok(rows.into_iter().map(table).collect())
    }

    async fn columns(&mut self, table: &TableId) -> Result<Vec<Column>, DbError> {
        type Found = (
            String,
            String,
            String,
            String,
            Option<u64>,
            Option<u64>,
            String,
            String,
            bool,
        );
        let schema = table.catalog.clone().or_else(|| table.schema.clone());
        let sql = "SELECT column_name,LOWER(data_type),LOWER(column_type),is_nullable,numeric_precision,numeric_scale,\
                   column_key,LOWER(extra),column_default IS NOT NULL FROM information_schema.columns \
                   WHERE table_schema=COALESCE(?,DATABASE()) AND table_name=? ORDER BY ordinal_position";
        let rows: Vec<Found> = self
            .conn()
            .await?
            .exec(sql, (schema, table.name.clone()))
            .await
            .map_err(failed)?;
        let column = |(
            name,
            data_type,
            full,
            nullable,
            precision,
            scale,
            key,
            extra,
            has_default,
        ): Found| {
            let small = |n: Option<u64>| n.and_then(|n| i32::try_from(n).ok());
            let precision = small(precision).unwrap_or(0);
            let mut column = Column::new(name, sql_type(&data_type, precision), &data_type);
            column.precision = precision;
            column.scale = Some(small(scale).unwrap_or(0));
            column.nullable = nullable.eq_ignore_ascii_case("yes");
            column.unsigned = full.contains("unsigned");
            column.auto_increment = extra.contains("auto_increment");
            column.primary_key = key.eq_ignore_ascii_case("pri");
            column.has_default = has_default;
            column
        };
        Ok(rows.into_iter().map(column).collect())
    }

    async fn now(&mut self) -> Result<Stamp, DbError> {
        let sql = "SELECT CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS SIGNED)";
        let micros: Option<i64> = self.conn().await?.query_first(sql).await.map_err(failed)?;
        Ok(Stamp::from_micros(micros.unwrap_or(0)))
    }

    async fn open(&mut self, sql: &str, params: Vec<Cell>) -> Result<Vec<Column>, DbError> {
        let params = parameters(params.iter())?;
        self.conn().await?;
        let Some(conn) = self.conn.take() else {
            return Err(DbError::new(
                DbErrorKind::Connection,
                "the connection is closed",
            ));
        };
        let (heads, columns) = tokio::sync::oneshot::channel();
        let (sender, rows) = mpsc::channel(2);
        let reader = tokio::spawn(read(
            conn,
            sql.to_owned(),
            params,
            self.zero_dates,
            heads,
            sender,
        ));
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
        if self.limits_transactions && sql == BEGIN {
            self.run(IN_TRANSACTION).await?;
        }
        let outcome = self.run(sql).await;
        match &outcome {
            Err(error) if sql == IDLE_TRANSACTION_TIMEOUT && error.code == UNKNOWN_VARIABLE => {
                self.run(KEEP_WAIT_TIMEOUT).await?;
                self.limits_transactions = true;
                return Ok(0);
            }
            _ if self.limits_transactions && (sql == "COMMIT" || sql == "ROLLBACK") => {
                // Where it fails the connection is gone, and the next statement tells so.
                let _gone = self.run(AFTER_TRANSACTION).await;
            }
            _ => {}
        }
        outcome
    }

    async fn write(&mut self, write: &Write, rows: &[Row]) -> Result<Option<u64>, DbError> {
        let quoting = self.quoting;
        let conn = self.conn().await?;
        let mut touched = 0;
        let width = match write.kind {
            WriteKind::Delete => write.keys.len(),
            _ => write.columns().count(),
        };
        let most = match write.kind {
            WriteKind::Update => 1,
            _ => (PARAMS_MAX / width.max(1)).min(ROWS_MAX),
        };
        let mut rest = rows;
        while !rest.is_empty() {
            // Powers of two: a batch of any size takes few statements, and those are kept prepared.
            let fits = rest.len().min(most).max(1);
            let size = 1 << fits.ilog2();
            let (some, others) = rest.split_at_checked(size).unwrap_or((rest, &[]));
            rest = others;
            let sql = statement(write, quoting, some.len());
            let params = match write.kind {
                WriteKind::Update => {
                    // SET comes before WHERE.
                    let keys = write.keys.len();
                    let ordered = some
                        .iter()
                        .flat_map(|row| row.iter().skip(keys).chain(row.iter().take(keys)));
                    parameters(ordered)?
                }
                _ => parameters(some.iter().flatten())?,
            };
            conn.exec_drop(sql, params).await.map_err(failed)?;
            touched += conn.affected_rows();
        }
        Ok((write.kind == WriteKind::Insert).then_some(touched))
    }

    fn is_closed(&self) -> bool {
        self.conn.is_none() && self.cursor.is_none()
    }
}

/// Runs a query and sends its rows; gives the connection back when all were read.
async fn read(
    mut conn: Conn,
    sql: String,
    params: Params,
    zero_dates: bool,
    heads: tokio::sync::oneshot::Sender<Vec<Column>>,
    sender: mpsc::Sender<Result<Vec<Row>, DbError>>,
) -> Option<Conn> {
    let mut result = match conn.exec_iter(sql, params).await {
        Ok(result) => result,
        Err(error) => {
            drop(heads);
            // Nobody may be left to hear it.
            let _gone = sender.send(Err(failed(error))).await;
            return Some(conn);
        }
    };
    let columns: Vec<_> = result.columns_ref().iter().map(head).collect();
    let readers: Vec<_> = columns
        .iter()
        .map(|column| Reader {
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            sql: column.sql.clone(),
            zero_dates,
        })
        .collect();
    if heads.send(columns).is_err() {
        return None;
    }
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        let row = match result.next().await {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) => {
                let _gone = sender.send(Err(failed(error))).await;
                return None;
            }
        };
        let cells = row.unwrap_raw().into_iter().zip(&readers);
        let cells = cells.map(|(value, reader)| cell(value.unwrap_or(Value::NULL), reader));
        match cells.collect::<Result<Row, DbError>>() {
            Ok(cells) => chunk.push(cells),
            Err(error) => {
                let _gone = sender.send(Err(error)).await;
                return None;
            }
        }
        if chunk.len() == CHUNK && sender.send(Ok(std::mem::take(&mut chunk))).await.is_err() {
            // The rest is not wanted: the connection is cut rather than drained.
            return None;
        }
    }
    drop(result);
    if !chunk.is_empty() {
        let _gone = sender.send(Ok(chunk)).await;
    }
    Some(conn)
}
