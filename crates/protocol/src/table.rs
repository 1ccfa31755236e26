//! The shapes by key.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::shape::{Shape, parse};

type Table = Result<BTreeMap<i16, Shape>, String>;

static REQUESTS: LazyLock<Table> = LazyLock::new(|| read(include_str!("requests.shapes")));
static RESPONSES: LazyLock<Table> = LazyLock::new(|| read(include_str!("responses.shapes")));

fn read(table: &str) -> Table {
    Ok(parse(table)?.into_iter().collect())
}

/// Which side a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A client's.
    Request,
    /// A broker's.
    Response,
}

/// `None`: the message is not in the table, and is not decoded. That the table can be read is a test's to show.
pub(crate) fn shape(side: Side, key: i16) -> Option<&'static Shape> {
    let table = match side {
        Side::Request => &REQUESTS,
        Side::Response => &RESPONSES,
    };
    table.as_ref().ok()?.get(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_can_be_read() {
        let (requests, responses) = (REQUESTS.as_ref().unwrap(), RESPONSES.as_ref().unwrap());
        assert!(requests.len() > 40);
        assert!(requests.keys().eq(responses.keys()));
    }
}
