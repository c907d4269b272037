//! Whether and when to try again.
//!
//! Promises: no wait is above the cap, no request is sent more often than `max_attempts`, and a
//! policy that nobody asked for never retries, so that a measurement is not blurred by retries.
//!
//! Deliberately not: a budget across requests, or a hint from the service. Bedrock's throttles come
//! without `Retry-After`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::distribution::Distribution;
use crate::outcome::Failure;
use crate::rng::Rng;
use crate::time::nanos;

/// When a failed attempt is followed by another.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts for each request, the first included; at least 1, and 1 never retries.
    pub max_attempts: u32,
    /// The longest wait before the second attempt; doubles for each one after it.
    pub base: Duration,
    /// The longest wait before any attempt.
    pub cap: Duration,
    /// Whether the wait is drawn evenly from zero to its bound (full jitter) or is the bound itself.
    pub jitter: bool,
    /// Failures that are tried again.
    pub on: BTreeSet<Failure>,
}

impl Default for RetryPolicy {
    /// Never retries; the other fields are what a scenario gets that only raises `max_attempts`.
    fn default() -> Self {
        Self {
            max_attempts: 1,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            jitter: true,
            on: Failure::ALL
                .iter()
                .copied()
                .filter(|failure| failure.may_pass())
                .collect(),
        }
    }
}

impl RetryPolicy {
    /// How long to wait before the next attempt, after `failed_attempts` (counted from 1) of which
    /// the last ended in `failure`; `None` when there is to be no other.
    ///
    /// The bound is `min(cap, base · 2^(failed_attempts − 1))`; with jitter the wait is drawn
    /// evenly from zero to the bound, both included (AWS Architecture Blog, "Exponential Backoff
    /// And Jitter", full jitter).
    #[must_use]
    pub fn delay(&self, failed_attempts: u32, failure: Failure, rng: &mut Rng) -> Option<Duration> {
        if failed_attempts >= self.max_attempts || !self.on.contains(&failure) {
            return None;
        }
        let bound = self.bound_nanos(failed_attempts);
        let wait = if self.jitter {
            Distribution::Uniform { min: 0, max: bound }
                .sampler()
                .sample(rng)
        } else {
            bound
        };
        Some(Duration::from_nanos(wait))
    }

    fn bound_nanos(&self, failed_attempts: u32) -> u64 {
        let doublings = failed_attempts.saturating_sub(1);
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        nanos(self.base).saturating_mul(factor).min(nanos(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::{Seed, Stream};

    fn policy(max_attempts: u32, jitter: bool) -> RetryPolicy {
        RetryPolicy {
            max_attempts,
            jitter,
            ..RetryPolicy::default()
        }
    }

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let mut rng = Seed(1).stream(Stream::Retry);
        let waits: Vec<_> = (1..=9)
            .map(|failed| policy(9, false).delay(failed, Failure::ThrottledTokens, &mut rng))
            .map(|wait| wait.map(|wait| wait.as_millis()))
            .collect();
        let millis = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000].map(Some);
        assert_eq!(waits[..8], millis);
        assert_eq!(waits[8], None);
    }

    #[test]
    fn nothing_is_retried_unless_asked_for() {
        let mut rng = Seed(1).stream(Stream::Retry);
        for &failure in Failure::ALL {
            assert_eq!(RetryPolicy::default().delay(1, failure, &mut rng), None);
        }
    }

    #[test]
    fn what_cannot_pass_is_not_tried_again() {
        let mut rng = Seed(1).stream(Stream::Retry);
        assert_eq!(
            policy(5, true).delay(1, Failure::Validation, &mut rng),
            None
        );
        assert!(
            policy(5, true)
                .delay(1, Failure::Unavailable, &mut rng)
                .is_some()
        );
    }

    #[test]
    fn full_jitter_spreads_waits_evenly_from_zero_to_the_bound() {
        let mut rng = Seed(1).stream(Stream::Retry);
        let mut quarters = [0; 4];
        for _ in 0..40_000 {
            let wait = policy(3, true)
                .delay(1, Failure::Timeout, &mut rng)
                .unwrap();
            quarters[(wait.as_nanos() / 125_000_001) as usize] += 1;
        }
        assert!(
            quarters.iter().all(|count| (9_600..10_400).contains(count)),
            "{quarters:?}"
        );
    }

    proptest! {
        #[test]
        fn no_wait_is_above_the_cap_and_no_attempt_above_the_limit(
            max_attempts in 1..=u32::MAX,
            failed in prop_oneof![Just(u32::MAX), Just(u32::MAX - 1), 0..200_u32, any::<u32>()],
            base_nanos: u64,
            cap_nanos: u64,
            jitter: bool,
        ) {
            let policy = RetryPolicy {
                base: Duration::from_nanos(base_nanos),
                cap: Duration::from_nanos(cap_nanos),
                ..policy(max_attempts, jitter)
            };
            let mut rng = Seed(1).stream(Stream::Retry);
            match policy.delay(failed, Failure::ThrottledRequests, &mut rng) {
                Some(wait) => {
                    prop_assert!(failed < max_attempts);
                    prop_assert!(wait <= policy.cap);
                }
                None => prop_assert!(failed >= max_attempts),
            }
        }
    }
}
