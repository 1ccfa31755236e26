//! What becomes of each setting of Kafka's clients: passed to the data client, read by our own membership and wire
//! client, without effect, or refused. Nothing is ignored without a reason that can be read; `COMPATIBILITY.md`
//! holds the same table, and a test compares them.

use std::collections::BTreeMap;

use crate::client_settings::ROWS;

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The data client or the wire client takes it as it is.
    Applied,
    /// Accepted and without effect, because of this.
    NoEffect(&'static str),
    /// Refused, because of this, unless the value is one of these (compared without case).
    Refused {
        /// Values that are fine.
        unless: &'static [&'static str],
        /// Why, and what to do.
        why: &'static str,
    },
}

const CLASS: &str = "no class named by a configuration is ever executed";
const KERBEROS: &str = "Kerberos is not available; use PLAIN over TLS or mutual TLS";
const STORES: &str = "stores are read in these formats only";
const BYTES: &str = "clients carry bytes; converters make them";
const METRICS: &str = "metrics are the worker's own, see GET /metrics";

/// The fate of a setting of a client.
#[must_use]
pub fn fate(name: &str) -> Fate {
    let refused = |why| Fate::Refused { unless: &[], why };
    let unless = |unless, why| Fate::Refused { unless, why };
    match name {
        "key.serializer" | "value.serializer" | "key.deserializer" | "value.deserializer" => {
            Fate::NoEffect(BYTES)
        }
        "metric.reporters"
        | "metrics.num.samples"
        | "metrics.sample.window.ms"
        | "metrics.recording.level"
        | "enable.metrics.push"
        | "auto.include.jmx.reporter" => Fate::NoEffect(METRICS),
        "interceptor.classes" => Fate::NoEffect(CLASS),
        "config.providers" => Fate::NoEffect("variables are resolved before a client is made"),
        "enable.auto.commit" | "auto.commit.interval.ms" => {
            Fate::NoEffect("the task commits what the sink confirmed")
        }
        "exclude.internal.topics" => Fate::NoEffect("topics.regex is matched by the worker"),
        "allow.auto.create.topics" => {
            Fate::NoEffect("a sink waits for the topics it reads and never creates them")
        }
        "client.dns.lookup" => Fate::NoEffect("every address of a host is tried in turn"),
        "connections.max.idle.ms" => Fate::NoEffect("brokers close connections that are idle"),
        "socket.connection.setup.timeout.ms" => {
            Fate::NoEffect("socket.connection.setup.timeout.max.ms bounds each attempt")
        }
        "metadata.recovery.strategy" | "metadata.recovery.rebootstrap.trigger.ms" => {
            Fate::NoEffect("bootstrap.servers are asked whenever no known broker answers")
        }
        "share.acknowledgement.mode" | "share.acquire.mode" => {
            Fate::NoEffect("sink tasks are no share consumers")
        }
        "transactional.id" => Fate::NoEffect("the worker names its transactions, as Java does"),
        "partitioner.availability.timeout.ms" => {
            Fate::NoEffect("partitions are chosen by their leaders and the length of their queues")
        }
        "ssl.protocol" => Fate::NoEffect("ssl.enabled.protocols says which versions are offered"),
        "ssl.keymanager.algorithm"
        | "ssl.trustmanager.algorithm"
        | "ssl.secure.random.implementation" => {
            Fate::NoEffect("it chooses among implementations of Java's")
        }
        "transaction.two.phase.commit.enable" => unless(
            &["false"],
            "a task ends its own transactions (KIP-939 is not offered)",
        ),
        "partitioner.class" => unless(&[""], CLASS),
        "bootstrap.controllers" => refused("a connector's clients talk to brokers"),
        "ssl.engine.factory.class"
        | "sasl.login.class"
        | "sasl.client.callback.handler.class"
        | "sasl.login.callback.handler.class"
        | "sasl.oauthbearer.jwt.retriever.class"
        | "sasl.oauthbearer.jwt.validator.class" => refused(CLASS),
        "ssl.provider" | "security.providers" => refused("TLS is rustls; there are no providers"),
        "ssl.keystore.type" | "ssl.truststore.type" => unless(&["JKS", "PKCS12", "PEM"], STORES),
        "sasl.mechanism" => unless(
            &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"],
            KERBEROS,
        ),
        name if name.starts_with("sasl.kerberos.") => refused(KERBEROS),
        name if name.starts_with("sasl.oauthbearer.") => refused(
            "tokens are taken from sasl.jaas.config only; there is no client of a token endpoint",
        ),
        name if name.starts_with("sasl.login.") => {
            Fate::NoEffect("it belongs to Kerberos and to token endpoints")
        }
        _ => Fate::Applied,
    }
}

