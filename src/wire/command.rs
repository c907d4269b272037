//! Cohere Command and Command Light (AWS documentation, model-parameters-cohere-command).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Kind, TEXTS, optional, required};
use super::stop_words::COHERE;
use super::stream::{Chunk, Part};
use super::{Generated, Parsed, Prompt, first, to_bytes};

pub(super) const REQUEST: Kind = Kind::Object(&[
    required("prompt", Kind::Prompt),
    optional("max_tokens", Kind::MaxTokens { at_least: 1 }),
    optional("temperature", Kind::Number),
    optional("p", Kind::Number),
    optional("k", Kind::Number),
    optional("stop_sequences", TEXTS),
    optional("return_likelihoods", Kind::Text),
    optional("stream", Kind::Boolean),
    optional("num_generations", Kind::Integer),
    optional("logit_bias", Kind::Any),
    optional("truncate", Kind::Text),
]);

#[derive(Serialize)]
struct Request<'a> {
    prompt: Cow<'a, str>,
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
        prompt: prompt.joined(),
        max_tokens: prompt.max_tokens,
        temperature: prompt.temperature,
        p: prompt.top_p,
        stop_sequences: prompt.stop,
    })
}

/// The service repeats the prompt; here it is left empty, since nobody reads it back.
pub(super) fn response(generated: &Generated<'_>) -> Value {
    json!({
        "id": generated.id,
        "generations": [{
            "id": generated.id,
            "text": generated.text,
            "finish_reason": COHERE.write(generated.stop),
        }],
        "prompt": "",
    })
}

#[derive(Deserialize)]
struct Response<T> {
    generations: Vec<Generation<T>>,
}

#[derive(Deserialize)]
struct Generation<T> {
    text: T,
    finish_reason: Option<String>,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    let generation = first(response.generations, "generations")?;
    Ok(Parsed {
        text: vec![generation.text],
        usage: None,
        stop: COHERE.read(generation.finish_reason.as_deref()),
    })
}

pub(super) fn chunks(generated: &Generated<'_>, part: Part<'_>) -> Vec<Value> {
    match part {
        Part::Begin => Vec::new(),
        Part::Text { text, .. } => {
            vec![json!({"id": generated.id, "text": text, "is_finished": false})]
        }
        Part::End { .. } => vec![json!({
            "id": generated.id,
            "is_finished": true,
            "finish_reason": COHERE.write(generated.stop),
        })],
    }
}

/// Command R's chunks have the same members, and others.
#[derive(Deserialize)]
struct Piece {
    text: Option<String>,
    finish_reason: Option<String>,
}

pub(super) fn parse_chunk(chunk: &[u8]) -> serde_json::Result<Chunk> {
    let piece: Piece = serde_json::from_slice(chunk)?;
    Ok(Chunk {
        text: piece.text.unwrap_or_default(),
        stop: piece.finish_reason.map(|word| COHERE.read(Some(&word))),
        ..Chunk::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Family::Command;
    use crate::wire::tests::{assert_request, assert_response, full_prompt};

    #[test]
    fn a_request_as_documented() {
        assert_request(
            Command,
            &full_prompt(),
            r#"{"prompt": "Be brief.\n\nWhy?", "max_tokens": 500, "temperature": 0.7, "p": 0.9,
                "stop_sequences": ["END"]}"#,
        );
    }

    #[test]
    fn a_response_as_documented() {
        assert_response(
            Command,
            r#"{"id": "msg_1", "prompt": "",
                "generations": [{"id": "msg_1", "text": "Because.", "finish_reason": "MAX_TOKENS"}]}"#,
        );
    }
}
