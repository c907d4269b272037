//! A client for one model.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_bedrockruntime::Client;
use tokio::time::timeout;

use super::Invoke;
use super::answer::Answer;
use super::error::{BuildError, InvokeError};
use super::limiter::{Denied, SharedLimiter, SharedPermit};
use super::prompt::Prompt;
use super::retry::{Retries, RetryBudget, Taken};
use super::stream::AnswerStream;
use crate::catalogue::{self, Model};
use crate::clock::Clock;
use crate::exchange::stream::{Streamed, open};
use crate::exchange::{Endpoint, ExchangeError, Exchanged, Text, exchange, sdk_client};
use crate::limiter::End;
use crate::outcome::{AttemptFailure, Failure};
use crate::quota::Counting;
use crate::retry::RetryPolicy;
use crate::rng::Seed;
use crate::scenario::Api;
use crate::time::Instant;
use crate::units::Tokens;

/// Calls one model. Cheap to clone; clones share connections and the retry budget.
#[derive(Clone, Debug)]
pub struct BedrockClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    endpoint: Endpoint,
    model: Model,
    request_timeout: Duration,
    retries: Retries,
    max_tokens_may_be_unset: bool,
    clock: Clock,
}

/// What an attempt that succeeded has got, and what it took.
#[derive(Debug)]
pub(super) struct Begun<T> {
    pub got: T,
    pub permit: Option<SharedPermit>,
    pub sent: Instant,
    pub attempts: u32,
    pub quota_wait: Duration,
}

/// What a [`BedrockClient`] is told before it begins.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct BedrockClientBuilder {
    model_id: String,
    api: Api,
    model: Option<Model>,
    request_timeout: Duration,
    retry: RetryPolicy,
    budget: RetryBudget,
    max_tokens_may_be_unset: bool,
}

impl BedrockClient {
    /// A client for the model with this id: a foundation model's, an inference profile's, or the ARN
    /// of either. Unless told otherwise it calls `InvokeModel`, waits up to 60 s for an answer, and
    /// tries up to three times what may pass.
    pub fn builder(model_id: impl Into<String>) -> BedrockClientBuilder {
        BedrockClientBuilder {
            model_id: model_id.into(),
            api: Api::InvokeModel,
            model: None,
            request_timeout: Duration::from_secs(60),
            retry: RetryPolicy {
                max_attempts: 3,
                ..RetryPolicy::default()
            },
            budget: RetryBudget::default(),
            max_tokens_may_be_unset: false,
        }
    }

    /// Asks the model.
    ///
    /// # Errors
    /// See [`InvokeError`].
    pub async fn invoke(&self, prompt: &Prompt) -> Result<Answer, InvokeError> {
        self.invoke_behind(None, prompt).await
    }

    /// Asks the model for an answer that comes piece by piece. What may pass is tried again until the
    /// answer has begun; never after that.
    ///
    /// # Errors
    /// See [`InvokeError`].
    pub async fn stream(&self, prompt: &Prompt) -> Result<AnswerStream, InvokeError> {
        self.stream_behind(None, prompt).await
    }

