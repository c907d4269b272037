//! Pass marks: what a run can be asked for, of which requests, and between which bounds the answer
//! must lie.
//!
//! Promises: every metric has one name, the one that scenarios and reports write, and one kind,
//! which says what its numbers are in. `latency.*` is failure-inflated wherever it is judged: a
//! request that failed or was dropped counts as +∞, so that refusing load never passes.
//!
//! Deliberately not: the values. A recorder measures them and [`crate::recorder::verdict`] judges.

use std::fmt;

use crate::outcome::{ClassIndex, ModelIndex};

/// One pass mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expectation {
    /// What is looked at.
    pub metric: Metric,
    /// Whose requests count.
    pub of: Scope,
    /// The largest value that passes, in the unit of the metric's [`Kind`].
    pub at_most: Option<f64>,
    /// The smallest value that passes, in the unit of the metric's [`Kind`].
    pub at_least: Option<f64>,
    /// Whether the whole confidence interval must lie between the bounds, and not the value alone.
    pub sure: bool,
    /// Whether the run ends as soon as it is clear that the mark is missed.
    pub abort_on_fail: bool,
}

impl Expectation {
    /// A mark for the whole run, without bounds.
    #[must_use]
    pub const fn of_all(metric: Metric) -> Self {
        Self {
            metric,
            of: Scope::All,
            at_most: None,
            at_least: None,
            sure: false,
            abort_on_fail: false,
        }
    }

    /// Whether a value lies between the bounds, which belong to what passes.
    #[must_use]
    pub fn admits(&self, value: f64) -> bool {
        self.at_most.is_none_or(|bound| value <= bound)
            && self.at_least.is_none_or(|bound| value >= bound)
    }

    /// Whether the middle of a run can show that the mark is missed.
    ///
    /// A share and a quantile can be clearly beyond a bound, `at_least` of a quantile excepted: what is
    /// under way would make it greater. What only grows is beyond its `at_most` for good. `completed` and
    /// `cost` may still reach an `at_least` at the very end, and means and rates have no interval that
    /// would say what is chance.
    #[must_use]
    pub fn can_miss_early(&self) -> bool {
        match self.metric {
            Metric::ThrottleShare | Metric::FailureShare | Metric::DropShare => true,
            Metric::Time(_, Statistic::Mean) => false,
            Metric::Time(..) | Metric::Completed | Metric::Cost => self.at_most.is_some(),
            _ => false,
        }
    }
}

/// Whose requests a pass mark looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// Those of one prompt class.
    Class(ClassIndex),
    /// Those to one model.
    Model(ModelIndex),
}

/// Something that a finished run can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A statistic of a length of time, such as `latency.p99`.
    Time(Timing, Statistic),
    /// Throttled attempts, of all attempts that ended.
    ThrottleShare,
    /// Failed requests, of all that were not cancelled.
    FailureShare,
    /// Dropped requests, of all that were not cancelled.
    DropShare,
    /// Completed requests.
    Completed,
    /// Completed requests per second.
    Goodput,
    /// Input tokens per second, by the service's count and without the prompt cache's.
    InputTokensPerSecond,
    /// Output tokens per second, by the service's count.
    OutputTokensPerSecond,
    /// Steady use of the RPM quota by the model that uses most of its own.
    QuotaUseRpm,
    /// Steady use of the TPM quota by the model that uses most of its own.
    QuotaUseTpm,
    /// Use of the RPM quota in the greatest sixty seconds, by the model that uses most of its own.
    QuotaUsePeakRpm,
    /// Use of the TPM quota in the greatest sixty seconds, by the model that uses most of its own.
    QuotaUsePeakTpm,
    /// Attempts per request that was sent at all.
    Amplification,
    /// Tokens that attempts without an answer settled, of all settled tokens.
    WastedShare,
    /// What the tokens cost.
    Cost,
}

