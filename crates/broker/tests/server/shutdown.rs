//! A broker that is shut down while its clients are busy.

use milena_broker::{Broker, BrokerConfig};
use tokio::task::JoinSet;

use crate::client::Client;

/// Rounds of start and shutdown. Without the wait for connections one of 300 failed on a busy machine.
const ROUNDS: usize = 50;
const CLIENTS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_busy_broker_that_was_shut_down_can_be_started_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let config = BrokerConfig::new(dir.path(), "127.0.0.1:0".parse().unwrap());
        let broker = Broker::start(config).await;
        let broker = broker.unwrap_or_else(|error| panic!("round {round}: {error}"));
        let mut clients = JoinSet::new();
        let (busy, mut heard) = tokio::sync::mpsc::channel(CLIENTS);
        for number in 0..CLIENTS {
            let (address, busy) = (broker.bootstrap(), busy.clone());
            clients.spawn(async move {
                let mut client = Client::connect(&address).await;
                let group = format!("group-{number}");
                client.create("t", 1, 1).await;
                busy.send(()).await.unwrap();
                while client.try_commit(&group, ("", -1), "t", 7).await.is_some() {}
            });
        }
        for _ in 0..CLIENTS {
            heard.recv().await.unwrap();
        }
        broker.shutdown().await;
        clients.join_all().await;
    }
}
