//! Whether a run met its pass marks.
//!
//! Promises: `latency.*` is failure-inflated, so that a run that refuses load does not pass by
//! being fast with the rest; and what was not measured does not pass, with the reason said. The
//! value decides, unless a mark asks to be `sure`: then its whole interval does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ends::{End, Ends};
use super::measured::{Group, Inflated, Measured, Quantile, QuotaUse, Spread};
use crate::expect::{Expectation, Metric, Scope, Statistic, Timing};

/// What became of one pass mark.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The metric's name.
    pub metric: String,
    /// The prompt class whose requests count; none if it is about more than one.
    #[serde(default)]
    pub class: Option<String>,
    /// The model whose requests count; none if it is about all, or about a prompt class.
    #[serde(default)]
    pub model: Option<String>,
    /// The largest value that passes: seconds, parts of one, dollars or a plain number.
    pub at_most: Option<f64>,
    /// The smallest value that passes, in the same unit.
    pub at_least: Option<f64>,
    /// Whether the whole interval must lie between the bounds.
    #[serde(default)]
    pub sure: bool,
    /// What was measured, in the same unit; none if it is infinite or was not measured.
    pub value: Option<f64>,
    /// The 95 % confidence interval of a quantile (order statistics) or of a share of what is counted one
    /// by one (Wilson). It supposes that requests are independent of one another, and so is too narrow
    /// where latency is autocorrelated, as it is in a queue.
    #[serde(default)]
    pub interval: Option<Ends>,
    /// Whether the value lies between the bounds; of a mark that asks to be sure, the interval. A mark
    /// that ended the run has not passed.
    pub passed: bool,
    /// Why there is no value, or why it is not enough.
    pub reason: Option<String>,
}

impl Verdict {
    /// What was looked at, such as `latency.p99` or `latency.p99 of explain`.
    #[must_use]
    pub fn name(&self) -> String {
        let of = self.class.as_deref().or(self.model.as_deref());
        name(&self.metric, of)
    }

    /// Whether it passed by its value and another sample might not. A share of which nothing was seen,
    /// or nothing else, is not close to its bound, however small the sample.
    #[must_use]
    pub fn is_close(&self) -> bool {
        let (Some(interval), Some(value)) = (self.interval, self.value) else {
            return false;
        };
        let extreme = Metric::parse(&self.metric).is_some_and(Metric::is_counted_share)
            && (value <= 0.0 || value >= 1.0);
        self.passed && !extreme && !interval.within(self.at_most, self.at_least)
    }
}

/// A metric, and whose requests it is of.
pub(super) fn name(metric: &str, of: Option<&str>) -> String {
    of.map_or_else(|| metric.to_owned(), |of| format!("{metric} of {of}"))
}

/// A pass mark, and what is known besides its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub(super) mark: Expectation,
    pub(super) interval: Option<Ends>,
    /// Whether the run was stopped because the mark was clearly missed.
    pub(super) ended_the_run: bool,
}

