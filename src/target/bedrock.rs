//! Amazon Bedrock, or anything that speaks its protocol, through the AWS SDK for Rust.
//!
//! Promises: one call is one HTTP request. The SDK's retries are off (retries are the engine's, and
//! counted), and so is its stalled-stream protection, which cuts off long answers that come late.
//! Token counts are the service's own: from the `usage` of `Converse`, and for `InvokeModel` from
//! the `X-Amzn-Bedrock-*-Token-Count` headers, else from the body, else the call has failed
//! ([`Failure::UsageMissing`]); never a guess.
//!
//! Deliberately not: a place that stores or prints credentials. They stay in the SDK.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::StalledStreamProtectionConfig;
use aws_sdk_bedrockruntime::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, InferenceConfiguration, Message, StopReason as SdkStopReason,
    SystemContentBlock,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::timeout;

use super::Target;
use crate::catalogue::Family;
use crate::clock::Clock;
use crate::outcome::{
    Answer, AttemptFailure, AttemptId, AttemptOutcome, Dispatch, Failure, StopReason,
};
use crate::scenario::{Api, Prompt, Scenario};
use crate::text::made_up;
use crate::units::{TokenUsage, Tokens};
use crate::wire;

mod interceptor;

use self::interceptor::{CallHeader, UsageHeaders};

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls to Bedrock, prepared from a scenario. Cheap to clone; clones share one client.
#[derive(Clone, Debug)]
pub struct BedrockTarget {
    client: Client,
    calls: Arc<Calls>,
}

/// What stays the same for every call of a run.
#[derive(Debug)]
pub struct Calls {
    clock: Clock,
    request_timeout: Duration,
    models: Vec<(String, Api, Family)>,
    prompts: Vec<Prompt>,
    /// Whether calls say who they are, so that the stub can answer as the simulator would.
    identified: bool,
}

impl Calls {
    /// The calls of `scenario`. Only a stub may be told who a call is (`identified`).
    #[must_use]
    pub fn new(scenario: &Scenario, clock: Clock, identified: bool) -> Self {
        Self {
            clock,
            request_timeout: scenario.run.request_timeout,
            models: scenario
                .models
                .iter()
                .map(|model| (model.id.clone(), model.api, model.facts.family))
                .collect(),
            prompts: scenario.prompts.clone(),
            identified,
        }
    }
}

/// The account's own SDK configuration: Region, profile and credentials as the AWS CLI finds them.
pub async fn account_config(
    region: Option<String>,
    profile: Option<String>,
    endpoint_url: Option<String>,
) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint_url) = endpoint_url {
        loader = loader.endpoint_url(endpoint_url);
    }
    loader.load().await
}

/// A client for `config` as a benchmark needs it: no retries, no stalled-stream protection, and no
/// time-outs but for connecting (the target bounds each call itself).
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    let config = aws_sdk_bedrockruntime::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .build(),
        )
        .build();
    Client::from_conf(config)
}

impl BedrockTarget {
    /// Calls made with `client`.
    #[must_use]
    pub const fn new(client: Client, calls: Arc<Calls>) -> Self {
        Self { client, calls }
    }

    async fn call(self, dispatch: Dispatch) -> AttemptOutcome {
        let prompt = &self.calls.prompts[usize::from(dispatch.class.0)];
        let (id, api, family) = &self.calls.models[usize::from(dispatch.model.0)];
        let header = self.calls.identified.then(|| CallHeader::new(&dispatch));
        let sent = self.calls.clock.now();
        let answer = timeout(self.calls.request_timeout, async {
            match api {
                Api::Converse => self.converse(id, prompt, dispatch.input, header).await,
                Api::InvokeModel => {
                    self.invoke_model(id, *family, prompt, dispatch.input, header)
                        .await
                }
            }
        });
        let result = match answer.await {
            Ok(result) => result,
            Err(_elapsed) => Err(AttemptFailure::from(Failure::Timeout)),
        };
        let finished = self.calls.clock.now();
        AttemptOutcome {
            sent,
            first_token: None,
            finished,
            result,
        }
    }

