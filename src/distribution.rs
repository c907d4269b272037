//! How long something is: tokens of a prompt, nanoseconds until a first token.
//!
//! [`Distribution`] is the setting; [`Sampler`] is the same thing with everything computed that
//! can be computed beforehand, since a simulation draws millions of values a second.
//!
//! Promises: values are whole and never negative; [`Distribution::mean`],
//! [`Distribution::quantile`] and [`Distribution::max`] are closed forms of what the sampler draws,
//! so that plans and simulations agree.
//!
//! Deliberately not: validation. The bounds named on each field are checked where scenarios are
//! read.

use rand::{Rng as _, RngExt as _};
use rand_distr::StandardNormal;

use crate::rng::Rng;

/// The standard normal distribution's 95th percentile.
const NORMAL_P95: f64 = 1.644_853_626_951_472_2;

/// A distribution over whole numbers (tokens, or nanoseconds).
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(u64),
    /// Every whole number from `min` to `max`, both included, equally often.
    Uniform {
        /// Smallest value.
        min: u64,
        /// Largest value; not below `min`.
        max: u64,
    },
    /// Normal, rounded, and never below zero: what falls below it counts as zero.
    Normal {
        /// Mean before that cut; finite.
        mean: f64,
        /// Standard deviation before that cut; not negative.
        sd: f64,
    },
    /// Lognormal, rounded, told by two quantiles.
    Lognormal {
        /// The 50th percentile; above zero.
        median: f64,
        /// The 95th percentile; not below the median.
        p95: f64,
    },
    /// One of these, equally often; not empty.
    Empirical(Vec<u64>),
}

impl Distribution {
    /// What values are drawn from.
    ///
    /// # Panics
    ///
    /// If an empirical distribution is empty.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        Sampler(match *self {
            Self::Constant(value) => Kind::Constant(value),
            Self::Uniform { min, max } => Kind::Uniform {
                min,
                values: u128::from(max.saturating_sub(min)) + 1,
            },
            Self::Normal { mean, sd } => Kind::Normal { mean, sd },
            Self::Lognormal { median, p95 } => Kind::Lognormal {
                median,
                sigma: lognormal_sigma(median, p95),
            },
            Self::Empirical(ref values) => {
                assert!(!values.is_empty(), "an empirical distribution has values");
                Kind::Empirical(values.as_slice().into())
            }
        })
    }

    /// The expected value.
    ///
    /// For a normal distribution it is that of the distribution cut at zero,
    /// `μ·Φ(μ/σ) + σ·φ(μ/σ)`; for a lognormal one `median·exp(σ²/2)` with
    /// `σ = ln(p95 / median) / 1.6449`. Neither counts the rounding to whole numbers, which moves
    /// the mean by a small part of one.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Constant(value) => value as f64,
            Self::Uniform { min, max } => f64::midpoint(min as f64, max as f64),
            Self::Normal { mean, sd } if sd <= 0.0 => mean.max(0.0),
            Self::Normal { mean, sd } => mean * normal_cdf(mean / sd) + sd * normal_pdf(mean / sd),
            Self::Lognormal { median, p95 } => {
                let sigma = lognormal_sigma(median, p95);
                median * (sigma * sigma / 2.0).exp()
            }
            Self::Empirical(ref values) => {
                values.iter().map(|&value| value as f64).sum::<f64>() / values.len().max(1) as f64
            }
        }
    }

    /// The largest value that can be drawn; `None` where there is no bound.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        match *self {
            Self::Constant(value) => Some(value),
            Self::Uniform { min, max } => Some(max.max(min)),
            Self::Normal { mean, sd } => (sd <= 0.0).then_some(whole(mean)),
            Self::Lognormal { median, p95 } => (p95 <= median).then_some(whole(median)),
            Self::Empirical(ref values) => values.iter().copied().max(),
        }
    }

    /// The value that a share `q` of all draws does not exceed, `q` from 0 to 1.
    ///
    /// At 1 an unbounded distribution gives a very large number; ask [`Distribution::max`] instead.
    ///
    /// # Panics
    ///
    /// If an empirical distribution is empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> u64 {
        let q = q.clamp(0.0, 1.0);
        match *self {
            Self::Constant(value) => value,
            Self::Uniform { min, max } => {
                let values = (max.saturating_sub(min) as f64) + 1.0;
                let place = (q * values).ceil() as u64;
                min.saturating_add(place.saturating_sub(1))
                    .min(max.max(min))
            }
            Self::Normal { mean, sd } => whole(mean + sd * normal_quantile(q)),
            Self::Lognormal { median, p95 } => {
                whole(median * (lognormal_sigma(median, p95) * normal_quantile(q)).exp())
            }
            Self::Empirical(ref values) => {
                let mut sorted = values.clone();
                sorted.sort_unstable();
                assert!(!sorted.is_empty(), "an empirical distribution has values");
                let place = (q * sorted.len() as f64).ceil() as usize;
                sorted[place.saturating_sub(1).min(sorted.len() - 1)]
            }
        }
    }
}

