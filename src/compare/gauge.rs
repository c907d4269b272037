//! What two runs are compared by.

use std::fmt;

use crate::expect::{Kind, Metric, Statistic, Timing};
use crate::results::RunFile;

/// A number that a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// A metric of pass marks.
    Of(Metric),
    /// List price of a thousand answers.
    CostPerThousand,
}

const NAME_OF_COST: &str = "cost_per_1000";

impl Gauge {
    /// Every one, in the order in which tables list them.
    pub fn all() -> impl Iterator<Item = Self> {
        let times = [
            Timing::Latency,
            Timing::LimiterWait,
            Timing::ServiceTime,
            Timing::Ttft,
        ];
        let statistics = [Statistic::P50, Statistic::P90, Statistic::P99];
        let others = [
            Metric::Goodput,
            Metric::OutputTokensPerSecond,
            Metric::ThrottleShare,
            Metric::FailureShare,
            Metric::DropShare,
            Metric::Amplification,
            Metric::QuotaUseRpm,
            Metric::QuotaUseTpm,
        ];
        times
            .into_iter()
            .flat_map(move |timing| statistics.map(|statistic| Metric::Time(timing, statistic)))
            .chain(others)
            .map(Self::Of)
            .chain([Self::CostPerThousand])
    }

    /// The one with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|gauge| gauge.to_string() == name)
    }

    /// Whether more of it is worse or better, so that it can regress. Use of a quota is neither.
    #[must_use]
    pub const fn is_gated(self) -> bool {
        !matches!(self, Self::Of(metric) if metric.is_quota_use())
    }

    /// Whether more of it is better.
    #[must_use]
    pub const fn is_better_higher(self) -> bool {
        matches!(
            self,
            Self::Of(
                Metric::Goodput | Metric::InputTokensPerSecond | Metric::OutputTokensPerSecond
            )
        )
    }

    /// What its numbers are in.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Of(metric) => metric.kind(),
            Self::CostPerThousand => Kind::Money,
        }
    }

    /// Its value in a run; none if it was not measured.
    #[must_use]
    pub fn value(self, run: &RunFile) -> Option<f64> {
        let measured = run.measured.as_ref()?;
        match self {
            Self::Of(metric) => measured.value(metric),
            Self::CostPerThousand => {
                let answers = measured.total.counts.completed;
                let cost = measured.total.cost?.dollars();
                (answers > 0).then(|| cost * 1_000.0 / answers as f64)
            }
        }
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(metric) => metric.fmt(f),
            Self::CostPerThousand => f.write_str(NAME_OF_COST),
        }
    }
}
