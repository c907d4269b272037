//! Whether a run met its pass marks.
//!
//! Promises: `latency.*` is failure-inflated, so that a run that refuses load does not pass by
//! being fast with the rest; and what was not measured does not pass, with the reason said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured::{DimensionUse, Group, Inflated, Measured, Quantile, QuotaUse, Spread};
use crate::expect::{Expectation, Metric, Statistic, Timing};

/// What became of one pass mark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The metric's name.
    pub metric: String,
    /// The largest value that passes: seconds, parts of one, dollars or a plain number.
    pub at_most: Option<f64>,
    /// The smallest value that passes, in the same unit.
    pub at_least: Option<f64>,
    /// What was measured, in the same unit; none if it is infinite or was not measured.
    pub value: Option<f64>,
    /// Whether the value lies between the bounds.
    pub passed: bool,
    /// Why there is no value, where there is none.
    pub reason: Option<String>,
}

/// Judges a run by its pass marks, in their order.
#[must_use]
pub fn judge(expectations: &[Expectation], measured: &Measured) -> Vec<Verdict> {
    expectations
        .iter()
        .map(|&expectation| judge_one(expectation, measured))
        .collect()
}

fn judge_one(expectation: Expectation, measured: &Measured) -> Verdict {
    let Expectation {
        metric,
        at_most,
        at_least,
    } = expectation;
    let value = measured.value(metric);
    let within = |value: f64| {
        at_most.is_none_or(|bound| value <= bound) && at_least.is_none_or(|bound| value >= bound)
    };
    let reason = match value {
        None => Some(why_not_measured(metric).to_owned()),
        Some(value) if value.is_infinite() => {
            Some("infinite: it falls among requests that failed or were dropped".to_owned())
        }
        Some(_) => None,
    };
    Verdict {
        metric: metric.to_string(),
        at_most,
        at_least,
        value: value.filter(|value| value.is_finite()),
        passed: value.is_some_and(within),
        reason,
    }
}

/// Why a metric may have no value; a clause that starts with a small letter and ends without a
/// full stop.
const fn why_not_measured(metric: Metric) -> &'static str {
    match metric {
        Metric::Time(Timing::Ttft | Timing::Itl | Timing::Tpot, _) => {
            "not measured: too few answers were streamed"
        }
        Metric::Time(..) => "not measured: too few samples",
        Metric::ThrottleShare => "not measured: no attempt ended",
        Metric::FailureShare | Metric::DropShare => "not measured: no request ended",
        Metric::QuotaUseRpm | Metric::QuotaUseTpm => {
            "not measured: it needs a run of two minutes and a known quota"
        }
        Metric::Amplification => "not measured: no request was sent",
        Metric::Cost => "not measured: the price of a model is not known",
        Metric::Completed | Metric::Goodput | Metric::OutputTokensPerSecond => "not measured",
    }
}

impl Measured {
    /// The value of a metric, in the unit of its [`Kind`](crate::expect::Kind); infinite where a
    /// failure-inflated latency is; none if it was not measured.
    #[must_use]
    pub fn value(&self, metric: Metric) -> Option<f64> {
        let total = &self.total;
        let ended = total.counts.intended.saturating_sub(total.counts.cancelled);
        let share = |of: u64| (ended > 0).then(|| of as f64 / ended as f64);
        match metric {
            Metric::Time(Timing::Latency, statistic) => latency(total, statistic),
            Metric::Time(timing, statistic) => {
                seconds(of_spread(&spread_of(total, timing)?, statistic)?)
            }
            Metric::ThrottleShare => total.attempts.throttle_share(),
            Metric::FailureShare => share(total.counts.failed),
            Metric::DropShare => share(total.counts.dropped),
            Metric::Completed => Some(total.counts.completed as f64),
            Metric::Goodput => Some(total.requests_per_second),
            Metric::OutputTokensPerSecond => Some(total.output_tokens_per_second),
            Metric::QuotaUseRpm => self.busiest(|model| &model.requests),
            Metric::QuotaUseTpm => self.busiest(|model| &model.tokens),
            Metric::Amplification => total.attempts.amplification(),
            Metric::Cost => Some(total.cost?.dollars()),
        }
    }

    /// The greatest steady share of a quota over all models.
    fn busiest(&self, dimension: fn(&QuotaUse) -> &DimensionUse) -> Option<f64> {
        self.quota_use
            .iter()
            .filter_map(|model| dimension(model).steady_share())
            .max_by(f64::total_cmp)
    }
}

fn spread_of(group: &Group, timing: Timing) -> Option<Spread> {
    match timing {
        Timing::Latency => Some(group.latency),
        Timing::LimiterWait => Some(group.limiter_wait),
        Timing::ServiceTime => Some(group.service_time),
        Timing::DispatchLag => Some(group.dispatch_lag),
        Timing::Ttft => group.ttft,
        Timing::Itl => group.itl,
        Timing::Tpot => group.tpot,
    }
}

