//! How lengths of time are spread over fixed bounds, as a classic Prometheus histogram counts them.

use std::time::Duration;

use bedload::time::nanos;

/// The upper bounds, in nanoseconds: from what a timer is late by to the slowest answers.
pub const BOUNDS: [u64; 17] = [
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    25_000_000_000,
    60_000_000_000,
    120_000_000_000,
];

/// Counts by bound.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    /// Of each bound, those above the bound before; the last is what no bound holds.
    counts: [u64; BOUNDS.len() + 1],
    sum_ns: u128,
}

impl Buckets {
    /// Counts one.
    pub fn add(&mut self, length: Duration) {
        let length = nanos(length);
        self.counts[BOUNDS.partition_point(|bound| *bound < length)] += 1;
        self.sum_ns += u128::from(length);
    }

    /// For each bound how many are no greater, and at the end how many there are.
    pub fn cumulative(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        })
    }

    /// All of them together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.sum_ns as f64 / 1e9
    }
}
