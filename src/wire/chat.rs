//! The chat shape, `messages` in and `choices` out, in the three dialects that Bedrock's families
//! speak: AI21 Jamba, Mistral AI's newer models and OpenAI (AWS documentation,
//! model-parameters-jamba, model-parameters-mistral-chat-completion and model-parameters-openai).
//!
//! Requests and written responses keep to one dialect each; one reader takes them all, since AWS's
//! Mistral page says `stop_reason` where newer models answer with OpenAI's `finish_reason`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Key, Kind, TEXTS, optional, required};
use super::stop_words::COMPLETIONS;
use super::stream::{Chunk, Part};
use super::{Generated, Parsed, Prompt, first, to_bytes};
use crate::units::{TokenUsage, Tokens};

/// Where the families differ.
pub(super) struct Dialect {
    pub(super) schema: Kind,
    limit: Limit,
    envelope: Envelope,
}

/// What the request calls the most output tokens.
enum Limit {
    MaxTokens,
    MaxCompletionTokens,
}

/// What stands around the response's choice.
enum Envelope {
    /// Nothing: no id and no usage, and the choice ends with `stop_reason`.
    Bare,
    /// Id and usage.
    Counted,
    /// Id, usage, the model's name and the type of the object. OpenAI's `created` is left out: it
    /// is a time, and there is no clock here.
    Full,
}

pub(super) static JAMBA: Dialect = Dialect {
    schema: Kind::Object(&[
        MESSAGES,
        optional("max_tokens", Kind::MaxTokens { at_least: 0 }),
        optional("temperature", Kind::Number),
        optional("top_p", Kind::Number),
        // Text or a list of texts.
        optional("stop", Kind::Any),
        optional("n", Kind::Integer),
        optional("frequency_penalty", Kind::Number),
        optional("presence_penalty", Kind::Number),
    ]),
    limit: Limit::MaxTokens,
    envelope: Envelope::Counted,
};

pub(super) static MISTRAL: Dialect = Dialect {
    schema: Kind::Object(&[
        MESSAGES,
        optional("max_tokens", Kind::MaxTokens { at_least: 1 }),
        optional("temperature", Kind::Number),
        optional("top_p", Kind::Number),
        optional("stop", TEXTS),
        optional("tools", Kind::Any),
        optional("tool_choice", Kind::Any),
    ]),
    limit: Limit::MaxTokens,
    envelope: Envelope::Bare,
};

/// OpenAI's own API has more keys than AWS lists, so others are let through.
pub(super) static OPENAI: Dialect = Dialect {
    schema: Kind::Open(&[
        MESSAGES,
        optional("max_tokens", Kind::MaxTokens { at_least: 1 }),
        optional("max_completion_tokens", Kind::MaxTokens { at_least: 1 }),
        optional("temperature", Kind::Number),
        optional("top_p", Kind::Number),
        optional("model", Kind::Text),
        optional("stream", Kind::Boolean),
    ]),
    limit: Limit::MaxCompletionTokens,
    envelope: Envelope::Full,
};

/// Tool calls and results stand beside the content.
const MESSAGES: Key = required(
    "messages",
    Kind::List(&Kind::Open(&[
        required("role", Kind::Text),
        required("content", Kind::PromptOrBlocks),
    ])),
);

#[derive(Serialize)]
struct Request<'a> {
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl Dialect {
    pub(super) fn request(&self, prompt: &Prompt<'_>) -> Vec<u8> {
        let (max_tokens, max_completion_tokens) = match self.limit {
            Limit::MaxTokens => (prompt.max_tokens, None),
            Limit::MaxCompletionTokens => (None, prompt.max_tokens),
        };
        let system = prompt.system.map(|content| Message {
            role: "system",
            content,
        });
        let user = Message {
            role: "user",
            content: prompt.text,
        };
        to_bytes(&Request {
            messages: system.into_iter().chain([user]).collect(),
            max_tokens,
            max_completion_tokens,
            temperature: prompt.temperature,
            top_p: prompt.top_p,
            stop: prompt.stop,
        })
    }

    pub(super) fn response(&self, generated: &Generated<'_>) -> Value {
        let message = json!({"role": "assistant", "content": generated.text});
        let stop = COMPLETIONS.write(generated.stop);
        let input = generated.usage.input;
        let output = generated.usage.output;
        let usage = json!({
            "prompt_tokens": input,
            "completion_tokens": output,
            "total_tokens": input + output,
        });
        match self.envelope {
            Envelope::Bare => json!({
                "choices": [{"index": 0, "message": message, "stop_reason": stop}],
            }),
            Envelope::Counted => json!({
                "id": generated.id,
                "choices": [{"index": 0, "message": message, "finish_reason": stop}],
                "usage": usage,
            }),
            Envelope::Full => json!({
                "id": generated.id,
                "object": "chat.completion",
                "model": generated.model,
                "choices": [{"index": 0, "message": message, "finish_reason": stop}],
                "usage": usage,
            }),
        }
    }

    /// What a message adds stands under `delta`, but for Mistral AI, who repeats `message`.
    pub(super) fn chunks(&self, generated: &Generated<'_>, part: Part<'_>) -> Vec<Value> {
        let (text, stop) = match part {
            Part::Begin => ("", None),
            Part::Text { text, .. } => (text, None),
            Part::End { .. } => ("", Some(COMPLETIONS.write(generated.stop))),
        };
        let message = json!({"role": "assistant", "content": text});
        vec![match self.envelope {
            Envelope::Bare => json!({
                "choices": [{"index": 0, "message": message, "stop_reason": stop}],
            }),
            Envelope::Counted => json!({
                "id": generated.id,
                "choices": [{"index": 0, "delta": message, "finish_reason": stop}],
            }),
            Envelope::Full => json!({
                "id": generated.id,
                "object": "chat.completion.chunk",
                "model": generated.model,
                "choices": [{"index": 0, "delta": message, "finish_reason": stop}],
            }),
        }]
    }
}

