//! Tokens → cost: what a call reserves when it starts and what it has cost when it is over.
//!
//! Promises: what sources disagree on is a switch with a name, off by default, and burndown has no
//! default at all: whoever counts says what an output token costs.
//!
//! Deliberately not: which model has which burndown (that is `catalogue`).
//!
//! Sources: AWS documentation, quotas-token-burndown, autumn 2026. A call reserves input, cache
//! writes and `max_tokens`; it costs input, cache writes and output times burndown; cache reads do
//! not count. Quotas of input and of output tokens apart know no burndown.

use super::Cost;
use crate::units::{TokenUsage, Tokens};

/// What is known of a call before it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Input tokens, without those read from or written to the prompt cache.
    pub input: Tokens,
    /// Input tokens that will be read from the prompt cache.
    pub cache_read: Tokens,
    /// Input tokens that will be written to the prompt cache.
    pub cache_write: Tokens,
    /// `max_tokens`, or what the service puts in its place: the model's maximum for most.
    pub max_tokens: Tokens,
}

/// How one model's tokens are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    /// What one output token costs against TPM and TPD.
    pub burndown: u32,
    /// Whether cache reads enter the reservation. They come back at the end all the same.
    pub reserves_cache_reads: bool,
    /// Whether burndown multiplies `max_tokens` in the reservation.
    pub reserves_burndown: bool,
    /// Whether a throttled call costs a request all the same.
    pub throttles_cost_requests: bool,
    /// Whether a call that fails costs all that it had reserved.
    pub failures_keep_reservation: bool,
}

impl Counting {
    /// As AWS documents it, for a model with this burndown.
    #[must_use]
    pub const fn documented(burndown: u32) -> Self {
        Self {
            burndown,
            reserves_cache_reads: false,
            reserves_burndown: false,
            throttles_cost_requests: false,
            failures_keep_reservation: false,
        }
    }

    /// What a call takes when it starts.
    #[must_use]
    pub fn reserve(&self, demand: Demand) -> Cost {
        let mut input = demand.input + demand.cache_write;
        if self.reserves_cache_reads {
            input += demand.cache_read;
        }
        let burndown = if self.reserves_burndown {
            self.burndown
        } else {
            1
        };
        Cost {
            requests: 1,
            tokens: input + times(demand.max_tokens, burndown),
            input,
            output: demand.max_tokens,
        }
    }

    /// What a call has cost once it is over. It may be more than was reserved.
    #[must_use]
    pub fn settle(&self, usage: TokenUsage) -> Cost {
        let input = usage.input + usage.cache_write;
        Cost {
            requests: 1,
            tokens: input + times(usage.output, self.burndown),
            input,
            output: usage.output,
        }
    }

    /// What a throttled call has cost.
    #[must_use]
    pub fn throttled(&self) -> Cost {
        Cost {
            requests: u64::from(self.throttles_cost_requests),
            ..Cost::ZERO
        }
    }

    /// What a call has cost that failed after it had reserved so much.
    #[must_use]
    pub fn failed(&self, reserved: Cost, usage: TokenUsage) -> Cost {
        if self.failures_keep_reservation {
            reserved
        } else {
            self.settle(usage)
        }
    }
}

fn times(tokens: Tokens, factor: u32) -> Tokens {
    Tokens(tokens.0.saturating_mul(u64::from(factor)))
}
