//! Whether a table fits what is to be written: its type, and the key that an upsert goes by.

use milena_api::ConnectError;

use super::{settings::Settings, writer::WriteError};
use crate::{
    cell::{Cell, Column},
    dialect::{DbError, Session, TablePattern, Write, WriteKind},
    table::TableId,
};

/// Refuses what is there and is of a type that `table.types` does not name, a view for example.
pub(super) async fn check_type(
    session: &mut dyn Session,
    settings: &Settings,
    id: &TableId,
) -> Result<(), WriteError> {
    let mut pattern = TablePattern {
        catalog: id.catalog.clone(),
        schema: id.schema.clone(),
        types: settings.types.clone(),
    };
    let is = |table: &TableId| table.name.eq_ignore_ascii_case(&id.name);
    if session.tables(&pattern).await?.iter().any(is) {
        return Ok(());
    }
    for other in [
        "VIEW",
        "MATERIALIZED VIEW",
        "FOREIGN TABLE",
        "PARTITIONED TABLE",
        "TABLE",
    ] {
        if settings
            .types
            .iter()
            .any(|wanted| wanted.eq_ignore_ascii_case(other))
        {
            continue;
        }
        pattern.types = vec![other.to_owned()];
        if session.tables(&pattern).await?.iter().any(is) {
            return Err(WriteError::Task(ConnectError::connect(format!(
                "{} is a {other}, and table.types allows {} only: add {other} to table.types, or choose another table",
                id.plain(),
                settings.types.join(", ")
            ))));
        }
    }
    Ok(())
}

/// Whether one of the unique keys (a row for each, names of columns by commas) has only these columns.
pub(super) async fn has_key(
    session: &mut dyn Session,
    sql: &str,
    keys: &[Column],
) -> Result<bool, DbError> {
    session.open(sql, Vec::new()).await?;
    let mut found = false;
    loop {
        let rows = session.fetch(64).await?;
        if rows.is_empty() {
            return Ok(found);
        }
        found |= rows.iter().any(|row| match row.first() {
            Some(Cell::Text(names)) => names.split(',').all(|name| {
                keys.iter()
                    .any(|column| column.name.eq_ignore_ascii_case(name))
            }),
            _ => false,
        });
    }
}

/// The database's word for an upsert without a key, with the remedy.
pub(super) fn keyless(error: DbError, write: &Write) -> WriteError {
    // PostgreSQL's code; SQLite has only words.
    let missing =
        error.code == "42P10" || error.message.contains("ON CONFLICT clause does not match");
    match write.kind == WriteKind::Upsert && missing {
        true => WriteError::Task(no_key(write)),
        false => WriteError::Db(error),
    }
}

pub(super) fn no_key(write: &Write) -> ConnectError {
    let columns: Vec<_> = write
        .keys
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    ConnectError::connect(format!(
        "the table {} has no primary key or unique index of just ({}), which insert.mode=upsert goes by: add one, name \
         other pk.fields, or set insert.mode=insert",
        write.table.plain(),
        columns.join(",")
    ))
}
