//! The simulated Bedrock: at this instant, this call: what answer, when?
//!
//! Promises: pure and deterministic. What one call draws (its latency) depends on the seed, the
//! call's number and its attempt, and on nothing that other calls do, so the same call takes the
//! same time in the simulator and in the stub. Its quota is a ledger of its own, which knows nothing
//! of the client's limiter: `max_tokens` is reserved when a call arrives, and what the call has
//! really cost is settled when its answer is complete. A refused call takes nothing.
//!
//! Deliberately not: HTTP. The stub gives these answers their bodies and headers.
//!
//! Model of latency: first token + output tokens / output rate, the form of AWS's own
//! output-tokens-per-second metric (AWS documentation, monitoring-runtime-otps).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::distribution::{Distribution, Sampler};
use crate::outcome::{Failure, ModelIndex, StopReason};
use crate::quota::{Buckets, Cost, Dimension, Quota, reservation, settlement};
use crate::rng::{Seed, Stream};
use crate::time::{Instant, NANOS_PER_SECOND};
use crate::units::{Rate, Share, TokenUsage, Tokens};

/// How the simulated service behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSettings {
    /// Nanoseconds from a request's arrival to its first token.
    pub first_token: Distribution,
    /// Output tokens generated per second.
    pub output_rate: Rate,
    /// How long a refusal (a throttle or a rejected request) takes to answer.
    pub refusal: Duration,
    /// How much quota the service holds at most, as time at the full rate.
    pub quota_capacity: Duration,
    /// How full the service's quota is when the run begins; one is full.
    pub quota_initial_fill: Share,
}

/// What the service knows of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedModel {
    /// What the account may use of it.
    pub quota: Quota,
    /// What one output token costs against that quota.
    pub burndown: u32,
}

/// One call, as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The request's number.
    pub request: u64,
    /// Which attempt of it this is.
    pub attempt: u32,
    /// The model.
    pub model: ModelIndex,
    /// Its input tokens.
    pub input: Tokens,
    /// `max_tokens`, or what stands in for it.
    pub max_tokens: Tokens,
    /// How many tokens the answer would have, were there no `max_tokens`.
    pub output: Tokens,
}

/// What the service makes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Answered {
        /// When its first token is ready.
        first_token: Instant,
        /// When it is complete.
        complete: Instant,
        /// Its tokens.
        usage: TokenUsage,
        /// Why it ends.
        stop: StopReason,
    },
    /// A refusal.
    Refused {
        /// When it is answered.
        at: Instant,
        /// Its class.
        failure: Failure,
    },
}

impl Reply {
    /// When the reply is complete.
    #[must_use]
    pub const fn complete(&self) -> Instant {
        match self {
            Self::Answered { complete, .. } => *complete,
            Self::Refused { at, .. } => *at,
        }
    }
}

/// A settlement that is due when its call's answer is complete; ordered by time, then by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Settlement {
    at: Instant,
    arrival: u64,
    model: u16,
    reserved: Tokens,
    settled: Tokens,
}

#[derive(Debug)]
struct Ledger {
    buckets: Buckets,
    burndown: u32,
}

/// The simulated service. See the module's documentation.
#[derive(Debug)]
pub struct Service {
    ledgers: Vec<Ledger>,
    first_token: Sampler,
    output_rate: Rate,
    refusal: Duration,
    seed: Seed,
    outstanding: BinaryHeap<Reverse<Settlement>>,
    arrivals: u64,
    now: Instant,
}

impl Service {
    /// A service that serves these models, at the instant zero.
    #[must_use]
    pub fn new(settings: &ServiceSettings, models: &[ServedModel], seed: Seed) -> Self {
        let ledgers = models
            .iter()
            .map(|model| Ledger {
                buckets: Buckets::new(
                    model.quota,
                    Share::ZERO,
                    settings.quota_capacity,
                    settings.quota_initial_fill,
                ),
                burndown: model.burndown,
            })
            .collect();
        Self {
            ledgers,
            first_token: settings.first_token.sampler(),
            output_rate: settings.output_rate,
            refusal: settings.refusal,
            seed,
            outstanding: BinaryHeap::new(),
            arrivals: 0,
            now: Instant::ZERO,
        }
    }

    /// A call arrives at `now`. An instant before the last call's counts as the last call's.
    ///
    /// # Panics
    /// If the call names a model that the service does not serve.
    pub fn call(&mut self, now: Instant, call: &Call) -> Reply {
        self.now = self.now.max(now);
        let now = self.now;
        self.settle_until(now);
        self.arrivals += 1;
        let ledger = &mut self.ledgers[usize::from(call.model.0)];
        ledger.buckets.advance(now);
        let reserved = reservation(call.input, Tokens::ZERO, call.max_tokens);
        let cost = Cost::call(reserved);
        if let Some(dimension) = ledger.buckets.lacks(cost) {
            return Reply::Refused {
                at: now + self.refusal,
                failure: throttle(dimension),
            };
        }
        ledger.buckets.take(cost);
        let cut_off = call.output > call.max_tokens;
        let usage = TokenUsage {
            input: call.input,
            output: call.output.min(call.max_tokens),
            ..TokenUsage::default()
        };
        let mut rng = self
            .seed
            .keyed(Stream::Service, call.request, u64::from(call.attempt));
        let first_token = now + Duration::from_nanos(self.first_token.sample(&mut rng));
        let complete = first_token + generation_time(usage.output, self.output_rate);
        self.outstanding.push(Reverse(Settlement {
            at: complete,
            arrival: self.arrivals,
            model: call.model.0,
            reserved,
            settled: settlement(usage, ledger.burndown),
        }));
        let stop = if cut_off {
            StopReason::MaxTokens
        } else {
            StopReason::EndTurn
        };
        Reply::Answered {
            first_token,
            complete,
            usage,
            stop,
        }
    }

