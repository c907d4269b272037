//! What the stub answers to an HTTP request, without HTTP: path, header and body in; status, headers
//! and body out, and when.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;

use super::play::{LARGE, Play};
use super::state::{Counted, ModelState, State};
use crate::catalogue::{self, Family};
use crate::clock::Clock;
use crate::distribution::{Distribution, Sampler};
use crate::drive;
use crate::exchange::CallHeader;
use crate::outcome::{AttemptId, Failure, ModelIndex};
use crate::quota::Quota;
use crate::rng::Stream;
use crate::scenario::{Api, Scenario};
use crate::service::fault::Flaw;
use crate::service::{Call, Course, Reply, Service};
use crate::text::{estimate_tokens, made_up};
use crate::time::Instant;
use crate::units::Tokens;
use crate::wire::error::{self, ServiceError};
use crate::wire::{self, Generated, Incoming, converse, count_tokens, headers, stream};

/// The content type of every answer that comes whole.
pub const JSON: &str = "application/json";

/// The content type of every answer that is streamed.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// What somebody between the caller and Bedrock might answer.
const SOMEBODY_ELSES: &str = "<html><body><h1>502 Bad Gateway</h1></body></html>";

/// The tokens of an answer to somebody who did not say how long it should be, from a model that no
/// prompt of the scenario uses.
const DEFAULT_OUTPUT: Tokens = Tokens(200);

/// Numbers of calls from others than our own driver begin here.
const FOREIGN_REQUESTS: u64 = 1 << 48;

/// An answer and when it is due.
#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
    /// When its head is due.
    pub at: Instant,
    pub ends: Ends,
}

/// The bytes of an answer.
#[derive(Debug)]
pub enum Body {
    Whole(Bytes),
    Streamed(Box<Play>),
}

/// How the connection fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It goes on.
    Well,
    /// It is reset before the head.
    ResetBeforeHead,
    /// It is reset after the head.
    ResetAfterHead,
    /// It is reset where the body is as it is here, or half of one that comes whole.
    ResetMidBody,
    /// It is closed in the middle of a chunk.
    TruncatedChunk,
}

/// Answers to the models of a scenario. See the module's documentation.
#[derive(Debug)]
pub struct Answers {
    clock: Clock,
    scenario: Scenario,
    models: Vec<Served>,
    books: Mutex<Books>,
}

/// What changes from call to call.
#[derive(Debug)]
struct Books {
    service: Service,
    /// When the service began.
    epoch: Instant,
    /// How many calls have come from others than our own driver.
    foreign: u64,
    counted: Vec<Counted>,
    /// Requests that have reached no model.
    refused: Counted,
}

#[derive(Clone, Debug)]
struct Served {
    index: ModelIndex,
    /// The id in the scenario.
    id: String,
    /// The id of the model itself, without profile and ARN.
    base: String,
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
        let default = api.default_max_tokens(self.family);
        incoming
            .max_tokens
            .map_or(default.unwrap_or(self.max_output), Tokens)
    }
}

impl Books {
    fn new(scenario: &Scenario, epoch: Instant) -> Self {
        Self {
            service: drive::service(scenario),
            epoch,
            foreign: 0,
            counted: vec![Counted::default(); scenario.models.len()],
            refused: Counted::default(),
        }
    }

