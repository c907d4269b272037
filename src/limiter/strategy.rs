//! How a limiter decides: our own way, or as others are published to do it.
//!
//! The others are there to be compared with, on the same scenario, with the same rates, headroom,
//! queue and time-outs. So each does what its source says it does, with what is known to be wrong
//! with it, and is made no weaker than that. With E the tokens of a prompt and its `max_tokens`, and T
//! those of prompt and answer, both without burndown:
//!
//! | strategy | counts in | starts if there is room for | then takes | at the end |
//! |---|---|---|---|---|
//! | [`Strategy::Bedload`] | as the settings say | its reservation | that | what it cost instead |
//! | [`Strategy::Unlimited`] | – | – | – | – |
//! | [`Strategy::Adaptive`] | a bucket of requests, once throttled | a request | a request | the rate changes |
//! | [`Strategy::ChargeAfter`] | the clock's minute | one token | a request | T more, in the minute of the end, if answered |
//! | [`Strategy::FixedWindow`] | a minute from its first request | E | E | nothing changes |
//! | [`Strategy::PreviousTotal`] | a bucket | T of the last answer | that | nothing changes |
//! | [`Strategy::Gcra`] | a bucket | E | E | nothing changes |
//! | [`Strategy::FixedEstimate`] | a bucket | the estimate | that | T instead; nothing if it failed |
//!
//! Promises: no strategy lets a request wait for ever, since `quota_timeout` holds for all; and what
//! can never be admitted is told so at once, where its strategy knows such requests.
//!
//! Deliberately not: what a limiter does about requests that wait. The order, and the permits, are the
//! same for all.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adaptive::Adaptive;
use super::{End, LimiterSettings, Reservation};
use crate::quota::{Cost, Demand, Enforcement, Meters, Quota};
use crate::time::Instant;
use crate::units::{TokenUsage, Tokens};

/// A way to decide who may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Ours: reserved at the start by all dimensions, settled at the end by what it cost, with
    /// burndown and debt.
    #[default]
    Bedload,
    /// No limiter at all.
    #[serde(rename = "none")]
    Unlimited,
    /// The adaptive retry mode of the AWS SDKs: requests only, not before the first throttle, at a
    /// rate that follows CUBIC. It knows no quota and no tokens.
    ///
    /// Sources: boto/botocore, `botocore/retries/adaptive.py`, `throttling.py`, `bucket.py`;
    /// smithy-lang/smithy-rs, `aws-smithy-runtime/src/client/retries/client_rate_limiter.rs`.
    Adaptive,
    /// Tokens are counted when the answer is in: a call starts if the counter of the clock's minute
    /// is below its limit, and answers add their total to the minute in which they end. So calls that
    /// are under way together pass together. Requests are counted when they start. Failures add no
    /// tokens. Cache reads count, burndown does not.
    ///
    /// Sources: BerriAI/litellm, `litellm/router_strategy/lowest_tpm_rpm_v2.py` (requests at the
    /// check, tokens in the success event), `litellm/proxy/hooks/parallel_request_limiter.py` (below
    /// its limit), and `parallel_request_limiter_v3.py` with
    /// `LITELLM_TPM_TOKEN_RESERVATION_ENABLED=false`, as always before version 1.82; since then
    /// LiteLLM's proxy reserves prompt and `max_tokens` unless told so. envoyproxy/ai-gateway,
    /// `site/docs/capabilities/traffic/usage-based-ratelimiting.md` (request cost 0, tokens from the
    /// response; envoyproxy/ratelimit lets a counter that is at its limit pass once more). LiteLLM's
    /// router also asks for room for the prompt, and stops one request short of RPM: left out.
    ChargeAfter,
    /// A counter that begins with a request and is forgotten a minute later. Prompt and `max_tokens`
    /// are counted at the start and never given back. So twice the rate passes within a minute, across
    /// the edge of a window, and what answers did not use is lost.
    ///
    /// Sources: alisaifee/limits, `limits/strategies.py` (`FixedWindowRateLimiter`: test, then hit)
    /// and `limits/storage/memory.py` (a window begins with its first hit), with the estimate as the
    /// cost of a hit, as openai/openai-cookbook counts it in
    /// `examples/api_request_parallel_processor.py`.
    FixedWindow,
    /// Each request is charged what the last answer cost in all: the first is free of tokens, and so
    /// are all that start before the first answer. A charge above what the bucket holds waits for a
    /// full one.
    ///
    /// Sources: Gravitee's policy "AI - Token Rate Limit" works so, with what it calls a one-request
    /// latency; the bucket is ours. No published limiter was found that does just this. The AWS
    /// sample aws-samples/sample-traffic-shaping-for-amazon-bedrock does not: it estimates each
    /// request by its own size (`docs/solution/architecture.md`, section 5).
    PreviousTotal,
    /// The generic cell rate algorithm without refunds: what is asked for at the start is spent.
    ///
    /// Source: boinkor-net/governor, `governor/src/gcra.rs` (`test_n_all_and_update`; too large is
    /// told at once, as `InsufficientCapacity`), with prompt and `max_tokens` as cells. What governor
    /// loses by rounding a cell's time to nanoseconds is not lost here.
    Gcra,
    /// The same number of tokens for each request, whatever its size, until its answer is in; then
    /// the total instead. What failed gives all back. So the first minute goes by the estimate alone.
    ///
    /// Sources: aws-samples/sample-traffic-shaping-for-amazon-bedrock,
    /// `infrastructure/lambda_handlers/queue_processor.py` (`_flat_tpm_estimate`: 4,096 tokens,
    /// formerly 1,024, where nothing else is known) and `docs/solution/architecture.md`, section 5
    /// (reconciled to what was used). BerriAI/litellm's `parallel_request_limiter_v3.py` has the same
    /// constant, of which it reserves a quarter as output where a request states no `max_tokens`.
    FixedEstimate,
}

