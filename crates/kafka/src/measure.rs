//! What our own clients measure of themselves: sums, rates and extremes over Java's sliding windows
//! (`org.apache.kafka.common.metrics`), and the list of the clients that are alive.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::time::Instant;

use crate::ports::{ClientMetric, ClientReading};

/// `metrics.sample.window.ms`.
const WINDOW: Duration = Duration::from_secs(30);
/// `metrics.num.samples`.
const SAMPLES: u32 = 2;

/// One window.
#[derive(Clone, Copy, Debug)]
struct Sample {
    begun: Instant,
    sum: f64,
    events: f64,
    max: f64,
}

/// Something that is counted: in all, and in the last windows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// All that was ever added.
    pub(crate) total: f64,
    samples: Vec<Sample>,
}

impl Counted {
    /// One event of this size.
    pub(crate) fn add(&mut self, now: Instant, value: f64) {
        self.total += value;
        let fresh = |sample: &&mut Sample| now.duration_since(sample.begun) < WINDOW;
        match self.samples.last_mut().filter(fresh) {
            Some(sample) => {
                sample.sum += value;
                sample.events += 1.0;
                sample.max = sample.max.max(value);
            }
            None => {
                self.samples.retain(|sample| live(sample, now));
                self.samples.push(Sample {
                    begun: now,
                    sum: value,
                    events: 1.0,
                    max: value,
                });
            }
        }
    }

    fn live(&self, now: Instant) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| live(sample, now))
    }

    /// Per second, over the time of all windows but the last, at least.
    pub(crate) fn rate(&self, now: Instant) -> f64 {
        let sum: f64 = self.live(now).map(|sample| sample.sum).sum();
        // The sum of nothing is below zero by its sign.
        (sum + 0.0) / self.elapsed(now)
    }

    /// Seconds that a rate is over.
    fn elapsed(&self, now: Instant) -> f64 {
        let begun = self.live(now).map(|sample| sample.begun).min();
        let elapsed = begun.map_or(Duration::ZERO, |begun| now.duration_since(begun));
        elapsed.max(WINDOW * (SAMPLES - 1)).as_secs_f64()
    }

    /// Events per second, in the same windows.
    pub(crate) fn events_rate(&self, now: Instant) -> f64 {
        let events: f64 = self.live(now).map(|sample| sample.events).sum();
        (events + 0.0) / self.elapsed(now)
    }

    /// The mean of the events of the last windows; not a number without any.
    pub(crate) fn average(&self, now: Instant) -> f64 {
        let events: f64 = self.live(now).map(|sample| sample.events).sum();
        self.live(now).map(|sample| sample.sum).sum::<f64>() / events
    }

    /// The largest event of the last windows; not a number without any.
    pub(crate) fn max(&self, now: Instant) -> f64 {
        self.live(now)
            .map(|sample| sample.max)
            .fold(f64::NAN, f64::max)
    }
}

fn live(sample: &Sample, now: Instant) -> bool {
    now.duration_since(sample.begun) < WINDOW * SAMPLES
}

/// A client that shows what it measures.
pub(crate) trait Measures: Send + Sync {
    /// The domain and the `client.id`: one page shows each once.
    fn who(&self) -> (&'static str, &str);
    /// Adds its attributes.
    fn read(&self, now: Instant, into: &mut Vec<ClientMetric>);
}

/// An attribute that is a number.
pub(crate) fn number(
    domain: &'static str,
    group: &str,
    tags: &[(&str, &str)],
    name: &str,
    value: f64,
) -> ClientMetric {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    ClientMetric {
        domain,
        group: group.to_owned(),
        tags: tags.iter().map(own).collect(),
        name: name.to_owned(),
        reading: ClientReading::Number(value),
    }
}

/// The clients that are alive. One that was dropped is gone from here, too.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Vec<Weak<dyn Measures>>>);

impl Registry {
    /// A client begins.
    pub(crate) fn add(&self, client: &Arc<dyn Measures>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|client| client.strong_count() > 0);
        all.push(Arc::downgrade(client));
    }

    /// What all of them show, in the order of their names; of two with one `client.id` the newer, or a page would show
    /// one name twice.
    pub(crate) fn read(&self) -> Vec<ClientMetric> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut alive: Vec<Arc<dyn Measures>> =
            all.iter().rev().filter_map(Weak::upgrade).collect();
        drop(all);
        alive.sort_by(|a, b| a.who().cmp(&b.who()));
        alive.dedup_by(|a, b| a.who() == b.who());
        let (now, mut metrics) = (Instant::now(), Vec::new());
        for client in alive {
            client.read(now, &mut metrics);
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Client(&'static str, f64);

    impl Measures for Client {
        fn who(&self) -> (&'static str, &str) {
            ("kafka.producer", self.0)
        }

        fn read(&self, _: Instant, into: &mut Vec<ClientMetric>) {
            let tags = [("client-id", self.0)];
            let shown = number("kafka.producer", "producer-metrics", &tags, "n", self.1);
            into.push(shown);
        }
    }

    #[test]
    fn a_page_shows_each_client_once_and_none_that_is_gone() {
        let registry = Registry::default();
        let clients: Vec<Arc<dyn Measures>> = vec![
            Arc::new(Client("b", 1.0)),
            Arc::new(Client("a", 2.0)),
            Arc::new(Client("b", 3.0)),
        ];
        clients.iter().for_each(|client| registry.add(client));
        let shown = |registry: &Registry| {
            let read = registry.read().into_iter();
            read.map(|metric| (metric.tags[0].1.clone(), metric.reading))
                .collect::<Vec<_>>()
        };
        let of = |name: &str, value| (name.to_owned(), ClientReading::Number(value));
        assert_eq!(shown(&registry), [of("a", 2.0), of("b", 3.0)]);
        drop(clients);
        assert_eq!(shown(&registry), []);
    }

    #[test]
    fn rates_are_over_two_windows_and_totals_for_ever() {
        let mut counted = Counted::default();
        let begun = Instant::now();
        counted.add(begun, 60.0);
        assert_eq!(counted.rate(begun), 2.0);
        let later = begun + Duration::from_secs(40);
        counted.add(later, 20.0);
        assert_eq!(
            (counted.rate(later), counted.events_rate(later)),
            (2.0, 0.05)
        );
        assert_eq!((counted.average(later), counted.max(later)), (40.0, 60.0));
        let much_later = later + Duration::from_secs(61);
        assert_eq!((counted.rate(much_later), counted.total), (0.0, 80.0));
        assert!(counted.max(much_later).is_nan());
    }
}
