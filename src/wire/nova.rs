//! Amazon Nova (AWS documentation, Amazon Nova user guide, "Complete request schema").

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Kind, TEXTS, optional, required};
use super::stop_words::MESSAGES;
use super::stream::{Chunk, Part};
use super::{Generated, Parsed, Prompt, to_bytes};
use crate::units::{TokenUsage, Tokens};

/// `max_new_tokens` is an older name of `maxTokens` that is still taken.
pub(super) const REQUEST: Kind = Kind::Object(&[
    required(
        "messages",
        Kind::List(&Kind::Object(&[
            required("role", Kind::Text),
            required("content", Kind::Blocks),
        ])),
    ),
    optional("schemaVersion", Kind::Text),
    optional("system", Kind::Blocks),
    optional(
        "inferenceConfig",
        Kind::Object(&[
            optional("maxTokens", Kind::MaxTokens { at_least: 1 }),
            optional("max_new_tokens", Kind::MaxTokens { at_least: 1 }),
            optional("temperature", Kind::Number),
            optional("topP", Kind::Number),
            optional("topK", Kind::Integer),
            optional("stopSequences", TEXTS),
            optional("reasoningConfig", Kind::Any),
        ]),
    ),
    optional("toolConfig", Kind::Any),
]);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    schema_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[TextBlock<'a>; 1]>,
    messages: [Message<'a>; 1],
    inference_config: Config<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: [TextBlock<'a>; 1],
}

#[derive(Serialize)]
struct TextBlock<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

pub(super) fn request(prompt: &Prompt<'_>) -> Vec<u8> {
    to_bytes(&Request {
        schema_version: "messages-v1",
        system: prompt.system.map(|text| [TextBlock { text }]),
        messages: [Message {
            role: "user",
            content: [TextBlock { text: prompt.text }],
        }],
        inference_config: Config {
            max_tokens: prompt.max_tokens,
            temperature: prompt.temperature,
            top_p: prompt.top_p,
            stop_sequences: prompt.stop,
        },
    })
}

pub(super) fn response(generated: &Generated<'_>) -> Value {
    json!({
        "output": {"message": {"role": "assistant", "content": [{"text": generated.text}]}},
        "stopReason": MESSAGES.write(generated.stop),
        "usage": counts(&generated.usage),
    })
}

fn counts(usage: &TokenUsage) -> Value {
    json!({
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output + usage.cache_read + usage.cache_write,
        "cacheReadInputTokenCount": usage.cache_read,
        "cacheWriteInputTokenCount": usage.cache_write,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response<T> {
    output: Output<T>,
    stop_reason: Option<String>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Output<T> {
    message: Answer<T>,
}

#[derive(Deserialize)]
struct Answer<T> {
    content: Vec<Block<T>>,
}

/// Reasoning and tool-use blocks have no text.
#[derive(Deserialize)]
struct Block<T> {
    text: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_token_count: Option<u64>,
    cache_write_input_token_count: Option<u64>,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    let blocks = response.output.message.content;
    Ok(Parsed {
        text: blocks.into_iter().filter_map(|block| block.text).collect(),
        usage: response.usage.map(|usage| TokenUsage {
            input: Tokens(usage.input_tokens),
            output: Tokens(usage.output_tokens),
            cache_read: Tokens(usage.cache_read_input_token_count.unwrap_or(0)),
            cache_write: Tokens(usage.cache_write_input_token_count.unwrap_or(0)),
        }),
        stop: MESSAGES.read(response.stop_reason.as_deref()),
    })
}

/// Every piece of text is a content block of its own.
pub(super) fn chunks(generated: &Generated<'_>, part: Part<'_>) -> Vec<Value> {
    match part {
        Part::Begin => vec![json!({"messageStart": {"role": "assistant"}})],
        Part::Text { index, text } => vec![
            json!({"contentBlockDelta": {"contentBlockIndex": index, "delta": {"text": text}}}),
            json!({"contentBlockStop": {"contentBlockIndex": index}}),
        ],
        Part::End { .. } => vec![
            json!({"messageStop": {"stopReason": MESSAGES.write(generated.stop)}}),
            json!({"metadata": {
                "usage": counts(&generated.usage),
                "metrics": {},
                "trace": {},
            }}),
        ],
    }
}

/// Any of the events: each has one of these members, or none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    content_block_delta: Option<BlockDelta>,
    message_stop: Option<Stop>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct BlockDelta {
    delta: Block<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stop {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    usage: Option<Usage>,
}

pub(super) fn parse_chunk(chunk: &[u8]) -> serde_json::Result<Chunk> {
    let event: Event = serde_json::from_slice(chunk)?;
    let text = event.content_block_delta.and_then(|block| block.delta.text);
    let usage = event.metadata.and_then(|metadata| metadata.usage);
    Ok(Chunk {
        text: text.unwrap_or_default(),
        stop: event
            .message_stop
            .map(|stop| MESSAGES.read(stop.stop_reason.as_deref())),
        input: usage.as_ref().map(|usage| Tokens(usage.input_tokens)),
        output: usage.as_ref().map(|usage| Tokens(usage.output_tokens)),
        ..Chunk::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Family::Nova;
    use crate::wire::parse_request;
    use crate::wire::tests::{assert_request, assert_response, full_prompt};

    #[test]
    fn a_request_as_documented() {
        assert_request(
            Nova,
            &full_prompt(),
            r#"{"schemaVersion": "messages-v1", "system": [{"text": "Be brief."}],
                "messages": [{"role": "user", "content": [{"text": "Why?"}]}],
                "inferenceConfig": {"maxTokens": 500, "temperature": 0.7, "topP": 0.9,
                                    "stopSequences": ["END"]}}"#,
        );
    }

    #[test]
    fn the_older_name_of_max_tokens_is_taken() {
        let incoming = parse_request(
            Nova,
            br#"{"messages": [], "inferenceConfig": {"max_new_tokens": 7}}"#,
        );
        assert_eq!(
            incoming.expect("a request as documented").max_tokens,
            Some(7)
        );
    }

    #[test]
    fn a_response_as_documented() {
        assert_response(
            Nova,
            r#"{"output": {"message": {"content": [{"text": "Because."}], "role": "assistant"}},
                "stopReason": "max_tokens",
                "usage": {"inputTokens": 12, "outputTokens": 34, "totalTokens": 46,
                          "cacheReadInputTokenCount": 0, "cacheWriteInputTokenCount": 0}}"#,
        );
    }
}
