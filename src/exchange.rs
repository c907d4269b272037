//! One call to Bedrock through the AWS SDK for Rust: what is asked goes out once, and what comes back
//! is read or given a class. The load driver and the client for applications share it.
//!
//! Promises: one exchange is one HTTP request. The SDK's retries are off (whoever calls counts its
//! own), and so is its stalled-stream protection, which cuts off long answers that come late. Token
//! counts are the service's own: from the `usage` of `Converse`, and for `InvokeModel` from the
//! `X-Amzn-Bedrock-*-Token-Count` headers, else from the body, else the call has failed
//! ([`Failure::UsageMissing`]); never a guess.
//!
//! Deliberately not: a place that stores or prints credentials. They stay in the SDK.

mod interceptor;
pub mod stream;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::StalledStreamProtectionConfig;
use aws_sdk_bedrockruntime::error::{
    BuildError, DisplayErrorContext, ProvideErrorMetadata, SdkError,
};
use aws_sdk_bedrockruntime::operation::RequestId;
use aws_sdk_bedrockruntime::operation::converse::ConverseOutput;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, InferenceConfiguration, Message, StopReason as SdkStopReason,
    SystemContentBlock, TokenUsage as SdkTokenUsage,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use self::interceptor::UsageHeaders;
pub use self::interceptor::{CALL_HEADER, CallHeader};
use crate::catalogue::Family;
use crate::outcome::{Answer, AttemptFailure, Failure, StopReason};
use crate::scenario::Api;
use crate::units::{TokenUsage, Tokens};
use crate::wire;

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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

/// An SDK client that makes exchanges as they are promised here: no retries, no stalled-stream
/// protection, and no time-outs but for connecting (whoever calls bounds each call itself).
#[must_use]
pub fn sdk_client(config: &SdkConfig) -> Client {
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

/// Whom to ask, and how.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The id that requests carry: a model, a profile or an ARN.
    pub model_id: String,
    /// The operation.
    pub api: Api,
    /// The shape of `InvokeModel` bodies.
    pub family: Family,
}

