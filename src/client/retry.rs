//! Retries across all requests of a client: a budget, so that an outage is not answered with more
//! load.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::outcome::Failure;
use crate::retry::RetryPolicy;
use crate::rng::{Rng, Seed, Stream};

/// How many retries the requests of one client may make between them. A retry takes from it, an
/// answer gives back; while it is empty, failures are reported at once.
///
/// The defaults are those of the AWS SDKs' `standard` mode (AWS SDKs and Tools Reference Guide,
/// "Retry behavior"): 500 in all, 5 for a retry, 10 after a time-out; an answer gives back what its
/// last retry took, or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// The most that it holds.
    pub capacity: u32,
    /// What a retry takes.
    pub retry: u32,
    /// What a retry after a time-out takes.
    pub after_timeout: u32,
    /// What an answer without a retry gives back.
    pub answer: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            capacity: 500,
            retry: 5,
            after_timeout: 10,
            answer: 1,
        }
    }
}

/// Whether and when to try again, for all requests of a client.
#[derive(Debug)]
pub(super) struct Retries {
    policy: RetryPolicy,
    budget: RetryBudget,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: u32,
    rng: Rng,
    retries: u64,
}

/// What a request has taken from the budget, to be given back when it is answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken(u32);

impl Retries {
    pub fn new(policy: RetryPolicy, budget: RetryBudget, seed: Seed) -> Self {
        Self {
            policy,
            budget,
            state: Mutex::new(State {
                left: budget.capacity,
                rng: seed.stream(Stream::Retry),
                retries: 0,
            }),
        }
    }

    /// How long to wait before the next attempt; none if there is to be no other.
    pub fn next(&self, attempts: u32, failure: Failure, taken: &mut Taken) -> Option<Duration> {
        let mut state = self.lock();
        let delay = self.policy.delay(attempts, failure, &mut state.rng)?;
        let timed_out = matches!(failure, Failure::Timeout | Failure::ModelTimeout);
        let price = if timed_out {
            self.budget.after_timeout
        } else {
            self.budget.retry
        };
        state.left = state.left.checked_sub(price)?;
        state.retries += 1;
        *taken = Taken(price);
        Some(delay)
    }

    /// A request was answered.
    pub fn answered(&self, taken: Taken) {
        let mut state = self.lock();
        let back = if taken.0 == 0 {
            self.budget.answer
        } else {
            taken.0
        };
        state.left = state.left.saturating_add(back).min(self.budget.capacity);
    }

    /// How many retries there were.
    pub fn count(&self) -> u64 {
        self.lock().retries
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_uses_the_budget_up_and_answers_bring_it_back() {
        let policy = RetryPolicy {
            max_attempts: 3,
            ..RetryPolicy::default()
        };
        let retries = Retries::new(policy, RetryBudget::default(), Seed(1));
        let try_again = || retries.next(1, Failure::Unavailable, &mut Taken::default());
        let granted = (0..1000).filter(|_| try_again().is_some()).count();
        assert_eq!(granted, 100);
        for _ in 0..5 {
            assert_eq!(try_again(), None);
            retries.answered(Taken::default());
        }
        assert!(try_again().is_some());
        assert_eq!(retries.count(), 101);
    }

    #[test]
    fn an_answer_after_a_retry_gives_back_what_that_took() {
        let policy = RetryPolicy {
            max_attempts: 2,
            ..RetryPolicy::default()
        };
        let budget = RetryBudget {
            capacity: 10,
            ..RetryBudget::default()
        };
        let retries = Retries::new(policy, budget, Seed(1));
        for _ in 0..100 {
            let mut taken = Taken::default();
            assert!(retries.next(1, Failure::Timeout, &mut taken).is_some());
            retries.answered(taken);
        }
    }
}
