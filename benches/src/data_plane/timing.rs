//! Medians of rates by the CPU time of this thread.

use std::{fs, time::Instant};

/// Rounds of a measurement.
const ROUNDS: usize = 15;
/// What a round should take, in seconds.
const ROUND_SECONDS: f64 = 0.1;

/// Seconds that this thread ran on a CPU; wall time where the system does not tell.
fn now(start: Instant) -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match text
        .split_whitespace()
        .next()
        .and_then(|ns| ns.parse::<f64>().ok())
    {
        Some(nanoseconds) => nanoseconds / 1e9,
        None => start.elapsed().as_secs_f64(),
    }
}

/// The median rate of a piece of work, per second.
pub(crate) fn rate(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut count = 1_000_u32;
    // Warm up, and find how much makes a round.
    loop {
        let before = now(start);
        (0..count).for_each(|_| work());
        let took = now(start) - before;
        if took >= ROUND_SECONDS || count > 1 << 28 {
            break;
        }
        count *= 2;
    }
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let before = now(start);
            (0..count).for_each(|_| work());
            f64::from(count) / (now(start) - before).max(1e-9)
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates.get(ROUNDS / 2).copied().unwrap_or(0.0)
}
