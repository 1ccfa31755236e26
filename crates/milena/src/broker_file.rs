//! The property file of `milena broker --config`: a part of Kafka's `server.properties`, under its names.
//!
//! Answers to `kafka.server.KafkaConfig` for listeners and their security. What the embedded broker has not
//! is logged by name, and ignored as Kafka ignores unknown names; what would be less safe than written is refused.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    time::Duration,
};

use milena_broker::{BrokerConfig, ListenerConfig, SaslConfig, SaslMechanism, SaslUser, TlsFiles};
use milena_config::{Props, read_properties};
use milena_kafka::security::jaas_options;
use tracing::warn;

use crate::{cli, exit::Exit};

const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9092);

/// The settings of the options; an option wins over the file.
pub(crate) fn config(options: &cli::Broker) -> Result<BrokerConfig, Exit> {
    let props = match &options.config {
        Some(path) => read_properties(path).map_err(Exit::cannot_start)?,
        None => Props::new(),
    };
    let mut file = File {
        props: &props,
        used: BTreeSet::new(),
    };
    let config = file.config(options).map_err(|error| {
        let path = options.config.as_deref().unwrap_or("the options".as_ref());
        Exit::cannot_start(format!("{}: {error}", path.display()))
    })?;
    for name in props.keys().filter(|name| !file.used.contains(*name)) {
        warn!(name, "the embedded broker has no such setting");
    }
    Ok(config)
}

struct File<'a> {
    props: &'a Props,
    used: BTreeSet<String>,
}