    /// What is known about the model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.shared.model
    }

    /// How many retries its requests have made.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.shared.retries.count()
    }

    /// How the service counts the model's tokens, as AWS documents it.
    pub(super) fn counting(&self) -> Counting {
        Counting::documented(self.shared.model.burndown)
    }

    /// Asks the model, each attempt with a permit of its own.
    pub(super) async fn invoke_behind(
        &self,
        limiter: Option<&SharedLimiter>,
        prompt: &Prompt,
    ) -> Result<Answer, InvokeError> {
        let begun = self.attempt(limiter, prompt, || self.ask(prompt)).await?;
        let latency = self.shared.clock.now() - begun.sent;
        let Exchanged {
            text,
            answer,
            request_id,
        } = begun.got;
        if let Some(permit) = begun.permit {
            permit.end(End::Answered(answer.usage));
        }
        Ok(Answer {
            text,
            usage: answer.usage,
            stop: answer.stop,
            service_latency: answer.service_latency,
            latency,
            first_token: None,
            attempts: begun.attempts,
            quota_wait: begun.quota_wait,
            request_id,
        })
    }

    /// Has the model begin to answer, each attempt with a permit of its own.
    pub(super) async fn stream_behind(
        &self,
        limiter: Option<&SharedLimiter>,
        prompt: &Prompt,
    ) -> Result<AnswerStream, InvokeError> {
        let begun = self.attempt(limiter, prompt, || self.open(prompt)).await?;
        let deadline = begun.sent + self.shared.request_timeout;
        Ok(AnswerStream::new(begun, self.shared.clock, deadline))
    }

    /// Tries until it gets what `ask` is for, or there is no use in trying.
    async fn attempt<T, F: Future<Output = Result<T, ExchangeError>>>(
        &self,
        limiter: Option<&SharedLimiter>,
        prompt: &Prompt,
        ask: impl Fn() -> F,
    ) -> Result<Begun<T>, InvokeError> {
        let shared = &*self.shared;
        if !prompt.has_max_tokens() && !shared.max_tokens_may_be_unset {
            return Err(InvokeError::MaxTokensUnset(self.default_max_tokens()));
        }
        let mut attempts = 0;
        let mut quota_wait = Duration::ZERO;
        let mut taken = Taken::default();
        loop {
            let permit = match limiter {
                Some(limiter) => {
                    let asked = shared.clock.now();
                    let permit = limiter.acquire(prompt.ask(self.default_max_tokens())).await;
                    quota_wait += shared.clock.now() - asked;
                    Some(permit.map_err(InvokeError::from)?)
                }
                None => None,
            };
            attempts += 1;
            let sent = shared.clock.now();
            let result = match timeout(shared.request_timeout, ask()).await {
                Ok(result) => result,
                Err(_elapsed) => Err(AttemptFailure::from(Failure::Timeout).into()),
            };
            match result {
                Ok(got) => {
                    shared.retries.answered(taken);
                    return Ok(Begun {
                        got,
                        permit,
                        sent,
                        attempts,
                        quota_wait,
                    });
                }
                Err(error) => {
                    let class = error.failure.class;
                    if let Some(permit) = permit {
                        permit.end(End::of_attempt(Some(class), error.failure.usage));
                    }
                    match shared.retries.next(attempts, class, &mut taken) {
                        Some(delay) => pause(delay).await,
                        None => return Err(InvokeError::of(error, attempts, quota_wait)),
                    }
                }
            }
        }
    }

    async fn ask(&self, prompt: &Prompt) -> Result<Exchanged, ExchangeError> {
        let Shared {
            client, endpoint, ..
        } = &*self.shared;
        exchange(client, endpoint, &prompt.on_the_wire(), Text::Keep, None).await
    }

    async fn open(&self, prompt: &Prompt) -> Result<Streamed, ExchangeError> {
        let Shared {
            client, endpoint, ..
        } = &*self.shared;
        let input = prompt.ask(self.default_max_tokens()).demand.input;
        open(client, endpoint, &prompt.on_the_wire(), input, None).await
    }

    /// What the service takes for `max_tokens` where a prompt has none.
    fn default_max_tokens(&self) -> Tokens {
        let Shared {
            model, endpoint, ..
        } = &*self.shared;
        let default = endpoint.api.default_max_tokens(model.family);
        default.unwrap_or(model.max_output)
    }
}

impl Invoke for BedrockClient {
    async fn invoke(&self, prompt: &Prompt) -> Result<Answer, InvokeError> {
        Self::invoke(self, prompt).await
    }

    fn identity(&self) -> String {
        let Endpoint { model_id, api, .. } = &self.shared.endpoint;
        format!("{}/{model_id}", api.name())
    }
}

impl BedrockClientBuilder {
    /// Which operation is called; `Converse` and `ConverseStream` are one choice here, and so are the
    /// two that invoke the model in its own format.
    pub const fn api(mut self, api: Api) -> Self {
        self.api = api;
        self
    }

    /// The model's facts, where the catalogue does not know them or they have changed.
    pub fn model(mut self, model: Model) -> Self {
        self.model = Some(model);
        self
    }

    /// The longest wait for one answer, for each attempt.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// When failed attempts are followed by others.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How many retries all requests together may make.
    pub const fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Accepts prompts without `max_tokens`, which reserve the model's maximum: tens of thousands of
    /// tokens for most.
    pub const fn allow_unset_max_tokens(mut self) -> Self {
        self.max_tokens_may_be_unset = true;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// If nobody knows the model, or the configuration has no Region.
    pub fn build(self, config: &SdkConfig) -> Result<BedrockClient, BuildError> {
        if config.region().is_none() {
            return Err(BuildError::NoRegion);
        }
        self.build_with(sdk_client(config))
    }

    /// The client, with an SDK client of your own. Its retries should be off: they would multiply
    /// these, and quota would not be asked for them.
    ///
    /// # Errors
    /// If nobody knows the model.
    pub fn build_with(self, client: Client) -> Result<BedrockClient, BuildError> {
        let known = self.model.or_else(|| catalogue::find(&self.model_id));
        let model = known.ok_or_else(|| BuildError::UnknownModel {
            closest: catalogue::closest(&self.model_id).map(str::to_owned),
            id: self.model_id.clone(),
        })?;
        Ok(BedrockClient {
            shared: Arc::new(Shared {
                client,
                endpoint: Endpoint {
                    model_id: self.model_id,
                    api: self.api,
                    family: model.family,
                },
                model,
                request_timeout: self.request_timeout,
                retries: Retries::new(self.retry, self.budget, chance()),
                max_tokens_may_be_unset: self.max_tokens_may_be_unset,
                clock: Clock::start(),
            }),
        })
    }
}

impl From<Denied> for InvokeError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Exceeded(exceeded) => Self::QuotaExceeded(exceeded),
            Denied::NeverFits(misfit) => Self::NeverFits(misfit),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "nobody measures how long a back-off was to the microsecond"
)]
async fn pause(delay: Duration) {
    tokio::time::sleep(delay).await;
}

/// A seed that no other client has, so that clients which fail together do not retry together.
fn chance() -> Seed {
    Seed(RandomState::new().build_hasher().finish())
}