/// A length of time that is measured, named by its two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    /// Due → finished, of completed requests.
    Latency,
    /// Due → first admission by the limiter, of requests that were admitted.
    LimiterWait,
    /// Sent → finished of the last attempt, of completed requests.
    ServiceTime,
    /// Last admission → sent, of requests that were sent.
    DispatchLag,
    /// Sent → first token of the last attempt, of completed requests; streams only.
    Ttft,
    /// Token event → next token event, of completed requests; streams only. Each pause counts.
    Itl,
    /// (First token → finished) / output tokens, of completed requests; streams only. The inverse of
    /// AWS's output tokens per second (user guide, monitoring-runtime-otps).
    Tpot,
}

/// One number that stands for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// The arithmetic mean.
    Mean,
    /// The median.
    P50,
    /// Nine of ten are no greater.
    P90,
    /// 99 of 100 are no greater.
    P99,
    /// 999 of 1,000 are no greater.
    P999,
    /// The greatest.
    Max,
}

/// What a metric's numbers are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Seconds.
    Time,
    /// Parts of one.
    Share,
    /// A plain number.
    Number,
    /// US dollars.
    Money,
}

impl Metric {
    /// The metrics that are no length of time.
    const OTHERS: [Self; 14] = [
        Self::ThrottleShare,
        Self::FailureShare,
        Self::DropShare,
        Self::Completed,
        Self::Goodput,
        Self::InputTokensPerSecond,
        Self::OutputTokensPerSecond,
        Self::QuotaUseRpm,
        Self::QuotaUseTpm,
        Self::QuotaUsePeakRpm,
        Self::QuotaUsePeakTpm,
        Self::Amplification,
        Self::WastedShare,
        Self::Cost,
    ];

    /// The metric with this name; none if there is no such metric.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.split_once('.') {
            Some((timing, statistic)) if Timing::from_name(timing).is_some() => Some(Self::Time(
                Timing::from_name(timing)?,
                Statistic::from_name(statistic)?,
            )),
            _ => Self::OTHERS
                .into_iter()
                .find(|metric| metric.to_string() == name),
        }
    }

    /// Every metric, in the order in which documentation lists them.
    pub fn all() -> impl Iterator<Item = Self> {
        Timing::ALL
            .into_iter()
            .flat_map(|timing| Statistic::ALL.map(|statistic| Self::Time(timing, statistic)))
            .chain(Self::OTHERS)
    }

    /// The name of every metric, for "did you mean".
    pub fn names() -> impl Iterator<Item = String> {
        Self::all().map(|metric| metric.to_string())
    }

    /// What the metric's numbers are in.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Time(..) => Kind::Time,
            Self::ThrottleShare
            | Self::FailureShare
            | Self::DropShare
            | Self::QuotaUseRpm
            | Self::QuotaUseTpm
            | Self::QuotaUsePeakRpm
            | Self::QuotaUsePeakTpm
            | Self::WastedShare => Kind::Share,
            Self::Completed
            | Self::Goodput
            | Self::InputTokensPerSecond
            | Self::OutputTokensPerSecond
            | Self::Amplification => Kind::Number,
            Self::Cost => Kind::Money,
        }
    }

    /// Whether it is about a model's quota, from which all prompt classes of the model draw.
    #[must_use]
    pub const fn is_quota_use(self) -> bool {
        matches!(
            self,
            Self::QuotaUseRpm | Self::QuotaUseTpm | Self::QuotaUsePeakRpm | Self::QuotaUsePeakTpm
        )
    }

    /// Whether it is a share of things that are counted one by one: requests or attempts.
    #[must_use]
    pub const fn is_counted_share(self) -> bool {
        matches!(
            self,
            Self::ThrottleShare | Self::FailureShare | Self::DropShare
        )
    }

    /// Whether a sample of it has a confidence interval: quantiles, and shares of what is counted one by
    /// one.
    #[must_use]
    pub fn has_interval(self) -> bool {
        match self {
            Self::Time(_, statistic) => statistic.per_mille().is_some(),
            _ => self.is_counted_share(),
        }
    }
}

