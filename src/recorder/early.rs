//! When a run need not go on, because a pass mark is clearly missed.
//!
//! Promises: a run is looked at only where an interval of five seconds ends, in the time of its
//! events, so that the same events stop it at the same instant however often anyone asks; and where
//! requests are independent of one another, chance stops at most one of twenty runs whose truth is on
//! the bound, all looks and marks together. Throttles come in clusters: of such runs more are stopped,
//! most of which would have missed the mark at their end.
//!
//! The rule, for a mark with `abort_on_fail`:
//! - A share or a quantile is missed when its whole interval is beyond the bound, with at least
//!   [`SAMPLES_MIN`] samples. The interval's confidence is 1 − 0.05 / (looks · marks) (Bonferroni),
//!   because a run of an hour is looked at 720 times.
//! - A cost, a number of answers or a greatest time is missed when it is above `at_most`: it only grows.
//! - Anything else is not clear before the end ([`Expectation::can_miss_early`]).
//!
//! What is under way counts in favour of the mark. Refusals come back sooner than answers, so that
//! among what has ended there are too many of them.
//!
//! Deliberately not: the stopping, which is the engine's.

use std::time::Duration;

use super::ends::{self, Beside};
use super::interval::INTERVAL;
use super::tally::Tally;
use crate::expect::{Expectation, Metric, Statistic, Timing};
use crate::time::Instant;
use crate::units::Usd;

/// Fewer samples than this prove nothing.
pub const SAMPLES_MIN: u64 = 50;

/// How often chance may stop a run whose truth is on the bound.
const CHANCE: f64 = 0.05;

/// A mark that was clearly missed before the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Missed {
    /// The mark.
    pub mark: Expectation,
    /// What it looks at, such as `latency.p99 of explain`.
    pub name: String,
    /// The end of the interval after which it was clear.
    pub at: Instant,
}

/// The marks that end the run, and whether one has.
#[derive(Clone, Debug)]
pub(super) struct EarlyStop {
    marks: Vec<Expectation>,
    /// Nothing becomes due from here on, so that there is nothing to spare.
    until: Instant,
    confidence: f64,
    missed: Option<(Expectation, Instant)>,
}

/// What is known of one mark's requests in the middle of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Their totals; of histograms only the mark's own need be there.
    pub(super) sum: Tally,
    /// What they have cost, if that is known.
    pub(super) cost: Option<Usd>,
}

impl EarlyStop {
    /// For a run of this duration, the first part of which does not count.
    pub(super) fn new(marks: &[Expectation], duration: Duration, warm_up: Duration) -> Self {
        let judged = duration.saturating_sub(warm_up);
        let looks = judged.as_nanos().div_ceil(INTERVAL.as_nanos()).max(1);
        let marks = marks.iter().copied();
        let marks: Vec<Expectation> = marks
            .filter(|mark| mark.abort_on_fail && mark.can_miss_early())
            .collect();
        let looks = looks as f64 * marks.len().max(1) as f64;
        Self {
            marks,
            until: Instant::ZERO + duration,
            confidence: 1.0 - CHANCE / looks,
            missed: None,
        }
    }

    /// An interval has ended at `at`. The first mark that is clearly missed stays the one.
    pub(super) fn look(&mut self, at: Instant, standing: impl Fn(&Expectation) -> Standing) {
        if self.missed.is_some() || at >= self.until {
            return;
        }
        let missed = self
            .marks
            .iter()
            .find(|mark| is_missed(mark, &standing(mark), self.confidence));
        self.missed = missed.map(|&mark| (mark, at));
    }

    /// The mark that was missed, and when that was clear.
    pub(super) const fn missed(&self) -> Option<(Expectation, Instant)> {
        self.missed
    }
}

