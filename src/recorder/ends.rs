//! Confidence intervals of what pass marks look at: quantiles, and shares of what is counted.
//!
//! Promises: a quantile's ends are order statistics, whatever the distribution; failures count as +∞
//! where the quantile counts them so; a share's ends are Wilson's.
//!
//! The intervals suppose that samples are independent of one another. Requests that queue are not:
//! one that waits makes the next one wait, and throttles come in clusters. Where latency is
//! autocorrelated the intervals are too narrow, for pauses between tokens all the more.
//!
//! Deliberately not: intervals of means and rates (`compare` has those of several runs).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::histograms::Recorded;
use super::spread::value_at_rank;
use super::tally::Tally;
use crate::expect::{Expectation, Metric, Timing};
use crate::statistics::{quantile_ranks, wilson};

/// How sure an interval that is reported is.
pub const CONFIDENCE: f64 = 0.95;

/// A two-sided confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ends {
    /// The lower end.
    pub low: End,
    /// The upper end.
    pub high: End,
}

/// One end of a confidence interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The sample is too small to say.
    #[default]
    TooFew,
    /// In the unit of the metric.
    At(f64),
    /// It falls among the requests that failed or were dropped.
    Infinite,
}

impl Ends {
    /// Whether all of it lies between the bounds, which belong to what passes.
    #[must_use]
    pub fn within(self, at_most: Option<f64>, at_least: Option<f64>) -> bool {
        let high = at_most.is_none_or(|bound| matches!(self.high, End::At(high) if high <= bound));
        let low = at_least.is_none_or(|bound| match self.low {
            End::At(low) => low >= bound,
            End::Infinite => true,
            End::TooFew => false,
        });
        low && high
    }

    /// Whether all of it lies beyond one of the bounds.
    #[must_use]
    pub fn beyond(self, mark: &Expectation) -> bool {
        let above = mark.at_most.is_some_and(|bound| match self.low {
            End::At(low) => low > bound,
            End::Infinite => true,
            End::TooFew => false,
        });
        let below = mark
            .at_least
            .is_some_and(|bound| matches!(self.high, End::At(high) if high < bound));
        above || below
    }
}

/// Samples that have no value in a histogram.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    /// Those above all others.
    pub(super) infinite: u64,
    /// Those whose value is not known yet, which count below all others.
    pub(super) pending: u64,
}

/// The interval of a quantile, in seconds.
pub(super) fn of_quantile(
    recorded: Option<&Recorded>,
    per_mille: u64,
    beside: Beside,
    confidence: f64,
) -> Ends {
    let finite = recorded.map_or(0, |recorded| recorded.histogram.len());
    let count = finite + beside.infinite + beside.pending;
    let (low, high) = quantile_ranks(count, per_mille as f64 / 1e3, confidence);
    let at = |rank: Option<u64>| {
        let Some(rank) = rank.and_then(|rank| rank.checked_sub(beside.pending)) else {
            return End::TooFew;
        };
        match recorded {
            _ if rank == 0 => End::TooFew,
            Some(recorded) if rank <= finite => {
                let nanos = value_at_rank(&recorded.histogram, rank);
                End::At(nanos.clamp(recorded.least, recorded.greatest) as f64 / 1e9)
            }
            _ => End::Infinite,
        }
    };
    Ends {
        low: at(low),
        high: at(high),
    }
}

/// The interval of a share.
pub(super) fn of_share(hits: u64, count: u64, confidence: f64) -> Ends {
    let interval = wilson(hits as f64, count as f64, confidence);
    Ends {
        low: End::At(interval.low),
        high: End::At(interval.high),
    }
}

/// The interval of a metric at the end of a run; none if it has none. Of `sum` only the numbers and the
/// metric's own histogram are looked at.
pub(super) fn of_metric(sum: &Tally, metric: Metric) -> Option<Ends> {
    if let Metric::Time(timing, statistic) = metric {
        let beside = Beside {
            infinite: if timing == Timing::Latency {
                sum.counts.failed + sum.counts.dropped
            } else {
                0
            },
            pending: 0,
        };
        let recorded = sum.histograms.recorded(timing);
        let per_mille = statistic.per_mille()?;
        return Some(of_quantile(recorded, per_mille, beside, CONFIDENCE));
    }
    let share = sum.counted_share(metric)?;
    (share.ended > 0).then(|| of_share(share.hits, share.ended, CONFIDENCE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recorder::histograms::Histograms;

    fn of(values: &[u64]) -> Histograms {
        let mut histograms = Histograms::default();
        for &value in values {
            histograms.record(Timing::Latency, value);
        }
        histograms
    }

    fn median(values: &[u64], beside: Beside) -> Ends {
        let histograms = of(values);
        of_quantile(
            histograms.recorded(Timing::Latency),
            500,
            beside,
            CONFIDENCE,
        )
    }

    #[test]
    fn the_ends_are_order_statistics() {
        let seconds: Vec<u64> = (1..=100).map(|second| second * 1_000_000_000).collect();
        // Ranks 40 and 61 of a hundred hold the median with 95 % (Hahn and Meeker, table A.15).
        let ends = median(&seconds, Beside::default());
        let near =
            |end: End, wanted: f64| matches!(end, End::At(at) if (at / wanted - 1.0).abs() < 1e-3);
        assert!(near(ends.low, 40.0) && near(ends.high, 61.0), "{ends:?}");
    }

    #[test]
    fn an_end_may_be_infinite_or_unknown() {
        let infinite = |infinite| Beside {
            infinite,
            pending: 0,
        };
        let ends = median(&[1; 50], infinite(50));
        assert_eq!((ends.low, ends.high), (End::At(1e-9), End::Infinite));
        let ends = median(&[1; 5], infinite(95));
        assert_eq!((ends.low, ends.high), (End::Infinite, End::Infinite));
        let ends = median(&[1, 2, 3], infinite(0));
        assert_eq!((ends.low, ends.high), (End::TooFew, End::TooFew));
    }

    #[test]
    fn what_is_under_way_counts_below_all_others() {
        let pending = |pending| Beside {
            infinite: 0,
            pending,
        };
        assert_eq!(median(&[1; 50], pending(0)).low, End::At(1e-9));
        assert_eq!(median(&[1; 50], pending(50)).low, End::TooFew);
        assert_eq!(median(&[1; 50], pending(50)).high, End::At(1e-9));
    }

    proptest! {
        #[test]
        fn within_and_beyond_exclude_each_other(
            low in 0.0_f64..10.0, width in 0.0_f64..10.0,
            least in prop::option::of(0.0_f64..10.0), more in prop::option::of(0.0_f64..10.0),
        ) {
            let ends = Ends { low: End::At(low), high: End::At(low + width) };
            let at_most = more.map(|more| least.unwrap_or(0.0) + more);
            let mark = Expectation { at_most, at_least: least, ..Expectation::of_all(Metric::Goodput) };
            let (within, beyond) = (ends.within(at_most, least), ends.beyond(&mark));
            prop_assert!(!(within && beyond));
            // What is within admits every value of the interval, what is beyond none.
            for value in [low, low + width / 2.0, low + width] {
                prop_assert!(!within || mark.admits(value));
                prop_assert!(!beyond || !mark.admits(value));
            }
        }
    }
}
