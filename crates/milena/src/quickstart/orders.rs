//! The demo's databases: a table of orders in one SQLite database, kept up to date in another.
//!
//! JDBC source, transforms, topic `orders`, JDBC sink; `--show` prints both tables.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(super) const SOURCE: &str = "orders-source";
pub(super) const SINK: &str = "orders-sink";
const TOPIC: &str = "orders";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
/// Between two orders; each third time an order changes instead.
const PAUSE: Duration = Duration::from_millis(500);
/// Orders that a fresh table starts with, so that the first second shows something.
const FIRST_ORDERS: u32 = 6;
/// How many rows of each table `--show` prints.
const SHOWN: u32 = 8;
/// How long a database may be locked by the connectors.
const LOCKED: Duration = Duration::from_secs(5);
/// Readers and the writer do not lock each other out, and nothing waits for the disk: it is a demo.
const TABLE: &str = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE IF NOT EXISTS orders(\
    id INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT NOT NULL, amount NUMERIC(10,2) NOT NULL, state TEXT NOT NULL, \
    changed_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now')))";
const NEW: &str = "INSERT INTO orders(item,amount,state) SELECT \
    CASE n%4 WHEN 0 THEN 'tea' WHEN 1 THEN 'coffee' WHEN 2 THEN 'bread' ELSE 'honey' END, ((n*737)%4850+150)/100.0, \
    'new' FROM (SELECT coalesce(max(id),0)+1 AS n FROM orders)";
const CHANGED: &str = "UPDATE orders SET state='paid', changed_at=strftime('%Y-%m-%d %H:%M:%f','now') \
    WHERE id=(SELECT min(id) FROM orders WHERE state='new')";

/// How many orders a table has, and how many of them are paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Counts {
    pub(super) orders: i64,
    pub(super) paid: i64,
}

/// The two databases.
#[derive(Clone)]
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

    /// Makes the table of orders, with a few of them.
    pub(super) fn prepare(&self) -> rusqlite::Result<()> {
        let connection = Connection::open(&self.source)?;
        connection.busy_timeout(LOCKED)?;
        connection.execute_batch(TABLE)?;
        if counts(&connection)?.orders == 0 {
            for _ in 0..FIRST_ORDERS {
                connection.execute_batch(NEW)?;
            }
        }
        Ok(())
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
                connection.busy_timeout(LOCKED)?;
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

    pub(super) fn target(&self) -> PathBuf {
        self.target.clone()
    }

    /// What `--show` must be told besides, when everything is not where it is by default.
    pub(super) fn elsewhere(&self) -> String {
        let dir = self.source.parent().unwrap_or(Path::new("."));
        let default = Path::new(crate::cli::QUICKSTART_DIR).canonicalize();
        match default.is_ok_and(|default| default == dir) {
            true => String::new(),
            false => format!(" --dir {}", dir.display()),
        }
    }

    /// What both tables hold; `None` for one that is not there yet.
    pub(super) fn counts(&self) -> [Option<Counts>; 2] {
        [&self.source, &self.target].map(|path| counts(&reader(path).ok()?).ok())
    }

    /// The last rows of both tables, as text.
    pub(super) fn show(&self) -> rusqlite::Result<String> {
        let source = rows(&reader(&self.source)?, "item")?;
        let copy = match reader(&self.target).and_then(|copy| rows(&copy, "product")) {
            Ok(copy) => copy,
            // The sink makes database and table with its first batch.
            Err(_) => "nothing yet\n".to_owned(),
        };
        Ok(format!(
            "{}: {source}\n{}: {copy}",
            name(&self.source),
            name(&self.target)
        ))
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Opens a database for looking only: what is not there is not made.
fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(LOCKED)?;
    Ok(connection)
}

fn counts(connection: &Connection) -> rusqlite::Result<Counts> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE state='paid') FROM orders";
    connection.query_row(sql, [], |row| {
        Ok(Counts {
            orders: row.get(0)?,
            paid: row.get(1)?,
        })
    })
}

fn rows(connection: &Connection, product: &str) -> rusqlite::Result<String> {
    let Counts { orders, paid } = counts(connection)?;
    let mut text = format!("{orders} orders, {paid} paid\n");
    text.push_str(&line(["id", product, "amount", "state", "changed at"]));
    let sql = format!(
        "SELECT id||'', {product}, printf('%.2f',amount), state, changed_at FROM orders ORDER BY changed_at DESC, id \
         DESC LIMIT {SHOWN}"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let cell = |index| row.get::<_, String>(index);
        let cells = [cell(0)?, cell(1)?, cell(2)?, cell(3)?, cell(4)?];
        text.push_str(&line(cells.each_ref().map(String::as_str)));
    }
    Ok(text)
}

fn line([id, product, amount, state, changed]: [&str; 5]) -> String {
    format!("  {id:>5}  {product:<8}{amount:>8}  {state:<6}{changed}\n")
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{CHANGED, Counts, NEW, Orders};

    #[test]
    fn a_table_is_made_once_and_shown_before_there_is_a_copy() {
        let dir = tempfile::tempdir().unwrap();
        let orders = Orders::new(dir.path());
        assert!(orders.show().is_err(), "nothing to show");
        orders.prepare().unwrap();
        orders.prepare().unwrap();
        let database = Connection::open(orders.source()).unwrap();
        database.execute_batch(NEW).unwrap();
        database.execute_batch(CHANGED).unwrap();
        let counts = Some(Counts { orders: 7, paid: 1 });
        assert_eq!(orders.counts(), [counts, None]);
        let text = orders.show().unwrap();
        assert!(text.contains("orders.db: 7 orders, 1 paid\n"), "{text}");
        assert!(
            text.contains("      1  coffee      8.87  paid  2"),
            "{text}"
        );
        assert!(text.ends_with("orders-copy.db: nothing yet\n"), "{text}");
    }
}
