//! TLS to real servers whose certificates are of an authority of our own.

use milena_jdbc::Vendor;
use milena_testing_databases::{Certificates, mariadb, postgres};

use crate::harness::{Offsets, field, props, source, take};

/// What a query answers over this URL in its only column `v`.
async fn asked(url: &str, query: &str) -> Result<String, String> {
    let config = props(&[
        ("connection.url", url),
        ("connection.attempts", "1"),
        ("mode", "bulk"),
        ("query", query),
        ("topic.prefix", "t"),
    ]);
    let started = source(Vendor::Confluent, &config, &Offsets::default()).await;
    let mut task = started.map_err(|error| error.to_string())?;
    Ok(field(&take(&mut *task, 1).await[0], "v").to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_known_by_its_authority() {
    let (ours, other) = (Certificates::new("postgres"), Certificates::new("postgres"));
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", ours.certificate().display()),
        format!("ssl_key_file={}", ours.key().display()),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let Some(server) = postgres("postgresql_is_known_by_its_authority", &settings) else {
        return;
    };
    let base = format!(
        "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
        server.port
    );
    let query = "select ssl::text as v from pg_stat_ssl where pid=pg_backend_pid()";
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!(
            "{base}&sslmode={mode}&sslrootcert={}",
            ours.authority().display()
        );
        assert_eq!(asked(&url, query).await.as_deref(), Ok("true"), "{mode}");
    }
    assert_eq!(
        asked(&format!("{base}&sslmode=disable"), query)
            .await
            .as_deref(),
        Ok("false")
    );
    let url = format!(
        "{base}&sslmode=verify-full&sslrootcert={}",
        other.authority().display()
    );
    let error = asked(&url, query).await.unwrap_err();
    assert!(error.to_lowercase().contains("certificate"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_known_by_its_authority() {
    let (ours, other) = (Certificates::new("mysql"), Certificates::new("mysql"));
    let settings = [
        format!("--ssl-ca={}", ours.authority().display()),
        format!("--ssl-cert={}", ours.certificate().display()),
        format!("--ssl-key={}", ours.key().display()),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let Some(server) = mariadb("mariadb_is_known_by_its_authority", &settings) else {
        return;
    };
    let base = format!("jdbc:mariadb://127.0.0.1:{}/test?user=root", server.port);
    let query = "select case variable_value when '' then 'no' else 'yes' end as v from information_schema.session_status \
                 where variable_name='SSL_CIPHER'";
    let url = format!(
        "{base}&sslMode=verify-full&serverSslCert={}",
        ours.authority().display()
    );
    assert_eq!(asked(&url, query).await.as_deref(), Ok("yes"));
    let url = format!(
        "{base}&sslMode=verify-full&serverSslCert={}",
        other.authority().display()
    );
    let error = asked(&url, query).await.unwrap_err();
    assert!(error.to_lowercase().contains("certificate"), "{error}");
}
