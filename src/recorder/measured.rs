//! What a run measured, as plain data: it goes into `run.json` and the report prints it.
//!
//! Promises: every time is in nanoseconds and says so in its name, every length of time names its
//! two ends, a quantile is given only where the sample supports it, and the two identities hold:
//! intended = completed + failed + dropped + cancelled for requests, and
//! sent = answered + throttled + failed + unfinished for attempts.
//!
//! Deliberately not: formatting, and judgement beyond the warnings about the run itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{TokenUsage, Tokens, Usd};

/// Everything that a run measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// How long load was offered: the run's duration.
    pub window_ns: u64,
    /// From the start to the last thing that happened; all rates are over this time.
    pub elapsed_ns: u64,
    /// How long admission was paused by whoever watched; absent if it was not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub paused_ns: u64,
    /// How far into a minute of the wall clock the run began; zero in virtual time.
    pub clock_offset_ns: u64,
    /// Whether intended = completed + failed + dropped + cancelled. False is a bug of ours.
    pub conserved: bool,
    /// All requests together; its name is `total`.
    pub total: Group,
    /// By prompt class, in the scenario's order.
    pub classes: Vec<Group>,
    /// By model, in the scenario's order.
    pub models: Vec<Group>,
    /// Use of the quotas, by model, in the scenario's order.
    pub quota_use: Vec<QuotaUse>,
    /// What a reader must know before trusting the numbers.
    pub warnings: Vec<Warning>,
}

/// What was measured of a set of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// The prompt class, the model, or `total`.
    pub name: String,
    /// Requests by how they ended.
    pub counts: Counts,
    /// Failed requests by the class of their last attempt's failure; sums to `counts.failed`.
    pub failures: BTreeMap<String, u64>,
    /// Dropped requests by reason; sums to `counts.dropped`.
    pub drops: BTreeMap<String, u64>,
    /// Attempts by how they ended.
    pub attempts: Attempts,
    /// Due → finished, of completed requests.
    pub latency: Spread,
    /// Due → finished, where each failed or dropped request counts as +∞.
    pub inflated_latency: Inflated,
    /// Due → first admission by the limiter, of all requests that were admitted.
    pub limiter_wait: Spread,
    /// Sent → finished of the last attempt, of completed requests.
    pub service_time: Spread,
    /// Last admission → sent, of all requests whose last attempt was sent: the harness's own error.
    pub dispatch_lag: Spread,
    /// Sent → first token of the last attempt, of completed requests; none unless streaming.
    pub ttft: Option<Spread>,
    /// Token event → next token event, of completed requests, each pause by itself; none unless
    /// streaming.
    #[serde(default)]
    pub itl: Option<Spread>,
    /// (First token → finished) / output tokens, of completed requests: time per output token; none
    /// unless streaming.
    #[serde(default)]
    pub tpot: Option<Spread>,
    /// Tokens by the service's count, over all attempts.
    pub usage: TokenUsage,
    /// Input tokens that the client expected of the completed requests.
    pub input_estimated: Tokens,
    /// Input tokens that the service counted in the completed requests, the prompt cache's included.
    pub input_counted: Tokens,
    /// Tokens that attempts which the service took on had reserved.
    pub reserved: Tokens,
    /// Tokens that attempts cost against the tokens-per-minute quota in the end.
    pub settled: Tokens,
    /// The part of `settled` that attempts without an answer cost.
    pub wasted: Tokens,
    /// Completed requests per second.
    pub requests_per_second: f64,
    /// Input tokens per second by the service's count, without the prompt cache's.
    pub input_tokens_per_second: f64,
    /// Output tokens per second by the service's count.
    pub output_tokens_per_second: f64,
    /// What the tokens cost; none if a model that used tokens has no known price.
    pub cost: Option<Usd>,
}

/// Requests by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Requests that became due.
    pub intended: u64,
    /// Answered.
    pub completed: u64,
    /// Sent, and the last attempt failed.
    pub failed: u64,
    /// Given up before they were sent.
    pub dropped: u64,
    /// Not ended when the run did.
    pub cancelled: u64,
}

/// Attempts by how they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempts {
    /// Requests with at least one attempt.
    pub requests: u64,
    /// Attempts that were sent.
    pub sent: u64,
    /// Attempts that were answered.
    pub answered: u64,
    /// Attempts that were refused for want of quota (HTTP 429), by cause.
    pub throttled: Throttles,
    /// Attempts that failed in any other way, by failure class.
    pub failed: BTreeMap<String, u64>,
    /// Attempts that were under way when the run ended.
    pub unfinished: u64,
}

/// Refusals for want of quota, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Throttles {
    /// "Too many requests": the RPM quota.
    pub requests: u64,
    /// "Too many tokens": the TPM quota.
    pub tokens: u64,
    /// "Too many tokens per day": the TPD quota.
    pub tokens_per_day: u64,
    /// `ThrottlingException` in other words.
    pub other: u64,
}

