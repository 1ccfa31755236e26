//! What goes over the wire client's connections, counted under Java's names (`connect-metrics`, `admin-client-metrics` and
//! those of their nodes). Selector loops are not counted: there are none.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    measure::Counted,
    ports::{ClientMetric, ClientReading},
};

/// Requests and bytes, of a node or of all.
#[derive(Clone, Debug, Default)]
struct Flow {
    requests: Counted,
    /// In bytes, each request one event.
    sent: Counted,
    responses: Counted,
    received: Counted,
    /// In milliseconds.
    latency: Counted,
}

#[derive(Debug, Default)]
struct Counts {
    all: Flow,
    nodes: BTreeMap<i32, Flow>,
    open: u32,
    created: Counted,
    closed: Counted,
    logins: Counted,
    refused: Counted,
}

/// What kind of client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    /// The member of the workers' group.
    Worker,
    /// An admin client.
    Admin,
    /// A producer.
    Producer,
    /// A consumer.
    Consumer,
}

/// The traffic of all clients of a kind with one `client.id`.
#[derive(Debug)]
pub(crate) struct Traffic {
    of: Of,
    client_id: String,
    counts: Mutex<Counts>,
}

impl Traffic {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection stands.
    pub(crate) fn opened(&self, logged_in: bool) {
        let (mut counts, now) = (self.counts(), Instant::now());
        counts.open += 1;
        counts.created.add(now, 1.0);
        if logged_in {
            counts.logins.add(now, 1.0);
        }
    }

    /// A connection is gone.
    pub(crate) fn closed(&self) {
        let mut counts = self.counts();
        counts.open = counts.open.saturating_sub(1);
        counts.closed.add(Instant::now(), 1.0);
    }

    /// A login was refused.
    pub(crate) fn refused(&self) {
        self.counts().refused.add(Instant::now(), 1.0);
    }

    /// A request went out.
    pub(crate) fn sent(&self, node: i32, bytes: usize) {
        let (mut counts, now) = (self.counts(), Instant::now());
        let bytes = size(bytes);
        let counts = &mut *counts;
        for flow in [&mut counts.all, counts.nodes.entry(node).or_default()] {
            flow.requests.add(now, 1.0);
            flow.sent.add(now, bytes);
        }
    }

    /// Its answer came.
    pub(crate) fn received(&self, node: i32, bytes: usize, after: Duration) {
        let (mut counts, now) = (self.counts(), Instant::now());
        let bytes = size(bytes);
        let counts = &mut *counts;
        for flow in [&mut counts.all, counts.nodes.entry(node).or_default()] {
            flow.responses.add(now, 1.0);
            flow.received.add(now, bytes);
            flow.latency.add(now, after.as_secs_f64() * 1000.0);
        }
    }

    fn read(&self, all: &mut Vec<ClientMetric>) {
        let (domain, group) = match self.of {
            Of::Worker => ("kafka.connect", "connect"),
            Of::Admin => ("kafka.admin.client", "admin-client"),
            Of::Producer => ("kafka.producer", "producer"),
            Of::Consumer => ("kafka.consumer", "consumer"),
        };
        let (counts, now) = (self.counts(), Instant::now());
        let mut show = |group: String, node: Option<i32>, list: Vec<(&str, f64)>| {
            let mut tags = vec![("client-id".to_owned(), self.client_id.clone())];
            tags.extend(node.map(|node| ("node-id".to_owned(), format!("node-{node}"))));
            all.extend(list.into_iter().map(|(name, value)| ClientMetric {
                domain,
                group: group.clone(),
                tags: tags.clone(),
                name: name.to_owned(),
                reading: ClientReading::Number(value),
            }));
        };
        let mut list = flow(&counts.all, now);
        list.push(("connection-count", f64::from(counts.open)));
        for (rate, total, counted) in [
            (
                "connection-creation-rate",
                "connection-creation-total",
                &counts.created,
            ),
            (
                "connection-close-rate",
                "connection-close-total",
                &counts.closed,
            ),
            (
                "successful-authentication-rate",
                "successful-authentication-total",
                &counts.logins,
            ),
            (
                "failed-authentication-rate",
                "failed-authentication-total",
                &counts.refused,
            ),
        ] {
            list.extend([(rate, counted.rate(now)), (total, counted.total)]);
        }
        // Each way is one operation.
        let (out, back) = (&counts.all.requests, &counts.all.responses);
        list.push(("network-io-rate", out.rate(now) + back.rate(now)));
        list.push(("network-io-total", out.total + back.total));
        show(format!("{group}-metrics"), None, list);
        for (node, of) in &counts.nodes {
            let mut list = flow(of, now);
            list.push(("request-latency-avg", of.latency.average(now)));
            list.push(("request-latency-max", of.latency.max(now)));
            show(format!("{group}-node-metrics"), Some(*node), list);
        }
    }
}

