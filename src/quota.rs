//! What Bedrock counts: what a call reserves, what it costs in the end, and what is left.
//!
//! Promises: all arithmetic is exact. A [`Bucket`]'s level is a signed whole number of parts so
//! small that one nanosecond's refill is a whole number of them, so nothing is lost by looking
//! often, and a promised instant is right to the nanosecond. A level may fall below zero, because
//! a call may cost more in the end than it reserved (AWS's own example reserves 5,250 tokens and
//! settles 9,000).
//!
//! The same [`Buckets`] serve the client's limiter and the simulated service; what differs between
//! the two is who decides, not how tokens are counted.
//!
//! Deliberately not: who waits for whom (that is `limiter`), or what a refusal looks like (that is
//! `service`).
//!
//! Sources: AWS documentation, "How tokens are counted in Amazon Bedrock" (quotas-token-burndown),
//! autumn 2026, for reservation, settlement and burndown. How AWS refills the minute is not public;
//! this is the continuous bucket.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::{Instant, NANOS_PER_DAY, NANOS_PER_MINUTE, nanos};
use crate::units::{Share, TokenUsage, Tokens};

/// What an account may use of one model; any subset of the dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quota {
    /// Requests per minute.
    pub rpm: Option<u64>,
    /// Tokens per minute, input and output together.
    pub tpm: Option<u64>,
    /// Tokens per day.
    pub tpd: Option<u64>,
}

/// One thing that is counted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    /// Requests per minute.
    Rpm,
    /// Tokens per minute.
    Tpm,
    /// Tokens per day.
    Tpd,
}

impl Dimension {
    /// Every dimension, in the order in which they are checked. Which one the service checks first
    /// is not public; it decides only the words of a refusal.
    pub const ALL: [Self; 3] = [Self::Rpm, Self::Tpm, Self::Tpd];

    /// Its name in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rpm => "rpm",
            Self::Tpm => "tpm",
            Self::Tpd => "tpd",
        }
    }

    /// Nanoseconds in the period that its quota is for.
    #[must_use]
    pub const fn period_nanos(self) -> u64 {
        match self {
            Self::Rpm | Self::Tpm => NANOS_PER_MINUTE,
            Self::Tpd => NANOS_PER_DAY,
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
        }
    }

    /// The dimensions that are limited.
    pub fn limited(&self) -> impl Iterator<Item = (Dimension, u64)> + use<> {
        let quota = *self;
        Dimension::ALL
            .into_iter()
            .filter_map(move |dimension| quota.get(dimension).map(|limit| (dimension, limit)))
    }
}

/// What a call takes from the token quotas when it starts: input, cache writes and `max_tokens`,
/// the last not multiplied by burndown.
#[must_use]
pub const fn reservation(input: Tokens, cache_write: Tokens, max_tokens: Tokens) -> Tokens {
    Tokens(
        input
            .0
            .saturating_add(cache_write.0)
            .saturating_add(max_tokens.0),
    )
}

/// What a call has cost the token quotas once it is over: input, cache writes and output times
/// burndown. Cache reads never count. It may be more than was reserved.
#[must_use]
pub const fn settlement(usage: TokenUsage, burndown: u32) -> Tokens {
    Tokens(
        usage
            .input
            .0
            .saturating_add(usage.cache_write.0)
            .saturating_add(usage.output.0.saturating_mul(burndown as u64)),
    )
}

/// A level that refills at a steady rate up to a capacity, and may be in debt.
///
/// Amounts (requests or tokens) are scaled by `period`, so that each nanosecond adds exactly `rate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    rate: u64,
    period: u64,
    capacity: i128,
    level: i128,
    at: Instant,
}

