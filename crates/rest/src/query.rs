//! Query parameters: the first of a name counts, an empty value is the default, booleans are Java's.

/// The parameters of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        let pairs = raw
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// All values of a parameter, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// `Boolean.valueOf`; absent or empty: `None`.
    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        let value = self.first(name).filter(|value| !value.is_empty())?;
        Some(value.eq_ignore_ascii_case("true"))
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let hex = |at: usize| tail.get(at).and_then(|c| char::from(*c).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'+', ..) => bytes.push(b' '),
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high << 4 | low).unwrap_or_default());
                rest = tail.get(2..).unwrap_or_default();
            }
            (byte, ..) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn the_first_value_counts_and_an_empty_one_is_the_default() {
        let query = Query::parse(Some("a=TRUE&a=false&b=&c&d=x%2By+z"));
        assert_eq!(
            (query.boolean("a"), query.boolean("b"), query.boolean("c")),
            (Some(true), None, None)
        );
        assert_eq!(query.boolean("d"), Some(false));
        assert_eq!(query.first("d"), Some("x+y z"));
    }
}
