//! The brokers of a cluster: who they are, who leads what, and the connections to them.
//!
//! Connections are made when they are needed and kept until they end. Nothing here retries; callers do.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kafka_protocol::{
    messages::{
        MetadataRequest, MetadataResponse, TopicName, metadata_request::MetadataRequestTopic,
    },
    protocol::{Request, StrBytes},
};
use tokio::time::Instant;

use super::{
    codes,
    connection::Connection,
    settings::{Address, WireSettings},
    traffic::{Of, Traffics},
};
use crate::ports::{ClientProps, KafkaError, KafkaErrorKind};

/// Which of the connections to a broker: answers of one come in order, so what waits long has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Everything that is answered at once.
    Prompt,
    /// Joins and syncs, which wait for other members.
    Waiting,
    /// Fetches, which wait for records.
    Fetching,
}

/// Where a connection leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peer {
    /// A bootstrap server by its place in the list.
    Bootstrap(usize),
    /// A broker by its id.
    Broker(i32),
}

#[derive(Default)]
struct State {
    brokers: BTreeMap<i32, Address>,
    controller: Option<i32>,
    leaders: HashMap<(String, i32), (i32, Instant)>,
    connections: HashMap<(Peer, Lane), Arc<Connection>>,
    /// The client is given up: nothing is opened any more.
    closed: bool,
}

/// Partitions by the broker that leads them.
pub(crate) type ByLeader = BTreeMap<i32, Vec<(Arc<str>, i32)>>;

/// A cluster as one client sees it.
pub(crate) struct Cluster {
    settings: WireSettings,
    state: Mutex<State>,
}

/// Closes the connection of a waiting request that is given up: the broker must not take an older JoinGroup
/// for a newer one (`AtMostOneRunning`).
struct Unanswered {
    connection: Option<Arc<Connection>>,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.close();
        }
    }
}

impl Cluster {
    /// A cluster that is not connected to yet.
    pub(crate) fn new(props: &ClientProps) -> Result<Self, KafkaError> {
        Ok(Self {
            settings: WireSettings::from_props(props)?,
            state: Mutex::default(),
        })
    }

    /// The same, with its traffic counted.
    pub(crate) fn counted(mut self, all: &Traffics, of: Of) -> Self {
        self.settings.traffic = Some(all.of(of, &self.settings.client_id));
        self
    }

    /// The client's settings.
    pub(crate) fn settings(&self) -> &WireSettings {
        &self.settings
    }

    /// Sends to a broker.
    pub(crate) async fn call<R: Request>(
        &self,
        broker: i32,
        lane: Lane,
        make: impl FnOnce(i16) -> R,
        timeout: Duration,
    ) -> Result<R::Response, KafkaError> {
        let connection = self.broker(broker, lane).await?;
        let mut unanswered = Unanswered {
            connection: matches!(lane, Lane::Waiting).then(|| Arc::clone(&connection)),
        };
        let answer = connection.call(make, timeout).await;
        unanswered.connection = None;
        answer
    }

    /// Sends to a broker, in a version up to this one.
    pub(crate) async fn call_up_to<R: Request>(
        &self,
        (broker, lane): (i32, Lane),
        highest: i16,
        make: impl FnOnce(i16) -> R,
        timeout: Duration,
    ) -> Result<R::Response, KafkaError> {
        let connection = self.broker(broker, lane).await?;
        connection.call_up_to(highest, make, timeout).await
    }

