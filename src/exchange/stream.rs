//! One call whose answer comes piece by piece.
//!
//! Promises: an answer is complete only when the service has said so: `messageStop` and `metadata`
//! of `ConverseStream`, or the invocation metrics of `InvokeModelWithResponseStream`. The SDK takes a
//! stream that ends cleanly before that for a whole one; here it is [`Failure::Interrupted`]. What
//! had come of an answer that broke off is counted as used.
//!
//! Deliberately not: a clock. Whoever listens notes when a piece came.

use std::error::Error;
use std::time::Duration;

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::operation::RequestId;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::primitives::event_stream::EventReceiver;
use aws_sdk_bedrockruntime::types::error::{ConverseStreamOutputError, ResponseStreamError};
use aws_sdk_bedrockruntime::types::{ConverseStreamOutput, ResponseStream, SystemContentBlock};
use aws_smithy_types::event_stream::RawMessage;

use super::{
    CallHeader, Endpoint, ExchangeError, client_fault, failure, inference, of_converse, stop_of,
    user_message,
};
use crate::catalogue::Family;
use crate::outcome::{Answer, AttemptFailure, Failure, StopReason};
use crate::text::estimate_tokens;
use crate::units::{TokenUsage, Tokens};
use crate::wire::stream::parse_chunk;
use crate::wire::{self, WireError};

/// An answer that is being streamed.
#[derive(Debug)]
pub struct Streamed {
    events: Events,
    heard: Heard,
    request_id: Option<String>,
}

#[derive(Debug)]
enum Events {
    Converse(EventReceiver<ConverseStreamOutput, ConverseStreamOutputError>),
    Native(Family, EventReceiver<ResponseStream, ResponseStreamError>),
}

/// What has been heard of an answer so far.
#[derive(Debug)]
struct Heard {
    /// As the caller expects it, until the service says.
    input: Tokens,
    /// As far as the family counts along.
    output: Tokens,
    characters: u64,
    stop: Option<StopReason>,
    /// The service's own counts, which come last.
    usage: Option<TokenUsage>,
    latency: Option<Duration>,
}

/// Asks `endpoint`, once, for an answer that comes piece by piece. `input` is what the prompt is
/// expected to have in tokens. Only a stub may be told who the call is (`header`).
///
/// # Errors
/// Whatever keeps the answer from beginning, with its class.
pub async fn open(
    client: &Client,
    endpoint: &Endpoint,
    prompt: &wire::Prompt<'_>,
    input: Tokens,
    header: Option<CallHeader>,
) -> Result<Streamed, ExchangeError> {
    let (events, request_id) = if endpoint.api.is_native() {
        open_native(client, endpoint, prompt, header).await?
    } else {
        open_converse(client, endpoint, prompt, header).await?
    };
    Ok(Streamed {
        events,
        heard: Heard {
            input,
            output: Tokens::ZERO,
            characters: 0,
            stop: None,
            usage: None,
            latency: None,
        },
        request_id,
    })
}

async fn open_converse(
    client: &Client,
    endpoint: &Endpoint,
    prompt: &wire::Prompt<'_>,
    header: Option<CallHeader>,
) -> Result<(Events, Option<String>), ExchangeError> {
    let message = user_message(prompt).map_err(|error| client_fault(&error))?;
    let mut call = client
        .converse_stream()
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
    Ok((Events::Converse(answer.stream), request_id))
}

async fn open_native(
    client: &Client,
    endpoint: &Endpoint,
    prompt: &wire::Prompt<'_>,
    header: Option<CallHeader>,
) -> Result<(Events, Option<String>), ExchangeError> {
    let call = client
        .invoke_model_with_response_stream()
        .model_id(&endpoint.model_id)
        .content_type("application/json")
        .accept("application/json")
        .body(Blob::new(wire::request_body(endpoint.family, prompt)));
    let answer = match header {
        Some(header) => call.customize().interceptor(header).send().await,
        None => call.send().await,
    };
    let answer = answer.map_err(failure)?;
    let request_id = answer.request_id().map(str::to_owned);
    Ok((Events::Native(endpoint.family, answer.body), request_id))
}

impl Streamed {
    /// The next piece of text; none when the answer is complete.
    ///
    /// # Errors
    /// Whatever broke the answer off, with the tokens that had come until then.
    pub async fn next(&mut self) -> Result<Option<String>, ExchangeError> {
        loop {
            let heard = &mut self.heard;
            let text = match &mut self.events {
                Events::Converse(events) => match events.recv().await {
                    Ok(Some(event)) => heard.converse(event),
                    Ok(None) => return self.end(),
                    Err(error) => return Err(self.broken(broken_off(&error))),
                },
                Events::Native(family, events) => match events.recv().await {
                    Ok(Some(event)) => match heard.native(*family, event) {
                        Ok(text) => text,
                        Err(error) => return Err(self.broken(unreadable(&error))),
                    },
                    Ok(None) => return self.end(),
                    Err(error) => return Err(self.broken(broken_off(&error))),
                },
            };
            if !text.is_empty() {
                heard.characters += text.chars().count() as u64;
                return Ok(Some(text));
            }
        }
    }

