//! What a sample says of what it was taken from: intervals, and how much to believe them.
//!
//! Promises: every interval is two-sided at the confidence that it is asked for; nothing here draws
//! randomness of its own; each method names its source and is held against scipy's answers
//! (`tests/statistics`).
//!
//! Deliberately not: a choice of metrics or margins (`compare`).

mod holm;
mod proportion;
mod quantile;

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal, StudentsT};

pub use self::holm::holm;
pub use self::proportion::{newcombe, wilson};
pub use self::quantile::{quantile_ranks, samples_needed};

/// Two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower.
    pub low: f64,
    /// The upper.
    pub high: f64,
}

impl Interval {
    /// Both ends through a function that does not fall.
    #[must_use]
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            low: change(self.low),
            high: change(self.high),
        }
    }

    /// Whether it holds a value.
    #[must_use]
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The standard normal distribution's two-sided quantile: 1.96 at a confidence of 0.95.
#[must_use]
pub(crate) fn normal_quantile(confidence: f64) -> f64 {
    let normal = Normal::standard();
    normal.inverse_cdf(0.5 + confidence / 2.0)
}

/// Student's two-sided quantile with so many degrees of freedom: 2.262 at a confidence of 0.95 with 9; none
/// without any.
#[must_use]
pub fn students_quantile(confidence: f64, freedom: u64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(student.inverse_cdf(0.5 + confidence / 2.0))
}

/// The mean of `values` and their standard deviation (of n − 1); none of fewer than two.
#[must_use]
pub fn mean_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, (squares / (values.len() - 1) as f64).sqrt()))
}

/// The mean of `values` with Student's interval; none of fewer than two values.
///
/// # Panics
///
/// If the confidence is not between 0 and 1.
#[must_use]
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<(f64, Interval)> {
    assert!(
        0.0 < confidence && confidence < 1.0,
        "a confidence is between 0 and 1"
    );
    let (mean, deviation) = mean_and_deviation(values)?;
    let count = values.len();
    let t = students_quantile(confidence, count as u64 - 1)?;
    let half = t * deviation / (count as f64).sqrt();
    let interval = Interval {
        low: mean - half,
        high: mean + half,
    };
    Some((mean, interval))
}

/// What a sample says of whether its mean is above a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanTest {
    /// Student's interval of the mean.
    pub interval: Interval,
    /// How likely such a mean is, or a greater one, if the truth were the bound.
    pub p: f64,
    /// How many values would put the interval on one side of the bound, if they went on like these; none if
    /// these do, or if the mean is the bound.
    pub needed: Option<u64>,
}

/// Student's test of `values` against `bound`. `exact` values have no error: the mean is what it is, also
/// that of one value. None of fewer than two values that are not exact.
///
/// # Panics
///
/// If the confidence is not between 0 and 1.
#[must_use]
pub fn mean_test(values: &[f64], bound: f64, confidence: f64, exact: bool) -> Option<MeanTest> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let (interval, error) = match mean_interval(values, confidence) {
        Some((_, interval)) => {
            let (_, deviation) = mean_and_deviation(values)?;
            (interval, deviation / (values.len() as f64).sqrt())
        }
        None if exact && !values.is_empty() => (
            Interval {
                low: mean,
                high: mean,
            },
            0.0,
        ),
        None => return None,
    };
    let above = mean - bound;
    let p = if error > 0.0 {
        let student = StudentsT::new(0.0, 1.0, (values.len() - 1) as f64).ok()?;
        student.sf(above / error)
    } else {
        f64::from(u8::from(above <= 0.0))
    };
    let sd = error * (values.len() as f64).sqrt();
    let needed = (interval.contains(bound) && above != 0.0 && error > 0.0).then(|| {
        // A little more than the normal quantile, as Student's is with some ten values.
        let ratio = (normal_quantile(confidence) + 0.3) * sd / above;
        (ratio.powi(2).ceil() as u64).max(values.len() as u64 + 1)
    });
    Some(MeanTest {
        interval,
        p,
        needed,
    })
}

/// How likely so many of `count` changes, or more, go one way if both ways are as likely: the sign test,
/// one-sided; 1 of no changes.
#[must_use]
pub fn sign_test(one_way: u64, count: u64) -> f64 {
    match (one_way.checked_sub(1), Binomial::new(0.5, count)) {
        (Some(fewer), Ok(binomial)) => binomial.sf(fewer),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests;