const fn of_spread(spread: &Spread, statistic: Statistic) -> Option<u64> {
    match statistic {
        Statistic::Mean => spread.mean_ns,
        Statistic::P50 => spread.p50_ns,
        Statistic::P90 => spread.p90_ns,
        Statistic::P99 => spread.p99_ns,
        Statistic::P999 => spread.p999_ns,
        Statistic::Max => spread.max_ns,
    }
}

/// Failure-inflated latency in seconds.
fn latency(group: &Group, statistic: Statistic) -> Option<f64> {
    let Inflated {
        infinite,
        p50,
        p90,
        p99,
        p999,
        max,
        ..
    } = group.inflated_latency;
    let quantile = match statistic {
        Statistic::Mean if infinite > 0 => Quantile::Infinite,
        Statistic::Mean => group.latency.mean_ns.map_or(Quantile::TooFew, Quantile::Ns),
        Statistic::P50 => p50,
        Statistic::P90 => p90,
        Statistic::P99 => p99,
        Statistic::P999 => p999,
        Statistic::Max => max,
    };
    match quantile {
        Quantile::TooFew => None,
        Quantile::Ns(nanos) => seconds(nanos),
        Quantile::Infinite => Some(f64::INFINITY),
    }
}

fn seconds(nanos: u64) -> Option<f64> {
    Some(nanos as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::measured::Counts;

    fn expect(metric: &str, at_most: Option<f64>, at_least: Option<f64>) -> Expectation {
        let metric = Metric::parse(metric).expect("a metric of this name");
        Expectation {
            metric,
            at_most,
            at_least,
        }
    }

    fn half_refused() -> Measured {
        let mut measured = Measured::default();
        measured.total.counts = Counts {
            intended: 12,
            completed: 5,
            failed: 4,
            dropped: 1,
            cancelled: 2,
        };
        measured.total.latency = Spread {
            count: 5,
            p50_ns: Some(1_000_000_000),
            ..Spread::default()
        };
        measured.total.inflated_latency = Inflated {
            count: 10,
            infinite: 5,
            p50: Quantile::Ns(2_000_000_000),
            p90: Quantile::Infinite,
            ..Inflated::default()
        };
        measured
    }

    #[test]
    fn latency_is_judged_with_failures_as_infinite() {
        let verdicts = judge(
            &[
                expect("latency.p50", Some(1.5), None),
                expect("latency.p50", Some(2.0), None),
                expect("latency.p90", Some(1e9), None),
                expect("latency.p99", Some(1e9), None),
            ],
            &half_refused(),
        );
        let seen: Vec<(Option<f64>, bool)> = verdicts
            .iter()
            .map(|verdict| (verdict.value, verdict.passed))
            .collect();
        assert_eq!(
            seen,
            [
                (Some(2.0), false),
                (Some(2.0), true),
                (None, false),
                (None, false)
            ]
        );
        let reasons: Vec<Option<&str>> = verdicts
            .iter()
            .map(|verdict| verdict.reason.as_deref())
            .collect();
        assert_eq!(
            reasons,
            [
                None,
                None,
                Some("infinite: it falls among requests that failed or were dropped"),
                Some("not measured: too few samples"),
            ]
        );
    }

    #[test]
    fn shares_leave_cancelled_requests_out_and_bounds_are_inclusive() {
        let verdicts = judge(
            &[
                expect("failure_share", Some(0.4), Some(0.4)),
                expect("drop_share", Some(0.09), None),
                expect("completed", None, Some(5.0)),
                expect("completed", None, Some(6.0)),
            ],
            &half_refused(),
        );
        let passed: Vec<bool> = verdicts.iter().map(|verdict| verdict.passed).collect();
        assert_eq!(passed, [true, false, true, false]);
    }

    #[test]
    fn what_was_not_measured_never_passes() {
        let unmeasured =
            Metric::all().filter(|&metric| Measured::default().value(metric).is_none());
        for metric in unmeasured {
            let verdicts = judge(
                &[Expectation {
                    metric,
                    at_most: None,
                    at_least: None,
                }],
                &Measured::default(),
            );
            assert!(!verdicts[0].passed, "{metric}");
            assert!(verdicts[0].reason.is_some(), "{metric}");
        }
    }

    #[test]
    fn quota_use_is_that_of_the_busiest_model() {
        let model = |quota, steady| QuotaUse {
            tokens: DimensionUse {
                quota,
                steady,
                ..DimensionUse::default()
            },
            ..QuotaUse::default()
        };
        let measured = Measured {
            quota_use: vec![
                model(Some(1_000), Some(500.0)),
                model(Some(100), Some(90.0)),
                model(None, Some(1e9)),
            ],
            ..Measured::default()
        };
        assert_eq!(measured.value(Metric::QuotaUseTpm), Some(0.9));
        assert_eq!(measured.value(Metric::QuotaUseRpm), None);
    }
}
