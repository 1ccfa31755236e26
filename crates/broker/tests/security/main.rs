//! Listeners with TLS and SASL, as clients see them over the socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, ProduceRequest,
        ProduceResponse, RequestHeader, ResponseHeader, SaslAuthenticateRequest,
        SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse, TopicName,
        fetch_request::{FetchPartition, FetchTopic},
        metadata_request::MetadataRequestTopic,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
};
use milena_broker::{
    Broker, BrokerConfig, RunningBroker, SaslConfig, SaslMechanism, SaslUser, StartError, TlsFiles,
    log::BatchBuilder,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

async fn call<R: Decodable + HeaderVersion, T: Encodable + HeaderVersion>(
    stream: &mut impl Stream,
    key: ApiKey,
    version: i16,
    request: &T,
) -> Option<R> {
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(7);
    let mut body = BytesMut::new();
    header
        .encode(&mut body, T::header_version(version))
        .unwrap();
    request.encode(&mut body, version).unwrap();
    let mut frame = BytesMut::new();
    frame.put_i32(i32::try_from(body.len()).unwrap());
    frame.extend_from_slice(&body);
    stream.write_all(&frame).await.ok()?;
    stream.flush().await.ok()?;
    let length = stream.read_i32().await.ok()?;
    let mut answer = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut answer).await.ok()?;
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, R::header_version(version)).unwrap();
    Some(R::decode(&mut answer, version).unwrap())
}

async fn metadata(stream: &mut impl Stream) -> Option<MetadataResponse> {
    call(stream, ApiKey::Metadata, 9, &MetadataRequest::default()).await
}

async fn handshake(stream: &mut impl Stream, mechanism: &str) -> SaslHandshakeResponse {
    let request =
        SaslHandshakeRequest::default().with_mechanism(StrBytes::from_string(mechanism.to_owned()));
    call(stream, ApiKey::SaslHandshake, 1, &request)
        .await
        .unwrap()
}

async fn token(stream: &mut impl Stream, token: &'static [u8]) -> SaslAuthenticateResponse {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(token));
    call(stream, ApiKey::SaslAuthenticate, 2, &request)
        .await
        .unwrap()
}

fn config(dir: &TempDir) -> BrokerConfig {
    BrokerConfig::new(dir.path().join("data"), ([127, 0, 0, 1], 0).into())
}

async fn with_sasl(dir: &TempDir) -> RunningBroker {
    let mut config = config(dir);
    config.listeners[0].sasl = Some(SaslConfig {
        mechanisms: vec![SaslMechanism::Plain, SaslMechanism::ScramSha256],
        users: vec![SaslUser {
            name: "alice".to_owned(),
            password: "secret".to_owned(),
        }],
    });
    Broker::start(config).await.unwrap()
}

#[tokio::test]
async fn the_right_password_opens_everything() {
    let dir = tempfile::tempdir().unwrap();
    let broker = with_sasl(&dir).await;
    let mut stream = TcpStream::connect(broker.bootstrap()).await.unwrap();
    let shaken = handshake(&mut stream, "PLAIN").await;
    assert_eq!(shaken.error_code, 0);
    assert_eq!(
        shaken.mechanisms,
        ["PLAIN", "SCRAM-SHA-256"].map(StrBytes::from_static_str)
    );
    assert_eq!(token(&mut stream, b"\0alice\0secret").await.error_code, 0);
    assert_eq!(metadata(&mut stream).await.unwrap().brokers.len(), 1);
    // Authenticating twice is out of order, but harms nothing.
    assert_eq!(handshake(&mut stream, "PLAIN").await.error_code, 34);
    assert!(metadata(&mut stream).await.is_some());
    broker.shutdown().await;
}

