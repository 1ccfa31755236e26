//! `milena quickstart --orders`: a table of orders in one SQLite database, kept up to date in another.
//!
//! JDBC source, topic `orders`, transforms, JDBC sink; `--show` prints both tables.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(super) const SOURCE: &str = "orders-source";
pub(super) const SINK: &str = "orders-sink";
const TOPIC: &str = "orders";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
/// Between two orders; each third time an order changes instead.
const PAUSE: Duration = Duration::from_millis(500);
/// How many rows of each table `--show` prints.
const SHOWN: u32 = 10;
const TABLE: &str = "PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS orders(id INTEGER PRIMARY KEY AUTOINCREMENT, \
    item TEXT NOT NULL, amount NUMERIC(10,2) NOT NULL, state TEXT NOT NULL, \
    changed_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now')))";
const NEW: &str = "INSERT INTO orders(item,amount,state) SELECT \
    CASE abs(random())%4 WHEN 0 THEN 'tea' WHEN 1 THEN 'coffee' WHEN 2 THEN 'bread' ELSE 'honey' END, \
    (abs(random())%5000)/100.0, 'new'";
const CHANGED: &str = "UPDATE orders SET state='paid', changed_at=strftime('%Y-%m-%d %H:%M:%f','now') \
    WHERE id=(SELECT min(id) FROM orders WHERE state='new')";

/// The two databases.
pub(super) struct Orders {
    source: PathBuf,
    target: PathBuf,
}

impl Orders {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            source: dir.join("orders.db"),
            target: dir.join("orders-copy.db"),
        }
    }

    /// Both connectors with their configurations.
    pub(super) fn connectors(&self) -> [(&'static str, Value); 2] {
        let source = json!({
            "connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector",
            "tasks.max": "1",
            "connection.url": format!("jdbc:sqlite:{}", self.source.display()),
            "mode": "timestamp+incrementing",
            "incrementing.column.name": "id",
            "timestamp.column.name": "changed_at",
            "table.whitelist": "orders",
            "topic.prefix": "quickstart-",
            "poll.interval.ms": "200",
            "topic.creation.default.partitions": "1",
            "topic.creation.default.replication.factor": "1",
            "value.converter": JSON,
            "value.converter.schemas.enable": "true",
            "transforms": "topic,rename",
            "transforms.topic.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.topic.regex": "quickstart-(.*)",
            "transforms.topic.replacement": "$1",
            "transforms.rename.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
            "transforms.rename.renames": "item:product",
        });
        let sink = json!({
            "connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector",
            "tasks.max": "1",
            "connection.url": format!("jdbc:sqlite:{}?date_class=TEXT", self.target.display()),
            "topics": TOPIC,
            "insert.mode": "upsert",
            "pk.mode": "record_value",
            "pk.fields": "id",
            "auto.create": "true",
            "value.converter": JSON,
            "value.converter.schemas.enable": "true",
            "consumer.override.isolation.level": "read_committed",
        });
        [(SOURCE, source), (SINK, sink)]
    }

    /// Makes the table of orders.
    pub(super) fn prepare(&self) -> rusqlite::Result<()> {
        Connection::open(&self.source)?.execute_batch(TABLE)
    }

    /// New and changed orders until it is cancelled.
    pub(super) async fn sell(source: PathBuf, until: CancellationToken) {
        let mut turn = 0_u32;
        let mut ticks = tokio::time::interval(PAUSE);
        loop {
            tokio::select! {
                () = until.cancelled() => return,
                _ = ticks.tick() => turn = turn.wrapping_add(1),
            }
            let sql = if turn.is_multiple_of(3) { CHANGED } else { NEW };
            let path = source.clone();
            let sold = tokio::task::spawn_blocking(move || {
                let connection = Connection::open(path)?;
                connection.busy_timeout(Duration::from_secs(5))?;
                connection.execute_batch(sql)
            });
            if let Ok(Err(error)) = sold.await {
                tracing::warn!(%error, "an order could not be written");
            }
        }
    }

    pub(super) fn source(&self) -> PathBuf {
        self.source.clone()
    }

    /// The last rows of both tables, as text.
    pub(super) fn show(&self) -> rusqlite::Result<String> {
        let mut text = String::new();
        for (path, product) in [(&self.source, "item"), (&self.target, "product")] {
            let connection =
                Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let count: i64 =
                connection.query_row("SELECT count(*) FROM orders", [], |row| row.get(0))?;
            text.push_str(&format!("{} ({count} orders)\n", path.display()));
            let sql = format!(
                "SELECT id||'', {product}, amount||'', state, changed_at FROM orders ORDER BY changed_at DESC LIMIT {SHOWN}"
            );
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let cells: Vec<String> = (0..5)
                    .map(|index| row.get(index))
                    .collect::<Result<_, _>>()?;
                text.push_str(&format!("  {}\n", cells.join("  ")));
            }
        }
        Ok(text)
    }
}
