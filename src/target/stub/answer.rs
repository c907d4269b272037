//! What the stub answers to an HTTP request, without HTTP: path, header and body in; status, headers
//! and body out, and when.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::catalogue::Family;
use crate::clock::Clock;
use crate::distribution::{Distribution, Sampler};
use crate::drive;
use crate::exchange::CallHeader;
use crate::outcome::{AttemptId, Failure, ModelIndex};
use crate::rng::{Seed, Stream};
use crate::scenario::{Api, Scenario};
use crate::service::{Call, Reply, Service};
use crate::text::{estimate_tokens, made_up};
use crate::time::Instant;
use crate::units::Tokens;
use crate::wire::error::{self, ServiceError};
use crate::wire::{self, Generated, Incoming, converse, count_tokens, headers};

/// The content type of every answer.
pub const CONTENT_TYPE: &str = "application/json";

/// The tokens of an answer to somebody who did not say how long it should be, from a model that no
/// prompt of the scenario uses.
const DEFAULT_OUTPUT: Tokens = Tokens(200);

/// Numbers of calls from others than our own driver begin here.
const FOREIGN_REQUESTS: u64 = 1 << 48;

/// An answer and when it is due.
#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub at: Instant,
}

/// Answers to the models of a scenario. See the module's documentation.
#[derive(Debug)]
pub struct Answers {
    clock: Clock,
    service: Mutex<Service>,
    models: BTreeMap<String, Served>,
    seed: Seed,
    foreign: AtomicU64,
}

#[derive(Clone, Debug)]
struct Served {
    index: ModelIndex,
    family: Family,
    context: Tokens,
    max_output: Tokens,
    /// How long its answers are to those who do not say: as those of its first prompt class.
    output: Option<Sampler>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// An answer.
    Generate(Api),
    /// How long the input of a request would be.
    CountTokens,
}

impl Served {
    /// What the request allows, or what Bedrock takes where the request does not say.
    fn max_tokens(&self, api: Api, incoming: Incoming) -> Tokens {
        let default = match api {
            Api::InvokeModel => self.family.default_max_tokens(),
            Api::Converse => None,
        };
        incoming
            .max_tokens
            .map_or(default.unwrap_or(self.max_output), Tokens)
    }
}

impl Answers {
    pub fn new(scenario: &Scenario, clock: Clock) -> Self {
        let models = (0_u16..)
            .zip(&scenario.models)
            .map(|(index, model)| {
                let index = ModelIndex(index);
                let mut prompts = scenario.prompts.iter();
                let output = prompts
                    .find(|prompt| prompt.model == index)
                    .and_then(|prompt| prompt.output.as_ref());
                let served = Served {
                    index,
                    family: model.facts.family,
                    context: model.facts.context,
                    output: output.map(Distribution::sampler),
                    max_output: model.facts.max_output,
                };
                (model.id.clone(), served)
            })
            .collect();
        Self {
            clock,
            service: Mutex::new(drive::service(scenario)),
            models,
            seed: scenario.seed,
            foreign: AtomicU64::new(FOREIGN_REQUESTS),
        }
    }

    /// The clock by which answers are due.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// How long this attempt is under way, and its answer back.
    pub fn network(&self, id: AttemptId) -> (Duration, Duration) {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        service.network(id.request, id.attempt)
    }

    /// How long it is until `at`.
    pub fn until(&self, at: Instant) -> Duration {
        at.since(self.clock.now())
    }

    /// The answer to a request for `path`; `call` is the value of the call header, if it had one.
    pub fn answer(&self, path: &str, call: Option<&str>, body: &[u8]) -> HttpAnswer {
        let Some((model_id, operation)) = split_path(path) else {
            return self.refuse(as_service_error(Failure::NotFound));
        };
        let Some(served) = self.models.get(&model_id) else {
            let words = "The provided model identifier is invalid.";
            return self.refuse(ServiceError::validation(words));
        };
        let incoming = match operation {
            Operation::Generate(Api::InvokeModel) => wire::parse_request(served.family, body),
            Operation::Generate(Api::Converse) => converse::parse_request(body),
            Operation::CountTokens => count_tokens::parse(served.family, body),
        };
        match (incoming, operation) {
            (Ok(incoming), Operation::Generate(api)) => {
                self.serve(&model_id, served, api, incoming, call)
            }
            (Ok(incoming), Operation::CountTokens) => self.count(incoming),
            (Err(words), _) => self.refuse(ServiceError::validation(words)),
        }
    }