fn is_missed(mark: &Expectation, standing: &Standing, confidence: f64) -> bool {
    let Standing { sum, cost } = standing;
    let counts = sum.counts;
    let ended = counts.completed + counts.failed + counts.dropped;
    let above = |value: f64| mark.at_most.is_some_and(|bound| value > bound);
    match mark.metric {
        Metric::Completed => above(counts.completed as f64),
        Metric::Cost => cost.is_some_and(|cost| above(cost.dollars())),
        Metric::Time(timing, Statistic::Max) => {
            let greatest = sum.histograms.recorded(timing).map(|of| of.greatest);
            let refused = timing == Timing::Latency && counts.failed + counts.dropped > 0;
            refused && above(f64::INFINITY) || greatest.is_some_and(|ns| above(ns as f64 / 1e9))
        }
        Metric::Time(timing, statistic) => {
            let (Some(per_mille), Some(_)) = (statistic.per_mille(), mark.at_most) else {
                return false;
            };
            let recorded = sum.histograms.recorded(timing);
            let beside = if timing == Timing::Latency {
                Beside {
                    infinite: counts.failed + counts.dropped,
                    pending: counts.intended.saturating_sub(ended + counts.cancelled),
                }
            } else {
                Beside::default()
            };
            let samples = recorded.map_or(0, |of| of.histogram.len()) + beside.infinite;
            let upper = Expectation {
                at_least: None,
                ..*mark
            };
            samples >= SAMPLES_MIN
                && ends::of_quantile(recorded, per_mille, beside, confidence).beyond(&upper)
        }
        metric => sum.counted_share(metric).is_some_and(|share| {
            let count = share.ended + share.pending;
            let of = |hits, at_most, at_least| {
                let mark = Expectation {
                    at_most,
                    at_least,
                    ..*mark
                };
                ends::of_share(hits, count, confidence).beyond(&mark)
            };
            share.ended >= SAMPLES_MIN
                && (of(share.hits, mark.at_most, None)
                    || of(share.hits + share.pending, None, mark.at_least))
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::{Seed, Stream};

    fn mark(metric: &str) -> Expectation {
        Expectation {
            abort_on_fail: true,
            ..Expectation::of_all(Metric::parse(metric).expect("a metric of this name"))
        }
    }

    /// So many requests, of which some failed, some are under way, and the rest took `seconds`.
    fn standing(intended: u64, failed: u64, pending: u64, seconds: u64) -> Standing {
        let mut sum = Tally::default();
        let completed = intended - failed - pending;
        sum.counts.intended = intended;
        (sum.counts.failed, sum.counts.completed) = (failed, completed);
        if completed > 0 {
            let nanos = seconds * 1_000_000_000;
            sum.histograms
                .record_times(Timing::Latency, nanos, completed);
        }
        Standing {
            sum,
            cost: Some(Usd::ZERO),
        }
    }

    fn missed(mark: Expectation, standing: &Standing) -> bool {
        is_missed(&mark, standing, 0.999)
    }

    #[test]
    fn a_share_is_missed_when_chance_cannot_explain_it() {
        let mark = Expectation {
            at_most: Some(0.01),
            ..mark("failure_share")
        };
        assert!(missed(mark, &standing(1_000, 100, 0, 1)));
        assert!(!missed(mark, &standing(1_000, 12, 0, 1)));
        // All of too few prove nothing, nor do the first of many to come back.
        assert!(!missed(mark, &standing(SAMPLES_MIN - 1, 40, 0, 1)));
        assert!(!missed(mark, &standing(10_000, 60, 9_900, 1)));
        let all_fail = Expectation {
            at_least: Some(0.5),
            ..self::mark("failure_share")
        };
        assert!(missed(all_fail, &standing(1_000, 100, 0, 1)));
        assert!(!missed(all_fail, &standing(1_000, 100, 700, 1)));
    }

    #[test]
    fn a_quantile_counts_failures_as_infinite_and_the_rest_as_not_yet_slow() {
        let mark = Expectation {
            at_most: Some(5.0),
            ..mark("latency.p90")
        };
        assert!(missed(mark, &standing(200, 0, 0, 6)));
        assert!(missed(mark, &standing(200, 60, 0, 1)));
        assert!(!missed(mark, &standing(200, 0, 0, 5)));
        assert!(!missed(mark, &standing(200, 20, 0, 1)));
        assert!(!missed(mark, &standing(1_000, 0, 940, 6)));
    }

    #[test]
    fn what_only_grows_is_missed_at_once() {
        let cost = Expectation {
            at_most: Some(1.0),
            ..mark("cost")
        };
        let mut spent = standing(1, 0, 0, 1);
        spent.cost = Some(Usd {
            pico: 1_000_000_000_001,
        });
        assert!(missed(cost, &spent));
        spent.cost = Some(Usd {
            pico: 1_000_000_000_000,
        });
        assert!(!missed(cost, &spent));
        spent.cost = None;
        assert!(!missed(cost, &spent));
        let slowest = Expectation {
            at_most: Some(1.5),
            ..mark("latency.max")
        };
        assert!(missed(slowest, &standing(1, 0, 0, 2)));
        assert!(!missed(slowest, &standing(1, 0, 0, 1)));
        assert!(missed(slowest, &standing(2, 1, 0, 1)));
    }

    #[test]
    fn the_first_mark_to_be_missed_stays_the_one() {
        let mark = Expectation {
            at_most: Some(0.01),
            ..mark("failure_share")
        };
        let silent = Expectation {
            abort_on_fail: false,
            ..mark
        };
        let minute = Duration::from_secs(60);
        let bad = |_: &Expectation| standing(1_000, 500, 0, 1);
        let mut early = EarlyStop::new(&[silent, mark], minute, Duration::ZERO);
        early.look(Instant::from_secs(5), |_| standing(1_000, 0, 0, 1));
        assert_eq!(early.missed(), None);
        early.look(Instant::from_secs(10), bad);
        early.look(Instant::from_secs(15), bad);
        assert_eq!(early.missed(), Some((mark, Instant::from_secs(10))));
        let mut late = EarlyStop::new(&[mark], minute, Duration::ZERO);
        late.look(Instant::from_secs(60), bad);
        assert_eq!(late.missed(), None);
        let mut none = EarlyStop::new(&[silent], minute, Duration::ZERO);
        none.look(Instant::from_secs(10), bad);
        assert_eq!(none.missed(), None);
    }

    /// Of a hundred runs of ten minutes whose requests fail exactly as often as is allowed, chance stops few;
    /// of those that fail twice as often, all are stopped.
    #[test]
    fn chance_seldom_stops_a_run_and_the_truth_does() {
        let mark = Expectation {
            at_most: Some(0.1),
            ..mark("failure_share")
        };
        let stopped = |share: f64| {
            let runs = 0..100_u64;
            let stops = |run: &u64| {
                let mut rng = Seed(*run).keyed(Stream::Retry, 0, 0);
                let mut early = EarlyStop::new(&[mark], Duration::from_secs(600), Duration::ZERO);
                let (mut all, mut failed) = (0, 0);
                for second in (5..600).step_by(5) {
                    all += 20;
                    failed += (0..20).filter(|_| rng.random_bool(share)).count() as u64;
                    early.look(Instant::from_secs(second), |_| standing(all, failed, 0, 1));
                }
                early.missed().is_some()
            };
            runs.filter(stops).count()
        };
        let by_chance = stopped(0.1);
        assert!(by_chance <= 5, "{by_chance}");
        assert_eq!(stopped(0.2), 100);
    }

    proptest! {
        /// More failures, or more time, never make a missed mark unmissed; more under way may.
        #[test]
        fn worse_is_never_better(
            intended in 0_u64..2_000, failed in 0_u64..2_000, more in 0_u64..2_000,
            seconds in 0_u64..20, bound in 0.0_f64..20.0,
        ) {
            let failed = failed.min(intended);
            let worse = (failed + more).min(intended);
            let slow = Expectation { at_most: Some(bound), ..mark("latency.p90") };
            let failing = Expectation { at_most: Some(bound / 20.0), ..mark("failure_share") };
            for mark in [slow, failing] {
                let before = missed(mark, &standing(intended, failed, 0, seconds));
                prop_assert!(!before || missed(mark, &standing(intended, worse, 0, seconds)));
            }
            let before = missed(slow, &standing(intended, failed, 0, seconds));
            prop_assert!(!before || missed(slow, &standing(intended, failed, 0, seconds + 1)));
        }

        /// What is clearly missed now is missed by its value when all that is under way ends well.
        #[test]
        fn what_is_clearly_missed_is_missed(
            intended in 0_u64..2_000, failed in 0_u64..2_000, pending in 0_u64..2_000,
            bound in 0.0_f64..1.0,
        ) {
            let failed = failed.min(intended);
            let pending = pending.min(intended - failed);
            let mark = Expectation { at_most: Some(bound), ..mark("failure_share") };
            if missed(mark, &standing(intended, failed, pending, 1)) {
                prop_assert!(failed as f64 / intended as f64 > bound);
            }
        }
    }
}
