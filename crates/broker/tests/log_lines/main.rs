//! What the broker logs of clients that misbehave. On its own: what is logged is of the whole process.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use milena_broker::{Broker, BrokerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_client_does_wrong_is_one_log_line_with_its_address() {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let dir = tempfile::tempdir().unwrap();
    let config = BrokerConfig::new(dir.path(), ([127, 0, 0, 1], 0).into());
    let broker = Broker::start(config).await.unwrap();
    let wrong: [(&[u8], &str); 4] = [
        (&[0x7f, 0xff, 0xff, 0xff], "absurd length"),
        (
            &[0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
            "unknown key 32512",
        ),
        (
            &[0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff],
            "Metadata in version 99",
        ),
        (
            &[
                0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
            ],
            "a length of 2147483647 with 0 bytes left",
        ),
    ];
    for (bytes, said) in wrong {
        lines.0.lock().unwrap().clear();
        let mut bad = TcpStream::connect(broker.bootstrap()).await.unwrap();
        let address = bad.local_addr().unwrap().to_string();
        bad.write_all(bytes).await.unwrap();
        // It is closed without an answer, and that is logged after it.
        assert!(bad.read_u8().await.is_err());
        let deadline = Instant::now() + Duration::from_secs(60);
        let text = loop {
            let text = lines.text();
            if text.contains("connection closed") {
                break text;
            }
            assert!(Instant::now() < deadline, "nothing is logged: {text}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(text.contains(said) && text.contains(&address), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    broker.shutdown().await;
}
