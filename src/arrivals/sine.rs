//! A rate that swings about its mean.
//!
//! Units and the meaning of the methods are those of [`Curve`](super::curve::Curve).

use std::f64::consts::PI;

/// Where Newton's method stops, in parts of a period: for a period of an hour 2 ps.
const PHASE_TOLERANCE: f64 = 2.0 * f64::EPSILON;

/// `mean · (1 + depth · sin(2π t / period))`.
#[derive(Clone, Debug)]
pub(super) struct Sine {
    mean: f64,
    /// Amplitude over mean, from 0 to 1.
    depth: f64,
    period: f64,
}

impl Sine {
    /// A sine whose mean and period are above zero; an amplitude above the mean counts as the mean.
    pub(super) fn new(mean: f64, amplitude: f64, period: f64) -> Self {
        Self {
            mean,
            depth: (amplitude / mean).min(1.0),
            period,
        }
    }

    pub(super) fn count_by(&self, time: f64) -> f64 {
        let periods = time / self.period;
        let whole = periods.floor();
        self.mean * self.period * (whole + self.share_by(periods - whole))
    }

    #[inline]
    pub(super) fn time_of(&self, count: f64) -> f64 {
        let per_period = self.mean * self.period;
        let whole = (count / per_period).floor();
        let rest = (count - whole * per_period) / per_period;
        self.period * (whole + self.phase_of(rest.clamp(0.0, 1.0)))
    }

    pub(super) fn peak_by(&self, time: f64) -> f64 {
        let phase = (time / self.period).min(0.25);
        self.mean * (1.0 + self.depth * (2.0 * PI * phase).sin())
    }

    /// The share of a period's requests that are due by this part of it: `x + depth · sin²(πx) / π`.
    fn share_by(&self, phase: f64) -> f64 {
        let sin = (PI * phase).sin();
        phase + self.depth / PI * sin * sin
    }

    /// The inverse of `share_by`, by Newton's method between bounds that each step draws closer.
    ///
    /// Where Newton would leave them or is slow, as it is where the rate nears zero, they are halved
    /// instead (Press et al., "Numerical Recipes", §9.4), so that the loop always ends.
    fn phase_of(&self, share: f64) -> f64 {
        let (mut low, mut high) = ((share - self.depth / PI).max(0.0), share);
        let mut phase = f64::midpoint(low, high);
        let mut last_step = high - low;
        while last_step.abs() > PHASE_TOLERANCE {
            let (sin, cos) = (PI * phase).sin_cos();
            let excess = phase + self.depth / PI * sin * sin - share;
            let rate = 1.0 + 2.0 * self.depth * sin * cos;
            if excess > 0.0 {
                high = phase;
            } else {
                low = phase;
            }
            let newton = phase - excess / rate;
            let slow = 2.0 * excess.abs() > rate * last_step.abs();
            let next = if slow || !(low..=high).contains(&newton) {
                f64::midpoint(low, high)
            } else {
                newton
            };
            last_step = next - phase;
            phase = next;
        }
        phase
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_ends_and_is_right_even_where_the_rate_is_zero() {
        // The rate is zero at 3/4 of the period when the amplitude equals the mean.
        let sine = Sine::new(1.0, 1.0, 1.0);
        let still = sine.share_by(0.75);
        for off in [-1e-3, -1e-9, -1e-15, 0.0, 1e-15, 1e-9, 1e-3] {
            let phase = sine.phase_of(still + off);
            assert!(
                (sine.share_by(phase) - still - off).abs() < 4e-16,
                "{off}: {phase}"
            );
        }
        for share in [0.0, f64::MIN_POSITIVE, 1e-12, 1.0 - 1e-12, 1.0] {
            let phase = sine.phase_of(share);
            assert!((0.0..=1.0).contains(&phase));
            assert!(
                (sine.share_by(phase) - share).abs() < 4e-16,
                "{share}: {phase}"
            );
        }
    }
}
