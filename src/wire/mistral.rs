//! Mistral AI, text completion: a prompt with its instruct template in, `outputs` out (AWS
//! documentation, model-parameters-mistral-text-completion).

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
    optional("top_k", Kind::Integer),
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

/// Mistral's template has no system role; what would be said there opens the instruction.
fn instruct(prompt: &Prompt<'_>) -> String {
    format!("<s>[INST] {} [/INST]", prompt.joined())
}

pub(super) fn response(generated: &Generated<'_>) -> Value {
    json!({
        "outputs": [{
            "text": generated.text,
            "stop_reason": COMPLETIONS.write(generated.stop),
        }],
    })
}

#[derive(Deserialize)]
struct Response<T> {
    outputs: Vec<Completion<T>>,
}

#[derive(Deserialize)]
struct Completion<T> {
    text: T,
    stop_reason: Option<String>,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    let completion = first(response.outputs, "outputs")?;
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
    vec![json!({"outputs": [{"text": text, "stop_reason": stop}]})]
}

pub(super) fn parse_chunk(chunk: &[u8]) -> serde_json::Result<Chunk> {
    let chunk: Response<String> = serde_json::from_slice(chunk)?;
    let completion = first(chunk.outputs, "outputs")?;
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
    use crate::catalogue::Family::Mistral;
    use crate::wire::tests::{assert_request, assert_response, full_prompt, plain_prompt};

    #[test]
    fn a_request_as_documented() {
        assert_request(
            Mistral,
            &plain_prompt(),
            r#"{"prompt": "<s>[INST] Why? [/INST]"}"#,
        );
        assert_request(
            Mistral,
            &full_prompt(),
            r#"{"prompt": "<s>[INST] Be brief.\n\nWhy? [/INST]",
                "max_tokens": 500, "temperature": 0.7, "top_p": 0.9, "stop": ["END"]}"#,
        );
    }

    #[test]
    fn a_response_as_documented() {
        assert_response(
            Mistral,
            r#"{"outputs": [{"text": "Because.", "stop_reason": "length"}]}"#,
        );
    }
}