    /// What is left of one dimension of a model's quota, as of the last call; none if unlimited.
    #[must_use]
    pub fn level(&self, model: ModelIndex, dimension: Dimension) -> Option<i64> {
        let bucket = self
            .ledgers
            .get(usize::from(model.0))?
            .buckets
            .get(dimension)?;
        Some(bucket.level())
    }

    /// Calls whose answers were not complete at the last call.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    fn settle_until(&mut self, now: Instant) {
        while let Some(Reverse(next)) = self.outstanding.peek()
            && next.at <= now
        {
            let next = *next;
            self.outstanding.pop();
            let buckets = &mut self.ledgers[usize::from(next.model)].buckets;
            buckets.advance(next.at);
            buckets.settle(next.reserved, next.settled);
        }
    }
}

/// The throttle that a lack of this dimension is answered with.
const fn throttle(dimension: Dimension) -> Failure {
    match dimension {
        Dimension::Rpm => Failure::ThrottledRequests,
        Dimension::Tpm => Failure::ThrottledTokens,
        Dimension::Tpd => Failure::ThrottledTokensPerDay,
    }
}

fn generation_time(output: Tokens, rate: Rate) -> Duration {
    if rate.events == 0 {
        return Duration::ZERO;
    }
    let nanos = u128::from(output.0) * u128::from(rate.period_nanos) / u128::from(rate.events);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A rate of so many tokens per second.
#[must_use]
pub const fn tokens_per_second(tokens: u64) -> Rate {
    Rate {
        events: tokens,
        period_nanos: NANOS_PER_SECOND,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(quota: Quota, burndown: u32) -> Service {
        let settings = ServiceSettings {
            first_token: Distribution::Constant(500_000_000),
            output_rate: tokens_per_second(100),
            refusal: Duration::from_millis(15),
            quota_capacity: Duration::from_secs(60),
            quota_initial_fill: Share::percent(100),
        };
        Service::new(&settings, &[ServedModel { quota, burndown }], Seed(1))
    }

    fn call(request: u64, input: u64, max_tokens: u64, output: u64) -> Call {
        Call {
            request,
            attempt: 1,
            model: ModelIndex(0),
            input: Tokens(input),
            max_tokens: Tokens(max_tokens),
            output: Tokens(output),
        }
    }

    #[test]
    fn an_answer_takes_its_first_token_and_its_output() {
        let mut service = service(Quota::default(), 1);
        let reply = service.call(Instant::from_secs(1), &call(0, 10, 1000, 200));
        assert_eq!(
            reply,
            Reply::Answered {
                first_token: Instant::from_millis(1500),
                complete: Instant::from_millis(3500),
                usage: TokenUsage {
                    input: Tokens(10),
                    output: Tokens(200),
                    ..TokenUsage::default()
                },
                stop: StopReason::EndTurn,
            }
        );
    }

    #[test]
    fn max_tokens_cuts_an_answer_off() {
        let mut service = service(Quota::default(), 1);
        let reply = service.call(Instant::ZERO, &call(0, 10, 50, 200));
        assert!(matches!(
            reply,
            Reply::Answered { usage, stop: StopReason::MaxTokens, .. } if usage.output == Tokens(50)
        ));
    }

    #[test]
    fn a_reservation_is_held_until_the_answer_is_complete() {
        let mut service = service(
            Quota {
                tpm: Some(6000),
                ..Quota::default()
            },
            1,
        );
        let tokens = |service: &Service| service.level(ModelIndex(0), Dimension::Tpm);
        service.call(Instant::ZERO, &call(0, 100, 5000, 150));
        assert_eq!(tokens(&service), Some(900));
        // 1 s later the answer is not complete: 900 and a second's refill of 100 are too few.
        let refused = service.call(Instant::from_secs(1), &call(1, 100, 1000, 1));
        let at = Instant::from_millis(1015);
        assert_eq!(
            refused,
            Reply::Refused {
                at,
                failure: Failure::ThrottledTokens
            }
        );
        // At 2 s it is: 5,100 were reserved, 250 are kept, and 2 s have refilled 200.
        service.call(Instant::from_secs(2), &call(2, 0, 0, 1));
        assert_eq!(tokens(&service), Some(6000 - 250 + 200));
    }

    #[test]
    fn burndown_settles_above_the_reservation() {
        let mut service = service(
            Quota {
                tpm: Some(6000),
                ..Quota::default()
            },
            5,
        );
        service.call(Instant::ZERO, &call(0, 0, 1500, 1500));
        service.call(Instant::from_secs(60), &call(1, 0, 0, 1));
        // At 15.5 s the bucket is full again; 7,500 - 1,500 = 6,000 more are due, which empties it;
        // then come 44.5 s of refill.
        assert_eq!(service.level(ModelIndex(0), Dimension::Tpm), Some(4450));
    }

    #[test]
    fn a_refused_call_takes_nothing() {
        let mut service = service(
            Quota {
                rpm: Some(1),
                tpm: Some(1000),
                tpd: None,
            },
            1,
        );
        service.call(Instant::ZERO, &call(0, 10, 10, 10));
        for request in 1..10 {
            let refused = service.call(Instant::ZERO, &call(request, 10, 10, 10));
            assert!(matches!(
                refused,
                Reply::Refused {
                    failure: Failure::ThrottledRequests,
                    ..
                }
            ));
        }
        assert_eq!(service.level(ModelIndex(0), Dimension::Tpm), Some(980));
        assert_eq!(service.outstanding(), 1);
    }
}
