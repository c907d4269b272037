//! What Bedrock counts: what a call reserves, what it costs in the end, and what is left.
//!
//! Promises: all arithmetic is exact, in whole numbers; a level may fall below zero, because a call
//! may cost more in the end than it reserved (AWS's own example reserves 5,250 tokens and settles
//! 9,000); and how the minute is counted, which AWS does not say, is a strategy with a name
//! ([`Enforcement`]), the same one for the client's limiter and for the simulated service. What
//! differs between those two is who decides, not how tokens are counted.
//!
//! Deliberately not: who waits for whom (that is `limiter`), or what a refusal looks like (that is
//! `service`).
//!
//! Sources: AWS documentation, "How tokens are counted in Amazon Bedrock" (quotas-token-burndown),
//! autumn 2026, for reservation, settlement and burndown.

mod bucket;
mod counting;
mod fixed;
mod gauge;
mod meters;
mod rolling;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::bucket::Bucket;
pub use self::counting::{Counting, Demand};
pub use self::fixed::Fixed;
pub use self::gauge::Gauge;
pub use self::meters::{Enforcement, MeterSettings, Meters, Misfit, Readiness, Shortage};
pub use self::rolling::Rolling;
use crate::time::{NANOS_PER_DAY, NANOS_PER_MINUTE};
use crate::units::Tokens;

/// The largest quota that is counted, in requests or tokens per period: a million million. A larger
/// one limits nothing, and is counted as this one.
pub const QUOTA_MAX: u64 = 1_000_000_000_000;

/// What an account may use of one model; any subset of the dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quota {
    /// Requests per minute.
    pub rpm: Option<u64>,
    /// Tokens per minute, input and output together.
    pub tpm: Option<u64>,
    /// Tokens per day.
    pub tpd: Option<u64>,
    /// Input tokens per minute, where they are counted apart (the `bedrock-mantle` endpoint).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tpm: Option<u64>,
    /// Output tokens per minute, where they are counted apart (the `bedrock-mantle` endpoint).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tpm: Option<u64>,
}

/// One thing that is counted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Requests per minute.
    Rpm,
    /// Tokens per minute.
    Tpm,
    /// Tokens per day.
    Tpd,
    /// Input tokens per minute.
    InputTpm,
    /// Output tokens per minute.
    OutputTpm,
}

impl Dimension {
    /// Every dimension, in the order in which they are checked. Which one the service checks first
    /// is not public; it decides only the words of a refusal.
    pub const ALL: [Self; 5] = [
        Self::Rpm,
        Self::Tpm,
        Self::Tpd,
        Self::InputTpm,
        Self::OutputTpm,
    ];

    /// Its name in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rpm => "rpm",
            Self::Tpm => "tpm",
            Self::Tpd => "tpd",
            Self::InputTpm => "input_tpm",
            Self::OutputTpm => "output_tpm",
        }
    }

    /// What it counts, for sentences: "requests per minute".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Rpm => "requests per minute",
            Self::Tpm => "tokens per minute",
            Self::Tpd => "tokens per day",
            Self::InputTpm => "input tokens per minute",
            Self::OutputTpm => "output tokens per minute",
        }
    }

    /// Nanoseconds in the period that its quota is for.
    #[must_use]
    pub const fn period_nanos(self) -> u64 {
        match self {
            Self::Tpd => NANOS_PER_DAY,
            Self::Rpm | Self::Tpm | Self::InputTpm | Self::OutputTpm => NANOS_PER_MINUTE,
        }
    }
}

impl Quota {
    /// The quota in one dimension.
    #[must_use]
    pub const fn get(&self, dimension: Dimension) -> Option<u64> {
        match dimension {
            Dimension::Rpm => self.rpm,
            Dimension::Tpm => self.tpm,
            Dimension::Tpd => self.tpd,
            Dimension::InputTpm => self.input_tpm,
            Dimension::OutputTpm => self.output_tpm,
        }
    }

    /// The dimensions that are limited.
    pub fn limited(&self) -> impl Iterator<Item = (Dimension, u64)> + use<> {
        let quota = *self;
        Dimension::ALL
            .into_iter()
            .filter_map(move |dimension| quota.get(dimension).map(|limit| (dimension, limit)))
    }

    /// Whether tokens are limited in any way.
    #[must_use]
    pub const fn limits_tokens(&self) -> bool {
        self.tpm.is_some()
            || self.tpd.is_some()
            || self.input_tpm.is_some()
            || self.output_tpm.is_some()
    }
}

/// What one call takes, in every dimension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests; 1 for every call.
    pub requests: u64,
    /// Tokens, as TPM and TPD count them.
    pub tokens: Tokens,
    /// Tokens, as a quota of input tokens counts them.
    pub input: Tokens,
    /// Tokens, as a quota of output tokens counts them.
    pub output: Tokens,
}

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self {
        requests: 0,
        tokens: Tokens::ZERO,
        input: Tokens::ZERO,
        output: Tokens::ZERO,
    };

    /// One call, of which only the tokens of TPM and TPD are known.
    #[must_use]
    pub const fn call(tokens: Tokens) -> Self {
        Self {
            requests: 1,
            tokens,
            ..Self::ZERO
        }
    }

    /// What it takes of one dimension.
    #[must_use]
    pub const fn of(self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Rpm => self.requests,
            Dimension::Tpm | Dimension::Tpd => self.tokens.0,
            Dimension::InputTpm => self.input.0,
            Dimension::OutputTpm => self.output.0,
        }
    }

    /// The larger of both, dimension by dimension.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            requests: self.requests.max(other.requests),
            tokens: self.tokens.max(other.tokens),
            input: self.input.max(other.input),
            output: self.output.max(other.output),
        }
    }
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