    /// The number of the next call from somebody else.
    const fn next_foreign(&mut self) -> u64 {
        self.foreign += 1;
        FOREIGN_REQUESTS + self.foreign - 1
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
                Served {
                    index,
                    id: model.id.clone(),
                    base: model.facts.id.clone(),
                    family: model.facts.family,
                    context: model.facts.context,
                    output: output.map(Distribution::sampler),
                    max_output: model.facts.max_output,
                }
            })
            .collect();
        Self {
            clock,
            models,
            books: Mutex::new(Books::new(scenario, Instant::ZERO)),
            scenario: scenario.clone(),
        }
    }

    /// The clock by which answers are due.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// How long this attempt is under way, and its answer back.
    pub fn network(&self, id: AttemptId) -> (Duration, Duration) {
        self.books().service.network(id.request, id.attempt)
    }

    /// How long it is until `at`.
    pub fn until(&self, at: Instant) -> Duration {
        at.since(self.clock.now())
    }

    /// Begins anew, with nothing used and nothing counted.
    pub fn reset(&self) {
        let mut books = self.books();
        *books = Books::new(&self.scenario, self.clock.now());
    }

    /// What has happened so far.
    pub fn state(&self) -> State {
        let mut books = self.books();
        let now = Instant::ZERO + (self.clock.now() - books.epoch);
        books.service.advance(now);
        let models = self.scenario.models.iter().zip(&self.models);
        let models = models.map(|(model, served)| {
            let level = |quota: Quota| {
                let limited = quota.limited();
                let levels = limited.filter_map(|(dimension, _)| {
                    let level = books.service.level(served.index, dimension)?;
                    Some((dimension.name(), level))
                });
                levels.collect::<BTreeMap<_, _>>()
            };
            let state = ModelState {
                id: served.id.clone(),
                level: level(model.quota),
                outstanding: books.service.outstanding(served.index),
                outcomes: books.counted[usize::from(served.index.0)].clone(),
            };
            (model.name.clone(), state)
        });
        State {
            models: models.collect(),
            refused: books.refused.clone(),
        }
    }

    /// The answer to a request for `path`; `call` is the value of the call header, if it had one.
    pub fn answer(&self, path: &str, call: Option<&str>, body: &[u8]) -> HttpAnswer {
        match self.ask(path, call, body) {
            Ok(answer) => answer,
            Err(refusal) => {
                let class =
                    error::classify(Some(refusal.exception), refusal.status, &refusal.message);
                let mut books = self.books();
                books.refused.add(class.name());
                let number = books.next_foreign();
                drop(books);
                self.refuse(refusal, request_id(number, 0))
            }
        }
    }

    fn ask(&self, path: &str, call: Option<&str>, body: &[u8]) -> Result<HttpAnswer, ServiceError> {
        let (model_id, operation) =
            split_path(path).ok_or_else(|| as_service_error(Failure::NotFound))?;
        let served = self.served(&model_id)?;
        let incoming = match operation {
            Operation::Generate(api) if api.is_native() => wire::parse_request(served.family, body),
            Operation::Generate(_) => converse::parse_request(body),
            Operation::CountTokens => count_tokens::parse(served.family, body),
        };
        let incoming = incoming.map_err(ServiceError::validation)?;
        match operation {
            Operation::Generate(api) => self.serve(&model_id, served, api, incoming, call),
            Operation::CountTokens => Ok(self.count(incoming)),
        }
    }

    /// The model with this id: as the scenario writes it, or any other id of the same model.
    fn served(&self, model_id: &str) -> Result<&Served, ServiceError> {
        let exact = self.models.iter().find(|served| served.id == model_id);
        if let Some(served) = exact {
            return Ok(served);
        }
        let known = catalogue::find(model_id);
        let same = known.and_then(|known| {
            let served = self.models.iter().find(|served| served.base == known.id)?;
            Some((known, served))
        });
        match same {
            Some((known, _)) if known.profile_only && known.id == model_id => {
                Err(ServiceError::profile_only(model_id))
            }
            Some((_, served)) => Ok(served),
            None => {
                let words = "The provided model identifier is invalid.";
                Err(ServiceError::validation(words))
            }
        }
    }

    fn serve(
        &self,
        model_id: &str,
        served: &Served,
        api: Api,
        incoming: Incoming,
        call: Option<&str>,
    ) -> Result<HttpAnswer, ServiceError> {
        if api == Api::InvokeModelStream && !stream::streams(served.family) {
            let words = "The model is unsupported for streaming.";
            return Err(ServiceError::validation(words));
        }
        let max_tokens = served.max_tokens(api, incoming);
        if max_tokens > served.max_output {
            return Err(ServiceError::max_tokens_too_large(served.max_output));
        }
        let too_long = estimate_tokens(incoming.text_chars) > served.context;
        if call.is_none() && too_long {
            return Err(as_service_error(Failure::InputTooLong));
        }
        let (call, reply, epoch) = {
            let mut books = self.books();
            let call = self.call(&mut books, served, api, incoming, max_tokens, call);
            // Read under the lock, so that the service's time never goes back.
            let now = Instant::ZERO + (self.clock.now() - books.epoch);
            let reply = books.service.call(now, &call);
            let outcome = match reply {
                Reply::Refused { failure, .. } => failure.name(),
                Reply::Answered(course) => match course.seen_as() {
                    Some(failure) => failure.name(),
                    None => "answered",
                },
            };
            books.counted[usize::from(served.index.0)].add(outcome);
            (call, reply, books.epoch - Instant::ZERO)
        };
        let id = request_id(call.request, call.attempt);
        Ok(match reply {
            Reply::Refused { at, failure } => HttpAnswer {
                at: at + epoch,
                ..self.refuse(as_service_error(failure), id)
            },
            Reply::Answered(course) => {
                let asked = Asked {
                    model_id,
                    api,
                    family: served.family,
                    call,
                };
                let mut answer = self.generate(&asked, course.later(epoch), &id);
                answer.headers.push((headers::REQUEST_ID, id));
                answer
            }
        })
    }

    /// The input tokens of a request that is not made. It costs no quota.
    fn count(&self, incoming: Incoming) -> HttpAnswer {
        let number = self.books().next_foreign();
        HttpAnswer {
            status: 200,
            content_type: JSON,
            headers: vec![(headers::REQUEST_ID, request_id(number, 0))],
            body: Body::Whole(
                count_tokens::response_body(estimate_tokens(incoming.text_chars)).into(),
            ),
            at: self.clock.now(),
            ends: Ends::Well,
        }
    }

    /// The call as the service sees it. One that does not say who it is gets a number of its own.
    fn call(
        &self,
        books: &mut Books,
        served: &Served,
        api: Api,
        incoming: Incoming,
        max_tokens: Tokens,
        header: Option<&str>,
    ) -> Call {
        let (request, attempt, output) = match header.and_then(CallHeader::read) {
            Some((id, output)) => (id.request, id.attempt, output),
            None => {
                let number = books.next_foreign();
                let mut rng = self.scenario.seed.keyed(Stream::Mix, number, 1);
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
            streams: api.streams(),
            input: estimate_tokens(incoming.text_chars),
            max_tokens,
            output,
        }
    }

    /// An error in Bedrock's own shape, at once.
    fn refuse(&self, refusal: ServiceError, id: String) -> HttpAnswer {
        HttpAnswer {
            status: refusal.status,
            content_type: JSON,
            headers: vec![
                (headers::REQUEST_ID, id),
                (
                    headers::ERROR_TYPE,
                    error::error_type_header(refusal.exception),
                ),
            ],
            body: Body::Whole(error::error_body(&refusal.message).into()),
            at: self.clock.now(),
            ends: Ends::Well,
        }
    }

    /// The answer that takes this course.
    fn generate(&self, asked: &Asked<'_>, course: Course, id: &str) -> HttpAnswer {
        let ends = match course.flaw {
            Some(Flaw::ResetBeforeHead) => Ends::ResetBeforeHead,
            Some(Flaw::ResetAfterHead) => Ends::ResetAfterHead,
            Some(Flaw::ResetMidBody) => Ends::ResetMidBody,
            Some(Flaw::TruncatedChunk) => Ends::TruncatedChunk,
            _ => Ends::Well,
        };
        let answer = match course.flaw {
            Some(Flaw::ContentType) => HttpAnswer::whole("text/html", SOMEBODY_ELSES),
            Some(Flaw::EmptyBody) if course.streams => HttpAnswer::whole(EVENT_STREAM, ""),
            Some(Flaw::EmptyBody) => HttpAnswer::whole(JSON, ""),
            Some(Flaw::Exception(failure)) if !course.streams => {
                self.refuse(as_service_error(failure), id.to_owned())
            }
            _ if course.streams => self.streamed(asked, course),
            _ => whole(asked, course),
        };
        let at = if course.streams {
            course.first_token
        } else {
            course.end().0
        };
        HttpAnswer { at, ends, ..answer }
    }

    fn streamed(&self, asked: &Asked<'_>, course: Course) -> HttpAnswer {
        let Call {
            request, attempt, ..
        } = asked.call;
        let seed = self.scenario.seed;
        let frames = seed.keyed(Stream::Frames, request, u64::from(attempt));
        let mut answer = HttpAnswer::whole(EVENT_STREAM, "");
        if asked.api.is_native() {
            let inner = "x-amzn-bedrock-content-type";
            answer.headers.push((inner, JSON.to_owned()));
        }
        answer.body = Body::Streamed(Box::new(Play::new(
            course,
            asked.api,
            asked.family,
            asked.model_id,
            answer_id(&asked.call),
            frames,
        )));
        answer
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an answer needs to know of its question.
struct Asked<'a> {
    model_id: &'a str,
    api: Api,
    family: Family,
    call: Call,
}

impl HttpAnswer {
    /// A good answer with this body.
    fn whole(content_type: &'static str, body: &'static str) -> Self {
        Self {
            status: 200,
            content_type,
            headers: Vec::new(),
            body: Body::Whole(body.into()),
            at: Instant::ZERO,
            ends: Ends::Well,
        }
    }
}

/// An answer that comes whole, and the headers that come with it.
fn whole(asked: &Asked<'_>, course: Course) -> HttpAnswer {
    let mut text = made_up(course.usage.output);
    if course.flaw == Some(Flaw::LargeBody) {
        text.push_str(&made_up(estimate_tokens(LARGE as u64)));
    }
    let generated = Generated {
        text: &text,
        usage: course.usage,
        stop: course.stop,
        model: asked.model_id,
        id: &answer_id(&asked.call),
    };
    let latency = course.complete - course.arrived;
    let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    let (headers, mut body) = if asked.api.is_native() {
        (
            headers::for_answer(&generated.usage, latency_ms),
            wire::response_body(asked.family, &generated),
        )
    } else {
        (Vec::new(), converse::response_body(&generated, latency_ms))
    };
    match course.flaw {
        Some(Flaw::Corrupt) => body[0] ^= 0xFF,
        Some(Flaw::EarlyEnd) => body.truncate(body.len() / 2),
        _ => {}
    }
    HttpAnswer {
        headers,
        body: Body::Whole(body.into()),
        ..HttpAnswer::whole(JSON, "")
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
        ("invoke-with-response-stream", None) => Operation::Generate(Api::InvokeModelStream),
        ("converse", None) => Operation::Generate(Api::Converse),
        ("converse-stream", None) => Operation::Generate(Api::ConverseStream),
        ("count-tokens", None) => Operation::CountTokens,
        _ => return None,
    };
    Some((id, operation))
}

/// The id that families give an answer.
fn answer_id(call: &Call) -> String {
    format!("bedload-{}-{}", call.request, call.attempt)
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
