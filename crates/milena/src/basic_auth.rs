//! The users of the basic auth extension: from the JAAS file that Java's worker would read.

use milena_config::worker::WorkerConfig;
use milena_rest::BasicAuth;

use crate::exit::Exit;

/// Where the login configuration stands when the environment does not say it.
const KEY: &str = "milena.jaas.file";
/// The options of Java's worker, among them the login configuration.
const ENVIRONMENT: &str = "KAFKA_OPTS";
const PROPERTY: &str = "-Djava.security.auth.login.config=";

/// The users, when `rest.extension.classes` names the extension.
pub(crate) fn of(worker: &WorkerConfig) -> Result<Option<BasicAuth>, Exit> {
    let mut classes = worker.rest.extensions.iter();
    if !classes.any(|class| BasicAuth::is_named(class)) {
        return Ok(None);
    }
    let options = std::env::var(ENVIRONMENT).unwrap_or_default();
    let path = worker.originals().get(KEY).map(String::as_str);
    let path = path.or_else(|| login_config(&options)).ok_or_else(|| {
        Exit::cannot_start(format!(
            "the basic auth extension needs a login configuration; set {KEY} in the worker's file, or \
             {ENVIRONMENT}={PROPERTY}FILE in the environment"
        ))
    })?;
    BasicAuth::from_jaas_file(path)
        .map(Some)
        .map_err(Exit::cannot_start)
}

/// The file that the options of a JVM name; Java takes a URL too, and `==` for "this file alone".
fn login_config(options: &str) -> Option<&str> {
    let mut words = options.split_whitespace();
    let value = words.rfind(|word| word.starts_with(PROPERTY))?;
    let value = value.strip_prefix(PROPERTY)?;
    let value = value.strip_prefix('=').unwrap_or(value);
    Some(value.strip_prefix("file:").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::login_config;

    #[test]
    fn the_login_configuration_is_found_among_the_options_of_a_jvm() {
        let found = |options| login_config(options);
        assert_eq!(
            found("-Xmx1g -Djava.security.auth.login.config=/etc/j.conf -Da=b"),
            Some("/etc/j.conf")
        );
        assert_eq!(
            found("-Djava.security.auth.login.config==file:/etc/j.conf"),
            Some("/etc/j.conf")
        );
        assert_eq!(found("-Da=b"), None);
    }
}
