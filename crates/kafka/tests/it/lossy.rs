//! A proxy between a client and the embedded broker, which loses what it is told to lose.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use milena_broker::{Broker, BrokerConfig, RunningBroker};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What happens to a request of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It comes through, and so does its answer.
    Pass,
    /// The connection ends before the broker has it.
    Before,
    /// The broker has it; the connection ends before the answer.
    After,
}

#[derive(Default)]
struct Rules {
    /// By API, what happens to the requests that follow; afterwards they pass.
    fates: Mutex<Vec<(i16, VecDeque<Fate>)>>,
}

impl Rules {
    fn next(&self, api: i16) -> Fate {
        let mut fates = self.fates.lock().unwrap();
        let of_api = fates.iter_mut().find(|(of, _)| *of == api);
        let next = of_api.and_then(|(_, list)| list.pop_front());
        next.unwrap_or(Fate::Pass)
    }
}

/// An embedded broker behind a proxy.
pub(crate) struct Proxied {
    pub(crate) bootstrap: String,
    rules: Arc<Rules>,
    /// Whether requests are held back.
    held: watch::Sender<bool>,
    broker: Option<RunningBroker>,
    config: BrokerConfig,
    to: watch::Sender<SocketAddr>,
    _folder: TempDir,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Proxied {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxied {
    pub(crate) async fn start(set: impl FnOnce(&mut BrokerConfig)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::new(folder.path(), ([127, 0, 0, 1], 0).into());
        config.auto_create_topics = false;
        config.listeners[0].advertised = Some((own.ip().to_string(), own.port()));
        set(&mut config);
        let broker = Broker::start(config.clone()).await.unwrap();
        let (to, address) = watch::channel(broker.local_addr());
        let (held, holding) = watch::channel(false);
        let rules = Arc::new(Rules::default());
        let own_rules = Arc::clone(&rules);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (rules, holding) = (Arc::clone(&own_rules), holding.clone());
                let address = *address.borrow();
                tokio::spawn(async move {
                    if let Ok(broker) = TcpStream::connect(address).await {
                        pump(client, broker, &rules, holding).await;
                    }
                });
            }
        });
        Self {
            bootstrap: own.to_string(),
            rules,
            held,
            broker: Some(broker),
            config,
            to,
            _folder: folder,
            accepting,
        }
    }

    /// What happens to the next requests of an API.
    pub(crate) fn expect(&self, api: i16, fates: impl IntoIterator<Item = Fate>) {
        let mut all = self.rules.fates.lock().unwrap();
        all.retain(|(of, _)| *of != api);
        all.push((api, fates.into_iter().collect()));
    }

    /// Holds requests back, or lets them go on.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Ends the broker; connections through the proxy end with it.
    pub(crate) async fn stop(&mut self) {
        if let Some(broker) = self.broker.take() {
            broker.shutdown().await;
        }
    }

    /// Starts it again, on another port, with what it had stored.
    pub(crate) async fn start_again(&mut self) {
        let broker = Broker::start(self.config.clone()).await.unwrap();
        self.to.send_replace(broker.local_addr());
        self.broker = Some(broker);
    }
}

async fn frame(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = from.read_u32().await.ok()?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.resize(4 + length as usize, 0);
    from.read_exact(&mut frame[4..]).await.ok()?;
    Some(frame)
}

async fn pump(
    client: TcpStream,
    broker: TcpStream,
    rules: &Rules,
    mut held: watch::Receiver<bool>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_broker, mut to_broker) = broker.into_split();
    // The answer that must not come through.
    let lost = Mutex::new(None::<[u8; 4]>);
    let requests = async {
        while let Some(request) = frame(&mut from_client).await {
            if held.wait_for(|held| !*held).await.is_err() {
                return;
            }
            let api = i16::from_be_bytes([request[4], request[5]]);
            match rules.next(api) {
                Fate::Pass => {}
                Fate::Before => return,
                Fate::After => {
                    let mut id = [0; 4];
                    id.copy_from_slice(&request[8..12]);
                    *lost.lock().unwrap() = Some(id);
                }
            }
            if to_broker.write_all(&request).await.is_err() {
                return;
            }
        }
    };
    let answers = async {
        while let Some(answer) = frame(&mut from_broker).await {
            if lost.lock().unwrap().is_some_and(|id| answer[4..8] == id) {
                return;
            }
            if to_client.write_all(&answer).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
}
