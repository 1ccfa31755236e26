//! The statements of the modes.

use crate::{
    cell::{Cell, Column, Stamp},
    dialect::{Dialect, join},
    table::{Quoting, TableId},
    zone::Zone,
};

use super::offset::Offset;

/// What is read: a table or a query that was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Table(TableId),
    Query(String),
}

/// The columns that a mode goes by, with what is known of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Criteria {
    pub(crate) incrementing: Option<String>,
    pub(crate) timestamps: Vec<String>,
}

impl Criteria {
    pub(crate) fn is_bulk(&self) -> bool {
        self.incrementing.is_none() && self.timestamps.is_empty()
    }
}

/// Where a statement begins and ends.
pub(crate) struct Bounds {
    pub(crate) offset: Offset,
    /// Rows with a timestamp from here on are left for later.
    pub(crate) until: Stamp,
}

/// Writes statements for one dialect.
pub(crate) struct Statements<'a> {
    pub(crate) dialect: &'a dyn Dialect,
    pub(crate) quoting: Quoting,
    pub(crate) zone: &'a Zone,
    pub(crate) suffix: &'a str,
}

impl Statements<'_> {
    /// The statement with its parameters.
    pub(crate) fn select(
        &self,
        subject: &Subject,
        criteria: &Criteria,
        columns: &[Column],
        bounds: &Bounds,
    ) -> (String, Vec<Cell>) {
        let mut sql = match subject {
            Subject::Table(table) => format!("SELECT * FROM {}", table.sql(self.quoting)),
            Subject::Query(query) => query.clone(),
        };
        let mut params = Vec::new();
        let mut mark = |cell: Cell| {
            params.push(cell);
            self.dialect.placeholder(params.len())
        };
        let timestamp = self.timestamp(criteria);
        let column = criteria.timestamps.first().and_then(|name| {
            columns
                .iter()
                .find(|column| column.name.eq_ignore_ascii_case(name))
        });
        let cell = |moment: Stamp| {
            self.dialect
                .timestamp_cell(moment, self.zone.local(moment), column)
        };
        let since = bounds.offset.timestamp.unwrap_or(Stamp::from_millis(0));
        let last = Cell::Int(bounds.offset.incrementing.unwrap_or(-1));
        let id = criteria
            .incrementing
            .as_ref()
            .map(|name| self.quoting.quote(name));
        match (timestamp, id) {
            (None, None) => {}
            (None, Some(id)) => {
                sql.push_str(&format!(" WHERE {id} > {} ORDER BY {id} ASC", mark(last)));
            }
            (Some(ts), None) => {
                let (from, to) = (mark(cell(since)), mark(cell(bounds.until)));
                sql.push_str(&format!(
                    " WHERE {ts} > {from} AND {ts} < {to} ORDER BY {ts} ASC"
                ));
            }
            (Some(ts), Some(id)) => {
                let to = mark(cell(bounds.until));
                let (same, after, from) = (mark(cell(since)), mark(last), mark(cell(since)));
                sql.push_str(&format!(
                    " WHERE {ts} < {to} AND (({ts} = {same} AND {id} > {after}) OR {ts} > {from}) \
                     ORDER BY {ts},{id} ASC"
                ));
            }
        }
        if !self.suffix.is_empty() {
            sql.push(' ');
            sql.push_str(self.suffix);
        }
        (sql, params)
    }

    /// The timestamp of a row: the first of the columns that is not null.
    fn timestamp(&self, criteria: &Criteria) -> Option<String> {
        let columns = criteria
            .timestamps
            .iter()
            .map(|name| self.quoting.quote(name));
        let expression = match criteria.timestamps.len() {
            0 => return None,
            1 => join(columns, ""),
            _ => format!("COALESCE({})", join(columns, ",")),
        };
        Some(self.dialect.timestamp_expression(&expression))
    }
}
