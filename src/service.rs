//! The simulated Bedrock: at this instant, this call: what answer, when?
//!
//! Promises: pure and deterministic. What one call draws (its latency) depends on the seed, the
//! call's number and its attempt, and on nothing that other calls do, so the same call takes the
//! same time in the simulator and in the stub. Its quota is counted apart from the client's limiter:
//! `max_tokens` is reserved when a call arrives, and what the call has really cost is settled when
//! its answer is complete. A refused call takes no tokens.
//!
//! Deliberately not: HTTP. The stub gives these answers their bodies and headers.
//!
//! Model of latency: first token + output tokens / output rate, the form of AWS's own
//! output-tokens-per-second metric (AWS documentation, monitoring-runtime-otps).

mod course;
pub mod fault;
mod ledger;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::course::Course;
use self::fault::{Fault, Faults, Strike};
use self::ledger::{Ledger, Running};
use crate::distribution::{Distribution, Sampler};
use crate::outcome::{Failure, ModelIndex, StopReason};
use crate::quota::{Counting, Demand, Dimension, MeterSettings, Quota};
use crate::rng::{Seed, Stream};
use crate::time::{Instant, NANOS_PER_SECOND};
use crate::units::{Rate, TokenUsage, Tokens};

/// How the simulated service behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSettings {
    /// Nanoseconds from a request's arrival to its first token.
    pub first_token: Distribution,
    /// Output tokens generated per second.
    pub output_rate: Rate,
    /// How long a refusal (a throttle or a rejected request) takes to answer.
    pub refusal: Duration,
    /// How quotas are counted.
    pub meters: MeterSettings,
    /// When a reservation gives way to what is really used.
    pub adjustment: Adjustment,
    /// Nanoseconds that a call is under way to the service, and its answer back, drawn apart.
    pub network: Option<Distribution>,
    /// What goes wrong on purpose.
    pub faults: Vec<Fault>,
}

/// When a reservation gives way to what is really used. AWS says that it happens while a call is
/// running, and not how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// All at once, when the call is over.
    #[default]
    AtEnd,
    /// Once a second while output is generated, in proportion to what has been.
    Continuous,
}

impl Adjustment {
    /// Its name in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtEnd => "at_end",
            Self::Continuous => "continuous",
        }
    }
}

/// What the service knows of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedModel {
    /// What the account may use of it.
    pub quota: Quota,
    /// How its tokens are counted against that quota.
    pub counting: Counting,
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
    /// Whether its answer is to come token by token.
    pub streams: bool,
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
    /// An answer, whole or broken.
    Answered(Course),
    /// A refusal.
    Refused {
        /// When it is answered.
        at: Instant,
        /// Its class.
        failure: Failure,
    },
}

/// The simulated service. See the module's documentation.
#[derive(Debug)]
pub struct Service {
    ledger: Ledger,
    first_token: Sampler,
    output_rate: Rate,
    refusal: Duration,
    network: Option<Sampler>,
    faults: Faults,
    seed: Seed,
    now: Instant,
}

impl Service {
    /// A service that serves these models, at the instant zero.
    #[must_use]
    pub fn new(settings: &ServiceSettings, models: &[ServedModel], seed: Seed) -> Self {
        Self {
            ledger: Ledger::new(models, &settings.meters, settings.adjustment),
            first_token: settings.first_token.sampler(),
            output_rate: settings.output_rate,
            refusal: settings.refusal,
            network: settings.network.as_ref().map(Distribution::sampler),
            faults: Faults::new(&settings.faults, seed),
            seed,
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
        let strike = self.faults.strike(now, call);
        let refused = now + self.refusal + strike.delay;
        if let Some(failure) = strike.refusal
            && !takes_quota(failure)
        {
            if failure.is_throttle() {
                self.ledger.throttle(now, call.model);
            }
            return Reply::Refused {
                at: refused,
                failure,
            };
        }
        let demand = Demand {
            input: call.input,
            max_tokens: call.max_tokens,
            ..Demand::default()
        };
        let reserved = match self.ledger.start(now, call.model, demand) {
            Ok(reserved) => reserved,
            Err(dimension) => {
                return Reply::Refused {
                    at: refused,
                    failure: throttle(dimension),
                };
            }
        };
        let counting = self.ledger.counting(call.model);
        let running = Running {
            model: call.model,
            start: now,
            first_token: refused,
            complete: refused,
            reserved,
            held: reserved,
            settled: counting.failed(reserved, TokenUsage::default()),
        };
        if let Some(failure) = strike.refusal {
            self.ledger.run(running);
            return Reply::Refused {
                at: refused,
                failure,
            };
        }
        let course = self.course(now, call, strike);
        let settled = match course.seen_as() {
            None => counting.settle(course.usage),
            Some(_) => counting.failed(reserved, course.spent()),
        };
        self.ledger.run(Running {
            first_token: course.first_token,
            complete: course.end().0,
            settled,
            ..running
        });
        Reply::Answered(course)
    }

    /// It is `now`: what has been answered is settled, and levels are as of now.
    pub fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.ledger.advance(self.now);
    }

