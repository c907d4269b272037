//! Cohere Command R and R+ (AWS documentation, model-parameters-cohere-command-r-plus).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Kind, TEXTS, optional, required};
use super::stop_words::COHERE;
use super::stream::Part;
use super::{Generated, Parsed, Prompt, to_bytes};

pub(super) const REQUEST: Kind = Kind::Object(&[
    required("message", Kind::Prompt),
    optional(
        "chat_history",
        Kind::List(&Kind::Open(&[
            required("role", Kind::Text),
            required("message", Kind::Prompt),
        ])),
    ),
    optional("preamble", Kind::Prompt),
    optional("max_tokens", Kind::MaxTokens { at_least: 1 }),
    optional("temperature", Kind::Number),
    optional("p", Kind::Number),
    optional("k", Kind::Number),
    optional("stop_sequences", TEXTS),
    optional("documents", Kind::Any),
    optional("search_queries_only", Kind::Boolean),
    optional("prompt_truncation", Kind::Text),
    optional("frequency_penalty", Kind::Number),
    optional("presence_penalty", Kind::Number),
    optional("seed", Kind::Integer),
    optional("return_prompt", Kind::Boolean),
    optional("tools", Kind::Any),
    optional("tool_results", Kind::Any),
    optional("raw_prompting", Kind::Boolean),
]);

#[derive(Serialize)]
struct Request<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    preamble: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

pub(super) fn request(prompt: &Prompt<'_>) -> Vec<u8> {
    to_bytes(&Request {
        message: prompt.text,
        preamble: prompt.system,
        max_tokens: prompt.max_tokens,
        temperature: prompt.temperature,
        p: prompt.top_p,
        stop_sequences: prompt.stop,
    })
}

/// The service's `chat_history` repeats the request; here it is left empty, since nobody reads it.
pub(super) fn response(generated: &Generated<'_>) -> Value {
    json!({
        "response_id": generated.id,
        "text": generated.text,
        "generation_id": generated.id,
        "chat_history": [],
        "finish_reason": COHERE.write(generated.stop),
    })
}

#[derive(Deserialize)]
struct Response<T> {
    text: T,
    finish_reason: Option<String>,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    Ok(Parsed {
        text: vec![response.text],
        usage: None,
        stop: COHERE.read(response.finish_reason.as_deref()),
    })
}

pub(super) fn chunks(generated: &Generated<'_>, part: Part<'_>) -> Vec<Value> {
    vec![match part {
        Part::Begin => json!({
            "event_type": "stream-start",
            "generation_id": generated.id,
            "is_finished": false,
        }),
        Part::Text { text, .. } => json!({
            "event_type": "text-generation",
            "text": text,
            "is_finished": false,
        }),
        Part::End { .. } => json!({
            "event_type": "stream-end",
            "finish_reason": COHERE.write(generated.stop),
            "is_finished": true,
            "response": response(generated),
        }),
    }]
}

pub(super) use super::command::parse_chunk;

#[cfg(test)]
mod tests {
    use crate::catalogue::Family::CommandR;
    use crate::wire::parse_request;
    use crate::wire::tests::{assert_request, assert_response, full_prompt};

    #[test]
    fn a_request_as_documented() {
        assert_request(
            CommandR,
            &full_prompt(),
            r#"{"message": "Why?", "preamble": "Be brief.", "max_tokens": 500, "temperature": 0.7,
                "p": 0.9, "stop_sequences": ["END"]}"#,
        );
    }

    #[test]
    fn earlier_turns_count() {
        let body = br#"{"message": "12", "chat_history": [{"role": "USER", "message": "345"}]}"#;
        assert_eq!(
            parse_request(CommandR, body)
                .expect("a request as documented")
                .text_chars,
            5
        );
    }

    #[test]
    fn a_response_as_documented() {
        assert_response(
            CommandR,
            r#"{"response_id": "msg_1", "text": "Because.", "generation_id": "msg_1",
                "chat_history": [], "finish_reason": "MAX_TOKENS"}"#,
        );
    }
}