/// As librdkafka needs it to be offered, though it does not use it.
#[tokio::test]
async fn bare_tokens_follow_a_handshake_in_version_0() {
    let dir = tempfile::tempdir().unwrap();
    let broker = with_sasl(&dir).await;
    for (token, welcome) in [(b"\0alice\0secret", true), (b"\0alice\0wrong!", false)] {
        let mut stream = TcpStream::connect(broker.bootstrap()).await.unwrap();
        let request =
            SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
        let shaken: SaslHandshakeResponse = call(&mut stream, ApiKey::SaslHandshake, 0, &request)
            .await
            .unwrap();
        assert_eq!(shaken.error_code, 0);
        stream
            .write_i32(i32::try_from(token.len()).unwrap())
            .await
            .unwrap();
        stream.write_all(token).await.unwrap();
        assert_eq!(stream.read_i32().await.ok(), welcome.then_some(0));
        assert_eq!(metadata(&mut stream).await.is_some(), welcome);
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_and_closed() {
    let dir = tempfile::tempdir().unwrap();
    let broker = with_sasl(&dir).await;
    let mut stream = TcpStream::connect(broker.bootstrap()).await.unwrap();
    handshake(&mut stream, "PLAIN").await;
    let refused = token(&mut stream, b"\0alice\0wrong").await;
    assert_eq!(refused.error_code, 58);
    let words = "Authentication failed: Invalid username or password";
    assert_eq!(refused.error_message.unwrap().as_str(), words);
    assert!(metadata(&mut stream).await.is_none());
    broker.shutdown().await;
}

#[tokio::test]
async fn without_authentication_nothing_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let broker = with_sasl(&dir).await;
    let mut stream = TcpStream::connect(broker.bootstrap()).await.unwrap();
    assert!(metadata(&mut stream).await.is_none());
    // A token before its handshake, and a mechanism that is not enabled.
    let mut stream = TcpStream::connect(broker.bootstrap()).await.unwrap();
    assert_eq!(token(&mut stream, b"\0alice\0secret").await.error_code, 34);
    assert!(metadata(&mut stream).await.is_none());
    let mut stream = TcpStream::connect(broker.bootstrap()).await.unwrap();
    assert_eq!(handshake(&mut stream, "OAUTHBEARER").await.error_code, 33);
    assert!(metadata(&mut stream).await.is_none());
    // A stranger's frame is bounded by the length of a token.
    let mut stream = TcpStream::connect(broker.bootstrap()).await.unwrap();
    stream.write_i32(1024 * 1024).await.unwrap();
    assert!(stream.read_i32().await.is_err());
    broker.shutdown().await;
}

/// A certificate authority and what it signed for the broker and a client.
struct Certificates {
    dir: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        write("ca.pem", certificate.pem());
        let issuer = rcgen::Issuer::new(params, key);
        for name in ["broker", "client"] {
            let key = rcgen::KeyPair::generate().unwrap();
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let params = rcgen::CertificateParams::new(names).unwrap();
            let signed = params.signed_by(&key, &issuer).unwrap();
            write(&format!("{name}.pem"), signed.pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        Self { dir }
    }

    fn files(&self, client_auth: bool) -> TlsFiles {
        let path = |name: &str| self.dir.path().join(name);
        TlsFiles {
            certificate_chain: path("broker.pem"),
            private_key: path("broker.key"),
            client_ca: client_auth.then(|| path("ca.pem")),
        }
    }

    fn connector(&self, with_certificate: bool) -> TlsConnector {
        let path = |name: &str| self.dir.path().join(name);
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(path("ca.pem")).unwrap())
            .unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if with_certificate {
            let certificate = CertificateDer::from_pem_file(path("client.pem")).unwrap();
            let key = PrivateKeyDer::from_pem_file(path("client.key")).unwrap();
            builder
                .with_client_auth_cert(vec![certificate], key)
                .unwrap()
        } else {
            builder.with_no_client_auth()
        };
        TlsConnector::from(Arc::new(config))
    }
}

async fn over_tls(connector: &TlsConnector, bootstrap: &str) -> Option<MetadataResponse> {
    let stream = TcpStream::connect(bootstrap).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = connector.connect(name, stream).await.ok()?;
    metadata(&mut stream).await
}

#[tokio::test]
async fn a_tls_listener_speaks_tls_and_survives_plaintext() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::new();
    let mut config = config(&dir);
    config.listeners[0].tls = Some(certificates.files(false));
    let broker = Broker::start(config).await.unwrap();
    let mut plain = TcpStream::connect(broker.bootstrap()).await.unwrap();
    plain
        .write_all(b"this is not TLS at all, clearly")
        .await
        .unwrap();
    let connector = certificates.connector(false);
    assert!(over_tls(&connector, &broker.bootstrap()).await.is_some());
    broker.shutdown().await;
}

