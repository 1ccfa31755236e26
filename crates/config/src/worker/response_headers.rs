//! `response.http.headers.config`: headers added to every answer (spec 7.4, KIP-577).

use crate::ConfigError;

/// What is done with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderAction {
    /// Replaces.
    Set,
    /// Adds.
    Add,
    /// Replaces by a date, given as an offset from now in milliseconds.
    SetDate,
    /// Adds a date, given as an offset from now in milliseconds.
    AddDate,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    /// What is done.
    pub action: HeaderAction,
    /// The header's name.
    pub name: String,
    /// The value, or the offset of a date.
    pub value: String,
}

impl HeaderRule {
    /// Parses the list of rules: separated by commas, quoted when they hold commas themselves.
    ///
    /// # Errors
    /// A rule is malformed, with Java's text.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, ConfigError> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        split(text)
            .iter()
            .map(|rule| Self::parse(rule.trim()))
            .collect()
    }

    fn parse(rule: &str) -> Result<Self, ConfigError> {
        let Some((action, pair)) = rule.split_once(char::is_whitespace) else {
            return Err(ConfigError::new(format!(
                "Invalid format of header config '{rule}'. Expected: '[action] [header name]:[header value]'"
            )));
        };
        let action = match action.to_ascii_lowercase().as_str() {
            "set" => HeaderAction::Set,
            "add" => HeaderAction::Add,
            "setdate" => HeaderAction::SetDate,
            "adddate" => HeaderAction::AddDate,
            _ => {
                return Err(ConfigError::new(format!(
                    "Invalid header config action: '{action}'. Expected one of [set, add, setDate, addDate]"
                )));
            }
        };
        let pair = pair.trim();
        let shape = || {
            ConfigError::new(format!(
                "Invalid format of header name and header value pair '{pair}'. Expected: '[header name]:[header value]'"
            ))
        };
        let (name, value) = pair.split_once(':').ok_or_else(shape)?;
        if value.contains(':') {
            return Err(shape());
        }
        let name = name.trim();
        if name.contains(char::is_whitespace) {
            return Err(ConfigError::new(format!(
                "Invalid header name '{name}'. The '[header name]' cannot contain whitespace"
            )));
        }
        Ok(Self {
            action,
            name: name.to_owned(),
            value: value.trim().to_owned(),
        })
    }
}

fn split(text: &str) -> Vec<String> {
    let mut rules = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => rules.push(String::new()),
            c => {
                if let Some(rule) = rules.last_mut() {
                    rule.push(c);
                }
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::{HeaderAction, HeaderRule};

    #[test]
    fn quoted_rules_keep_their_commas() {
        let rules = HeaderRule::parse_all(
            r#"add X-XSS-Protection: 1; mode=block, "add Cache-Control: no-cache, no-store""#,
        )
        .unwrap();
        assert_eq!(rules[1].action, HeaderAction::Add);
        assert_eq!(
            (rules[1].name.as_str(), rules[1].value.as_str()),
            ("Cache-Control", "no-cache, no-store")
        );
        assert!(
            HeaderRule::parse_all("put a:b")
                .unwrap_err()
                .message
                .starts_with("Invalid header config action: 'put'")
        );
        assert!(HeaderRule::parse_all("set a:b:c").is_err());
    }
}
