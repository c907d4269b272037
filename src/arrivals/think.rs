//! How long the workers of a closed loop think.
//!
//! Promises: the time after a request depends on the seed and on that request's number alone, not
//! on the order in which requests end.

use std::time::Duration;

use crate::distribution::{Distribution, Sampler};
use crate::rng::{Seed, Stream};

/// Think times, ready to be drawn.
#[derive(Clone, Debug)]
pub struct ThinkTimes {
    sampler: Sampler,
    seed: Seed,
}

impl ThinkTimes {
    /// Think times from a distribution of nanoseconds, as
    /// [`closed_loop`](super::ArrivalProcess::closed_loop) gives it.
    #[must_use]
    pub fn new(think: &Distribution, seed: Seed) -> Self {
        Self {
            sampler: think.sampler(),
            seed,
        }
    }

    /// How long a worker thinks after its request with this number has ended.
    #[must_use]
    pub fn after(&self, request: u64) -> Duration {
        let mut rng = self.seed.keyed(Stream::Think, request, 0);
        Duration::from_nanos(self.sampler.sample(&mut rng))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_requests_think_independently_and_as_long_as_asked() {
        let think = Distribution::Lognormal {
            median: 2e9,
            p95: 6e9,
        };
        let times = ThinkTimes::new(&think, Seed(7));
        let seconds: Vec<f64> = (0..50_000)
            .map(|id| times.after(id).as_secs_f64())
            .collect();
        let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
        assert!((mean * 1e9 / think.mean() - 1.0).abs() < 0.02, "{mean}");
        let variance = seconds
            .iter()
            .map(|time| (time - mean).powi(2))
            .sum::<f64>();
        let together = seconds
            .windows(2)
            .map(|pair| (pair[0] - mean) * (pair[1] - mean));
        let correlation = together.sum::<f64>() / variance;
        assert!(correlation.abs() < 0.02, "{correlation}");
    }
}
