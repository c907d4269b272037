//! What a limiter is told: limits, how they are counted, what is set aside, who goes first.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Strategy;
use crate::quota::{Counting, MeterSettings, Quota};
use crate::units::{Share, Tokens};

/// A client's own limits for one model.
#[derive(Clone, Debug, PartialEq)]
pub struct LimiterSettings {
    /// How it decides. Others than ours ignore some of what follows: see [`Self::in_force`].
    pub strategy: Strategy,
    /// What [`Strategy::FixedEstimate`] takes each request for.
    pub estimate: Tokens,
    /// The rates to stay within, before headroom is taken off; defaults to the model's quota.
    pub quota: Quota,
    /// How they are counted.
    pub meters: MeterSettings,
    /// How the service counts a call's tokens.
    pub counting: Counting,
    /// What is set aside for a call.
    pub reservation: Reservation,
    /// What is done with a request that costs more than the limits ever hold.
    pub oversize: Oversize,
    /// How quota is shared between classes of priority while it is short: the weights, above zero,
    /// of class 0, 1 and so on. With none, everybody queues in one line.
    pub priorities: Vec<u32>,
    /// Whether requests wait for quota (true) or are refused at once.
    pub wait_for_quota: bool,
    /// The longest a request waits for quota.
    pub quota_timeout: Duration,
    /// The most attempts under way at a time, if bounded.
    pub max_in_flight: Option<u32>,
    /// What a throttle by the service does to the limits; nothing if none.
    pub reaction: Option<Reaction>,
}

impl LimiterSettings {
    /// Limits without anything special: counted in a bucket of ten seconds, with what Bedrock
    /// reserves set aside, one line, and waits of at most 30 seconds.
    #[must_use]
    pub fn new(quota: Quota, counting: Counting) -> Self {
        Self {
            strategy: Strategy::Bedload,
            estimate: Strategy::ESTIMATE,
            quota,
            meters: MeterSettings {
                burst: Duration::from_secs(10),
                ..MeterSettings::default()
            },
            counting,
            reservation: Reservation::MaxTokens,
            oversize: Oversize::Refuse,
            priorities: Vec::new(),
            wait_for_quota: true,
            quota_timeout: Duration::from_secs(30),
            max_in_flight: None,
            reaction: None,
        }
    }
}

/// What a limiter sets aside for a call until it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "strategy", rename_all = "kebab-case")]
pub enum Reservation {
    /// What Bedrock reserves: input, cache writes and `max_tokens`.
    MaxTokens,
    /// What the call is expected to cost: input, cache writes, and burndown times a quantile of the
    /// output of earlier calls of its prompt class; until enough of them are known, as `MaxTokens`.
    Expected {
        /// The quantile, above zero and at most one.
        quantile: Share,
    },
    /// The larger of both, so that neither the service's reservation nor its settlement surprises.
    Mirror {
        /// The quantile, above zero and at most one.
        quantile: Share,
    },
}

impl Reservation {
    /// Its name in scenarios and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max-tokens",
            Self::Expected { .. } => "expected",
            Self::Mirror { .. } => "mirror",
        }
    }

    /// The quantile of output that it learns, if it learns one.
    #[must_use]
    pub const fn quantile(self) -> Option<Share> {
        match self {
            Self::MaxTokens => None,
            Self::Expected { quantile } | Self::Mirror { quantile } => Some(quantile),
        }
    }
}

/// What is done with a request that costs more than the limits ever hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Oversize {
    /// It is told at once that it never fits.
    Refuse,
    /// It waits until nothing is used, then goes, and what it takes too much is debt.
    Overdraw,
}

impl Oversize {
    /// Its name in scenarios and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Overdraw => "overdraw",
        }
    }
}

/// Additive increase, multiplicative decrease: a throttle cuts all limits to a share of what they
/// were, and time without throttles gives it back, step by step, to the last part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reaction {
    /// What a throttle leaves of the limits; below one.
    pub decrease: Share,
    /// What each interval gives back, as a share of the full limits; above zero.
    pub increase: Share,
    /// How long an interval is. Throttles within one interval of a cut belong to the same overload,
    /// and do not cut again. Above zero.
    #[serde(rename = "interval_nanos", with = "as_nanos")]
    #[schemars(with = "u64")]
    pub interval: Duration,
    /// The limits are never cut below this share of themselves; above zero.
    pub floor: Share,
}

impl Default for Reaction {
    /// Cut to 70 %, regain 5 % of the limits a second, never below 10 %.
    fn default() -> Self {
        Self {
            decrease: Share::percent(70),
            increase: Share::percent(5),
            interval: Duration::from_secs(1),
            floor: Share::percent(10),
        }
    }
}

mod as_nanos {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::time::nanos;

    pub(super) fn serialize<S: Serializer>(length: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(nanos(*length))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}
