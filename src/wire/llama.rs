//! Meta Llama: a prompt with its instruct template in, a `generation` out (AWS documentation,
//! model-parameters-meta).
//!
//! Deliberately not: stop sequences. The body has no key for them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Kind, TEXTS, optional, required};
use super::stop_words::COMPLETIONS;
use super::stream::{Chunk, Part};
use super::{Generated, Parsed, Prompt, to_bytes};
use crate::units::{TokenUsage, Tokens};

/// `images` came with Llama 3.2.
pub(super) const REQUEST: Kind = Kind::Object(&[
    required("prompt", Kind::Prompt),
    optional("max_gen_len", Kind::MaxTokens { at_least: 1 }),
    optional("temperature", Kind::Number),
    optional("top_p", Kind::Number),
    optional("images", TEXTS),
]);

#[derive(Serialize)]
struct Request {
    prompt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_gen_len: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
}

pub(super) fn request(prompt: &Prompt<'_>) -> Vec<u8> {
    to_bytes(&Request {
        prompt: instruct(prompt),
        max_gen_len: prompt.max_tokens,
        temperature: prompt.temperature,
        top_p: prompt.top_p,
    })
}

/// The template of Llama 3, which AWS documents for Llama 4 too.
fn instruct(prompt: &Prompt<'_>) -> String {
    let turn = |role: &str, text: &str| {
        format!("<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>")
    };
    let system = prompt
        .system
        .map(|system| turn("system", system))
        .unwrap_or_default();
    let user = turn("user", prompt.text);
    format!("<|begin_of_text|>{system}{user}<|start_header_id|>assistant<|end_header_id|>")
}

pub(super) fn response(generated: &Generated<'_>) -> Value {
    json!({
        "generation": generated.text,
        "prompt_token_count": generated.usage.input,
        "generation_token_count": generated.usage.output,
        "stop_reason": COMPLETIONS.write(generated.stop),
    })
}

#[derive(Deserialize)]
struct Response<T> {
    generation: T,
    prompt_token_count: Option<u64>,
    generation_token_count: Option<u64>,
    stop_reason: Option<String>,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    let counts = response
        .prompt_token_count
        .zip(response.generation_token_count);
    Ok(Parsed {
        text: vec![response.generation],
        usage: counts.map(|(input, output)| TokenUsage {
            input: Tokens(input),
            output: Tokens(output),
            ..TokenUsage::default()
        }),
        stop: COMPLETIONS.read(response.stop_reason.as_deref()),
    })
}

/// The first piece counts the prompt, every piece what has been generated.
pub(super) fn chunks(generated: &Generated<'_>, part: Part<'_>) -> Vec<Value> {
    match part {
        Part::Begin => Vec::new(),
        Part::Text { index, text } => vec![json!({
            "generation": text,
            "prompt_token_count": (index == 0).then_some(generated.usage.input),
            "generation_token_count": index + 1,
            "stop_reason": null,
        })],
        Part::End { .. } => vec![json!({
            "generation": "",
            "prompt_token_count": null,
            "generation_token_count": generated.usage.output,
            "stop_reason": COMPLETIONS.write(generated.stop),
        })],
    }
}

pub(super) fn parse_chunk(chunk: &[u8]) -> serde_json::Result<Chunk> {
    let chunk: Response<String> = serde_json::from_slice(chunk)?;
    Ok(Chunk {
        text: chunk.generation,
        stop: chunk.stop_reason.map(|word| COMPLETIONS.read(Some(&word))),
        input: chunk.prompt_token_count.map(Tokens),
        output: chunk.generation_token_count.map(Tokens),
        ..Chunk::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Family::Llama;
    use crate::wire::tests::{assert_request, assert_response, full_prompt, plain_prompt};

    #[test]
    fn a_request_as_documented() {
        assert_request(
            Llama,
            &plain_prompt(),
            r#"{"prompt": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|><|start_header_id|>assistant<|end_header_id|>"}"#,
        );
        assert_request(
            Llama,
            &full_prompt(),
            r#"{"prompt": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
                "max_gen_len": 500, "temperature": 0.7, "top_p": 0.9}"#,
        );
    }

    #[test]
    fn a_response_as_documented() {
        assert_response(
            Llama,
            r#"{"generation": "Because.", "prompt_token_count": 12, "generation_token_count": 34,
                "stop_reason": "length"}"#,
        );
    }
}
