//! Estimates with their intervals.
//!
//! Promises: an interval is at 95 %, says from how many values, and is none where the sample cannot
//! give one. Order statistics for quantiles, Student's t for means over seeds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::statistics::{mean_interval, quantile_ranks};

/// A value, and where it lies with 95 % confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// The interval's lower end; none where the sample is too small.
    pub low: Option<f64>,
    /// The interval's upper end; none where the sample is too small.
    pub high: Option<f64>,
    /// How many values it is from.
    pub samples: u64,
}

/// How sure intervals are.
const CONFIDENCE: f64 = 0.95;

/// A quantile of sorted values, with the interval between two of their order statistics.
pub(super) fn quantile_estimate(sorted: &[f64], q: f64) -> Estimate {
    let count = sorted.len() as u64;
    let at = |rank: u64| sorted.get((rank as usize).saturating_sub(1)).copied();
    let rank = (q * count as f64).ceil().max(1.0) as u64;
    let (low, high) = quantile_ranks(count, q, CONFIDENCE);
    Estimate {
        value: at(rank).unwrap_or(0.0),
        low: low.and_then(at),
        high: high.and_then(at),
        samples: count,
    }
}

/// The mean of values of different seeds.
pub(super) fn mean_estimate(values: &[f64]) -> Estimate {
    let interval = mean_interval(values, CONFIDENCE).map(|(_, interval)| interval);
    Estimate {
        value: values.iter().sum::<f64>() / values.len().max(1) as f64,
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        samples: values.len() as u64,
    }
}

impl Estimate {
    /// The estimate in another unit.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            value: self.value * factor,
            low: self.low.map(|low| low * factor),
            high: self.high.map(|high| high * factor),
            samples: self.samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_its_order_statistics() {
        let values: Vec<f64> = (1..=300).map(f64::from).collect();
        let p99 = quantile_estimate(&values, 0.99);
        assert_eq!((p99.value, p99.low), (297.0, Some(293.0)));
        assert_eq!(p99.high, None, "301 of 300 do not exist: too few minutes");
        let p90 = quantile_estimate(&values, 0.9);
        assert_eq!(
            (p90.value, p90.low, p90.high),
            (270.0, Some(259.0), Some(281.0))
        );
        assert_eq!(quantile_estimate(&[], 0.5).value, 0.0);
    }

    #[test]
    fn a_mean_has_the_interval_of_students_t() {
        let mean = mean_estimate(&[9.0, 10.0, 11.0]);
        // t(0.975, 2) = 4.302653, s = 1, n = 3.
        assert!((mean.value - 10.0).abs() < 1e-12);
        assert!((mean.high.unwrap_or_default() - (10.0 + 4.302_653 / 3_f64.sqrt())).abs() < 1e-6);
        assert_eq!(mean_estimate(&[5.0]).low, None);
    }
}