    async fn converse(
        &self,
        model_id: &str,
        prompt: &Prompt,
        input: Tokens,
        header: Option<CallHeader>,
    ) -> Result<Answer, AttemptFailure> {
        let message = Message::builder()
            .role(ConversationRole::User)
            .content(ContentBlock::Text(text_of(prompt, input)))
            .build()
            .map_err(|error| client_fault(&error))?;
        let stop = (!prompt.stop.is_empty()).then(|| prompt.stop.clone());
        let inference = InferenceConfiguration::builder()
            .set_max_tokens(
                prompt
                    .max_tokens
                    .map(|tokens| i32::try_from(tokens.0).unwrap_or(i32::MAX)),
            )
            .set_temperature(prompt.temperature)
            .set_top_p(prompt.top_p)
            .set_stop_sequences(stop)
            .build();
        let mut call = self
            .client
            .converse()
            .model_id(model_id)
            .messages(message)
            .inference_config(inference);
        if let Some(system) = &prompt.system {
            call = call.system(SystemContentBlock::Text(system.clone()));
        }
        let answer = match header {
            Some(header) => call.customize().interceptor(header).send().await,
            None => call.send().await,
        };
        let answer = answer.map_err(failure)?;
        let Some(usage) = answer.usage() else {
            return Err(Failure::UsageMissing.into());
        };
        let usage = TokenUsage {
            input: tokens(usage.input_tokens()),
            output: tokens(usage.output_tokens()),
            cache_read: tokens(usage.cache_read_input_tokens().unwrap_or(0)),
            cache_write: tokens(usage.cache_write_input_tokens().unwrap_or(0)),
        };
        let stop = match answer.stop_reason() {
            SdkStopReason::EndTurn => StopReason::EndTurn,
            SdkStopReason::MaxTokens => StopReason::MaxTokens,
            SdkStopReason::StopSequence => StopReason::StopSequence,
            _ => StopReason::Other,
        };
        let service_latency = answer
            .metrics()
            .and_then(|metrics| u64::try_from(metrics.latency_ms()).ok())
            .map(Duration::from_millis);
        Ok(Answer {
            usage,
            stop,
            service_latency,
        })
    }

    async fn invoke_model(
        &self,
        model_id: &str,
        family: Family,
        prompt: &Prompt,
        input: Tokens,
        header: Option<CallHeader>,
    ) -> Result<Answer, AttemptFailure> {
        let text = text_of(prompt, input);
        let body = wire::request_body(
            family,
            &wire::Prompt {
                text: &text,
                system: prompt.system.as_deref(),
                max_tokens: prompt.max_tokens.map(|tokens| tokens.0),
                temperature: prompt.temperature,
                top_p: prompt.top_p,
                stop: &prompt.stop,
            },
        );
        let seen = Arc::new(OnceLock::new());
        let call = self
            .client
            .invoke_model()
            .model_id(model_id)
            .content_type("application/json")
            .accept("application/json")
            .body(Blob::new(body))
            .customize()
            .interceptor(UsageHeaders::new(Arc::clone(&seen), header));
        let answer = call.send().await.map_err(failure)?;
        let (usage, stop) =
            wire::parse_usage(family, answer.body().as_ref()).map_err(|error| AttemptFailure {
                class: Failure::Unreadable,
                message: Some(error.to_string().into()),
                usage: TokenUsage::default(),
            })?;
        let seen = seen.get().copied().unwrap_or_default();
        let usage = seen.usage.or(usage).ok_or(Failure::UsageMissing)?;
        Ok(Answer {
            usage,
            stop,
            service_latency: seen.latency,
        })
    }
}

impl Target for BedrockTarget {
    fn send(&self, dispatch: Dispatch) -> impl Future<Output = AttemptOutcome> + Send + 'static {
        self.clone().call(dispatch)
    }
}

/// The words of a prompt, or as many made-up ones as it should have.
fn text_of(prompt: &Prompt, input: Tokens) -> String {
    prompt.text.clone().unwrap_or_else(|| made_up(input))
}

fn tokens(count: i32) -> Tokens {
    Tokens(u64::try_from(count).unwrap_or(0))
}

fn client_fault(error: &dyn std::error::Error) -> AttemptFailure {
    AttemptFailure {
        class: Failure::Client,
        message: Some(error.to_string().into()),
        usage: TokenUsage::default(),
    }
}

/// The class of an SDK error, and the service's own words where it said any.
fn failure<E>(error: SdkError<E, HttpResponse>) -> AttemptFailure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let class = match &error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let words = service.err().message().unwrap_or_default();
            wire::error::classify(service.err().code(), status, words)
        }
        SdkError::TimeoutError(_) => Failure::Timeout,
        SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => Failure::Timeout,
        SdkError::DispatchFailure(dispatch) if dispatch.is_io() => Failure::Transport,
        SdkError::ResponseError(_) => Failure::Unreadable,
        SdkError::ConstructionFailure(_) => Failure::Client,
        // No credentials, no Region, a certificate that is not trusted: nothing was answered.
        _ => Failure::Transport,
    };
    let message = match &error {
        SdkError::ServiceError(service) => service.err().message().map(Into::into),
        _ => Some(format!("{}", DisplayErrorContext(&error)).into()),
    };
    AttemptFailure {
        class,
        message,
        usage: TokenUsage::default(),
    }
}

/// Which attempt of which request a call is, in a header that only the stub is sent.
pub(crate) fn read_call_header(value: &str) -> Option<(AttemptId, Tokens)> {
    CallHeader::read(value)
}

/// The header's name.
pub(crate) const CALL_HEADER: &str = interceptor::CALL_HEADER;
