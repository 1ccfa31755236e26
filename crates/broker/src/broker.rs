//! Starts and stops the broker.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    api::{FetchSessions, Quotas},
    clock::now_ms,
    config::BrokerConfig,
    group::Groups,
    listener::Listener,
    log::{LogStore, OpenError, StoreOptions},
    net::{self, Memory},
    tls::TlsError,
    txn::Transactions,
    watch::Appends,
};

/// How long accepting, coordination and maintenance get to end by themselves at shutdown, each.
const GRACE: Duration = Duration::from_millis(200);

/// How long connections get for the requests that they are answering at shutdown.
const CONNECTIONS_GRACE: Duration = Duration::from_secs(5);

/// Why a broker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] OpenError),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}; is another broker running? choose another port")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody could connect.
    #[error("the broker has no listener")]
    NoListener,
    /// A listener cannot speak TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// State of the broker in its own topics cannot be read.
    #[error("cannot read the broker's state in {dir}: {source}")]
    State {
        /// The data directory.
        dir: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) config: BrokerConfig,
    pub(crate) store: LogStore,
    pub(crate) cluster_id: String,
    pub(crate) appends: Appends,
    pub(crate) fetch_sessions: FetchSessions,
    pub(crate) quotas: Quotas,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    /// The tasks of connections: each holds the store, and with it the lock of the data directory.
    pub(crate) serving: TaskTracker,
    pub(crate) request_memory: Memory,
    pub(crate) next_member: AtomicI64,
    pub(crate) stopping: CancellationToken,
}

/// The embedded broker.
pub struct Broker;

/// A broker that runs until it is shut down or dropped.
pub struct RunningBroker {
    shared: Arc<Shared>,
    first: Arc<Listener>,
    addresses: Vec<(String, SocketAddr)>,
    tasks: Vec<JoinHandle<()>>,
}

impl Broker {
    /// Opens the data directory, recovers state, and listens. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The directory cannot be used, the address is taken, or state cannot be read.
    pub async fn start(config: BrokerConfig) -> Result<RunningBroker, StartError> {
        let mut bound = Vec::new();
        for listener in &config.listeners {
            bound.push(Listener::bind(listener).await?);
        }
        let first = bound.first().map(|(listener, _)| Arc::clone(listener));
        let first = first.ok_or(StartError::NoListener)?;
        let options = StoreOptions {
            defaults: config.log.clone(),
            ..StoreOptions::default()
        };
        let store = LogStore::open(&config.data_dir, options, now_ms())?;
        let dir = config.data_dir.clone();
        let state = |source| StartError::State {
            dir: dir.clone(),
            source,
        };
        let cluster_id = cluster_id(&config.data_dir).map_err(state)?;
        let groups = Groups::load(&store, config.group_initial_rebalance_delay).map_err(state)?;
        let transactions = Transactions::load(&store, &config.data_dir).map_err(state)?;
        let shared = Arc::new(Shared {
            store,
            cluster_id,
            appends: Appends::default(),
            fetch_sessions: FetchSessions::default(),
            quotas: Quotas::default(),
            groups,
            transactions,
            serving: TaskTracker::new(),
            request_memory: Memory::new(config.request_memory_max),
            next_member: AtomicI64::new(1),
            stopping: CancellationToken::new(),
            config,
        });
        // Transactions that were being completed when the broker died are completed now.
        shared.transactions.finish_pending(&shared);
        if shared.config.abort_transactions_at_start {
            shared.transactions.abort_open(&shared, |_| true);
        }
        let mut tasks = vec![
            tokio::spawn(coordinate(Arc::clone(&shared))),
            tokio::spawn(maintain(Arc::clone(&shared))),
        ];
        let mut addresses = Vec::new();
        for (listener, socket) in bound {
            addresses.push((listener.name.clone(), listener.local));
            tasks.push(tokio::spawn(net::accept(
                Arc::clone(&shared),
                listener,
                socket,
            )));
        }
        Ok(RunningBroker {
            shared,
            first,
            addresses,
            tasks,
        })
    }
}

impl RunningBroker {
    /// `host:port` of the first listener for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("{}:{}", self.first.host, self.first.port)
    }

    /// The address that the first listener listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.first.local
    }

    /// Every listener's name and address.
    #[must_use]
    pub fn listeners(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Ends connections and closes the logs, so that the next start need not scan them. The data directory can be opened
    /// anew when it returns, unless a request or a compaction takes longer than it is waited for.
    pub async fn shutdown(mut self) {
        self.shared.stopping.cancel();
        for task in self.tasks.drain(..) {
            // A task that does not end by itself holds nothing that the close below needs.
            let _ = tokio::time::timeout(GRACE, task).await;
        }
        self.shared.serving.close();
        let served = tokio::time::timeout(CONNECTIONS_GRACE, self.shared.serving.wait()).await;
        if served.is_err() {
            tracing::warn!(grace = ?CONNECTIONS_GRACE, "requests are still being answered at shutdown; the data directory stays locked until they are");
        }
        if let Err(error) = self.shared.store.close() {
            tracing::error!(%error, "the broker's logs were not closed cleanly; the next start scans them");
        }
    }
}

impl Drop for RunningBroker {
    fn drop(&mut self) {
        self.shared.stopping.cancel();
    }
}

/// Steps sessions, rebalances and transaction timeouts.
async fn coordinate(shared: Arc<Shared>) {
    loop {
        let wait = shared
            .groups
            .until_deadline()
            .min(Duration::from_millis(500));
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = shared.groups.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
        shared.groups.tick();
        shared.transactions.time_out(&shared);
    }
}

async fn maintain(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(shared.config.maintenance) => {}
        }
        let store = Arc::clone(&shared);
        // Compaction may take long: never on a thread that answers requests.
        let done = tokio::task::spawn_blocking(move || store.store.maintain(now_ms())).await;
        if let Err(error) = done {
            tracing::error!(%error, "maintenance of the logs failed");
        }
    }
}

/// The cluster id, made once and kept.
fn cluster_id(dir: &Path) -> io::Result<String> {
    let path = dir.join("cluster-id");
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        _ => {
            use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
            let id = URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes());
            fs::write(&path, &id)?;
            Ok(id)
        }
    }
}
