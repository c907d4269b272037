//! One `HdrHistogram` for each length of time that is measured.
//!
//! Promises: nanoseconds, three significant digits, no memory for what was never recorded; the
//! sum, the least and the greatest are exact; and merging two sets gives the set that would have
//! recorded both.
//!
//! Deliberately not: `record_correct`. Latency starts when a request was due, so that there is no
//! coordinated omission to correct for.

use hdrhistogram::Histogram;

pub use crate::expect::Timing;

/// The greatest value that a histogram can hold, in nanoseconds: 146 years.
const GREATEST: u64 = i64::MAX as u64 / 2;

/// A histogram for each [`Timing`] that was recorded at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histograms {
    kept: [Option<Recorded>; Timing::ALL.len()],
}

impl Histograms {
    /// The histogram of one timing; none if nothing was recorded.
    #[must_use]
    pub fn get(&self, timing: Timing) -> Option<&Histogram<u64>> {
        self.recorded(timing).map(|recorded| &recorded.histogram)
    }

    /// Each timing that was recorded, with its histogram.
    pub fn iter(&self) -> impl Iterator<Item = (Timing, &Histogram<u64>)> {
        Timing::ALL
            .into_iter()
            .filter_map(|timing| Some((timing, self.get(timing)?)))
    }

    /// Adds one value, in nanoseconds.
    pub fn record(&mut self, timing: Timing, nanos: u64) {
        self.record_times(timing, nanos, 1);
    }

    /// Adds the same value `times` times, in nanoseconds.
    pub fn record_times(&mut self, timing: Timing, nanos: u64, times: u64) {
        self.kept[timing as usize]
            .get_or_insert_with(Recorded::new)
            .record(nanos.min(GREATEST), times);
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Self) {
        for (kept, other) in self.kept.iter_mut().zip(&other.kept) {
            match (kept, other) {
                (Some(kept), Some(other)) => kept.merge(other),
                (kept @ None, Some(other)) => *kept = Some(other.clone()),
                (_, None) => {}
            }
        }
    }

    /// Adds what `other` holds of one timing.
    pub(super) fn merge_one(&mut self, other: &Self, timing: Timing) {
        if let Some(other) = other.recorded(timing) {
            match &mut self.kept[timing as usize] {
                Some(kept) => kept.merge(other),
                kept @ None => *kept = Some(other.clone()),
            }
        }
    }

    /// All that was recorded of one timing; none if nothing was.
    pub(super) const fn recorded(&self, timing: Timing) -> Option<&Recorded> {
        self.kept[timing as usize].as_ref()
    }
}

/// What was recorded of one timing; never empty once it can be seen from outside this file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recorded {
    /// The values with three significant digits.
    pub(super) histogram: Histogram<u64>,
    /// Their exact sum.
    pub(super) sum: u128,
    /// The exact least.
    pub(super) least: u64,
    /// The exact greatest.
    pub(super) greatest: u64,
}

impl Recorded {
    fn new() -> Self {
        let histogram = Histogram::new(3).expect("three digits are within the limits of 0 to 5");
        Self {
            histogram,
            sum: 0,
            least: u64::MAX,
            greatest: 0,
        }
    }

    fn record(&mut self, nanos: u64, times: u64) {
        // Not `saturating_record`: that cuts values off where an automatic histogram would grow.
        self.histogram
            .record_n(nanos, times)
            .expect("a histogram grows to hold any value up to GREATEST");
        self.sum += u128::from(nanos) * u128::from(times);
        self.least = self.least.min(nanos);
        self.greatest = self.greatest.max(nanos);
    }

    fn merge(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("a histogram grows to hold another's values");
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Histograms {
        let mut histograms = Histograms::default();
        for &value in values {
            histograms.record(Timing::Latency, value);
        }
        histograms
    }

    proptest! {
        #[test]
        fn merging_is_recording_both(
            left in prop::collection::vec(any::<u64>().prop_map(|value| value >> (value % 64)), 0..40),
            right in prop::collection::vec(0_u64..5_000_000_000, 0..40),
        ) {
            let both = of(&[left.clone(), right.clone()].concat());
            let mut forth = of(&left);
            forth.merge(&of(&right));
            let mut back = of(&right);
            back.merge(&of(&left));
            prop_assert_eq!(&forth, &both);
            prop_assert_eq!(&back, &both);
        }
    }

    #[test]
    fn nothing_is_kept_of_what_was_never_recorded() {
        let histograms = of(&[1, 2, 3]);
        let timings: Vec<Timing> = histograms.iter().map(|(timing, _)| timing).collect();
        assert_eq!(timings, [Timing::Latency]);
        assert!(histograms.get(Timing::Ttft).is_none());
    }

    #[test]
    fn no_length_of_time_is_too_long() {
        let histograms = of(&[0, 10_000_000_000, u64::MAX]);
        let recorded = histograms
            .recorded(Timing::Latency)
            .expect("three values were recorded");
        assert_eq!(recorded.histogram.len(), 3);
        assert_eq!((recorded.least, recorded.greatest), (0, GREATEST));
    }
}