/// A [`Distribution`], ready to be drawn from.
#[derive(Clone, Debug)]
pub struct Sampler(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Constant(u64),
    Uniform { min: u64, values: u128 },
    Normal { mean: f64, sd: f64 },
    Lognormal { median: f64, sigma: f64 },
    Empirical(Box<[u64]>),
}

impl Sampler {
    /// One value; some 10 ns of work.
    #[inline]
    #[must_use]
    pub fn sample(&self, rng: &mut Rng) -> u64 {
        match self.0 {
            Kind::Constant(value) => value,
            Kind::Uniform { min, values } => min + below(values, rng),
            Kind::Normal { mean, sd } => whole(mean + sd * rng.sample::<f64, _>(StandardNormal)),
            Kind::Lognormal { median, sigma } => {
                whole(median * (sigma * rng.sample::<f64, _>(StandardNormal)).exp())
            }
            Kind::Empirical(ref values) => values[below(values.len() as u128, rng) as usize],
        }
    }
}

/// A whole number from 0 to `values − 1`, for `values` up to 2⁶⁴, from exactly one draw.
///
/// The high half of a product (Lemire 2019, without the rejection step): no value's chance is off
/// by more than a share of `values / 2⁶⁴`, which no simulation can see.
#[inline]
fn below(values: u128, rng: &mut Rng) -> u64 {
    ((u128::from(rng.next_u64()) * values) >> 64) as u64
}

/// The nearest whole number that is not negative; the cast saturates at both ends.
#[inline]
fn whole(value: f64) -> u64 {
    (value + 0.5) as u64
}

fn lognormal_sigma(median: f64, p95: f64) -> f64 {
    (p95 / median).ln().max(0.0) / NORMAL_P95
}

fn normal_pdf(x: f64) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// Φ by its series about zero (Marsaglia 2004, "Evaluating the Normal Distribution"), to about 15
/// decimal places.
fn normal_cdf(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut odd) = (x, x, 1.0);
    loop {
        odd += 2.0;
        term *= x * x / odd;
        let next = sum + term;
        if next == sum {
            return 0.5 + sum * normal_pdf(x);
        }
        sum = next;
    }
}

