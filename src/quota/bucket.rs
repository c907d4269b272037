//! A level that refills at a steady rate up to a capacity, and may be in debt.
//!
//! Promises: one nanosecond's refill is a whole number of the parts that are counted, so nothing is
//! lost by looking often, and a promised instant is right to the nanosecond. Amounts are scaled by
//! the period for that: each nanosecond adds exactly `rate`.

use std::time::Duration;

use super::QUOTA_MAX;
use crate::time::{Instant, nanos};
use crate::units::Share;

/// Parts of a share; a bucket's rate may be any whole number of them.
const PARTS: u32 = 1_000_000;

/// Larger amounts are counted as this one: no quota ever holds it.
const AMOUNT_MAX: u64 = 1_000_000 * QUOTA_MAX;

/// A token bucket. See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    limit: u64,
    burst_nanos: u64,
    /// Parts per nanosecond.
    rate: u64,
    /// Parts of one request or token.
    period: i128,
    /// How many times finer the parts are than `limit` alone would need.
    finer: u32,
    capacity: i128,
    level: i128,
    at: Instant,
}

impl Bucket {
    /// A bucket that gains `limit` per `period_nanos`, less the share `headroom`, holds as much as
    /// it gains in `burst`, and begins with the share `fill` of that.
    ///
    /// # Panics
    /// If `period_nanos` is zero.
    #[must_use]
    pub fn new(
        limit: u64,
        period_nanos: u64,
        headroom: Share,
        burst: Duration,
        fill: Share,
    ) -> Self {
        assert!(period_nanos > 0, "a quota's period is never zero");
        let kept = PARTS.saturating_sub(headroom.ppm);
        // Headroom is a fraction of the rate, so it goes into the period's denominator too: 2 % off
        // 3 requests a minute stays exact.
        let common = greatest_common_divisor(kept, PARTS);
        let limit = limit.min(QUOTA_MAX);
        let rate = limit * u64::from(kept / common);
        let burst_nanos = nanos(burst);
        let capacity = i128::from(rate) * i128::from(burst_nanos);
        let level = if fill.ppm >= PARTS {
            capacity
        } else {
            capacity / i128::from(PARTS) * i128::from(fill.ppm)
        };
        Self {
            limit,
            burst_nanos,
            rate,
            period: i128::from(period_nanos) * i128::from(PARTS / common),
            finer: PARTS / common,
            capacity,
            level,
            at: Instant::ZERO,
        }
    }

    /// From the instant last advanced to, gains only the share `kept` of its limit and holds only
    /// that share of a burst; what is above that is lost.
    pub fn keep(&mut self, kept: Share) {
        let finer = i128::from(PARTS / self.finer);
        self.finer = PARTS;
        self.period *= finer;
        self.rate = self.limit * u64::from(kept.ppm.min(PARTS));
        self.capacity = i128::from(self.rate) * i128::from(self.burst_nanos);
        self.level = self.capacity.min(self.level.saturating_mul(finer));
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

    /// The first instant at which `amount` can be taken if nothing else is; none if it never can.
    #[must_use]
    pub fn ready_at(&self, amount: u64) -> Option<Instant> {
        let wanted = self.scaled(amount);
        let missing = wanted - self.level;
        if missing <= 0 {
            return Some(self.at);
        }
        if wanted > self.capacity || self.rate == 0 {
            return None;
        }
        let rate = i128::from(self.rate);
        let wait = u64::try_from((missing + rate - 1) / rate).unwrap_or(u64::MAX);
        Some(self.at + Duration::from_nanos(wait))
    }

    /// Takes `amount`, into debt if need be.
    pub fn take(&mut self, amount: u64) {
        self.level = self.level.saturating_sub(self.scaled(amount));
    }

    /// Gives `amount` back; what does not fit is lost.
    pub fn give(&mut self, amount: u64) {
        self.level = self.capacity.min(self.level + self.scaled(amount));
    }

    /// What [`Self::level`] says at `now`, if nothing happens until then.
    #[must_use]
    pub fn level_at(&self, now: Instant) -> i64 {
        let mut later = self.clone();
        later.advance(now);
        later.level()
    }

    /// The level in whole requests or tokens, rounded down; negative in debt.
    #[must_use]
    pub fn level(&self) -> i64 {
        let level = self.level.div_euclid(self.period);
        i64::try_from(level).unwrap_or(if level < 0 { i64::MIN } else { i64::MAX })
    }

    /// The most it holds, in whole requests or tokens, rounded down.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        u64::try_from(self.capacity / self.period).unwrap_or(u64::MAX)
    }

    fn scaled(&self, amount: u64) -> i128 {
        i128::from(amount.min(AMOUNT_MAX)) * self.period
    }
}

const fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