    /// Sends to any broker.
    pub(crate) async fn call_any<R: Request>(
        &self,
        make: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, KafkaError> {
        let connection = self.any().await?;
        connection.call(make, self.settings.request_timeout).await
    }

    /// Sends to the controller, or whom the brokers name as such.
    pub(crate) async fn call_controller<R: Request>(
        &self,
        make: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, KafkaError> {
        let known = self.lock().controller;
        let controller = match known {
            Some(id) => id,
            None => {
                self.metadata(Some(&[])).await?;
                self.lock().controller.ok_or_else(|| {
                    codes::error(5, "metadata", Some("the cluster has no controller now"))
                })?
            }
        };
        let timeout = self.settings.request_timeout;
        let answer = self.call(controller, Lane::Prompt, make, timeout).await;
        if answer.is_err() {
            self.forget_controller();
        }
        answer
    }

    /// Asks anew who the controller is before the next request to it.
    pub(crate) fn forget_controller(&self) {
        self.lock().controller = None;
    }

    /// Fetches metadata of these topics (`None`: all); never creates one.
    pub(crate) async fn metadata(
        &self,
        topics: Option<&[String]>,
    ) -> Result<MetadataResponse, KafkaError> {
        let topics = topics.map(|list| {
            let one = |name: &String| {
                let name = TopicName(StrBytes::from_string(name.clone()));
                MetadataRequestTopic::default().with_name(Some(name))
            };
            list.iter().map(one).collect()
        });
        let answer = self
            .call_any(|_| {
                MetadataRequest::default()
                    .with_topics(topics)
                    .with_allow_auto_topic_creation(false)
            })
            .await?;
        self.learn(&answer);
        Ok(answer)
    }

    /// Fetches metadata of these topics as a producer asks: where brokers make topics by themselves, they do.
    pub(crate) async fn metadata_for_writing(
        &self,
        topics: &[Arc<str>],
    ) -> Result<MetadataResponse, KafkaError> {
        let one = |name: &Arc<str>| {
            let name = TopicName(StrBytes::from_string(name.to_string()));
            MetadataRequestTopic::default().with_name(Some(name))
        };
        let topics = topics.iter().map(one).collect();
        let answer = self
            .call_any(|_| {
                MetadataRequest::default()
                    .with_topics(Some(topics))
                    .with_allow_auto_topic_creation(true)
            })
            .await?;
        self.learn(&answer);
        Ok(answer)
    }

    /// The leader of each partition; those that are not known or too old are asked for.
    ///
    /// # Errors
    /// Retriable when a topic or its leader is not there.
    pub(crate) async fn leaders(
        &self,
        partitions: &[(Arc<str>, i32)],
    ) -> Result<ByLeader, KafkaError> {
        if let Ok(known) = self.known_leaders(partitions) {
            return Ok(known);
        }
        let mut topics: Vec<String> = partitions.iter().map(|(t, _)| t.to_string()).collect();
        topics.sort();
        topics.dedup();
        let answer = self.metadata(Some(&topics)).await?;
        for topic in &answer.topics {
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            codes::check(topic.error_code, &format!("topic {name}"), None)?;
        }
        self.known_leaders(partitions)
    }

    /// Forgets who leads these partitions.
    pub(crate) fn forget_leaders(&self, partitions: &[(Arc<str>, i32)]) {
        let mut state = self.lock();
        for (topic, partition) in partitions {
            state.leaders.remove(&(topic.to_string(), *partition));
        }
    }

    /// Remembers where a broker is.
    pub(crate) fn learn_broker(&self, id: i32, host: &str, port: i32) {
        let Ok(port) = u16::try_from(port) else {
            return;
        };
        let address = Address {
            host: host.to_owned(),
            port,
        };
        let mut state = self.lock();
        let moved = state
            .brokers
            .insert(id, address.clone())
            .is_some_and(|old| old != address);
        if moved {
            state
                .connections
                .retain(|(peer, _), _| *peer != Peer::Broker(id));
        }
    }

    fn known_leaders(&self, partitions: &[(Arc<str>, i32)]) -> Result<ByLeader, KafkaError> {
        let state = self.lock();
        let mut by_leader: ByLeader = BTreeMap::new();
        for (topic, partition) in partitions {
            match state.leaders.get(&(topic.to_string(), *partition)) {
                Some((leader, at)) if at.elapsed() < self.settings.metadata_age => {
                    let list = by_leader.entry(*leader).or_default();
                    list.push((Arc::clone(topic), *partition));
                }
                _ => return Err(codes::error(5, &format!("{topic}-{partition}"), None)),
            }
        }
        Ok(by_leader)
    }

    fn learn(&self, answer: &MetadataResponse) {
        for broker in &answer.brokers {
            self.learn_broker(broker.node_id.0, broker.host.as_str(), broker.port);
        }
        let mut state = self.lock();
        state.controller = Some(answer.controller_id.0).filter(|id| *id >= 0);
        let now = Instant::now();
        for topic in &answer.topics {
            let Some(name) = &topic.name else { continue };
            for partition in &topic.partitions {
                let key = (name.to_string(), partition.partition_index);
                if partition.leader_id.0 >= 0 {
                    state.leaders.insert(key, (partition.leader_id.0, now));
                } else {
                    state.leaders.remove(&key);
                }
            }
        }
    }

    /// A connection to a broker, opened if there is none.
    pub(crate) async fn broker(&self, id: i32, lane: Lane) -> Result<Arc<Connection>, KafkaError> {
        let peer = Peer::Broker(id);
        if let Some(connection) = self.open_already(peer, lane) {
            return Ok(connection);
        }
        let mut address = self.lock().brokers.get(&id).cloned();
        if address.is_none() {
            self.metadata(Some(&[])).await?;
            address = self.lock().brokers.get(&id).cloned();
        }
        let address =
            address.ok_or_else(|| codes::error(8, &format!("broker {id}"), None).retry())?;
        self.open(peer, lane, &address).await
    }

    async fn any(&self) -> Result<Arc<Connection>, KafkaError> {
        let (open, mut peers) = {
            let state = self.lock();
            let open = state
                .connections
                .iter()
                .find(|((_, lane), c)| *lane == Lane::Prompt && c.is_usable())
                .map(|(_, connection)| Arc::clone(connection));
            let peers: Vec<(Peer, Address)> = state
                .brokers
                .iter()
                .map(|(id, address)| (Peer::Broker(*id), address.clone()))
                .collect();
            (open, peers)
        };
        if let Some(open) = open {
            return Ok(open);
        }
        let turn = |list: &mut Vec<(Peer, Address)>| {
            let len = list.len().max(1);
            list.rotate_left(rand::random_range(0..len));
        };
        turn(&mut peers);
        let mut bootstrap: Vec<(Peer, Address)> = self
            .settings
            .bootstrap
            .iter()
            .enumerate()
            .map(|(at, address)| (Peer::Bootstrap(at), address.clone()))
            .collect();
        turn(&mut bootstrap);
        peers.append(&mut bootstrap);
        let mut last = codes::error(8, "bootstrap.servers", None);
        for (peer, address) in peers {
            match self.open(peer, Lane::Prompt, &address).await {
                Ok(connection) => return Ok(connection),
                Err(error) if error.is_retriable() => last = error,
                // A refused login is refused everywhere.
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn open_already(&self, peer: Peer, lane: Lane) -> Option<Arc<Connection>> {
        let state = self.lock();
        let connection = state.connections.get(&(peer, lane))?;
        connection.is_usable().then(|| Arc::clone(connection))
    }

    async fn open(
        &self,
        peer: Peer,
        lane: Lane,
        address: &Address,
    ) -> Result<Arc<Connection>, KafkaError> {
        let node = match peer {
            // As Java numbers them.
            Peer::Bootstrap(at) => i32::try_from(at).map_or(i32::MIN, |at| -1 - at),
            Peer::Broker(id) => id,
        };
        let given_up = || codes::error(8, "a client that is closed", None);
        if self.lock().closed {
            return Err(given_up());
        }
        let connection = Arc::new(Connection::open(&self.settings, address, node).await?);
        // Two callers may have connected at the same time: the later one is kept, the other serves its caller.
        let mut state = self.lock();
        if state.closed {
            return Err(given_up());
        }
        let kept = Arc::clone(&connection);
        state.connections.insert((peer, lane), kept);
        Ok(connection)
    }

    /// Ends all connections for good: nothing is sent any more, and what waits for an answer ends as unknown.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for connection in std::mem::take(&mut state.connections).into_values() {
            connection.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KafkaError {
    /// The same error, worth another attempt.
    fn retry(mut self) -> Self {
        self.kind = KafkaErrorKind::Retriable;
        self
    }
}
