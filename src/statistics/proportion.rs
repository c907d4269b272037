//! Shares: how many of how many.

use super::{Interval, normal_quantile};

/// Wilson's score interval for `hits` of `count`: also with no hit it has an upper end, since 0 of 300 is
/// "at most 1.3 %" and not "0 %". The whole range where there is no sample.
///
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
///
/// ```
/// let none_of_300 = bedload::statistics::wilson(0.0, 300.0, 0.95);
/// assert_eq!(none_of_300.low, 0.0);
/// assert!((none_of_300.high - 0.0126).abs() < 0.0001);
/// ```
#[must_use]
pub fn wilson(hits: f64, count: f64, confidence: f64) -> Interval {
    if count <= 0.0 {
        return Interval {
            low: 0.0,
            high: 1.0,
        };
    }
    let z = normal_quantile(confidence);
    let share = (hits / count).clamp(0.0, 1.0);
    let square = z * z;
    let middle = share + square / (2.0 * count);
    let half = z * (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
    let scale = 1.0 + square / count;
    Interval {
        // Exactly 0 and 1 at the ends, which rounding would miss.
        low: if hits <= 0.0 {
            0.0
        } else {
            ((middle - half) / scale).max(0.0)
        },
        high: if hits >= count {
            1.0
        } else {
            ((middle + half) / scale).min(1.0)
        },
    }
}

/// Newcombe's interval for the difference of two shares, the first less the second, from their Wilson
/// intervals.
///
/// Events that come in clusters, such as throttles, hold less than their number says: give effective counts.
///
/// Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions" (1998),
/// method 10.
#[must_use]
pub fn newcombe(first: (f64, f64), second: (f64, f64), confidence: f64) -> Interval {
    let share = |(hits, count): (f64, f64)| if count > 0.0 { hits / count } else { 0.0 };
    let (one, other) = (share(first), share(second));
    let difference = one - other;
    let (of_one, of_other) = (
        wilson(first.0, first.1, confidence),
        wilson(second.0, second.1, confidence),
    );
    Interval {
        low: difference - ((one - of_one.low).powi(2) + (of_other.high - other).powi(2)).sqrt(),
        high: difference + ((of_one.high - one).powi(2) + (other - of_other.low).powi(2)).sqrt(),
    }
}
