//! Variables in values, `${provider:key}` and `${provider:path:key}`, as `ConfigTransformer` finds them
//! (spec 10.1). It only finds and replaces; who knows the values is asked.

/// A variable as it stands in a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variable {
    /// The provider's name.
    pub provider: String,
    /// The path; empty when there is none.
    pub path: String,
    /// The key.
    pub key: String,
}

/// A piece of a text.
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str, Variable),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    // Where the plain text that was not yet handed out begins, and where to look for the next variable.
    let (mut plain, mut from) = (0, 0);
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("${")) {
        let start = from + at;
        let inner = start + 2;
        let Some(len) = text.get(inner..).and_then(|rest| rest.find('}')) else {
            break;
        };
        let end = inner + len + 1;
        match text.get(inner..inner + len).and_then(variable) {
            Some(variable) => {
                found.push(Piece::Text(text.get(plain..start).unwrap_or_default()));
                let whole = text.get(start..end).unwrap_or_default();
                found.push(Piece::Variable(whole, variable));
                (plain, from) = (end, end);
            }
            None => from = inner,
        }
    }
    found.push(Piece::Text(text.get(plain..).unwrap_or_default()));
    found
}

fn variable(inner: &str) -> Option<Variable> {
    let (provider, rest) = inner.split_once(':')?;
    let (path, key) = rest.split_once(':').unwrap_or(("", rest));
    Some(Variable {
        provider: provider.to_owned(),
        path: path.to_owned(),
        key: key.to_owned(),
    })
}

/// The variables of a text, in order.
#[must_use]
pub fn variables(text: &str) -> Vec<Variable> {
    pieces(text)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Variable(_, variable) => Some(variable),
            Piece::Text(_) => None,
        })
        .collect()
}

/// The text with its variables replaced; those that nobody knows stay as they are. What was put in is not
/// looked at again.
#[must_use]
pub fn replace_variables(text: &str, mut value: impl FnMut(&Variable) -> Option<String>) -> String {
    let mut result = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(plain) => result.push_str(plain),
            Piece::Variable(whole, variable) => match value(&variable) {
                Some(value) => result.push_str(&value),
                None => result.push_str(whole),
            },
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::{replace_variables, variables};

    #[test]
    fn variables_are_found_as_javas_expression_finds_them() {
        let found = |text: &str| -> Vec<(String, String, String)> {
            variables(text)
                .into_iter()
                .map(|v| (v.provider, v.path, v.key))
                .collect()
        };
        let v = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(found("${env:HOME}"), [v("env", "", "HOME")]);
        assert_eq!(
            found("a${file:/s.p:k}b${file:/s.p:l}"),
            [v("file", "/s.p", "k"), v("file", "/s.p", "l")]
        );
        assert_eq!(found("${file:C:\\x:k}"), [v("file", "C", "\\x:k")]);
        assert_eq!(found("${none} ${a:b"), []);
    }

    #[test]
    fn what_nobody_knows_stays() {
        let text = replace_variables("<${p:x:k}|${q:k}>", |v| {
            (v.provider == "p").then(|| "${q:k}".into())
        });
        assert_eq!(text, "<${q:k}|${q:k}>");
    }
}
