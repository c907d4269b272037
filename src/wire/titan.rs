//! Amazon Titan Text (AWS documentation, model-parameters-titan-text).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Kind, TEXTS, optional, required};
use super::stop_words::StopWords;
use super::stream::{Chunk, Part};
use super::{Generated, Parsed, Prompt, first, to_bytes};
use crate::units::{TokenUsage, Tokens};

const WORDS: StopWords = StopWords {
    end_turn: "FINISHED",
    max_tokens: "LENGTH",
    stop_sequence: "STOP_CRITERIA_MET",
    other: "CONTENT_FILTERED",
};

pub(super) const REQUEST: Kind = Kind::Object(&[
    required("inputText", Kind::Prompt),
    optional(
        "textGenerationConfig",
        Kind::Object(&[
            optional("maxTokenCount", Kind::MaxTokens { at_least: 0 }),
            optional("temperature", Kind::Number),
            optional("topP", Kind::Number),
            optional("stopSequences", TEXTS),
        ]),
    ),
]);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    input_text: Cow<'a, str>,
    text_generation_config: Config<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

pub(super) fn request(prompt: &Prompt<'_>) -> Vec<u8> {
    to_bytes(&Request {
        input_text: prompt.joined(),
        text_generation_config: Config {
            max_token_count: prompt.max_tokens,
            temperature: prompt.temperature,
            top_p: prompt.top_p,
            stop_sequences: prompt.stop,
        },
    })
}

pub(super) fn response(generated: &Generated<'_>) -> Value {
    json!({
        "inputTextTokenCount": generated.usage.input,
        "results": [{
            "tokenCount": generated.usage.output,
            "outputText": generated.text,
            "completionReason": WORDS.write(generated.stop),
        }],
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response<T> {
    input_text_token_count: Option<u64>,
    results: Vec<Completion<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Completion<T> {
    token_count: Option<u64>,
    output_text: T,
    completion_reason: Option<String>,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    let completion = first(response.results, "results")?;
    let counts = response.input_text_token_count.zip(completion.token_count);
    Ok(Parsed {
        text: vec![completion.output_text],
        usage: counts.map(|(input, output)| TokenUsage {
            input: Tokens(input),
            output: Tokens(output),
            ..TokenUsage::default()
        }),
        stop: WORDS.read(completion.completion_reason.as_deref()),
    })
}

/// Counts come with the last piece.
pub(super) fn chunks(generated: &Generated<'_>, part: Part<'_>) -> Vec<Value> {
    let (text, usage, stop) = match part {
        Part::Begin => return Vec::new(),
        Part::Text { text, .. } => (text, None, None),
        Part::End { .. } => (
            "",
            Some(&generated.usage),
            Some(WORDS.write(generated.stop)),
        ),
    };
    vec![json!({
        "outputText": text,
        "index": 0,
        "totalOutputTextTokenCount": usage.map(|usage| usage.output),
        "completionReason": stop,
        "inputTextTokenCount": usage.map(|usage| usage.input),
    })]
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece {
    output_text: String,
    total_output_text_token_count: Option<u64>,
    completion_reason: Option<String>,
    input_text_token_count: Option<u64>,
}

pub(super) fn parse_chunk(chunk: &[u8]) -> serde_json::Result<Chunk> {
    let piece: Piece = serde_json::from_slice(chunk)?;
    Ok(Chunk {
        text: piece.output_text,
        stop: piece.completion_reason.map(|word| WORDS.read(Some(&word))),
        input: piece.input_text_token_count.map(Tokens),
        output: piece.total_output_text_token_count.map(Tokens),
        ..Chunk::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Family::Titan;
    use crate::wire::tests::{assert_request, assert_response, full_prompt};

    #[test]
    fn a_request_as_documented() {
        assert_request(
            Titan,
            &full_prompt(),
            r#"{"inputText": "Be brief.\n\nWhy?",
                "textGenerationConfig": {"maxTokenCount": 500, "temperature": 0.7, "topP": 0.9,
                                         "stopSequences": ["END"]}}"#,
        );
    }

    #[test]
    fn a_response_as_documented() {
        assert_response(
            Titan,
            r#"{"inputTextTokenCount": 12,
                "results": [{"tokenCount": 34, "outputText": "Because.", "completionReason": "LENGTH"}]}"#,
        );
    }
}