impl fmt::Display for Metric {
    /// The name that scenarios and reports write.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time(timing, statistic) => {
                return write!(f, "{}.{}", timing.name(), statistic.name());
            }
            Self::ThrottleShare => "throttle_share",
            Self::FailureShare => "failure_share",
            Self::DropShare => "drop_share",
            Self::Completed => "completed",
            Self::Goodput => "goodput",
            Self::InputTokensPerSecond => "input_tokens_per_second",
            Self::OutputTokensPerSecond => "output_tokens_per_second",
            Self::QuotaUseRpm => "quota_use.rpm",
            Self::QuotaUseTpm => "quota_use.tpm",
            Self::QuotaUsePeakRpm => "quota_use.peak_rpm",
            Self::QuotaUsePeakTpm => "quota_use.peak_tpm",
            Self::Amplification => "amplification",
            Self::WastedShare => "wasted_share",
            Self::Cost => "cost",
        })
    }
}

impl Timing {
    /// Every one, in the order in which reports list them.
    pub const ALL: [Self; 7] = [
        Self::Latency,
        Self::LimiterWait,
        Self::ServiceTime,
        Self::DispatchLag,
        Self::Ttft,
        Self::Itl,
        Self::Tpot,
    ];

    /// The name used in files, scenarios and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::LimiterWait => "limiter_wait",
            Self::ServiceTime => "service_time",
            Self::DispatchLag => "dispatch_lag",
            Self::Ttft => "ttft",
            Self::Itl => "itl",
            Self::Tpot => "tpot",
        }
    }

    /// The timing with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|timing| timing.name() == name)
    }
}

impl Statistic {
    /// Every one, in the order in which reports list them.
    pub const ALL: [Self; 6] = [
        Self::Mean,
        Self::P50,
        Self::P90,
        Self::P99,
        Self::P999,
        Self::Max,
    ];

    /// The name used in scenarios and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::Max => "max",
        }
    }

    /// Which quantile it is, in thousandths, so that ranks are exact; none for the mean and the greatest.
    #[must_use]
    pub const fn per_mille(self) -> Option<u64> {
        match self {
            Self::P50 => Some(500),
            Self::P90 => Some(900),
            Self::P99 => Some(990),
            Self::P999 => Some(999),
            Self::Mean | Self::Max => None,
        }
    }

    /// The statistic with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|statistic| statistic.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_lead_back() {
        for metric in Metric::all() {
            assert_eq!(Metric::parse(&metric.to_string()), Some(metric));
        }
        let names: BTreeSet<String> = Metric::names().collect();
        assert_eq!(names.len(), 7 * 6 + 14);
    }

    #[test]
    fn what_is_no_metric_is_refused() {
        for name in [
            "",
            "latency",
            "latency.",
            "latency.p98",
            "quota_use",
            "goodput.p50",
            "Cost",
        ] {
            assert_eq!(Metric::parse(name), None, "{name}");
        }
    }

    #[test]
    fn bounds_belong_to_what_passes() {
        let between = Expectation {
            at_least: Some(1.0),
            at_most: Some(2.0),
            ..Expectation::of_all(Metric::Goodput)
        };
        let passed = [0.9, 1.0, 1.5, 2.0, 2.1, f64::INFINITY].map(|value| between.admits(value));
        assert_eq!(passed, [false, true, true, true, false, false]);
        assert!(Expectation::of_all(Metric::Goodput).admits(f64::INFINITY));
    }

    #[test]
    fn only_what_can_be_clear_in_the_middle_of_a_run_ends_it() {
        let early = |name, at_most, at_least| {
            let mark = Expectation {
                at_most,
                at_least,
                ..Expectation::of_all(Metric::parse(name).expect("a metric of this name"))
            };
            mark.can_miss_early()
        };
        let bound = Some(1.0);
        assert!(early("failure_share", None, bound) && early("failure_share", bound, None));
        assert!(early("latency.p99", bound, None) && !early("latency.p99", None, bound));
        assert!(early("cost", bound, None) && !early("completed", None, bound));
        assert!(!early("latency.mean", bound, None) && !early("goodput", bound, bound));
    }

    #[test]
    fn a_metric_says_what_its_numbers_are_in() {
        let kind = |name| Metric::parse(name).map(Metric::kind);
        assert_eq!(kind("dispatch_lag.p50"), Some(Kind::Time));
        assert_eq!(kind("quota_use.tpm"), Some(Kind::Share));
        assert_eq!(kind("goodput"), Some(Kind::Number));
        assert_eq!(kind("cost"), Some(Kind::Money));
    }
}
