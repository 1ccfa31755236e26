//! Runs the embedded broker on a free port until it is ended; prints its address.

use milena_broker::{Broker, BrokerConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let dir = std::env::args()
        .nth(1)
        .ok_or("usage: serve DIR [HOST:PORT]")?;
    let listen = std::env::args()
        .nth(2)
        .unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let broker = Broker::start(BrokerConfig::new(dir, listen.parse()?)).await?;
    eprintln!("{}", broker.bootstrap());
    tokio::signal::ctrl_c().await?;
    broker.shutdown().await;
    Ok(())
}
