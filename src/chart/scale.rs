//! From numbers to places on an axis.
//!
//! Promises: a place is between 0 and 1 whatever the number; ticks lie on the axis, in order.

use super::ticks;

/// From numbers to places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Even steps.
    Linear {
        /// The number at its beginning.
        low: f64,
        /// The number at its end.
        high: f64,
    },
    /// Seconds since a beginning, with ticks as clocks have them.
    Time {
        /// The last second.
        end: f64,
    },
    /// Even factors; both ends are above zero.
    Log {
        /// The number at its beginning.
        low: f64,
        /// The number at its end.
        high: f64,
    },
    /// Parts of one, evenly by 1/(1 − part): 50 %, 90 %, 99 % and 99.9 % as `HdrHistogram` draws them.
    Percentile {
        /// The part at its end; below one.
        most: f64,
    },
}

impl Scale {
    /// From zero to a round number that is no less than any of these.
    #[must_use]
    pub fn up_to(values: impl IntoIterator<Item = f64>) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let most = finite.fold(0.0, f64::max);
        let (low, high) = ticks::nice_ends(0.0, if most > 0.0 { most } else { 1.0 });
        Self::Linear { low, high }
    }

    /// Round ends around these numbers and zero.
    #[must_use]
    pub fn around(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low == high {
            high = low + 1.0;
        }
        let (low, high) = ticks::nice_ends(low, high);
        Self::Linear { low, high }
    }

    /// Round ends around these numbers, wherever zero is.
    #[must_use]
    pub fn between(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        } else if low == high {
            // One number stands in the middle.
            let around = if low == 0.0 { 1.0 } else { low.abs() / 10.0 };
            (low, high) = (low - around, high + around);
        }
        let (low, high) = ticks::nice_ends(low, high);
        Self::Linear { low, high }
    }

    /// Powers of ten around these numbers; those that are not above zero do not count.
    #[must_use]
    pub fn log_around(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values {
            if value.is_finite() && value > 0.0 {
                low = low.min(value);
                high = high.max(value);
            }
        }
        if high == 0.0 {
            (low, high) = (1.0, 10.0);
        }
        let (low, high) = ticks::log_ends(low, high);
        Self::Log { low, high }
    }

    /// Up to the greatest percentile that so many samples can show.
    #[must_use]
    pub fn percentiles(samples: u64) -> Self {
        Self::Percentile {
            most: 1.0 - 1.0 / (samples.max(10) as f64),
        }
    }

    /// Where a number is: 0 at the axis's beginning, 1 at its end.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let part = match *self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Time { end } => value / end,
            Self::Log { low, high } => {
                (value.max(f64::MIN_POSITIVE) / low).ln() / (high / low).ln()
            }
            Self::Percentile { most } => (1.0 - value).max(1e-18).ln() / (1.0 - most).ln(),
        };
        if part.is_nan() {
            0.0
        } else {
            part.clamp(0.0, 1.0)
        }
    }

    /// Round numbers on the axis, about so many.
    #[must_use]
    pub fn ticks(&self, about: usize) -> Vec<f64> {
        match *self {
            Self::Linear { low, high } => ticks::linear(low, high, about),
            Self::Time { end } => ticks::time(end, about),
            Self::Log { low, high } => ticks::log(low, high, about),
            Self::Percentile { most } => ticks::percentile(most),
        }
    }
}