/// Φ's inverse by bisection, within ±8: slow and plain, for it is asked only when scenarios are
/// read and plans are made.
fn normal_quantile(q: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal_cdf(middle) < q {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::{Seed, Stream};

    const DRAWS: usize = 200_000;

    fn drawn(distribution: &Distribution) -> Vec<u64> {
        let sampler = distribution.sampler();
        let mut rng = Seed(7).stream(Stream::Mix);
        let mut values: Vec<u64> = (0..DRAWS).map(|_| sampler.sample(&mut rng)).collect();
        values.sort_unstable();
        values
    }

    fn one_of_each() -> Vec<Distribution> {
        vec![
            Distribution::Constant(240),
            Distribution::Uniform {
                min: 100,
                max: 1_000,
            },
            Distribution::Normal {
                mean: 500.0,
                sd: 100.0,
            },
            Distribution::Lognormal {
                median: 1_800.0,
                p95: 6_000.0,
            },
            Distribution::Lognormal {
                median: 7e8,
                p95: 1.4e9,
            },
            Distribution::Empirical(vec![900, 100, 200, 200]),
        ]
    }

    #[test]
    fn means_and_quantiles_are_those_of_the_draws() {
        for distribution in one_of_each() {
            let values = drawn(&distribution);
            let mean = values.iter().sum::<u64>() as f64 / DRAWS as f64;
            let off = (mean / distribution.mean() - 1.0).abs();
            assert!(
                off < 0.01,
                "{distribution:?}: drew {mean}, expected {}",
                distribution.mean()
            );
            for q in [0.5, 0.95] {
                let seen = values[(q * DRAWS as f64) as usize] as f64;
                let told = distribution.quantile(q) as f64;
                assert!(
                    (seen / told - 1.0).abs() < 0.015,
                    "{distribution:?}: {seen}, {told}"
                );
            }
        }
    }

    #[test]
    fn a_lognormal_has_the_quantiles_it_was_told_by() {
        let answer = Distribution::Lognormal {
            median: 180.0,
            p95: 420.0,
        };
        assert_eq!([answer.quantile(0.5), answer.quantile(0.95)], [180, 420]);
        assert!(
            (answer.mean() - 205.538_1).abs() < 1e-4,
            "{}",
            answer.mean()
        );
    }

    #[test]
    fn a_normal_cut_at_zero_has_the_mean_of_the_cut_one() {
        let cut = Distribution::Normal {
            mean: 50.0,
            sd: 100.0,
        };
        let values = drawn(&cut);
        let mean = values.iter().sum::<u64>() as f64 / DRAWS as f64;
        assert!(
            (mean / cut.mean() - 1.0).abs() < 0.01,
            "{mean}, {}",
            cut.mean()
        );
        // E[max(0, X)] = σ(φ(½) + ½·Φ(½)), from a table of the normal distribution.
        assert!((cut.mean() - 100.0 * (0.352_065_33 + 0.5 * 0.691_462_46)).abs() < 1e-5);
        assert_eq!(values.iter().filter(|&&value| value > 100_000).count(), 0);
    }

    #[test]
    fn an_empirical_distribution_draws_each_value_as_often_as_it_stands_there() {
        let values = drawn(&Distribution::Empirical(vec![900, 100, 200, 200]));
        for (value, share) in [(100, 0.25), (200, 0.5), (900, 0.25)] {
            let seen = values.iter().filter(|&&drawn| drawn == value).count() as f64;
            assert!(
                (seen / DRAWS as f64 - share).abs() < 0.01,
                "{value}: {seen}"
            );
        }
        assert_eq!(
            values
                .iter()
                .filter(|value| ![100, 200, 900].contains(*value))
                .count(),
            0
        );
    }

    #[test]
    fn a_distribution_without_spread_has_one_value() {
        let mut rng = Seed(7).stream(Stream::Mix);
        for distribution in [
            Distribution::Constant(3),
            Distribution::Uniform { min: 3, max: 3 },
            Distribution::Normal { mean: 3.0, sd: 0.0 },
            Distribution::Lognormal {
                median: 3.0,
                p95: 3.0,
            },
            Distribution::Empirical(vec![3]),
        ] {
            assert_eq!(distribution.sampler().sample(&mut rng), 3);
            assert_eq!(distribution.max(), Some(3));
            assert_eq!(distribution.mean(), 3.0);
        }
    }

    #[test]
    fn only_normal_and_lognormal_are_unbounded() {
        let maxima: Vec<_> = one_of_each().iter().map(Distribution::max).collect();
        assert_eq!(
            maxima,
            [Some(240), Some(1_000), None, None, None, Some(900)]
        );
    }

    #[test]
    fn draws_are_the_same_for_ever() {
        let mut rng = Seed(7).stream(Stream::Mix);
        let mut seen = Vec::new();
        for distribution in one_of_each() {
            seen.push(distribution.sampler().sample(&mut rng));
        }
        assert_eq!(seen, [240, 223, 544, 5_392, 649_515_372, 200]);
    }

    proptest! {
        #[test]
        fn uniform_draws_stay_within_their_bounds(a: u64, b: u64, seed: u64) {
            let (min, max) = (a.min(b), a.max(b));
            let mut rng = Seed(seed).stream(Stream::Mix);
            let drawn = Distribution::Uniform { min, max }.sampler().sample(&mut rng);
            prop_assert!((min..=max).contains(&drawn));
        }

        #[test]
        fn quantiles_do_not_fall(q in 0.0..1.0f64, more in 0.0..0.5f64) {
            for distribution in one_of_each() {
                prop_assert!(distribution.quantile(q) <= distribution.quantile(q + more));
            }
        }
    }
}
