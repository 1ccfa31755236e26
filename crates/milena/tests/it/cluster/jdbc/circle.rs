//! Rows go around: PostgreSQL, MariaDB, SQLite and back to PostgreSQL, each hop through a topic, value by value.

use milena_testing_databases::{mariadb, postgres};

use super::{cluster, connector};
use crate::{
    clients::Embedded,
    cluster::world::{create, until},
};

const TEST: &str = "rows_go_around_three_databases";
const TABLE: &str = "create table people(id bigint primary key, name text, amount numeric(12,4), score double precision, born date, \
    woke time(3), at timestamp(3) not null, ok boolean, raw bytea)";
/// Declared types, which are what the source goes by.
const SQLITE: &str = "create table people(id integer primary key, name text, amount numeric(12,4), score real, born date, woke time, \
    at timestamp not null, ok boolean, raw blob)";
const FIRST: &str = "insert into people values(1,'Ann \u{fc} \u{1f680}',12.3400,1.5,'2026-01-02','03:04:05.678','2026-01-02 03:04:05.123',true,'\\x00ff5c'),\
    (2,null,null,null,null,null,'1999-12-31 23:59:59.999',null,null),\
    (3,'',-99999999.9999,-2.5e-10,'1970-01-01','00:00:00','2038-01-19 03:14:08',false,'')";
const SECOND: &str = "insert into people select n,'row '||n,n/4.0,n*1.5,date '2020-01-01'+n::int,time '00:00'+n*interval '1 minute',\
    timestamp '2026-02-01'+n*interval '1 second',n%2=0,decode(lpad(to_hex(n),8,'0'),'hex') from generate_series(10,1009) n";
const SEEN: &str = "select id,name,amount,score,born,woke,at,ok::int,encode(raw,'hex')";

#[test]
fn rows_go_around_three_databases() {
    let (Some(pg), Some(maria)) = (postgres(TEST, &[]), mariadb(TEST, &[])) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let cluster = cluster(&kafka.bootstrap, &[]);
    let sqlite = cluster.at("people.db");
    rusqlite::Connection::open(&sqlite)
        .unwrap()
        .execute_batch(&format!("pragma journal_mode=wal; {SQLITE}"))
        .unwrap();
    pg.sql(&format!("{TABLE}; {FIRST}"));
    let pg_url = format!(
        "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
        pg.port
    );
    let maria_url = format!("jdbc:mariadb://127.0.0.1:{}/test?user=root", maria.port);
    let sqlite_url = format!("jdbc:sqlite:{}?date_class=TEXT", sqlite.display());
    let worker = cluster.joined("worker");
    let hops = [
        ("pg", &pg_url, "maria", &maria_url, ""),
        ("maria", &maria_url, "sqlite", &sqlite_url, "true"),
        ("sqlite", &sqlite_url, "back", &pg_url, "true"),
    ];
    for (from, from_url, to, to_url, once) in hops {
        let prefix = cluster.topic(&format!("{from}-"));
        let source = [
            ("table.whitelist", "people"),
            ("topic.prefix", &*prefix),
            ("mode", "incrementing"),
            ("incrementing.column.name", "id"),
            ("numeric.mapping", "none"),
        ];
        let topic = format!("{prefix}people");
        let table = if to == "back" {
            "people_back"
        } else {
            "people"
        };
        let mut sink = vec![
            ("topics", &*topic),
            ("table.name.format", table),
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
            ("auto.create", "true"),
        ];
        if !once.is_empty() {
            sink.push(("milena.sink.exactly.once", once));
        }
        let name = format!("from-{from}");
        create(
            worker.url(),
            &connector(&name, "JdbcSourceConnector", from_url, &source),
        );
        let name = format!("to-{to}");
        create(
            worker.url(),
            &connector(&name, "JdbcSinkConnector", to_url, &sink),
        );
    }
    let arrived = |count: &str| {
        until("all rows are around", || {
            pg.try_sql("select count(*) from people_back")
                .is_ok_and(|rows| rows == [count])
        });
    };
    arrived("3");
    pg.sql(SECOND);
    arrived("1003");
    let back = "select id,name,amount,score,born,woke,at,ok::int,encode(raw,'hex') from people_back order by id";
    assert_eq!(
        pg.sql(back),
        pg.sql(&format!("{SEEN} from people order by id"))
    );
    // In between the values are what they are, too, not only what comes back.
    let seen = "select id,name,amount,score,born,woke,at,ok,lower(hex(raw)) from people where id<4 order by id";
    assert_eq!(
        maria.sql(seen),
        [
            "1|Ann \u{fc} \u{1f680}|12.3400|1.5|2026-01-02|03:04:05.678|2026-01-02 03:04:05.123|1|00ff5c",
            "2|NULL|NULL|NULL|NULL|NULL|1999-12-31 23:59:59.999|NULL|NULL",
            "3||-99999999.9999|-0.00000000025|1970-01-01|00:00:00.000|2038-01-19 03:14:08.000|0|",
        ]
    );
}
