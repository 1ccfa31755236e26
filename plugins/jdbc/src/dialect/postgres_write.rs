//! How rows go into PostgreSQL: by `COPY`, in binary where the columns' types allow, upserts by a staging table; few
//! rows by statements of their own.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use bytes::Bytes;
use futures_util::{SinkExt, future::try_join_all};
use tokio_postgres::CopyInSink;

use super::{
    DbError, Write, WriteKind, join,
    postgres::{Param, PostgresSession, failed},
    postgres_binary::{Form, HEADER, TRAILER},
    postgres_text as text,
};
use crate::{
    cell::{Cell, Column},
    table::Quoting,
};

/// From how many rows on `COPY` is worth its round trips.
pub(super) const COPY_ROWS_MIN: usize = 8;
/// How many statements travel together where rows are written one by one.
const PIPELINE: usize = 30;
/// The column of staging tables that numbers their rows.
const ROW: &str = "milena_row";
/// How much of a `COPY` is gathered before it is sent.
const COPY_CHUNK: usize = 128 * 1024;

impl PostgresSession {
    pub(super) async fn write_rows(
        &mut self,
        write: &Write,
        rows: &[Vec<Cell>],
    ) -> Result<Option<u64>, DbError> {
        if rows.len() >= COPY_ROWS_MIN {
            match write.kind {
                WriteKind::Insert => {
                    let table = write.table.sql(self.quoting);
                    let list = write.column_list(self.quoting);
                    let into = format!("{table}({list})");
                    return Ok(Some(self.copy(&into, write, rows, false).await?));
                }
                WriteKind::Upsert => {
                    self.merge(write, rows).await?;
                    return Ok(None);
                }
                WriteKind::Update | WriteKind::Delete => {}
            }
        }
        let statement = self.prepared(statement(write, self.quoting)).await?;
        let mut touched = 0;
        for some in rows.chunks(PIPELINE) {
            // Sent in order, answered in order: one round trip for all of them.
            let runs = some
                .iter()
                .map(|row| self.client.execute_raw(&statement, row.iter().map(Param)));
            touched += try_join_all(runs)
                .await
                .map_err(failed)?
                .iter()
                .sum::<u64>();
        }
        Ok(Some(touched))
    }

    /// Copies rows into a table; `numbered` adds the row's number at its end.
    async fn copy(
        &mut self,
        into: &str,
        write: &Write,
        rows: &[Vec<Cell>],
        numbered: bool,
    ) -> Result<u64, DbError> {
        let forms = binary_forms(write, rows);
        let format = if forms.is_some() {
            " (FORMAT binary)"
        } else {
            ""
        };
        let copy = self.copy_in(format!("COPY {into} FROM STDIN{format}"));
        let mut sink = std::pin::pin!(copy.await?);
        let mut out = Vec::with_capacity(COPY_CHUNK + 4096);
        let mut scratch = String::new();
        if forms.is_some() {
            out.extend_from_slice(HEADER);
        }
        for (number, row) in rows.iter().enumerate() {
            let number = numbered.then_some(number);
            match &forms {
                Some(forms) => binary_row(forms, row, number, &mut out, &mut scratch),
                None => text_row(row, number, &mut out, &mut scratch),
            }
            if out.len() >= COPY_CHUNK {
                let chunk = std::mem::replace(&mut out, Vec::with_capacity(COPY_CHUNK + 4096));
                sink.feed(Bytes::from(chunk)).await.map_err(failed)?;
            }
        }
        if forms.is_some() {
            out.extend_from_slice(&TRAILER);
        }
        if !out.is_empty() {
            sink.feed(Bytes::from(out)).await.map_err(failed)?;
        }
        sink.finish().await.map_err(failed)
    }

    async fn copy_in(&mut self, sql: String) -> Result<CopyInSink<Bytes>, DbError> {
        let statement = self.prepared(sql).await?;
        self.client.copy_in(&statement).await.map_err(failed)
    }

