//! The clients that are alive, and what the library measures of each. A client that was dropped is gone from here, too.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use confluent_kafka::common::{
    Metric as _, MetricValue,
    metrics::{KafkaMetric, MetricsView},
};

use crate::ports::{ClientMetric, ClientReading};

/// Alive as long as its client.
pub(crate) type Alive = Arc<()>;

struct Client {
    alive: Weak<()>,
    domain: &'static str,
    view: MetricsView,
}

/// The live clients of one factory.
#[derive(Default)]
pub(crate) struct Measured(Mutex<Vec<Client>>);

impl Measured {
    /// A client begins; it is shown while what is returned lives.
    pub(crate) fn add(&self, domain: &'static str, view: MetricsView) -> Alive {
        let alive = Arc::new(());
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| client.alive.strong_count() > 0);
        clients.push(Client {
            alive: Arc::downgrade(&alive),
            domain,
            view,
        });
        alive
    }

    /// All attributes of all clients, in the order of their names.
    pub(crate) fn read(&self) -> Vec<ClientMetric> {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let views: Vec<(&'static str, MetricsView)> = clients
            .iter()
            .filter(|client| client.alive.strong_count() > 0)
            .map(|client| (client.domain, client.view.clone()))
            .collect();
        drop(clients);
        let mut all: Vec<ClientMetric> = Vec::new();
        for (domain, view) in views {
            let metrics = view.snapshot();
            all.extend(metrics.values().map(|metric| one(domain, metric)));
        }
        all.sort_by(|a, b| {
            (a.domain, &a.group, &a.tags, &a.name).cmp(&(b.domain, &b.group, &b.tags, &b.name))
        });
        all
    }
}

fn one(domain: &'static str, metric: &KafkaMetric) -> ClientMetric {
    let name = metric.metric_name();
    let tags = name.tags().iter();
    ClientMetric {
        domain,
        group: name.group().to_owned(),
        tags: tags.map(|(k, v)| (k.clone(), v.clone())).collect(),
        name: name.name().to_owned(),
        reading: match metric.metric_value() {
            MetricValue::Double(value) => ClientReading::Number(value),
            #[expect(clippy::cast_precision_loss, reason = "JMX pages show doubles")]
            MetricValue::Long(value) => ClientReading::Number(value as f64),
            MetricValue::Int(value) => ClientReading::Number(f64::from(value)),
            MetricValue::String(text) => ClientReading::Text(text),
            _ => ClientReading::Number(f64::NAN),
        },
    }
}