#[derive(Deserialize)]
struct Response<T> {
    choices: Vec<Choice<T>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice<T> {
    message: Answer<T>,
    finish_reason: Option<String>,
    stop_reason: Option<String>,
}

/// An answer that only calls tools has no content.
#[derive(Deserialize)]
struct Answer<T> {
    content: Option<T>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    let choice = first(response.choices, "choices")?;
    let word = choice.finish_reason.or(choice.stop_reason);
    Ok(Parsed {
        text: choice.message.content.into_iter().collect(),
        usage: response.usage.map(|usage| TokenUsage {
            input: Tokens(usage.prompt_tokens),
            output: Tokens(usage.completion_tokens),
            ..TokenUsage::default()
        }),
        stop: COMPLETIONS.read(word.as_deref()),
    })
}

/// Counts may come in a last chunk without a choice.
#[derive(Deserialize)]
struct StreamResponse {
    choices: Vec<Piece>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(alias = "message")]
    delta: Option<Answer<String>>,
    finish_reason: Option<String>,
    stop_reason: Option<String>,
}

pub(super) fn parse_chunk(chunk: &[u8]) -> serde_json::Result<Chunk> {
    let response: StreamResponse = serde_json::from_slice(chunk)?;
    let piece = response.choices.into_iter().next();
    let (message, word) = piece.map_or((None, None), |piece| {
        (piece.delta, piece.finish_reason.or(piece.stop_reason))
    });
    Ok(Chunk {
        text: message
            .and_then(|message| message.content)
            .unwrap_or_default(),
        stop: word.map(|word| COMPLETIONS.read(Some(&word))),
        input: response
            .usage
            .as_ref()
            .map(|usage| Tokens(usage.prompt_tokens)),
        output: response
            .usage
            .as_ref()
            .map(|usage| Tokens(usage.completion_tokens)),
        ..Chunk::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Family::{Jamba, MistralChat, OpenAi};
    use crate::outcome::StopReason;
    use crate::wire::tests::{assert_request, assert_response, full_prompt, plain_prompt};
    use crate::wire::{parse_request, parse_response};

    #[test]
    fn requests_as_documented() {
        for family in [Jamba, MistralChat] {
            assert_request(
                family,
                &full_prompt(),
                r#"{"messages": [{"role": "system", "content": "Be brief."},
                                 {"role": "user", "content": "Why?"}],
                    "max_tokens": 500, "temperature": 0.7, "top_p": 0.9, "stop": ["END"]}"#,
            );
        }
        assert_request(
            OpenAi,
            &full_prompt(),
            r#"{"messages": [{"role": "system", "content": "Be brief."},
                             {"role": "user", "content": "Why?"}],
                "max_completion_tokens": 500, "temperature": 0.7, "top_p": 0.9, "stop": ["END"]}"#,
        );
        assert_request(
            OpenAi,
            &plain_prompt(),
            r#"{"messages": [{"role": "user", "content": "Why?"}]}"#,
        );
    }

    #[test]
    fn responses_as_documented() {
        assert_response(
            Jamba,
            r#"{"id": "msg_1",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "Because."},
                             "finish_reason": "length"}],
                "usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}}"#,
        );
        assert_response(
            MistralChat,
            r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Because."},
                             "stop_reason": "length"}]}"#,
        );
        assert_response(
            OpenAi,
            r#"{"id": "msg_1", "object": "chat.completion", "model": "the-model",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "Because."},
                             "finish_reason": "length"}],
                "usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}}"#,
        );
    }

    #[test]
    fn a_call_of_a_tool_has_no_text() {
        let body =
            br#"{"choices": [{"message": {"content": null}, "finish_reason": "tool_calls"}]}"#;
        let reply = parse_response(MistralChat, body).expect("a response as documented");
        assert_eq!((reply.text.as_str(), reply.stop), ("", StopReason::Other));
    }

    #[test]
    fn bedrock_takes_openai_keys_that_its_other_families_refuse() {
        let body =
            br#"{"messages": [], "model": "openai.gpt-oss-20b-1:0", "reasoning_effort": "low"}"#;
        assert!(parse_request(OpenAi, body).is_ok());
        assert!(parse_request(MistralChat, body).is_err());
    }
}
