//! TLS and SASL keys of Kafka's clients, which a worker's file may carry (spec 8.3, 8.5).

use super::keys::{
    Boolean, Class, Double, High, Int, List, Long, Low, Medium, Null, Password, Short,
    String as Str, Text, key,
};
use crate::{ConfigDef, Validator};

/// `SslConfigs`: TLS of clients and, under `listeners.https.`, of the REST server.
#[must_use]
pub fn ssl_def() -> ConfigDef {
    let store = "The type of the store: JKS, PKCS12 or PEM.";
    ConfigDef::new()
        .define(key(
            "ssl.protocol",
            Str,
            Text("TLSv1.3"),
            Medium,
            "The TLS version that is preferred.",
        ))
        .define(key(
            "ssl.provider",
            Str,
            Null,
            Medium,
            "Accepted for compatibility; there is one implementation.",
        ))
        .define(
            key(
                "ssl.cipher.suites",
                List,
                Text(""),
                Low,
                "The cipher suites that may be used; all safe ones when empty.",
            )
            .validator(Validator::list_without_duplicates(true, false)),
        )
        .define(
            key(
                "ssl.enabled.protocols",
                List,
                Text("TLSv1.2,TLSv1.3"),
                Medium,
                "The TLS versions that may be used.",
            )
            .validator(Validator::list_without_duplicates(true, false)),
        )
        .define(key("ssl.keystore.type", Str, Text("JKS"), Medium, store))
        .define(key(
            "ssl.keystore.location",
            Str,
            Null,
            High,
            "The file with the own private key and certificates.",
        ))
        .define(key(
            "ssl.keystore.password",
            Password,
            Null,
            High,
            "The password of the key store.",
        ))
        .define(key(
            "ssl.key.password",
            Password,
            Null,
            High,
            "The password of the private key.",
        ))
        .define(key(
            "ssl.keystore.key",
            Password,
            Null,
            High,
            "The own private key as PEM text.",
        ))
        .define(key(
            "ssl.keystore.certificate.chain",
            Password,
            Null,
            High,
            "The own certificates as PEM text.",
        ))
        .define(key(
            "ssl.truststore.certificates",
            Password,
            Null,
            High,
            "The trusted certificates as PEM text.",
        ))
        .define(key("ssl.truststore.type", Str, Text("JKS"), Medium, store))
        .define(key(
            "ssl.truststore.location",
            Str,
            Null,
            High,
            "The file with trusted certificates.",
        ))
        .define(key(
            "ssl.truststore.password",
            Password,
            Null,
            High,
            "The password of the trust store.",
        ))
        .define(key(
            "ssl.keymanager.algorithm",
            Str,
            Text("SunX509"),
            Low,
            "Accepted for compatibility.",
        ))
        .define(key(
            "ssl.trustmanager.algorithm",
            Str,
            Text("PKIX"),
            Low,
            "Accepted for compatibility.",
        ))
        .define(key(
            "ssl.endpoint.identification.algorithm",
            Str,
            Text("https"),
            Low,
            "How the name of a server is checked against its certificate; empty: not at all.",
        ))
        .define(key(
            "ssl.secure.random.implementation",
            Str,
            Null,
            Low,
            "Accepted for compatibility.",
        ))
        .define(key(
            "ssl.engine.factory.class",
            Class,
            Null,
            Low,
            "Accepted for compatibility; code never comes from configuration.",
        ))
}