/// Judges a run by one pass mark.
pub(super) fn judge(judged: Judged, measured: &Measured) -> Verdict {
    let Judged {
        mark,
        interval,
        ended_the_run,
    } = judged;
    let Expectation {
        metric,
        of,
        at_most,
        at_least,
        sure,
        ..
    } = mark;
    let value = measured.value_of(metric, of);
    let interval = interval.filter(|_| value.is_some());
    let by_value = value.is_some_and(|value| mark.admits(value));
    let unsure = sure && !interval.is_some_and(|interval| interval.within(at_most, at_least));
    let reason = match value {
        None => Some(why_not_measured(metric).to_owned()),
        Some(value) if value.is_infinite() => {
            Some("infinite: it falls among requests that failed or were dropped".to_owned())
        }
        Some(_) if by_value && ended_the_run => {
            Some("it was clearly missed when the run was stopped for it".to_owned())
        }
        Some(_) if by_value && unsure => Some("the interval reaches beyond the bound".to_owned()),
        Some(_) => None,
    };
    let name = |groups: &[Group], place: u16| {
        let group = groups.get(usize::from(place));
        group.map(|group| group.name.clone())
    };
    Verdict {
        metric: metric.to_string(),
        class: match of {
            Scope::Class(class) => name(&measured.classes, class.0),
            _ => None,
        },
        model: match of {
            Scope::Model(model) => name(&measured.models, model.0),
            _ => None,
        },
        at_most,
        at_least,
        sure,
        value: value.filter(|value| value.is_finite()),
        interval: interval.filter(|ends| (ends.low, ends.high) != (End::TooFew, End::TooFew)),
        passed: by_value && !unsure && !ended_the_run,
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
        Metric::QuotaUsePeakRpm | Metric::QuotaUsePeakTpm => "not measured: the quota is not known",
        Metric::WastedShare => "not measured: no tokens were settled",
        Metric::Amplification => "not measured: no request was sent",
        Metric::Cost => "not measured: the price of a model is not known",
        Metric::Completed
        | Metric::Goodput
        | Metric::InputTokensPerSecond
        | Metric::OutputTokensPerSecond => "not measured",
    }
}

