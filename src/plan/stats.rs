//! Estimates with their intervals.
//!
//! Promises: an interval is at 95 %, says from how many values, and is none where the sample cannot
//! give one. Sources: order statistics (Hahn and Meeker, "Statistical Intervals", 1991, chapter 5) for
//! quantiles; Student's t for means over seeds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The standard normal distribution's 97.5th percentile.
const Z: f64 = 1.959_964;

/// Student's t at 97.5 % for 1 to 10 degrees of freedom; beyond, the normal distribution's is near
/// enough for what is printed with three digits.
const T: [f64; 10] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
];

/// A quantile of sorted values, with the interval between two of their order statistics. The ranks are
/// those of the normal approximation to the binomial distribution, rounded outwards.
pub(super) fn quantile_estimate(sorted: &[f64], q: f64) -> Estimate {
    let n = sorted.len() as f64;
    let at = |rank: f64| sorted.get((rank as usize).saturating_sub(1)).copied();
    let rank = (q * n).ceil().max(1.0);
    let spread = Z * (n * q * (1.0 - q)).sqrt();
    let (low, high) = ((q * n - spread).floor(), (q * n + spread).ceil() + 1.0);
    Estimate {
        value: at(rank).unwrap_or(0.0),
        low: (low >= 1.0).then(|| at(low)).flatten(),
        high: (high <= n).then(|| at(high)).flatten(),
        samples: sorted.len() as u64,
    }
}

/// The mean of values of different seeds.
pub(super) fn mean_estimate(values: &[f64]) -> Estimate {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n.max(1) as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let half = (n > 1).then(|| {
        let t = T.get(n - 2).copied().unwrap_or(Z);
        t * (squares / (n - 1) as f64 / n as f64).sqrt()
    });
    Estimate {
        value: mean,
        low: half.map(|half| mean - half),
        high: half.map(|half| mean + half),
        samples: n as u64,
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
            (270.0, Some(259.0), Some(282.0))
        );
        assert_eq!(quantile_estimate(&[], 0.5).value, 0.0);
    }

    #[test]
    fn a_mean_has_the_interval_of_students_t() {
        let mean = mean_estimate(&[9.0, 10.0, 11.0]);
        // t(0.975, 2) = 4.303, s = 1, n = 3.
        assert!((mean.value - 10.0).abs() < 1e-12);
        assert!((mean.high.unwrap_or_default() - (10.0 + 4.303 / 3_f64.sqrt())).abs() < 1e-9);
        assert_eq!(mean_estimate(&[5.0]).low, None);
    }
}