    /// Takes rows that lie there in binary into a table, by the `COPY` under way or one that it begins.
    pub(super) async fn copy_laid_out(
        &mut self,
        into: &str,
        parts: Vec<Bytes>,
    ) -> Result<(), DbError> {
        // Out of its place: what fails, or is dropped, ends it.
        let mut sink = match self.copying.take() {
            Some(sink) => sink,
            None => {
                let sql = format!("COPY {into} FROM STDIN (FORMAT binary)");
                let mut sink = Box::pin(self.copy_in(sql).await?);
                let begin = Bytes::from_static(HEADER);
                sink.feed(begin).await.map_err(failed)?;
                sink
            }
        };
        for part in parts {
            sink.feed(part).await.map_err(failed)?;
        }
        self.copying = Some(sink);
        Ok(())
    }

    /// Ends the `COPY` under way; answers the number of its rows.
    pub(super) async fn end_copy(&mut self) -> Result<u64, DbError> {
        let Some(mut sink) = self.copying.take() else {
            return Ok(0);
        };
        let end = Bytes::from_static(&TRAILER);
        sink.feed(end).await.map_err(failed)?;
        sink.as_mut().finish().await.map_err(failed)
    }

    /// Upserts by a staging table: of several rows of one key the last one counts.
    async fn merge(&mut self, write: &Write, rows: &[Vec<Cell>]) -> Result<(), DbError> {
        let stage = self.stage(write).await?;
        let list = write.column_list(self.quoting);
        let differ = all_differ(write, rows);
        let into = match differ {
            true => format!("{stage}({list})"),
            false => format!("{stage}({list},{ROW})"),
        };
        self.copy(&into, write, rows, !differ).await?;
        let sql = merging(write, &stage, differ, self.quoting);
        self.client.batch_execute(&sql).await.map_err(failed)
    }

    /// As [`Self::merge`], of rows that lie there in binary, with their numbers.
    pub(super) async fn merge_laid_out(
        &mut self,
        write: &Write,
        parts: Vec<Bytes>,
        differ: bool,
    ) -> Result<(), DbError> {
        let stage = self.stage(write).await?;
        let list = write.column_list(self.quoting);
        let into = format!("{stage}({list},{ROW})");
        self.copy_laid_out(&into, parts).await?;
        self.end_copy().await?;
        let sql = merging(write, &stage, differ, self.quoting);
        self.client.batch_execute(&sql).await.map_err(failed)
    }

    /// The staging table for rows of this shape, empty.
    async fn stage(&mut self, write: &Write) -> Result<String, DbError> {
        let table = write.table.sql(self.quoting);
        let list = write.column_list(self.quoting);
        let shape = format!("{table}({list})");
        let stage = match self.stages.get(&shape) {
            Some(stage) => stage.clone(),
            None => {
                let stage = format!("milena_stage_{}", self.stages.len());
                // One of that name may have outlived a transaction that was rolled back.
                let sql = format!(
                    "DROP TABLE IF EXISTS pg_temp.{stage}; CREATE TEMP TABLE {stage} ON COMMIT DELETE ROWS AS SELECT {list},0::bigint AS {ROW} FROM {table} LIMIT 0"
                );
                self.client.batch_execute(&sql).await.map_err(failed)?;
                self.stages.insert(shape, stage.clone());
                stage
            }
        };
        if self.staged.contains(&stage) {
            let sql = format!("DELETE FROM {stage}");
            self.client.batch_execute(&sql).await.map_err(failed)?;
        } else {
            self.staged.push(stage.clone());
        }
        Ok(stage)
    }
}

/// The statement that takes rows out of their staging table; where no two have one key nothing is to be sorted out.
fn merging(write: &Write, stage: &str, differ: bool, quoting: Quoting) -> String {
    let table = write.table.sql(quoting);
    let list = write.column_list(quoting);
    let keys = join(write.keys.iter().map(|key| quoting.quote(&key.name)), ",");
    let action = conflict(write, quoting);
    let rows = match differ {
        true => format!("SELECT {list} FROM {stage}"),
        false => {
            format!("SELECT DISTINCT ON ({keys}) {list} FROM {stage} ORDER BY {keys},{ROW} DESC")
        }
    };
    format!("INSERT INTO {table}({list}) {rows} ON CONFLICT ({keys}) DO {action}")
}