    /// The counts of an answer that is complete; none of one that is not.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        Some(Answer {
            usage: self.heard.usage?,
            stop: self.heard.stop?,
            service_latency: self.heard.latency,
        })
    }

    /// The tokens so far: the service's count, or else what the text that has come is estimated at.
    #[must_use]
    pub fn usage(&self) -> TokenUsage {
        let heard = &self.heard;
        heard.usage.unwrap_or_else(|| TokenUsage {
            input: heard.input,
            output: heard.output.max(estimate_tokens(heard.characters)),
            ..TokenUsage::default()
        })
    }

    /// The service's id of the request, where it gave one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    fn end(&self) -> Result<Option<String>, ExchangeError> {
        if self.answer().is_some() {
            return Ok(None);
        }
        let words = "the stream ended before the message did";
        Err(self.broken(AttemptFailure {
            class: Failure::Interrupted,
            message: Some(words.into()),
            usage: TokenUsage::default(),
        }))
    }

    fn broken(&self, failure: AttemptFailure) -> ExchangeError {
        ExchangeError {
            failure: AttemptFailure {
                usage: self.usage(),
                ..failure
            },
            request_id: self.request_id.clone(),
        }
    }
}

impl Heard {
    /// The text that an event adds.
    fn converse(&mut self, event: ConverseStreamOutput) -> String {
        match event {
            ConverseStreamOutput::ContentBlockDelta(event) => {
                if let Some(aws_sdk_bedrockruntime::types::ContentBlockDelta::Text(text)) =
                    event.delta
                {
                    return text;
                }
            }
            ConverseStreamOutput::MessageStop(event) => {
                self.stop = Some(stop_of(event.stop_reason()));
            }
            ConverseStreamOutput::Metadata(event) => {
                self.usage = event.usage().map(of_converse);
                self.latency = event
                    .metrics()
                    .and_then(|metrics| u64::try_from(metrics.latency_ms()).ok())
                    .map(Duration::from_millis);
            }
            _ => {}
        }
        String::new()
    }

    /// The text that a chunk adds.
    fn native(&mut self, family: Family, event: ResponseStream) -> Result<String, WireError> {
        let ResponseStream::Chunk(part) = event else {
            return Ok(String::new());
        };
        let Some(bytes) = part.bytes() else {
            return Ok(String::new());
        };
        let chunk = parse_chunk(family, bytes.as_ref())?;
        self.input = chunk.input.unwrap_or(self.input);
        self.output = chunk.output.unwrap_or(self.output);
        self.stop = chunk.stop.or(self.stop);
        if let Some(metrics) = chunk.metrics {
            self.usage = Some(metrics.usage);
            self.latency = Some(metrics.latency);
            // Families add reasons to stop without notice.
            self.stop.get_or_insert(StopReason::Other);
        }
        Ok(chunk.text)
    }
}

fn unreadable(error: &WireError) -> AttemptFailure {
    AttemptFailure {
        class: Failure::Unreadable,
        message: Some(error.to_string().into()),
        usage: TokenUsage::default(),
    }
}

/// Why a stream that had begun went no further. Exceptions in frames come without the code that
/// exceptions of whole answers have; their name stands in the frame's header.
fn broken_off<E>(error: &SdkError<E, RawMessage>) -> AttemptFailure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let class = match error {
        SdkError::ServiceError(service) => wire::error::classify(
            exception_type(service.raw()).as_deref(),
            200,
            service.err().message().unwrap_or_default(),
        ),
        SdkError::TimeoutError(_) => Failure::Timeout,
        SdkError::DispatchFailure(_) => Failure::Interrupted,
        _ => Failure::Unreadable,
    };
    let message = match error {
        SdkError::ServiceError(service) => service.err().message().map(Into::into),
        _ => Some(format!("{}", DisplayErrorContext(error)).into()),
    };
    AttemptFailure {
        class,
        message,
        usage: TokenUsage::default(),
    }
}

fn exception_type(raw: &RawMessage) -> Option<String> {
    let RawMessage::Decoded(message) = raw else {
        return None;
    };
    let mut headers = message.headers().iter();
    let header = headers.find(|header| header.name().as_str() == ":exception-type")?;
    header
        .value()
        .as_string()
        .ok()
        .map(|name| name.as_str().to_owned())
}
