//! Points on a line, one to each unit of length on average: what arrivals look like at rate 1.
//!
//! Deliberately not: times. [`Curve`](super::curve::Curve) turns a point into one.

use rand::RngExt as _;
use rand_distr::{Distribution as _, Exp1, Gamma};

use super::Spacing;
use crate::rng::Rng;

/// The points of a [`Spacing`], in order.
#[derive(Clone, Debug)]
pub(super) struct Points {
    next: f64,
    gaps: Gaps,
    rng: Rng,
}

#[derive(Clone, Debug)]
enum Gaps {
    One,
    Exponential,
    Gamma(Gamma<f64>),
}

impl Gaps {
    #[inline]
    fn draw(&self, rng: &mut Rng) -> f64 {
        match self {
            Self::One => 1.0,
            Self::Exponential => rng.sample(Exp1),
            Self::Gamma(gamma) => gamma.sample(rng),
        }
    }
}

impl Points {
    pub(super) fn new(spacing: Spacing, mut rng: Rng) -> Self {
        let (gaps, next) = match spacing {
            Spacing::Even => (Gaps::One, 0.0),
            Spacing::Poisson => (Gaps::Exponential, rng.sample(Exp1)),
            Spacing::Gamma { cv } => {
                let variance = cv.clamp(1e-3, 1e3).powi(2);
                let shape = variance.recip();
                // An instant falls into a long gap more often than into a short one: the gap that
                // is under way has one more in its shape, and the instant lies anywhere in it
                // (Cox 1962, "Renewal Theory", §5.2).
                let under_way = gamma(shape + 1.0, variance).sample(&mut rng);
                (
                    Gaps::Gamma(gamma(shape, variance)),
                    under_way * rng.random::<f64>(),
                )
            }
        };
        Self { next, gaps, rng }
    }

    /// The next point; not before the one before it.
    #[inline]
    pub(super) fn next(&mut self) -> f64 {
        let point = self.next;
        self.next += self.gaps.draw(&mut self.rng);
        point
    }
}

fn gamma(shape: f64, scale: f64) -> Gamma<f64> {
    Gamma::new(shape, scale).expect("the coefficient of variation is a number")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, Stream};

    fn points(spacing: Spacing, seed: u64) -> Points {
        Points::new(spacing, Seed(seed).stream(Stream::Arrivals))
    }

    #[test]
    fn gaps_have_the_mean_one_and_the_coefficient_of_variation_asked_for() {
        for (spacing, cv) in [
            (Spacing::Even, 0.0),
            (Spacing::Poisson, 1.0),
            (Spacing::Gamma { cv: 0.5 }, 0.5),
            (Spacing::Gamma { cv: 1.0 }, 1.0),
            (Spacing::Gamma { cv: 4.0 }, 4.0),
        ] {
            let mut points = points(spacing, 3);
            let mut last = points.next();
            let gaps: Vec<f64> = (0..400_000)
                .map(|_| {
                    let next = points.next();
                    let gap = next - last;
                    last = next;
                    gap
                })
                .collect();
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let variance =
                gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
            let seen = variance.sqrt() / mean;
            assert!((mean - 1.0).abs() < 0.03, "{spacing:?}: mean {mean}");
            assert!((seen - cv).abs() < 0.05 * cv + 1e-9, "{spacing:?}: {seen}");
        }
    }

    #[test]
    fn the_first_units_of_length_have_one_point_each_on_average() {
        for spacing in [
            Spacing::Poisson,
            Spacing::Gamma { cv: 4.0 },
            Spacing::Gamma { cv: 0.3 },
        ] {
            let runs = 20_000;
            let mut count = 0;
            for seed in 0..runs {
                let mut points = points(spacing, seed);
                while points.next() < 2.0 {
                    count += 1;
                }
            }
            let mean = f64::from(count) / runs as f64;
            assert!((mean - 2.0).abs() < 0.15, "{spacing:?}: {mean}");
        }
    }
}