/// Whether somebody wants to read the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// Its text is returned.
    Keep,
    /// Only its length counts: the text is skipped where it can be, and comes back empty.
    Skip,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchanged {
    /// The generated text; empty if it was skipped.
    pub text: String,
    /// Its tokens, and why it ended.
    pub answer: Answer,
    /// The service's id of the request, where it gave one.
    pub request_id: Option<String>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangeError {
    /// What it is counted as, and the service's own words.
    pub failure: AttemptFailure,
    /// The service's id of the request, where it gave one.
    pub request_id: Option<String>,
}

impl From<AttemptFailure> for ExchangeError {
    fn from(failure: AttemptFailure) -> Self {
        Self {
            failure,
            request_id: None,
        }
    }
}

/// Asks `endpoint`, once, for an answer that comes whole; [`stream::open`] asks for one that comes
/// piece by piece. Only a stub may be told who the call is (`header`).
///
/// # Errors
/// Whatever keeps the answer from being used, with its class.
pub async fn exchange(
    client: &Client,
    endpoint: &Endpoint,
    prompt: &wire::Prompt<'_>,
    text: Text,
    header: Option<CallHeader>,
) -> Result<Exchanged, ExchangeError> {
    if endpoint.api.is_native() {
        invoke_model(client, endpoint, prompt, text, header).await
    } else {
        converse(client, endpoint, prompt, text, header).await
    }
}

fn user_message(prompt: &wire::Prompt<'_>) -> Result<Message, BuildError> {
    Message::builder()
        .role(ConversationRole::User)
        .content(ContentBlock::Text(prompt.text.to_owned()))
        .build()
}

async fn converse(
    client: &Client,
    endpoint: &Endpoint,
    prompt: &wire::Prompt<'_>,
    text: Text,
    header: Option<CallHeader>,
) -> Result<Exchanged, ExchangeError> {
    let message = user_message(prompt).map_err(|error| client_fault(&error))?;
    let mut call = client
        .converse()
        .model_id(&endpoint.model_id)
        .messages(message)
        .inference_config(inference(prompt));
    if let Some(system) = prompt.system {
        call = call.system(SystemContentBlock::Text(system.to_owned()));
    }
    let answer = match header {
        Some(header) => call.customize().interceptor(header).send().await,
        None => call.send().await,
    };
    let answer = answer.map_err(failure)?;
    let request_id = answer.request_id().map(str::to_owned);
    let Some(usage) = answer.usage() else {
        return Err(ExchangeError {
            failure: Failure::UsageMissing.into(),
            request_id,
        });
    };
    let usage = of_converse(usage);
    let stop = stop_of(answer.stop_reason());
    let service_latency = answer
        .metrics()
        .and_then(|metrics| u64::try_from(metrics.latency_ms()).ok())
        .map(Duration::from_millis);
    Ok(Exchanged {
        text: match text {
            Text::Keep => said(&answer),
            Text::Skip => String::new(),
        },
        answer: Answer {
            usage,
            stop,
            service_latency,
        },
        request_id,
    })
}

fn of_converse(usage: &SdkTokenUsage) -> TokenUsage {
    TokenUsage {
        input: tokens(usage.input_tokens()),
        output: tokens(usage.output_tokens()),
        cache_read: tokens(usage.cache_read_input_tokens().unwrap_or(0)),
        cache_write: tokens(usage.cache_write_input_tokens().unwrap_or(0)),
    }
}

const fn stop_of(reason: &SdkStopReason) -> StopReason {
    match reason {
        SdkStopReason::EndTurn => StopReason::EndTurn,
        SdkStopReason::MaxTokens => StopReason::MaxTokens,
        SdkStopReason::StopSequence => StopReason::StopSequence,
        _ => StopReason::Other,
    }
}

fn inference(prompt: &wire::Prompt<'_>) -> InferenceConfiguration {
    let stop = (!prompt.stop.is_empty()).then(|| prompt.stop.to_vec());
    let max_tokens = prompt.max_tokens;
    InferenceConfiguration::builder()
        .set_max_tokens(max_tokens.map(|tokens| i32::try_from(tokens).unwrap_or(i32::MAX)))
        .set_temperature(prompt.temperature)
        .set_top_p(prompt.top_p)
        .set_stop_sequences(stop)
        .build()
}

/// The text blocks of an answer, joined without anything between them.
fn said(answer: &ConverseOutput) -> String {
    let message = answer.output().and_then(|output| output.as_message().ok());
    let blocks = message.map(Message::content).unwrap_or_default();
    let texts = blocks.iter().filter_map(|block| block.as_text().ok());
    texts.map(String::as_str).collect()
}

async fn invoke_model(
    client: &Client,
    endpoint: &Endpoint,
    prompt: &wire::Prompt<'_>,
    text: Text,
    header: Option<CallHeader>,
) -> Result<Exchanged, ExchangeError> {
    let family = endpoint.family;
    let seen = Arc::new(OnceLock::new());
    let call = client
        .invoke_model()
        .model_id(&endpoint.model_id)
        .content_type("application/json")
        .accept("application/json")
        .body(Blob::new(wire::request_body(family, prompt)))
        .customize()
        .interceptor(UsageHeaders::new(Arc::clone(&seen), header));
    let answer = call.send().await.map_err(failure)?;
    let request_id = answer.request_id().map(str::to_owned);
    let body = answer.body().as_ref();
    let read = match text {
        Text::Keep => {
            wire::parse_response(family, body).map(|reply| (reply.text, reply.usage, reply.stop))
        }
        Text::Skip => {
            wire::parse_usage(family, body).map(|(usage, stop)| (String::new(), usage, stop))
        }
    };
    let failed = |failure: AttemptFailure| ExchangeError {
        failure,
        request_id: request_id.clone(),
    };
    let (text, usage, stop) = read.map_err(|error| {
        failed(AttemptFailure {
            class: Failure::Unreadable,
            message: Some(error.to_string().into()),
            usage: TokenUsage::default(),
        })
    })?;
    let seen = seen.get().copied().unwrap_or_default();
    let usage = seen.usage.or(usage);
    let usage = usage.ok_or_else(|| failed(Failure::UsageMissing.into()))?;
    Ok(Exchanged {
        text,
        answer: Answer {
            usage,
            stop,
            service_latency: seen.latency,
        },
        request_id,
    })
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

/// The error of whoever should have provided credentials, if that is what is at the bottom of it.
pub(crate) fn credentials_error<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a CredentialsError> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        at = error.source();
    }
    None
}

/// The class of an SDK error, and the service's own words where it said any.
fn failure<E>(error: SdkError<E, HttpResponse>) -> ExchangeError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let class = match &error {
        // Without credentials nothing was sent, and nothing would be another time.
        error if credentials_error(error).is_some() => Failure::AccessDenied,
        // An answer that the SDK could not read counts as an error of the service to it.
        SdkError::ServiceError(service) if service.raw().status().is_success() => {
            Failure::Unreadable
        }
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let words = service.err().message().unwrap_or_default();
            wire::error::classify(service.err().code(), status, words)
        }
        SdkError::TimeoutError(_) => Failure::Timeout,
        SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => Failure::Timeout,
        SdkError::DispatchFailure(dispatch) if dispatch.is_io() => Failure::Transport,
        // A body that did not come whole was never handed over.
        SdkError::ResponseError(response) if response.raw().body().bytes().is_none() => {
            Failure::Transport
        }
        SdkError::ResponseError(_) => Failure::Unreadable,
        SdkError::ConstructionFailure(_) => Failure::Client,
        // No Region, a certificate that is not trusted: nothing was answered.
        _ => Failure::Transport,
    };
    let message = match &error {
        SdkError::ServiceError(service) if class != Failure::Unreadable => {
            service.err().message().map(Into::into)
        }
        _ => Some(format!("{}", DisplayErrorContext(&error)).into()),
    };
    ExchangeError {
        request_id: error.raw_response().and_then(request_id),
        failure: AttemptFailure {
            class,
            message,
            usage: TokenUsage::default(),
        },
    }
}

fn request_id(response: &HttpResponse) -> Option<String> {
    response
        .headers()
        .get(crate::wire::headers::REQUEST_ID)
        .map(str::to_owned)
}
