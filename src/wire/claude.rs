//! Anthropic Claude: the Messages API (AWS documentation, model-parameters-anthropic-claude-messages).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Kind, TEXTS, optional, required};
use super::stop_words::MESSAGES;
use super::stream::{Chunk, Part};
use super::{CLAUDE_MAX_TOKENS, Generated, Parsed, Prompt, to_bytes};
use crate::units::{TokenUsage, Tokens};

/// The one version that Bedrock knows.
const VERSION: &str = "bedrock-2023-05-31";

/// `model` and `stream`, which Anthropic's own API has, are extraneous here: the path says both.
pub(super) const REQUEST: Kind = Kind::Object(&[
    required("anthropic_version", Kind::Text),
    required("max_tokens", Kind::MaxTokens { at_least: 1 }),
    required(
        "messages",
        Kind::List(&Kind::Object(&[
            required("role", Kind::Text),
            required("content", Kind::PromptOrBlocks),
        ])),
    ),
    optional("system", Kind::PromptOrBlocks),
    optional("temperature", Kind::Number),
    optional("top_p", Kind::Number),
    optional("top_k", Kind::Integer),
    optional("stop_sequences", TEXTS),
    optional("tools", Kind::Any),
    optional("tool_choice", Kind::Any),
    optional("thinking", Kind::Any),
    optional("output_config", Kind::Any),
    optional("context_management", Kind::Any),
    optional("anthropic_beta", TEXTS),
]);

#[derive(Serialize)]
struct Request<'a> {
    anthropic_version: &'static str,
    max_tokens: u64,
    messages: [Message<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: [TextBlock<'a>; 1],
}

#[derive(Serialize)]
struct TextBlock<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

pub(super) fn request(prompt: &Prompt<'_>) -> Vec<u8> {
    to_bytes(&Request {
        anthropic_version: VERSION,
        max_tokens: prompt.max_tokens.unwrap_or(CLAUDE_MAX_TOKENS),
        messages: [Message {
            role: "user",
            content: [TextBlock {
                kind: "text",
                text: prompt.text,
            }],
        }],
        system: prompt.system,
        temperature: prompt.temperature,
        top_p: prompt.top_p,
        stop_sequences: prompt.stop,
    })
}

pub(super) fn response(generated: &Generated<'_>) -> Value {
    let usage = &generated.usage;
    json!({
        "id": generated.id,
        "type": "message",
        "role": "assistant",
        "model": generated.model,
        "content": [{"type": "text", "text": generated.text}],
        "stop_reason": MESSAGES.write(generated.stop),
        "stop_sequence": null,
        "usage": {
            "input_tokens": usage.input,
            "cache_creation_input_tokens": usage.cache_write,
            "cache_read_input_tokens": usage.cache_read,
            "output_tokens": usage.output,
        },
    })
}

#[derive(Deserialize)]
struct Response<T> {
    content: Vec<Block<T>>,
    stop_reason: Option<String>,
    usage: Option<Usage>,
}

/// Thinking and tool-use blocks have no text.
#[derive(Deserialize)]
struct Block<T> {
    text: Option<T>,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    Ok(Parsed {
        text: response
            .content
            .into_iter()
            .filter_map(|block| block.text)
            .collect(),
        usage: response.usage.map(|usage| TokenUsage {
            input: Tokens(usage.input_tokens),
            output: Tokens(usage.output_tokens),
            cache_read: Tokens(usage.cache_read_input_tokens.unwrap_or(0)),
            cache_write: Tokens(usage.cache_creation_input_tokens.unwrap_or(0)),
        }),
        stop: MESSAGES.read(response.stop_reason.as_deref()),
    })
}

/// The message is announced with its input tokens, and counted in full before it stops.
pub(super) fn chunks(generated: &Generated<'_>, part: Part<'_>) -> Vec<Value> {
    match part {
        Part::Begin => {
            let mut message = response(generated);
            message["content"] = json!([]);
            message["stop_reason"] = Value::Null;
            message["usage"]["output_tokens"] = json!(1);
            vec![
                json!({"type": "message_start", "message": message}),
                json!({
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": {"type": "text", "text": ""},
                }),
            ]
        }
        Part::Text { text, .. } => vec![json!({
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": text},
        })],
        Part::End { .. } => vec![
            json!({"type": "content_block_stop", "index": 0}),
            json!({
                "type": "message_delta",
                "delta": {
                    "stop_reason": MESSAGES.write(generated.stop),
                    "stop_sequence": null,
                },
                "usage": {"output_tokens": generated.usage.output},
            }),
            json!({"type": "message_stop"}),
        ],
    }
}

/// Any of the events: each has some of these members.
#[derive(Deserialize)]
struct Event {
    message: Option<Started>,
    delta: Option<Delta>,
    usage: Option<Progress>,
}

#[derive(Deserialize)]
struct Started {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Delta {
    text: Option<String>,
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Progress {
    output_tokens: u64,
}

pub(super) fn parse_chunk(chunk: &[u8]) -> serde_json::Result<Chunk> {
    let event: Event = serde_json::from_slice(chunk)?;
    let started = event.message.and_then(|message| message.usage);
    let (text, stop) = event
        .delta
        .map_or((None, None), |delta| (delta.text, delta.stop_reason));
    Ok(Chunk {
        text: text.unwrap_or_default(),
        stop: stop.map(|word| MESSAGES.read(Some(&word))),
        input: started.map(|usage| Tokens(usage.input_tokens)),
        output: event.usage.map(|usage| Tokens(usage.output_tokens)),
        ..Chunk::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Family::Claude;
    use crate::outcome::StopReason;
    use crate::wire::tests::{assert_request, assert_response, full_prompt, plain_prompt};
    use crate::wire::{parse_request, parse_response};

    #[test]
    fn a_request_as_documented() {
        assert_request(
            Claude,
            &full_prompt(),
            r#"{"anthropic_version": "bedrock-2023-05-31", "max_tokens": 500,
                "messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}],
                "system": "Be brief.", "temperature": 0.7, "top_p": 0.9, "stop_sequences": ["END"]}"#,
        );
    }

    #[test]
    fn max_tokens_is_never_missing() {
        assert_request(
            Claude,
            &plain_prompt(),
            r#"{"anthropic_version": "bedrock-2023-05-31", "max_tokens": 4096,
                "messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}]}"#,
        );
        let message = parse_request(
            Claude,
            br#"{"anthropic_version": "bedrock-2023-05-31", "messages": []}"#,
        );
        assert_eq!(
            message.expect_err("Claude requires it"),
            "Malformed input request: #: required key [max_tokens] not found, \
             please reformat your input and try again."
        );
    }

    #[test]
    fn a_response_as_documented() {
        assert_response(
            Claude,
            r#"{"id": "msg_1", "type": "message", "role": "assistant", "model": "the-model",
                "content": [{"type": "text", "text": "Because."}],
                "stop_reason": "max_tokens", "stop_sequence": null,
                "usage": {"input_tokens": 12, "cache_creation_input_tokens": 0,
                          "cache_read_input_tokens": 0, "output_tokens": 34}}"#,
        );
    }

    #[test]
    fn blocks_without_text_are_passed_over() {
        let body = br#"{"content": [{"type": "thinking", "thinking": "Hm."},
                                    {"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
                        "stop_reason": "stop_sequence",
                        "usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3}}"#;
        let reply = parse_response(Claude, body).expect("a response as documented");
        assert_eq!(
            (reply.text.as_str(), reply.stop),
            ("AB", StopReason::StopSequence)
        );
        assert_eq!(reply.usage.expect("the body has usage").cache_read.0, 3);
    }
}
