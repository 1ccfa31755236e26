//! Statistics over the last few windows of time, as `org.apache.kafka.common.metrics.stats` keeps them: rates,
//! averages, extremes and shares forget what is older than the windows; totals never do.
//!
//! Time is given by the caller, so that nothing here waits or looks at a clock.

use std::time::{Duration, Instant};

/// `metrics.sample.window.ms` and `metrics.num.samples`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The length of one window.
    pub length: Duration,
    /// How many are kept; at least one.
    pub count: usize,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            length: Duration::from_secs(30),
            count: 2,
        }
    }
}

impl Windows {
    fn span(self) -> Duration {
        self.length
            .saturating_mul(u32::try_from(self.count.max(1)).unwrap_or(u32::MAX))
    }
}

#[derive(Clone, Copy, Debug)]
struct Sample<T> {
    begun: Instant,
    last: Instant,
    value: T,
}

/// The windows of one statistic; `T` is what one window adds up to.
#[derive(Clone, Debug)]
struct Sampled<T> {
    windows: Windows,
    /// Oldest first, never empty after the first record.
    samples: Vec<Sample<T>>,
}

impl<T: Copy + Default> Sampled<T> {
    fn new(windows: Windows) -> Self {
        Self {
            windows,
            samples: Vec::new(),
        }
    }

    fn record(&mut self, now: Instant, add: impl FnOnce(&mut T)) {
        self.forget(now);
        let length = self.windows.length;
        let fresh = self
            .samples
            .last()
            .is_none_or(|sample| now.saturating_duration_since(sample.begun) >= length);
        if fresh {
            if self.samples.len() >= self.windows.count.max(1) {
                self.samples.remove(0);
            }
            self.samples.push(Sample {
                begun: now,
                last: now,
                value: T::default(),
            });
        }
        if let Some(sample) = self.samples.last_mut() {
            sample.last = now;
            add(&mut sample.value);
        }
    }

    /// Drops the windows whose last event is older than all windows together.
    fn forget(&mut self, now: Instant) {
        let span = self.windows.span();
        self.samples
            .retain(|sample| now.saturating_duration_since(sample.last) < span);
    }

    fn values(&self, now: Instant) -> impl Iterator<Item = T> {
        let span = self.windows.span();
        self.samples
            .iter()
            .filter(move |sample| now.saturating_duration_since(sample.last) < span)
            .map(|sample| sample.value)
    }

    /// The time that the windows stand for; a young statistic counts as if it had all but one window behind it,
    /// so that a first burst is no giant rate.
    fn elapsed(&self, now: Instant) -> Duration {
        let span = self.windows.span();
        let oldest = self
            .samples
            .iter()
            .find(|sample| now.saturating_duration_since(sample.last) < span);
        let elapsed = oldest.map_or(Duration::ZERO, |sample| {
            now.saturating_duration_since(sample.begun)
        });
        let length = self.windows.length.max(Duration::from_millis(1));
        let full = usize::try_from(elapsed.as_nanos() / length.as_nanos()).unwrap_or(usize::MAX);
        let wanted = self.windows.count.max(1) - 1;
        let missing = u32::try_from(wanted.saturating_sub(full)).unwrap_or(0);
        elapsed + length.saturating_mul(missing)
    }
}

/// A rate per second and the total since the start (`Meter`).
#[derive(Clone, Debug)]
pub struct Meter {
    sums: Sampled<f64>,
    total: f64,
}

impl Meter {
    /// Nothing yet.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        Self {
            sums: Sampled::new(windows),
            total: 0.0,
        }
    }

    /// Counts so many.
    #[expect(clippy::cast_precision_loss, reason = "JMX shows doubles")]
    pub fn add(&mut self, now: Instant, count: usize) {
        let count = count as f64;
        self.total += count;
        self.sums.record(now, |sum| *sum += count);
    }

    /// Events per second over the windows.
    #[must_use]
    pub fn rate(&self, now: Instant) -> f64 {
        let elapsed = self.sums.elapsed(now).as_secs_f64();
        let sum: f64 = self.sums.values(now).sum();
        if elapsed > 0.0 { sum / elapsed } else { 0.0 }
    }

    /// All events.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }
}

/// The mean of what was recorded; NaN without a record.
#[derive(Clone, Debug)]
pub struct Average(Sampled<(f64, f64)>);

impl Average {
    /// Nothing yet.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        Self(Sampled::new(windows))
    }

    /// Notes a value.
    pub fn record(&mut self, now: Instant, value: f64) {
        self.0.record(now, |(sum, count)| {
            *sum += value;
            *count += 1.0;
        });
    }

    /// The mean over the windows.
    #[must_use]
    pub fn value(&self, now: Instant) -> f64 {
        let (sum, count) = self
            .0
            .values(now)
            .fold((0.0, 0.0), |(sum, count), (s, c)| (sum + s, count + c));
        if count > 0.0 { sum / count } else { f64::NAN }
    }
}