impl Bucket {
    /// A bucket that gains `limit` per `period_nanos`, less the share `headroom`, holds as much as
    /// it gains in `burst`, and begins with the share `fill` of that.
    ///
    /// `period_nanos` must not be zero.
    #[must_use]
    pub fn new(
        limit: u64,
        period_nanos: u64,
        headroom: Share,
        burst: Duration,
        fill: Share,
    ) -> Self {
        assert!(period_nanos > 0, "a quota's period is never zero");
        // Headroom is a fraction of the rate, so it goes into the period's denominator too: 2 % off
        // 3 requests a minute stays exact.
        let (rate, period) = if headroom == Share::ZERO {
            (limit, period_nanos)
        } else {
            let kept = u64::from(1_000_000_u32.saturating_sub(headroom.ppm));
            let common = greatest_common_divisor(kept, 1_000_000);
            (
                limit.saturating_mul(kept / common),
                period_nanos.saturating_mul(1_000_000 / common),
            )
        };
        let capacity = i128::from(rate) * i128::from(nanos(burst));
        let level = capacity / 1_000_000 * i128::from(fill.ppm.min(1_000_000));
        Self {
            rate,
            period,
            capacity,
            level,
            at: Instant::ZERO,
        }
    }

    /// Lets time pass. An instant before the last one changes nothing.
    pub fn advance(&mut self, now: Instant) {
        if now > self.at {
            let gained = i128::from(self.rate) * i128::from(now.as_nanos() - self.at.as_nanos());
            self.level = self.capacity.min(self.level + gained);
            self.at = now;
        }
    }

    /// Whether `amount` could be taken at the instant last advanced to.
    #[must_use]
    pub fn holds(&self, amount: u64) -> bool {
        self.level >= self.scaled(amount)
    }

    /// Whether `amount` could be taken at any time.
    #[must_use]
    pub fn can_ever_hold(&self, amount: u64) -> bool {
        self.capacity >= self.scaled(amount)
    }

    /// The first instant at which `amount` can be taken if nothing else is; none if it never can.
    #[must_use]
    pub fn ready_at(&self, amount: u64) -> Option<Instant> {
        let missing = self.scaled(amount) - self.level;
        if missing <= 0 {
            return Some(self.at);
        }
        if !self.can_ever_hold(amount) {
            return None;
        }
        self.refilled_at(amount)
    }

    /// When refill has made up for `amount` in all, were it taken piece by piece so that the bucket
    /// is never full; none without refill.
    #[must_use]
    pub fn refilled_at(&self, amount: u64) -> Option<Instant> {
        let missing = (self.scaled(amount) - self.level).max(0);
        if self.rate == 0 {
            return (missing == 0).then_some(self.at);
        }
        let rate = i128::from(self.rate);
        let wait = u64::try_from((missing + rate - 1) / rate).unwrap_or(u64::MAX);
        Some(self.at + Duration::from_nanos(wait))
    }

    /// Takes `amount`, into debt if need be.
    pub fn take(&mut self, amount: u64) {
        self.level -= self.scaled(amount);
    }

    /// Gives `amount` back; what does not fit is lost.
    pub fn give(&mut self, amount: u64) {
        self.level = self.capacity.min(self.level + self.scaled(amount));
    }

    /// The level in whole requests or tokens, rounded down; negative in debt.
    #[must_use]
    pub fn level(&self) -> i64 {
        clamp(self.level.div_euclid(i128::from(self.period)))
    }

    /// The most it holds, in whole requests or tokens, rounded down.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        u64::try_from(self.capacity / i128::from(self.period)).unwrap_or(u64::MAX)
    }

    fn scaled(&self, amount: u64) -> i128 {
        i128::from(amount) * i128::from(self.period)
    }
}

/// What one call takes: a request, and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests; 1 for every call.
    pub requests: u64,
    /// Tokens.
    pub tokens: Tokens,
}

impl Cost {
    /// One call that reserves so many tokens.
    #[must_use]
    pub const fn call(tokens: Tokens) -> Self {
        Self {
            requests: 1,
            tokens,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            tokens: self.tokens + other.tokens,
        }
    }

    /// What is left without the other.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            tokens: self.tokens.saturating_sub(other.tokens),
        }
    }

    const fn in_dimension(self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Rpm => self.requests,
            Dimension::Tpm | Dimension::Tpd => self.tokens.0,
        }
    }
}

/// When a cost can be met in every dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Now.
    Now,
    /// Not before then, for want of the dimension.
    At(Instant, Dimension),
    /// Never: it is more than this dimension can hold.
    Never(Dimension),
}

