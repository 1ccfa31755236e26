//! Security settings as a user writes them.

use milena_tls::Trust;

use super::{Sasl, Security, jaas::JaasLine};
use crate::ports::{ClientProps, KafkaErrorKind};

fn props(list: &[(&str, &str)]) -> ClientProps {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn refusal(list: &[(&str, &str)]) -> String {
    let error = Security::from_props(&props(list)).unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Config);
    error.message
}

#[test]
fn plaintext_is_the_default() {
    let security = Security::from_props(&props(&[])).unwrap();
    assert!(security.tls.is_none() && security.sasl.is_none());
}

#[test]
fn a_jaas_line_with_quotes_and_escapes() {
    let line =
        JaasLine::parse("a.B required\n username=\"al\\\"ice\" password='p;=w' debug=true ;")
            .unwrap();
    assert_eq!(line.module, "a.B");
    assert_eq!(line.options["username"].reveal(), "al\"ice");
    assert_eq!(line.options["password"].reveal(), "p;=w");
    assert_eq!(line.options["debug"].reveal(), "true");
}

#[test]
fn broken_jaas_lines_are_refused() {
    for line in [
        "",
        ";",
        "a.B",
        "a.B required",
        "a.B required x;",
        "a.B required x=\"y;",
        "a.B sometimes x=y;",
        "a.B required; c.D required;",
    ] {
        assert!(JaasLine::parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_login_never_prints_its_password() {
    let security = Security::from_props(&props(&[
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        (
            "sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"s3cret\";",
        ),
    ]))
    .unwrap();
    assert_eq!(
        security.sasl.as_ref().map(Sasl::mechanism),
        Some("SCRAM-SHA-512")
    );
    assert!(!format!("{security:?}").contains("s3cret"));
}

#[test]
fn code_in_a_login_is_refused_by_name() {
    let message = refusal(&[
        ("security.protocol", "SASL_SSL"),
        ("ssl.endpoint.identification.algorithm", "https"),
        ("sasl.mechanism", "PLAIN"),
        (
            "sasl.jaas.config",
            "com.sun.security.auth.module.JndiLoginModule required user.provider.url=\"ldap://x\";",
        ),
    ]);
    assert!(message.contains("sasl.jaas.config") && message.contains("PlainLoginModule"));
    assert!(!message.contains("ldap"));
    assert!(
        refusal(&[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.login.callback.handler.class", "x.Y"),
        ])
        .contains("sasl.login.callback.handler.class")
    );
    assert!(refusal(&[("security.protocol", "SASL_PLAINTEXT")]).contains("GSSAPI"));
}

#[test]
fn a_store_that_cannot_be_read_is_refused_by_its_property() {
    let message = refusal(&[
        ("security.protocol", "SSL"),
        ("ssl.truststore.location", "/nowhere/trust.jks"),
    ]);
    assert!(message.contains("ssl.truststore.location") && message.contains("cannot be read"));
}

#[test]
fn without_a_trust_store_the_system_is_trusted() {
    let security = Security::from_props(&props(&[("security.protocol", "SSL")])).unwrap();
    assert!(matches!(security.tls.unwrap().trust, Trust::System));
}
