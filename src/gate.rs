//! What two sides of runs are compared by, and how much worse may pass.
//!
//! Promises: every gauge has a name that leads back to it; more of a gated gauge is either worse or better,
//! never neither.
//!
//! Deliberately not: a gauge's value in a run, or a verdict (`compare`).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::expect::{Kind, Metric, Statistic, Timing};

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
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(metric) => metric.fmt(f),
            Self::CostPerThousand => f.write_str(NAME_OF_COST),
        }
    }
}

impl FromStr for Gauge {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name).ok_or_else(|| {
            let names: Vec<String> = Self::all().map(|gauge| gauge.to_string()).collect();
            format!("it is none of {}", names.join(", "))
        })
    }
}

impl Serialize for Gauge {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Gauge {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Gauge {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Gauge".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<String> = Self::all().map(|gauge| gauge.to_string()).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

/// How much worse may pass, and of what. What is not said is as in [`Margins::DEFAULT`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GateSettings {
    /// What a verdict is given for; everything that can regress, if empty.
    pub metrics: Vec<Gauge>,
    /// The largest change for the worse, as a part of the base.
    pub margin: Option<f64>,
    /// … and of a time, in seconds: smaller changes pass whatever part they are.
    pub margin_s: Option<f64>,
    /// … and of a share, as a part of one.
    pub margin_share: Option<f64>,
    /// The largest change of one metric, as a part of the base, by its name.
    pub margins: BTreeMap<String, f64>,
    /// Whether what the runs cannot tell is a no.
    pub strict: bool,
}

/// How much worse may pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margins {
    /// As a part of the base.
    pub relative: f64,
    /// Of a time, in seconds.
    pub seconds: f64,
    /// Of a share, as a part of one.
    pub share: f64,
}

impl Margins {
    /// What applies unless something else is said.
    pub const DEFAULT: Self = Self {
        relative: 0.05,
        seconds: 0.005,
        share: 0.005,
    };
}

impl GateSettings {
    /// What a verdict is given for.
    #[must_use]
    pub fn gauges(&self) -> Vec<Gauge> {
        if self.metrics.is_empty() {
            Gauge::all().filter(|gauge| gauge.is_gated()).collect()
        } else {
            self.metrics.clone()
        }
    }

    /// The largest change of `gauge` for the worse, in its own unit, from `base` on. A margin that is given for
    /// one metric stands alone; else the larger of the relative and the absolute one counts.
    #[must_use]
    pub fn allowed(&self, gauge: Gauge, base: f64) -> f64 {
        if let Some(own) = self.margins.get(&gauge.to_string()) {
            return match gauge.kind() {
                // A part of a share would be a margin of nothing where nothing was throttled.
                Kind::Share => *own,
                _ => own * base.abs(),
            };
        }
        let absolute = match gauge.kind() {
            Kind::Time => self.margin_s.unwrap_or(Margins::DEFAULT.seconds),
            Kind::Share => self.margin_share.unwrap_or(Margins::DEFAULT.share),
            Kind::Number | Kind::Money => 0.0,
        };
        let relative = self.margin.unwrap_or(Margins::DEFAULT.relative);
        (relative * base.abs()).max(absolute)
    }

    /// These, with whatever `other` says in its place.
    #[must_use]
    pub fn overridden_by(&self, other: &Self) -> Self {
        let mut margins = self.margins.clone();
        // A margin for all that is given later means all of its kind.
        margins.retain(|name, _| {
            let is_share = Gauge::parse(name).is_some_and(|gauge| gauge.kind() == Kind::Share);
            if is_share {
                other.margin_share.is_none()
            } else {
                other.margin.is_none()
            }
        });
        margins.extend(other.margins.clone());
        Self {
            metrics: if other.metrics.is_empty() {
                self.metrics.clone()
            } else {
                other.metrics.clone()
            },
            margin: other.margin.or(self.margin),
            margin_s: other.margin_s.or(self.margin_s),
            margin_share: other.margin_share.or(self.margin_share),
            margins,
            strict: self.strict || other.strict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_lead_back() {
        for gauge in Gauge::all() {
            assert_eq!(gauge.to_string().parse(), Ok(gauge));
        }
        let names: std::collections::BTreeSet<String> =
            Gauge::all().map(|gauge| gauge.to_string()).collect();
        assert_eq!(names.len(), Gauge::all().count());
        assert!("latency.p98".parse::<Gauge>().is_err());
    }

    #[test]
    fn the_larger_margin_counts_and_a_metrics_own_stands_alone() {
        let gauge = |name: &str| Gauge::parse(name).expect("a gauge");
        let (p50, p99) = (gauge("latency.p50"), gauge("latency.p99"));
        let mut settings = GateSettings {
            margin: Some(0.02),
            ..GateSettings::default()
        };
        assert_eq!(settings.allowed(p50, 10.0), 0.2);
        assert_eq!(settings.allowed(p50, 0.1), 0.005);
        assert_eq!(settings.allowed(gauge("throttle_share"), 0.0), 0.005);
        assert_eq!(settings.allowed(gauge("goodput"), 50.0), 1.0);
        settings.margins.insert("latency.p99".to_owned(), 0.1);
        settings.margins.insert("throttle_share".to_owned(), 0.02);
        assert_eq!(settings.allowed(p99, 0.01), 0.001);
        assert_eq!(settings.allowed(gauge("throttle_share"), 0.0), 0.02);
        // A margin for all that is given later means all.
        let typed = GateSettings {
            margin: Some(0.5),
            strict: true,
            ..GateSettings::default()
        };
        let both = settings.overridden_by(&typed);
        assert_eq!((both.allowed(p99, 1.0), both.strict), (0.5, true));
        assert_eq!(both.allowed(gauge("throttle_share"), 0.0), 0.02);
        let share = GateSettings {
            margin_share: Some(0.03),
            ..GateSettings::default()
        };
        let both = settings.overridden_by(&share);
        assert_eq!(both.allowed(gauge("throttle_share"), 0.0), 0.03);
        assert_eq!(both.allowed(p99, 1.0), 0.1);
        assert_eq!(settings.overridden_by(&GateSettings::default()), settings);
    }
}
