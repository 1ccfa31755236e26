//! Reading `transforms` and `predicates` of a connector's configuration (spec `data.md` 4.1).

use milena_api::ConnectError;
use milena_config::Props;

/// One transform as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSettings {
    /// The alias in `transforms`.
    pub alias: String,
    /// The class name or plugin alias.
    pub class: String,
    /// The transform's own keys.
    pub config: Props,
    /// The alias of a predicate, its class, its own keys, and whether it is negated (KIP-585).
    pub predicate: Option<PredicateSettings>,
}

/// The predicate of a transform as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredicateSettings {
    /// The alias in `predicates`.
    pub alias: String,
    /// The class name or plugin alias.
    pub class: String,
    /// The predicate's own keys.
    pub config: Props,
    /// Whether the transform applies when the predicate does not hold.
    pub negate: bool,
}

/// The keys under a prefix, without it.
#[must_use]
pub fn under_prefix(config: &Props, prefix: &str) -> Props {
    config
        .range(prefix.to_owned()..)
        .take_while(|(key, _)| key.starts_with(prefix))
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect()
}

/// The transforms of a connector in order of application.
///
/// # Errors
/// A duplicate alias, a missing type, a predicate that is not defined, `negate` without a predicate
/// or not a boolean; with Java's texts.
pub fn step_settings(connector: &Props) -> Result<Vec<StepSettings>, ConnectError> {
    let aliases = list(connector, "transforms");
    check_unique("transforms", &aliases)?;
    check_unique("predicates", &list(connector, "predicates"))?;
    aliases
        .into_iter()
        .map(|alias| step(connector, alias))
        .collect()
}

fn list(connector: &Props, key: &str) -> Vec<String> {
    let text = connector.get(key).map_or("", String::as_str);
    text.split(',')
        .map(str::trim)
        .filter(|alias| !alias.is_empty())
        .map(str::to_owned)
        .collect()
}

fn check_unique(key: &str, aliases: &[String]) -> Result<(), ConnectError> {
    let duplicate = aliases
        .iter()
        .enumerate()
        .any(|(index, alias)| aliases.iter().skip(index + 1).any(|other| other == alias));
    if !duplicate {
        return Ok(());
    }
    let list = aliases.join(", ");
    Err(ConnectError::config(format!(
        "Invalid value [{list}] for configuration {key}: Duplicate alias provided."
    )))
}

fn step(connector: &Props, alias: String) -> Result<StepSettings, ConnectError> {
    let prefix = format!("transforms.{alias}.");
    let mut config = under_prefix(connector, &prefix);
    let class = config.remove("type").ok_or_else(|| {
        ConnectError::config(format!(
            "Missing required configuration \"{prefix}type\" which has no default value."
        ))
    })?;
    config.remove("plugin.version");
    let negate = config.remove("negate");
    let predicate = config.remove("predicate");
    if negate.is_some() && predicate.is_none() {
        return Err(ConnectError::config(format!(
            "Config '{prefix}negate' was provided but there is no config '{prefix}predicate' defining a predicate to be negated."
        )));
    }
    let negate = match negate.as_deref().map(str::trim) {
        None => false,
        Some(text) if text.eq_ignore_ascii_case("true") => true,
        Some(text) if text.eq_ignore_ascii_case("false") => false,
        Some(text) => {
            return Err(ConnectError::config(format!(
                "Invalid value {text} for configuration {prefix}negate: Expected value to be either true or false"
            )));
        }
    };
    let predicate = predicate
        .map(|alias| predicate_settings(connector, alias.trim(), negate))
        .transpose()?;
    Ok(StepSettings {
        alias,
        class: class.trim().to_owned(),
        config,
        predicate,
    })
}

fn predicate_settings(
    connector: &Props,
    alias: &str,
    negate: bool,
) -> Result<PredicateSettings, ConnectError> {
    let prefix = format!("predicates.{alias}.");
    let mut config = under_prefix(connector, &prefix);
    let known = list(connector, "predicates").iter().any(|p| p == alias);
    let class = config.remove("type").filter(|_| known).ok_or_else(|| {
        // Java looks for the version before the type.
        let key = format!("{prefix}plugin.version");
        let cause = ConnectError::config(format!("Unknown configuration '{key}'"));
        wrapped(wrapped(cause))
    })?;
    config.remove("plugin.version");
    Ok(PredicateSettings {
        alias: alias.to_owned(),
        class: class.trim().to_owned(),
        config,
        negate,
    })
}

/// Java: the constructor of an exception that is given nothing but a cause takes its text.
pub(crate) fn wrapped(cause: ConnectError) -> ConnectError {
    ConnectError::connect(cause.to_java_string()).caused_by(cause)
}