/// The buckets of one model, one for each limited dimension. A cost is met by all of them or by none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    limited: Vec<(Dimension, Bucket)>,
}

impl Buckets {
    /// Buckets for each dimension that `quota` limits; see [`Bucket::new`].
    ///
    /// `burst` is time at the full rate, the same for every dimension that is counted by the minute;
    /// a day's quota holds `burst` minutes' share of a day, so a full minute's burst is a full day's.
    #[must_use]
    pub fn new(quota: Quota, headroom: Share, burst: Duration, fill: Share) -> Self {
        let limited = quota
            .limited()
            .map(|(dimension, limit)| {
                let periods = dimension.period_nanos() / NANOS_PER_MINUTE;
                let burst = Duration::from_nanos(nanos(burst).saturating_mul(periods));
                (
                    dimension,
                    Bucket::new(limit, dimension.period_nanos(), headroom, burst, fill),
                )
            })
            .collect();
        Self { limited }
    }

    /// Lets time pass in every bucket.
    pub fn advance(&mut self, now: Instant) {
        for (_, bucket) in &mut self.limited {
            bucket.advance(now);
        }
    }

    /// The first dimension that cannot meet `cost` at the instant last advanced to.
    #[must_use]
    pub fn lacks(&self, cost: Cost) -> Option<Dimension> {
        self.limited
            .iter()
            .find(|(dimension, bucket)| !bucket.holds(cost.in_dimension(*dimension)))
            .map(|(dimension, _)| *dimension)
    }

    /// When `cost` can be met by all dimensions together, if nothing else is taken.
    #[must_use]
    pub fn readiness(&self, cost: Cost) -> Readiness {
        let mut readiness = Readiness::Now;
        for (dimension, bucket) in &self.limited {
            let amount = cost.in_dimension(*dimension);
            if bucket.holds(amount) {
                continue;
            }
            let Some(at) = bucket.ready_at(amount) else {
                return Readiness::Never(*dimension);
            };
            readiness = match readiness {
                Readiness::At(latest, _) if latest >= at => readiness,
                _ => Readiness::At(at, *dimension),
            };
        }
        readiness
    }

    /// When refill has made up for `cost` in every dimension; none without limits or without refill.
    #[must_use]
    pub fn refilled_at(&self, cost: Cost) -> Option<Instant> {
        self.limited
            .iter()
            .filter_map(|(dimension, bucket)| bucket.refilled_at(cost.in_dimension(*dimension)))
            .max()
    }

    /// The first dimension that could not hold `cost` even when full.
    #[must_use]
    pub fn never_holds(&self, cost: Cost) -> Option<Dimension> {
        self.limited
            .iter()
            .find(|(dimension, bucket)| !bucket.can_ever_hold(cost.in_dimension(*dimension)))
            .map(|(dimension, _)| *dimension)
    }

    /// Takes `cost` from every dimension, into debt if need be.
    pub fn take(&mut self, cost: Cost) {
        for (dimension, bucket) in &mut self.limited {
            bucket.take(cost.in_dimension(*dimension));
        }
    }

    /// Gives `cost` back to every dimension.
    pub fn give(&mut self, cost: Cost) {
        for (dimension, bucket) in &mut self.limited {
            bucket.give(cost.in_dimension(*dimension));
        }
    }

    /// Replaces a reservation by what the call has cost: the difference comes back, or becomes debt.
    pub fn settle(&mut self, reserved: Tokens, settled: Tokens) {
        if settled > reserved {
            self.take(Cost {
                requests: 0,
                tokens: settled.saturating_sub(reserved),
            });
        } else {
            self.give(Cost {
                requests: 0,
                tokens: reserved.saturating_sub(settled),
            });
        }
    }

    /// The bucket of one dimension, if it is limited.
    #[must_use]
    pub fn get(&self, dimension: Dimension) -> Option<&Bucket> {
        self.limited
            .iter()
            .find(|(candidate, _)| *candidate == dimension)
            .map(|(_, bucket)| bucket)
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