/// How the columns take their cells in binary; `None`: the rows go as text.
fn binary_forms(write: &Write, rows: &[Vec<Cell>]) -> Option<Vec<Form>> {
    let forms: Vec<Form> = write.columns().map(Form::of).collect::<Option<_>>()?;
    let all = rows.iter().all(|row| {
        row.len() == forms.len() && forms.iter().zip(row).all(|(form, cell)| form.takes(cell))
    });
    all.then_some(forms)
}

fn binary_row(
    forms: &[Form],
    row: &[Cell],
    number: Option<usize>,
    out: &mut Vec<u8>,
    scratch: &mut String,
) {
    // A table has 1600 columns at most.
    let count = forms.len() + usize::from(number.is_some());
    out.extend_from_slice(&(count as i16).to_be_bytes());
    for (form, cell) in forms.iter().zip(row) {
        form.put(cell, out, scratch);
    }
    if let Some(number) = number {
        Form::Int8.put(&Cell::Int(number as i64), out, scratch);
    }
}

fn text_row(row: &[Cell], number: Option<usize>, out: &mut Vec<u8>, scratch: &mut String) {
    let mut line = String::new();
    for (index, cell) in row.iter().enumerate() {
        if index > 0 {
            line.push('\t');
        }
        text::copy_field(cell, &mut line, scratch);
    }
    if let Some(number) = number {
        line.push_str(&format!("\t{number}"));
    }
    line.push('\n');
    out.extend_from_slice(line.as_bytes());
}

/// Whether no two rows have one key. Only of keys whose equality the server sees as we do; two keys of one hash pass
/// for one.
fn all_differ(write: &Write, rows: &[Vec<Cell>]) -> bool {
    let plain = |column: &Column| {
        matches!(
            Form::of(column),
            Some(Form::Int2 | Form::Int4 | Form::Int8 | Form::Date)
        )
    };
    if !write.keys.iter().all(plain) {
        return false;
    }
    let mut seen = HashSet::with_capacity(rows.len());
    rows.iter().all(|row| {
        let mut hasher = DefaultHasher::new();
        for cell in row.iter().take(write.keys.len()) {
            match cell {
                Cell::Int(number) | Cell::Date(number) => number.hash(&mut hasher),
                _ => return false,
            }
        }
        seen.insert(hasher.finish())
    })
}

fn conflict(write: &Write, quoting: Quoting) -> String {
    if write.values.is_empty() {
        return "NOTHING".to_owned();
    }
    let sets = write.values.iter().map(|column| {
        let name = quoting.quote(&column.name);
        format!("{name}=EXCLUDED.{name}")
    });
    format!("UPDATE SET {}", join(sets, ","))
}

/// The statement for one row.
fn statement(write: &Write, quoting: Quoting) -> String {
    let table = write.table.sql(quoting);
    let list = write.column_list(quoting);
    let marks = join((1..=write.columns().count()).map(|n| format!("${n}")), ",");
    let equal = |columns: &[Column], first: usize, between: &str| {
        let pairs = columns.iter().enumerate();
        join(
            pairs.map(|(i, column)| format!("{}=${}", quoting.quote(&column.name), first + i)),
            between,
        )
    };
    match write.kind {
        WriteKind::Insert => format!("INSERT INTO {table}({list}) VALUES({marks})"),
        WriteKind::Upsert => {
            let keys = join(write.keys.iter().map(|key| quoting.quote(&key.name)), ",");
            let action = conflict(write, quoting);
            format!("INSERT INTO {table}({list}) VALUES({marks}) ON CONFLICT ({keys}) DO {action}")
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
