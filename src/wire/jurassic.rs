//! AI21 Jurassic-2 (AWS documentation, model-parameters-jurassic2), which Bedrock has retired.
//!
//! The response is AI21's, whose reference is gone; its shape follows third-party clients.
//!
//! Deliberately not: usage. The body lists tokens instead of counting them, and is read past.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Kind, TEXTS, optional, required};
use super::stop_words::StopWords;
use super::{Generated, Parsed, Prompt, first, to_bytes};

const WORDS: StopWords = StopWords {
    end_turn: "endoftext",
    max_tokens: "length",
    stop_sequence: "stop",
    other: "other",
};

pub(super) const REQUEST: Kind = Kind::Object(&[
    required("prompt", Kind::Prompt),
    optional("maxTokens", Kind::MaxTokens { at_least: 0 }),
    optional("temperature", Kind::Number),
    optional("topP", Kind::Number),
    optional("stopSequences", TEXTS),
    optional("countPenalty", Kind::Any),
    optional("presencePenalty", Kind::Any),
    optional("frequencyPenalty", Kind::Any),
]);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    prompt: Cow<'a, str>,
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
        prompt: prompt.joined(),
        max_tokens: prompt.max_tokens,
        temperature: prompt.temperature,
        top_p: prompt.top_p,
        stop_sequences: prompt.stop,
    })
}

/// Bedrock makes the id an integer, which ours is not.
pub(super) fn response(generated: &Generated<'_>) -> Value {
    json!({
        "id": 1,
        "prompt": {"text": "", "tokens": []},
        "completions": [{
            "data": {"text": generated.text, "tokens": []},
            "finishReason": {"reason": WORDS.write(generated.stop)},
        }],
    })
}

#[derive(Deserialize)]
struct Response<T> {
    completions: Vec<Completion<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Completion<T> {
    data: Data<T>,
    finish_reason: Option<FinishReason>,
}

#[derive(Deserialize)]
struct Data<T> {
    text: T,
}

#[derive(Deserialize)]
struct FinishReason {
    reason: String,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<Parsed<T>> {
    let response: Response<T> = serde_json::from_slice(body)?;
    let completion = first(response.completions, "completions")?;
    let word = completion
        .finish_reason
        .as_ref()
        .map(|finish| finish.reason.as_str());
    Ok(Parsed {
        text: vec![completion.data.text],
        usage: None,
        stop: WORDS.read(word),
    })
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Family::Jurassic;
    use crate::wire::tests::{assert_request, assert_response, full_prompt};

    #[test]
    fn a_request_as_documented() {
        assert_request(
            Jurassic,
            &full_prompt(),
            r#"{"prompt": "Be brief.\n\nWhy?", "maxTokens": 500, "temperature": 0.7, "topP": 0.9,
                "stopSequences": ["END"]}"#,
        );
    }

    #[test]
    fn a_response_as_third_parties_describe_it() {
        assert_response(
            Jurassic,
            r#"{"id": 1, "prompt": {"text": "", "tokens": []},
                "completions": [{"data": {"text": "Because.", "tokens": []},
                                 "finishReason": {"reason": "length"}}]}"#,
        );
    }
}