/// Why a value is refused, naming it and the remedy.
#[must_use]
pub fn refusal(name: &str, value: &str) -> Option<String> {
    match fate(name) {
        Fate::Refused { unless, why }
            if !unless
                .iter()
                .any(|fine| fine.eq_ignore_ascii_case(value.trim())) =>
        {
            // Where no value would do the value says nothing, and it may be a secret.
            let shown = if unless.is_empty() { "[hidden]" } else { value };
            Some(format!(
                "Invalid value {shown} for configuration {name}: {why}"
            ))
        }
        _ => None,
    }
}

/// The table of `COMPATIBILITY.md`: what is not simply applied.
#[must_use]
pub fn table() -> String {
    let clients = ['P', 'C', 'A'];
    // By setting first, so that one with different clients of the same fate has one row; then by fate.
    let mut fates: BTreeMap<(&str, String), String> = BTreeMap::new();
    for (name, .., letters) in ROWS {
        for letter in clients.iter().filter(|letter| letters.contains(**letter)) {
            let what = match fate(name) {
                Fate::Applied => continue,
                Fate::NoEffect(why) => format!("no effect: {why}"),
                Fate::Refused { unless, why } => {
                    let fine: Vec<&str> =
                        unless.iter().filter(|v| !v.is_empty()).copied().collect();
                    match fine.is_empty() {
                        true => format!("refused: {why}"),
                        false => format!("refused unless {}: {why}", fine.join(", ")),
                    }
                }
            };
            fates.entry((name, what)).or_default().push(*letter);
        }
    }
    let mut rows: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for ((name, what), letters) in fates {
        rows.entry((what, letters)).or_default().push(name);
    }
    let line = |((what, letters), names): (&(String, String), &Vec<&str>)| {
        format!("| `{}` | {letters} | {what} |\n", names.join("`, `"))
    };
    let rows: String = rows.iter().map(line).collect();
    format!("| settings | clients (P, C, A) | what happens |\n|---|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::{refusal, table};

    #[test]
    fn what_cannot_be_done_is_refused_by_name_and_what_can_is_not() {
        for (name, value) in [
            ("sasl.mechanism", "GSSAPI"),
            ("partitioner.class", "com.example.Mine"),
            ("ssl.truststore.type", "BCFKS"),
        ] {
            let text = refusal(name, value).unwrap();
            assert!(text.contains(name) && text.contains(value), "{text}");
        }
        let name = "sasl.oauthbearer.client.credentials.client.secret";
        let text = refusal(name, "hush").unwrap();
        assert!(text.contains(name) && !text.contains("hush"), "{text}");
        for (name, value) in [
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("group.protocol", "consumer"),
            ("linger.ms", "5"),
            ("interceptor.classes", "a.B"),
            ("unknown.setting", "x"),
        ] {
            assert_eq!(refusal(name, value), None);
        }
    }

    #[test]
    fn the_table_in_the_documentation_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../COMPATIBILITY.md");
        let text = std::fs::read_to_string(path).unwrap();
        let table = table();
        assert!(
            text.contains(&table),
            "COMPATIBILITY.md should hold:\n{table}"
        );
    }
}
