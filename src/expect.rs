//! Pass marks: what a finished run can be asked for, and between which bounds the answer must lie.
//!
//! Promises: every metric has one name, the one that scenarios and reports write, and one kind,
//! which says what its numbers are in. `latency.*` is failure-inflated wherever it is judged: a
//! request that failed or was dropped counts as +∞, so that refusing load never passes.
//!
//! Deliberately not: the values. A recorder measures them and [`crate::recorder::verdict`] judges.

use std::fmt;

/// One pass mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expectation {
    /// What is looked at.
    pub metric: Metric,
    /// The largest value that passes, in the unit of the metric's [`Kind`].
    pub at_most: Option<f64>,
    /// The smallest value that passes, in the unit of the metric's [`Kind`].
    pub at_least: Option<f64>,
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
    /// Output tokens per second, by the service's count.
    OutputTokensPerSecond,
    /// Steady use of the RPM quota by the model that uses most of its own.
    QuotaUseRpm,
    /// Steady use of the TPM quota by the model that uses most of its own.
    QuotaUseTpm,
    /// Attempts per request that was sent at all.
    Amplification,
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
    const OTHERS: [Self; 10] = [
        Self::ThrottleShare,
        Self::FailureShare,
        Self::DropShare,
        Self::Completed,
        Self::Goodput,
        Self::OutputTokensPerSecond,
        Self::QuotaUseRpm,
        Self::QuotaUseTpm,
        Self::Amplification,
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
            | Self::QuotaUseTpm => Kind::Share,
            Self::Completed | Self::Goodput | Self::OutputTokensPerSecond | Self::Amplification => {
                Kind::Number
            }
            Self::Cost => Kind::Money,
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
            Self::OutputTokensPerSecond => "output_tokens_per_second",
            Self::QuotaUseRpm => "quota_use.rpm",
            Self::QuotaUseTpm => "quota_use.tpm",
            Self::Amplification => "amplification",
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
        assert_eq!(names.len(), 7 * 6 + 10);
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
    fn a_metric_says_what_its_numbers_are_in() {
        let kind = |name| Metric::parse(name).map(Metric::kind);
        assert_eq!(kind("dispatch_lag.p50"), Some(Kind::Time));
        assert_eq!(kind("quota_use.tpm"), Some(Kind::Share));
        assert_eq!(kind("goodput"), Some(Kind::Number));
        assert_eq!(kind("cost"), Some(Kind::Money));
    }
}
