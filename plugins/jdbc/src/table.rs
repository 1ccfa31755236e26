//! Names of tables: catalog, schema, name; their quoting and parsing.

/// How identifiers are written in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoting {
    pub(crate) open: char,
    pub(crate) close: char,
    /// Off: identifiers are written as they are, and the database folds their case.
    pub(crate) on: bool,
}

impl Quoting {
    /// An identifier as it stands in a statement.
    pub(crate) fn quote(self, name: &str) -> String {
        if !self.on {
            return name.to_owned();
        }
        let mut text = String::with_capacity(name.len() + 2);
        text.push(self.open);
        for letter in name.chars() {
            text.push(letter);
            if letter == self.close {
                text.push(letter);
            }
        }
        text.push(self.close);
        text
    }
}

/// A table, qualified as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct TableId {
    pub(crate) catalog: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl TableId {
    /// The last up to three parts of a possibly quoted name: `t`, `schema.t`, `catalog.schema.t`.
    /// With `catalog_first` two parts are catalog and table (MySQL).
    pub(crate) fn parse(text: &str, quoting: Quoting, catalog_first: bool) -> Self {
        let mut parts = split(text, quoting);
        let name = parts.pop().unwrap_or_default();
        let (first, second) = (parts.pop(), parts.pop());
        let (catalog, schema) = match (first, second) {
            (Some(only), None) if catalog_first => (Some(only), None),
            (schema, catalog) => (catalog, schema),
        };
        Self {
            catalog,
            schema,
            name,
        }
    }

    /// The full name as it stands in a statement.
    pub(crate) fn sql(&self, quoting: Quoting) -> String {
        let parts: Vec<_> = self.parts().map(|part| quoting.quote(part)).collect();
        parts.join(".")
    }

    /// The full name without quotes: the `table` of a source partition.
    pub(crate) fn plain(&self) -> String {
        self.parts().collect::<Vec<_>>().join(".")
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        [&self.catalog, &self.schema]
            .into_iter()
            .filter_map(|part| part.as_deref())
            .chain([self.name.as_str()])
    }
}

/// Splits at dots outside quotes; quotes are taken off.
fn split(text: &str, quoting: Quoting) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if quoted && letter == quoting.close {
            if letters.peek() == Some(&quoting.close) {
                part.push(letter);
                letters.next();
            } else {
                quoted = false;
            }
        } else if !quoted && letter == quoting.open {
            quoted = true;
        } else if !quoted && letter == '.' {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(letter);
        }
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::{Quoting, TableId};

    #[test]
    fn names_there_and_back() {
        let quoting = Quoting {
            open: '"',
            close: '"',
            on: true,
        };
        let id = TableId::parse("public.\"odd.\"\"name\"", quoting, false);
        assert_eq!(id.schema.as_deref(), Some("public"));
        assert_eq!(id.name, "odd.\"name");
        assert_eq!(id.sql(quoting), "\"public\".\"odd.\"\"name\"");
        assert_eq!(TableId::parse(&id.sql(quoting), quoting, false), id);
        assert_eq!(
            TableId::parse("db.t", quoting, true).catalog.as_deref(),
            Some("db")
        );
    }
}