    /// How the answer to a call that has been let in comes.
    fn course(&self, now: Instant, call: &Call, strike: Strike) -> Course {
        let usage = TokenUsage {
            input: call.input,
            output: call.output.min(call.max_tokens),
            ..TokenUsage::default()
        };
        let mut rng = self
            .seed
            .keyed(Stream::Service, call.request, u64::from(call.attempt));
        let wait = Duration::from_nanos(self.first_token.sample(&mut rng));
        let first_token = now + wait + strike.delay;
        Course {
            arrived: now,
            first_token,
            complete: first_token + generation_time(usage.output, self.output_rate) + strike.stall,
            stall: strike.stall,
            usage,
            stop: if call.output > call.max_tokens {
                StopReason::MaxTokens
            } else {
                StopReason::EndTurn
            },
            flaw: strike.flaw,
            streams: call.streams,
        }
    }

    /// How long this attempt is under way to the service, and its answer back.
    #[must_use]
    pub fn network(&self, request: u64, attempt: u32) -> (Duration, Duration) {
        let Some(network) = &self.network else {
            return (Duration::ZERO, Duration::ZERO);
        };
        let mut rng = self
            .seed
            .keyed(Stream::Network, request, u64::from(attempt));
        let mut draw = || Duration::from_nanos(network.sample(&mut rng));
        (draw(), draw())
    }

    /// What is left of one dimension of a model's quota, as of the last call or
    /// [`Self::advance`]; none if unlimited.
    #[must_use]
    pub fn level(&self, model: ModelIndex, dimension: Dimension) -> Option<i64> {
        self.ledger.level(model, dimension)
    }

    /// Calls to a model whose answers were not complete by then.
    #[must_use]
    pub fn outstanding(&self, model: ModelIndex) -> u64 {
        self.ledger.outstanding(model)
    }
}

/// The throttle that a lack of this dimension is answered with.
const fn throttle(dimension: Dimension) -> Failure {
    match dimension {
        Dimension::Rpm => Failure::ThrottledRequests,
        Dimension::Tpm | Dimension::InputTpm | Dimension::OutputTpm => Failure::ThrottledTokens,
        Dimension::Tpd => Failure::ThrottledTokensPerDay,
    }
}

/// Whether a call that is refused so has been let in before. Throttles have not, nor has what is
/// rejected for itself: AWS counts neither as an invocation (user guide, monitoring-runtime-metrics).
const fn takes_quota(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::ModelNotReady
            | Failure::Unavailable
            | Failure::InternalServer
            | Failure::ModelTimeout
            | Failure::ModelError
            | Failure::ModelStreamError
    )
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
            meters: MeterSettings::default(),
            adjustment: Adjustment::AtEnd,
            network: None,
            faults: Vec::new(),
        };
        let counting = Counting::documented(burndown);
        Service::new(&settings, &[ServedModel { quota, counting }], Seed(1))
    }

    fn call(request: u64, input: u64, max_tokens: u64, output: u64) -> Call {
        Call {
            request,
            attempt: 1,
            model: ModelIndex(0),
            streams: false,
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
            Reply::Answered(Course {
                arrived: Instant::from_secs(1),
                first_token: Instant::from_millis(1500),
                complete: Instant::from_millis(3500),
                usage: TokenUsage {
                    input: Tokens(10),
                    output: Tokens(200),
                    ..TokenUsage::default()
                },
                stop: StopReason::EndTurn,
                stall: Duration::ZERO,
                flaw: None,
                streams: false,
            })
        );
    }

    #[test]
    fn max_tokens_cuts_an_answer_off() {
        let mut service = service(Quota::default(), 1);
        let reply = service.call(Instant::ZERO, &call(0, 10, 50, 200));
        assert!(matches!(
            reply,
            Reply::Answered(Course { usage, stop: StopReason::MaxTokens, .. })
                if usage.output == Tokens(50)
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
                ..Quota::default()
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
        assert_eq!(service.outstanding(ModelIndex(0)), 1);
    }
}