/// `SaslConfigs`: the logins of clients.
#[must_use]
pub fn sasl_def() -> ConfigDef {
    ConfigDef::new()
        .define(key(
            "sasl.mechanism",
            Str,
            Text("GSSAPI"),
            Medium,
            "How to log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI.",
        ))
        .define(key(
            "sasl.jaas.config",
            Password,
            Null,
            Medium,
            "The login's options in JAAS form; only known login modules are understood.",
        ))
        .define(key(
            "sasl.client.callback.handler.class",
            Class,
            Null,
            Medium,
            "Accepted for compatibility.",
        ))
        .define(key(
            "sasl.login.callback.handler.class",
            Class,
            Null,
            Medium,
            "Accepted for compatibility.",
        ))
        .define(key(
            "sasl.login.class",
            Class,
            Null,
            Medium,
            "Accepted for compatibility.",
        ))
        .define(key(
            "sasl.kerberos.service.name",
            Str,
            Null,
            Medium,
            "The Kerberos principal's name that brokers run as.",
        ))
        .define(key(
            "sasl.kerberos.kinit.cmd",
            Str,
            Text("/usr/bin/kinit"),
            Low,
            "Accepted for compatibility; no command is run.",
        ))
        .define(key(
            "sasl.kerberos.ticket.renew.window.factor",
            Double,
            Text("0.8"),
            Low,
            "At which part of a ticket's life it is renewed.",
        ))
        .define(key(
            "sasl.kerberos.ticket.renew.jitter",
            Double,
            Text("0.05"),
            Low,
            "Random part added to the time of renewal.",
        ))
        .define(key(
            "sasl.kerberos.min.time.before.relogin",
            Long,
            Text("60000"),
            Low,
            "The least time between two renewals, in milliseconds.",
        ))
        .define(
            key(
                "sasl.login.refresh.window.factor",
                Double,
                Text("0.8"),
                Low,
                "At which part of a credential's life it is refreshed.",
            )
            .validator(Validator::between_doubles(0.5, 1.0)),
        )
        .define(
            key(
                "sasl.login.refresh.window.jitter",
                Double,
                Text("0.05"),
                Low,
                "Random part added to the time of refresh.",
            )
            .validator(Validator::between_doubles(0.0, 0.25)),
        )
        .define(
            key(
                "sasl.login.refresh.min.period.seconds",
                Short,
                Text("60"),
                Low,
                "The least time between two refreshes, in seconds.",
            )
            .validator(Validator::between(0, 900)),
        )
        .define(
            key(
                "sasl.login.refresh.buffer.seconds",
                Short,
                Text("300"),
                Low,
                "How long before its end a credential is refreshed at the latest, in seconds.",
            )
            .validator(Validator::between(0, 3600)),
        )
        .define(key(
            "sasl.login.connect.timeout.ms",
            Int,
            Null,
            Low,
            "How long to wait for a connection to the login's server, in milliseconds.",
        ))
        .define(key(
            "sasl.login.read.timeout.ms",
            Int,
            Null,
            Low,
            "How long to wait for the login's server to answer, in milliseconds.",
        ))
        .define(key(
            "sasl.login.retry.backoff.ms",
            Long,
            Text("100"),
            Low,
            "The first pause between logins, in milliseconds.",
        ))
        .define(key(
            "sasl.login.retry.backoff.max.ms",
            Long,
            Text("10000"),
            Low,
            "The longest pause between logins, in milliseconds.",
        ))
        .define(key(
            "sasl.oauthbearer.scope.claim.name",
            Str,
            Text("scope"),
            Low,
            "The claim that holds the scope.",
        ))
        .define(key(
            "sasl.oauthbearer.sub.claim.name",
            Str,
            Text("sub"),
            Low,
            "The claim that holds the subject.",
        ))
        .define(key(
            "sasl.oauthbearer.token.endpoint.url",
            Str,
            Null,
            Medium,
            "Where tokens are fetched.",
        ))
        .define(key(
            "sasl.oauthbearer.jwks.endpoint.url",
            Str,
            Null,
            Medium,
            "Where keys that verify tokens are fetched.",
        ))
        .define(key(
            "sasl.oauthbearer.jwks.endpoint.refresh.ms",
            Long,
            Text("3600000"),
            Low,
            "How often those keys are fetched again, in milliseconds.",
        ))
        .define(key(
            "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
            Long,
            Text("100"),
            Low,
            "The first pause between fetches of keys, in milliseconds.",
        ))
        .define(key(
            "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
            Long,
            Text("10000"),
            Low,
            "The longest pause between fetches of keys, in milliseconds.",
        ))
        .define(key(
            "sasl.oauthbearer.clock.skew.seconds",
            Int,
            Text("30"),
            Low,
            "By how much clocks may differ, in seconds.",
        ))
        .define(
            key(
                "sasl.oauthbearer.expected.audience",
                List,
                Text(""),
                High,
                "The audiences that a token may be for.",
            )
            .validator(Validator::list_without_duplicates(true, false)),
        )
        .define(key(
            "sasl.oauthbearer.expected.issuer",
            Str,
            Null,
            High,
            "Who must have issued a token.",
        ))
        .define(key(
            "sasl.oauthbearer.header.urlencode",
            Boolean,
            Text("false"),
            Low,
            "Whether id and secret are URL-encoded when a token is fetched.",
        ))
}