impl File<'_> {
    fn config(&mut self, options: &cli::Broker) -> Result<BrokerConfig, String> {
        let dir = self.text("log.dirs").or_else(|| self.text("log.dir"));
        let dir = options.data.clone().or(dir.map(PathBuf::from));
        let dir = dir.ok_or("log.dirs: where the data lies is missing; set it, or --data")?;
        let mut config = BrokerConfig::new(dir, options.listen.unwrap_or(DEFAULT_LISTEN));
        let listeners = self.listeners()?;
        if options.listen.is_none() && !listeners.is_empty() {
            config.listeners = listeners;
        }
        for id in ["broker.id", "node.id"] {
            config.node_id = self.parsed(id)?.unwrap_or(config.node_id);
        }
        let auto_create = self.parsed("auto.create.topics.enable")?;
        config.auto_create_topics = auto_create.unwrap_or(config.auto_create_topics);
        let partitions = self.parsed("num.partitions")?;
        config.default_partitions = partitions.unwrap_or(config.default_partitions);
        let connections = self.parsed("max.connections")?;
        config.connections_max = connections.unwrap_or(config.connections_max);
        let memory = self.parsed("queued.max.request.bytes")?;
        config.request_memory_max = memory.unwrap_or(config.request_memory_max);
        let bytes = self.parsed("socket.request.max.bytes")?;
        config.request_bytes_max = bytes.unwrap_or(config.request_bytes_max);
        for (name, place) in [
            ("connections.max.idle.ms", &mut config.connection_idle),
            (
                "group.initial.rebalance.delay.ms",
                &mut config.group_initial_rebalance_delay,
            ),
            (
                "group.min.session.timeout.ms",
                &mut config.group_min_session_timeout,
            ),
            (
                "group.max.session.timeout.ms",
                &mut config.group_max_session_timeout,
            ),
        ] {
            if let Some(millis) = self.parsed(name)? {
                *place = Duration::from_millis(millis);
            }
        }
        Ok(config)
    }

    fn listeners(&mut self) -> Result<Vec<ListenerConfig>, String> {
        let text = self.text("listeners").unwrap_or_default();
        let advertised = self.text("advertised.listeners").unwrap_or_default();
        let protocols = self
            .text("listener.security.protocol.map")
            .unwrap_or_default();
        let protocols: Vec<_> = list(&protocols)
            .filter_map(|pair| pair.split_once(':'))
            .collect();
        let mut listeners = Vec::new();
        for one in list(&text) {
            let wrong = || format!("listeners: {one:?} is not NAME://HOST:PORT");
            let (name, address) = one.split_once("://").ok_or_else(wrong)?;
            // An empty host is every interface, as in Kafka.
            let address = match address.strip_prefix(':') {
                Some(port) => format!("0.0.0.0:{port}"),
                None => address.to_owned(),
            };
            let listen = address
                .to_socket_addrs()
                .ok()
                .and_then(|mut found| found.next());
            let protocol = protocols.iter().find(|(of, _)| *of == name);
            let protocol = protocol.map_or(name, |(_, protocol)| *protocol);
            let (tls, sasl) = match protocol {
                "PLAINTEXT" => (false, false),
                "SSL" => (true, false),
                "SASL_PLAINTEXT" => (false, true),
                "SASL_SSL" => (true, true),
                _ => {
                    return Err(format!(
                        "listener.security.protocol.map: name the protocol of {name}: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
                    ));
                }
            };
            listeners.push(ListenerConfig {
                name: name.to_owned(),
                listen: listen.ok_or_else(wrong)?,
                advertised: advertised_for(&advertised, name)?,
                tls: if tls { Some(self.tls(name)?) } else { None },
                sasl: if sasl { Some(self.sasl(name)?) } else { None },
            });
        }
        Ok(listeners)
    }

    fn tls(&mut self, listener: &str) -> Result<TlsFiles, String> {
        for of in ["ssl.keystore.type", "ssl.truststore.type"] {
            if self.of(listener, of).is_some_and(|kind| kind != "PEM") {
                return Err(format!(
                    "{of}: only PEM is supported; convert the store with keytool or openssl"
                ));
            }
        }
        let keystore = self.of(listener, "ssl.keystore.location");
        let keystore = keystore.ok_or_else(|| format!("ssl.keystore.location: a PEM file with the certificates and the key of {listener} is missing"))?;
        let client_ca = self.of(listener, "ssl.truststore.location");
        let client_ca = match self.of(listener, "ssl.client.auth").as_deref() {
            None | Some("none") => None,
            Some("required") => Some(client_ca.ok_or(
                "ssl.truststore.location: who signs the clients' certificates is missing",
            )?),
            Some(_) => {
                return Err("ssl.client.auth: only none and required are supported".to_owned());
            }
        };
        Ok(TlsFiles {
            certificate_chain: PathBuf::from(&keystore),
            private_key: PathBuf::from(keystore),
            client_ca: client_ca.map(PathBuf::from),
        })
    }

    fn sasl(&mut self, listener: &str) -> Result<SaslConfig, String> {
        let enabled = self.of(listener, "sasl.enabled.mechanisms");
        let enabled = enabled.ok_or_else(|| {
            format!("sasl.enabled.mechanisms: the mechanisms of {listener} are missing")
        })?;
        let mut sasl = SaslConfig::default();
        for name in list(&enabled) {
            let known = SaslMechanism::ALL
                .into_iter()
                .find(|known| known.name() == name);
            sasl.mechanisms.push(
                known.ok_or_else(|| format!("sasl.enabled.mechanisms: {name} is not supported"))?,
            );
            let key = format!("{}.sasl.jaas.config", name.to_ascii_lowercase());
            let Some(line) = self.of(listener, &key) else {
                continue;
            };
            let line = jaas_options(&line).map_err(|error| format!("{key}: {error}"))?;
            for (option, password) in line {
                let user = option.strip_prefix("user_").map(str::to_owned);
                // One set of users per listener: a second mechanism usually repeats them.
                let user = user.filter(|user| !sasl.users.iter().any(|known| known.name == *user));
                sasl.users.extend(user.map(|name| SaslUser {
                    name,
                    password: password.reveal().clone(),
                }));
            }
        }
        Ok(sasl)
    }

    /// A setting of a listener: under its prefix, or for all.
    fn of(&mut self, listener: &str, name: &str) -> Option<String> {
        let own = format!("listener.name.{}.{name}", listener.to_ascii_lowercase());
        let (own, common) = (self.text(&own), self.text(name));
        own.or(common)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.used.insert(name.to_owned());
        let text = self.props.get(name).map(|text| text.trim());
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let text = self.text(name);
        let parse = |text: String| {
            text.parse()
                .map_err(|_| format!("{name}: {text:?} is no valid value"))
        };
        text.map(parse).transpose()
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn advertised_for(text: &str, name: &str) -> Result<Option<(String, u16)>, String> {
    let mut all = list(text).filter_map(|one| one.split_once("://"));
    let Some((_, address)) = all.find(|(of, _)| *of == name) else {
        return Ok(None);
    };
    let parts = address.rsplit_once(':');
    let parts = parts.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let parts = parts.filter(|(host, _)| !host.is_empty());
    parts
        .map(Some)
        .ok_or_else(|| format!("advertised.listeners: {address:?} is not HOST:PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<BrokerConfig, String> {
        let props = milena_config::parse_properties(text.as_bytes(), milena_config::Charset::Utf8);
        let props = props.unwrap();
        let options = cli::Broker {
            listen: None,
            data: Some("/data".into()),
            config: None,
        };
        let used = BTreeSet::new();
        let mut file = File {
            props: &props,
            used,
        };
        file.config(&options)
    }

    #[test]
    fn every_listener_has_its_own_security() {
        let config = of("listeners=IN://127.0.0.1:9092, OUT://:9093\n\
             advertised.listeners=OUT://broker.example:19093\n\
             listener.security.protocol.map=IN:PLAINTEXT,OUT:SASL_SSL\n\
             listener.name.out.ssl.keystore.location=/tls/out.pem\n\
             listener.name.out.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN\n\
             listener.name.out.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"a=1\" user_bob=\"b\";\n\
             group.min.session.timeout.ms=100\n")
            .unwrap();
        let [inner, outer] = config.listeners.as_slice() else {
            panic!("two listeners")
        };
        assert!(inner.tls.is_none() && inner.sasl.is_none() && inner.advertised.is_none());
        assert_eq!(outer.listen.to_string(), "0.0.0.0:9093");
        assert_eq!(outer.advertised, Some(("broker.example".to_owned(), 19093)));
        assert!(outer.tls.as_ref().unwrap().client_ca.is_none());
        let sasl = outer.sasl.as_ref().unwrap();
        let mechanisms = [SaslMechanism::ScramSha512, SaslMechanism::Plain];
        assert_eq!(sasl.mechanisms, mechanisms);
        let users: Vec<_> = sasl
            .users
            .iter()
            .map(|u| (u.name.as_str(), u.password.as_str()))
            .collect();
        assert_eq!(users, [("alice", "a=1"), ("bob", "b")]);
        assert_eq!(config.group_min_session_timeout, Duration::from_millis(100));
    }

    #[test]
    fn what_would_be_less_safe_than_written_is_refused_by_name() {
        for (text, named) in [
            ("listeners=SAFE://:9092", "listener.security.protocol.map"),
            ("listeners=SSL://:9092", "ssl.keystore.location"),
            (
                "listeners=SSL://:9092\nssl.keystore.type=JKS",
                "ssl.keystore.type",
            ),
            (
                "listeners=SSL://:9092\nssl.keystore.location=a\nssl.client.auth=requested",
                "ssl.client.auth",
            ),
            (
                "listeners=SASL_PLAINTEXT://:9092",
                "sasl.enabled.mechanisms",
            ),
            (
                "listeners=SASL_PLAINTEXT://:9092\nsasl.enabled.mechanisms=GSSAPI",
                "GSSAPI",
            ),
            ("listeners=9092", "listeners"),
            ("num.partitions=many", "num.partitions"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
