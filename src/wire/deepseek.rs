//! DeepSeek, text completion: a prompt with its instruct template in, `choices` out (AWS
//! documentation, model-parameters-deepseek).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Kind, TEXTS, optional, required};
use super::stop_words::COMPLETIONS;
use super::stream::{Chunk, Part};
use super::{Generated, Parsed, Prompt, first, to_bytes};

pub(super) const REQUEST: Kind = Kind::Object(&[
    required("prompt", Kind::Prompt),
    optional("max_tokens", Kind::MaxTokens { at_least: 1 }),
    optional("temperature", Kind::Number),
    optional("top_p", Kind::Number),
    optional("stop", TEXTS),
]);

#[derive(Serialize)]
struct Request<'a> {
    prompt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
}

pub(super) fn request(prompt: &Prompt<'_>) -> Vec<u8> {
    to_bytes(&Request {
        prompt: instruct(prompt),
        max_tokens: prompt.max_tokens,
        temperature: prompt.temperature,
        top_p: prompt.top_p,
        stop: prompt.stop,
    })
}

/// The documented template; DeepSeek's own puts a system prompt before the first turn.
fn instruct(prompt: &Prompt<'_>) -> String {
    let system = prompt.system.unwrap_or_default();
    let text = prompt.text;
    format!("<｜begin▁of▁sentence｜>{system}<｜User｜>{text}<｜Assistant｜><think>\n")
}

pub(super) fn response(generated: &Generated<'_>) -> Value {
    json!({
        "choices": [{
            "text": generated.text,
            "stop_reason": COMPLETIONS.write(generated.stop),
        }],
    })
}

#[derive(Deserialize)]
struct Response<T> {
    choices: Vec<Completion<T>>,
}

#[derive(Deserialize)]
struct Completion<T> {
    text: T,
    stop_reason: Option<String>,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    let completion = first(response.choices, "choices")?;
    Ok(Parsed {
        text: vec![completion.text],
        usage: None,
        stop: COMPLETIONS.read(completion.stop_reason.as_deref()),
    })
}

pub(super) fn chunks(generated: &Generated<'_>, part: Part<'_>) -> Vec<Value> {
    let (text, stop) = match part {
        Part::Begin => return Vec::new(),
        Part::Text { text, .. } => (text, None),
        Part::End { .. } => ("", Some(COMPLETIONS.write(generated.stop))),
    };
    vec![json!({"choices": [{"text": text, "stop_reason": stop}]})]
}

pub(super) fn parse_chunk(chunk: &[u8]) -> serde_json::Result<Chunk> {
    let chunk: Response<String> = serde_json::from_slice(chunk)?;
    let completion = first(chunk.choices, "choices")?;
    Ok(Chunk {
        text: completion.text,
        stop: completion
            .stop_reason
            .map(|word| COMPLETIONS.read(Some(&word))),
        ..Chunk::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Family::DeepSeek;
    use crate::wire::tests::{assert_request, assert_response, full_prompt, plain_prompt};

    #[test]
    fn a_request_as_documented() {
        assert_request(
            DeepSeek,
            &plain_prompt(),
            r#"{"prompt": "<｜begin▁of▁sentence｜><｜User｜>Why?<｜Assistant｜><think>\n"}"#,
        );
        assert_request(
            DeepSeek,
            &full_prompt(),
            r#"{"prompt": "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Why?<｜Assistant｜><think>\n",
                "max_tokens": 500, "temperature": 0.7, "top_p": 0.9, "stop": ["END"]}"#,
        );
    }

    #[test]
    fn a_response_as_documented() {
        assert_response(
            DeepSeek,
            r#"{"choices": [{"text": "Because.", "stop_reason": "length"}]}"#,
        );
    }
}
