//! Resolves `${provider:path:key}` in configurations when they are used (`ConfigTransformer`, spec
//! `rest-and-config.md` 10.1). Resolved values go to plugins and clients only: nothing stores or shows them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use milena_api::{ConfigProvider, ConnectError};
use milena_config::Props;
use milena_core::cluster::RawProps;
use milena_registry::Registry;

/// The config providers of a worker.
#[derive(Clone, Default)]
pub struct Resolver {
    providers: Arc<BTreeMap<String, Box<dyn ConfigProvider>>>,
}

/// A variable in a value: where it stands and what it names.
struct Variable<'a> {
    start: usize,
    end: usize,
    provider: &'a str,
    path: &'a str,
    key: &'a str,
}

fn variables(text: &str) -> Vec<Variable<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("${")) {
        let start = from + at;
        let Some(length) = text.get(start..).and_then(|rest| rest.find('}')) else {
            break;
        };
        let end = start + length + 1;
        from = end;
        let inner = text.get(start + 2..end - 1).unwrap_or_default();
        let Some((provider, rest)) = inner.split_once(':') else {
            continue;
        };
        let (path, key) = rest.split_once(':').unwrap_or(("", rest));
        found.push(Variable {
            start,
            end,
            provider,
            path,
            key,
        });
    }
    found
}

/// Whether a value contains a variable.
pub(super) fn has_variable(text: &str) -> bool {
    !variables(text).is_empty()
}

impl Resolver {
    /// The providers that the worker's properties name.
    ///
    /// # Errors
    /// A provider is not known or refuses its parameters.
    pub fn new(worker: &Props, registry: &Registry) -> Result<Self, ConnectError> {
        let names = worker.get("config.providers").map_or("", String::as_str);
        let mut providers = BTreeMap::new();
        for name in names.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let prefix = format!("config.providers.{name}.");
            // As in Java, a name without a class is no provider.
            let Some(class) = worker.get(&format!("{prefix}class")) else {
                continue;
            };
            let plugin = registry
                .provider(class.trim())
                .map_err(|error| ConnectError::config(error.to_string()))?;
            let mut provider = plugin.provider();
            let params = format!("{prefix}param.");
            let own = worker.iter().filter_map(|(key, value)| {
                let key = key.strip_prefix(&params)?;
                Some((key.to_owned(), value.clone()))
            });
            provider.configure(&own.collect())?;
            providers.insert(name.to_owned(), provider);
        }
        Ok(Self {
            providers: Arc::new(providers),
        })
    }

    /// The configuration with its variables replaced; a variable that nobody answers stays as it is.
    ///
    /// # Errors
    /// A provider fails.
    pub async fn resolve(&self, raw: &RawProps) -> Result<Props, ConnectError> {
        Ok(self.resolve_until(raw).await?.0)
    }

    /// As [`Self::resolve`], with the time that the values hold, if any provider says so.
    ///
    /// # Errors
    /// A provider fails.
    pub async fn resolve_until(
        &self,
        raw: &RawProps,
    ) -> Result<(Props, Option<Duration>), ConnectError> {
        let mut shortest: Option<Duration> = None;
        let mut values: BTreeMap<(String, String, String), String> = BTreeMap::new();
        for variable in raw.values().flatten().flat_map(|text| variables(text)) {
            let Some(provider) = self.providers.get(variable.provider) else {
                continue;
            };
            let keys = [variable.key.to_owned()];
            let answer = provider.get(variable.path, Some(&keys)).await?;
            shortest = [shortest, answer.ttl].into_iter().flatten().min();
            if let Some(value) = answer.values.get(variable.key) {
                let name = (
                    variable.provider.to_owned(),
                    variable.path.to_owned(),
                    variable.key.to_owned(),
                );
                values.insert(name, value.reveal().clone());
            }
        }
        let present = raw
            .iter()
            .filter_map(|(key, value)| Some((key, value.as_ref()?)));
        let resolved = present.map(|(key, text)| (key.clone(), replace(text, &values)));
        Ok((resolved.collect(), shortest))
    }
}

fn replace(text: &str, values: &BTreeMap<(String, String, String), String>) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    for variable in variables(text) {
        let name = (
            variable.provider.to_owned(),
            variable.path.to_owned(),
            variable.key.to_owned(),
        );
        let Some(value) = values.get(&name) else {
            continue;
        };
        replaced.push_str(text.get(from..variable.start).unwrap_or_default());
        replaced.push_str(value);
        from = variable.end;
    }
    replaced.push_str(text.get(from..).unwrap_or_default());
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_as_java_finds_them() {
        let parts = |text| {
            let found = variables(text);
            let parts = found.iter().map(|v| (v.provider, v.path, v.key));
            parts.collect::<Vec<_>>()
        };
        assert_eq!(
            parts("a${file:/p:k}b${env:X}"),
            [("file", "/p", "k"), ("env", "", "X")]
        );
        assert_eq!(
            parts("${file:/p:k:with:colons}"),
            [("file", "/p", "k:with:colons")]
        );
        assert!(parts("${none} ${open:x").is_empty());
        assert!(!has_variable("plain $x {y}"));
    }

    #[tokio::test]
    async fn what_nobody_answers_stays() {
        let raw = RawProps::from([
            ("a".to_owned(), Some("${x:y}".to_owned())),
            ("b".to_owned(), None),
        ]);
        let resolved = Resolver::default().resolve(&raw).await;
        assert_eq!(
            resolved,
            Ok(Props::from([("a".to_owned(), "${x:y}".to_owned())]))
        );
    }
}