/// The largest value recorded; NaN without a record.
#[derive(Clone, Debug)]
pub struct Maximum(Sampled<Option<f64>>);

impl Maximum {
    /// Nothing yet.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        Self(Sampled::new(windows))
    }

    /// Notes a value.
    pub fn record(&mut self, now: Instant, value: f64) {
        self.0.record(now, |held| {
            *held = Some(held.map_or(value, |h| h.max(value)));
        });
    }

    /// The largest over the windows.
    #[must_use]
    pub fn value(&self, now: Instant) -> f64 {
        self.0.values(now).flatten().fold(f64::NAN, f64::max)
    }
}

/// The smallest value recorded; NaN without a record.
#[derive(Clone, Debug)]
pub struct Minimum(Sampled<Option<f64>>);

impl Minimum {
    /// Nothing yet.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        Self(Sampled::new(windows))
    }

    /// Notes a value.
    pub fn record(&mut self, now: Instant, value: f64) {
        self.0.record(now, |held| {
            *held = Some(held.map_or(value, |h| h.min(value)));
        });
    }

    /// The smallest over the windows.
    #[must_use]
    pub fn value(&self, now: Instant) -> f64 {
        self.0.values(now).flatten().fold(f64::NAN, f64::min)
    }
}

/// How large a share of events was good or bad, each from 0 to 1 although Java calls it a percentage
/// (`Frequencies`).
#[derive(Clone, Debug)]
pub struct Shares(Sampled<(f64, f64)>);

impl Shares {
    /// Nothing yet.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        Self(Sampled::new(windows))
    }

    /// Notes one event.
    pub fn record(&mut self, now: Instant, good: bool) {
        self.0.record(now, |(goods, bads)| {
            *(if good { goods } else { bads }) += 1.0;
        });
    }

    /// The shares of good and of bad events over the windows; both are 0 without any.
    #[must_use]
    pub fn value(&self, now: Instant) -> (f64, f64) {
        let (good, bad) = self
            .0
            .values(now)
            .fold((0.0, 0.0), |(good, bad), (g, b)| (good + g, bad + b));
        let all = good + bad;
        if all > 0.0 {
            (good / all, bad / all)
        } else {
            (0.0, 0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_counts_a_young_window_as_full_and_forgets_old_ones() {
        let start = Instant::now();
        let mut meter = Meter::new(Windows::default());
        assert_eq!((meter.rate(start), meter.total()), (0.0, 0.0));
        meter.add(start, 60);
        // One of two windows is always counted as past: 60 in 30 s.
        assert!((meter.rate(start) - 2.0).abs() < 1e-9);
        assert!((meter.rate(at(start, 30)) - 2.0).abs() < 1e-9);
        meter.add(at(start, 30), 60);
        assert!((meter.rate(at(start, 59)) - 120.0 / 59.0).abs() < 1e-9);
        // The first window is forgotten whole.
        assert!((meter.rate(at(start, 60)) - 2.0).abs() < 1e-9);
        assert!(meter.rate(at(start, 90)).abs() < 1e-9);
        assert!((meter.total() - 120.0).abs() < 1e-9);
    }

    #[test]
    fn extremes_and_averages_are_of_the_windows_and_nan_without_a_record() {
        let start = Instant::now();
        let windows = Windows::default();
        let (mut max, mut min, mut avg) = (
            Maximum::new(windows),
            Minimum::new(windows),
            Average::new(windows),
        );
        assert!(
            max.value(start).is_nan() && min.value(start).is_nan() && avg.value(start).is_nan()
        );
        for (second, value) in [(0, 9.0), (31, 1.0), (32, 3.0)] {
            max.record(at(start, second), value);
            min.record(at(start, second), value);
            avg.record(at(start, second), value);
        }
        let seen = |second| {
            let now = at(start, second);
            (max.value(now), min.value(now), avg.value(now))
        };
        assert_eq!(seen(32), (9.0, 1.0, 13.0 / 3.0));
        // The first window is over.
        assert_eq!(seen(61), (3.0, 1.0, 2.0));
        assert!(seen(95).0.is_nan());
    }

    #[test]
    fn shares_are_fractions() {
        let now = Instant::now();
        let mut shares = Shares::new(Windows::default());
        assert_eq!(shares.value(now), (0.0, 0.0));
        for good in [true, true, true, false] {
            shares.record(now, good);
        }
        assert_eq!(shares.value(now), (0.75, 0.25));
    }
}