fn flow(of: &Flow, now: Instant) -> Vec<(&'static str, f64)> {
    vec![
        ("request-rate", of.requests.rate(now)),
        ("request-total", of.requests.total),
        ("request-size-avg", of.sent.average(now)),
        ("request-size-max", of.sent.max(now)),
        ("response-rate", of.responses.rate(now)),
        ("response-total", of.responses.total),
        ("outgoing-byte-rate", of.sent.rate(now)),
        ("outgoing-byte-total", of.sent.total),
        ("incoming-byte-rate", of.received.rate(now)),
        ("incoming-byte-total", of.received.total),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "pages of metrics show doubles")]
const fn size(bytes: usize) -> f64 {
    bytes as f64
}

/// The clients that are alive. A client that was dropped is gone from here, too.
#[derive(Default)]
pub(crate) struct Traffics(Mutex<Vec<Weak<Traffic>>>);

impl Traffics {
    /// Where a client counts: with those of its kind that have the same `client.id`, or a page would show one name twice.
    pub(crate) fn of(&self, of: Of, client_id: &str) -> Arc<Traffic> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|traffic| traffic.strong_count() > 0);
        let same = |traffic: &Arc<Traffic>| traffic.of == of && traffic.client_id == client_id;
        if let Some(known) = all.iter().filter_map(Weak::upgrade).find(same) {
            return known;
        }
        let new = Arc::new(Traffic {
            of,
            client_id: client_id.to_owned(),
            counts: Mutex::default(),
        });
        all.push(Arc::downgrade(&new));
        new
    }

    /// Everything that is counted.
    pub(crate) fn read(&self) -> Vec<ClientMetric> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut alive: Vec<Arc<Traffic>> = all.iter().filter_map(Weak::upgrade).collect();
        drop(all);
        alive.sort_by(|a, b| (a.of, &a.client_id).cmp(&(b.of, &b.client_id)));
        let mut metrics = Vec::new();
        for traffic in alive {
            traffic.read(&mut metrics);
        }
        metrics
    }
}

/// A connection's count: it is closed when this is dropped.
pub(crate) struct Line {
    traffic: Arc<Traffic>,
    node: i32,
}

impl Line {
    pub(crate) fn open(traffic: &Arc<Traffic>, node: i32, logged_in: bool) -> Self {
        traffic.opened(logged_in);
        Self {
            traffic: Arc::clone(traffic),
            node,
        }
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.traffic.sent(self.node, bytes);
    }

    pub(crate) fn received(&self, bytes: usize, after: Duration) {
        self.traffic.received(self.node, bytes, after);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.traffic.closed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(metrics: &[ClientMetric], group: &str, name: &str) -> f64 {
        let found = metrics
            .iter()
            .find(|metric| metric.group == group && metric.name == name);
        match found.map(|metric| &metric.reading) {
            Some(ClientReading::Number(value)) => *value,
            other => panic!("{group} {name}: {other:?}"),
        }
    }

    #[test]
    fn clients_of_one_name_are_counted_together_and_gone_when_dropped() {
        let all = Traffics::default();
        let one = all.of(Of::Admin, "a");
        let same = all.of(Of::Admin, "a");
        let line = Line::open(&one, 1, true);
        line.sent(100);
        line.received(10, Duration::from_millis(3));
        Line::open(&same, -1, false).sent(300);
        let metrics = all.read();
        let all_of = |name| value(&metrics, "admin-client-metrics", name);
        assert_eq!(all_of("connection-count"), 1.0);
        assert_eq!(all_of("connection-creation-total"), 2.0);
        assert_eq!(all_of("connection-close-total"), 1.0);
        assert_eq!(all_of("successful-authentication-total"), 1.0);
        assert_eq!(all_of("request-total"), 2.0);
        assert_eq!(all_of("network-io-total"), 3.0);
        assert_eq!(all_of("request-size-avg"), 200.0);
        assert_eq!(all_of("outgoing-byte-total"), 400.0);
        assert_eq!(all_of("outgoing-byte-rate"), 400.0 / 30.0);
        let latency = metrics
            .iter()
            .filter(|metric| metric.name == "request-latency-max")
            .map(|metric| (metric.tags[1].1.as_str(), &metric.reading));
        let latency: Vec<_> = latency.collect();
        assert_eq!(latency[1], ("node-1", &ClientReading::Number(3.0)));
        drop((line, one, same));
        assert_eq!(all.read(), []);
    }
}