/// How one length of time is distributed. Quantiles come from an `HdrHistogram` with three
/// significant digits; count, mean, least and greatest are exact.
///
/// A quantile is none where there are fewer samples than an upper bound for it needs at 95 %
/// confidence, n ≥ ⌈ln 0.05 / ln q⌉: p50 5, p90 29, p99 299, p99.9 2,995.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Samples.
    pub count: u64,
    /// The mean; none without samples.
    pub mean_ns: Option<u64>,
    /// The least; none without samples.
    pub min_ns: Option<u64>,
    /// The median.
    pub p50_ns: Option<u64>,
    /// Nine of ten are no greater.
    pub p90_ns: Option<u64>,
    /// 99 of 100 are no greater.
    pub p99_ns: Option<u64>,
    /// 999 of 1,000 are no greater.
    pub p999_ns: Option<u64>,
    /// The greatest; none without samples.
    pub max_ns: Option<u64>,
}

/// Quantiles of latency where each failed or dropped request counts as +∞, so that refusing load
/// never looks fast. Requests that the end of the run cancelled do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inflated {
    /// Samples, the infinite ones included.
    pub count: u64,
    /// Samples that are infinite.
    pub infinite: u64,
    /// The median.
    pub p50: Quantile,
    /// Nine of ten are no greater.
    pub p90: Quantile,
    /// 99 of 100 are no greater.
    pub p99: Quantile,
    /// 999 of 1,000 are no greater.
    pub p999: Quantile,
    /// The greatest.
    pub max: Quantile,
}

/// A quantile that may be out of reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantile {
    /// The sample is too small to say.
    #[default]
    TooFew,
    /// So many nanoseconds.
    Ns(u64),
    /// It falls among the requests that failed or were dropped.
    Infinite,
}

/// Use of one model's quotas.
///
/// An attempt counts in the second in which it was sent, unless it was throttled; what it reserved
/// counts in that second too; what it settled counts in the second in which it ended. Seconds and
/// minutes are those of the wall clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaUse {
    /// The model.
    pub model: String,
    /// Requests, against the RPM quota.
    pub requests: DimensionUse,
    /// Tokens settled, against the TPM quota.
    pub tokens: DimensionUse,
    /// Tokens reserved, against the TPM quota.
    pub reserved: DimensionUse,
    /// How many clock minutes each entry of `minutes` spans: one, doubled as often as it takes to
    /// keep the list at 1,440 entries.
    pub minutes_per_entry: u64,
    /// Use by clock-aligned minutes, from the minute in which the run began.
    pub minutes: Vec<MinuteUse>,
}

/// Use of one dimension of a quota, in units (requests or tokens) per minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DimensionUse {
    /// The quota, per minute; none if the account has none or it is not known.
    pub quota: Option<u64>,
    /// Mean over the whole run.
    pub mean: f64,
    /// Mean over the whole minutes after the first that lie within the run's duration; none in a
    /// run of less than two minutes.
    pub steady: Option<f64>,
    /// The greatest clock-aligned minute.
    pub peak_clock_minute: u64,
    /// The greatest minute that begins at any second.
    pub peak_sliding_minute: u64,
}

/// What was used in one entry of [`QuotaUse::minutes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MinuteUse {
    /// Requests that the service took on.
    pub requests: u64,
    /// Attempts that were throttled.
    pub refused: u64,
    /// Tokens reserved by requests that the service took on.
    pub reserved: Tokens,
    /// Tokens settled.
    pub settled: Tokens,
}

/// Something that a reader must know before trusting the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// What kind, such as `client-too-slow`; stable, for scripts.
    pub code: String,
    /// What was seen and what it means, in a sentence.
    pub message: String,
}

/// Runs that nobody paused need no line about it.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Counts {
    /// Whether every request that became due has ended in exactly one way.
    #[must_use]
    pub const fn conserved(self) -> bool {
        self.intended == self.completed + self.failed + self.dropped + self.cancelled
    }
}

impl Throttles {
    /// All of them.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.requests + self.tokens + self.tokens_per_day + self.other
    }
}

impl Attempts {
    /// Attempts beyond each request's first.
    #[must_use]
    pub const fn retries(&self) -> u64 {
        self.sent.saturating_sub(self.requests)
    }

    /// Attempts per request that was sent at all; none if none was.
    #[must_use]
    pub fn amplification(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.sent as f64 / self.requests as f64)
    }

    /// The part of all ended attempts that was throttled; none if none ended.
    #[must_use]
    pub fn throttle_share(&self) -> Option<f64> {
        let ended = self.sent.saturating_sub(self.unfinished);
        (ended > 0).then(|| self.throttled.total() as f64 / ended as f64)
    }
}

impl DimensionUse {
    /// The mean as a share of the quota (1.0 is all of it); none without a quota.
    #[must_use]
    pub fn mean_share(&self) -> Option<f64> {
        self.share(self.mean)
    }

    /// The steady mean as a share of the quota.
    #[must_use]
    pub fn steady_share(&self) -> Option<f64> {
        self.share(self.steady?)
    }

    /// The greatest clock-aligned minute as a share of the quota.
    #[must_use]
    pub fn peak_clock_share(&self) -> Option<f64> {
        self.share(self.peak_clock_minute as f64)
    }

    /// The greatest sliding minute as a share of the quota.
    #[must_use]
    pub fn peak_sliding_share(&self) -> Option<f64> {
        self.share(self.peak_sliding_minute as f64)
    }

    fn share(&self, per_minute: f64) -> Option<f64> {
        self.quota
            .filter(|&quota| quota > 0)
            .map(|quota| per_minute / quota as f64)
    }
}