impl Measured {
    /// The value of a metric over all requests; see [`Self::value_of`].
    #[must_use]
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.value_of(metric, Scope::All)
    }

    /// The value of a metric, in the unit of its [`Kind`](crate::expect::Kind); infinite where a
    /// failure-inflated latency is; none if it was not measured. Use of a quota is that of a model, and
    /// of all that of the busiest; a prompt class has none.
    #[must_use]
    pub fn value_of(&self, metric: Metric, of: Scope) -> Option<f64> {
        let group = match of {
            Scope::All => &self.total,
            Scope::Class(class) => self.classes.get(usize::from(class.0))?,
            Scope::Model(model) => self.models.get(usize::from(model.0))?,
        };
        let ended = group.counts.intended.saturating_sub(group.counts.cancelled);
        let share = |of: u64, all: u64| (all > 0).then(|| of as f64 / all as f64);
        match metric {
            Metric::Time(Timing::Latency, statistic) => latency(group, statistic),
            Metric::Time(timing, statistic) => {
                seconds(of_spread(&spread_of(group, timing)?, statistic)?)
            }
            Metric::ThrottleShare => group.attempts.throttle_share(),
            Metric::FailureShare => share(group.counts.failed, ended),
            Metric::DropShare => share(group.counts.dropped, ended),
            Metric::Completed => Some(group.counts.completed as f64),
            Metric::Goodput => Some(group.requests_per_second),
            Metric::InputTokensPerSecond => Some(group.input_tokens_per_second),
            Metric::OutputTokensPerSecond => Some(group.output_tokens_per_second),
            Metric::QuotaUseRpm => self.busiest(of, |model| model.requests.steady_share()),
            Metric::QuotaUseTpm => self.busiest(of, |model| model.tokens.steady_share()),
            Metric::QuotaUsePeakRpm => {
                self.busiest(of, |model| model.requests.peak_sliding_share())
            }
            Metric::QuotaUsePeakTpm => self.busiest(of, |model| model.tokens.peak_sliding_share()),
            Metric::Amplification => group.attempts.amplification(),
            Metric::WastedShare => share(group.wasted.0, group.settled.0),
            Metric::Cost => Some(group.cost?.dollars()),
        }
    }

    /// The greatest share of a quota over all models that are looked at.
    fn busiest(&self, of: Scope, used: fn(&QuotaUse) -> Option<f64>) -> Option<f64> {
        let models = match of {
            Scope::All => &self.quota_use[..],
            Scope::Model(model) => std::slice::from_ref(self.quota_use.get(usize::from(model.0))?),
            Scope::Class(_) => &[],
        };
        models.iter().filter_map(used).max_by(f64::total_cmp)
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
    use crate::outcome::{ClassIndex, ModelIndex};
    use crate::recorder::measured::{Counts, DimensionUse};

    fn expect(metric: &str, at_most: Option<f64>, at_least: Option<f64>) -> Expectation {
        let metric = Metric::parse(metric).expect("a metric of this name");
        Expectation {
            at_most,
            at_least,
            ..Expectation::of_all(metric)
        }
    }

    fn judge_all(marks: &[Expectation], measured: &Measured) -> Vec<Verdict> {
        let judged = |&mark| Judged {
            mark,
            interval: None,
            ended_the_run: false,
        };
        let judged = marks.iter().map(judged);
        judged.map(|judged| judge(judged, measured)).collect()
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
        let verdicts = judge_all(
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
        let verdicts = judge_all(
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
            let verdicts = judge_all(&[Expectation::of_all(metric)], &Measured::default());
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

    #[test]
    fn a_class_and_a_model_are_judged_by_their_own() {
        let mut measured = half_refused();
        let of = |name: &str, completed| Group {
            name: name.to_owned(),
            counts: Counts {
                completed,
                ..Counts::default()
            },
            ..Group::default()
        };
        measured.classes = vec![of("explain", 3), of("summarise", 2)];
        measured.models = vec![of("sonnet", 5)];
        let mark = |of| Expectation {
            of,
            ..expect("completed", None, Some(3.0))
        };
        let verdicts = judge_all(
            &[
                mark(Scope::All),
                mark(Scope::Class(ClassIndex(1))),
                mark(Scope::Model(ModelIndex(0))),
            ],
            &measured,
        );
        let seen: Vec<(String, Option<f64>, bool)> = verdicts
            .iter()
            .map(|verdict| (verdict.name(), verdict.value, verdict.passed))
            .collect();
        assert_eq!(
            seen,
            [
                ("completed".to_owned(), Some(5.0), true),
                ("completed of summarise".to_owned(), Some(2.0), false),
                ("completed of sonnet".to_owned(), Some(5.0), true),
            ]
        );
        assert_eq!(verdicts[1].class.as_deref(), Some("summarise"));
        assert_eq!(verdicts[2].model.as_deref(), Some("sonnet"));
    }

    #[test]
    fn who_asks_to_be_sure_is_judged_by_the_interval() {
        let judged = |sure, low, high, at_most| Judged {
            mark: Expectation {
                sure,
                ..expect("latency.p50", Some(at_most), None)
            },
            interval: Some(Ends {
                low: End::At(low),
                high,
            }),
            ended_the_run: false,
        };
        let seen = |sure, high, at_most| {
            let verdict = judge(judged(sure, 1.8, high, at_most), &half_refused());
            (verdict.passed, verdict.is_close(), verdict.reason.is_some())
        };
        assert_eq!(seen(false, End::At(2.2), 3.0), (true, false, false));
        assert_eq!(seen(true, End::At(2.2), 2.2), (true, false, false));
        assert_eq!(seen(false, End::At(2.2), 2.1), (true, true, false));
        assert_eq!(seen(true, End::At(2.2), 2.1), (false, false, true));
        assert_eq!(seen(true, End::Infinite, 3.0), (false, false, true));
        assert_eq!(seen(false, End::TooFew, 3.0), (true, true, false));
        assert_eq!(seen(true, End::At(2.2), 1.9), (false, false, false));
    }

    #[test]
    fn a_share_of_which_nothing_was_seen_is_not_close() {
        let verdict = |value| Verdict {
            metric: "throttle_share".to_owned(),
            at_most: Some(0.01),
            value: Some(value),
            interval: Some(Ends {
                low: End::At(value),
                high: End::At(0.05),
            }),
            passed: true,
            ..Verdict::default()
        };
        assert!(!verdict(0.0).is_close());
        assert!(verdict(0.001).is_close());
    }

    #[test]
    fn a_mark_that_ended_the_run_has_not_passed() {
        let judged = Judged {
            mark: expect("completed", None, Some(1.0)),
            interval: None,
            ended_the_run: true,
        };
        let verdict = judge(judged, &half_refused());
        assert!(!verdict.passed);
        assert!(
            verdict
                .reason
                .is_some_and(|reason| reason.contains("stopped"))
        );
    }
}
