//! A proxy in front of a broker that cuts connections in the middle of what comes back.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A proxy that lets so many bytes of each connection come back.
pub(crate) struct Proxy {
    listener: Option<TcpListener>,
    address: std::net::SocketAddr,
    open: Arc<watch::Sender<usize>>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Proxy {
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            listener: Some(listener),
            open: Arc::new(watch::Sender::new(0)),
            task: None,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// Begins; `cut` tells after how many bytes which connection ends.
    pub(crate) fn run(&mut self, to: String, cut: impl Fn(usize) -> usize + Send + 'static) {
        let (listener, open) = (self.listener.take().unwrap(), Arc::clone(&self.open));
        let count = AtomicUsize::new(0);
        self.task = Some(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let left = cut(count.fetch_add(1, Ordering::Relaxed));
                let (to, open) = (to.clone(), Arc::clone(&open));
                open.send_modify(|open| *open += 1);
                tokio::spawn(async move {
                    forward(client, &to, left).await;
                    open.send_modify(|open| *open -= 1);
                });
            }
        }));
    }

    /// Waits until no connection is open.
    pub(crate) async fn quiet(&self) {
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open == 0).await.unwrap();
    }
}

async fn forward(client: TcpStream, to: &str, mut left: usize) {
    let Ok(broker) = TcpStream::connect(to).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_broker, mut to_broker) = broker.into_split();
    let back = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read) = from_broker.read(&mut buffer).await {
            let send = read.min(left);
            if read == 0 || to_client.write_all(&buffer[..send]).await.is_err() {
                break;
            }
            left -= send;
            if left == 0 {
                break;
            }
        }
    };
    tokio::select! {
        () = back => {}
        _ = tokio::io::copy(&mut from_client, &mut to_broker) => {}
    }
}