impl Strategy {
    /// Every one: ours, then the others.
    pub const ALL: [Self; 8] = [
        Self::Bedload,
        Self::Unlimited,
        Self::Adaptive,
        Self::ChargeAfter,
        Self::FixedWindow,
        Self::PreviousTotal,
        Self::Gcra,
        Self::FixedEstimate,
    ];

    /// What [`Strategy::FixedEstimate`] takes a request for, unless told otherwise.
    pub const ESTIMATE: Tokens = Tokens(4096);

    /// Its name in scenarios and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bedload => "bedload",
            Self::Unlimited => "none",
            Self::Adaptive => "adaptive",
            Self::ChargeAfter => "charge-after",
            Self::FixedWindow => "fixed-window",
            Self::PreviousTotal => "previous-total",
            Self::Gcra => "gcra",
            Self::FixedEstimate => "fixed-estimate",
        }
    }

    /// Whether it knows the quota at all.
    #[must_use]
    pub const fn counts_quota(self) -> bool {
        !matches!(self, Self::Unlimited | Self::Adaptive)
    }

    /// How it counts, if that is part of it.
    #[must_use]
    pub const fn enforcement(self) -> Option<Enforcement> {
        match self {
            Self::Bedload | Self::Unlimited | Self::Adaptive => None,
            Self::ChargeAfter | Self::FixedWindow => Some(Enforcement::Fixed),
            Self::PreviousTotal | Self::Gcra | Self::FixedEstimate => Some(Enforcement::Bucket),
        }
    }

    /// What may be spent at once unless a scenario says otherwise, as time at the full rate; none if
    /// that is not part of it.
    #[must_use]
    pub const fn burst(self) -> Option<Duration> {
        match self {
            Self::Bedload | Self::Unlimited | Self::Adaptive => None,
            Self::PreviousTotal => Some(Duration::from_secs(10)),
            Self::ChargeAfter | Self::FixedWindow | Self::Gcra | Self::FixedEstimate => {
                Some(Duration::from_secs(60))
            }
        }
    }

    /// Whether its burst is always the same.
    #[must_use]
    pub const fn fixes_burst(self) -> bool {
        matches!(self, Self::ChargeAfter | Self::FixedWindow)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl LimiterSettings {
    /// The same limits, decided on as `strategy` does, with its own burst.
    #[must_use]
    pub fn following(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self.meters.burst = strategy.burst().unwrap_or(self.meters.burst);
        self
    }

    /// The settings as their strategy takes them: what it ignores says what it does instead.
    #[must_use]
    pub fn in_force(&self) -> Self {
        let mut own = self.clone();
        let strategy = self.strategy;
        if strategy == Strategy::Bedload {
            return own;
        }
        own.reservation = Reservation::MaxTokens;
        own.reaction = None;
        own.meters.clock_margin = Duration::ZERO;
        if !strategy.counts_quota() {
            own.quota = Quota::default();
        }
        if strategy == Strategy::Unlimited {
            own.max_in_flight = None;
        }
        if strategy != Strategy::ChargeAfter {
            own.meters.clock_offset = Duration::ZERO;
        }
        if let Some(enforcement) = strategy.enforcement() {
            own.meters.enforcement = enforcement;
        }
        if strategy.fixes_burst() {
            own.meters.burst = strategy.burst().unwrap_or(own.meters.burst);
        }
        own
    }

    /// What the limits must hold, when nothing is used, for such a request ever to be admitted.
    #[must_use]
    pub fn asks(&self, demand: Demand) -> Cost {
        match self.strategy {
            Strategy::Bedload => self.counting.reserve(demand),
            strategy => Rival::new(strategy, self.estimate).holds(demand),
        }
    }
}

/// Another's books: what it sets aside for a call and what it charges.
#[derive(Debug)]
pub(super) struct Rival {
    strategy: Strategy,
    estimate: Tokens,
    /// What the last answer cost in all.
    previous: Cost,
    adaptive: Adaptive,
}

impl Rival {
    pub fn new(strategy: Strategy, estimate: Tokens) -> Self {
        Self {
            strategy,
            estimate,
            previous: Cost::call(Tokens::ZERO),
            adaptive: Adaptive::default(),
        }
    }

    /// The rival that the settings name; none if they name us.
    pub fn of(settings: &LimiterSettings) -> Option<Box<Self>> {
        let strategy = settings.strategy;
        let new = || Box::new(Self::new(strategy, settings.estimate));
        (strategy != Strategy::Bedload).then(new)
    }

    /// What it takes such a request for.
    pub fn holds(&self, demand: Demand) -> Cost {
        match self.strategy {
            Strategy::FixedWindow | Strategy::Gcra => {
                let input = demand.input + demand.cache_read + demand.cache_write;
                Cost {
                    requests: 1,
                    tokens: input + demand.max_tokens,
                    input,
                    output: demand.max_tokens,
                }
            }
            Strategy::FixedEstimate => Cost {
                output: self.estimate,
                ..Cost::call(self.estimate)
            },
            _ => Cost::call(Tokens::ZERO),
        }
    }

    /// What a request that it takes for `held` is charged if it starts now.
    pub fn takes(&self, held: Cost) -> Cost {
        match self.strategy {
            Strategy::PreviousTotal => self.previous,
            _ => held,
        }
    }

    /// What must be free before it starts.
    pub fn needs(&self, held: Cost, meters: &Meters) -> Cost {
        match self.strategy {
            Strategy::PreviousTotal => meters.capped(self.previous),
            Strategy::ChargeAfter => Cost {
                requests: 1,
                tokens: Tokens(1),
                input: Tokens(1),
                output: Tokens(1),
            },
            _ => held,
        }
    }

    /// Before when nothing starts, whatever the meters say.
    pub fn not_before(&self) -> Option<Instant> {
        self.adaptive.ready_at()
    }

    /// A call starts.
    pub fn start(&mut self, now: Instant, meters: &mut Meters) {
        match self.strategy {
            Strategy::Adaptive => self.adaptive.start(now),
            Strategy::FixedWindow => meters.begin_windows(),
            _ => {}
        }
    }

    /// A call that started at `start` and holds so much has ended.
    pub fn end(&mut self, now: Instant, start: Instant, held: Cost, end: End, meters: &mut Meters) {
        match (self.strategy, end) {
            (Strategy::Adaptive, End::Answered(_) | End::Failed(_) | End::Unknown) => {
                self.adaptive.respond(now, false);
            }
            (Strategy::Adaptive, End::Throttled) => self.adaptive.respond(now, true),
            (Strategy::PreviousTotal, End::Answered(usage)) => self.previous = total(usage),
            // The request was counted at the start, and the tokens belong to the minute that it is.
            (Strategy::ChargeAfter, End::Answered(usage)) => meters.settle(now, held, total(usage)),
            (Strategy::FixedEstimate, End::Answered(usage)) => {
                meters.settle(start, held, total(usage));
            }
            (Strategy::FixedEstimate, End::Failed(_) | End::Throttled | End::Unsent) => {
                meters.settle(start, held, Cost::call(Tokens::ZERO));
            }
            _ => {}
        }
    }
}

/// An answer's tokens as everybody but Bedrock counts them: the prompt cache's are tokens, and one
/// that was written is one.
fn total(usage: TokenUsage) -> Cost {
    Cost {
        requests: 1,
        tokens: usage.total(),
        input: usage.input + usage.cache_read + usage.cache_write,
        output: usage.output,
    }
}

#[cfg(test)]
mod tests;