/// Records that are not copied without TLS pass through it here, in parts.
#[tokio::test]
async fn large_answers_come_whole_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::new();
    let mut config = config(&dir);
    config.listeners[0].tls = Some(certificates.files(false));
    let broker = Broker::start(config).await.unwrap();
    let stream = TcpStream::connect(broker.bootstrap()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = certificates.connector(false);
    let mut stream = connector.connect(name, stream).await.unwrap();
    let topic = TopicName(StrBytes::from_static_str("t"));
    let asked = MetadataRequestTopic::default().with_name(Some(topic.clone()));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![asked]))
        .with_allow_auto_topic_creation(true);
    let _: MetadataResponse = call(&mut stream, ApiKey::Metadata, 9, &request)
        .await
        .unwrap();
    for byte in b"abc" {
        let mut batch = BatchBuilder::new(1);
        batch.push(None, Some(&vec![*byte; 300_000]));
        let data = PartitionProduceData::default().with_records(Some(batch.finish()));
        let data = TopicProduceData::default()
            .with_name(topic.clone())
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_topic_data(vec![data]);
        let answer: ProduceResponse = call(&mut stream, ApiKey::Produce, 9, &request)
            .await
            .unwrap();
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let asked = FetchTopic::default()
        .with_topic(topic)
        .with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![asked]);
    let answer: FetchResponse = call(&mut stream, ApiKey::Fetch, 12, &request)
        .await
        .unwrap();
    let records = answer.responses[0].partitions[0].records.clone().unwrap();
    for byte in b"abc" {
        let run = [*byte; 300_000];
        assert!(
            records
                .windows(run.len())
                .any(|part| part[0] == *byte && part == run)
        );
    }
    assert!(metadata(&mut stream).await.is_some());
    broker.shutdown().await;
}

#[tokio::test]
async fn a_client_without_a_certificate_stays_outside_when_one_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::new();
    let mut config = config(&dir);
    config.listeners[0].tls = Some(certificates.files(true));
    let broker = Broker::start(config).await.unwrap();
    let bootstrap = broker.bootstrap();
    assert!(
        over_tls(&certificates.connector(false), &bootstrap)
            .await
            .is_none()
    );
    assert!(
        over_tls(&certificates.connector(true), &bootstrap)
            .await
            .is_some()
    );
    broker.shutdown().await;
}

#[tokio::test]
async fn a_missing_certificate_is_named_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    let missing = dir.path().join("missing.pem");
    config.listeners[0].tls = Some(TlsFiles {
        certificate_chain: missing.clone(),
        private_key: missing,
        client_ca: None,
    });
    let Err(error) = Broker::start(config).await else {
        panic!("started without its certificate");
    };
    assert!(matches!(error, StartError::Tls(_)));
    assert!(error.to_string().contains("missing.pem"), "{error}");
}

#[tokio::test]
async fn each_listener_asks_and_answers_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    let mut safe = config.listeners[0].clone();
    safe.name = "SAFE".to_owned();
    safe.sasl = Some(SaslConfig::default());
    safe.advertised = Some(("broker.example".to_owned(), 19093));
    config.listeners.push(safe);
    let broker = Broker::start(config).await.unwrap();
    let [(_, open), (name, closed)] = broker.listeners() else {
        panic!("two listeners")
    };
    assert_eq!(name, "SAFE");
    let mut stream = TcpStream::connect(open).await.unwrap();
    let told = metadata(&mut stream).await.unwrap();
    assert_eq!(told.brokers[0].port, i32::from(open.port()));
    let mut stream = TcpStream::connect(closed).await.unwrap();
    assert!(metadata(&mut stream).await.is_none(), "not authenticated");
    broker.shutdown().await;
}
