//! Bedrock's HTTP bodies and headers: bytes on one side, values on the other.
//!
//! Promises: every function is pure; no bytes, however broken, make one panic; what the client side
//! writes the server side reads, and the other way round. Both sides are here so that the stub and
//! the driver cannot drift apart, and each format is checked against its documentation (AWS, Amazon
//! Bedrock user guide, "Inference request parameters and response fields for foundation models").
//!
//! | who | asks for |
//! |---|---|
//! | client | [`request_body`], [`parse_response`], [`parse_usage`], [`stream::parse_chunk`], [`headers`], [`error::classify`] |
//! | server (the stub) | [`parse_request`], [`response_body`], [`converse`], [`count_tokens`], [`stream`], [`headers`], [`error::for_failure`] |
//!
//! Deliberately not: transport, signatures, the frames of event streams, or the client's side of `Converse`, which
//! the AWS SDK has. Images, tools and conversations are read as far as their text, never written.

pub mod converse;
pub mod count_tokens;
pub mod error;
pub mod headers;
pub mod stream;

mod chat;
mod claude;
mod command;
mod command_r;
mod deepseek;
mod jurassic;
mod llama;
mod mistral;
mod nova;
mod schema;
mod stop_words;
#[cfg(test)]
mod tests;
mod titan;

use std::borrow::Cow;

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use thiserror::Error;

use crate::catalogue::Family;
use crate::outcome::StopReason;
use crate::units::TokenUsage;

pub use headers::usage_from_headers;

/// One question to a model, before it has the shape that the model's family wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prompt<'a> {
    /// What the user says.
    pub text: &'a str,
    /// What the operator says first. Families without a place for it get it in front of the text.
    pub system: Option<&'a str>,
    /// The most output tokens to generate. Left out where none, so that the model's own default
    /// holds; Claude alone has none and gets [`CLAUDE_MAX_TOKENS`].
    pub max_tokens: Option<u64>,
    /// Randomness, from 0; the upper end depends on the family. Must be finite.
    pub temperature: Option<f32>,
    /// The share of likely candidates to choose from, 0 to 1. Must be finite.
    pub top_p: Option<f32>,
    /// Where generation stops early. Llama has no such parameter and is sent none.
    pub stop: &'a [String],
}

/// What Claude is asked for where the caller names no `max_tokens`, which its body requires.
pub const CLAUDE_MAX_TOKENS: u64 = 4_096;

/// A model's answer, out of its family's response body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The generated text; several blocks are joined without anything between them.
    pub text: String,
    /// Token counts, where the body has them. Command, Command R, Jurassic, Mistral and DeepSeek
    /// bodies never do: take [`usage_from_headers`] there.
    pub usage: Option<TokenUsage>,
    /// Why generation stopped.
    pub stop: StopReason,
}

/// What the stub needs to know about a request: its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// Characters (Unicode scalar values) of all prompt text as received: system prompt, earlier
    /// turns and instruct template included, images and tools not.
    pub text_chars: u64,
    /// The most output tokens that the request allows; none where it leaves that to the model.
    pub max_tokens: Option<u64>,
}

/// What the stub answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated<'a> {
    /// The generated text.
    pub text: &'a str,
    /// Token counts. A family whose body has no place for a count leaves it out.
    pub usage: TokenUsage,
    /// Why generation stopped.
    pub stop: StopReason,
    /// The model's name, for families that repeat it.
    pub model: &'a str,
    /// The answer's id, for families that give one.
    pub id: &'a str,
}

/// A response body that is not what the family's documentation describes.
#[derive(Debug, Error)]
#[error("cannot read the {family:?} response: {reason}")]
pub struct WireError {
    /// The family whose body was expected.
    pub family: Family,
    reason: serde_json::Error,
}

/// The `InvokeModel` body that asks a model of this family.
#[must_use]
pub fn request_body(family: Family, prompt: &Prompt<'_>) -> Vec<u8> {
    match family {
        Family::Claude => claude::request(prompt),
        Family::Llama => llama::request(prompt),
        Family::Titan => titan::request(prompt),
        Family::Nova => nova::request(prompt),
        Family::Command => command::request(prompt),
        Family::CommandR => command_r::request(prompt),
        Family::Jamba => chat::JAMBA.request(prompt),
        Family::Jurassic => jurassic::request(prompt),
        Family::Mistral => mistral::request(prompt),
        Family::MistralChat => chat::MISTRAL.request(prompt),
        Family::DeepSeek => deepseek::request(prompt),
        Family::OpenAi => chat::OPENAI.request(prompt),
    }
}

