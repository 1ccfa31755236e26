//! A task that was killed within a transaction (KIP-618).

use std::{sync::Arc, time::Duration};

use milena_kafka::ports::{ClientProps, OutRecord};

use crate::world::{Worker, brokers, cluster, props};

/// The only worker is killed while its task has a transaction open, which the broker would leave open for minutes:
/// the worker that comes after it starts, starts the task, and that ends the transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_starts_while_a_transaction_on_the_offsets_is_open() {
    for broker in brokers("a_worker_starts_while_a_transaction_on_the_offsets_is_open").await {
        let enabled = [("exactly.once.source.support", "enabled")];
        let settings = cluster(&broker.bootstrap, &enabled);
        let first = Worker::start(&settings, "w1:8083").await;
        first.handle.stop().await;
        let id = format!("{}-c-0", settings["group.id"]);
        let pairs = [
            ("bootstrap.servers", broker.bootstrap.as_str()),
            ("transactional.id", &id),
            ("transaction.timeout.ms", "600000"),
            ("enable.idempotence", "true"),
            ("acks", "all"),
        ];
        let killed: ClientProps = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let acks = Arc::new(|_| {});
        let killed = milena_kafka::clients()
            .producer(&killed, acks)
            .await
            .unwrap();
        killed.init_transactions().await.unwrap();
        killed.begin().await.unwrap();
        let record = OutRecord {
            topic: settings["offset.storage.topic"].as_str().into(),
            partition: Some(0),
            key: Some("[\"c\",{\"filename\":\"never\"}]".into()),
            value: Some("{\"position\":1}".into()),
            ..OutRecord::default()
        };
        killed.send(vec![record]).await.unwrap();
        killed.flush().await.unwrap();
        let starts = Worker::start(&settings, "w2:8083");
        let worker = tokio::time::timeout(Duration::from_secs(60), starts)
            .await
            .expect("it waits for the transaction");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("in.txt");
        std::fs::write(&file, "one\n").unwrap();
        let config = props(&[
            ("connector.class", "FileStreamSource"),
            ("file", file.to_str().unwrap()),
            ("topic", &format!("{}-out", settings["group.id"])),
        ]);
        worker.port.put_config("c", config).await.unwrap();
        worker.runs("c").await;
        worker.handle.stop().await;
    }
}