    fn serve(
        &self,
        model_id: &str,
        served: &Served,
        api: Api,
        incoming: Incoming,
        call: Option<&str>,
    ) -> HttpAnswer {
        let max_tokens = served.max_tokens(api, incoming);
        if max_tokens > served.max_output {
            return self.refuse(ServiceError::max_tokens_too_large(served.max_output));
        }
        let too_long = estimate_tokens(incoming.text_chars) > served.context;
        if call.is_none() && too_long {
            return self.refuse(as_service_error(Failure::InputTooLong));
        }
        let call = self.call(served, incoming, max_tokens, call);
        let (arrived, reply) = {
            let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
            // Read under the lock, so that the service's time never goes back.
            let now = self.clock.now();
            (now, service.call(now, &call))
        };
        match reply {
            Reply::Refused { at, failure } => {
                let refusal = self.refuse(as_service_error(failure));
                HttpAnswer { at, ..refusal }
            }
            Reply::Answered {
                complete,
                usage,
                stop,
                ..
            } => {
                let generated = Generated {
                    text: &made_up(usage.output),
                    usage,
                    stop,
                    model: model_id,
                    id: &format!("bedload-{}-{}", call.request, call.attempt),
                };
                let latency = complete - arrived;
                let mut answer = generated_answer(api, served.family, &generated, latency);
                let id = request_id(call.request, call.attempt);
                answer.headers.push((headers::REQUEST_ID, id));
                HttpAnswer {
                    at: complete,
                    ..answer
                }
            }
        }
    }

    /// The input tokens of a request that is not made. It costs no quota.
    fn count(&self, incoming: Incoming) -> HttpAnswer {
        let number = self.foreign.fetch_add(1, Ordering::Relaxed);
        HttpAnswer {
            status: 200,
            headers: vec![(headers::REQUEST_ID, request_id(number, 0))],
            body: count_tokens::response_body(estimate_tokens(incoming.text_chars)),
            at: self.clock.now(),
        }
    }

    /// The call as the service sees it. One that does not say who it is gets a number of its own.
    fn call(
        &self,
        served: &Served,
        incoming: Incoming,
        max_tokens: Tokens,
        header: Option<&str>,
    ) -> Call {
        let (request, attempt, output) = match header.and_then(CallHeader::read) {
            Some((id, output)) => (id.request, id.attempt, output),
            None => {
                let number = self.foreign.fetch_add(1, Ordering::Relaxed);
                let mut rng = self.seed.keyed(Stream::Mix, number, 1);
                let output = served.output.as_ref();
                let length =
                    output.map_or(DEFAULT_OUTPUT, |lengths| Tokens(lengths.sample(&mut rng)));
                (number, 1, length)
            }
        };
        Call {
            request,
            attempt,
            model: served.index,
            input: estimate_tokens(incoming.text_chars),
            max_tokens,
            output,
        }
    }

    /// An error in Bedrock's own shape, at once.
    fn refuse(&self, refusal: ServiceError) -> HttpAnswer {
        let number = self.foreign.fetch_add(1, Ordering::Relaxed);
        HttpAnswer {
            status: refusal.status,
            headers: vec![
                (headers::REQUEST_ID, request_id(number, 0)),
                (
                    headers::ERROR_TYPE,
                    error::error_type_header(refusal.exception),
                ),
            ],
            body: error::error_body(&refusal.message),
            at: self.clock.now(),
        }
    }
}

/// An answer's body and the headers that come with it.
fn generated_answer(
    api: Api,
    family: Family,
    generated: &Generated<'_>,
    latency: Duration,
) -> HttpAnswer {
    let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    let (headers, body) = match api {
        Api::Converse => (Vec::new(), converse::response_body(generated, latency_ms)),
        Api::InvokeModel => (
            headers::for_answer(&generated.usage, latency_ms),
            wire::response_body(family, generated),
        ),
    };
    HttpAnswer {
        status: 200,
        headers,
        body,
        at: Instant::ZERO,
    }
}

/// A failure as the service says it, in Bedrock's own words.
fn as_service_error(failure: Failure) -> ServiceError {
    error::for_failure(failure)
        .unwrap_or_else(|| unreachable!("the service never answers {failure}"))
}

/// The model id and the operation of `/model/{id}/{operation}`; the id is decoded after the path is
/// split, since ids that are ARNs hold slashes.
fn split_path(path: &str) -> Option<(String, Operation)> {
    let mut parts = path.strip_prefix("/model/")?.split('/');
    let id = percent_decode(parts.next()?)?;
    let operation = match (parts.next()?, parts.next()) {
        ("invoke", None) => Operation::Generate(Api::InvokeModel),
        ("converse", None) => Operation::Generate(Api::Converse),
        ("count-tokens", None) => Operation::CountTokens,
        _ => return None,
    };
    Some((id, operation))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// A request id of the form that AWS uses, made of the call's number.
fn request_id(request: u64, attempt: u32) -> String {
    let low = request & 0xFFFF_FFFF_FFFF;
    format!("{attempt:08x}-bed1-4000-8000-{low:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_decoded_after_the_path_is_split() {
        let (id, operation) =
            split_path("/model/arn%3Aaws%3Abedrock%3A%3A%3Afoundation-model%2Fx/invoke")
                .expect("a path of bedrock-runtime");
        assert_eq!(
            (id.as_str(), operation),
            (
                "arn:aws:bedrock:::foundation-model/x",
                Operation::Generate(Api::InvokeModel)
            )
        );
        for path in [
            "/",
            "/model/x",
            "/model/x/invoke/y",
            "/model/%zz/invoke",
            "/models/x/invoke",
        ] {
            assert_eq!(split_path(path), None, "{path}");
        }
    }
}