/// Reads an `InvokeModel` answer of this family.
///
/// # Errors
/// Where the body is not JSON, or lacks the generated text. Missing counts are no error.
pub fn parse_response(family: Family, body: &[u8]) -> Result<Reply, WireError> {
    let Parsed { text, usage, stop } = parse::<String>(family, body)?;
    let text = text
        .into_iter()
        .reduce(|whole, part| whole + &part)
        .unwrap_or_default();
    Ok(Reply { text, usage, stop })
}

/// Reads an answer's counts and stop reason and passes over its text without keeping it.
///
/// # Errors
/// As [`parse_response`], except that the text may be of any type.
pub fn parse_usage(
    family: Family,
    body: &[u8],
) -> Result<(Option<TokenUsage>, StopReason), WireError> {
    let Parsed { usage, stop, .. } = parse::<IgnoredAny>(family, body)?;
    Ok((usage, stop))
}

/// Reads an `InvokeModel` request of this family.
///
/// # Errors
/// Where the body does not fit the family's schema: Bedrock's own `ValidationException` message,
/// which names each key that is missing, extraneous or of the wrong type.
pub fn parse_request(family: Family, body: &[u8]) -> Result<Incoming, String> {
    let schema = match family {
        Family::Claude => &claude::REQUEST,
        Family::Llama => &llama::REQUEST,
        Family::Titan => &titan::REQUEST,
        Family::Nova => &nova::REQUEST,
        Family::Command => &command::REQUEST,
        Family::CommandR => &command_r::REQUEST,
        Family::Jamba => &chat::JAMBA.schema,
        Family::Jurassic => &jurassic::REQUEST,
        Family::Mistral => &mistral::REQUEST,
        Family::MistralChat => &chat::MISTRAL.schema,
        Family::DeepSeek => &deepseek::REQUEST,
        Family::OpenAi => &chat::OPENAI.schema,
    };
    schema::check(schema, body)
}

/// The `InvokeModel` body with which a model of this family answers.
#[must_use]
pub fn response_body(family: Family, generated: &Generated<'_>) -> Vec<u8> {
    let body = match family {
        Family::Claude => claude::response(generated),
        Family::Llama => llama::response(generated),
        Family::Titan => titan::response(generated),
        Family::Nova => nova::response(generated),
        Family::Command => command::response(generated),
        Family::CommandR => command_r::response(generated),
        Family::Jamba => chat::JAMBA.response(generated),
        Family::Jurassic => jurassic::response(generated),
        Family::Mistral => mistral::response(generated),
        Family::MistralChat => chat::MISTRAL.response(generated),
        Family::DeepSeek => deepseek::response(generated),
        Family::OpenAi => chat::OPENAI.response(generated),
    };
    to_bytes(&body)
}

/// What a family's reader finds. `T` is `String`, or `IgnoredAny` where nobody wants the text: the
/// parser then skips it without unescaping or copying it.
struct Parsed<T> {
    text: Vec<T>,
    usage: Option<TokenUsage>,
    stop: StopReason,
}

fn parse<T: DeserializeOwned>(family: Family, body: &[u8]) -> Result<Parsed<T>, WireError> {
    let parsed = match family {
        Family::Claude => claude::parse(body),
        Family::Llama => llama::parse(body),
        Family::Titan => titan::parse(body),
        Family::Nova => nova::parse(body),
        Family::Command => command::parse(body),
        Family::CommandR => command_r::parse(body),
        Family::Jurassic => jurassic::parse(body),
        Family::Mistral => mistral::parse(body),
        Family::DeepSeek => deepseek::parse(body),
        Family::Jamba | Family::MistralChat | Family::OpenAi => chat::parse(body),
    };
    parsed.map_err(|reason| WireError { family, reason })
}

impl<'a> Prompt<'a> {
    /// The system prompt, a blank line and the text, for families that take one string.
    fn joined(&self) -> Cow<'a, str> {
        match self.system {
            Some(system) => Cow::Owned(format!("{system}\n\n{}", self.text)),
            None => Cow::Borrowed(self.text),
        }
    }
}

fn to_bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("bodies are made of strings, numbers and string-keyed objects")
}

/// The first of a list of completions; bodies ask for one, so there is no second.
fn first<T>(completions: Vec<T>, key: &str) -> serde_json::Result<T> {
    let none = || serde_json::Error::custom(format_args!("`{key}` is empty"));
    completions.into_iter().next().ok_or_else(none)
}
